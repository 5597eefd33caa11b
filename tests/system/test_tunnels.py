"""What passes through without being understood: WebSockets, tcp listeners, TLS by its name, and who the client was."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import websocket
from conversation import Conversation
from lab import Lab, body_of, can_connect, find_tool, wait_for
from testing import time_limit

SUPPORT = Path(__file__).resolve().parent.parent / "support"

# Answers what it has read, backwards, when the client has finished speaking; says "ready" first, as a mail server does.
REVERSER = r"""
import socketserver, sys
class Reverse(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(sys.argv[3].encode() + b" ready\n")
        got = b""
        while True:
            chunk = self.request.recv(1 << 18)
            if not chunk: break
            got += chunk
        self.request.sendall(got[::-1])
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
Server((sys.argv[1], int(sys.argv[2])), Reverse).serve_forever()
"""


class Tunnels:
    """lb-a's proxy; `servers` are programs on the origins: name -> (origin's number, port, argv after address and port)."""

    def __init__(self, upstreams: list, routes: list, site: dict = None, **settings):
        self.lab = Lab()
        self.node = self.lab.a
        self.address = self.node.front
        self.settings = {**self.node.proxy_settings(), **settings}
        self.site = {"site": {"hosts": ["*"], "upstreams": upstreams, "routes": routes, **(site or {})}}

    def serve(self, number: int, port: int, *argv: str) -> None:
        """Starts a program on an origin that listens there; $ADDRESS and $PORT in its arguments are filled in."""
        origin = self.lab.origins[number]
        filled = [part.replace("$ADDRESS", origin.address).replace("$PORT", str(port)) for part in argv]
        process = origin.start(f"server-{port}", filled)
        wait_for(f"{argv[0]} on {origin.name}", lambda: can_connect(origin, origin.address, port), show=process.log)

    def start(self) -> "Tunnels":
        self.node.write_files(proxy=self.settings, site=self.site)
        self.node.start_proxy()
        ports = [int(listener["address"].rsplit(":", 1)[1]) for listener in self.settings["listeners"]]
        wait_for("the proxy listens", lambda: can_connect(self.lab.client, self.address, ports[0]),
                 show=self.node.proxy.log)
        return self

    def connect(self, port: int = 80, seconds: float = 10.0) -> socket.socket:
        connection = self.lab.client.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.settimeout(seconds)
        connection.connect((self.address, port))
        return connection

    def log_lines(self) -> list:
        path = self.node.folder / "access.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def tunnels(self) -> dict:
        return self.node.proxy_status()["tunnels"]

    def metric(self, name: str) -> int:
        from lab import control
        _, text = control(self.node.proxy_socket, "GET", "/metrics")
        return sum(int(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def endpoint(lab: Lab, number: int, port: int) -> str:
    return f"{lab.origins[number].address}:{port}"


def read_all(connection: socket.socket) -> bytes:
    chunks = []
    while chunk := connection.recv(1 << 18):
        chunks.append(chunk)
    return b"".join(chunks)


# ---- WebSocket ------------------------------------------------------------------------------------


def chat(**settings) -> Tunnels:
    talk = Tunnels([], [{"path": "/", "upstream": "chat"}], **settings)
    talk.site["site"]["upstreams"] = [{"name": "chat", "servers": [endpoint(talk.lab, 0, 9001)]}]
    talk.serve(0, 9001, sys.executable, str(SUPPORT / "websocket.py"), "$ADDRESS", "$PORT")
    return talk.start()


def test_a_websocket_echoes_messages_of_every_size(test):
    talk = chat()
    with talk.connect() as connection:
        frames = websocket.upgrade(connection)
        assert frames.receive() == (websocket.TEXT, b"hello")
        for size in (0, 1, 64, 125, 126, 4000, 65535, 65536, 1 << 20, 3 << 20):
            payload = os.urandom(size)
            sending = threading.Thread(target=frames.send, args=(payload,))
            sending.start()
            assert frames.receive() == (websocket.TEXT, payload), size
            sending.join()
        assert talk.tunnels()["running"] == 1
        frames.send(b"\x03\xe8", websocket.CLOSE)
        assert frames.receive()[0] == websocket.CLOSE
        assert connection.recv(1) == b""
    wait_for("its line in the log", lambda: len(talk.log_lines()) == 1, 5, show=talk.log_lines)
    line = talk.log_lines()[0]
    assert line["status"] == 101 and line["request_bytes"] > 4 << 20 and line["response_bytes"] > 4 << 20, line
    assert talk.tunnels() == {"running": 0, "upgrades": 1, "tcp_connections": 0}, talk.tunnels()


def test_what_a_client_says_before_the_answer_is_not_lost(test):
    talk = chat()
    with talk.connect() as connection:
        early = websocket.Frames(connection, masks=True).frame(b"early bird")
        frames = websocket.upgrade(connection, early=early)
        assert frames.receive() == (websocket.TEXT, b"hello")
        assert frames.receive() == (websocket.TEXT, b"early bird")


def test_an_upgrade_that_is_not_allowed_is_a_plain_request(test):
    talk = chat(site={"upgrades": []})
    with talk.connect() as connection:
        try:
            websocket.upgrade(connection)
            raise AssertionError("it was upgraded")
        except ConnectionRefusedError as refusal:
            assert " 426 " in str(refusal), refusal


@time_limit(90)
def test_many_websockets_at_once_stay_apart(test):
    talk = chat()
    wrong = []

    def talk_for_a_while(number: int) -> None:
        try:
            with talk.connect(seconds=30) as connection:
                frames = websocket.upgrade(connection)
                frames.receive()
                for i in range(30):
                    payload = hashlib.sha256(f"{number}.{i}".encode()).digest() * (1 + (number * i) % 300)
                    frames.send(payload)
                    if frames.receive() != (websocket.TEXT, payload):
                        wrong.append((number, i))
        except Exception as problem:
            wrong.append((number, repr(problem)))

    threads = [threading.Thread(target=talk_for_a_while, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:5]
    wait_for("all of them have ended", lambda: talk.tunnels()["running"] == 0, 5, show=talk.tunnels)


def test_websockets_outlive_reloads_and_a_stop_gives_them_a_while(test):
    talk = chat(timeouts={"tunnel_drain": "2s", "stop": "20s"})
    with talk.connect() as connection:
        frames = websocket.upgrade(connection)
        frames.receive()
        for _ in range(3):
            talk.site["site"].setdefault("response_headers", {"set": []})["set"].append([f"X-{os.urandom(2).hex()}", "1"])
            talk.node.write_files(proxy=talk.settings, site=talk.site)
            code, text = talk.node.reload(talk.node.proxy_socket)
            assert code == 200, text
            frames.send(b"after a reload")
            assert frames.receive()[1] == b"after a reload"
        talk.node.proxy.signal(signal.SIGTERM)
        time.sleep(0.5)
        frames.send(b"last words")
        assert frames.receive()[1] == b"last words"
        started = time.monotonic()
        assert connection.recv(1) == b"", "the tunnel ends when its time is over"
        test.note(f"closed {time.monotonic() - started:.1f} s later")
    assert talk.node.proxy.wait(10) == 0


# ---- tcp listeners --------------------------------------------------------------------------------


def reversers(**service) -> Tunnels:
    talk = Tunnels([], [{"path": "/", "upstream": "origins"}])
    talk.site = talk.node.site_settings()
    for number in (0, 1):
        talk.serve(number, 9002, sys.executable, "-c", REVERSER, "$ADDRESS", "$PORT", f"server-{number}")
    talk.settings["tcp"] = [{"name": "reverse", "address": "0.0.0.0:5432",
                             "servers": [endpoint(talk.lab, 0, 9002), endpoint(talk.lab, 1, 9002)], **service}]
    return talk.start()


def test_a_tcp_listener_joins_client_and_server(test):
    talk = reversers()
    greetings = set()
    for size in (0, 1, 1000, 5_000_000):
        payload = os.urandom(size)
        with talk.connect(5432) as connection:
            greetings.add(connection.recv(15))
            connection.sendall(payload)
            connection.shutdown(socket.SHUT_WR)
            assert read_all(connection) == payload[::-1], size
    assert greetings == {b"server-0 ready\n", b"server-1 ready\n"}, greetings
    wait_for("their lines in the log", lambda: len(talk.log_lines()) == 4, 5, show=talk.log_lines)
    last = talk.log_lines()[-1]
    assert last["protocol"] == "TCP" and last["target"] == "reverse" and last["status"] == 200, last
    assert last["request_bytes"] == 5_000_000 and last["response_bytes"] == 5_000_015, last


def test_a_dead_server_costs_no_tcp_connection(test):
    talk = reversers()
    dead = talk.lab.origins[0]
    dead.run(["pkill", "-f", "server-0"])
    wait_for("it is gone", lambda: not can_connect(dead, dead.address, 9002), 5)
    for _ in range(6):
        with talk.connect(5432) as connection:
            assert connection.recv(14) == b"server-1 ready"


def test_a_tcp_listener_comes_and_goes_with_a_reload(test):
    talk = reversers()
    with talk.connect(5432) as running:
        running.recv(15)
        service = talk.settings.pop("tcp")
        talk.node.write_files(proxy=talk.settings, site=talk.site)
        code, text = talk.node.reload(talk.node.proxy_socket)
        assert code == 200, text
        wait_for("nobody listens there", lambda: not can_connect(talk.lab.client, talk.address, 5432), 5)
        running.sendall(b"abc")
        running.shutdown(socket.SHUT_WR)
        assert read_all(running) == b"cba", "a connection that runs is left alone"
    talk.settings["tcp"] = service
    talk.node.write_files(proxy=talk.settings, site=talk.site)
    assert talk.node.reload(talk.node.proxy_socket)[0] == 200
    wait_for("it is back", lambda: can_connect(talk.lab.client, talk.address, 5432), 5)


# ---- TLS that is not ours -------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple:
    openssl = find_tool("openssl", "openssl")
    key, cert = folder / f"{name}.key", folder / f"{name}.crt"
    subprocess.run([openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", f"/CN={name}", "-days", "2", "-keyout", str(key), "-out", str(cert)],
                   check=True, capture_output=True)
    return key, cert


def test_tls_goes_by_its_name_and_is_not_decrypted(test):
    talk = Tunnels([], [{"path": "/", "upstream": "origins"}])
    talk.site = talk.node.site_settings()
    openssl = find_tool("openssl", "openssl")
    for number, name in ((0, "a.example"), (1, "b.example")):
        key, cert = certificate(talk.lab.origins[number].folder, name)
        talk.serve(number, 9443, openssl, "s_server", "-accept", "$ADDRESS:$PORT", "-key", str(key), "-cert", str(cert),
                   "-www", "-quiet")
    talk.settings["tcp"] = [{
        "name": "tls", "address": "0.0.0.0:443",
        "upstreams": [{"name": "a", "servers": [endpoint(talk.lab, 0, 9443)]},
                      {"name": "b", "servers": [endpoint(talk.lab, 1, 9443)]}],
        "sni": [{"hosts": ["a.example"], "upstream": "a"}, {"hosts": ["*.b.example"], "upstream": "b"}]}]
    talk.start()

    def common_name(server_name: str) -> str:
        result = talk.lab.client.run([openssl, "s_client", "-connect", f"{talk.address}:443", "-servername", server_name],
                                     check=False, stdin=subprocess.DEVNULL)
        found = [line for line in result.stdout.splitlines() if line.strip().startswith("subject=")]
        return found[0].split("=")[-1].strip() if found else ""

    assert common_name("a.example") == "a.example"
    assert common_name("www.b.example") == "b.example"
    assert common_name("other.example") == "", "nobody takes this name"
    assert talk.metric("vipair_proxy_unknown_server_names_total") == 1
    with talk.connect(443) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        try:
            assert connection.recv(1) == b""
        except ConnectionResetError:
            pass
    assert talk.metric('vipair_proxy_bad_client_hellos_total{reason="not_tls"}') == 1


# ---- who the client was ---------------------------------------------------------------------------


def haproxy_in_front(talk: Tunnels, port: int, version: str) -> None:
    """On the client's host, so that the client's own address is what is told."""
    client = talk.lab.client
    config = client.folder / f"haproxy-{version}.cfg"
    config.write_text(f"""
global
  maxconn 100
defaults
  mode tcp
  timeout client 10s
  timeout server 10s
  timeout connect 5s
listen front
  bind 127.0.0.1:{port}
  server vipair {talk.address}:81 {version}
""")
    process = client.start(f"haproxy-{version}", [find_tool("haproxy", "haproxy"), "-db", "-f", str(config)])
    wait_for("haproxy listens", lambda: can_connect(client, "127.0.0.1", port), show=process.log)


def test_a_trusted_proxys_header_tells_who_the_client_is(test):
    talk = Tunnels([], [])
    talk.site = talk.node.site_settings()
    talk.settings["listeners"] = talk.settings["listeners"] + [{"address": "0.0.0.0:81", "proxy_protocol": True}]
    talk.settings["trusted_proxies"] = ["192.0.2.50"]
    talk.start()
    for port, version in ((7001, "send-proxy"), (7002, "send-proxy-v2"), (7003, "send-proxy-v2 proxy-v2-options crc32c")):
        haproxy_in_front(talk, port, version)
        with Conversation(talk.lab.client, "127.0.0.1", port) as client:
            response = client.get("/64k")
            assert response.body == body_of("64k")
            assert response.field("X-Seen-For") == "127.0.0.1", f"{version}: {response}"
    assert talk.metric("vipair_proxy_proxy_headers_total") >= 3
    with Conversation(talk.lab.client, talk.address, 81) as client:
        client.say("GET /1k HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.is_closed(), "without a header nobody is served"
    assert talk.metric('vipair_proxy_refused_proxy_headers_total{reason="no_header"}') == 1
    try:
        with Conversation(talk.node, talk.address, 81) as client:
            client.say("PROXY TCP4 6.6.6.6 192.0.2.100 1 80\r\nGET /1k HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.is_closed(), "its address is not trusted"
    except ConnectionError:
        pass  # it was reset before it could say a word
    assert talk.metric('vipair_proxy_refused_proxy_headers_total{reason="untrusted"}') == 1


def test_an_upstream_is_told_who_the_client_is(test):
    talk = Tunnels([], [])
    origin = talk.lab.origins[0]
    config = origin.folder / "proxied.conf"
    config.write_text(f"""
        daemon off; user root; worker_processes 1; pid {origin.folder}/proxied.pid; error_log {origin.folder}/proxied.log info;
        events {{ worker_connections 100; }}
        http {{
          access_log off; client_body_temp_path {origin.folder}/b; proxy_temp_path {origin.folder}/p;
          fastcgi_temp_path {origin.folder}/f; uwsgi_temp_path {origin.folder}/u; scgi_temp_path {origin.folder}/s;
          server {{ listen {origin.address}:9080 proxy_protocol;
            location / {{ return 200 "$proxy_protocol_addr $proxy_protocol_server_addr"; }} }} }}""")
    talk.serve(0, 9080, find_tool("nginx", "nginx-light"), "-p", str(origin.folder), "-e", str(origin.folder / "proxied.log"), "-c", str(config))
    target = endpoint(talk.lab, 0, 9080)
    talk.site = {"site": {"hosts": ["*"], "routes": [{"path": "/v1", "upstream": "v1"}, {"path": "/v2", "upstream": "v2"}],
                          "upstreams": [{"name": "v1", "servers": [target], "send_proxy_protocol": "v1"},
                                        {"name": "v2", "servers": [target], "send_proxy_protocol": "v2"}]}}
    talk.settings["tcp"] = [{"name": "raw", "address": "0.0.0.0:82", "servers": [target], "send_proxy_protocol": "v2"}]
    talk.start()
    wanted = f"192.0.2.50 {talk.address}".encode()
    with Conversation(talk.lab.client, talk.address) as client:
        for path in ("/v1", "/v2", "/v1"):
            assert client.get(path).body == wanted, path
    with Conversation(talk.lab.client, talk.address, 82) as client:
        assert client.get("/").body == wanted


# ---- long bodies ----------------------------------------------------------------------------------


@time_limit(90)
def test_long_bodies_arrive_whole_both_ways_at_once(test):
    """They go through pipes: every byte is checked, with fast and slow clients side by side."""
    talk = Tunnels([], [])
    talk.site = talk.node.site_settings()
    talk.start()
    wrong = []

    def download(number: int) -> None:
        try:
            with Conversation(talk.lab.client, talk.address, 80, 30) as client:
                for _ in range(5):
                    client.say("GET /1m HTTP/1.1\r\nHost: x\r\n\r\n")
                    if number % 3 == 0:
                        time.sleep(0.1)
                    if client.response().body != body_of("1m"):
                        wrong.append(number)
        except Exception as problem:
            wrong.append((number, repr(problem)))

    def upload(number: int) -> None:
        body = body_of("1m")[: (1 << 20) - number]
        try:
            with Conversation(talk.lab.client, talk.address, 80, 30) as client:
                for _ in range(3):
                    client.say(f"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n")
                    client.say(body)
                    if client.response("POST").body != body:
                        wrong.append(-number)
        except Exception as problem:
            wrong.append((-number, repr(problem)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 13) for work in (download, upload)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:5]
