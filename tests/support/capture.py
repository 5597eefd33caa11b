"""What one node of a pair says to the other, recorded on the receiver's interface: somebody on the LAN who listens."""

from __future__ import annotations

import socket
import struct

from adverts import PROTOCOL

ETH_P_IP = 0x0800
RECEIVE_BUFFER = 1 << 20


class Capture:
    """Records the IPv4 payloads of protocol 112 that arrive on an interface of a host, from the moment it is made."""

    def __init__(self, host, interface: str = "eth0"):
        self._socket = host.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._socket.bind((interface, ETH_P_IP))
        self._socket.setblocking(False)

    def take(self) -> list:
        """[(source, destination, payload), …] since the last call."""
        found = []
        while True:
            try:
                packet, address = self._socket.recvfrom(65536)
            except BlockingIOError:
                return found
            if address[2] == socket.PACKET_OUTGOING or len(packet) < 20 or packet[9] != PROTOCOL:
                continue
            size = struct.unpack(">H", packet[2:4])[0]
            header = (packet[0] & 15) * 4
            found.append((socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20]), packet[header:size]))
