"""A client that says exactly these bytes and reads exactly one response at a time."""

from __future__ import annotations

import errno
import socket


class Response:
    def __init__(self, status: int, fields: list, body: bytes, trailers: list = ()):
        self.status, self.fields, self.body, self.trailers = status, fields, body, list(trailers)

    def field(self, name: str) -> str:
        """The field's value, several joined by a comma; "" when absent."""
        return ", ".join(value for key, value in self.fields if key.lower() == name.lower())

    def __repr__(self) -> str:
        return f"<{self.status} {self.fields} {len(self.body)} bytes {self.body[:60]!r}>"


class Closed(Exception):
    """The other side closed or reset the connection before a whole response was there."""


class Conversation:
    def __init__(self, host, address: str, port: int = 80, seconds: float = 5.0):
        self.socket = host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(seconds)
        self.socket.connect((address, port))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def say(self, text) -> "Conversation":
        self.socket.sendall(text.encode() if isinstance(text, str) else text)
        return self

    def half_close(self) -> None:
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError as error:  # reset by the other side already: what it said before is still to be read
            if error.errno != errno.ENOTCONN:
                raise

    def get(self, path: str, *fields: str, method: str = "GET") -> Response:
        lines = [f"{method} {path} HTTP/1.1", "Host: www.example.com", *fields, "", ""]
        self.say("\r\n".join(lines))
        return self.response(method)

    def _more(self) -> None:
        try:
            chunk = self.socket.recv(1 << 18)
        except ConnectionError as problem:
            raise Closed(str(problem)) from None
        if not chunk:
            raise Closed("closed")
        self.buffer += chunk

    def _take(self, count: int) -> bytes:
        chunks, have = [self.buffer], len(self.buffer)
        while have < count:
            self.buffer = b""
            self._more()
            chunks.append(self.buffer)
            have += len(self.buffer)
        whole = b"".join(chunks)
        self.buffer = whole[count:]
        return whole[:count]

    def _line(self) -> str:
        while b"\r\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode("latin-1")

    def _fields(self) -> list:
        fields = []
        while True:
            line = self._line()
            if not line:
                return fields
            name, value = line.split(":", 1)
            fields.append((name, value.strip()))

    def response(self, method: str = "GET") -> Response:
        """The next response, informational ones (1xx) included."""
        version, status, *_ = self._line().split(" ")
        assert version in ("HTTP/1.1", "HTTP/1.0"), version
        response = Response(int(status), self._fields(), b"")
        if method == "HEAD" or response.status < 200 or response.status in (204, 304):
            return response
        if response.field("Transfer-Encoding").lower() == "chunked":
            chunks = []
            while True:
                size = int(self._line().split(";")[0], 16)
                if size == 0:
                    break
                chunks.append(self._take(size))
                assert self._line() == "", "a chunk without its end"
            response.body = b"".join(chunks)
            response.trailers = self._fields()
        elif response.field("Content-Length"):
            response.body = self._take(int(response.field("Content-Length")))
        else:
            try:
                while True:
                    self._more()
            except Closed:
                response.body, self.buffer = self.buffer, b""
        return response

    def is_closed(self) -> bool:
        """Waits for the other side's close; false when bytes come instead or nothing happens."""
        try:
            self._more()
            return False
        except Closed:
            return True
        except socket.timeout:
            return False
