"""Two paths between the nodes: the peer is lost only when it is lost on both, and a pulled service cable is told over the
other one."""

from __future__ import annotations

import time

from lab import Lab, wait_for
from testing import time_limit

ALONE = True  # everything here asserts on times

TOLD = 100.0     # ms of silence that a pulled cable may cost when it is told; a few on a quiet machine
SILENT = 800.0   # ms when only silence tells
QUIET = 2.0      # seconds: several times the Backup's patience
FORGOTTEN = 8.0  # seconds until a path that went silent is told


class TwoPaths:
    """Two agents without proxies, and a client that pings the floating address."""

    def __init__(self):
        self.lab = Lab(origins=0, second_path=True)
        self.a, self.b = self.lab.a, self.lab.b
        for node in self.lab.nodes:
            settings = node.node_settings()
            settings["track_proxy"] = False
            node.write_files(node=settings)
        self.a.start_agent()
        self.lab.wait_active(self.a)
        self.b.start_agent()
        self.lab.wait_backup(self.b)
        for node in self.lab.nodes:
            wait_for(f"{node.name} reaches its peer over both paths",
                     lambda n=node: len(self.heard(n)) == 2, 5, show=lambda n=node: n.status().get("paths"))

    def heard(self, node) -> set:
        """The interfaces over which the peer is heard and hears."""
        return {path["interface"] for path in node.status().get("paths", []) if path["heard"] and path["hears_us"]}

    def roles(self) -> list:
        return [(node.name, router["state"], router["since"]) for node in self.lab.nodes for router in node.routers()]


@time_limit(90)
def test_a_pulled_service_cable_is_told_over_the_other_path(test):
    pair = TwoPaths()
    probe = pair.lab.probe()
    gaps = []
    for _ in range(6):
        active = pair.lab.active()
        other = pair.lab.other(active)
        probe.lap()
        active.cable("eth0", False)
        pair.lab.wait_active(other)
        time.sleep(0.5)
        gaps.append(probe.lap()["gap_ms"])
        active.cable("eth0", True)
        pair.lab.wait_backup(active)
        pair.lab.wait_held_by(other)
    test.distribution("ping", gaps, TOLD)


@time_limit(90)
def test_the_peer_is_lost_only_when_it_is_lost_on_all_paths(test):
    pair = TwoPaths()
    roles = pair.roles()
    switch_ports = {name: [f"{node.name}.{name}" for node in pair.lab.nodes] for name in ("eth0", "eth1")}

    def sever(name: str, is_cut: bool) -> None:
        """The network between the nodes, with all carriers up: VRRP does not pass."""
        switch = pair.lab.front if name == "eth0" else pair.lab.back
        for port in switch_ports[name]:
            switch.ip(f"link set {port} type bridge_slave isolated {'on' if is_cut else 'off'}")

    for name in ("eth0", "eth1"):
        sever(name, True)
        wait_for(f"{name} is told", lambda n=name: all(n not in pair.heard(node) for node in pair.lab.nodes), FORGOTTEN)
        time.sleep(QUIET)
        assert pair.roles() == roles, f"without {name}: {pair.roles()} was {roles}"
        warnings = "; ".join(pair.b.status()["warnings"])
        assert f"not on {name}" in warnings, warnings
        sever(name, False)
        wait_for(f"{name} is back", lambda n=name: all(n in pair.heard(node) for node in pair.lab.nodes), FORGOTTEN)
        assert pair.roles() == roles, f"{pair.roles()} was {roles}"

    sever("eth0", True)
    sever("eth1", True)
    began = time.monotonic()
    wait_for("lb-b is alone", lambda: pair.b.states() == ["active"], 5)
    test.distribution("taken over after both were lost", [(time.monotonic() - began) * 1000], SILENT)
    sever("eth0", False)
    sever("eth1", False)
    wait_for("one Active remains", lambda: sorted(pair.a.states() + pair.b.states()) == ["active", "backup"], 5,
             show=pair.lab.show)


@time_limit(60)
def test_a_path_whose_interface_comes_later_and_goes(test):
    pair = TwoPaths()
    roles = pair.roles()
    pair.b.ip("link del eth1")
    wait_for("the path is lost", lambda: "eth1" not in pair.heard(pair.a), FORGOTTEN)
    assert pair.roles() == roles, f"{pair.roles()} was {roles}"
    pair.b.plug(pair.lab.back, "eth1", f"{pair.b.back}/24")
    for node in pair.lab.nodes:
        wait_for(f"{node.name} uses the path again", lambda n=node: "eth1" in pair.heard(n), 5,
                 show=lambda n=node: n.status().get("paths"))
    assert pair.roles() == roles, f"{pair.roles()} was {roles}"
    probe = pair.lab.probe()
    pair.a.cable("eth0", False)
    pair.lab.wait_active(pair.b)
    time.sleep(0.5)
    test.distribution("ping", [probe.lap()["gap_ms"]], TOLD)
