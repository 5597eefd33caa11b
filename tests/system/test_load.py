"""The proxy with more clients than it likes, without the disk, without descriptors, and with servers that come and go
under a load whose every byte is checked."""

from __future__ import annotations

import hashlib
import os
import random
import re
import resource
import threading
import time
from pathlib import Path

import sandbox
from conversation import Closed, Conversation
from lab import FILES, Lab, Meter, body_of, can_connect, control, program, wait_for
from testing import time_limit

ALONE = True  # everything here loads the machine or asserts on times

IDLE_CLIENTS = 10_000
IDLE_BYTES = 1536           # of the proxy's memory for an idle connection
SLOW_CLIENTS = 20_000
SLOW_BYTES = 24 * 1024      # for a connection in the middle of a request: the buffer of a head, and change
OPEN_FILES = 65536
CROWD_MIN = 2000
LOAD_SECONDS = float(os.environ.get("VIPAIR_SECONDS", 10))
LOAD_CLIENTS = 8


class Scene:
    """A proxy before the laboratory's nginx origins."""

    def __init__(self, prepare=None, **settings):
        self.lab = Lab()
        self.node = self.lab.a
        self.settings = {**self.node.proxy_settings(), **settings}
        self.node.write_files(proxy=self.settings)
        self.node.start_proxy(prepare)
        wait_for("the proxy listens", lambda: can_connect(self.lab.client, self.node.front, 80), show=self.node.proxy.log)

    @property
    def pid(self) -> int:
        return self.node.proxy.pid

    def connect(self, seconds: float = 10.0) -> Conversation:
        return Conversation(self.lab.client, self.node.front, 80, seconds)

    def get(self, path: str = "/1k"):
        with self.connect() as client:
            return client.get(path)

    def metric(self, name: str) -> float:
        text = control(self.node.proxy_socket, "GET", "/metrics")[1]
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
        assert found, f"no metric {name}"
        return float(found[1])

    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def crowd(self, count: int, kind: str) -> Meter:
        return Meter(self.lab.client, "crowd", [program("bench/crowd"), self.node.front, "80", str(count), kind])


def crowd_of(wanted: int) -> int:
    """So many clients, or as many as the limit of open files lets a proxy serve: it keeps a descriptor for each one's
    upstream. Raises the limit for this process and what it starts, if it may."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if files < OPEN_FILES:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
            files = OPEN_FILES
        except (ValueError, OSError):
            pass
    count = min(wanted, (files - 1000) // 2)
    if count < CROWD_MIN:
        raise sandbox.Skip(f"the limit of open files is {files}, which makes no crowd")
    return count


# ---- crowds ---------------------------------------------------------------------------------------


@time_limit(120)
def test_memory_of_an_idle_connection(test):
    count = crowd_of(IDLE_CLIENTS)
    scene = Scene(workers=1)
    scene.get()
    before = scene.resident_bytes()
    crowd = scene.crowd(count, "idle")
    wait_for("all are answered", lambda: crowd.lap()["answered"] == count, 60, show=crowd.lap, interval=0.1)
    each = (scene.resident_bytes() - before) / count
    test.note(f"{count} idle connections: {each:.0f} bytes each (bound {IDLE_BYTES})")
    assert each < IDLE_BYTES
    assert scene.get().body == body_of("1k")
    assert crowd.finish()["closed"] == 0


@time_limit(180)
def test_twenty_thousand_slow_clients(test):
    """Each sends a request for ever, byte by byte. Meanwhile others are served; in the end the slow ones are refused."""
    count = crowd_of(SLOW_CLIENTS)
    scene = Scene(workers=1, timeouts={"request_head": "15s"})
    scene.get()
    before = scene.resident_bytes()
    crowd = scene.crowd(count, "slow")
    slowest, most, open_most = 0.0, 0, 0

    def all_refused() -> bool:
        nonlocal slowest, most, open_most
        began = time.monotonic()
        assert scene.get().body == body_of("1k")
        slowest = max(slowest, time.monotonic() - began)
        most = max(most, scene.resident_bytes() - before)
        lap = crowd.lap()
        open_most = max(open_most, lap["open"])
        assert lap["failed"] == 0, lap
        return lap["closed"] == count

    wait_for("all are refused", all_refused, 120, show=crowd.lap, interval=0.1)
    lap = crowd.finish()
    each = most / open_most
    test.note(f"at most {open_most} slow clients at once, {each:.0f} bytes each (bound {SLOW_BYTES}); the slowest of "
              f"the requests of others took {slowest * 1000:.0f} ms; {lap['answered']} were told 408")
    assert each < SLOW_BYTES and slowest < 5
    assert lap["answered"] > count * 0.9, lap
    wait_for("their descriptors are free", lambda: scene.open_files() < 200, 10, show=scene.open_files)


# ---- without descriptors, without a disk ----------------------------------------------------------


def test_out_of_descriptors_it_pauses_and_recovers(test):
    scene = Scene(workers=1)
    scene.get()
    files = scene.open_files() + 20
    resource.prlimit(scene.pid, resource.RLIMIT_NOFILE, (files, files))
    crowd = [scene.connect() for _ in range(60)]  # the kernel takes those that the proxy cannot
    for client in crowd:
        client.say("GET /1k HTTP/1.1\r\nHost: x\r\n")
    name = 'vipair_proxy_accept_failures_total{reason="out_of_files"}'
    wait_for("it is out of descriptors", lambda: scene.open_files() >= files - 1, 10, show=scene.open_files)
    began = scene.cpu_seconds()
    time.sleep(1)
    busy = scene.cpu_seconds() - began
    assert busy < 0.5, f"busy for {busy:.2f} s of a second while it could not accept anybody"
    for client in crowd[:50]:
        client.socket.close()
    wait_for("who waited is served", lambda: scene.get().body == body_of("1k"), 10)
    for client in crowd[50:]:
        client.say("\r\n")
        assert client.response().body == body_of("1k")
    failures = scene.metric(name)
    test.note(f"{failures:.0f} accepts failed, {busy * 1000:.0f} ms of CPU in a second of it")
    assert failures > 0 and scene.node.proxy.is_running


def test_a_full_disk_costs_log_lines_and_no_request(test):
    folder = Path("/run/full")
    folder.mkdir()
    sandbox.mount("none", str(folder), "tmpfs", 0, "size=64k")
    log = folder / "access.log"
    scene = Scene(workers=1, access_log={"path": str(log), "format": "json"})
    filler = folder / "filler"
    filler.write_bytes(bytes(48 << 10))
    slowest = 0.0
    with scene.connect() as client:
        for _ in range(500):
            began = time.monotonic()
            assert client.get("/1k", "User-Agent: " + "a" * 200).body == body_of("1k")
            slowest = max(slowest, time.monotonic() - began)

    def lines(kind: str) -> int:
        return int(scene.metric(f"vipair_proxy_access_log_{kind}_total"))

    # all of them: what still waits to be written would fill the disk anew
    wait_for("every line is written or lost", lambda: lines("lines") + lines("lost") == 500, 5,
             show=lambda: (lines("lines"), lines("lost")))
    lost = lines("lost")
    assert lost > 0
    test.note(f"{lost} of 500 lines lost; the slowest request took {slowest * 1000:.0f} ms")
    assert slowest < 2
    filler.unlink()
    scene.get("/16k")
    wait_for("lines are written again", lambda: "/16k" in log.read_text(), 5)
    wait_for("every line is whole", lambda: log.read_text().endswith("\n"), 5)
    broken = [line for line in log.read_text().splitlines() if not (line.startswith("{") and line.endswith("}"))]
    assert len(broken) <= 1, f"{len(broken)} broken lines: {broken[:2]}"  # the one that met the end of the disk


# ---- mixed load -----------------------------------------------------------------------------------


class Client(threading.Thread):
    """Asks for files, sends bodies, checks every byte of every answer. A request may fail where a server was killed; an
    answer may never be another one than was asked for."""

    def __init__(self, scene: Scene, number: int, end: float):
        super().__init__(daemon=True)
        self._scene, self._end, self._random = scene, end, random.Random(number)
        self.whole = self.refused = self.cut = 0
        self.problem = ""

    def run(self) -> None:
        try:
            while time.monotonic() < self._end and not self.problem:
                try:
                    with self._scene.connect(20) as connection:
                        for _ in range(self._random.randrange(1, 40)):
                            if time.monotonic() > self._end or not self._one(connection):
                                break
                except (Closed, ConnectionError, ValueError):
                    self.cut += 1
        except Exception as problem:
            self.problem = f"{type(problem).__name__}: {problem}"

    def _one(self, connection: Conversation) -> bool:
        if self._random.random() < 0.3:
            expected = self._random.randbytes(self._random.randrange(1, 8 << 10)).hex().encode()
            method, path = "POST", "/echo"
            if self._random.random() < 0.5:
                connection.say(f"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {len(expected)}\r\n\r\n")
                connection.say(expected)
            else:
                connection.say("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
                at = 0
                while at < len(expected):
                    piece = expected[at:at + self._random.randrange(1, 3000)]
                    connection.say(b"%x\r\n%s\r\n" % (len(piece), piece))
                    at += len(piece)
                connection.say("0\r\n\r\n")
        else:
            name = self._random.choice(list(FILES))
            method, path, expected = "GET", f"/{name}", BODIES[name]
            connection.say(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
        response = connection.response(method)
        if response.status in (502, 503, 504):
            self.refused += 1
        elif response.status != 200 or digest(response.body) != digest(expected):
            self.problem = f"{method} {path}: {response}, {len(expected)} bytes were meant"
        else:
            self.whole += 1
        return response.field("Connection").lower() != "close"


def digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


BODIES = {name: body_of(name) for name in FILES}


@time_limit(LOAD_SECONDS + 60)
def test_no_wrong_byte_while_servers_are_killed_and_configurations_change(test):
    scene = Scene(workers=2)
    before = scene.resident_bytes()
    numbers = random.Random(4)
    end = time.monotonic() + LOAD_SECONDS
    clients = [Client(scene, number, end) for number in range(LOAD_CLIENTS)]
    for client in clients:
        client.start()
    kills = reloads = 0
    while time.monotonic() < end and not any(client.problem for client in clients):
        time.sleep(numbers.uniform(0.05, 0.4))
        if numbers.random() < 0.5:
            origin = numbers.choice(scene.lab.origins)
            origin.kill_nginx()
            time.sleep(numbers.uniform(0, 0.2))
            origin.start_nginx()
            kills += 1
        else:
            site = scene.node.site_settings()
            site["site"]["response_headers"]["set"].append(["X-Generation", str(reloads)])
            scene.node.write_files(proxy=scene.settings, site=site)
            code, text = scene.node.reload(scene.node.proxy_socket)
            assert code == 200, text
            reloads += 1
    for client in clients:
        client.join(30)
        assert not client.is_alive(), "a client got no answer at all"
    whole, refused, cut = (sum(getattr(client, what) for client in clients) for what in ("whole", "refused", "cut"))
    test.note(f"{whole} whole, {refused} refused, {cut} cut in {LOAD_SECONDS:g} s with {kills} kills and {reloads} "
              f"reloads; {(scene.resident_bytes() - before) >> 10} KiB more memory")
    problems = [client.problem for client in clients if client.problem]
    assert not problems, "\n".join(problems)
    assert scene.node.proxy.is_running and kills and reloads
    assert whole > 100 and refused + cut < whole / 2, "hardly anything was served"
    wait_for("all is well again", lambda: all(scene.get("/64k").body == BODIES["64k"] for _ in range(6)), 15)
