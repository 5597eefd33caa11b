"""A name server of a few lines, on UDP and TCP: knows A, AAAA and SRV records, and misbehaves when told to.

It runs in a thread of the test, on sockets of the host that it stands on.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import threading

A, AAAA, SRV = 1, 28, 33


def _encoded(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.strip(".").split(".")) + b"\0"


def address(text: str, ttl: int = 60) -> tuple:
    parsed = ipaddress.ip_address(text)
    return (A if parsed.version == 4 else AAAA, ttl, parsed.packed)


def service(priority: int, weight: int, port: int, host: str, ttl: int = 60) -> tuple:
    return (SRV, ttl, struct.pack("!HHH", priority, weight, port) + _encoded(host))


class NameServer:
    """mode: "normal", "silent", "garbage", "truncated" (over UDP), "failure" (SERVFAIL)."""

    def __init__(self, host, address: str, port: int = 53):
        self.mode = "normal"
        self.questions = {"udp": 0, "tcp": 0}
        self._records: dict = {}
        self._udp = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((address, port))
        self._tcp = host.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._tcp.bind((address, port))
        self._tcp.listen(16)
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def set(self, name: str, *records: tuple) -> None:
        self._records[_encoded(name.lower())] = records

    def remove(self, name: str) -> None:
        self._records.pop(_encoded(name.lower()), None)

    def _serve_udp(self) -> None:
        while True:
            question, peer = self._udp.recvfrom(4096)
            reply = self._answer(question, "udp")
            if reply:
                self._udp.sendto(reply, peer)

    def _serve_tcp(self) -> None:
        while True:
            client, _ = self._tcp.accept()
            with client:
                client.settimeout(2.0)
                try:
                    framed = client.recv(4096)
                    reply = self._answer(framed[2:], "tcp")
                    if reply:
                        client.sendall(struct.pack("!H", len(reply)) + reply)
                except OSError:
                    pass

    def _answer(self, question: bytes, transport: str) -> bytes:
        self.questions[transport] += 1
        if self.mode == "silent":
            return b""
        if self.mode == "garbage":
            return question[:2] + b"\x81\x80" + bytes(range(200))
        end = question.index(b"\0", 12) + 1
        name, kind = question[12:end].lower(), struct.unpack("!H", question[end:end + 2])[0]
        known = self._records.get(name)
        code = 2 if self.mode == "failure" else 3 if known is None else 0
        is_cut = self.mode == "truncated" and transport == "udp"
        chosen = [] if code or is_cut else [record for record in known if record[0] == kind]
        head = question[:2] + struct.pack("!HHHHH", 0x8180 | (0x200 if is_cut else 0) | code, 1, len(chosen), 0, 0)
        answers = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data
                           for _, ttl, data in chosen)
        return head + question[12:end + 4] + answers
