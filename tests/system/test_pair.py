"""What a pair does besides surviving faults: several virtual routers, split brain, its tool."""

from __future__ import annotations

import json
import time

from lab import VIP, Lab, program, wait_for
from testing import alone

INSIDE_VIP = "198.51.100.100"


def state_of(node, name: str) -> str:
    return "/".join(router["state"] for router in node.routers() if router["name"] == name) or "down"


def test_two_virtual_routers_on_two_interfaces_share_the_load(test):
    lab = Lab(origins=0)
    for node in lab.nodes:
        other = lab.other(node)
        settings = node.node_settings()
        settings["track_proxy"] = False
        settings["virtual_routers"][0]["preempt"] = True
        number = other.front.split(".")[-1]
        settings["virtual_routers"].append({
            "name": "inside", "interface": "eth1", "vrid": 52, "priority": other.priority, "preempt": True,
            "advertisement_interval": "100ms", "addresses": [f"{INSIDE_VIP}/24"],
            "peer": {"address": f"198.51.100.{number}"}})
        node.write_files(node=settings)
        node.start_agent()

    def is_shared() -> bool:
        return (state_of(lab.a, "web") == state_of(lab.b, "inside") == "active"
                and state_of(lab.b, "web") == state_of(lab.a, "inside") == "backup")

    def show() -> str:
        return str([(n.name, r["name"], r["state"], r["faults"]) for n in lab.nodes for r in n.routers()]
                   or [n.agent.log() for n in lab.nodes])

    wait_for("each node is Active for one of them", is_shared, 10, show=show)
    assert lab.a.holds(VIP) and lab.b.holds(INSIDE_VIP, "eth1")
    lab.a.cable("eth0", False)  # only what needs this cable moves
    wait_for("lb-b is Active for both", lambda: state_of(lab.b, "web") == "active", 5, show=show)
    assert state_of(lab.b, "inside") == "active" and state_of(lab.a, "inside") == "backup", show()
    lab.a.cable("eth0", True)
    wait_for("each node is Active for one of them again", is_shared, 10, show=show)
    assert lab.b.agent.stop() == 0
    wait_for("lb-a is Active for both", lambda: state_of(lab.a, "inside") == "active", 5, show=show)
    assert lab.a.holds(INSIDE_VIP, "eth1") and lab.a.holds(VIP)


@alone
def test_a_split_brain_heals_and_the_survivor_is_reached(test):
    lab = Lab()
    lab.start_pair()
    nowhere = "02:00:00:00:00:99"
    traffic = lab.traffic(rate=500)
    gaps = []
    for _ in range(3):
        for node in lab.nodes:  # the nodes do not reach each other, clients reach both
            node.ip(f"neigh replace {lab.other(node).front} lladdr {nowhere} nud permanent dev eth0")
        wait_for("both are Active", lambda: all(set(node.states()) == {"active"} for node in lab.nodes), 5,
                 show=lab.show)
        time.sleep(0.5)
        traffic.lap()
        for node in reversed(lab.nodes):  # the one that gives way can be heard when it does
            node.ip(f"neigh del {lab.other(node).front} dev eth0")
        lab.wait_backup(lab.b)
        assert lab.active() is lab.a, f"priority did not decide: {lab.show()}"
        time.sleep(1.2)
        http = traffic.lap()
        gaps.append(http["gap_ms"])
        assert http["served_by"].get("lb-a") and http["dark_ms"] < 500, f"the survivor is not reached: {http}"
        time.sleep(0.3)
        after = traffic.lap()
        assert set(after["served_by"]) == {"lb-a"} and after["failed"] == 0, after
        lab.wait_held_by(lab.a)
    test.distribution("HTTP after the nodes hear each other again", gaps, 1000)


def test_vipairctl_shows_both_daemons(test):
    lab = Lab(origins=1)
    lab.start_pair()
    tool = [program("vipairctl"), "--vrrp-socket", str(lab.a.vrrp_socket), "--proxy-socket", str(lab.a.proxy_socket)]
    status = json.loads(lab.a.run(tool + ["status", "--json"]).stdout)
    assert status["vrrp"]["routers"][0]["state"] == "active" and status["proxy"], status
    text = lab.a.run(tool + ["status"]).stdout
    assert "active" in text and VIP in text, text
    events = lab.a.run(tool + ["events"]).stdout
    assert "active" in events, events
    assert lab.a.run(tool + ["reload"]).returncode == 0
    lab.a.proxy.kill()
    down = lab.a.run(tool + ["status", "--json"], check=False)
    assert down.returncode == 3 and '"proxy"' in down.stdout and str(lab.a.proxy_socket) in down.stdout, down
    test.note(text.splitlines()[0] if text else "")
