"""The proxy alone before real nginx origins: what it serves, refuses, logs, and how it stops."""

from __future__ import annotations

import json
import re
import signal
import socket
import struct
import time
from pathlib import Path

from conversation import Closed, Conversation
from lab import Lab, body_of, can_connect, libconfig_file, wait_for
from scripted_origin import ScriptedOrigin
from testing import alone, time_limit


class Proxy:
    """lb-a with a proxy and no agent; the client talks to the node's own address."""

    def __init__(self, site: dict = None, **settings):
        self.lab = Lab()
        self.node = self.lab.a
        self.address = self.node.front
        self.settings = {**self.node.proxy_settings(), **settings}
        self.node.write_files(proxy=self.settings, site=site(self.node) if callable(site) else site)
        self.node.start_proxy()
        wait_for("the proxy listens", lambda: can_connect(self.lab.client, self.address, 80),
                 show=self.node.proxy.log)

    def connect(self, seconds: float = 5.0) -> Conversation:
        return Conversation(self.lab.client, self.address, 80, seconds)

    def get(self, path: str = "/1k", *fields: str):
        with self.connect() as client:
            return client.get(path, *fields)

    def access_log(self) -> str:
        path = self.node.folder / "access.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def resident_bytes(self) -> int:
        text = Path(f"/proc/{self.node.proxy.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1)) * 1024


# ---- messages -------------------------------------------------------------------------------------


def test_files_arrive_whole_from_both_origins(test):
    proxy = Proxy()
    origins = set()
    with proxy.connect() as client:
        for name in ("1k", "16k", "64k", "1m") * 2:
            response = client.get(f"/{name}")
            assert response.status == 200 and response.body == body_of(name), response
            origins.add(response.field("X-Origin"))
            assert response.field("X-Served-By") == "lb-a" and response.field("Via"), response
    assert origins == {"origin-1", "origin-2"}, origins


def test_head_says_the_length_and_sends_no_body(test):
    with Proxy().connect() as client:
        response = client.get("/64k", method="HEAD")
        assert response.status == 200 and response.field("Content-Length") == "65536", response
        assert client.get("/1k").body == body_of("1k")  # nothing of a body stood between them


def test_pipelined_requests_are_answered_in_order(test):
    with Proxy().connect() as client:
        names = ["1k", "64k", "16k", "1k", "1m", "1k"]
        client.say("".join(f"GET /{name} HTTP/1.1\r\nHost: x\r\n\r\n" for name in names))
        for name in names:
            assert client.response().body == body_of(name)


def test_a_request_that_comes_byte_by_byte(test):
    with Proxy().connect() as client:
        for byte in b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n":
            client.say(bytes([byte]))
            time.sleep(0.001)
        assert client.response("POST").body == b"abcdefgh"


def test_http_1_0_clients(test):
    proxy = Proxy()
    with proxy.connect() as client:
        client.say("GET /echo HTTP/1.0\r\nHost: x\r\n\r\n")
        response = client.response()
        assert response.status == 200 and not response.field("Transfer-Encoding"), response
        assert client.is_closed()
    with proxy.connect() as client:
        client.say("GET /1k HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n")
        response = client.response()
        assert response.body == body_of("1k") and "keep-alive" in response.field("Connection").lower(), response
        client.say("GET /16k HTTP/1.0\r\nHost: x\r\n\r\n")
        assert client.response().body == body_of("16k")
        assert client.is_closed()


def test_a_clients_half_close_still_gets_its_response(test):
    with Proxy().connect() as client:
        client.say("GET /1m HTTP/1.1\r\nHost: x\r\n\r\n")
        client.half_close()
        assert client.response().body == body_of("1m")
        assert client.is_closed()


def test_expect_100_continue(test):
    with Proxy().connect() as client:
        client.say("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert client.response().status == 100
        client.say("hello")
        response = client.response("POST")
        assert response.status == 200 and response.body == b"hello", response


def test_what_the_upstream_sees(test):
    proxy = Proxy()
    response = proxy.get("/1k", "X-Forwarded-For: 6.6.6.6", "X_Forwarded_For: 6.6.6.6")
    assert response.field("X-Seen-For") == "192.0.2.50", "an untrusted client's X-Forwarded-For was passed on"
    assert response.field("X-Seen-Host") == "www.example.com", response


def test_ambiguous_messages_are_refused_and_the_connection_closed(test):
    proxy = Proxy()
    host = "Host: x\r\n"
    for what, request in [
            ("both framings", f"POST /echo HTTP/1.1\r\n{host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            ("two lengths", f"POST /echo HTTP/1.1\r\n{host}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
            ("a listed length", f"POST /echo HTTP/1.1\r\n{host}Content-Length: 3, 3\r\n\r\nabc"),
            ("a signed length", f"POST /echo HTTP/1.1\r\n{host}Content-Length: +3\r\n\r\nabc"),
            ("chunked is not final", f"POST /echo HTTP/1.1\r\n{host}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
            ("a space before the colon", f"GET /1k HTTP/1.1\r\n{host}X-A : b\r\n\r\n"),
            ("a folded line", f"GET /1k HTTP/1.1\r\n{host}X-A: b\r\n c\r\n\r\n"),
            ("a bare LF", f"GET /1k HTTP/1.1\n{host}\r\n"),
            ("no Host", "GET /1k HTTP/1.1\r\n\r\n"),
            ("two Hosts", "GET /1k HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
            ("a NUL", f"GET /1k HTTP/1.1\r\n{host}X-A: \0\r\n\r\n"),
            ("a wrong chunk size", f"POST /echo HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"),
            ("chunked in HTTP/1.0", f"POST /echo HTTP/1.0\r\n{host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]:
        with proxy.connect() as client:
            client.say(request)
            response = client.response()
            assert response.status == 400, f"{what}: {response}"
            assert client.is_closed(), f"{what}: the connection was not closed"
    assert proxy.get().status == 200


def test_connect_and_unknown_hosts(test):
    lab_site = {"site": {
        "hosts": ["known.example.com", "*.wild.example.com"],
        "upstreams": [{"name": "o", "servers": ["198.51.100.21:8080"]}],
        "routes": [{"path": "/", "upstream": "o"}]}}
    proxy = Proxy(site=lab_site)
    for host, status in [("known.example.com", 200), ("KNOWN.example.com:80", 200), ("a.wild.example.com", 200),
                         ("unknown.example.com", 404), ("wild.example.com.", 404)]:
        with proxy.connect() as client:
            client.say(f"GET /1k HTTP/1.1\r\nHost: {host}\r\n\r\n")
            assert client.response().status == status, host
    with proxy.connect() as client:
        client.say("CONNECT known.example.com:443 HTTP/1.1\r\nHost: known.example.com:443\r\n\r\n")
        assert client.response().status == 405


def test_limits(test):
    proxy = Proxy(limits={"request_head": "4KiB", "request_target": "1KiB", "request_fields": 20,
                          "request_body": "10KiB"},
                  timeouts={"request_head": "500ms", "keep_alive": "700ms", "body_idle": "600ms"})
    with proxy.connect() as client:
        assert client.get("/1k", "X-Long: " + "a" * 5000).status == 431
    with proxy.connect() as client:
        assert client.get("/1k", *[f"X-{i}: 1" for i in range(30)]).status == 431
    with proxy.connect() as client:
        assert client.get("/" + "a" * 2000).status == 414
    with proxy.connect() as client:
        client.say("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n")
        assert client.response("POST").status == 413
    with proxy.connect() as client:
        client.say("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(20):
                client.say("400\r\n" + "a" * 1024 + "\r\n")
            client.say("0\r\n\r\n")
        except OSError:
            pass
        assert client.response("POST").status == 413
    with proxy.connect() as client:
        client.say("GET /1k HTTP/1.1\r\nHost: x\r\n")  # and never the end
        assert client.response().status == 408
        assert client.is_closed()
    with proxy.connect() as client:
        client.get("/1k")
        began = time.monotonic()
        assert client.is_closed(), "an idle connection was kept for ever"
        assert time.monotonic() - began > 0.4
    with proxy.connect() as client:
        client.say("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")  # and never the rest
        try:
            assert client.response("POST").status in (408, 502, 504)
        except Closed:
            pass
    assert proxy.get().status == 200


# ---- upstreams ------------------------------------------------------------------------------------


def test_a_server_that_is_down_costs_no_request(test):
    proxy = Proxy()
    proxy.lab.origins[0].stop_nginx()
    with proxy.connect() as client:
        for _ in range(50):
            response = client.get("/1k")
            assert response.status == 200 and response.field("X-Origin") == "origin-2", response
    proxy.lab.origins[0].start_nginx()
    with proxy.connect() as client:
        wait_for("the server that is back gets requests",
                 lambda: client.get("/1k").field("X-Origin") == "origin-1", 10, interval=0.05)


def test_all_servers_down_is_502_with_a_clear_text_and_a_line_in_status(test):
    proxy = Proxy()
    for origin in proxy.lab.origins:
        origin.stop_nginx()
    response = proxy.get()
    test.note(f"{response.status} {response.body[:200]!r}")
    assert response.status in (502, 503) and response.body, response
    for origin in proxy.lab.origins:
        origin.start_nginx()
    wait_for("requests are answered again", lambda: proxy.get().status == 200, 10, interval=0.05)


def test_an_upstream_that_does_not_answer_is_504_in_time(test):
    proxy = Proxy(timeouts={"response_head": "400ms", "connect": "300ms"})
    for origin in proxy.lab.origins:
        for pid in [origin.nginx.pid, *origin.nginx.children()]:
            origin.run(["kill", "-STOP", str(pid)])
    began = time.monotonic()
    response = proxy.get()
    assert response.status == 504, response
    assert time.monotonic() - began < 3
    for origin in proxy.lab.origins:
        for pid in [origin.nginx.pid, *origin.nginx.children()]:
            origin.run(["kill", "-CONT", str(pid)])
    wait_for("requests are answered again", lambda: proxy.get().status == 200, 10, interval=0.05)


def test_an_upstream_that_cannot_be_reached_is_504_in_time(test):
    proxy = Proxy(timeouts={"connect": "300ms"})
    for origin in proxy.lab.origins:
        origin.cable("eth0", False)
    began = time.monotonic()
    response = proxy.get()
    assert response.status in (502, 504), response
    assert time.monotonic() - began < 3


def test_an_upstream_that_dies_in_the_body_aborts_the_clients_transfer(test):
    proxy = Proxy()
    proxy.lab.origins[1].stop_nginx()
    with proxy.connect() as client:
        client.say("GET /slow/1m HTTP/1.1\r\nHost: x\r\n\r\n")
        client.socket.recv(1000)
        proxy.lab.origins[0].nginx.kill()
        try:
            response = client.response()
            raise AssertionError(f"a cut body ended as if it were whole: {response}")
        except Closed:
            pass
        except (ValueError, AssertionError) as problem:
            if "as if it were whole" in str(problem):
                raise


@alone
def test_a_client_that_does_not_read_costs_no_memory(test):
    proxy = Proxy()
    (proxy.lab.origins[0].folder / "huge").write_bytes(bytes(64 << 20))
    (proxy.lab.origins[1].folder / "huge").write_bytes(bytes(64 << 20))
    proxy.get()
    before = proxy.resident_bytes()
    clients = [proxy.connect() for _ in range(20)]
    for client in clients:
        client.say("GET /huge HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(1.5)
    grown = proxy.resident_bytes() - before
    test.note(f"20 stalled downloads of 64 MiB: {grown >> 10} KiB more")
    assert grown < 16 << 20, f"{grown >> 10} KiB for 20 stalled downloads"
    taken = clients[0].response()
    assert len(taken.body) == 64 << 20
    for client in clients:
        client.socket.close()


# ---- log and control ------------------------------------------------------------------------------


def test_the_json_access_log_has_a_line_per_request_and_cannot_be_forged(test):
    proxy = Proxy()
    with proxy.connect() as client:
        client.get("/1k", 'User-Agent: "quoted" \\ agent', "Referer: http://r/")
        client.get("/16k")
        client.get("/nothing-here")
    wait_for("three lines", lambda: len(proxy.access_log().splitlines()) == 3, 5, show=proxy.access_log)
    lines = [json.loads(line) for line in proxy.access_log().splitlines()]
    test.note(proxy.access_log().splitlines()[0])
    assert [line["status"] for line in lines] == [200, 200, 404], lines
    text = json.dumps(lines[0])
    assert "192.0.2.50" in text and "/1k" in text and "quoted" in text and "198.51.100.2" in text, lines[0]


def test_a_request_can_be_followed(test):
    """Its identifier is the same for the client, the origin and the log; the context of a trace passes unchanged."""
    def site(node) -> dict:
        site = node.site_settings()
        site["site"]["upstreams"][0]["servers"] = ["127.0.0.1:9003"]
        site["site"]["response_headers"] = {"set": [["X-Id", "${request_id}"]]}
        return site

    proxy = Proxy(site=site, listeners=[{"address": "0.0.0.0:80", "http2": True}], trusted_proxies=["192.0.2.50"])
    origin = ScriptedOrigin(proxy.node, "127.0.0.1", 9003)
    context = ["traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate: a=1,b=2"]
    for version in ("--http1.1", "--http2-prior-knowledge"):
        head = proxy.lab.client.run(["curl", "-s", "-D", "-", "-o", "/dev/null", version, "-H", context[0], "-H", context[1],
                                     f"http://{proxy.address}/"]).stdout
        seen = origin.heads[-1].decode().split("\r\n")
        assert set(context) <= set(seen), seen
        identifier = re.search(r"(?i)^x-id: (\w+)", head, re.M)[1]
        assert f"x-request-id: {identifier}" in [line.lower() for line in seen], seen
        wait_for("the log", lambda: f'"request_id":"{identifier}"' in proxy.access_log(), show=proxy.access_log)
    proxy.get("/", "X-Request-ID: of-the-proxy-before-us", "X-Forwarded-For: 203.0.113.9")
    assert b"X-Request-ID: of-the-proxy-before-us" in origin.heads[-1], origin.heads[-1]
    wait_for("the log", lambda: '"request_id":"of-the-proxy-before-us"' in proxy.access_log(), show=proxy.access_log)
    assert '"client":"203.0.113.9",' in proxy.access_log(), proxy.access_log()
    settings = {**proxy.settings, "access_log": {"path": str(proxy.node.folder / "access.log"), "format": "custom",
                                                 "template": "id=${request_id} client=${client_address}:${client_port}"}}
    proxy.node.proxy_conf.write_text(libconfig_file(settings))
    assert proxy.node.reload(proxy.node.proxy_socket)[0] == 200
    proxy.get("/", "X-Request-ID: another", "X-Forwarded-For: 203.0.113.9")
    wait_for("the log", lambda: "id=another client=203.0.113.9:-\n" in proxy.access_log(), show=proxy.access_log)


def test_the_combined_access_log_and_its_rotation(test):
    proxy = Proxy()
    settings = {**proxy.settings, "access_log": {"path": str(proxy.node.folder / "access.log"), "format": "combined"}}
    proxy.node.proxy_conf.write_text(libconfig_file(settings))
    assert proxy.node.reload(proxy.node.proxy_socket)[0] == 200
    proxy.get("/1k", "User-Agent: tester")
    pattern = (r'^192\.0\.2\.50 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /1k HTTP/1\.1" 200 1024 '
               r'"-" "tester"')
    wait_for("a line in combined format", lambda: re.search(pattern, proxy.access_log(), re.M), 5,
             show=proxy.access_log)
    moved = proxy.node.folder / "access.log.1"
    (proxy.node.folder / "access.log").rename(moved)
    proxy.node.proxy.signal(signal.SIGUSR1)
    wait_for("a new file", lambda: (proxy.node.folder / "access.log").exists(), 5, show=proxy.node.proxy.log)
    size = moved.stat().st_size
    proxy.get("/16k")
    wait_for("a line in the new file", lambda: "/16k" in proxy.access_log(), 5, show=proxy.access_log)
    assert moved.stat().st_size == size


def test_without_an_agent_it_serves_and_says_so(test):
    proxy = Proxy()
    assert proxy.get().status == 200
    wait_for("a warning about the agent", lambda: "gate" in proxy.node.proxy.log(), 5, show=proxy.node.proxy.log)
    assert proxy.get().field("Connection").lower() != "close"


# ---- stop and reload ------------------------------------------------------------------------------


def test_a_graceful_stop_finishes_what_runs_and_refuses_what_is_new(test):
    proxy = Proxy()
    with proxy.connect(seconds=20) as slow, proxy.connect() as idle:
        slow.say("GET /slow/64k HTTP/1.1\r\nHost: x\r\n\r\n")  # 64 KiB at 20 KiB/s
        slow.socket.recv(10, socket.MSG_PEEK)
        idle.get("/1k")
        proxy.node.proxy.signal(signal.SIGTERM)
        wait_for("new connections are refused", lambda: not can_connect(proxy.lab.client, proxy.address, 80), 5)
        assert slow.response().body == body_of("64k"), "a running download was cut"
    assert proxy.node.proxy.wait(10) == 0


def test_a_second_signal_stops_at_once(test):
    proxy = Proxy()
    with proxy.connect() as slow:
        slow.say("GET /slow/1m HTTP/1.1\r\nHost: x\r\n\r\n")
        slow.socket.recv(10, socket.MSG_PEEK)
        proxy.node.proxy.signal(signal.SIGTERM)
        time.sleep(0.3)
        assert proxy.node.proxy.is_running, "it did not wait for the running download"
        proxy.node.proxy.signal(signal.SIGTERM)
        proxy.node.proxy.wait(3)


def test_running_downloads_and_idle_connections_survive_reloads(test):
    proxy = Proxy()
    with proxy.connect(seconds=20) as slow, proxy.connect() as kept:
        slow.say("GET /slow/64k HTTP/1.1\r\nHost: x\r\n\r\n")
        kept.get("/1k")
        for generation in range(5):
            site = proxy.node.site_settings()
            site["site"]["response_headers"]["set"].append(["X-Generation", str(generation)])
            proxy.node.write_files(proxy=proxy.settings, site=site)
            code, text = proxy.node.reload(proxy.node.proxy_socket)
            assert code == 200, text
            wait_for(f"generation {generation} on the kept connection",
                     lambda: kept.get("/1k").field("X-Generation") == str(generation), 3)
        assert slow.response().body == body_of("64k")


def test_a_port_that_is_taken_is_a_refused_reload(test):
    proxy = Proxy()
    blocker = proxy.node.socket(socket.AF_INET, socket.SOCK_STREAM)
    blocker.bind(("0.0.0.0", 8081))
    blocker.listen()
    settings = {**proxy.settings, "listeners": proxy.settings["listeners"] + [{"address": "0.0.0.0:8081"}]}
    proxy.node.write_files(proxy=settings)
    code, text = proxy.node.reload(proxy.node.proxy_socket)
    assert code == 422 and "8081" in text, f"{code} {text}"
    assert proxy.get().status == 200
    blocker.close()
    code, text = proxy.node.reload(proxy.node.proxy_socket)
    assert code == 200, text
    wait_for("the new listener", lambda: can_connect(proxy.lab.client, proxy.address, 8081), 3)


@alone
@time_limit(90)
def test_clients_that_reset_at_any_moment_leave_nothing_open(test):
    proxy = Proxy()

    def open_files() -> int:
        return len(list(Path(f"/proc/{proxy.node.proxy.pid}/fd").iterdir()))

    proxy.get()
    before = open_files()
    request = b"GET /1m HTTP/1.1\r\nHost: x\r\n\r\n"
    for i in range(300):
        with proxy.connect() as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.say(request[:i % (len(request) + 1)])
            if i % 3 == 0:
                client.socket.settimeout(0.005)
                try:
                    client.socket.recv(1000)
                except OSError:
                    pass
    # kept connections to the origins stay: at most the pool
    wait_for("all of them are closed", lambda: open_files() <= before + 8, 10, show=open_files)
    assert proxy.get().status == 200
