"""Compressed responses, with curl as a client and nginx as origin, over HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import gzip
import re
import threading
import zlib

from lab import can_connect, control, find_tool, wait_for
from scripted_origin import ScriptedOrigin
from test_proxy import Proxy

H2_ORIGIN_PORT = 9001
SCRIPTED_PORT = 9002
PAGE = "".join(f"<li><a href=\"/item/{number}\">item {number} of the page</a></li>\n" for number in range(4000)).encode()


def compressing(upstream: dict = None, types: list = ("text/plain", "text/html"), **settings) -> Proxy:
    """A proxy that compresses; the page stands at both origins."""
    def site(node) -> dict:
        for origin in node.lab.origins:
            (origin.folder / "page").write_bytes(PAGE)
            (origin.folder / "photo").write_bytes(PAGE)
        site = node.site_settings()
        site["site"]["compression"] = {"types": list(types)}
        if upstream:
            site["site"]["upstreams"] = [upstream]
            site["site"]["routes"] = [{"path": "/", "upstream": upstream["name"]}]
        return site

    return Proxy(site=site, listeners=[{"address": "0.0.0.0:80", "http2": True}], **settings)


def fetch(proxy: Proxy, path: str, *arguments: str) -> tuple:
    """The head in lower case, and the body as curl writes it."""
    head, body = proxy.node.folder / "head", proxy.node.folder / "body"
    body.write_bytes(b"")
    proxy.lab.client.run(["curl", "-s", "--max-time", "10", "-D", str(head), "-o", str(body), *arguments,
                          f"http://{proxy.address}{path}"])
    return head.read_text().lower(), body.read_bytes()


def check_page(proxy: Proxy) -> None:
    for version in ("--http1.1", "--http2-prior-knowledge"):
        head, body = fetch(proxy, "/page", version, "--compressed")
        assert "content-encoding: br" in head, head
        assert body == PAGE
        head, body = fetch(proxy, "/page", version, "-H", "Accept-Encoding: gzip")
        assert "content-encoding: gzip" in head and "vary: accept-encoding" in head, head
        assert "content-length" not in head, head
        assert gzip.decompress(body) == PAGE and len(body) < len(PAGE) / 4
        head, body = fetch(proxy, "/page", version)
        assert "content-encoding" not in head and "vary: accept-encoding" in head, head
        assert f"content-length: {len(PAGE)}" in head, head
        assert body == PAGE


def test_curl_gets_what_it_asks_for(test):
    proxy = compressing()
    check_page(proxy)
    head, body = fetch(proxy, "/page", "--http1.0", "-H", "Accept-Encoding: gzip")
    assert "content-encoding: gzip" in head and "transfer-encoding" not in head, head
    assert gzip.decompress(body) == PAGE
    _, metrics = control(proxy.node.proxy_socket, "GET", "/metrics")
    assert 'vipair_proxy_compressed_responses_total{coding="br"} 2' in metrics, metrics
    assert 'vipair_proxy_compressed_responses_total{coding="gzip"} 3' in metrics, metrics
    assert f"vipair_proxy_compression_input_bytes_total {5 * len(PAGE)}" in metrics, metrics


def test_an_origin_that_speaks_http2(test):
    proxy = compressing({"name": "h2", "protocol": "h2", "servers": [f"127.0.0.1:{H2_ORIGIN_PORT}"]})
    folder = proxy.node.folder / "h2"
    folder.mkdir()
    (folder / "page").write_bytes(PAGE)
    (folder / "nginx.conf").write_text(f"""
        daemon off; user root; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log info;
        events {{ worker_connections 256; }}
        http {{ access_log off; default_type text/html; client_body_temp_path {folder}/body;
          proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
          scgi_temp_path {folder}/scgi;
          server {{ listen 127.0.0.1:{H2_ORIGIN_PORT} http2; root {folder}; }} }}""")
    nginx = proxy.node.start("nginx-h2", [find_tool("nginx", "nginx-light"), "-p", str(folder),
                                          "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"])
    wait_for("nginx listens", lambda: can_connect(proxy.node, "127.0.0.1", H2_ORIGIN_PORT), show=nginx.log)
    check_page(proxy)


def test_caches_can_ask_whether_it_is_still_so(test):
    proxy = compressing()
    head, _ = fetch(proxy, "/page", "--compressed")
    tag = re.search(r"etag: (w/\S+)", head)[1].replace("w/", "W/")
    head, body = fetch(proxy, "/page", "--compressed", "-H", f"If-None-Match: {tag}")
    assert head.startswith("http/1.1 304") and f"etag: {tag.lower()}" in head and not body, head
    strong = tag[2:]
    head, _ = fetch(proxy, "/page", "-H", f"If-None-Match: {strong}")
    assert head.startswith("http/1.1 304") and f"etag: {strong}" in head and "w/" not in head, head


def test_parts_are_passed_on_as_they_are(test):
    proxy = compressing()
    head, body = fetch(proxy, "/page", "-H", "Accept-Encoding: gzip", "-r", "100-199")
    assert head.startswith("http/1.1 206") and "content-encoding" not in head, head
    assert body == PAGE[100:200]
    head, body = fetch(proxy, "/page", "-I", "-H", "Accept-Encoding: gzip")
    assert "content-encoding: gzip" in head and "content-length" not in head, head


def test_types_that_were_not_named_stay(test):
    proxy = compressing(types=["text/html"])
    head, body = fetch(proxy, "/page", "--compressed")
    assert "content-encoding" not in head and "vary" not in head, head
    assert body == PAGE


def test_events_arrive_when_they_are_sent(test):
    proxy = compressing({"name": "events", "servers": [f"127.0.0.1:{SCRIPTED_PORT}"]}, types=["text/event-stream"])
    origin = ScriptedOrigin(proxy.node, "127.0.0.1", SCRIPTED_PORT)
    heard = threading.Event()

    def events(connection) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for number in range(10):
            connection.sendall(b"data: %d\n\n" % number)
            assert heard.wait(5), f"event {number} was not heard before the next one"
            heard.clear()
        return False

    origin.scripts["/events"] = events
    for version in ("--http1.1", "--http2-prior-knowledge"):
        curl = proxy.lab.client.start(f"curl{version}", ["curl", "-sN", "--max-time", "20", version, "-H",
                                                         "Accept-Encoding: gzip", f"http://{proxy.address}/events"])

        def text() -> bytes:
            return zlib.decompressobj(31).decompress(curl.log_path.read_bytes())

        for number in range(10):
            wait_for(f"event {number}", lambda: f"data: {number}\n\n".encode() in text(), show=text)
            heard.set()
        assert curl.wait() == 0
        assert gzip.decompress(curl.log_path.read_bytes()).count(b"data: ") == 10
