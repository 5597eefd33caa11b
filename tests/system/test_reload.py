"""Reloading under traffic: nothing fails, nothing moves, and what was changed is in force."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time

import mixed_client
from lab import VIP, VRID, Lab, wait_for
from testing import alone, time_limit

RELOADS = 20
REQUESTS = 10_000


def generation_of(lab: Lab) -> str:
    with lab.client.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(2)
        connection.connect((VIP, 80))
        connection.sendall(b"GET /1k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head = connection.recv(4096).decode()
    fields = dict(line.split(": ", 1) for line in head.split("\r\n\r\n")[0].split("\r\n")[1:])
    return fields.get("X-Generation", "")


def change_files(node, generation: int) -> None:
    """Another generation: header rules, another site, timeouts; for the agent timing, priority and an address more."""
    site = node.site_settings()
    site["site"]["response_headers"]["set"].append(["X-Generation", str(generation)])
    proxy = node.proxy_settings()
    proxy["timeouts"] = {"keep_alive": f"{50 + generation}s"}
    settings = node.node_settings()
    router = settings["virtual_routers"][0]
    router["priority"] = node.priority + generation % 5
    router["join_hold"] = f"{1 + generation}s"
    settings["drain_time"] = f"{10 + generation}s"
    if generation % 2:
        router["addresses"] = router["addresses"] + ["192.0.2.101/24"]
    node.write_files(settings, proxy, site)
    extra = node.folder / "sites.d" / "extra.conf"
    if generation % 3 == 0:
        extra.write_text('site = { hosts = [ "extra.example.com" ]; upstreams = ( { name = "one"; servers = '
                         f'[ "{node.lab.origins[0].endpoint}" ]; }} ); routes = ( {{ path = "/"; upstream = "one"; }} ); }};\n')
    elif extra.exists():
        extra.unlink()


@alone
@time_limit(180)
def test_ten_thousand_mixed_requests_over_twenty_reloads(test):
    lab = Lab()
    active = lab.start_pair()
    since = [router["since"] for node in lab.nodes for router in node.routers()]
    client = lab.client.start("mixed", [sys.executable, mixed_client.__file__, VIP, "80", str(REQUESTS), "6", "1"],
                              stdin=subprocess.PIPE)
    for generation in range(1, RELOADS + 1):
        for node in lab.nodes:
            change_files(node, generation)
            if generation % 2:
                for path in (node.vrrp_socket, node.proxy_socket):
                    code, text = node.reload(path)
                    assert code == 200, f"{path}: reload answered {code} {text}"
            else:
                node.agent.signal(signal.SIGHUP)
                node.proxy.signal(signal.SIGHUP)
        wait_for(f"generation {generation} is served", lambda: generation_of(lab) == str(generation), 5)
        assert lab.active() is active, f"the role moved: {lab.show()}"
        assert client.is_running, client.log()
    client.popen.stdin.close()
    client.wait(60)
    result = json.loads(client.log())
    test.note(f"{generation} reloads of both daemons on both nodes, {result['requests']} requests over "
              f"{result['connections']} connections: {result['kinds']}")
    test.note(f"{result['failed']} failed, {result['retried']} were repeated")
    assert result["failed"] == 0, result["failures"]
    assert result["requests"] >= REQUESTS
    assert [router["since"] for node in lab.nodes for router in node.routers()] == since, "a role moved and came back"
    assert set(result["served_by"]) == {active.name}, result["served_by"]
    if generation % 2:
        wait_for("the added address is held", lambda: active.holds("192.0.2.101"), 2)
    else:
        wait_for("the removed address is gone", lambda: not active.holds("192.0.2.101"), 2)


def test_a_wrong_file_is_refused_whole_and_the_running_configuration_stays(test):
    lab = Lab()
    active = lab.start_pair()
    change_files(active, 1)
    assert active.reload(active.proxy_socket)[0] == 200
    assert active.reload(active.vrrp_socket)[0] == 200
    wait_for("the first generation", lambda: generation_of(lab) == "1", 5)

    change_files(active, 2)
    (active.folder / "sites.d" / "web.conf").write_text('site = { hosts = [ "*" ]; rutes = ( ); };\n')
    code, text = active.reload(active.proxy_socket)
    assert code == 422 and "web.conf:1" in text and "rutes" in text, f"{code} {text}"
    active.node_conf.write_text(active.node_conf.read_text().replace(f"vrid = {VRID}", "vrid = 999"))
    code, text = active.reload(active.vrrp_socket)
    assert code == 422 and "vrid" in text and "node.conf:" in text, f"{code} {text}"
    active.agent.signal(signal.SIGHUP)  # the same by signal: logged, not obeyed
    active.proxy.signal(signal.SIGHUP)
    wait_for("the agent's log names the setting", lambda: "vrid" in active.agent.log(), 5, show=active.agent.log)
    wait_for("the proxy's log names the setting", lambda: "rutes" in active.proxy.log(), 5, show=active.proxy.log)
    assert generation_of(lab) == "1", "a refused file changed something"
    assert lab.active() is active


@time_limit(90)
def test_listeners_that_stay_refuse_nobody(test):
    """Connections are opened as fast as they come while the proxy reloads with one listener added and removed."""
    lab = Lab(origins=1)
    active = lab.start_pair()
    traffic = lab.traffic(rate=1000)
    time.sleep(0.5)
    traffic.lap()
    for generation in range(10):
        settings = active.proxy_settings()
        if generation % 2 == 0:
            settings["listeners"].append({"address": "0.0.0.0:8081"})
        active.write_files(proxy=settings)
        code, text = active.reload(active.proxy_socket)
        assert code == 200, text
        time.sleep(0.2)
    http = traffic.lap()
    test.note(f"{http['requests']} requests over 10 reloads, {http['failed']} failed, {http['retried']} repeated")
    assert http["failed"] == 0, http["failures"]
