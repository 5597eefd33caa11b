"""The notify program and the pipe: a pair of real daemons tells of every change of role."""

from __future__ import annotations

import json
import os
import signal

from lab import VIP, Lab, control, wait_for
from testing import time_limit

PROGRAM = """#!/bin/sh
# {node}
event=$(cat)
case $event in
*'"phase":"pre_release"'*) ip -o addr show dev eth0 | grep -q '{vip}/' && held=held || held=gone; {slow} ;;
*'"phase":"post_acquire"'*) ip -o addr show dev eth0 | grep -q '{vip}/' && held=held || held=gone ;;
*) held=any ;;
esac
echo "$held $event" >>{folder}/told
{end}
"""


class Told:
    """What the program of a node was told: (held, event) of each run."""

    def __init__(self, node, slow: str = ":", end: str = "exit 0"):
        self.node, self.path = node, node.folder / "told"
        program = node.folder / "notify"
        program.write_text(PROGRAM.format(node=node.name, vip=VIP, folder=node.folder, slow=slow, end=end))
        program.chmod(0o755)

    def events(self) -> list:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [(line.split(" ", 1)[0], json.loads(line.split(" ", 1)[1])) for line in lines]

    def roles(self) -> list:
        return [event["to"] if event["phase"] != "pre_release" else "pre_release" for _, event in self.events()]


def start(lab, told_with, **settings) -> dict:
    told = {}
    for node in lab.nodes:
        told[node.name] = told_with(node)
        node.write_files(node={**node.node_settings(), "notify": [str(node.folder / "notify")], **settings})
    lab.a.start_all()
    lab.wait_active(lab.a)
    lab.b.start_all()
    lab.wait_backup(lab.b)
    return told


def metric(node, name: str) -> int:
    _, text = control(node.vrrp_socket, "GET", "/metrics")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"vipair_vrrp_{name}_total "))


@time_limit(90)
def test_program_is_told_of_each_change_in_order(test):
    lab = Lab()
    told = start(lab, Told)
    a, b = told["lb-a"], told["lb-b"]
    wait_for("lb-a is told", lambda: a.roles() and a.roles()[-1] == "active", show=a.roles)
    lab.a.agent.signal(signal.SIGTERM)
    lab.wait_active(lab.b)
    assert lab.a.agent.wait() == 0
    wait_for("lb-b is told", lambda: b.roles() and b.roles()[-1] == "active", show=b.roles)
    assert a.roles()[-2:] != ["active", "active"]
    assert "pre_release" in a.roles(), a.roles()
    assert a.roles().index("pre_release") > a.roles().index("active"), a.roles()
    assert a.roles()[-1] in ("fault", "initialize"), a.roles()
    held = [(held, event) for held, event in a.events() + b.events() if event["phase"] in ("pre_release", "post_acquire")]
    assert all(word == "held" for word, _ in held), held
    event = next(event for _, event in b.events() if event["to"] == "active")
    assert event["name"] == "web" and event["family"] == "ipv4" and event["vrid"] == 51, event
    assert event["from"] == "backup" and event["reason"] and event["text"] and event["coalesced"] == 0, event
    assert event["addresses"] == [f"{VIP}/24"] and event["peer"]["address"] == lab.a.front, event


@time_limit(90)
def test_stop_waits_for_the_program_but_not_for_ever(test):
    lab = Lab()
    told = start(lab, lambda node: Told(node, slow="sleep 1" if node.name == "lb-a" else "sleep 1000"),
                 notify_timeout="2s")
    lab.a.agent.signal(signal.SIGTERM)
    lab.wait_active(lab.b)
    assert "pre_release" in told["lb-a"].roles(), "the addresses went before the program had ended"
    assert lab.a.agent.wait() == 0
    lab.a.start_agent()
    lab.wait_backup(lab.a)
    lab.b.agent.signal(signal.SIGTERM)
    lab.wait_active(lab.a)
    assert lab.b.agent.wait() == 0
    assert "pre_release" not in told["lb-b"].roles(), "it was killed"
    assert "killed" in lab.b.agent.log(), lab.b.agent.log()


@time_limit(90)
def test_failing_program_changes_nothing(test):
    lab = Lab()
    told = start(lab, lambda node: Told(node, end="echo broken >&2; exit 3"))
    wait_for("failures", lambda: metric(lab.a, "notify_failures") >= 2, show=lambda: told["lb-a"].roles())
    assert lab.active() is lab.a
    assert "exit status 3: broken" in lab.a.agent.log(), lab.a.agent.log()
    lab.a.agent.kill()
    lab.wait_active(lab.b)


@time_limit(90)
def test_death_of_the_agent_is_told_by_the_next_one_and_by_the_peer(test):
    lab = Lab()
    told = start(lab, Told)
    os.kill(lab.a.agent_child(), signal.SIGKILL)
    lab.wait_active(lab.b)
    lab.wait_backup(lab.a)
    wait_for("lb-b is told", lambda: "active" in told["lb-b"].roles(), show=told["lb-b"].roles)
    wait_for("the new agent of lb-a tells", lambda: told["lb-a"].roles()[-1] == "backup", show=told["lb-a"].roles)


@time_limit(90)
def test_pipe_gets_the_same_and_nobody_has_to_read_it(test):
    lab = Lab()
    for node in lab.nodes:
        node.write_files(node={**node.node_settings(), "notify_fifo": str(node.folder / "events")})
    lab.a.start_all()
    lab.wait_active(lab.a)
    lab.b.start_all()
    lab.wait_backup(lab.b)
    assert metric(lab.a, "notify_fifo_dropped") > 0
    reader = os.open(lab.b.folder / "events", os.O_RDONLY | os.O_NONBLOCK)
    lab.a.agent.kill()
    lab.wait_active(lab.b)
    text = wait_for("the event", lambda: os.read(reader, 65536)).decode()
    events = [json.loads(line) for line in text.splitlines()]
    assert events[-1]["to"] == "active" and events[-1]["phase"] == "post_acquire", events
    os.close(reader)


@time_limit(90)
def test_handover_is_told_before_it_is_made_and_not_when_it_is_refused(test):
    lab = Lab()
    told = start(lab, lambda node: Told(node, slow="sleep 0.5"))

    def ask(node) -> int:
        return control(node.vrrp_socket, "POST", "/handover", 15.0)[0]

    wait_for("lb-b is known to be ready", lambda: ask(lab.a) == 200, interval=0.2)
    lab.wait_active(lab.b)
    roles = told["lb-a"].roles()
    assert roles.index("pre_release") > roles.index("active"), roles
    held, event = next(run for run in told["lb-a"].events() if run[1]["phase"] == "pre_release")
    assert held == "held" and event["reason"] == "handover" and event["addresses"] == [f"{VIP}/24"], event
    lab.a.agent.stop()
    wait_for("lb-a is known to be gone", lambda: ask(lab.b) == 409, interval=0.2)
    wait_for("lb-b is Active, after what it was asked for meanwhile", lambda: told["lb-b"].roles()[-1] == "active")
    before = told["lb-b"].roles()
    assert ask(lab.b) == 409
    assert told["lb-b"].roles() == before, told["lb-b"].roles()
    assert lab.active() is lab.b
