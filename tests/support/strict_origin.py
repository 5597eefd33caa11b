"""An origin that says exactly what it got, and takes nothing that can be read in two ways.

It reads RFC 9112 as narrowly as it can be read: a message that this reader takes has one meaning for every other one.
Whatever else it is sent is a problem, and the test's to report.
"""

from __future__ import annotations

import re
import threading
from typing import NamedTuple

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.1")
_FIELD = re.compile(rb"(" + _TOKEN + rb"): ?((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)")
_HOST = re.compile(rb"[A-Za-z0-9._~-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_CHUNK_LINE = re.compile(rb"[0-9A-Fa-f]{1,8}")
_NOT_IN_TRAILERS = {b"content-length", b"transfer-encoding", b"host", b"authorization", b"content-encoding", b"connection"}


class Reading(NamedTuple):
    """What a request means: all that a smuggler would like two readers to disagree on."""
    method: str
    target: str
    host: str
    body: bytes = b""


class Ambiguous(Exception):
    """Bytes that another reader might read differently."""


class StrictOrigin:
    """Listens on a host of the laboratory; every connection has a thread. `readings` are the whole requests in their
    order, `problems` what was ambiguous."""

    def __init__(self, host, address: str, port: int):
        self.readings: list = []
        self.problems: list = []
        self._listener = host.socket(2, 1)
        self._listener.bind((address, port))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection) -> None:
        received = bytearray()
        stream = _Reader(connection, received)
        try:
            while True:
                reading = _read_request(stream)
                self.readings.append(reading)
                body = b"" if reading.method == "HEAD" else b"ok"
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + body)
        except Ambiguous as problem:
            self.problems.append(f"{problem} in {bytes(received)[-400:]!r}")
        except (EOFError, OSError):
            pass  # a message without its end is none
        finally:
            connection.close()


class _Reader:
    def __init__(self, connection, received: bytearray):
        self._connection, self._received, self._buffer = connection, received, b""

    def more(self) -> None:
        chunk = self._connection.recv(1 << 16)
        if not chunk:
            raise EOFError
        self._received += chunk
        self._buffer += chunk

    def line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            if b"\n" in self._buffer:
                raise Ambiguous("a bare LF")
            self.more()
        line, self._buffer = self._buffer.split(b"\r\n", 1)
        if b"\r" in line or b"\n" in line or b"\0" in line:
            raise Ambiguous(f"a control byte in the line {line!r}")
        return line

    def take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self.more()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken


def _read_fields(stream: _Reader) -> list:
    fields = []
    while True:
        line = stream.line()
        if not line:
            return fields
        field = _FIELD.fullmatch(line)
        if not field:
            raise Ambiguous(f"no field: {line!r}")
        fields.append((field[1].lower(), field[2]))


def _read_request(stream: _Reader) -> Reading:
    line = stream.line()
    start = _REQUEST_LINE.fullmatch(line)
    if not start:
        raise Ambiguous(f"no request line: {line!r}")
    fields = _read_fields(stream)

    def values(name: bytes) -> list:
        return [value for key, value in fields if key.replace(b"_", b"-") == name]

    hosts, lengths, codings = values(b"host"), values(b"content-length"), values(b"transfer-encoding")
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        raise Ambiguous(f"hosts {hosts}")
    if len(lengths) + len(codings) > 1 or any(not re.fullmatch(rb"0|[1-9][0-9]{0,17}", value) for value in lengths) \
            or any(value != b"chunked" for value in codings):
        raise Ambiguous(f"framing {lengths} {codings}")
    if any(option.strip().lower() not in (b"te", b"close", b"keep-alive", b"upgrade")
           for value in values(b"connection") for option in value.split(b",")):
        raise Ambiguous(f"connection options {values(b'connection')}")
    body = _read_chunks(stream) if codings else stream.take(int(lengths[0]) if lengths else 0)
    return Reading(start[1].decode(), start[2].decode(), hosts[0].decode(), body)


def _read_chunks(stream: _Reader) -> bytes:
    body = b""
    while True:
        line = stream.line()
        if not _CHUNK_LINE.fullmatch(line):
            raise Ambiguous(f"no chunk size: {line!r}")
        size = int(line, 16)
        if size == 0:
            break
        body += stream.take(size)
        if stream.take(2) != b"\r\n":
            raise Ambiguous("a chunk without its end")
    for name, _ in _read_fields(stream):
        if name in _NOT_IN_TRAILERS:
            raise Ambiguous(f"a trailer {name!r}")
    return body
