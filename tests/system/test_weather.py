"""Rough weather: clients of every protocol at once while servers are killed, configurations and certificates change.

VIPAIR_SECONDS is how long it lasts (10). With VIPAIR_BIN naming a sanitizer's build, what it reports fails the test.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import sanitizer
import websocket
from conversation import Closed, Conversation
from lab import FILES, Lab, can_connect, control, find_tool, program, wait_for
from test_load import BODIES
from test_load import Client as Http1Client
from test_tls import Certificates
from testing import alone, time_limit

SECONDS = float(os.environ.get("VIPAIR_SECONDS", 10))
CHAT_PORT, H2_PORT = 9001, 9002
WEBSOCKET = str(Path(__file__).resolve().parent.parent / "support" / "websocket.py")


class Scene:
    """lb-a with everything on: plain and TLS listeners that speak HTTP/2 too, and a tcp listener; two origins of files
    over HTTP/1.1, below /h2 two over HTTP/2, below /chat two of chat."""

    def __init__(self):
        self.lab = Lab()
        self.node, self.client = self.lab.a, self.lab.client
        self.certificates = Certificates(self.client.folder)
        self.issued = self.certificates.issue("a", "DNS:a.test")
        self.chats, self.h2_origins = [None, None], [None, None]
        for number in (0, 1):
            self.start_chat(number)
            self.start_h2_origin(number)
        self.settings = self.node.proxy_settings()
        self.settings["listeners"] = [{"address": "0.0.0.0:80", "http2": True}, {"address": "0.0.0.0:443", "tls": True}]
        self.settings["tcp"] = [{"name": "raw", "address": "0.0.0.0:82", "servers": [o.endpoint for o in self.lab.origins]}]
        self.settings["timeouts"] = {"tunnel_drain": "1s"}
        (self.node.folder / "sticky.key").write_text("c4" * 32 + "\n")
        self.write(0)
        binary = program("vipair-proxyd")
        self.kind = sanitizer.kind_of(binary)
        self.node.proxy = self.node.start(
            "proxyd", [binary, "--config", str(self.node.proxy_conf)], environment=sanitizer.environment(self.node.folder),
            prepare=sanitizer.fix_layout if self.kind else None)
        wait_for("the proxy listens", lambda: can_connect(self.client, self.node.front, 443), 30, show=self.node.proxy.log)
        self.context = ssl.create_default_context(cafile=str(self.certificates.ca))

    def start_chat(self, number: int) -> None:
        origin = self.lab.origins[number]
        self.chats[number] = origin.start("chat", [sys.executable, WEBSOCKET, origin.address, str(CHAT_PORT)])

    def start_h2_origin(self, number: int) -> None:
        origin = self.lab.origins[number]
        self.h2_origins[number] = origin.start("nghttpd", [
            find_tool("nghttpd", "nghttp2-server"), "--no-tls", "--echo-upload", "-a", origin.address, "-d", str(origin.folder),
            str(H2_PORT)])

    def write(self, generation: int, extra: dict = None) -> None:
        site = self.node.site_settings()["site"]
        site.update(hosts=["*"], certificate=self.issued, compression={"enabled": True})
        site["response_headers"]["set"].append(["X-Generation", str(generation)])
        site["upstreams"][0]["sticky"] = {"cookie": "vipair_files", "secret_file": "../sticky.key"}
        site["upstreams"].append({"name": "chat", "balance": "least_connections",
                                  "servers": [f"{origin.address}:{CHAT_PORT}" for origin in self.lab.origins]})
        site["upstreams"].append({"name": "h2", "protocol": "h2",
                                  "servers": [f"{origin.address}:{H2_PORT}" for origin in self.lab.origins]})
        site["routes"] += [{"path": "/chat", "upstream": "chat"}, {"path": "/h2", "upstream": "h2", "rewrite_prefix": "/"}]
        site.update(extra or {})
        self.node.write_files(proxy=self.settings, site={"site": site})

    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.node.proxy.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def connect(self, port: int, seconds: float = 20.0) -> Conversation:
        if port == 443:
            return TlsConversation(self.context, self.client, self.node.front, 443, seconds)
        return Conversation(self.client, self.node.front, port, seconds)


class TlsConversation(Conversation):
    def __init__(self, context: ssl.SSLContext, *where):
        super().__init__(*where)
        self.socket = context.wrap_socket(self.socket, server_hostname="a.test")

    def say(self, text):
        try:
            return super().say(text)
        except ssl.SSLError as problem:  # an end in the middle
            raise Closed(str(problem)) from None

    def _more(self) -> None:
        try:
            super()._more()
        except ssl.SSLError as problem:
            raise Closed(str(problem)) from None


class Door:
    """What an Http1Client asks for connections."""

    def __init__(self, scene: Scene, port: int):
        self.connect = lambda seconds: scene.connect(port, seconds)


class CurlClient(threading.Thread):
    """HTTP/2 by curl: many downloads over one connection, or an upload. What curl calls complete must be right."""

    def __init__(self, scene: Scene, number: int, end: float):
        super().__init__(daemon=True)
        self._scene, self._end, self._random, self._is_tls = scene, end, random.Random(number), number != 0
        self._folder = scene.client.folder / f"curl-{number}"
        self._folder.mkdir()
        self.whole = self.refused = self.cut = 0
        self.problem = ""

    def run(self) -> None:
        try:
            while time.monotonic() < self._end and not self.problem:
                if self._random.random() < 0.3:
                    self._upload()
                else:
                    self._download()
        except Exception as problem:
            self.problem = f"curl: {type(problem).__name__}: {problem}"

    def _download(self) -> None:
        # curl 7.88 trips over its second request on a connection that was HTTP/2 from the start
        most = 12 if self._is_tls else 1
        names = [self._random.choice(list(FILES)) for _ in range(self._random.randrange(1, most + 1))]
        arguments, expected = ["-Z", "--parallel-max", "12"], {}
        for number, name in enumerate(names):
            path = self._folder / f"{number}"
            expected[str(path)] = BODIES[name]
            arguments += ["-o", str(path), f"{self._url()}/{name}"]
        if self._random.random() < 0.5:
            arguments.append("--compressed")
        self._run(arguments, expected)

    def _upload(self) -> None:
        body = self._random.randbytes(self._random.randrange(1, 400 << 10)).hex().encode()
        upload, answer = self._folder / "upload", self._folder / "answer"
        upload.write_bytes(body)
        length = [] if self._random.random() < 0.5 else ["-H", "Content-Length:"]
        self._run([*length, "--data-binary", f"@{upload}", "-o", str(answer), f"{self._url()}/echo"], {str(answer): body})

    def _url(self) -> str:
        return ("https://a.test" if self._is_tls else "http://a.test") + self._random.choice(("", "/h2"))

    def _run(self, arguments: list, expected: dict) -> None:
        front = self._scene.node.front
        for path in expected:
            Path(path).unlink(missing_ok=True)
        done = subprocess.run(
            [find_tool("curl", "curl"), "-s", "--max-time", "25", "--cacert", str(self._scene.certificates.ca), "--resolve",
             f"a.test:443:{front}", "--resolve", f"a.test:80:{front}", "--http2" if self._is_tls else "--http2-prior-knowledge",
             "-w", "%{exitcode} %{http_code} %{http_version} %{filename_effective}\\n", *arguments],
            preexec_fn=self._scene.client.enter, capture_output=True, text=True, timeout=60)
        for line in done.stdout.splitlines():
            code, status, version, path = line.split(" ", 3)
            if code == "28":
                self.problem = f"curl waited in vain: {line}"
            elif code != "0":
                self.cut += 1
            elif status in ("502", "503", "504"):
                self.refused += 1
            elif status != "200" or version != "2":
                self.problem = f"curl: {line}"
            elif digest(Path(path).read_bytes()) != digest(expected[path]):
                self.problem = f"curl: {line}: another body than was asked for"
            else:
                self.whole += 1


class ChatClient(threading.Thread):
    """WebSockets whose every message must come back."""

    def __init__(self, scene: Scene, number: int, end: float):
        super().__init__(daemon=True)
        self._scene, self._end, self._random, self._port = scene, end, random.Random(number), (80, 443)[number % 2]
        self.whole = self.refused = self.cut = 0
        self.problem = ""

    def run(self) -> None:
        try:
            while time.monotonic() < self._end and not self.problem:
                try:
                    with self._scene.connect(self._port) as connection:
                        self._talk(connection.socket)
                except ConnectionRefusedError:  # another answer than 101
                    self.refused += 1
                except socket.timeout:
                    self.problem = "a WebSocket fell silent"
                except (EOFError, ConnectionError, ssl.SSLError):
                    self.cut += 1
        except Exception as problem:
            self.problem = f"WebSocket: {type(problem).__name__}: {problem}"

    def _talk(self, connection) -> None:
        frames = websocket.upgrade(connection, path="/chat", host="a.test")
        assert frames.receive() == (websocket.TEXT, b"hello")
        for _ in range(self._random.randrange(1, 60)):
            if time.monotonic() > self._end:
                break
            message = self._random.randbytes(self._random.choice((5, 200, 5000, 60000)))
            frames.send(message)
            if frames.receive() != (websocket.TEXT, message):
                self.problem = "a WebSocket brought another message back"
                return
            self.whole += 1
        frames.send(b"\x03\xe8", websocket.CLOSE)
        frames.receive()


def digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


class Weather:
    """What goes wrong, and how often it did."""

    def __init__(self, scene: Scene):
        self._scene, self._random = scene, random.Random(8)
        self.count = {}

    def strike(self) -> None:
        kind = self._random.choice(("kill_files", "kill_files", "kill_chat", "kill_h2", "reload", "reload", "bad_reload", "renew"))
        getattr(self, "_" + kind)()
        self.count[kind] = self.count.get(kind, 0) + 1

    def _kill_files(self) -> None:
        origin = self._random.choice(self._scene.lab.origins)
        origin.kill_nginx()
        time.sleep(self._random.uniform(0, 0.2))
        origin.start_nginx()

    def _kill_chat(self) -> None:
        number = self._random.randrange(2)
        self._scene.chats[number].kill()
        self._scene.chats[number].wait_gone()
        self._scene.start_chat(number)

    def _kill_h2(self) -> None:
        number = self._random.randrange(2)
        self._scene.h2_origins[number].kill()
        self._scene.h2_origins[number].wait_gone()
        self._scene.start_h2_origin(number)

    def _reload(self) -> None:
        self._scene.write(sum(self.count.values()))
        code, text = self._scene.node.reload(self._scene.node.proxy_socket)
        assert code == 200, text

    def _bad_reload(self) -> None:
        self._scene.write(0, {"routes": [{"path": "/", "upstream": "nowhere"}]})
        code, text = self._scene.node.reload(self._scene.node.proxy_socket)
        assert code == 422 and "nowhere" in text, (code, text)
        self._scene.write(0)

    def _renew(self) -> None:
        self._scene.certificates.issue("a", "DNS:a.test")


@alone
@time_limit(SECONDS + 150)
def test_every_protocol_through_kills_and_reloads(test):
    scene = Scene()
    resident = scene.resident_bytes()
    weather = Weather(scene)
    end = time.monotonic() + SECONDS
    groups = {"HTTP/1.1": [Http1Client(Door(scene, 80), number, end) for number in range(3)],
              "HTTP/1.1 over TLS": [Http1Client(Door(scene, 443), number, end) for number in range(3, 5)],
              "through a tcp listener": [Http1Client(Door(scene, 82), 5, end)],
              "HTTP/2": [CurlClient(scene, number, end) for number in range(3)],
              "WebSocket": [ChatClient(scene, number, end) for number in range(4)]}
    clients = [client for group in groups.values() for client in group]
    for client in clients:
        client.start()
    numbers = random.Random(9)
    while time.monotonic() < end and not any(client.problem for client in clients):
        time.sleep(numbers.uniform(0.05, 0.4))
        weather.strike()
    for client in clients:
        client.join(70)
        assert not client.is_alive(), f"a {type(client).__name__} got no answer at all"
    test.note(f"{SECONDS:g} s" + (f", {scene.kind} sanitizer" if scene.kind else "") + ": " +
              ", ".join(f"{count} × {what}" for what, count in sorted(weather.count.items())))
    for name, group in groups.items():
        whole, refused, cut = (sum(getattr(client, what) for client in group) for what in ("whole", "refused", "cut"))
        test.note(f"{name}: {whole} whole, {refused} refused, {cut} cut")
        problems = [client.problem for client in group if client.problem]
        assert not problems, f"{name}: " + "\n".join(problems)
        assert whole > 10 and refused + cut < whole, f"{name}: hardly anything was served"
    node = scene.node
    assert node.proxy.is_running, "the proxy died"

    def is_well() -> bool:
        with scene.connect(80) as client:
            return all(client.get("/64k").body == BODIES["64k"] for _ in range(6))

    wait_for("all is well again", is_well, 30)
    wait_for("no tunnel is left", lambda: node.proxy_status()["tunnels"]["running"] == 0, 30, show=node.proxy_status)
    test.note(f"at the end {len(os.listdir(f'/proc/{node.proxy.pid}/fd'))} descriptors, "
              f"{(scene.resident_bytes() - resident) >> 10} KiB more memory")
    assert control(node.proxy_socket, "GET", "/metrics")[0] == 200
    status = node.proxy.stop(60)
    found = sanitizer.reports(node.folder)
    assert not found, found
    assert status == 0, f"it ended with {status}"
