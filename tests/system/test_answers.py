"""Nobody answers twice: who has the address is answered by exactly one node, whatever befell the other.

A raw socket on the client asks every few milliseconds, by ARP and by neighbour solicitation, and writes down every
answer. "gap" is the longest time in which nobody answered; "twice" for how long, from the first to the last such
question, both nodes did.
"""

from __future__ import annotations

import json
import os
import signal
import time

from lab import VIP, VIP6, Lab
from neighbours import Asker
from testing import alone, time_limit

GAP = 1500.0     # ms without an answer
TWICE = 250.0    # ms with two: between the takeover and the end of the dead node's lease, or none at all


class Questions:
    """Answers over time, by node."""

    def __init__(self, lab: Lab, address: str):
        self.lab, self.address = lab, address
        self.asker = Asker(lab.client)
        self.node_of = {json.loads(n.ip("-j link show dev eth0"))[0]["address"]: n.name for n in lab.nodes}
        self.seen: list = []  # (when, names)

    def ask_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            now = time.monotonic()
            self.seen.append((now, [self.node_of.get(mac, mac) for mac in self.asker.who_has(self.address, 0.01)]))

    def gap_ms(self) -> float:
        answered = [self.seen[0][0]] + [when for when, names in self.seen if names] + [self.seen[-1][0]]
        return 1000 * max(b - a for a, b in zip(answered, answered[1:]))

    def twice_ms(self) -> float:
        twice = [when for when, names in self.seen if len(set(names)) > 1]
        return 1000 * (twice[-1] - twice[0]) if len(twice) > 1 else 0.0 if not twice else 10.0

    def last(self, count: int = 20) -> set:
        return {name for _, names in self.seen[-count:] for name in names}

    def check(self, test, what: str, survivor) -> None:
        gap, twice = self.gap_ms(), self.twice_ms()
        test.note(f"{what}, {self.address}: gap {gap:.0f} ms, twice {twice:.0f} ms, {len(self.seen)} questions")
        assert self.last() == {survivor.name}, f"{what}: in the end {self.last()} answer"
        assert all(names for _, names in self.seen[-20:]), f"{what}: in the end nobody answers: {self.seen[-20:]}"
        assert gap <= GAP, f"{what}: nobody answered for {gap:.0f} ms"
        assert twice <= TWICE, f"{what}: two nodes answered for {twice:.0f} ms"


def pair(ipv6: bool = False) -> Lab:
    lab = Lab(origins=0, ipv6=ipv6)
    for node in lab.nodes:
        settings = node.node_settings()
        settings["track_proxy"] = False
        node.write_files(node=settings)
    lab.a.start_agent()
    lab.wait_active(lab.a)
    lab.b.start_agent()
    lab.wait_backup(lab.b)
    lab.wait_held_by(lab.a)
    return lab


def freeze(node, number: int = signal.SIGSTOP) -> None:
    """Every process of the node: the supervisor first, or it would kill the child for its silence."""
    for pid in [node.agent.pid] + node.agent.children():
        os.kill(pid, number)


def check_fresh_clients(lab: Lab, test, survivor, count: int = 10) -> None:
    """A client with an empty neighbour table always reaches the Active."""
    for _ in range(count):
        lab.client.ip("neigh flush dev eth0")
        assert lab.client.run(["ping", "-c", "1", "-W", "1", VIP], check=False).returncode == 0
        entry = lab.client.ip(f"neigh show {VIP} dev eth0")
        own = json.loads(survivor.ip("-j link show dev eth0"))[0]["address"]
        assert own in entry, f"the client went to the wrong node: {entry}"


def test_after_an_agent_is_killed(test):
    lab = pair()
    questions = Questions(lab, VIP)
    questions.ask_for(0.3)
    os.kill(lab.a.agent_child(), signal.SIGKILL)
    questions.ask_for(1.0)
    questions.check(test, "agent killed", lab.b)
    check_fresh_clients(lab, test, lab.b)


def test_after_an_agent_and_its_supervisor_are_killed(test):
    lab = pair()
    questions = Questions(lab, VIP)
    questions.ask_for(0.3)
    lab.a.agent.kill()
    questions.ask_for(1.5)
    questions.check(test, "agent and supervisor killed", lab.b)
    check_fresh_clients(lab, test, lab.b)
    lab.a.start_agent()  # which cleans up behind the dead
    lab.wait_backup(lab.a)
    lab.wait_held_by(lab.b)
    assert "vipair-lease" not in lab.a.run(["nft", "list", "tables"]).stdout


@alone
@time_limit(90)
def test_while_a_node_is_frozen_and_after_it_thawed(test):
    lab = pair()
    questions = Questions(lab, VIP)
    questions.ask_for(0.3)
    freeze(lab.a)
    questions.ask_for(1.5)
    assert lab.b.state == "active", lab.b.routers()
    questions.check(test, "node frozen", lab.b)
    check_fresh_clients(lab, test, lab.b)
    freeze(lab.a, signal.SIGCONT)
    thawed = Questions(lab, VIP)
    thawed.ask_for(1.0)
    lab.wait_held_by(lab.b)
    thawed.check(test, "node thawed", lab.b)


@alone
def test_while_a_node_is_frozen_neighbour_discovery_has_one_answer(test):
    lab = pair(ipv6=True)
    questions = Questions(lab, VIP6)
    questions.ask_for(0.3)
    freeze(lab.a)
    questions.ask_for(1.5)
    questions.check(test, "node frozen", lab.b)


def test_after_an_address_is_removed_by_reload_on_both_nodes(test):
    lab = Lab(origins=0)
    second = "192.0.2.101"

    def write(addresses: list) -> None:
        for node in lab.nodes:
            settings = node.node_settings()
            settings["track_proxy"] = False
            settings["virtual_routers"][0]["addresses"] = [f"{a}/24" for a in addresses]
            node.write_files(node=settings)

    write([VIP, second])
    lab.a.start_agent()
    lab.wait_active(lab.a)
    lab.b.start_agent()
    lab.wait_backup(lab.b)
    kept, removed = Questions(lab, VIP), Questions(lab, second)
    write([VIP])
    for node in (lab.b, lab.a):
        assert node.reload(node.vrrp_socket)[0] == 200
        kept.ask_for(0.3)
    kept.ask_for(0.3)
    removed.ask_for(0.2)
    kept.check(test, "another address removed", lab.a)
    assert kept.gap_ms() < 100, f"the address that stays was dark for {kept.gap_ms():.0f} ms"
    assert removed.last() == set(), f"{removed.last()} answer for an address that is configured nowhere"
    assert lab.a.state == "active" and lab.b.state == "backup", lab.show()
