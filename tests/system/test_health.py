"""Active checks before real origins, and what they mean for the pair."""

from __future__ import annotations

import time

from conversation import Conversation
from lab import Lab, ORIGIN_PORT, can_connect, control, wait_for
from testing import time_limit

CHECK = {"type": "http", "path": "/1k", "interval": "300ms", "fast_interval": "100ms", "timeout": "300ms"}


def site(lab: Lab, **health) -> dict:
    return {"site": {
        "hosts": ["*"],
        "upstreams": [{"name": "origins", "servers": [origin.endpoint for origin in lab.origins],
                       "health": {**CHECK, **health}}],
        "routes": [{"path": "/", "upstream": "origins"}],
        "response_headers": {"set": [["X-Served-By", "${node}"]]}}}


def servers_of(node) -> dict:
    """What status says of each server's check, by origin: {"198.51.100.21:8080": {"up": …, "reason": …}}."""
    upstreams = node.proxy_status().get("upstreams", [])
    return {server["address"]: server for upstream in upstreams for server in upstream["servers"]}


class Checked:
    """lb-a with a proxy and no agent."""

    def __init__(self, **health):
        self.lab = Lab()
        self.node = self.lab.a
        self.node.write_files(site=site(self.lab, **health))
        self.node.start_proxy()
        wait_for("the proxy listens", lambda: can_connect(self.lab.client, self.node.front, 80),
                 show=self.node.proxy.log)

    def get(self, path: str = "/1k"):
        with Conversation(self.lab.client, self.node.front, 80, 5.0) as client:
            return client.get(path)

    def wait_server(self, origin, up: bool) -> dict:
        return wait_for(f"{origin.name} is {'up' if up else 'down'}",
                        lambda: (server := servers_of(self.node)[origin.endpoint])["up"] is up
                        and server["check"] and server["check"]["checks"] > 0 and server, 20.0,
                        show=lambda: servers_of(self.node))


def test_a_dead_server_is_taken_out_before_any_request_meets_it(test):
    checked = Checked()
    first, second = checked.lab.origins
    for origin in (first, second):
        assert checked.wait_server(origin, True)["check"]["reason"] == "status 200"
    second.stop_nginx()
    down = checked.wait_server(second, False)
    assert down["check"]["reason"] == "connect refused", down
    failures = down["failures"]
    for _ in range(20):
        assert checked.get().field("X-Origin") == "origin-1"
    assert servers_of(checked.node)[second.endpoint]["failures"] == failures, "no request was tried on it"
    second.start_nginx()
    checked.wait_server(second, True)
    wait_for("it is used again", lambda: checked.get().field("X-Origin") == "origin-2")
    log = checked.node.proxy.log()
    assert f"server {second.endpoint} of origins (*) is down: connect refused" in log, log
    assert f"server {second.endpoint} of origins (*) is up: status 200" in log, log


def test_a_wrong_status_is_down_and_says_so(test):
    checked = Checked(expect_status=["204"])
    for origin in checked.lab.origins:
        assert checked.wait_server(origin, False)["check"]["reason"] == "status 200, expected 204"
    assert checked.get().status == 503
    code, metrics = control(checked.node.proxy_socket, "GET", "/metrics")
    assert code == 200 and "vipair_proxy_upstreams_usable 0\n" in metrics


def test_a_server_that_hangs_is_down(test):
    checked = Checked()
    first, _ = checked.lab.origins
    checked.wait_server(first, True)
    first.cable("eth0", False)
    assert "timed out after 300ms" in checked.wait_server(first, False)["check"]["reason"]
    first.cable("eth0", True)
    checked.wait_server(first, True)


def test_a_reload_keeps_what_is_known(test):
    checked = Checked()
    first, second = checked.lab.origins
    second.stop_nginx()
    checks = checked.wait_server(second, False)["check"]["checks"]
    code, text = control(checked.node.proxy_socket, "POST", "/reload", 10.0)
    assert code == 200, text
    server = servers_of(checked.node)[second.endpoint]
    assert server["up"] is False and server["check"]["checks"] >= checks, server


# ---- the pair --------------------------------------------------------------------------------------


def start_pair(**router) -> Lab:
    lab = Lab()
    for node in lab.nodes:
        settings = node.node_settings()
        settings["virtual_routers"][0].update(**router)
        node.write_files(node=settings, site=site(lab))
    lab.a.start_all()
    lab.wait_active(lab.a)
    lab.b.start_all()
    lab.wait_backup(lab.b)
    for node in lab.nodes:
        wait_for(f"{node.name} reaches the servers",
                 lambda: servers_of(node) and all((each["check"] or {}).get("checks") for each in servers_of(node).values()))
    return lab


def upstreams_of(node) -> dict:
    return next((check for check in node.status().get("checks", []) if check["name"] == "upstreams"), {})


def wait_upstreams(node, up: bool) -> None:
    wait_for(f"upstreams of {node.name} are {'up' if up else 'down'}", lambda: upstreams_of(node).get("up") is up, 20.0,
             show=node.status)


def stays_active(lab: Lab, node, seconds: float = 3.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert lab.active() is node, lab.show()
        time.sleep(0.05)


@time_limit(120)
def test_the_node_that_reaches_the_servers_is_active(test):
    lab = start_pair()
    traffic = lab.client
    lab.a.cable("eth1", False)  # its way to the servers; the front network is as well as ever
    wait_upstreams(lab.a, False)
    lab.wait_active(lab.b, 20.0)
    lab.wait_held_by(lab.b)
    with Conversation(traffic, "192.0.2.100", 80, 5.0) as client:
        response = client.get("/1k")
        assert response.status == 200 and response.field("X-Served-By") == "lb-b", response
    assert lab.a.routers()[0]["effective_priority"] == 1, lab.a.routers()
    lab.a.cable("eth1", True)
    wait_upstreams(lab.a, True)
    stays_active(lab, lab.b)  # preemption is off


@time_limit(120)
def test_two_blind_nodes_leave_one_active(test):
    lab = start_pair()
    lab.b.cable("eth1", False)
    wait_upstreams(lab.b, False)
    lab.a.cable("eth1", False)
    wait_upstreams(lab.a, False)
    stays_active(lab, lab.a)
    lab.b.cable("eth1", True)
    wait_upstreams(lab.b, True)
    lab.wait_active(lab.b, 20.0)


@time_limit(120)
def test_servers_that_fail_for_both_nodes_move_nothing(test):
    lab = start_pair()
    for turn in ("down", "up"):
        for origin in lab.origins:
            origin.stop_nginx() if turn == "down" else origin.start_nginx()
        for node in lab.nodes:
            wait_upstreams(node, turn == "up")
        stays_active(lab, lab.a, 8.0)  # longer than upstream_delay


@time_limit(120)
def test_without_a_weight_nothing_moves(test):
    lab = start_pair(upstream_weight=0)
    lab.a.cable("eth1", False)
    wait_upstreams(lab.a, False)
    stays_active(lab, lab.a)
