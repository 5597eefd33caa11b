"""A sync group: what happens on one network moves the virtual routers of both."""

from __future__ import annotations

import time

from lab import Lab, wait_for
from testing import time_limit

INSIDE = "198.51.100.100"
QUIET = 2.0  # seconds: several times the Backup's patience


class Edge:
    """Two agents without proxies; "web" on eth0 and "inside" on eth1 move together."""

    def __init__(self):
        self.lab = Lab(origins=0)
        self.a, self.b = self.lab.a, self.lab.b
        for node in self.lab.nodes:
            settings = node.node_settings()
            settings["track_proxy"] = False
            web = settings["virtual_routers"][0]
            web["sync_group"] = "edge"
            inside = {**web, "name": "inside", "interface": "eth1", "addresses": [f"{INSIDE}/24"],
                      "peer": {"address": self.lab.other(node).back}}
            settings["virtual_routers"].append(inside)
            node.write_files(node=settings)
        self.a.start_agent()
        self.lab.wait_active(self.a)
        self.b.start_agent()
        self.lab.wait_backup(self.b)

    def wait_held_by(self, node) -> None:
        self.lab.wait_active(node)
        self.lab.wait_held_by(node)
        wait_for(f"{node.name} alone holds {INSIDE}",
                 lambda: node.holds(INSIDE, "eth1") and not self.lab.other(node).holds(INSIDE, "eth1"), 5,
                 show=lambda: {n.name: n.addresses("eth1") for n in self.lab.nodes})

    def roles(self) -> list:
        return [(node.name, router["name"], router["state"], router["since"])
                for node in self.lab.nodes for router in node.routers()]


@time_limit(90)
def test_a_cable_of_either_network_moves_both_routers(test):
    edge = Edge()
    edge.wait_held_by(edge.a)
    for interface in ("eth1", "eth0"):
        active = edge.lab.active()
        other = edge.lab.other(active)
        active.cable(interface, False)
        edge.wait_held_by(other)
        faults = {router["name"]: router["faults"] for router in active.routers()}
        assert all(f"interface {interface}" in " ".join(each) for each in faults.values()), faults
        active.cable(interface, True)
        edge.lab.wait_backup(active)


@time_limit(90)
def test_a_network_on_which_the_nodes_are_apart_makes_no_second_active(test):
    edge = Edge()
    roles = edge.roles()
    for switch, interface in ((edge.lab.back, "eth1"), (edge.lab.front, "eth0")):
        for state in ("on", "off"):
            for node in edge.lab.nodes:
                switch.ip(f"link set {node.name}.{interface} type bridge_slave isolated {state}")
            time.sleep(QUIET)
            assert edge.roles() == roles, f"isolated {state} on {interface}: {edge.roles()} was {roles}"
