"""Servers by name: a proxy before real origins, and a name server that changes its mind."""

from __future__ import annotations

import time

from conversation import Conversation
from lab import Lab, ORIGIN_PORT, can_connect, control, wait_for
from nameserver import NameServer, address, service
from testing import time_limit


class Named:
    """lb-a with a proxy and no agent; its name server stands on the client."""

    def __init__(self, servers, setup=None, **resolver):
        self.lab = Lab(origins=3)
        self.node = self.lab.a
        self.dns = NameServer(self.lab.client, "192.0.2.50")
        if setup:
            setup(self.dns)
        self.node.write_files(
            proxy={**self.node.proxy_settings(),
                   "resolver": {"servers": ["192.0.2.50"], "timeout": "300ms", "attempts": 2, **resolver}},
            site={"site": {"hosts": ["*"], "upstreams": [{"name": "app", "servers": servers}],
                           "routes": [{"path": "/", "upstream": "app"}]}})
        self.node.start_proxy()
        wait_for("the proxy listens", lambda: can_connect(self.lab.client, self.node.front, 80),
                 show=self.node.proxy.log)

    def get(self):
        with Conversation(self.lab.client, self.node.front, 80, 5.0) as client:
            return client.get("/1k")

    def origins(self, requests: int = 12) -> set:
        return {self.get().field("X-Origin") for _ in range(requests)}

    def wait_origins(self, *names: str) -> None:
        wait_for(f"requests go to {names}", lambda: self.origins() == set(names), 20.0, show=self.node.proxy_status)

    def name(self) -> dict:
        return self.node.proxy_status().get("names", [{}])[0]

    def servers(self) -> list:
        return [server["address"] for server in self.node.proxy_status()["upstreams"][0]["servers"]]


NAME = f"app.internal:{ORIGIN_PORT}"
FIRST, SECOND, THIRD = (f"198.51.100.{n}" for n in (21, 22, 23))


def test_addresses_become_servers_and_follow_the_dns(test):
    named = Named([NAME], lambda dns: dns.set("app.internal", address(FIRST, 1), address(SECOND, 1)))
    named.wait_origins("origin-1", "origin-2")
    named.dns.set("app.internal", address(SECOND, 1), address(THIRD, 1))
    named.wait_origins("origin-2", "origin-3")
    assert named.name()["addresses"] == [SECOND, THIRD] and not named.name()["error"], named.name()


def test_long_answers_are_not_asked_for_again(test):
    named = Named([NAME], lambda dns: dns.set("app.internal", address(FIRST, 3600)))
    named.wait_origins("origin-1")
    before = dict(named.dns.questions)
    time.sleep(2.0)
    assert named.dns.questions == before, named.dns.questions
    assert named.name()["ttl_seconds"] == 3600, named.name()


def test_a_start_without_an_answer(test):
    named = Named([NAME], lambda dns: setattr(dns, "mode", "failure"))
    wait_for("the lookup fails", lambda: named.name().get("error"), show=named.node.proxy_status)
    assert named.get().status == 503
    assert "app.internal cannot be resolved" in named.node.proxy.log(), named.node.proxy.log()
    named.dns.set("app.internal", address(FIRST))
    named.dns.mode = "normal"
    named.wait_origins("origin-1")


@time_limit(120)
def test_the_last_good_answer_outlives_every_trouble(test):
    named = Named([NAME], lambda dns: dns.set("app.internal", address(FIRST, 1)))
    named.wait_origins("origin-1")
    for mode in ("failure", "silent", "garbage"):
        named.dns.mode = mode
        failures = named.name()["failures"]
        wait_for(f"a lookup fails: {mode}", lambda: named.name()["failures"] > failures, 40.0, show=named.name)
        assert named.origins(4) == {"origin-1"}
        assert named.name()["error"] and named.name()["age_seconds"] >= 1, named.name()
    named.dns.mode = "normal"
    named.dns.remove("app.internal")
    wait_for("the name is gone", lambda: "not found" in named.name()["error"].lower(), 60.0, show=named.name)
    assert named.origins(4) == {"origin-1"}


def test_truncated_answers_come_over_tcp(test):
    def setup(dns):
        dns.mode = "truncated"
        dns.set("app.internal", address(FIRST), address(SECOND))
    named = Named([NAME], setup)
    named.wait_origins("origin-1", "origin-2")
    assert named.dns.questions["tcp"] > 0


def test_a_service_says_hosts_ports_and_backups(test):
    def setup(dns):
        dns.set("_http._tcp.app.internal", service(10, 1, ORIGIN_PORT, "a.internal", 1),
                service(20, 1, ORIGIN_PORT, "b.internal", 1))
        dns.set("a.internal", address(FIRST, 1))
        dns.set("b.internal", address(SECOND, 1))
    named = Named([{"srv": "_http._tcp.app.internal"}], setup)
    wait_for("both are servers", lambda: named.servers() == [f"{FIRST}:{ORIGIN_PORT}", f"{SECOND}:{ORIGIN_PORT}"],
             show=named.node.proxy_status)
    named.dns.set("_http._tcp.app.internal", service(10, 1, ORIGIN_PORT, "b.internal", 1))
    named.wait_origins("origin-2")


def test_connections_to_servers_that_stay_are_kept(test):
    named = Named([NAME], lambda dns: dns.set("app.internal", address(FIRST, 1)))
    named.wait_origins("origin-1")
    with Conversation(named.lab.client, named.node.front, 80, 10.0) as client:
        client.say("GET /slow/16k HTTP/1.1\r\nHost: x\r\n\r\n")  # about a second
        generation = named.node.proxy_status()["config"]["generation"]
        named.dns.set("app.internal", address(FIRST, 1), address(SECOND, 1))
        wait_for("the other server is there",
                 lambda: named.node.proxy_status()["config"]["generation"] > generation, 20.0)
        assert client.response().status == 200
    named.wait_origins("origin-1", "origin-2")


def test_a_reload_keeps_what_names_stand_for(test):
    named = Named([NAME], lambda dns: dns.set("app.internal", address(FIRST, 3600)))
    named.wait_origins("origin-1")
    named.dns.mode = "silent"
    code, text = control(named.node.proxy_socket, "POST", "/reload", 10.0)
    assert code == 200, text
    assert all(named.get().status == 200 for _ in range(10))
