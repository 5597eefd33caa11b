"""What an operator does with a running pair: vipairctl and the control sockets, over the real daemons."""

from __future__ import annotations

import json
import signal
import subprocess

from lab import VIP, Lab, control, find_tool, program, wait_for
from testing import time_limit


def ctl(node, *arguments: str, status: int = 0) -> str:
    """Runs vipairctl on the node; the exit status must be the one named. Returns what it printed."""
    done = node.run([program("vipairctl"), "--vrrp-socket", str(node.vrrp_socket),
                     "--proxy-socket", str(node.proxy_socket), *arguments], check=False, seconds=70.0)
    assert done.returncode == status, f"vipairctl {' '.join(arguments)}: exit {done.returncode}: {done.stdout}"
    return done.stdout


def start_ctl(node, name: str, *arguments: str):
    return node.start(name, [program("vipairctl"), "--vrrp-socket", str(node.vrrp_socket),
                             "--proxy-socket", str(node.proxy_socket), *arguments])


def test_metrics_are_what_prometheus_reads(test):
    promtool = find_tool("promtool", "prometheus")
    lab = Lab(ipv6=True)
    lab.start_pair()
    for daemon in ("vrrp", "proxy"):
        text = ctl(lab.a, "metrics", daemon)
        checked = subprocess.run([promtool, "check", "metrics"], input=text, text=True, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        assert checked.returncode == 0 and not checked.stdout, f"{daemon}: {checked.stdout}"
        assert text.count("\n") > 20, text


@time_limit(90)
def test_events_are_followed_and_name_the_cause(test):
    lab = Lab()
    lab.start_pair()
    lines = start_ctl(lab.b, "follow", "events", "--follow")
    objects = start_ctl(lab.b, "follow-json", "events", "--follow", "--json")
    wait_for("the first event", lambda: "state" in lines.log() and "state" in objects.log(), show=lines.log)
    lab.a.agent.signal(signal.SIGTERM)
    lab.wait_active(lab.b)
    wait_for("the change of role", lambda: "backup → active" in lines.log(), show=lines.log)
    wait_for("the same as JSON", lambda: '"to":"active"' in objects.log(), show=objects.log)
    [change] = [event for event in map(json.loads, objects.log().splitlines()) if event.get("to") == "active"]
    assert change["name"] == "web" and change["family"] == "ipv4" and change["interface"] == "eth0", change
    assert change["from"] == "backup" and change["peer"]["address"] == lab.a.front, change
    assert change["addresses"] == [f"{VIP}/24"] and "priority 0" in change["text"], change
    assert lab.b.agent.stop() == 0
    assert lines.wait() == 3 and "end of stream" in lines.log(), lines.log()
    assert objects.wait() == 3


def test_watch_tells_each_change_and_ends_on_interrupt(test):
    lab = Lab()
    lab.start_pair()
    watch = start_ctl(lab.b, "watch", "watch")
    wait_for("the first look", lambda: "web/ipv4 backup" in watch.log(), show=watch.log)
    lab.a.agent.signal(signal.SIGTERM)
    wait_for("the change", lambda: "web/ipv4 active" in watch.log(), show=watch.log)
    lab.b.proxy.kill()
    wait_for("the proxy's end", lambda: "proxy: no answer" in watch.log(), show=watch.log)
    watch.signal(signal.SIGINT)
    assert watch.wait(5.0) == 0


def test_watch_draws_on_a_terminal(test):
    lab = Lab()
    lab.start_pair()
    script = find_tool("script", "bsdutils")
    command = f"stty rows 30 cols 100; {program('vipairctl')} --vrrp-socket {lab.a.vrrp_socket} watch vrrp"
    view = lab.a.start("view", [script, "-qfc", command, "/dev/null"])
    wait_for("two pictures", lambda: view.log().count("node lb-a") >= 2, show=view.log)
    assert "backup → active" in view.log(), "the events are below"
    view.kill()


def test_what_is_asked_wrongly_is_explained(test):
    lab = Lab()
    lab.a.write_files()
    lab.a.start_all()
    lab.wait_active(lab.a)
    for method, target, status in (("GET", "/nowhere", 404), ("POST", "/status", 405), ("GET", "/drain", 405),
                                   ("GET", "/events?follow=", 400), ("GET", "/events?x=1", 400),
                                   ("POST", "/handover?router=nobody", 409)):
        code, text = control(lab.a.vrrp_socket, method, target)
        assert code == status and json.loads(text)["error"], f"{method} {target}: {code} {text}"


@time_limit(90)
def test_handover_moves_and_stays(test):
    lab = Lab()
    lab.start_pair()
    traffic = lab.traffic(rate=500)
    refused = ctl(lab.b, "handover", status=1)
    assert "nothing to hand over" in refused, refused
    assert "handed over" in ctl(lab.a, "handover", "web")
    lab.wait_active(lab.b)
    lab.wait_held_by(lab.b)
    lab.wait_backup(lab.a)
    assert traffic.lap()["failed"] == 0
    assert json.loads(ctl(lab.b, "handover", "--json")) == {"handed_over": True}
    lab.wait_active(lab.a)


@time_limit(90)
def test_drain_is_kept_until_undrain(test):
    lab = Lab()
    lab.start_pair()
    ctl(lab.a, "drain")
    lab.wait_held_by(lab.b)
    assert "drained" in ctl(lab.a, "status"), ctl(lab.a, "status")
    assert "the peer" in ctl(lab.b, "drain", status=1), "both nodes at once would serve nobody"
    lab.a.agent.stop()
    lab.a.start_agent()
    wait_for("the agent is back", lab.a.status)
    assert lab.a.status()["drained"] and lab.a.states() == ["fault"], lab.a.status()
    ctl(lab.a, "undrain")
    lab.wait_backup(lab.a)
    assert not lab.a.status()["drained"]
    lab.b.agent.stop()
    lab.wait_active(lab.a)


def test_what_a_killed_agent_left_can_be_released(test):
    """The last net of a service manager. While an agent runs its addresses are nobody else's business."""
    lab = Lab()
    lab.a.write_files()
    lab.a.start_all()
    lab.wait_active(lab.a)
    release = [program("vipair-vrrpd"), "--config", str(lab.a.node_conf), "--release"]
    refused = lab.a.run(release, check=False)
    assert refused.returncode == 1 and "another vipair-vrrpd runs" in refused.stdout, refused
    assert lab.a.holds(VIP)
    lab.a.agent.kill()
    lab.a.agent.wait_gone()
    assert lab.a.holds(VIP), "nobody was left to take it away"
    assert f"removed {VIP}/24 on eth0" in lab.a.run(release).stdout
    assert not lab.a.holds(VIP)
    assert lab.a.run(release).stdout == "", "nothing is left"
