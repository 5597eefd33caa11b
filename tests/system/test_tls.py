"""TLS as clients see it: openssl and curl before the real program, a pair of nodes, certificates that change."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from lab import ROOT, Lab, body_of, can_connect, find_tool, program, wait_for

REQUEST = "GET /1k HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"


class Certificates:
    """An authority of our own, made with openssl."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.openssl = find_tool("openssl", "openssl")
        self.ca = folder / "ca.pem"
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                 "-keyout", folder / "ca.key", "-out", self.ca, "-subj", "/CN=test authority")

    def run(self, *argv) -> None:
        subprocess.run([self.openssl, *map(str, argv)], check=True, capture_output=True, cwd=self.folder)

    def issue(self, name: str, names: str, days: int = 30) -> dict:
        """As the group of a configuration. names: "DNS:a.test,DNS:b.test". Files of that name are replaced."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        self.run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                 f"{key}.new", "-out", "request.csr", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}")
        self.run("x509", "-req", "-in", "request.csr", "-CA", self.ca, "-CAkey", "ca.key", "-CAcreateserial", "-days",
                 days, "-copy_extensions", "copy", "-out", f"{certificate}.new")
        os.rename(f"{key}.new", key)
        os.rename(f"{certificate}.new", certificate)
        return {"certificate_file": str(certificate), "key_file": str(key)}


class Proxies:
    """One node or both, whose proxies serve a.test and *.b.test on port 443 too. Settings beyond: of a.test's site."""

    def __init__(self, nodes: str = "a", tls: dict = None, tickets: str = "", **site):
        self.lab = Lab()
        self.nodes = [self.lab.a, self.lab.b][:len(nodes)]
        self.certificates = Certificates(self.lab.a.folder)
        self.ca = str(self.certificates.ca)
        issued = [self.certificates.issue("a", "DNS:a.test"), self.certificates.issue("b", "DNS:*.b.test")]
        for node in self.nodes:
            common = node.site_settings()["site"]
            sites = [{**common, "hosts": ["a.test"], "certificate": issued[0], **site},
                     {**common, "hosts": ["*.b.test"], "certificate": issued[1]}]
            settings = node.proxy_settings()
            settings["listeners"] += [{"address": "0.0.0.0:443", "tls": True}, {"address": "[::]:443", "tls": True}]
            settings["tls"] = {**(tls or {})}
            if tickets:
                (node.folder / "tickets.key").write_text(f"{tickets}\n")
                settings["tls"]["ticket_key_file"] = "tickets.key"
            node.write_files(proxy=settings, site={"sites": sites})
            node.start_proxy()
            wait_for("the proxy listens", lambda: can_connect(self.lab.client, node.front, 443), show=node.proxy.log)

    def s_client(self, *argv, address: str = None, name: str = "a.test") -> subprocess.Popen:
        client = self.lab.client
        return subprocess.Popen(
            [self.certificates.openssl, "s_client", "-connect", f"{address or self.nodes[0].front}:443", "-servername",
             name, "-CAfile", self.ca, "-verify_return_error", *map(str, argv)], preexec_fn=client.enter,
            cwd=client.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def openssl(self, *argv, text: str = "", **where) -> str:
        """What s_client says about a conversation in which it sends `text` and reads until the end."""
        out, _ = self.s_client(*argv, *(["-ign_eof"] if text else []), **where).communicate(text.encode(), timeout=30)
        return out.decode(errors="replace")

    def curl(self, url: str, *argv, check: bool = True) -> str:
        host = re.sub(r"^\w+://([^/:]+).*", r"\1", url)
        address = self.nodes[0].front
        return self.lab.client.run(
            [find_tool("curl", "curl"), "-sS", "--max-time", "20", "--cacert", self.ca, "--resolve",
             f"{host}:443:{address}", "--resolve", f"{host}:80:{address}", *map(str, argv), url], check=check).stdout


# ---- handshakes -----------------------------------------------------------------------------------


def test_curl_and_openssl_are_served(test):
    proxies = Proxies()
    for name in ("1k", "64k", "1m"):
        path = proxies.lab.client.folder / name
        proxies.curl(f"https://a.test/{name}", "-o", path)
        assert path.read_bytes() == body_of(name), name
    for version, cipher in (("-tls1_2", "ECDHE-ECDSA-AES128-GCM-SHA256"), ("-tls1_3", "TLS_AES_128_GCM_SHA256")):
        said = proxies.openssl(version, text=REQUEST)
        assert "HTTP/1.1 200 OK" in said and "Verify return code: 0 (ok)" in said and cipher in said, said
    for version in ("-tls1", "-tls1_1"):
        said = proxies.openssl(version, "-cipher", "ALL@SECLEVEL=0", text=REQUEST)
        assert "HTTP/1.1" not in said, said


def test_each_name_gets_its_certificate(test):
    proxies = Proxies()
    assert "CN = a\n" in proxies.openssl(name="a.test")
    assert "CN = b\n" in proxies.openssl(name="www.b.test")
    assert "unrecognized name" in proxies.openssl(name="c.test")


def test_modern_speaks_tls_1_3_only(test):
    proxies = Proxies(tls={"profile": "modern"})
    assert "HTTP/1.1 200 OK" in proxies.openssl("-tls1_3", text=REQUEST)
    assert "protocol version" in proxies.openssl("-tls1_2", text=REQUEST)


def test_an_upload_arrives_whole(test):
    proxies = Proxies()
    upload, answer = (proxies.lab.client.folder / name for name in ("upload", "answer"))
    upload.write_bytes(body_of("1m"))
    proxies.curl("https://a.test/echo", "--data-binary", f"@{upload}", "-o", answer)
    assert answer.read_bytes() == body_of("1m")


def test_a_client_resumes_on_the_other_node(test):
    proxies = Proxies("ab", tickets="c4" * 32)
    a, b = (node.front for node in proxies.nodes)
    for version in ("-tls1_2", "-tls1_3"):
        session = proxies.lab.client.folder / f"session{version}"
        said = proxies.openssl(version, "-sess_out", session, text=REQUEST, address=a)
        assert "\nNew, TLSv1" in said, said
        said = proxies.openssl(version, "-sess_in", session, text=REQUEST, address=b)
        assert "\nReused, TLSv1" in said and "HTTP/1.1 200 OK" in said, said


# ---- http and https -------------------------------------------------------------------------------


def test_plain_http_is_redirected_and_hsts_is_told_over_tls_alone(test):
    proxies = Proxies(https="redirect", hsts={"max_age": "365d", "include_subdomains": True})
    plain = proxies.curl("http://a.test/1k?x=y", "-i")
    assert "HTTP/1.1 301 " in plain and "Location: https://a.test/1k?x=y" in plain, plain
    assert "Strict-Transport-Security" not in plain, plain
    secure = proxies.curl("https://a.test/1k", "-o", "/dev/null", "-D", "-")
    assert "strict-transport-security: max-age=31536000; includesubdomains" in secure.lower(), secure
    assert proxies.curl("http://a.test/1k", "-L", "-o", "/dev/null", "-w", "%{http_code}") == "200"


# ---- certificates on the other side ---------------------------------------------------------------


def test_clients_show_certificates(test):
    # The authority's file is where Proxies will write it.
    proxies = Proxies(https="only", client_certificate={"mode": "required", "ca_file": str(ROOT / "lb-a" / "ca.pem")})
    alice = proxies.certificates.issue("alice", "DNS:alice")
    own = ["--cert", alice["certificate_file"], "--key", alice["key_file"]]
    seen = proxies.curl("https://a.test/1k", *own, "-o", "/dev/null", "-D", "-", "-H", "Client-Cert: :Zm9yZ2Vk:").lower()
    assert " 200 " in seen and "x-seen-client-cert: :mii" in seen and "zm9yz2vk" not in seen, seen
    nobody = proxies.curl("https://a.test/1k", "-o", "/dev/null", "-w", "%{http_code}", check=False)
    assert not nobody.startswith("200"), nobody
    # A connection to another site is no way in, nor is one in the clear.
    said = proxies.openssl(name="www.b.test", text=REQUEST)
    assert "HTTP/1.1 421 " in said, said
    assert "HTTP/1.1 403 " in proxies.curl("http://a.test/1k", "-i")


def test_servers_are_spoken_to_over_tls_and_must_be_who_they_are(test):
    proxies = Proxies("ab")
    a, b = proxies.nodes
    proxies.certificates.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                             "other.key", "-out", "other.pem", "-subj", "/CN=another authority")
    for authority, status in ((proxies.ca, "200"), (str(a.folder / "other.pem"), "502")):
        site = a.site_settings()["site"]
        site["upstreams"] = [{"name": "b", "servers": [f"{b.front}:443"],
                              "tls": {"server_name": "a.test", "ca_file": authority}}]
        site["routes"] = [{"path": "/", "upstream": "b"}]
        a.write_files(site={"site": site})
        a.proxy.signal(1)

        def answer() -> str:
            return proxies.curl("http://a.test/1k", "-o", "/dev/null", "-w", "%{http_code} %{size_download}")

        wait_for(f"{authority} leads to {status}", lambda: answer().startswith(status), 15.0, show=a.proxy.log)
        if status == "200":
            assert answer() == "200 1024"
    assert "TLS handshake: certificate verify failed" in a.proxy.log() and "untrusted" in a.proxy.log(), a.proxy.log()


# ---- files that change ----------------------------------------------------------------------------


def test_a_renewed_certificate_is_taken_over_and_a_broken_one_refused(test):
    proxies = Proxies()
    node = proxies.nodes[0]

    def shown() -> str:
        said = proxies.openssl()
        return said[said.index("-----BEGIN CERTIFICATE-----"):said.index("-----END CERTIFICATE-----")]

    held = proxies.s_client("-ign_eof")  # a connection that lives through all of it
    before = shown()
    renewed = proxies.certificates.issue("a", "DNS:a.test")
    wait_for("the renewed certificate is shown", lambda: shown() != before, 20.0, show=node.proxy.log)
    after = shown()
    Path(renewed["key_file"]).write_text("broken\n")
    wait_for("the broken key is refused", lambda: "a.key: there is no private key in it" in node.proxy.log(), 20.0,
             show=node.proxy.log)
    assert shown() == after
    out, _ = held.communicate(REQUEST.encode(), timeout=30)
    assert b"HTTP/1.1 200 OK" in out, out[-300:]
    checked = node.run([program("vipair-proxyd"), "--config", str(node.proxy_conf), "--check"], check=False)
    assert checked.returncode == 78 and "a.key: there is no private key in it" in checked.stdout, checked.stdout
