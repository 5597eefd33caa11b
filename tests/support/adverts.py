"""VRRPv3 advertisements as bytes, right and wrong, and a raw socket that can claim any IPv4 source."""

from __future__ import annotations

import socket
import struct

PROTOCOL = 112
MULTICAST = "224.0.0.18"


def checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def advertisement(source: str, destination: str, vrid: int, priority: int, addresses: list, interval: int = 10,
                  version: int = 3, kind: int = 1, count: int = None, trailing: bytes = b"",
                  wrong_checksum: bool = False) -> bytes:
    """A version 3 message for IPv4 with the checksum over the pseudo-header, or what the arguments spoil of it."""
    listed = b"".join(socket.inet_aton(address) for address in addresses)
    count = len(addresses) if count is None else count

    def message(value: int) -> bytes:
        return struct.pack(">BBBBHH", version << 4 | kind, vrid, priority, count, interval, value) + listed + trailing

    pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack(">BBH", 0, PROTOCOL, len(message(0)))
    value = checksum(pseudo + message(0))
    return message(value ^ 0x5555 if wrong_checksum else value)


def advertisement_v2(vrid: int, priority: int, addresses: list) -> bytes:
    listed = b"".join(socket.inet_aton(address) for address in addresses)

    def message(value: int) -> bytes:
        return struct.pack(">BBBBBBH", 2 << 4 | 1, vrid, priority, len(addresses), 0, 1, value) + listed + bytes(8)

    return message(checksum(message(0)))


class RawSender:
    """Sends whole IPv4 packets of protocol 112 from a host, with any source address and TTL."""

    def __init__(self, host):
        self._socket = host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")

    def send(self, source: str, destination: str, payload: bytes, ttl: int = 255) -> None:
        header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, ttl, PROTOCOL, 0,
                             socket.inet_aton(source), socket.inet_aton(destination))
        self._socket.sendto(header + payload, (destination, 0))
