"""HTTP/2 with real programs: curl, nghttp and h2load as clients, nghttpd as upstream."""

from __future__ import annotations

import json
import signal
import time

from lab import body_of, can_connect, control, find_tool, wait_for
from test_proxy import Proxy
from test_tls import Proxies as TlsProxies
from testing import time_limit

ORIGIN_PORT = 9000


def proxy_with_http2(site: dict = None) -> Proxy:
    return Proxy(site=site, listeners=[{"address": "0.0.0.0:80", "http2": True}])


def fetch(proxy: Proxy, path: str, *arguments: str) -> bytes:
    target = proxy.node.folder / "fetched"
    proxy.lab.client.run(["curl", "-s", "-f", "--max-time", "10", "-o", str(target), *arguments,
                          f"http://{proxy.address}{path}"])
    return target.read_bytes()


def test_curl_with_prior_knowledge_and_without(test):
    proxy = proxy_with_http2()
    for name in ("1k", "64k", "1m"):
        assert fetch(proxy, f"/{name}", "--http2-prior-knowledge") == body_of(name)
        assert fetch(proxy, f"/{name}", "--http1.1") == body_of(name)
    upload = proxy.node.folder / "upload"
    upload.write_bytes(body_of("64k"))
    for length in ([], ["-H", "Content-Length:"]):
        assert fetch(proxy, "/echo", "--http2-prior-knowledge", *length, "--data-binary", f"@{upload}") == body_of("64k")
    wait_for("the access log says HTTP/2.0", lambda: "HTTP/2.0" in proxy.access_log(), show=proxy.access_log)


def test_tls_clients_choose_http2(test):
    proxies = TlsProxies()
    for name in ("1k", "1m"):
        path = proxies.lab.client.folder / name
        assert proxies.curl(f"https://a.test/{name}", "-o", path, "-w", "%{http_version}") == "2"
        assert path.read_bytes() == body_of(name), name
    assert proxies.curl("https://a.test/1k", "--http1.1", "-o", "/dev/null", "-w", "%{http_version}") == "1.1"
    upload, answer = (proxies.lab.client.folder / name for name in ("upload", "answer"))
    upload.write_bytes(body_of("1m"))
    assert proxies.curl("https://a.test/echo", "--data-binary", f"@{upload}", "-o", answer, "-w", "%{http_version}") == "2"
    assert answer.read_bytes() == body_of("1m")


def test_nghttp_reads_many_files_at_once(test):
    proxy = proxy_with_http2()
    urls = [f"http://{proxy.address}/{name}?{i}" for i in range(10) for name in ("1k", "16k", "64k")]
    result = proxy.lab.client.run([find_tool("nghttp", "nghttp2-client"), "-n", "--stat", *urls])
    assert result.stdout.count(" 200 ") == len(urls), result.stdout


@time_limit(120)
def test_h2load_loses_nothing_in_reloads(test):
    proxy = proxy_with_http2()
    load = proxy.lab.client.start("h2load", [find_tool("h2load", "nghttp2-client"), "-n", "20000", "-c", "4", "-m", "50",
                                             f"http://{proxy.address}/1k"])
    for _ in range(3):
        time.sleep(0.2)
        status, body = proxy.node.reload(proxy.node.proxy_socket)
        assert status == 200, body
    load.wait(90)
    assert "20000 succeeded, 0 failed, 0 errored" in load.log(), load.log()
    _, text = control(proxy.node.proxy_socket, "GET", "/metrics")
    assert "vipair_proxy_http2_streams_total 20000" in text


def test_a_stop_says_goaway(test):
    proxy = proxy_with_http2()
    with proxy.connect(20) as client:
        client.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04\x00" + bytes(4))
        proxy.node.proxy.signal(signal.SIGTERM)
        received = b""
        while chunk := client.socket.recv(4096):
            received += chunk
    frames = []
    while len(received) >= 9:
        size = int.from_bytes(received[:3], "big")
        frames.append((received[3], received[9:9 + size]))
        received = received[9 + size:]
    goaways = [payload for kind, payload in frames if kind == 7]
    assert len(goaways) == 2 and goaways[0] == b"\x7f\xff\xff\xff" + bytes(4) and goaways[1] == bytes(8), frames
    assert proxy.node.proxy.wait() == 0


def test_an_upstream_that_speaks_http2(test):
    site = {"site": {"hosts": ["*"],
                     "upstreams": [{"name": "h2", "protocol": "h2", "servers": [f"127.0.0.1:{ORIGIN_PORT}"]}],
                     "routes": [{"path": "/", "upstream": "h2"}]}}
    proxy = proxy_with_http2(site)
    files = proxy.node.folder / "files"
    files.mkdir()
    for name in ("1k", "64k", "1m"):
        (files / name).write_bytes(body_of(name))
    origin = proxy.node.start("nghttpd", [find_tool("nghttpd", "nghttp2-server"), "--no-tls", "--echo-upload", "-d", str(files), str(ORIGIN_PORT)])
    wait_for("nghttpd listens", lambda: can_connect(proxy.node, "127.0.0.1", ORIGIN_PORT), show=origin.log)
    for name in ("1k", "64k", "1m"):
        for version in ("--http2-prior-knowledge", "--http1.1"):
            assert fetch(proxy, f"/{name}", version) == body_of(name)
    upload = proxy.node.folder / "upload"
    upload.write_bytes(body_of("1m"))
    assert fetch(proxy, "/echo", "--http2-prior-knowledge", "--data-binary", f"@{upload}") == body_of("1m")
    load = proxy.lab.client.run([find_tool("h2load", "nghttp2-client"), "-n", "2000", "-c", "4", "-m", "50",
                                 f"http://{proxy.address}/1k"], seconds=60)
    assert "2000 succeeded, 0 failed, 0 errored" in load.stdout, load.stdout
    upstream = json.loads(control(proxy.node.proxy_socket, "GET", "/status")[1])["upstreams"][0]
    assert upstream["servers"][0]["failures"] == 0, upstream
