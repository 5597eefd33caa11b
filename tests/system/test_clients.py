"""Programs of others before, behind and at the proxy: wrk, ab and openssl as clients, nginx, HAProxy and nghttpx as
neighbours on either side."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

from lab import ORIGIN_PORT, Host, Lab, can_connect, find_tool, wait_for
from test_load import BODIES
from test_proxy import Proxy
from test_tls import Certificates, Proxies as TlsProxies
from testing import alone, time_limit


def field_of(host: Host, url: str, name: str, *arguments: str) -> str:
    head = host.run([find_tool("curl", "curl"), "-sS", "-f", "--max-time", "20", "-o", "/dev/null", "-D", "-", *arguments, url]).stdout
    values = [line.split(":", 1)[1].strip() for line in head.splitlines() if line.lower().startswith(name.lower() + ":")]
    return ", ".join(values)


def check_all_files(host: Host, url: str, *arguments: str) -> None:
    """Every file, over one connection where it can be, an upload with a length, one in chunks, and a missing page."""
    curl = [find_tool("curl", "curl"), "-sS", "--max-time", "30", *arguments]
    files = {name: host.folder / f"fetched-{name}" for name in BODIES}
    wanted = [["-o", str(path), f"{url}/{name}"] for name, path in files.items()]
    if "--http2-prior-knowledge" in arguments:  # curl 7.88 trips over its second request on such a connection
        for each in wanted:
            host.run([*curl, "-f", *each])
    else:
        host.run([*curl, "-f", *sum(wanted, [])])
    for name, path in files.items():
        assert path.read_bytes() == BODIES[name], f"{url} {name}"
    upload = host.folder / "upload"
    upload.write_bytes(BODIES["1m"])
    is_http2 = "--http2-prior-knowledge" in arguments
    for length in ([], ["-H", "Content-Length:" if is_http2 else "Transfer-Encoding: chunked"]):
        host.run([*curl, "-f", *length, "--data-binary", f"@{upload}", "-o", str(files["1m"]), f"{url}/echo"])
        assert files["1m"].read_bytes() == BODIES["1m"], f"{url} {length}"
    status = host.run([*curl, "-o", "/dev/null", "-w", "%{http_code}", f"{url}/missing"]).stdout
    assert status == "404", f"{url}: {status}"


# ---- clients --------------------------------------------------------------------------------------


@alone
def test_wrk_sees_no_error(test):
    proxy = Proxy()
    for name in ("1k", "64k"):
        said = proxy.lab.client.run([find_tool("wrk", "wrk"), "-t", "1", "-c", "32", "-d", "2s", f"http://{proxy.address}/{name}"]).stdout
        assert "Requests/sec" in said and "Socket errors" not in said and "Non-2xx" not in said, said
        test.note(f"{name}: " + " ".join(next(line for line in said.splitlines() if "requests in" in line).split()))


def test_ab_speaks_http_1_0_and_keeps_the_connection(test):
    proxy = Proxy()
    for keeps in ([], ["-k"]):
        said = proxy.lab.client.run([find_tool("ab", "apache2-utils"), "-q", *keeps, "-n", "1000", "-c", "16",
                                     f"http://{proxy.address}/16k"]).stdout
        figures = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
        assert figures["Complete requests"].strip() == "1000" and figures["Failed requests"].strip() == "0", said
        assert "Non-2xx responses" not in figures and "Write errors" not in figures, said
        assert figures.get("Keep-Alive requests", "0").strip() == ("1000" if keeps else "0"), said


def test_openssl_agrees_on_a_protocol_and_may_not_negotiate_again(test):
    proxies = TlsProxies()
    for offered, chosen in (("h2,http/1.1", "h2"), ("http/1.1", "http/1.1"), ("h2", "h2"), ("http/1.1,h2", "h2")):
        said = proxies.openssl("-alpn", offered)
        assert f"ALPN protocol: {chosen}\n" in said, f"{offered}: {said}"
    assert "no application protocol" in proxies.openssl("-alpn", "spdy/3")
    client = proxies.s_client("-tls1_2", "-alpn", "http/1.1")
    client.stdin.write(b"R\n")  # s_client's word for it
    client.stdin.flush()
    time.sleep(0.5)
    try:
        out, _ = client.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        client.kill()
        out, _ = client.communicate()
    assert b"RENEGOTIATING" in out and b"no renegotiation" in out, out[-1500:]
    assert proxies.curl("https://a.test/1k", "-o", "/dev/null", "-w", "%{http_code}") == "200"


@time_limit(120)
def test_h2load_with_uploads_tiny_windows_and_many_streams(test):
    proxies = TlsProxies()
    upload = proxies.lab.client.folder / "upload"
    upload.write_bytes(BODIES["64k"])
    tool = find_tool("h2load", "nghttp2-client")
    for what, path, count, arguments in (
            ("uploads", "/echo", 300, ["-c", "4", "-m", "16", "-d", str(upload)]),
            ("windows of 255 bytes", "/16k", 100, ["-c", "2", "-m", "8", "-w", "8", "-W", "8"]),
            ("a window of 16 KiB for 64 streams", "/64k", 400, ["-c", "2", "-m", "64", "-W", "14"]),
            ("HTTP/1.1 over TLS", "/64k", 400, ["-c", "8", "--npn-list=http/1.1"])):
        said = proxies.lab.client.run([tool, "-n", str(count), *arguments, f"--connect-to={proxies.nodes[0].front}:443",
                                       f"https://a.test{path}"], seconds=60).stdout
        assert f"{count} succeeded, 0 failed, 0 errored, 0 timeout" in said, f"{what}: {said}"
        size = len(BODIES["64k" if path == "/echo" else path[1:]])
        data = int(re.search(r"\((\d+)\) data", said)[1])
        assert data == count * size, f"{what}: {data} bytes of bodies, not {count * size}"


# ---- neighbours in front --------------------------------------------------------------------------


class InFront:
    """The proxy with every kind of listener, trusting the client's host, where the neighbours run: what they say of
    their own client, 127.0.0.1, is believed."""

    def __init__(self):
        self.lab = Lab()
        self.node = self.lab.a
        self.host = self.lab.client
        self.certificates = Certificates(self.host.folder)
        site = self.node.site_settings()["site"]
        site.update(hosts=["*"], certificate=self.certificates.issue("a", "DNS:a.test"))
        settings = self.node.proxy_settings()
        settings["trusted_proxies"] = ["192.0.2.50"]
        settings["listeners"] = [
            {"address": "0.0.0.0:80", "http2": True}, {"address": "0.0.0.0:81", "proxy_protocol": True},
            {"address": "0.0.0.0:443", "tls": True}, {"address": "0.0.0.0:444", "tls": True, "proxy_protocol": True}]
        self.node.write_files(proxy=settings, site={"site": site})
        self.node.start_proxy()
        wait_for("the proxy listens", lambda: can_connect(self.host, self.node.front, 443), show=self.node.proxy.log)

    def start(self, name: str, argv: list, ports: list) -> None:
        process = self.host.start(name, argv)
        for port in ports:
            wait_for(f"{name} listens on {port}", lambda: can_connect(self.host, "127.0.0.1", port), show=process.log)

    def check(self, port: int, what: str, by_header: bool = False) -> None:
        """by_header: the neighbour tells of its client in a PROXY header, so that it is none itself."""
        url = f"http://127.0.0.1:{port}"
        check_all_files(self.host, url)
        seen = field_of(self.host, f"{url}/1k", "X-Seen-For")
        expected = "127.0.0.1" if by_header else "127.0.0.1, 192.0.2.50"
        assert seen == expected, f"{what}: the origin sees {seen!r}, not {expected!r}"


@time_limit(120)
def test_haproxy_in_front(test):
    scene = InFront()
    ca, front = scene.certificates.ca, scene.node.front
    tls = f"ssl verify required ca-file {ca} sni str(a.test)"
    ways = {"http": f"{front}:80", "h2": f"{front}:80 proto h2", "tls": f"{front}:443 {tls} alpn http/1.1",
            "h2 over tls": f"{front}:443 {tls} alpn h2"}
    passed = {"PROXY v1": f"{front}:81 send-proxy", "PROXY v2": f"{front}:81 send-proxy-v2",
              "PROXY v2 and tls": f"{front}:444 send-proxy-v2 {tls} alpn http/1.1",
              "PROXY v2 and h2 over tls": f"{front}:444 send-proxy-v2 {tls} alpn h2"}
    ports = {name: 7100 + number for number, name in enumerate([*ways, *passed])}
    sections = "".join(
        f"listen way{port}\n  bind 127.0.0.1:{port}\n" + ("  option forwardfor\n" if name in ways else "") +
        f"  server vipair {(ways | passed)[name]}\n" for name, port in ports.items())
    config = scene.host.folder / "haproxy.cfg"
    config.write_text("global\n  maxconn 200\ndefaults\n  mode http\n  timeout client 20s\n  timeout server 20s\n"
                      f"  timeout connect 5s\n{sections}")
    scene.start("haproxy", [find_tool("haproxy", "haproxy"), "-db", "-f", str(config)], list(ports.values()))
    for name, port in ports.items():
        scene.check(port, name, by_header=name in passed)


@time_limit(90)
def test_nginx_in_front(test):
    scene = InFront()
    folder, front = scene.host.folder, scene.node.front
    forward = "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header X-Forwarded-For $remote_addr; proxy_request_buffering off;"
    tls = f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {scene.certificates.ca}; proxy_ssl_name a.test; proxy_ssl_server_name on;"
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "front.conf").write_text(f"""
        daemon off; user root; worker_processes 1; pid {folder}/front.pid; error_log {folder}/front-error.log info;
        events {{ worker_connections 500; }}
        http {{ access_log off; client_max_body_size 0; {temporary}
          upstream kept {{ server {front}:80; keepalive 8; }}
          upstream kept_tls {{ server {front}:443; keepalive 8; }}
          server {{ listen 127.0.0.1:7200; location / {{ proxy_pass http://kept; {forward} }} }}
          server {{ listen 127.0.0.1:7201; location / {{ proxy_pass https://kept_tls; {forward} {tls} }} }}
          server {{ listen 127.0.0.1:7202; location / {{ proxy_pass http://{front}:80; proxy_set_header X-Forwarded-For $remote_addr; }} }} }}""")
    scene.start("nginx", [find_tool("nginx", "nginx-light"), "-p", str(folder), "-e", str(folder / "front-error.log"),
                          "-c", str(folder / "front.conf")], [7200, 7201, 7202])
    for port, what in ((7200, "kept"), (7201, "kept over tls"), (7202, "HTTP/1.0")):
        scene.check(port, what)


@time_limit(90)
def test_nghttpx_in_front(test):
    scene = InFront()
    for port, parameters in ((7300, "proto=h2"), (7301, "proto=http/1.1")):
        scene.start(f"nghttpx-{port}", [find_tool("nghttpx", "nghttp2-proxy"), "--conf=/dev/null", "--workers=1",
                                        f"--frontend=127.0.0.1,{port};no-tls",
                                        f"--backend={scene.node.front},80;;{parameters}", "--add-x-forwarded-for",
                                        "--strip-incoming-x-forwarded-for", "--errorlog-file=/dev/stderr"], [port])
        scene.check(port, parameters)
        check_all_files(scene.host, f"http://127.0.0.1:{port}", "--http2-prior-knowledge")


# ---- neighbours behind ----------------------------------------------------------------------------


@time_limit(120)
def test_haproxy_and_nginx_behind(test):
    """HAProxy on the origin's host before its nginx, spoken to in every way that an upstream can be configured for."""
    lab = Lab(origins=1)
    node, client, origin = lab.a, lab.client, lab.origins[0]
    certificates = Certificates(origin.folder)
    issued = certificates.issue("app", "DNS:app.internal")
    pem = origin.folder / "both.pem"
    pem.write_text(Path(issued["certificate_file"]).read_text() + Path(issued["key_file"]).read_text())
    config = origin.folder / "haproxy.cfg"
    config.write_text(f"""
global
  maxconn 500
defaults
  mode http
  option forwardfor if-none
  timeout client 20s
  timeout server 20s
  timeout connect 5s
  timeout http-keep-alive 20s
frontend all
  bind {origin.address}:9201
  bind {origin.address}:9202 proto h2
  bind {origin.address}:9203 ssl crt {pem} alpn http/1.1
  bind {origin.address}:9204 ssl crt {pem} alpn h2
  bind {origin.address}:9205 accept-proxy
  bind {origin.address}:9207 accept-proxy ssl crt {pem} alpn http/1.1
  http-after-response set-header X-Source %[src]
  default_backend nginx
backend nginx
  server nginx {origin.address}:{ORIGIN_PORT}
""")
    process = origin.start("haproxy", [find_tool("haproxy", "haproxy"), "-db", "-f", str(config)])
    wait_for("haproxy listens", lambda: can_connect(origin, origin.address, 9205), show=process.log)
    (origin.folder / "tls.conf").write_text(f"""
        daemon off; user root; worker_processes 1; pid {origin.folder}/tls.pid; error_log {origin.folder}/tls-error.log info;
        events {{ worker_connections 500; }}
        http {{ access_log off; client_max_body_size 0; client_body_temp_path {origin.folder}/b; proxy_temp_path {origin.folder}/p;
          fastcgi_temp_path {origin.folder}/f; uwsgi_temp_path {origin.folder}/u; scgi_temp_path {origin.folder}/s;
          server {{ listen {origin.address}:9206 ssl; ssl_certificate {issued['certificate_file']}; ssl_certificate_key {issued['key_file']};
            ssl_protocols TLSv1.2; location / {{ proxy_pass http://{origin.address}:{ORIGIN_PORT}; proxy_request_buffering off; }} }} }}""")
    nginx = origin.start("nginx-tls", [find_tool("nginx", "nginx-light"), "-p", str(origin.folder), "-e", str(origin.folder / "tls-error.log"),
                                       "-c", str(origin.folder / "tls.conf")])
    wait_for("nginx listens with TLS", lambda: can_connect(origin, origin.address, 9206), show=nginx.log)
    tls = {"tls": {"server_name": "app.internal", "ca_file": str(certificates.ca)}}
    ways = {"http1": (9201, {}), "h2": (9202, {"protocol": "h2"}), "tls": (9203, tls), "h2-tls": (9204, {"protocol": "h2", **tls}),
            "proxied": (9205, {"send_proxy_protocol": "v2"}), "proxied-v1": (9205, {"send_proxy_protocol": "v1"}),
            "proxied-tls": (9207, {"send_proxy_protocol": "v2", **tls}), "nginx-tls": (9206, tls)}
    for name, (_, more) in ways.items():
        kind = "tcp" if "protocol" in more else "https" if "tls" in name else "http"  # checks speak HTTP/1.1
        more["health"] = {"type": kind, "interval": "300ms", **({} if kind == "tcp" else {"path": "/1k"})}
    site = {"hosts": ["*"],
            "upstreams": [{"name": name, "servers": [f"{origin.address}:{port}"], **more} for name, (port, more) in ways.items()],
            "routes": [{"path": f"/{name}", "upstream": name, "rewrite_prefix": "/"} for name in ways]}
    settings = node.proxy_settings()
    settings["listeners"] = [{"address": "0.0.0.0:80", "http2": True}]
    node.write_files(proxy=settings, site={"site": site})
    node.start_proxy()
    wait_for("the proxy listens", lambda: can_connect(client, node.front, 80), show=node.proxy.log)
    for number, name in enumerate(ways):
        check_all_files(client, f"http://{node.front}/{name}", ("--http1.1", "--http2-prior-knowledge")[number % 2])
        if name.startswith("proxied"):
            source = field_of(client, f"http://{node.front}/{name}/1k", "X-Source")
            assert source == "192.0.2.50", f"{name}: HAProxy sees {source!r}"
    for group in node.proxy_status()["upstreams"]:
        assert group["servers"][0]["up"], group
    failures = {group["name"]: group["servers"][0]["failures"] for group in node.proxy_status()["upstreams"]}
    assert set(failures.values()) == {0}, failures
