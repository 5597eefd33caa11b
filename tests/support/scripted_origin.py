"""An origin that answers with these very bytes and then does something no good origin does."""

from __future__ import annotations

import re
import socket
import struct
import threading


class ScriptedOrigin:
    """Listens on a host of the laboratory. Each request is answered by scripts[path](connection), which says whether
    the connection goes on; a path without one gets 200 "ok". `requests` are (number of the connection, path), `heads`
    what they came as; `open` counts connections."""

    def __init__(self, host, address: str, port: int):
        self.scripts: dict = {}
        self.requests: list = []
        self.heads: list = []
        self.open = 0
        self._lock = threading.Lock()
        self._listener = host.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((address, port))
        self._listener.listen(256)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        number = 0
        while True:
            connection, _ = self._listener.accept()
            number += 1
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection, number: int) -> None:
        with self._lock:
            self.open += 1
        try:
            while True:
                head = _read_head(connection)
                path = head.split(b" ", 2)[1].decode()
                self.heads.append(head)
                self.requests.append((number, path))
                if not self.scripts.get(path, _ok)(connection):
                    return
        except (EOFError, OSError):
            pass
        finally:
            connection.close()
            with self._lock:
                self.open -= 1


def _read_head(connection) -> bytes:
    """One head, and the body that its Content-Length says."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, rest = received.split(b"\r\n\r\n", 1)
    length = re.search(rb"(?i)^content-length: (\d+)", head, re.M)
    while length and len(rest) < int(length[1]):
        rest += _more(connection)
    return head


def _more(connection) -> bytes:
    chunk = connection.recv(1 << 16)
    if not chunk:
        raise EOFError
    return chunk


def _ok(connection) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    return True


def says(text: bytes, goes_on: bool = False):
    """The script that sends this and closes, or goes on."""
    def script(connection) -> bool:
        connection.sendall(text)
        return goes_on
    return script


def says_and_resets(text: bytes = b""):
    def script(connection) -> bool:
        connection.sendall(text)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    return script


def says_without_end(beginning: bytes, piece: bytes):
    """Sends pieces until nobody takes them."""
    def script(connection) -> bool:
        connection.sendall(beginning)
        while True:
            connection.sendall(piece)
    return script
