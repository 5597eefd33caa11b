"""Who may come in and how often: lists, rates, connections, passwords, and clients that take their time."""

from __future__ import annotations

import base64
import json
import time

from conversation import Closed
from lab import body_of, wait_for
from test_proxy import Proxy


def protected(more: dict = None, route: dict = None, **settings) -> Proxy:
    """A proxy whose one site has these settings, and its one route those."""
    def site(node) -> dict:
        site = node.site_settings()
        site["site"].update(more or {})
        site["site"]["routes"][0].update(route or {})
        return site

    return Proxy(site=site, **settings)


def client_address(proxy: Proxy) -> str:
    with proxy.connect() as client:
        return client.socket.getsockname()[0]


def refused(proxy: Proxy, reason: str) -> int:
    return proxy.node.proxy_status()["refused"][reason]


def test_lists_keep_clients_out(test):
    proxy = protected(deny=["192.0.2.66", "2001:db8:66::/48"])
    address = client_address(proxy)
    assert proxy.get("/1k").status == 200
    settings = {**proxy.settings, "deny": [f"10.{n // 256}.{n % 256}.0/24" for n in range(10000)] + [address]}
    proxy.node.write_files(proxy=settings, site=proxy.node.site_settings())
    status, answer = proxy.node.reload(proxy.node.proxy_socket)
    assert status == 200, answer
    assert proxy.get("/1k").status == 403
    assert refused(proxy, "address_denied") == 1


def test_a_trusted_proxy_tells_who_the_client_is(test):
    proxy = protected({"deny": ["203.0.113.9"]}, trusted_proxies=["192.0.2.0/24", "10.0.0.0/8"])
    with proxy.connect() as client:
        assert client.get("/1k", "X-Forwarded-For: 203.0.113.9").status == 403
        assert client.get("/1k", "X-Forwarded-For: 203.0.113.9, 203.0.113.10").status == 200
        assert client.get("/1k", "Forwarded: for=203.0.113.9").status == 200  # the other field is nobody's word
    lines = [json.loads(line) for line in wait_for_lines(proxy, 3)]
    assert any("203.0.113.10" in json.dumps(line) for line in lines), lines


def wait_for_lines(proxy: Proxy, count: int) -> list:
    for _ in range(100):
        lines = proxy.access_log().splitlines()
        if len(lines) >= count:
            return lines
        time.sleep(0.05)
    raise AssertionError(f"only {len(lines)} lines")


def test_rates_hold_over_all_workers_and_connections(test):
    proxy = protected({"rate_limit": {"requests": 1, "per": "1h", "burst": 10}})
    statuses = [proxy.get("/1k").status for _ in range(15)]
    assert statuses == [200] * 10 + [429] * 5, statuses
    response = proxy.get("/1k")
    assert response.status == 429 and int(response.field("Retry-After")) > 3000, response
    assert refused(proxy, "rate") == 6
    proxy.node.reload(proxy.node.proxy_socket)
    assert proxy.get("/1k").status == 429  # a reload forgets nothing


def test_running_requests_and_connections_are_counted(test):
    proxy = protected({"connection_limit": {"per_address": 2}}, limits={"connections_per_address": 6})
    slow = [proxy.connect() for _ in range(2)]
    for client in slow:
        client.say("GET /slow/64k HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.3)
    with proxy.connect() as client:
        assert client.get("/1k").status == 429
        for each in slow:
            assert each.response().body == body_of("64k")
        assert client.get("/1k").status == 200
    idle = [proxy.connect() for _ in range(12)]
    time.sleep(0.3)
    served = 0
    for client in idle:
        try:
            served += client.get("/1k").status == 200
        except (Closed, OSError):
            pass
    for client in slow + idle:
        client.socket.close()
    assert 0 < served <= 6, served


def test_passwords(test):
    proxy = protected()
    users = proxy.node.folder / "users"
    proxy.node.run(["htpasswd", "-cbB", "-C", "10", str(users), "ann", "secret"])
    site = proxy.node.site_settings()
    site["site"]["basic_auth"] = {"realm": "Staff", "password_file": str(users)}
    proxy.node.write_files(proxy=proxy.settings, site=site)
    status, answer = proxy.node.reload(proxy.node.proxy_socket)
    assert status == 200, answer

    def basic(user: str, password: str) -> str:
        return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    with proxy.connect() as client:
        response = client.get("/1k")
        assert response.status == 401 and 'realm="Staff"' in response.field("WWW-Authenticate"), response
        assert client.get("/1k", basic("ann", "wrong")).status == 401
        assert client.get("/1k", basic("bob", "secret")).status == 401
        assert client.get("/1k", basic("ann", "secret")).body == body_of("1k")
        begin = time.monotonic()
        for _ in range(100):
            assert client.get("/1k", basic("ann", "secret")).status == 200
        test.note(f"100 requests with a password that is known: {(time.monotonic() - begin) * 1000:.0f} ms")
    curl = proxy.lab.client.run(["curl", "-s", "-u", "ann:secret", "-o", "/dev/null", "-w", "%{http_code}",
                                 f"http://{proxy.address}/1k"])
    assert curl.stdout == "200", curl.stdout
    # The file is noticed when it changes.
    proxy.node.run(["htpasswd", "-bB", "-C", "5", str(users), "bob", "secret"])
    wait_for("bob is known", lambda: proxy.get("/1k", basic("bob", "secret")).status == 200, show=proxy.node.proxy.log)
    # A file with a plain password is refused, the old one stays.
    users.write_text("ann:secret\n")
    status, answer = proxy.node.reload(proxy.node.proxy_socket)
    assert status == 422 and "users:1: the password is not hashed" in json.dumps(answer), answer
    with proxy.connect() as client:
        assert client.get("/1k", basic("ann", "secret")).status == 200


def test_wrong_passwords_do_not_hold_up_the_others(test):
    proxy = protected()
    users = proxy.node.folder / "users"
    proxy.node.run(["htpasswd", "-cbB", "-C", "10", str(users), "ann", "secret"])
    site = proxy.node.site_settings()
    site["site"]["routes"].append({"path": "/16k", "upstream": "origins",
                                   "basic_auth": {"password_file": str(users)}})
    proxy.node.write_files(proxy=proxy.settings, site=site)
    proxy.node.reload(proxy.node.proxy_socket)
    guess = "Authorization: Basic " + base64.b64encode(b"ann:guess").decode()
    guessing = [proxy.connect(30.0) for _ in range(40)]
    for client in guessing:
        client.say(f"GET /16k HTTP/1.1\r\nHost: x\r\n{guess}\r\n\r\n")
    with proxy.connect() as client:
        begin = time.monotonic()
        for _ in range(20):
            assert client.get("/1k").status == 200
        others = time.monotonic() - begin
    answers = [client.response().status for client in guessing]
    every = time.monotonic() - begin
    assert set(answers) <= {401, 503}, answers
    test.note(f"20 requests beside 40 guesses: {others * 1000:.0f} ms, the guesses {every * 1000:.0f} ms")
    assert others < every, (others, every)


def test_slow_clients_are_bounded(test):
    proxy = protected(timeouts={"request_head": "500ms", "body_idle": "500ms", "write_idle": "500ms"},
                      limits={"body_rate_min": "1000B"})
    with proxy.connect() as client:  # a head that never ends
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < 10:
                client.say("x" if time.monotonic() - begin > 0.1 else "GET / HTTP/1.1\r\nX-A: ")
                time.sleep(0.05)
        except OSError:
            pass
        assert time.monotonic() - begin < 8, "a byte now and then must not keep it open"
    with proxy.connect() as client:  # a body below the rate
        client.say("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < 10:
                client.say("x")
                time.sleep(0.05)
        except OSError:
            pass
        assert time.monotonic() - begin < 8
