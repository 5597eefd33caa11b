"""Several servers behind the proxy: who gets the requests, who keeps them, and what a dead or drained server costs."""

from __future__ import annotations

import collections
import json
import threading
import time

from conversation import Closed, Conversation
from lab import VIP, Lab, body_of, can_connect, control, program, wait_for

SECRET = "5" * 64


def upstream_of(lab: Lab, **settings) -> dict:
    return {"name": "origins", "servers": [origin.endpoint for origin in lab.origins], **settings}


class Balanced:
    """lb-a with a proxy before three nginx and no agent."""

    def __init__(self, **upstream):
        self.lab = Lab(origins=3)
        self.node = self.lab.a
        (self.node.folder / "sticky.key").write_text(SECRET + "\n")
        site = self.node.site_settings()
        site["site"]["upstreams"] = [upstream_of(self.lab, **upstream)]
        self.node.write_files(site=site)
        self.node.start_proxy()
        wait_for("the proxy listens", lambda: can_connect(self.lab.client, self.node.front, 80),
                 show=self.node.proxy.log)

    def connect(self, seconds: float = 10.0) -> Conversation:
        return Conversation(self.lab.client, self.node.front, 80, seconds)

    def get(self, path: str = "/1k", *fields: str):
        with self.connect() as client:
            return client.get(path, *fields)

    def ctl(self, *arguments: str, check: bool = True) -> str:
        return self.node.run([program("vipairctl"), "--proxy-socket", str(self.node.proxy_socket), "server", *arguments],
                             check=check).stdout

    def servers(self) -> dict:
        return {server["address"]: server for upstream in self.node.proxy_status()["upstreams"]
                for server in upstream["servers"]}

    def metric(self, name: str) -> int:
        text = control(self.node.proxy_socket, "GET", "/metrics")[1]
        return sum(int(float(line.rsplit(" ", 1)[1])) for line in text.splitlines() if line.startswith(name + "{"))


class Load:
    """Clients that ask one after the other until they are told to stop; counts who answered and what failed."""

    def __init__(self, balanced: Balanced, clients: int = 8, path: str = "/1k"):
        self.balanced, self.path = balanced, path
        self.answers, self.failures = collections.Counter(), []
        self._stops = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while not self._stops.is_set():
            try:
                with self.balanced.connect() as client:
                    for _ in range(20):
                        response = client.get(self.path)
                        if response.status == 200 and response.body == body_of(self.path.strip("/")):
                            self.answers[response.field("X-Origin")] += 1
                        else:
                            self.failures.append(repr(response))
            except (Closed, OSError) as problem:
                self.failures.append(repr(problem))

    def run(self, seconds: float) -> "Load":
        time.sleep(seconds)
        return self

    def stop(self) -> "Load":
        self._stops.set()
        for thread in self._threads:
            thread.join(15.0)
        return self


def cookie_of(response) -> str:
    return response.field("Set-Cookie").split(";")[0]


# ---- who gets the requests ------------------------------------------------------------------------


def test_weights_are_shares(test):
    lab = Balanced()
    site = lab.node.site_settings()
    site["site"]["upstreams"] = [{"name": "origins", "servers": [
        {"address": origin.endpoint, "weight": weight} for origin, weight in zip(lab.lab.origins, (4, 2, 1))]}]
    lab.node.write_files(site=site)
    assert lab.node.reload(lab.node.proxy_socket)[0] == 200
    seen = collections.Counter()
    for _ in range(4):  # few connections: each worker spreads its own requests
        with lab.connect() as client:
            for _ in range(70):
                seen[client.get("/1k").field("X-Origin")] += 1
    assert abs(seen["origin-1"] - 160) <= 8 and abs(seen["origin-3"] - 40) <= 8, seen


def test_a_hashed_client_stays_and_a_lost_server_moves_its_own_share(test):
    lab = Balanced(balance="hash", hash_on="header:X-User")

    def owners() -> dict:
        with lab.connect() as client:
            return {user: client.get("/1k", f"X-User: {user}").field("X-Origin") for user in range(60)}

    before = owners()
    assert owners() == before and len(set(before.values())) == 3, before
    lab.lab.origins[1].stop_nginx()
    after = owners()
    for user, owner in before.items():
        assert after[user] == owner or owner == "origin-2", (user, owner, after[user])
        assert after[user] != "origin-2"


def test_a_server_killed_under_load_costs_no_request(test):
    lab = Balanced(retries={"attempts": 3, "idempotent": True}, passive_health={"failures": 3, "eject": "1s", "eject_max": "2s"})
    load = Load(lab).run(1.0)
    victim = lab.lab.origins[1]
    victim.nginx.kill()
    victim.nginx.wait_gone()
    load.run(2.0)
    assert lab.servers()[victim.endpoint]["state"] == "ejected", lab.servers()
    lost = load.answers["origin-2"]
    load.run(1.0)
    assert load.answers["origin-2"] == lost
    (victim.folder / "echo.sock").unlink()  # the dead left it behind
    victim.start_nginx()
    wait_for("the server gets requests again", lambda: load.answers["origin-2"] > lost + 50, 20.0, show=lab.servers)
    load.stop()
    assert not load.failures, load.failures[:5]
    assert min(load.answers.values()) > 50, load.answers
    test.note(f"{sum(load.answers.values())} requests, none lost")


def test_backups_serve_while_nobody_else_does(test):
    lab = Balanced(passive_health={"failures": 2, "eject": "1s"})
    site = lab.node.site_settings()
    site["site"]["upstreams"][0]["servers"] = [
        {"address": origin.endpoint, "backup": number == 2} for number, origin in enumerate(lab.lab.origins)]
    site["site"]["upstreams"][0]["retries"] = {"attempts": 3}
    lab.node.write_files(site=site)
    assert lab.node.reload(lab.node.proxy_socket)[0] == 200
    assert {lab.get().field("X-Origin") for _ in range(8)} == {"origin-1", "origin-2"}
    for origin in lab.lab.origins[:2]:
        origin.stop_nginx()
    for _ in range(8):
        response = lab.get()
        assert response.status == 200 and response.field("X-Origin") == "origin-3", response


# ---- room -----------------------------------------------------------------------------------------


def test_requests_wait_for_room_over_both_workers(test):
    lab = Balanced()
    site = lab.node.site_settings()
    site["site"]["upstreams"] = [{"name": "origins", "queue": {"length": 50, "timeout": "20s"},
                                  "servers": [{"address": lab.lab.origins[0].endpoint, "max_connections": 1}]}]
    lab.node.write_files(site=site)
    assert lab.node.reload(lab.node.proxy_socket)[0] == 200
    load = Load(lab, clients=12).run(2.0).stop()
    assert not load.failures, load.failures[:5]
    assert sum(load.answers.values()) > 100, load.answers
    assert lab.metric("vipair_proxy_upstream_waiting") == 0
    wait_for("no server is at work", lambda: all(server["active"] == 0 for server in lab.servers().values()),
             show=lab.servers)
    test.note(f"{sum(load.answers.values())} requests through one connection at a time")


def test_a_full_queue_is_refused_and_counted(test):
    lab = Balanced()
    site = lab.node.site_settings()
    site["site"]["upstreams"] = [{"name": "origins", "queue": {"length": 0},
                                  "servers": [{"address": lab.lab.origins[0].endpoint, "max_connections": 1}]}]
    lab.node.write_files(site=site)
    assert lab.node.reload(lab.node.proxy_socket)[0] == 200
    with lab.connect() as first:
        first.say("GET /slow/64k HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for("the slow request runs", lambda: lab.servers()[lab.lab.origins[0].endpoint]["active"] == 1)
        assert lab.get().status == 503
    assert lab.metric("vipair_proxy_upstream_queue_full_total") == 1


# ---- sticky clients -------------------------------------------------------------------------------


def test_a_client_stays_at_its_server_on_both_nodes(test):
    lab = Lab(origins=3)
    for node in lab.nodes:
        (node.folder / "sticky.key").write_text(SECRET + "\n")
    sites = {node: node.site_settings() for node in lab.nodes}
    for node, site in sites.items():
        site["site"]["upstreams"] = [upstream_of(lab, sticky={"secret_file": "../sticky.key"})]
        node.write_files(site=site)
        node.start_proxy()
    lab.a.start_agent()
    lab.wait_active(lab.a)
    lab.b.start_agent()
    lab.wait_backup(lab.b)
    wait_for("the pair answers HTTP", lambda: can_connect(lab.client, VIP, 80))

    def get(*fields: str):
        with Conversation(lab.client, VIP, 80) as client:
            return client.get("/1k", *fields)

    clients = []
    for _ in range(6):
        response = get()
        attributes = response.field("Set-Cookie").split("; ")
        assert attributes[1:] == ["Path=/", "HttpOnly", "SameSite=Lax"], attributes
        clients.append((cookie_of(response), response.field("X-Origin")))
    assert len(set(clients)) == 3, clients
    for node in (lab.a, lab.b):
        for cookie, origin in clients * 2:
            response = get(f"Cookie: theme=dark; {cookie}")
            assert response.field("X-Origin") == origin and response.field("X-Served-By") == node.name, response
            assert not response.field("Set-Cookie"), response
        if node is lab.a:
            lab.a.power_cut()
            lab.wait_active(lab.b)
            wait_for("the other node answers", lambda: can_connect(lab.client, VIP, 80))


def test_a_drained_server_keeps_its_clients_and_gets_no_new_ones(test):
    lab = Balanced(sticky={"secret_file": "../sticky.key", "cookie": "app", "drain": "1h"})
    first = lab.get()
    cookie, mine = cookie_of(first), first.field("X-Origin")
    endpoint = next(origin.endpoint for origin in lab.lab.origins if origin.name == mine)
    assert cookie.startswith("app="), first
    shown = lab.ctl("drain", f"origins/{endpoint}")
    assert endpoint in shown and "draining" in shown, shown
    assert all(lab.get().field("X-Origin") != mine for _ in range(12))
    assert lab.get("/1k", f"Cookie: {cookie}").field("X-Origin") == mine
    assert lab.node.reload(lab.node.proxy_socket)[0] == 200
    assert lab.servers()[endpoint]["state"] == "draining", "a reload does not end it"

    lab.ctl("drain", endpoint, "--force")
    moved = lab.get("/1k", f"Cookie: {cookie}")
    assert moved.field("X-Origin") != mine and cookie_of(moved).startswith("app="), moved

    states = json.loads(lab.ctl("list", "--json"))["servers"]
    assert [server["state"] for server in states if server["server"] == endpoint] == ["draining"], states
    lab.ctl("ready", endpoint)
    assert mine in {lab.get().field("X-Origin") for _ in range(12)}
    assert "no server is called nobody" in lab.ctl("drain", "nobody", check=False)


def test_a_dead_servers_clients_move_and_forgeries_are_counted(test):
    lab = Balanced(sticky={"secret_file": "../sticky.key", "cookie": "app"})
    first = lab.get()
    cookie, mine = cookie_of(first), first.field("X-Origin")
    next(origin for origin in lab.lab.origins if origin.name == mine).stop_nginx()
    moved = lab.get("/1k", f"Cookie: {cookie}")
    assert moved.status == 200 and moved.field("X-Origin") != mine, moved
    assert cookie_of(moved) not in ("", cookie), moved
    for forged in ("app=", "app=" + "0" * 32, "app=10.0.0.1:80"):
        assert cookie_of(lab.get("/1k", f"Cookie: {forged}")).startswith("app="), forged
    assert lab.metric("vipair_proxy_upstream_unknown_cookies_total") == 3


def test_a_new_sticky_secret_is_noticed_and_the_old_one_still_known(test):
    lab = Balanced(sticky={"secret_file": "../sticky.key", "cookie": "app"})
    first = lab.get()
    cookie, mine = cookie_of(first), first.field("X-Origin")
    (lab.node.folder / "sticky.key").write_text("no key\n")
    wait_for("the refusal", lambda: "changed and refused" in lab.node.proxy.log(), show=lab.node.proxy.log)
    assert lab.get("/1k", f"Cookie: {cookie}").field("X-Origin") == mine
    (lab.node.folder / "sticky.key").write_text("6" * 64 + "\n" + SECRET + "\n")
    wait_for("the new secret", lambda: "taken over" in lab.node.proxy.log(), show=lab.node.proxy.log)
    again = lab.get("/1k", f"Cookie: {cookie}")
    assert again.field("X-Origin") == mine and not again.field("Set-Cookie"), again
    made = {cookie_of(lab.get()) for _ in range(12)}
    assert made and cookie not in made, "new cookies are of the new secret"
    assert "5555" not in lab.node.proxy.log() and "6666" not in lab.node.proxy.log()
