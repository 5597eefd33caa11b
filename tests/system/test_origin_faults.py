"""Origins that die, lie, babble or fall asleep: what the client sees is an error or a broken transfer, never a response
that looks whole and is not; and nobody else's response is touched."""

from __future__ import annotations

import time

from conversation import Closed, Conversation
from lab import Lab, can_connect, wait_for
from scripted_origin import ScriptedOrigin, says, says_and_resets, says_without_end
from testing import alone

PORT = 8090
MALFORMED_HEADS = [
    b"", b"\r\n", b"garbage\r\n\r\n", b"\0\0\0\0\r\n\r\n", b"<html>hello</html>", b"SSH-2.0-OpenSSH_9\r\n", b"\x15\x03\x01\x00\x02\x02\x28",
    b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 \r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 099 OK\r\n\r\n",
    b"HTTP/1.1 600 OK\r\n\r\n", b"HTTP/1.1 2x0 OK\r\n\r\n", b"HTTP/1.1 -20 OK\r\n\r\n", b"HTTP/1.1  200 OK\r\n\r\n",
    b"HTTP/2.0 200 OK\r\n\r\n", b"HTTP/0.9 200 OK\r\n\r\n", b"HTTP/11 200 OK\r\n\r\n", b"http/1.1 200 OK\r\n\r\n", b" HTTP/1.1 200 OK\r\n\r\n",
    b"ICY 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\n\n", b"HTTP/1.1 200 O\0K\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: a\nY: b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\rY: b\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", b"HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n: a\r\n\r\n", b"HTTP/1.1 200 OK\r\nX\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
]
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CUT_BODIES = [
    LENGTH, LENGTH + b"x", LENGTH + b"x" * 99, CHUNKED, CHUNKED + b"5", CHUNKED + b"5\r\n", CHUNKED + b"5\r\nabc",
    CHUNKED + b"5\r\nabcde", CHUNKED + b"5\r\nabcde\r\n", CHUNKED + b"5\r\nabcde\r\n0", CHUNKED + b"5\r\nabcde\r\n0\r\n",
    CHUNKED + b"5\r\nabcde\r\n0\r\nX: y\r\n", CHUNKED + b"5\r\nabcdeXX", CHUNKED + b"5\r\nabcde\r\nzz\r\n", CHUNKED + b"5\r\nabcde\n0\n\n",
    CHUNKED + b"fffffffffffffffff\r\n", CHUNKED + b"-5\r\nabcde\r\n0\r\n\r\n", CHUNKED + b"5;" + b"a" * 5000 + b"\r\nabcde\r\n0\r\n\r\n",
]


class Scene:
    """A proxy of one worker before a scripted origin."""

    def __init__(self, **timeouts):
        self.lab = Lab(origins=1)
        self.node = self.lab.a
        host = self.lab.origins[0]
        self.origin = ScriptedOrigin(host, host.address, PORT)
        settings = {**self.node.proxy_settings(), "workers": 1, "timeouts": timeouts}
        self.node.write_files(proxy=settings, site={"site": {
            "hosts": ["*"], "upstreams": [{"name": "o", "servers": [f"{host.address}:{PORT}"]}],
            "routes": [{"path": "/", "upstream": "o"}]}})
        self.node.start_proxy()
        wait_for("the proxy listens", lambda: can_connect(self.lab.client, self.node.front, 80), show=self.node.proxy.log)

    def connect(self, seconds: float = 10.0) -> Conversation:
        return Conversation(self.lab.client, self.node.front, 80, seconds)

    def get(self, path: str, seconds: float = 10.0):
        with self.connect(seconds) as client:
            return client.get(path)

    def check_well(self) -> None:
        """Others are served as if nothing had happened."""
        with self.connect() as client:
            for _ in range(3):
                response = client.get("/fine")
                assert response.status == 200 and response.body == b"ok", response


def is_cut(client: Conversation) -> bool:
    """No whole response comes."""
    try:
        client.response()
        return False
    except (Closed, ValueError):  # ValueError: a chunk line that broke off
        return True


def test_malformed_heads_are_502_and_none_of_their_bytes_are_passed_on(test):
    scene = Scene()
    wrong = []
    for index, text in enumerate(MALFORMED_HEADS):
        path = f"/malformed/{index}"
        scene.origin.scripts[path] = says(text)
        with scene.connect() as client:
            try:
                response = client.get(path)
            except Closed:
                wrong.append(f"{text!r}: no answer")
                continue
            if response.status != 502 or (text.strip() and text.strip() in response.body):
                wrong.append(f"{text!r}: {response}")
            elif response.field("Connection").lower() != "close" and client.get("/fine").body != b"ok":
                wrong.append(f"{text!r}: the next response on the connection is another one")
    test.note(f"{len(MALFORMED_HEADS)} malformed heads")
    assert not wrong, "\n".join(wrong)
    scene.check_well()


def test_bodies_that_break_off_break_the_clients_transfer(test):
    scene = Scene()
    wrong = []
    for index, text in enumerate(CUT_BODIES):
        for ending, script in (("an end", says(text)), ("a reset", says_and_resets(text))):
            path = f"/cut/{index}/{ending[-3:]}"
            scene.origin.scripts[path] = script
            with scene.connect() as client:
                client.say(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
                try:
                    response = client.response()
                    if response.status != 502:  # known before a byte was passed on
                        wrong.append(f"{text[-40:]!r} and {ending}: {response}")
                except (Closed, ValueError):
                    pass
    assert not wrong, "\n".join(wrong)
    scene.check_well()


def test_an_old_client_that_reads_to_the_end_sees_a_reset(test):
    """HTTP/1.0 has nothing but the close to tell the end of such a body, so a clean close would be a lie."""
    scene = Scene()
    for path, script in (("/chunks", says(CHUNKED + b"5\r\nabcde\r\n")), ("/reset", says_and_resets(CHUNKED + b"5\r\nabcde\r\n"))):
        scene.origin.scripts[path] = script
        with scene.connect() as client:
            client.say(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n")
            try:
                received = b""
                while chunk := client.socket.recv(1000):
                    received += chunk
                assert received.startswith(b"HTTP/1.1 502"), f"{path}: a cut body that ended cleanly: {received!r}"
            except ConnectionResetError:
                pass


def test_a_body_that_ends_with_the_connection_and_is_reset_is_cut(test):
    scene = Scene()
    scene.origin.scripts["/reset"] = says_and_resets(b"HTTP/1.1 200 OK\r\n\r\nabcde")
    with scene.connect() as client:
        client.say("GET /reset HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            assert client.response().status == 502
        except (Closed, ValueError):
            pass
    scene.origin.scripts["/end"] = says(b"HTTP/1.1 200 OK\r\n\r\nabcde")
    assert scene.get("/end").body == b"abcde"


def test_what_an_origin_says_too_much_reaches_nobody(test):
    scene = Scene()
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    whole = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", CHUNKED + b"2\r\nok\r\n0\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n",
             b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n"]

    def says_later(text: bytes):
        def script(connection) -> bool:
            connection.sendall(text)
            time.sleep(0.05)
            connection.sendall(evil)
            return True
        return script

    for index, text in enumerate(whole):
        for kind, script in (("at-once", says(text + evil, True)), ("later", says_later(text))):
            path = f"/more/{index}/{kind}"
            scene.origin.scripts[path] = script
            with scene.connect() as client:
                assert client.get(path).body in (b"ok", b""), f"{text!r} {kind}"
                if kind == "later":  # before the next request: behind it nobody could tell
                    time.sleep(0.2)
                for _ in range(2):
                    response = client.get("/fine")
                    assert response.status == 200 and response.body == b"ok", f"{text!r} {kind}: {response}"
    with scene.connect() as client:  # the body that a HEAD has not
        scene.origin.scripts["/head"] = says(b"HTTP/1.1 200 OK\r\nContent-Length: 46\r\n\r\n" + evil, True)
        assert client.get("/head", method="HEAD").status == 200
        assert client.get("/fine").body == b"ok"


@alone
def test_what_has_no_end_is_bounded(test):
    scene = Scene(body_idle="2s", response_head="2s")
    scene.check_well()
    endless = {
        "/fields": says_without_end(b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n"),
        "/field": says_without_end(b"HTTP/1.1 200 OK\r\nX: ", b"a" * 1000),
        "/line": says_without_end(b"HTTP/1.1 200 ", b"a" * 1000),
        "/bytes": says_without_end(b"", b"\xff" * 1000),
        "/interim": says_without_end(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        "/extension": says_without_end(CHUNKED + b"5;", b"a" * 1000),
        "/extensions": says_without_end(CHUNKED, b"1;" + b"a" * 200 + b"\r\nx\r\n"),
        "/trailers": says_without_end(CHUNKED + b"0\r\n", b"X-More: and more\r\n")}
    scene.origin.scripts.update(endless)
    for path in endless:
        with scene.connect(15) as client:
            client.say(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
            try:
                response = client.response()
                while response.status < 200:
                    response = client.response()
                assert response.status == 502, f"{path}: {response}"
            except (Closed, ValueError):
                pass
    wait_for("the origin is rid of them", lambda: scene.origin.open <= 1, 10, show=lambda: scene.origin.open)
    scene.check_well()


def test_resets_at_any_moment(test):
    scene = Scene()
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    for cut in range(0, len(whole), 3):
        scene.origin.scripts[f"/reset/{cut}"] = says_and_resets(whole[:cut])
        with scene.connect() as client:
            client.say(f"GET /reset/{cut} HTTP/1.1\r\nHost: x\r\n\r\n")
            try:
                assert client.response().status == 502, cut
            except Closed:
                pass
    scene.check_well()


def test_a_slow_origin_is_waited_for_and_one_that_falls_asleep_is_not(test):
    scene = Scene(body_idle="1s", response_head="1s")

    def dribbles(connection) -> bool:
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n":
            connection.sendall(bytes([byte]))
        for _ in range(10):  # longer than any limit, never idle for one
            time.sleep(0.2)
            connection.sendall(b"x")
        return True

    def sleeps(text: bytes):
        def script(connection) -> bool:
            connection.sendall(text)
            return bool(connection.recv(1))  # until the proxy closes
        return script

    scene.origin.scripts.update({"/dribbles": dribbles, "/silent": sleeps(b""), "/head": sleeps(b"HTTP/1.1 200 OK\r\nX: "),
                                 "/body": sleeps(LENGTH + b"x"), "/chunk": sleeps(CHUNKED + b"5\r\nab")})
    assert scene.get("/dribbles").body == b"x" * 10
    for path in ("/silent", "/head"):
        assert scene.get(path).status == 504, path
    for path in ("/body", "/chunk"):
        with scene.connect() as client:
            client.say(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
            assert is_cut(client), path
    wait_for("the origin is rid of them", lambda: scene.origin.open <= 1, 5, show=lambda: scene.origin.open)
    scene.check_well()


def test_a_client_that_disappears_frees_the_origin(test):
    scene = Scene()
    scene.origin.scripts["/endless"] = says_without_end(CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n")
    scene.check_well()
    for _ in range(5):
        with scene.connect() as client:
            client.say("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            client.socket.recv(100)
    with scene.connect() as client:  # in the middle of what it has to say
        client.say("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        time.sleep(0.2)
    wait_for("the origin is rid of them", lambda: scene.origin.open <= 1, 10, show=lambda: scene.origin.open)
    assert not any(path == "/upload" for _, path in scene.origin.requests), "half a body was passed off as a whole one"
    scene.check_well()
