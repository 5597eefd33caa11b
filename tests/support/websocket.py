"""RFC 6455 in as few lines as it takes: a client for tests, and as a program a server that echoes every message.

  websocket.py ADDRESS PORT
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import socketserver
import struct
import sys

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE = 1, 8


def accept_key(key: str) -> str:
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


class Frames:
    """Messages of one frame each over a connected socket."""

    def __init__(self, connection: socket.socket, masks: bool, early: bytes = b""):
        self.socket, self.masks, self.buffer = connection, masks, early

    def send(self, payload: bytes, opcode: int = TEXT) -> None:
        self.socket.sendall(self.frame(payload, opcode))

    def frame(self, payload: bytes, opcode: int = TEXT) -> bytes:
        size = len(payload)
        mask_bit = 0x80 if self.masks else 0
        head = bytes([0x80 | opcode])
        if size < 126:
            head += bytes([mask_bit | size])
        elif size < 65536:
            head += bytes([mask_bit | 126]) + struct.pack(">H", size)
        else:
            head += bytes([mask_bit | 127]) + struct.pack(">Q", size)
        return head + (self._masked(payload) if self.masks else payload)

    @staticmethod
    def _masked(payload: bytes) -> bytes:
        key = os.urandom(4)
        return key + Frames.unmask(payload, key)

    @staticmethod
    def unmask(payload: bytes, key: bytes) -> bytes:
        size = len(payload)
        pad = (key * (size // 4 + 1))[:size]
        return (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")

    def take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            chunk = self.socket.recv(1 << 18)
            if not chunk:
                raise EOFError("the connection ended within a frame")
            self.buffer += chunk
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def receive(self) -> tuple:
        """(opcode, payload) of the next frame."""
        first, second = self.take(2)
        size = second & 0x7F
        if size == 126:
            size = struct.unpack(">H", self.take(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.take(8))[0]
        key = self.take(4) if second & 0x80 else b""
        payload = self.take(size)
        return first & 0x0F, self.unmask(payload, key) if key else payload


def upgrade(connection: socket.socket, path: str = "/", host: str = "www.example.com", early: bytes = b"") -> Frames:
    """Asks for a WebSocket; `early` is sent right behind the request's head."""
    key = base64.b64encode(os.urandom(16)).decode()
    request = (f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
               f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n")
    connection.sendall(request.encode() + early)
    answer = b""
    while b"\r\n\r\n" not in answer:
        chunk = connection.recv(65536)
        if not chunk:
            raise EOFError(f"no answer but {answer!r}")
        answer += chunk
    head, rest = answer.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if not lines[0].startswith("HTTP/1.1 101 "):
        raise ConnectionRefusedError(lines[0])
    assert fields["sec-websocket-accept"] == accept_key(key), fields
    assert fields["upgrade"].lower() == "websocket" and "upgrade" in fields["connection"].lower(), fields
    return Frames(connection, masks=True, early=rest)


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        head = b""
        while b"\r\n\r\n" not in head:
            chunk = self.request.recv(65536)
            if not chunk:
                return
            head += chunk
        head, early = head.split(b"\r\n\r\n", 1)
        fields = {name.lower(): value.strip() for name, _, value in
                  (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])}
        if fields.get("upgrade", "").lower() != "websocket":
            self.request.sendall(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
            return
        frames = Frames(self.request, masks=False, early=early)
        # The first message leaves together with the head, as fast servers do it.
        answer = ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  f"Sec-WebSocket-Accept: {accept_key(fields['sec-websocket-key'])}\r\n\r\n").encode()
        self.request.sendall(answer + frames.frame(b"hello"))
        try:
            while True:
                opcode, payload = frames.receive()
                frames.send(payload, opcode)
                if opcode == CLOSE:
                    return
        except (EOFError, ConnectionError):
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 1024


if __name__ == "__main__":
    Server((sys.argv[1], int(sys.argv[2])), Echo).serve_forever()
