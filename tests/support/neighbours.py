"""Asking who has an address, as a client with an empty neighbour table does, and hearing every answer.

Each question is an ARP request or a neighbour solicitation from a raw socket on the host; the kernel's own neighbour
table neither asks nor learns.
"""

from __future__ import annotations

import ipaddress
import select
import socket
import struct
import time

ETH_P_ALL = 0x0003
ETH_P_ARP = 0x0806
ETH_P_IPV6 = 0x86DD
PACKET_OUTGOING = 4
ANSWER_WAIT = 0.02  # seconds: a local kernel answers within one


def mac_text(mac: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in mac)


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Asker:
    def __init__(self, host, interface: str = "eth0"):
        self._socket = host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind((interface, ETH_P_ALL))
        link = host.ip(f"-o link show dev {interface}")
        self._mac = bytes.fromhex(link.split("link/ether ")[1].split()[0].replace(":", ""))
        addresses = [a.split("/")[0] for a in host.addresses(interface)]
        self._v4 = next((a for a in addresses if ":" not in a), "0.0.0.0")
        self._v6 = next((a for a in addresses if a.startswith("fe80:")), None)

    def who_has(self, address: str, wait: float = ANSWER_WAIT) -> list:
        """The MAC addresses that answer within `wait` seconds, in their order, each answer once."""
        is_v6 = ":" in address
        while select.select([self._socket], [], [], 0)[0]:
            self._socket.recv(2048)
        self._socket.send(self._solicitation(address) if is_v6 else self._request(address))
        found, deadline = [], time.monotonic() + wait
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._socket], [], [], left)[0]:
                break
            frame, origin = self._socket.recvfrom(2048)
            if origin[2] == PACKET_OUTGOING:
                continue
            mac = self._advertised(frame, address) if is_v6 else self._replied(frame, address)
            if mac:
                found.append(mac_text(mac))
        return found

    def _request(self, address: str) -> bytes:
        return (b"\xff" * 6 + self._mac + struct.pack(">HHHBBH", ETH_P_ARP, 1, 0x0800, 6, 4, 1) + self._mac
                + socket.inet_aton(self._v4) + bytes(6) + socket.inet_aton(address))

    def _replied(self, frame: bytes, address: str):
        is_reply = len(frame) >= 42 and frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\x02"
        return frame[22:28] if is_reply and frame[28:32] == socket.inet_aton(address) and frame[0:6] == self._mac else None

    def _solicitation(self, address: str) -> bytes:
        target = socket.inet_pton(socket.AF_INET6, address)
        source = socket.inet_pton(socket.AF_INET6, self._v6)
        group = bytes.fromhex("ff0200000000000000000001ff") + target[13:]
        body = struct.pack(">BBHI", 135, 0, 0, 0) + target + b"\1\1" + self._mac
        pseudo = source + group + struct.pack(">II", len(body), 58)
        body = body[:2] + struct.pack(">H", _checksum(pseudo + body)) + body[4:]
        return (b"\x33\x33" + group[12:] + self._mac + struct.pack(">HIHBB", ETH_P_IPV6, 6 << 28, len(body), 58, 255)
                + source + group + body)

    def _advertised(self, frame: bytes, address: str):
        """The target link-layer address of a solicited advertisement for the address."""
        if len(frame) < 86 or frame[12:14] != b"\x86\xdd" or frame[20] != 58 or frame[54] != 136:
            return None
        is_solicited = frame[58] & 0x40
        if not is_solicited or frame[62:78] != ipaddress.ip_address(address).packed:
            return None
        return frame[80:86] if frame[78] == 2 else frame[6:12]
