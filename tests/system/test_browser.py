"""A browser before the proxy: headless Chromium that trusts our own authority and nothing else that we made."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import sandbox
from browser_origin import big
from lab import Lab, can_connect, find_tool, wait_for
from test_tls import Certificates
from testing import alone, time_limit

SUPPORT = Path(__file__).resolve().parent.parent / "support"
PORT = 9300


def find_browser() -> str:
    for name in ("chromium-headless-shell", "chromium", "chromium-browser"):
        try:
            return find_tool(name, "chromium-headless-shell")
        except sandbox.Skip:
            pass
    raise sandbox.Skip("no Chromium is installed (package chromium-headless-shell)")


class Browsed:
    """lb-a serves https://a.test from two origins, to whose one a client's cookie keeps it."""

    def __init__(self):
        self.browser, certutil = find_browser(), find_tool("certutil", "libnss3-tools")
        self.lab = Lab()
        self.node = self.lab.a
        client = self.lab.client
        self.certificates = Certificates(client.folder)
        self.origins = [origin.start("browser-origin", [sys.executable, str(SUPPORT / "browser_origin.py"), origin.address,
                                                        str(PORT), origin.name]) for origin in self.lab.origins]
        for origin, process in zip(self.lab.origins, self.origins):
            wait_for("the origin listens", lambda: can_connect(origin, origin.address, PORT), show=process.log)
        settings = self.node.proxy_settings()
        settings["listeners"] = [{"address": "0.0.0.0:443", "tls": True}, {"address": "0.0.0.0:80"}]
        site = {"hosts": ["a.test"], "https": "redirect", "certificate": self.certificates.issue("a", "DNS:a.test"),
                "upstreams": [{"name": "app", "servers": [f"{origin.address}:{PORT}" for origin in self.lab.origins],
                               "sticky": {"cookie": "vipair_app", "secret_file": "../sticky.key"}}],
                "routes": [{"path": "/", "upstream": "app"}]}
        (self.node.folder / "sticky.key").write_text("c4" * 32 + "\n")
        self.node.write_files(proxy=settings, site={"site": site})
        self.node.start_proxy()
        wait_for("the proxy listens", lambda: can_connect(client, self.node.front, 443), show=self.node.proxy.log)
        self.home = client.folder / "home"
        trusted = self.home / ".pki" / "nssdb"
        trusted.mkdir(parents=True)
        client.run([certutil, "-d", f"sql:{trusted}", "-N", "--empty-password"])
        client.run([certutil, "-d", f"sql:{trusted}", "-A", "-t", "C,,", "-n", "test authority", "-i", str(self.certificates.ca)])

    def open(self, url: str):
        rules = f"MAP a.test {self.node.front}, MAP * ~NOTFOUND"
        return self.lab.client.start("browser", [
            self.browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-quic",
            f"--user-data-dir={self.home / 'profile'}", f"--host-resolver-rules={rules}", "--no-proxy-server",
            "--remote-debugging-port=0", url], environment={"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home)})

    def report(self) -> dict:
        for process in self.origins:
            for line in process.log().splitlines():
                if line.startswith("report "):
                    return json.loads(line[len("report "):])
        return {}

    def log_lines(self) -> list:
        path = self.node.folder / "access.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@alone
@time_limit(120)
def test_a_page_over_http_2(test):
    browsed = Browsed()
    browser = browsed.open("http://a.test/")  # it is sent to https
    wait_for("the page's report", browsed.report, 60, show=lambda: browser.log()[-2000:], interval=0.1)
    report = browsed.report()
    assert report["errors"] == [], report
    assert report["big"] == hashlib.sha256(big()).hexdigest(), report
    assert report["echo"] is True and report["missing"] == 404 and report["cookie_is_hidden"] is True, report
    assert report["page_protocol"] == "h2" and report["protocols"] == ["h2"], report
    served_by = set(report["sequential"] + report["parallel"])
    assert len(report["sequential"]) == 8 and len(report["parallel"]) == 40 and len(served_by) == 1, served_by
    assert report["websocket"] == [5, 70000], report
    wait_for("the line of the WebSocket", lambda: [line for line in browsed.log_lines() if line["target"] == "/socket"], 10)
    browser.stop()
    lines = browsed.log_lines()
    seen = {(line["target"].split("?")[0], line["protocol"], line["status"]) for line in lines}
    test.note(f"{len(lines)} requests: {sorted(seen)}")
    assert ("/", "HTTP/1.1", 301) in seen and ("/", "HTTP/2.0", 200) in seen and ("/echo", "HTTP/2.0", 200) in seen, seen
    socket = next(line for line in lines if line["target"] == "/socket")
    assert socket["protocol"] == "HTTP/2.0" and min(socket["request_bytes"], socket["response_bytes"]) > 70000, socket
