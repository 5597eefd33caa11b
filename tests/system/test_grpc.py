"""gRPC end to end: Google's client and server with the proxy between them, HTTP/2 on both sides."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import sandbox
from lab import can_connect, wait_for
from test_http2 import proxy_with_http2
from test_tls import Proxies as TlsProxies
from testing import time_limit

PEER = str(Path(__file__).resolve().parent.parent / "support" / "grpc_peer.py")
PORT = 9100
# Nothing that the machine's own settings say of proxies and logs.
ENVIRONMENT = {"GRPC_VERBOSITY": "ERROR", "GRPC_DNS_RESOLVER": "native", "http_proxy": "", "https_proxy": "", "no_proxy": "*"}


def python_with_grpc() -> str:
    """This one, or the system's, for which the package is."""
    for python in (sys.executable, "/usr/bin/python3"):
        if os.path.exists(python) and subprocess.run([python, "-c", "import grpc"], capture_output=True).returncode == 0:
            return python
    raise sandbox.Skip("Python's grpc is not installed (package python3-grpcio)")


def site(**upstream) -> dict:
    return {"upstreams": [{"name": "grpc", "protocol": "h2", "servers": [f"127.0.0.1:{PORT}"], **upstream}],
            "routes": [{"path": "/", "upstream": "grpc"}]}


def serve(node):
    server = node.start("grpc-server", [python_with_grpc(), PEER, "serve", "127.0.0.1", str(PORT)], environment=ENVIRONMENT)
    wait_for("the server listens", lambda: can_connect(node, "127.0.0.1", PORT), 20, show=server.log)
    return server


def call(client, *arguments: str) -> dict:
    """What came of each call, by name."""
    process = client.start("grpc-client", [python_with_grpc(), PEER, "call", *arguments], environment=ENVIRONMENT)
    assert process.wait(60) == 0, process.log()
    lines = [json.loads(line) for line in process.log().splitlines() if line.startswith("{")]
    return {line.pop("call"): line for line in lines}


def judge(said: dict) -> None:
    assert said["unary"].get("answer") == "ping pong", said
    assert said["unary"]["initial"]["x-first"] == "1", said["unary"]
    assert said["unary"]["trailing"] == {"x-last": "2", "x-bin": "00ff"}, said["unary"]
    assert said["large"] == {"same": True}, said["large"]
    assert said["numbers"] == {"count": 200, "right": True}, said["numbers"]
    assert said["total"] == {"right": True}, said["total"]
    assert said["talk"] == {"right": True}, said["talk"]
    fail = said["fail"]  # one header section: what the proxy adds to it counts as trailing too
    assert (fail["code"], fail["details"]) == ("FAILED_PRECONDITION", "not today, 100 % sure: \u00e4"), fail
    assert fail["trailing"]["x-why"] == "because", fail
    assert said["fail_late"]["code"] == "DATA_LOSS" and said["fail_late"]["answers"] == ["one", "two"], said["fail_late"]
    assert said["nowhere"]["code"] == "UNIMPLEMENTED", said["nowhere"]
    assert said["deadline"]["code"] == "DEADLINE_EXCEEDED" and said["deadline"]["seconds"] < 3, said["deadline"]
    assert said["was_cancelled"] == {"answer": "yes"}, said["was_cancelled"]
    assert said["many"] == {"right": 300}, said["many"]


@time_limit(90)
def test_calls_of_every_kind(test):
    python_with_grpc()
    proxy = proxy_with_http2({"site": {"hosts": ["*"], **site()}})
    serve(proxy.node)
    judge(call(proxy.lab.client, proxy.address, "80"))
    upstream = proxy.node.proxy_status()["upstreams"][0]
    assert upstream["servers"][0]["failures"] == 0, upstream


@time_limit(90)
def test_calls_over_tls(test):
    python_with_grpc()
    proxies = TlsProxies(**site())
    node = proxies.nodes[0]
    serve(node)
    judge(call(proxies.lab.client, node.front, "443", proxies.ca, "a.test"))


@time_limit(90)
def test_without_its_server_a_call_is_unavailable_and_works_again_when_it_is_back(test):
    python_with_grpc()
    proxy = proxy_with_http2({"site": {"hosts": ["*"], **site()}})
    said = call(proxy.lab.client, proxy.address, "80")
    assert "UNAVAILABLE" in said["unary"]["problem"] and said["fail"]["code"] == "UNAVAILABLE", said
    server = serve(proxy.node)
    judge(call(proxy.lab.client, proxy.address, "80"))
    server.kill()
    server.wait_gone()
    said = call(proxy.lab.client, proxy.address, "80")
    assert "UNAVAILABLE" in said["unary"]["problem"], said
