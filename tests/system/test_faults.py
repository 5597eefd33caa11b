"""The default pair (100 ms advertisements) under faults: who is Active, for how long nobody answered, what failed.

Each fault is repeated in one laboratory, the nodes taking turns, and the distribution is printed. "ping" is the longest
time in which a probe of 1 ms was not answered; "HTTP" the time from the fault to the first right answer of the other
node, or the longest time without any right answer.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import time
from pathlib import Path

from lab import VIP, VIP6, Lab, body_of, is_alive, wait_for
from testing import time_limit

ALONE = True  # everything here asserts on times

PLANNED = 20.0   # ms of silence that a planned move may cost
KILLED = 50.0    # ms until the other node answers after a death that the kernel sees
SILENT = 500.0   # ms when only silence tells: hangs, cables, power
RATE = 1000      # requests per second: HTTP times are measured in steps of a millisecond
CALM = 1.2       # seconds of traffic after a move: longer than a request may take, so that its failures belong to it


class Trial:
    """A running pair with its meters; collects the figures of one kind of fault."""

    def __init__(self, test, ipv6: bool = False, rate: int = RATE):
        self.test = test
        self.lab = Lab(ipv6=ipv6)
        self.lab.start_pair()
        address = VIP6 if ipv6 else VIP
        self.probe = self.lab.probe(address)
        self.traffic = self.lab.traffic(address, rate)
        self.pings, self.outages, self.takeovers = [], [], []
        self.failed = self.retried = self.requests = 0
        time.sleep(CALM)
        self.check_calm()

    def check_calm(self) -> None:
        """Without a fault nothing fails: otherwise the figures that follow would mean nothing."""
        self.probe.lap()
        http = self.traffic.lap()
        assert http["failed"] == 0 and http["succeeded"] > 0, f"requests fail without a fault: {http}"

    def move(self, fault) -> tuple:
        """fault(active) must make the other node Active. Returns (the node that was hurt, the new Active)."""
        active = self.lab.active()
        assert active is not None, f"nobody is Active: {self.lab.show()}"
        other = self.lab.other(active)
        self.probe.lap()
        self.traffic.lap()
        fault(active)
        self.lab.wait_active(other)
        time.sleep(CALM)
        ping, http = self.probe.lap(), self.traffic.lap()
        assert other.name in http["first_ms"], f"{other.name} is Active and does not answer: {http}"
        assert http["dark_ms"] < SILENT, f"nobody answers any more: {http}"
        self.pings.append(ping["gap_ms"])
        self.outages.append(http["gap_ms"])
        self.takeovers.append(http["first_ms"][other.name])
        self._count(http)
        return active, other

    def stay(self, change) -> None:
        """change() must not move anything nor cost a request."""
        active = self.lab.active()
        assert active is not None, f"nobody is Active: {self.lab.show()}"
        since = [router["since"] for router in active.routers()]
        self.probe.lap()
        self.traffic.lap()
        change()
        self.lab.wait_backup(self.lab.other(active))
        time.sleep(CALM)
        ping, http = self.probe.lap(), self.traffic.lap()
        assert self.lab.active() is active, f"the role moved: {self.lab.show()}"
        assert [router["since"] for router in active.routers()] == since, "the role moved and came back"
        assert http["failed"] == 0, f"requests failed: {http['failures']}"
        self.pings.append(ping["gap_ms"])
        self.outages.append(http["gap_ms"])
        self._count(http)

    def _count(self, http: dict) -> None:
        self.failed += http["failed"]
        self.retried += http["retried"]
        self.requests += http["requests"]
        if http["failures"]:
            self.test.note(f"failures: {http['failures']}")

    def report(self) -> None:
        self.test.note(f"{self.failed} of {self.requests} requests failed, {self.retried} were repeated on a "
                       f"fresh connection")


def restart_agent(node) -> None:
    node.agent.wait()
    node.start_agent()


@time_limit(120)
def test_planned_stop_of_the_agent_loses_nothing(test):
    trial = Trial(test)
    for _ in range(8):
        stopped, _ = trial.move(lambda node: node.agent.signal(signal.SIGTERM))
        assert stopped.agent.wait() == 0, "a planned stop ends with status 0"
        assert not stopped.holds(VIP), "the stopped node still holds the address"
        restart_agent(stopped)
        trial.lab.wait_backup(stopped)
    trial.report()
    test.distribution("HTTP", trial.outages, PLANNED * 2)
    test.distribution("ping", trial.pings, PLANNED)
    assert trial.failed == 0, f"{trial.failed} requests failed"


@time_limit(120)
def test_planned_stop_of_the_proxy_loses_nothing(test):
    trial = Trial(test)
    for _ in range(6):
        stopped, _ = trial.move(lambda node: node.proxy.signal(signal.SIGTERM))
        assert stopped.proxy.wait(40) == 0, "a planned stop ends with status 0"
        stopped.start_proxy()
        trial.lab.wait_backup(stopped)
    trial.report()
    test.distribution("HTTP", trial.outages, PLANNED * 2)
    test.distribution("ping", trial.pings, PLANNED)
    assert trial.failed == 0, f"{trial.failed} requests failed"


@time_limit(120)
def test_planned_stop_of_agent_and_proxy_together_loses_nothing(test):
    def stop(node):
        node.agent.signal(signal.SIGTERM)
        node.proxy.signal(signal.SIGTERM)

    trial = Trial(test)
    for _ in range(4):
        stopped, _ = trial.move(stop)
        assert stopped.proxy.wait(40) == 0 and stopped.agent.wait() == 0
        stopped.start_all()
        trial.lab.wait_backup(stopped)
    trial.report()
    test.distribution("ping", trial.pings, PLANNED)
    assert trial.failed == 0, f"{trial.failed} requests failed"


@time_limit(120)
def test_kill_of_the_proxy(test):
    trial = Trial(test)
    for _ in range(8):
        hurt, _ = trial.move(lambda node: node.proxy.kill())
        hurt.start_proxy()
        trial.lab.wait_backup(hurt)
    trial.report()
    test.distribution("ping", trial.pings, KILLED)
    test.distribution("the other node answers HTTP", trial.takeovers, KILLED)


@time_limit(120)
def test_kill_of_the_agents_process(test):
    trial = Trial(test)
    for _ in range(8):
        hurt, _ = trial.move(lambda node: os.kill(node.agent_child(), signal.SIGKILL))
        assert hurt.agent.is_running, "the supervisor is gone as well"
        trial.lab.wait_backup(hurt)  # a new child has joined
        assert not hurt.holds(VIP), "the last will was not carried out: the address is still there"
    trial.report()
    test.distribution("ping", trial.pings, KILLED)
    test.distribution("the other node answers HTTP", trial.takeovers, KILLED)
    assert trial.failed == trial.retried == 0, "the proxy lived, and so should every connection to it"


def quiet_settings(node) -> list:
    return [node.run(["cat", f"/proc/sys/net/ipv4/conf/eth0/{name}"]).stdout.strip()
            for name in ("arp_ignore", "arp_announce")]


class Download:
    """One response that takes seconds, over one connection; read() returns its body when it is complete."""

    def __init__(self, lab, address: str):
        self.lab, self.address = lab, address
        self.socket = lab.client.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(15.0)
        self.socket.connect((address, 80))
        self.socket.sendall(b"GET /slow/64k HTTP/1.1\r\nHost: download\r\nConnection: close\r\n\r\n")
        self.received = self.socket.recv(4096)

    def read(self) -> bytes:
        while chunk := self.socket.recv(65536):
            self.received += chunk
        self.socket.close()
        return self.received.split(b"\r\n\r\n", 1)[1]


def check_downloads_through_two_deaths(test, ipv6: bool) -> None:
    """Responses that take 3 s at 20 kB/s live through the death of the agent, and of the agent after it."""
    lab = Lab(ipv6=ipv6)
    lab.start_pair()
    address = VIP6 if ipv6 else VIP
    for _ in range(2):
        active = lab.active()
        other = lab.other(active)
        before = quiet_settings(active)
        downloads = [Download(lab, address) for _ in range(4)]
        for _ in range(2):
            os.kill(active.agent_child(), signal.SIGKILL)
            lab.wait_active(other)
            lab.wait_backup(active)
            assert not active.holds(address), "the dead agent's address is still on the interface"
            assert active.holds(address, "lo"), "the address does not linger for the connections it has"
        for download in downloads:
            assert download.read() == body_of("64k"), "a response was cut"
        wait_for("nothing lingers without a connection", lambda: not active.holds(address, "lo"), 5.0)
        assert quiet_settings(active) == before, "the interface's settings are not what they were"
    test.note("8 responses of 3 s were carried on through 2 deaths of the agent each")


@time_limit(120)
def test_kill_of_the_agents_process_breaks_no_connection(test):
    check_downloads_through_two_deaths(test, ipv6=False)


@time_limit(120)
def test_ipv6_kill_of_the_agents_process_breaks_no_connection(test):
    check_downloads_through_two_deaths(test, ipv6=True)


@time_limit(120)
def test_kill_of_the_agents_process_without_a_peer(test):
    """Nobody takes over: the address lingers until the next child takes it back, and downloads go on."""
    lab = Lab()
    lab.a.write_files()
    lab.a.start_all()
    lab.wait_active(lab.a)
    for _ in range(3):
        before = quiet_settings(lab.a)
        download = Download(lab, VIP)
        child = lab.a.agent_child()
        os.kill(child, signal.SIGKILL)
        wait_for("the address lingers", lambda: lab.a.holds(VIP, "lo") and not lab.a.holds(VIP), 2.0)
        lab.wait_active(lab.a)
        assert lab.a.holds(VIP) and not lab.a.holds(VIP, "lo"), "the claim did not take the address back"
        assert quiet_settings(lab.a) == before, "the interface's settings are not what they were"
        assert download.read() == body_of("64k"), "a response was cut"
    assert lab.a.agent.stop() == 0
    assert not lab.a.holds(VIP) and not lab.a.holds(VIP, "lo")


@time_limit(60)
def test_stop_right_after_the_death_of_the_agents_process(test):
    """Told to stop while its child is dead or young, the supervisor leaves nothing behind."""
    lab = Lab()
    lab.start_pair()
    for delay in (0.0, 0.002, 0.02, 0.2):
        active = lab.active()
        other = lab.other(active)
        before = quiet_settings(active)
        download = Download(lab, VIP)
        os.kill(active.agent_child(), signal.SIGKILL)
        time.sleep(delay)
        active.agent.stop()
        assert not active.holds(VIP) and not active.holds(VIP, "lo"), f"an address is left, {delay} s"
        assert quiet_settings(active) == before, f"the interface's settings are not what they were, {delay} s"
        download.socket.close()
        lab.wait_active(other)
        active.start_agent()
        lab.wait_backup(active)


@time_limit(120)
def test_freeze_of_the_proxy(test):
    trial = Trial(test)
    for _ in range(4):
        hurt, _ = trial.move(lambda node: node.proxy.signal(signal.SIGSTOP))
        hurt.proxy.signal(signal.SIGCONT)
        trial.lab.wait_backup(hurt)
    trial.report()
    test.distribution("the other node answers HTTP", trial.takeovers, SILENT)


class FrozenThread:
    """One thread of a process that does not run, while the others do: seized by ptrace."""
    SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 4

    def __init__(self, pid: int, name: str):
        self.thread = next(int(task) for task in os.listdir(f"/proc/{pid}/task")
                           if Path(f"/proc/{pid}/task/{task}/comm").read_text().strip() == name)
        self.call(self.SEIZE)
        self.call(self.INTERRUPT)
        os.waitpid(self.thread, 0x40000000)  # __WALL

    def call(self, request: int) -> None:
        if self.libc.ptrace(request, self.thread, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace request {request:#x}")

    def thaw(self) -> None:
        self.call(self.DETACH)


@time_limit(120)
def test_freeze_of_one_worker_of_the_proxy(test):
    trial = Trial(test)
    for _ in range(4):
        frozen = []
        hurt, _ = trial.move(lambda node: frozen.append(FrozenThread(node.proxy.pid, "worker-0")))
        reason = [check["reason"] for check in hurt.status()["checks"] if check["name"] == "proxy"]
        assert reason == ["worker 0 hangs"], reason
        frozen[0].thaw()
        trial.lab.wait_backup(hurt)
    trial.report()
    test.distribution("the other node answers HTTP", trial.takeovers, SILENT)


@time_limit(120)
def test_freeze_of_the_agents_process(test):
    trial = Trial(test)
    for _ in range(4):
        hurt, _ = trial.move(lambda node: os.kill(node.agent_child(), signal.SIGSTOP))
        trial.lab.wait_backup(hurt)
        assert not hurt.holds(VIP), "the hanging agent's address is still there"
    trial.report()
    assert trial.failed == trial.retried == 0, "the proxy lived, and so should every connection to it"
    test.distribution("ping", trial.pings, SILENT)
    test.distribution("the other node answers HTTP", trial.takeovers, SILENT)


def start_agents(lab: Lab, hang_timeout: str) -> None:
    """The pair without its proxies; lb-a is Active."""
    for node in lab.nodes:
        settings = node.node_settings()
        settings.update(track_proxy=False, hang_timeout=hang_timeout)
        node.write_files(node=settings)
    lab.a.start_agent()
    lab.wait_active(lab.a)
    lab.b.start_agent()
    lab.wait_backup(lab.b)


def test_backup_that_hangs_for_a_moment_stays_what_it_is(test):
    lab = Lab(origins=0)
    start_agents(lab, hang_timeout="200ms")
    child = lab.b.agent_child()
    for _ in range(3):
        os.kill(child, signal.SIGSTOP)
        time.sleep(0.6)
        os.kill(child, signal.SIGCONT)
        lab.wait_backup(lab.b)
    assert lab.b.agent_child() == child, lab.b.agent.log()
    os.kill(child, signal.SIGSTOP)
    wait_for("for good, and it is replaced", lambda: lab.b.agent.children() not in ([child], []), 10)
    lab.wait_backup(lab.b)


def test_claim_that_waits_for_the_kernel_is_not_a_hang(test):
    """The kernel has one lock for the addresses of all namespaces; whoever removes many interfaces keeps it long."""
    lab = Lab(origins=0)
    start_agents(lab, hang_timeout="50ms")
    child = lab.b.agent_child()
    pairs = "".join(f"link add v{i} group 7 type veth peer name w{i}\n" for i in range(1500))
    lab.client.run(["ip", "-batch", "-"], input=pairs)
    lab.wait_backup(lab.b)
    began = time.monotonic()
    remover = lab.client.start("ip", ["ip", "link", "del", "group", "7"])
    time.sleep(0.1)
    lab.a.agent.signal(signal.SIGTERM)
    remover.wait()
    test.note(f"the kernel was busy for {(time.monotonic() - began) * 1000:.0f} ms")
    lab.wait_active(lab.b)
    time.sleep(0.5)
    assert lab.b.states() == ["active"] and lab.b.agent_child() == child, lab.b.agent.log()


@time_limit(120)
def test_kill_of_the_supervisor_leaves_no_child_behind(test):
    trial = Trial(test)
    for _ in range(4):
        children = []

        def kill_supervisor(node):
            children.append(node.agent_child())
            node.agent.signal(signal.SIGKILL)

        hurt, _ = trial.move(kill_supervisor)
        wait_for("the orphaned child ends", lambda: not is_alive(children[0]), 5)
        assert not hurt.holds(VIP), "the address is still on the node without an agent"
        restart_agent(hurt)
        trial.lab.wait_backup(hurt)
    trial.report()
    test.distribution("ping", trial.pings, SILENT)


@time_limit(120)
def test_kill_of_supervisor_and_child_at_once(test):
    trial = Trial(test)
    for _ in range(4):
        hurt, _ = trial.move(lambda node: node.agent.kill())
        restart_agent(hurt)
        trial.lab.wait_backup(hurt)
        assert not hurt.holds(VIP), "what the dead agent left behind was not released at the next start"
    trial.report()
    test.distribution("the other node answers HTTP", trial.takeovers, SILENT)


@time_limit(120)
def test_pulled_cable(test):
    trial = Trial(test)
    for _ in range(5):
        hurt, _ = trial.move(lambda node: node.cable("eth0", False))
        trial.stay(lambda node=hurt: node.cable("eth0", True))
    trial.report()
    moved, stayed = trial.pings[0::2], trial.pings[1::2]
    test.distribution("ping", moved, SILENT)
    test.distribution("the other node answers HTTP", trial.takeovers, SILENT)
    test.distribution("ping when the cable is back", stayed, PLANNED)


@time_limit(120)
def test_power_cut(test):
    trial = Trial(test)
    for _ in range(4):
        hurt, _ = trial.move(lambda node: node.power_cut())
        for address in (VIP,):
            if hurt.holds(address):
                hurt.ip(f"addr del {address}/24 dev eth0")  # a rebooted kernel holds nothing
        hurt.power_on()
        trial.stay(hurt.start_all)
    trial.report()
    test.distribution("ping", trial.pings[0::2], SILENT)
    test.distribution("the other node answers HTTP", trial.takeovers, SILENT)


@time_limit(120)
def test_return_with_preemption_off_moves_nothing(test):
    trial = Trial(test)
    trial.move(lambda node: node.agent.signal(signal.SIGTERM))
    trial.pings.clear()
    for _ in range(4):
        trial.stay(lambda: restart_agent(trial.lab.a))  # priority 200 returns to an Active of 100
        trial.lab.a.agent.stop()
    trial.report()
    test.distribution("ping", trial.pings, PLANNED)


@time_limit(120)
def test_return_with_preemption_on(test):
    pair = Lab()
    for node in pair.nodes:
        settings = node.node_settings()
        settings["virtual_routers"][0]["preempt"] = True
        node.write_files(node=settings)
    pings, requests, failed = [], 0, 0
    for node in pair.nodes:
        node.start_all()
    pair.wait_active(pair.a)
    pair.wait_backup(pair.b)
    probe, traffic = pair.probe(), pair.traffic(rate=RATE)
    time.sleep(CALM)
    for _ in range(6):
        pair.a.agent.stop()
        pair.wait_active(pair.b)
        time.sleep(CALM)
        probe.lap(), traffic.lap()
        pair.a.start_agent()
        pair.wait_active(pair.a)
        pair.wait_backup(pair.b)
        time.sleep(CALM)
        ping, http = probe.lap(), traffic.lap()
        pings.append(ping["gap_ms"])
        requests, failed = requests + http["requests"], failed + http["failed"]
    test.note(f"{failed} of {requests} requests failed")
    test.distribution("ping", pings, PLANNED)
    assert failed == 0, f"{failed} requests failed"


@time_limit(120)
def test_reboot_of_the_backup_moves_nothing(test):
    trial = Trial(test)
    b = trial.lab.b
    for _ in range(3):
        def reboot():
            b.power_cut()
            b.power_on()
            b.start_all()
        trial.stay(reboot)
    trial.report()
    test.distribution("ping", trial.pings, PLANNED)


@time_limit(120)
def test_ipv6_planned_stop_of_the_agent_loses_nothing(test):
    trial = Trial(test, ipv6=True)
    for _ in range(6):
        stopped, _ = trial.move(lambda node: node.agent.signal(signal.SIGTERM))
        stopped.agent.wait()
        assert not stopped.holds(VIP) and not stopped.holds(VIP6)
        restart_agent(stopped)
        trial.lab.wait_backup(stopped)
    trial.report()
    test.distribution("ping", trial.pings, PLANNED)
    assert trial.failed == 0, f"{trial.failed} requests failed"


@time_limit(120)
def test_ipv6_kill_of_the_proxy(test):
    trial = Trial(test, ipv6=True)
    for _ in range(6):
        hurt, _ = trial.move(lambda node: node.proxy.kill())
        hurt.start_proxy()
        trial.lab.wait_backup(hurt)
    trial.report()
    test.distribution("ping", trial.pings, KILLED)
    test.distribution("the other node answers HTTP", trial.takeovers, KILLED)


@time_limit(120)
def test_ipv6_kill_of_the_agents_process(test):
    trial = Trial(test, ipv6=True)
    for _ in range(6):
        hurt, _ = trial.move(lambda node: os.kill(node.agent_child(), signal.SIGKILL))
        trial.lab.wait_backup(hurt)
        assert not hurt.holds(VIP6), "the last will was not carried out: the address is still there"
    trial.report()
    test.distribution("ping", trial.pings, KILLED)
    test.distribution("the other node answers HTTP", trial.takeovers, KILLED)
    assert trial.failed == trial.retried == 0, "the proxy lived, and so should every connection to it"


@time_limit(120)
def test_ipv6_pulled_cable(test):
    trial = Trial(test, ipv6=True)
    for _ in range(4):
        hurt, _ = trial.move(lambda node: node.cable("eth0", False))
        trial.stay(lambda node=hurt: node.cable("eth0", True))
    trial.report()
    test.distribution("ping", trial.pings[0::2], SILENT)
    test.distribution("the other node answers HTTP", trial.takeovers, SILENT)
