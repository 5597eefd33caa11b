"""What README and guides show, done as they say: the files on one node, on the other one with names and addresses
swapped, and then a failover. Changed is what a laboratory has to: the servers, and two nodes' sockets in one /run."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import subprocess

from lab import PAIR_KEY, SOURCE, VIP, VIP6, Lab, find_tool, wait_for
from testing import time_limit

GUIDES = SOURCE / "conf" / "examples" / "guides"
SERVER = r'"(?:10\.0\.0\.\d+|192\.0\.2\.2\d|\[2001:db8::\d+\]):\d+"'  # of the documents


def swapped(text: str) -> str:
    """node.conf of the second node, as the documents have it made."""
    text = text.replace('"lb-a"', '"lb-b"').replace("priority = 200", "priority = 100")
    return re.sub(r'"((?:\d+\.){3})12"', r'"\g<1>11"', text)


class Documented:
    """A pair that runs what a document shows. files: path below /etc/vipair → text, of the first node."""

    def __init__(self, files: dict, link_local: str = None, ipv6: bool = False):
        self.lab = Lab(ipv6=ipv6)
        for node in self.lab.nodes:
            (node.folder / "secrets").mkdir()
            secret = node.folder / "secrets" / "pair.key"
            secret.write_text(PAIR_KEY + "\n")
            secret.chmod(0o600)
            for path, text in files.items():
                target = node.folder / path
                target.parent.mkdir(exist_ok=True)
                if path == "node.conf":
                    text = text if node is self.lab.a else swapped(text)
                    if link_local:
                        text = text.replace(link_local, self.lab.other(node).link_local)
                    text += f'control_socket = "{node.vrrp_socket}"; gate_socket = "{node.gate_socket}";\n'
                elif path == "proxy.conf":
                    text += f'control_socket = "{node.proxy_socket}"; gate_socket = "{node.gate_socket}";\n'
                    text = re.sub(r"/var/log/vipair", str(node.folder), text)
                servers = iter([origin.endpoint for origin in self.lab.origins])
                target.write_text(re.sub(SERVER, lambda match: f'"{next(servers, match[0][1:-1])}"', text)
                                  if path != "node.conf" else text)

    def start(self, with_proxy: bool = True) -> None:
        for node in self.lab.nodes:
            if with_proxy:
                node.start_proxy()
            node.start_agent()
            self.lab.wait_active(self.lab.a)
        self.lab.wait_backup(self.lab.b)

    def get(self, address: str, host: str = "www.example.com", path: str = "/1k"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self.lab.client.socket(family, socket.SOCK_STREAM) as sock:
            sock.settimeout(5.0)
            sock.connect((address, 80))
            connection = http.client.HTTPConnection(host, timeout=5.0)
            connection.sock = sock
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            return response

    def check_failover(self, *held: tuple) -> None:
        """held: (interface, address)… of the Active. The agent on the first node stops, and comes back."""
        def is_held(node) -> bool:
            return all(node.holds(address, interface) and not self.lab.other(node).holds(address, interface)
                       for interface, address in held)

        wait_for("lb-a holds all", lambda: is_held(self.lab.a), show=self.lab.show)
        self.lab.a.agent.stop()
        self.lab.wait_active(self.lab.b)
        wait_for("lb-b holds all", lambda: is_held(self.lab.b), show=self.lab.show)


def guide(name: str) -> dict:
    """Its files, by their paths."""
    return {path.relative_to(GUIDES / name).as_posix(): path.read_text() for path in (GUIDES / name).rglob("*.conf")}


@time_limit(180)
def test_readme(test):
    blocks = re.findall(r"(?ms)^```\n(.*?)^```", (SOURCE / "README.md").read_text())
    first = {key: next(block for block in blocks if block.startswith(key))
             for key in ("listeners = ", "site = ", "node = ")}
    pair = Documented({"proxy.conf": first["listeners = "], "sites.d/web.conf": first["site = "],
                       "node.conf": first["node = "]})
    pair.start()
    assert pair.get(VIP).status == 200
    pair.check_failover(("eth0", VIP))
    assert pair.get(VIP).status == 200


@time_limit(180)
def test_guide_nginx_keepalived(test):
    openssl = find_tool("openssl", "openssl")
    files = guide("nginx-keepalived")
    site = files["sites.d/shop.conf"]
    files["sites.d/shop.conf"] = site.replace('path = "/health"', 'path = "/1k"')  # what the origins have
    pair = Documented(files)
    pair.lab.client.ip("addr add 192.0.2.1/24 dev eth0")  # the gateway
    for node in pair.lab.nodes:
        secrets = node.folder / "secrets"
        subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(secrets / "shop.key"),
                        "-out", str(secrets / "shop.pem"), "-days", "30", "-subj", "/CN=shop.example.com", "-addext",
                        "subjectAltName=DNS:shop.example.com,DNS:www.shop.example.com"],
                       check=True, stderr=subprocess.DEVNULL)
        shutil.copy(secrets / "pair.key", secrets / "tickets.key")
    pair.start()
    redirect = pair.get(VIP, "shop.example.com")
    assert redirect.getheader("Location") == "https://shop.example.com/1k", (redirect.status, redirect.headers)
    pair.check_failover(("eth0", VIP))


@time_limit(180)
def test_guide_ipv6(test):
    files = guide("ipv6")
    files["node.conf"] = files["node.conf"].replace("2001:db8::100", VIP6)
    pair = Documented(files, link_local="fe80::5054:ff:fe12:3412", ipv6=True)
    pair.start()
    assert pair.get(VIP).status == 200 and pair.get(VIP6).status == 200
    pair.check_failover(("eth0", VIP), ("eth0", VIP6))
    assert pair.get(VIP6).status == 200


@time_limit(180)
def test_guide_two_networks(test):
    pair = Documented(guide("two-networks"))
    pair.lab.client.ip("addr add 192.0.2.1/24 dev eth0")  # the uplink
    for number, node in enumerate(pair.lab.nodes, 11):
        node.ip(f"addr add 10.0.0.{number}/24 dev eth1")
        node.plug(pair.lab.back, "eth2", f"169.254.51.{number}/24")
    pair.start()
    assert pair.get(VIP).status == 200
    assert pair.get(VIP, path="/admin").status == 403
    pair.lab.a.cable("eth1", False)  # a cut inside moves the address outside too
    pair.lab.wait_active(pair.lab.b)
    wait_for("both addresses are on lb-b", lambda: pair.lab.b.holds(VIP) and pair.lab.b.holds("10.0.0.1", "eth1"))
    assert pair.get(VIP).status == 200


@time_limit(180)
def test_guide_no_multicast(test):
    files = guide("no-multicast")
    pair = Documented({**files, "node.conf": files["node.conf"] + "track_proxy = false;\n"})
    for number, node in enumerate(pair.lab.nodes, 11):
        node.ip("addr flush dev eth0 scope global")
        node.ip(f"addr add 10.1.0.{number}/24 dev eth0")
    pair.start(with_proxy=False)
    pair.check_failover(("eth0", "10.1.0.100"))


@time_limit(180)
def test_guide_keepalived(test):
    """What import made of one node's file, and what it would make of the other's, are one election."""
    files = guide("keepalived")
    del files["keepalived.conf"]
    pair = Documented(files)
    pair.start(with_proxy=False)
    pair.check_failover(("eth0", VIP))
