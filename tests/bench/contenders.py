"""The proxies that tests/bench/proxy.py compares, each as its documentation advises for a proxy with kept-alive upstream
connections and one worker (of several buffer sizes these were the fastest), and their processes."""
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PEERS = ["nginx", "haproxy"]
OURS = "vipair"
HOSTS_MAX = 10000
FILES = 65536  # descriptors that a proxy should have: a crowd of clients, and what it needs upstream

# Variants of the configuration:
#   plain · log: with access log · close: (the floor ends connections) · tunnel: WebSockets · h2: HTTP/2 in the clear
#   tls: TLS, HTTP/2 where the client offers it · hosts-N: so many sites · reload: can be told to read it anew
NGINX = """
daemon off; master_process on; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/nginx-error.log error;
worker_rlimit_nofile {files};
events {{ worker_connections {connections}; }}
http {{
  access_log {access_log};
  sendfile on; tcp_nopush on; tcp_nodelay on;
  keepalive_timeout 60s; keepalive_requests 1000000000;
  client_body_temp_path {dir}/nginx-body; proxy_temp_path {dir}/nginx-proxy; fastcgi_temp_path {dir}/nginx-fastcgi;
  uwsgi_temp_path {dir}/nginx-uwsgi; scgi_temp_path {dir}/nginx-scgi;
  client_max_body_size 0; client_body_buffer_size 64k;
  proxy_buffer_size 16k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k; proxy_max_temp_file_size 0;
  upstream origin {{ server {origin}; keepalive 1024; keepalive_requests 1000000000; }}
  server_names_hash_max_size 131072; server_names_hash_bucket_size 128;
  proxy_http_version 1.1; {connection} proxy_request_buffering off;
  proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
  {tls}
  {servers}
}}
"""
NGINX_TLS = """
  ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_timeout 1d; ssl_buffer_size 16k;
"""
NGINX_SERVER = """
  server {{ listen 127.0.0.1:{port}{options}; server_name {host}; location / {{ proxy_pass http://origin; }} }}
"""

HAPROXY = """
global
  nbthread 1
  maxconn {connections}
  no strict-limits
  tune.maxrewrite 1024
  ssl-default-bind-curves X25519:P-256
  ssl-default-bind-options ssl-min-ver TLSv1.2
  stats socket {dir}/{name}.sock level admin expose-fd listeners
  {log_target}
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  timeout tunnel 1h
  timeout http-request 10s
  timeout http-keep-alive 60s
  option splice-auto
  option http-keep-alive
  http-reuse always
  {log}
frontend front
  bind 127.0.0.1:{port} backlog 4096{bind_options}
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  {backend}
backend origin
  server origin {origin} pool-max-conn -1
"""

PROXYD = """
workers = 1;
listeners = ( {{ address = "127.0.0.1:{port}"; http2 = {http2}; {tls} }} );
{certificate}
access_log = {{ path = "{dir}/vipair-access.log"; format = "{format}"; }};
control_socket = "{dir}/{name}.sock";
gate_socket = "{dir}/{name}-gate.sock";
sites = ( {sites} );
"""
PROXYD_SITE = """
{{ hosts = [ "{host}" ];
  upstreams = ( {{ name = "origin"; servers = [ "{origin}" ]; keep_alive = {{ idle_connections = 1024; }}; }} );
  routes = ( {{ path = "/"; upstream = "origin"; }} ); }}"""


def raise_file_limit():
    """For this process and all that it starts, as far as it may; how many there are now."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for files in (max(FILES, hard), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
            break
        except (ValueError, OSError):
            pass
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def host_name(number):
    return f"h{number}.bench.example"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process, what):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"{what} ended with status {process.returncode} instead of serving")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{what} does not listen on port {port}")


def worker_of(process, what):
    """The one worker of a master process, which listens before it forks."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if len(found) == 1:
            return int(found[0])
        time.sleep(0.05)
    raise SystemExit(f"{what} has no worker")


class Contender:
    """A running proxy. `pid` is the process that does the work."""

    def __init__(self, name, process, port, pid):
        self.name, self.process, self.port, self.pid = name, process, port, pid

    def reload(self):
        self.process.send_signal(signal.SIGUSR2 if self.name == "haproxy" else signal.SIGHUP)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Contenders:
    """Starts them, each with its one worker on `core`."""

    def __init__(self, programs, folder, core, origin, files):
        self.programs, self.folder, self.core, self.origin, self.files = programs, folder, core, origin, files
        self.running = {}  # (name, variant)
        self.all = []
        self.certificate = None

    def get(self, name, variant):
        if (name, variant) not in self.running:
            self.running[name, variant] = self.start(name, variant)
        return self.running[name, variant]

    def stop(self, contenders=None):
        stopped = self.all if contenders is None else contenders
        for each in stopped:
            each.stop()
        deadline = time.monotonic() + 3
        for each in stopped:
            each.wait(max(0.1, deadline - time.monotonic()))

    def run(self, command, core, what, port):
        """What it says goes to a file of the folder."""
        with open(self.folder / f"{what}.out", "wb") as log:
            process = subprocess.Popen(["taskset", "-c", str(core), *map(str, command)], stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=subprocess.STDOUT, cwd=self.folder)
        contender = Contender(what, process, port, process.pid)
        self.all.append(contender)
        try:
            wait_for_port(port, process, what)
        except SystemExit as failure:
            raise SystemExit(f"{failure}\n{(self.folder / f'{what}.out').read_text(errors='replace')[-2000:]}")
        return contender

    def start(self, name, variant):
        port = free_port()
        what = f"{name}-{variant}-{len(self.all)}"
        values = {"dir": self.folder, "port": port, "origin": self.origin, "name": what, "files": self.files,
                  "connections": self.files // 2 - 500}
        command = getattr(self, f"configure_{name}")(variant, what, values)
        contender = self.run(command, self.core, what, port)
        contender.name = name
        if name == "nginx" or (name == "haproxy" and variant == "reload"):
            contender.pid = worker_of(contender.process, what)
        return contender

    def hosts(self, variant):
        return [host_name(i) for i in range(int(variant[6:]))] if variant.startswith("hosts-") else []

    def make_certificate(self):
        """Of a key of its own, P-256; one file with both for HAProxy."""
        if self.certificate is None:
            key, certificate = self.folder / "bench.key", self.folder / "bench.crt"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=bench.example",
                            "-addext", "subjectAltName=DNS:bench.example"], check=True, stderr=subprocess.DEVNULL)
            (self.folder / "bench.pem").write_bytes(certificate.read_bytes() + key.read_bytes())
            self.certificate = {"certificate": certificate, "key": key, "both": self.folder / "bench.pem"}
        return self.certificate

    def configure_floor(self, variant, what, values):
        command = [self.programs["floor"], f"127.0.0.1:{values['port']}", values["origin"]]
        if variant == "close":
            command.append("--close")
        return command + (["--log", self.folder / "floor.log"] if variant == "log" else [])

    def configure_nginx(self, variant, what, values):
        hosts = self.hosts(variant)
        options = {"h2": " http2", "tls": " ssl http2"}.get(variant, "") + " backlog=4096"
        values["access_log"] = (f"{self.folder}/nginx-access.log combined buffer=64k flush=5s" if variant == "log"
                                else "off")
        values["connection"] = ('proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
                                if variant == "tunnel" else 'proxy_set_header Connection "";')
        values["tls"] = NGINX_TLS.format(**self.make_certificate()) if variant == "tls" else ""
        values["servers"] = "".join(NGINX_SERVER.format(port=values["port"], host=host, options="" if i else options)
                                    for i, host in enumerate(hosts or ["_"]))
        config = self.folder / f"{what}.conf"
        config.write_text(NGINX.format(**values))
        return [self.programs["nginx"], "-p", self.folder, "-c", config]

    def configure_haproxy(self, variant, what, values):
        hosts = self.hosts(variant)
        values["log_target"] = "log stdout format raw local0" if variant == "log" else ""
        values["log"] = "log global\n  option httplog" if variant == "log" else ""
        values["backend"] = "default_backend origin"
        values["bind_options"] = " proto h2" if variant == "h2" else ""
        if variant == "tls":
            values["bind_options"] = f" ssl crt {self.make_certificate()['both']} alpn h2,http/1.1"
        if hosts:
            names = self.folder / f"{what}.map"
            names.write_text("".join(f"{host} origin\n" for host in hosts))
            values["backend"] = f"use_backend %[req.hdr(host),lower,map_str({names})]"
        config = self.folder / f"{what}.cfg"
        config.write_text(HAPROXY.format(**values))
        return [self.programs["haproxy"], "-W" if variant == "reload" else "-db", "-f", config]

    def configure_vipair(self, variant, what, values):
        values["sites"] = ",".join(PROXYD_SITE.format(host=host, **values) for host in self.hosts(variant) or ["*"])
        values["format"] = "combined" if variant == "log" else "off"
        values["http2"] = "true" if variant in ("h2", "tls") else "false"
        values["tls"], values["certificate"] = "", ""
        if variant == "tls":
            made = self.make_certificate()
            values["tls"] = "tls = true;"
            values["certificate"] = f'certificate = {{ certificate_file = "{made["certificate"]}"; key_file = "{made["key"]}"; }};'
        config = self.folder / f"{what}.conf"
        config.write_text(PROXYD.format(**values))
        return [self.programs[OURS], "--config", config]


def find_programs(bin_folder, wanted):
    programs = {name: bin_folder / "bench" / name for name in ("load", "origin", "floor", "crowd")}
    programs[OURS] = bin_folder / "vipair-proxyd"
    for name in PEERS:
        found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        programs[name] = Path(found) if found else None
    missing = [str(path or name) for name, path in programs.items()
               if name in ("load", "origin", *wanted) and not (path and path.exists())]
    if missing:
        raise SystemExit("missing: " + ", ".join(missing) + " (tests/install.sh installs, the README builds)")
    return programs
