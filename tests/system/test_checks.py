"""Checks move the role: a pair of real daemons, and what they check breaks and recovers."""

from __future__ import annotations

import signal
from pathlib import Path

from lab import Lab, control, wait_for
from testing import alone, time_limit


class Pair:
    """A running pair whose virtual router tracks these checks; lb-a is Active."""

    def __init__(self, *checks: dict, prepare=None, **router):
        self.lab = Lab()
        self.a, self.b = self.lab.a, self.lab.b
        for node in self.lab.nodes:
            if prepare:
                prepare(node)
            settings = node.node_settings()
            settings["checks"] = [{**check, **check.get(node.name, {})} for check in checks]
            for check in settings["checks"]:
                check.pop("lb-a", None), check.pop("lb-b", None)
            settings["virtual_routers"][0].update(track=[check["name"] for check in checks], **router)
            node.write_files(node=settings)
        self.a.start_all()
        self.lab.wait_active(self.a)
        self.b.start_all()
        self.lab.wait_backup(self.b)

    def moves_to(self, node) -> None:
        self.lab.wait_active(node)
        self.lab.wait_held_by(node)

    def stays_with(self, node) -> None:
        """For as long as a wrong decision would take to show."""
        since = node.routers()[0]["since"]
        try:
            wait_for("a wrong move", lambda: self.lab.active() is not node or node.routers()[0]["since"] != since, 2.0)
        except AssertionError:
            return
        raise AssertionError(f"the role moved: {self.lab.show()}")


def check_of(node, name: str) -> dict:
    return next((check for check in node.status().get("checks", []) if check["name"] == name), {})


def wait_check(node, name: str, up: bool) -> dict:
    return wait_for(f"{name} of {node.name} is {'up' if up else 'down'}",
                    lambda: check_of(node, name).get("up") is up and check_of(node, name), show=node.status)


def flag(node) -> Path:
    return node.folder / "maintenance"


FILE = {"name": "works", "type": "file", "lb-a": {"path": "/run/lab/lb-a/maintenance"},
        "lb-b": {"path": "/run/lab/lb-b/maintenance"}}


@time_limit(90)
def test_file_that_appears_moves_the_role(test):
    pair = Pair(FILE)
    flag(pair.a).touch()
    pair.moves_to(pair.b)
    assert "works" in str(pair.a.routers()[0]["faults"]), pair.a.routers()
    flag(pair.b).touch()
    wait_for("nobody is Active", lambda: pair.a.state == pair.b.state == "fault", show=pair.lab.show)
    flag(pair.a).unlink()
    pair.moves_to(pair.a)
    flag(pair.b).unlink()
    pair.lab.wait_backup(pair.b)
    pair.stays_with(pair.a)


@alone
@time_limit(90)
def test_dead_process_moves_the_role_at_once(test):
    daemons = {}

    # both daemons are seen by both nodes: process numbers are no part of a network namespace
    def prepare(node) -> None:
        program = node.folder / f"daemon-{node.name}"
        program.write_bytes(Path("/bin/sleep").read_bytes())
        program.chmod(0o755)
        daemons[node.name] = node.start("daemon", [str(program), "1000"])

    pair = Pair({"name": "daemon", "type": "process", "lb-a": {"process": "daemon-lb-a"},
                 "lb-b": {"process": "daemon-lb-b"}}, prepare=prepare)
    daemons["lb-a"].signal(signal.SIGKILL)
    pair.moves_to(pair.b)
    assert check_of(pair.a, "daemon")["reason"] == "no process daemon-lb-a", check_of(pair.a, "daemon")
    prepare(pair.a)
    pair.lab.wait_backup(pair.a)
    pair.stays_with(pair.b)


@time_limit(90)
def test_gateway_that_one_node_does_not_see_moves_the_role(test):
    """The neighbour dies for one node alone: carrier stays, the kernel believes its table."""
    pair = Pair({"name": "gateway", "type": "neighbour", "address": "198.51.100.21", "interface": "eth1",
                 "interval": "200ms", "fall": 3, "rise": 2})
    wait_check(pair.a, "gateway", True)
    wait_check(pair.b, "gateway", True)
    pair.a.cable("eth1", False)
    pair.moves_to(pair.b)
    pair.a.cable("eth1", True)
    pair.lab.wait_backup(pair.a)
    gateway = pair.lab.origins[0]
    gateway.ip("link set eth0 arp off")
    gateway.ip("neigh flush all")
    wait_for("nobody sees the gateway", lambda: pair.a.state == pair.b.state == "fault", show=pair.lab.show)


@time_limit(90)
def test_service_that_fails_moves_the_role_and_says_why(test):
    pair = Pair({"name": "app", "type": "http", "interval": "200ms", "timeout": "1s", "rise": 2, "fall": 2,
                 "lb-a": {"url": "http://198.51.100.21:8080/1k"}, "lb-b": {"url": "http://198.51.100.22:8080/1k"}},
                {"name": "port", "type": "tcp", "address": "198.51.100.22:8080", "interval": "200ms"})
    origin = pair.lab.origins[0]
    origin.stop_nginx()
    pair.moves_to(pair.b)
    reason = wait_check(pair.a, "app", False)["reason"]
    assert reason == "198.51.100.21:8080: Connection refused", reason
    origin.start_nginx()
    pair.lab.wait_backup(pair.a)
    pair.stays_with(pair.b)
    (origin.folder / "1k").unlink()
    assert wait_check(pair.a, "app", False)["reason"] == "status 404"


@time_limit(90)
def test_script_decides_and_a_hanging_one_is_a_failure(test):
    def prepare(node) -> None:
        script = node.folder / "check"
        script.write_text(f"#!/bin/sh\necho \"as $(id -un)\"\n[ ! -e {node.folder}/hang ] || sleep 1000\n"
                          f"[ ! -e {node.folder}/fail ]\n")
        script.chmod(0o755)

    pair = Pair({"name": "disk", "type": "script", "user": "nobody", "interval": "200ms", "timeout": "500ms", "rise": 1,
                 "fall": 2, "lb-a": {"command": ["/run/lab/lb-a/check"]}, "lb-b": {"command": ["/run/lab/lb-b/check"]}},
                prepare=prepare)
    assert wait_check(pair.a, "disk", True)["reason"] == "exit status 0: as nobody", check_of(pair.a, "disk")
    (pair.a.folder / "fail").touch()
    pair.moves_to(pair.b)
    assert check_of(pair.a, "disk")["reason"] == "exit status 1: as nobody", check_of(pair.a, "disk")
    (pair.a.folder / "fail").unlink()
    pair.lab.wait_backup(pair.a)
    (pair.b.folder / "hang").touch()
    pair.moves_to(pair.a)
    wait_for("the reason", lambda: check_of(pair.b, "disk")["reason"] == "timeout after 500 ms: still running, killed",
             show=lambda: check_of(pair.b, "disk"))


@time_limit(90)
def test_weight_moves_the_role_to_the_better_node(test):
    pair = Pair({**FILE, "weight": 150})
    flag(pair.a).touch()
    pair.moves_to(pair.b)
    assert pair.a.routers()[0]["effective_priority"] == 50, pair.a.routers()
    flag(pair.a).unlink()
    pair.lab.wait_backup(pair.a)
    pair.stays_with(pair.b)


@time_limit(90)
def test_both_nodes_failing_the_same_weighted_check_leave_one_active(test):
    pair = Pair({"name": "gateway", "type": "ping", "address": "198.51.100.21", "interval": "200ms", "weight": 150})
    wait_check(pair.a, "gateway", True)
    pair.lab.origins[0].sysctl("net/ipv4/icmp_echo_ignore_all", 1)
    wait_check(pair.a, "gateway", False)
    wait_check(pair.b, "gateway", False)
    wait_for("one is Active", pair.lab.active, show=pair.lab.show)
    pair.stays_with(pair.lab.active())


@time_limit(90)
def test_interface_that_is_tracked_moves_the_role(test):
    pair = Pair({"name": "uplink", "type": "interface", "interface": "eth1"})
    pair.a.cable("eth1", False)
    pair.moves_to(pair.b)
    pair.a.cable("eth1", True)
    pair.lab.wait_backup(pair.a)


@alone
@time_limit(120)
def test_fifty_checks_cost_the_loop_no_time(test):
    """Scripts, names and answers that hang: the advertisements keep their time."""
    checks = []
    for i in range(10):
        checks.append({"name": f"script{i}", "type": "script", "command": ["/bin/sleep", "1000"], "user": "nobody",
                       "interval": "200ms", "timeout": "150ms", "weight": 1})
        checks.append({"name": f"name{i}", "type": "tcp", "address": "no-such-host.invalid:80", "interval": "200ms",
                       "weight": 1})
        checks.append({"name": f"void{i}", "type": "http", "url": "http://198.51.100.99/", "interval": "200ms",
                       "weight": 1})
        checks.append({"name": f"gone{i}", "type": "process", "process": f"no-such-{i}", "interval": "200ms", "weight": 1})
        checks.append({"name": f"ping{i}", "type": "ping", "address": "198.51.100.99", "interval": "200ms", "weight": 1})
    pair = Pair(*checks)
    before = pair.a.counters()
    pair.stays_with(pair.a)
    after = pair.a.counters()
    _, metrics = control(pair.a.vrrp_socket, "GET", "/metrics")
    runs = [line for line in metrics.splitlines() if line.startswith("vipair_vrrp_check_runs_total ")]
    assert runs and int(runs[0].split()[1]) > 100, runs
    sent = after["sent_advertisements"] - before["sent_advertisements"]
    test.note(f"{sent} advertisements in two seconds, {runs[0]}")
    assert pair.b.counters()["active_transitions"] == 0, pair.b.counters()
