"""testssl.sh judges the proxy's TLS: nothing above LOW that is not explained here."""

from __future__ import annotations

import json

from lab import Lab, can_connect, find_tool, wait_for
from test_tls import Certificates
from testing import time_limit

TESTSSL_SECONDS = 400  # one run of it takes a good minute
JUDGED = ("MEDIUM", "HIGH", "CRITICAL", "FATAL")
NAMES = "DNS:a.test,DNS:www.a.test"

# What testssl.sh objects to, and why it stands: the beginning of a finding's id → the reason.
EXPLAINED = {
    "cert_revocation": "the test's authority publishes no list of what it revoked; certificates of public ones name theirs",
    "cert_caIssuers": "the test's authority",
}


class Judged:
    """lb-a serves a.test with an ECDSA and an RSA certificate, over HTTP/1.1 and HTTP/2, and sends HSTS."""

    def __init__(self, profile: str):
        self.tool = find_tool("testssl", "testssl.sh")
        self.lab = Lab(origins=1)
        self.node = self.lab.a
        self.certificates = Certificates(self.lab.client.folder)
        pairs = [self.certificates.issue("ecdsa", NAMES, days=180), self.rsa("rsa", NAMES)]
        settings = self.node.proxy_settings()
        settings["listeners"] = [{"address": "0.0.0.0:443", "tls": True}]
        settings["tls"] = {"profile": profile}
        site = self.node.site_settings()["site"]
        site.update(hosts=["a.test"], certificates=pairs, https="only",
                    hsts={"max_age": "730d", "include_subdomains": True})
        site["routes"].append({"path": "/", "match": "exact", "respond": {"status": 200, "body": "hello"}})
        self.node.write_files(proxy=settings, site={"site": site})
        self.node.start_proxy()
        wait_for("the proxy listens", lambda: can_connect(self.lab.client, self.node.front, 443), show=self.node.proxy.log)

    def rsa(self, name: str, names: str) -> dict:
        folder, run = self.certificates.folder, self.certificates.run
        key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
        run("req", "-new", "-newkey", "rsa:3072", "-nodes", "-keyout", key, "-out", "request.csr", "-subj", f"/CN={name}",
            "-addext", f"subjectAltName={names}")
        run("x509", "-req", "-in", "request.csr", "-CA", self.certificates.ca, "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "180", "-copy_extensions", "copy", "-out", certificate)
        return {"certificate_file": str(certificate), "key_file": str(key)}

    def findings(self) -> list:
        report = self.lab.client.folder / "testssl.json"
        client = self.lab.client
        process = client.start("testssl", [
            self.tool, "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none", "--ip", self.node.front,
            "--add-ca", str(self.certificates.ca), "--jsonfile", str(report), "a.test:443"], environment={"HOME": str(client.folder)})
        process.wait(TESTSSL_SECONDS)
        assert report.exists(), process.log()[-3000:]
        try:
            return json.loads(report.read_text())
        except ValueError:
            raise AssertionError(f"no report but {report.read_text()[-300:]}; it said {process.log()[-3000:]}") from None


def judge(test, profile: str) -> dict:
    judged = Judged(profile)
    findings = judged.findings()
    by_id = {finding["id"]: finding for finding in findings}
    wrong, explained = [], []
    for finding in findings:
        if finding["severity"] not in JUDGED:
            continue
        text = f"{finding['severity']} {finding['id']}: {finding['finding']}"
        if any(finding["id"].startswith(begin) for begin in EXPLAINED):
            explained.append(text)
        else:
            wrong.append(text)
    low = [f"{finding['id']}: {finding['finding']}" for finding in findings if finding["severity"] == "LOW"]
    test.note(f"{len(findings)} findings, {len(low)} LOW ({'; '.join(low)}), {len(explained)} explained ({'; '.join(explained)})")
    assert not wrong, "\n".join(wrong)
    assert len(findings) > 60, f"only {len(findings)} findings: it did not look at everything"
    assert judged.node.proxy.is_running
    return by_id


@time_limit(TESTSSL_SECONDS + 60)
def test_the_intermediate_profile(test):
    found = judge(test, "intermediate")
    for protocol, is_offered in (("SSLv2", False), ("SSLv3", False), ("TLS1", False), ("TLS1_1", False), ("TLS1_2", True),
                                 ("TLS1_3", True)):
        assert found[protocol]["finding"].startswith("offered") == is_offered, found[protocol]


@time_limit(TESTSSL_SECONDS + 60)
def test_the_modern_profile(test):
    found = judge(test, "modern")
    assert not found["TLS1_2"]["finding"].startswith("offered"), found["TLS1_2"]
    assert found["TLS1_3"]["finding"].startswith("offered"), found["TLS1_3"]
