#!/usr/bin/env python3
"""What a request costs: CPU microseconds per request of vipair-proxyd, nginx and HAProxy, side by side.

Each proxy runs one worker pinned to a core of its own; the load generator and the origin run on the other core (or on
two others). The contenders take turns within each round, so that a noisy minute hurts all of them. The load generator
checks every response, counts, and reads the CPU clock of the proxy's processes at exactly the two moments between which
it counts. `floor` is a program that makes the same system calls and parses nothing (tests/bench/floor.cpp): what is
above it is the proxy's own code.

  tests/bench/proxy.py [--rounds N] [--seconds S] [--rows keep-alive,log,...] [--json FILE] [--bin build/release/bin]

Everything happens on loopback; nothing but the programs and a temporary folder is used, and both end with this script.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# name: (title, arguments of the load generator, variant of the contenders' configuration)
ROWS = {
    "keep-alive": ("HTTP/1.1 keep-alive, 1 KiB, 64 connections", ["--connections", "64"], "plain"),
    "few": ("the same with 4 connections: mostly waiting", ["--connections", "4"], "plain"),
    "log": ("1 KiB, 64 connections, with access log", ["--connections", "64"], "log"),
    "64k": ("64 KiB body, 64 connections", ["--connections", "64", "--path", "/65536"], "plain"),
    "1m": ("1 MiB body, 16 connections", ["--connections", "16", "--path", "/1048576"], "plain"),
    "upload": ("upload of 1 MiB, 16 connections", ["--connections", "16", "--upload", "1048576"], "plain"),
    "websocket": ("WebSocket echo of 64 bytes, 64 connections", ["--connections", "64", "--websocket", "64"], "tunnel"),
    "tunnel-64k": ("WebSocket echo of 64 KiB, 16 connections", ["--connections", "16", "--websocket", "65536"], "tunnel"),
    "close": ("connection per request, 64 at once", ["--connections", "64", "--close"], "close"),
    "h2": ("HTTP/2 in the clear, 1 KiB, 4 connections with 100 streams", None, "h2"),
    "h2-one": ("the same with one stream on each of 64 connections", None, "h2"),
    "hosts": ("10,000 hosts, 64 connections", ["--connections", "64", "--host", "h9999.bench.example"], "hosts"),
}
# These are asked by h2load, which counts in requests: so many per second that is asked for.
H2LOAD = {"h2": ["-c", "4", "-m", "100"], "h2-one": ["-c", "64", "-m", "1"]}
H2_REQUESTS_PER_SECOND = 30000
HOSTS = [f"h{i}.bench.example" for i in range(10000)]
PEERS = ["nginx", "haproxy"]
OURS = "vipair"

# Both as their documentation advises for a proxy with kept-alive upstream connections; of several buffer sizes these
# were the fastest.
NGINX = """
daemon off; master_process on; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/nginx-error.log error;
events {{ worker_connections 4096; }}
http {{
  access_log {access_log};
  sendfile on; tcp_nopush on; tcp_nodelay on;
  keepalive_timeout 60s; keepalive_requests 1000000000;
  client_body_temp_path {dir}/nginx-body; proxy_temp_path {dir}/nginx-proxy; fastcgi_temp_path {dir}/nginx-fastcgi;
  uwsgi_temp_path {dir}/nginx-uwsgi; scgi_temp_path {dir}/nginx-scgi;
  client_max_body_size 0; client_body_buffer_size 64k;
  proxy_buffer_size 16k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k; proxy_max_temp_file_size 0;
  upstream origin {{ server {origin}; keepalive 256; keepalive_requests 1000000000; }}
  server_names_hash_max_size 131072; server_names_hash_bucket_size 128;
  proxy_http_version 1.1; {connection} proxy_request_buffering off;
  proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
  {servers}
}}
"""
NGINX_SERVER = """
  server {{ listen 127.0.0.1:{port}{options}; server_name {host}; location / {{ proxy_pass http://origin; }} }}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 4096
  tune.maxrewrite 1024
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
listeners = ( {{ address = "127.0.0.1:{port}"; http2 = {http2}; }} );
access_log = {{ path = "{dir}/vipair-access.log"; format = "{format}"; }};
control_socket = "{dir}/{name}.sock";
gate_socket = "{dir}/{name}-gate.sock";
sites = ( {sites} );
"""
PROXYD_SITE = """
{{ hosts = [ "{host}" ];
  upstreams = ( {{ name = "origin"; servers = [ "{origin}" ]; keep_alive = {{ idle_connections = 256; }}; }} );
  routes = ( {{ path = "/"; upstream = "origin"; }} ); }}"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process, what):
    deadline = time.monotonic() + 10
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


def cpu_seconds(pid):
    """Of all its threads so far, to the nanosecond (clock_getcpuclockid)."""
    return time.clock_gettime((~pid << 3) | 2)


class Bench:
    def __init__(self, programs, folder, proxy_core, load_cores):
        self.programs = programs
        self.folder = folder
        self.proxy_core = proxy_core
        self.load_core, self.origin_core = load_cores
        self.processes = []
        self.origin_port = free_port()
        self.contenders = {}  # (name, variant) -> (port, pids)

    def start(self, command, core, what, port):
        log = open(self.folder / f"{what}.out", "wb")
        process = subprocess.Popen(["taskset", "-c", str(core), *map(str, command)], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, cwd=self.folder)
        log.close()
        self.processes.append(process)
        try:
            wait_for_port(port, process, what)
        except SystemExit as failure:
            raise SystemExit(f"{failure}\n{(self.folder / f'{what}.out').read_text(errors='replace')[-2000:]}")
        return process

    def start_origin(self):
        self.start([self.programs["origin"], f"127.0.0.1:{self.origin_port}"], self.origin_core, "origin",
                   self.origin_port)

    def start_contender(self, name, variant):
        port = free_port()
        what = f"{name}-{variant}"
        values = {"dir": self.folder, "port": port, "origin": f"127.0.0.1:{self.origin_port}", "name": what}
        has_log = variant == "log"
        has_h2 = variant == "h2"
        hosts = HOSTS if variant == "hosts" else []
        if name == "floor":
            command = [self.programs["floor"], f"127.0.0.1:{port}", values["origin"]]
            command += ["--close"] if variant == "close" else ["--log", self.folder / "floor.log"] if has_log else []
            process = self.start(command, self.proxy_core, what, port)
            pids = [process.pid]
        elif name == "nginx":
            values["access_log"] = f"{self.folder}/nginx-access.log combined buffer=64k flush=5s" if has_log else "off"
            values["connection"] = ('proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
                                    if variant == "tunnel" else 'proxy_set_header Connection "";')
            http2 = " http2" if has_h2 else ""
            values["servers"] = "".join(NGINX_SERVER.format(port=port, host=host,
                                                            options="" if i else f"{http2} backlog=4096")
                                        for i, host in enumerate(hosts or ["_"]))
            config = self.folder / f"{what}.conf"
            config.write_text(NGINX.format(**values))
            process = self.start([self.programs["nginx"], "-p", self.folder, "-c", config], self.proxy_core, what, port)
            pids = [worker_of(process, what)]
        elif name == "haproxy":
            values["log_target"] = "log stdout format raw local0" if has_log else ""
            values["log"] = "log global\n  option httplog" if has_log else ""
            values["backend"] = "default_backend origin"
            values["bind_options"] = " proto h2" if has_h2 else ""
            if hosts:
                names = self.folder / "hosts.map"
                names.write_text("".join(f"{host} origin\n" for host in hosts))
                values["backend"] = f"use_backend %[req.hdr(host),lower,map_str({names})]"
            config = self.folder / f"{what}.cfg"
            config.write_text(HAPROXY.format(**values))
            process = self.start([self.programs["haproxy"], "-db", "-f", config], self.proxy_core, what, port)
            pids = [process.pid]
        else:
            values["sites"] = ",".join(PROXYD_SITE.format(host=host, **values) for host in hosts or ["*"])
            values["format"] = "combined" if has_log else "off"
            values["http2"] = "true" if has_h2 else "false"
            config = self.folder / f"{what}.conf"
            config.write_text(PROXYD.format(**values))
            process = self.start([self.programs[OURS], "--config", config], self.proxy_core, what, port)
            pids = [process.pid]
        self.contenders[name, variant] = (port, pids)

    def measure(self, name, row, seconds, warm_up):
        _, arguments, variant = ROWS[row]
        if (name, variant) not in self.contenders:
            self.start_contender(name, variant)
        port, pids = self.contenders[name, variant]
        if row in H2LOAD:
            return self.measure_with_h2load(name, row, port, pids, seconds, warm_up)
        command = ["taskset", "-c", str(self.load_core), self.programs["load"], "--target", f"127.0.0.1:{port}",
                   "--seconds", seconds, "--warm-up", warm_up, "--core", self.proxy_core, *arguments]
        for pid in pids:
            command += ["--watch", pid]
        result = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                timeout=seconds + warm_up + 30)
        if result.returncode != 0:
            raise SystemExit(f"{name}, {row}: {result.stderr.decode(errors='replace').strip()}")
        sample = json.loads(result.stdout)
        if sample["requests"] == 0:
            raise SystemExit(f"{name}, {row}: no request was answered: {sample}")
        return {
            "us": sample["cpu_ns"] / 1000 / sample["requests"],
            "per_second": sample["requests"] / sample["seconds"],
            "busy": sample["cpu_ns"] / 1e9 / sample["seconds"],
            "others": max(0.0, 1 - sample["core_idle"] - sample["cpu_ns"] / 1e9 / sample["seconds"]),
            "errors": sample["errors"],
        }

    def measure_with_h2load(self, name, row, port, pids, seconds, warm_up):
        def ask(requests):
            command = ["taskset", "-c", self.load_core, "h2load", "-n", requests, *H2LOAD[row],
                       f"http://127.0.0.1:{port}/1024"]
            began, before = time.monotonic(), sum(cpu_seconds(pid) for pid in pids)
            result = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            cpu, wall = sum(cpu_seconds(pid) for pid in pids) - before, time.monotonic() - began
            found = re.search(r"(\d+) 2xx", result.stdout.decode(errors="replace"))
            return cpu, wall, int(found[1]) if found else 0

        ask(int(H2_REQUESTS_PER_SECOND * warm_up))
        wanted = int(H2_REQUESTS_PER_SECOND * seconds)
        cpu, wall, answered = ask(wanted)
        if answered == 0:
            raise SystemExit(f"{name}, {row}: no request was answered")
        return {"us": cpu * 1e6 / answered, "per_second": answered / wall, "busy": cpu / wall, "others": 0.0,
                "errors": wanted - answered}

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 3
        for process in self.processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def version(program, pattern, *arguments):
    output = subprocess.run([str(program), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    found = re.search(pattern, output.decode(errors="replace"))
    return found[1] if found else "?"


def summary(samples):
    values = [sample["us"] for sample in samples]
    return {
        "us": statistics.median(values),
        "us_min": min(values),
        "us_max": max(values),
        "per_second": statistics.median(sample["per_second"] for sample in samples),
        "busy": statistics.median(sample["busy"] for sample in samples),  # of its core, by the proxy
        "others": statistics.median(sample["others"] for sample in samples),  # of that core, by anybody else
        "errors": sum(sample["errors"] for sample in samples),
        "samples": [round(value, 3) for value in values],
    }


def paired_ratio(ours, peers):
    """Median over the rounds of our cost divided by the better peer's of the same round: what is noisy for all of them
    in one round cancels out."""
    if not ours or not peers:
        return None
    best = min(peers, key=lambda samples: statistics.median(sample["us"] for sample in samples))
    return statistics.median(a["us"] / b["us"] for a, b in zip(ours, best))


def print_row(title, names, results, ratio):
    print(f"\n{title}")
    for name in names:
        cell = results[name]
        line = (f"  {name:8} {cell['us']:8.2f} µs  [{cell['us_min']:.2f} … {cell['us_max']:.2f}]"
                f"  {cell['per_second']:9.0f} requests/s, busy {cell['busy'] * 100:3.0f} %")
        if cell["others"] > 0.05:
            line += f" (others on its core: {cell['others'] * 100:.0f} %)"
        if name in ratio and ratio[name] is not None:
            line += f"  {ratio[name]:.3f} of the better peer"
        if cell["errors"]:
            line += f"  {cell['errors']} ERRORS"
        print(line)
    sys.stdout.flush()


def find_programs(bin_folder, wanted):
    programs = {name: bin_folder / "bench" / name for name in ("load", "origin", "floor")}
    programs[OURS] = bin_folder / "vipair-proxyd"
    for name in PEERS:
        found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        programs[name] = Path(found) if found else None
    missing = [str(path or name) for name, path in programs.items()
               if name in ("load", "origin", *wanted) and not (path and path.exists())]
    if missing:
        raise SystemExit("missing: " + ", ".join(missing) + " (tests/install.sh installs, the README builds)")
    return programs


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="turns per row, default 5")
    parser.add_argument("--seconds", type=float, default=2.0, help="measured per turn, default 2")
    parser.add_argument("--warm-up", type=float, default=0.4, help="seconds before each turn, default 0.4")
    parser.add_argument("--rows", default="keep-alive,log,64k,close", help="of " + ",".join(ROWS) + ", or all")
    parser.add_argument("--only", default="", help="contenders, of floor,nginx,haproxy,vipair; default all")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too, - for standard output alone")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin", help="default build/release/bin")
    options = parser.parse_args()

    names = options.only.split(",") if options.only else ["floor", *PEERS, OURS]
    rows = list(ROWS) if options.rows == "all" else options.rows.split(",")
    for unknown in [row for row in rows if row not in ROWS] + [n for n in names if n not in ("floor", *PEERS, OURS)]:
        parser.error(f"unknown: {unknown}")
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("at least one round of more than no time")
    programs = find_programs(options.bin.resolve(), names)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("two cores are needed: one for the proxy alone, one for the load and the origin")
    proxy_core, load_cores = cores[0], (cores[1], cores[2 if len(cores) > 2 else 1])
    quiet = options.json == "-"

    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # access logs must not measure the disk
    folder = Path(tempfile.mkdtemp(prefix="vipair-bench-", dir=memory))
    folder.chmod(0o755)  # nginx's worker is another user when we are root
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    bench = Bench(programs, folder, proxy_core, load_cores)
    report = {"rounds": options.rounds, "seconds": options.seconds, "cores": len(cores), "rows": {}}
    if set(rows) & set(H2LOAD) and not shutil.which("h2load"):
        raise SystemExit("missing: h2load (tests/install.sh installs)")
    errors = 0
    try:
        versions = {}
        if "nginx" in names:
            versions["nginx"] = version(programs["nginx"], r"nginx/(\S+)", "-v")
        if "haproxy" in names:
            versions["haproxy"] = version(programs["haproxy"], r"version (\S+?)[-\s]", "-v")
        if OURS in names:
            versions[OURS] = version(programs[OURS], r"(\d\S*)", "--version")
        report["versions"] = versions
        if not quiet:
            print("CPU µs per request of the proxy's processes, one worker on core "
                  f"{proxy_core}, load on core {load_cores[0]}, origin on core {load_cores[1]};")
            print(f"median of {options.rounds} turns of {options.seconds:g} s each [lowest … highest]; "
                  + ", ".join(f"{name} {text}" for name, text in versions.items()))
        bench.start_origin()
        for row in rows:
            able = [name for name in names if name != "floor" or row not in H2LOAD]  # the floor speaks no HTTP/2
            samples = {name: [] for name in able}
            for turn in range(options.rounds):
                for name in able[turn % len(able):] + able[:turn % len(able)]:
                    samples[name].append(bench.measure(name, row, options.seconds, options.warm_up))
            results = {name: summary(samples[name]) for name in able}
            peers = [samples[name] for name in PEERS if name in able]
            ratio = {name: paired_ratio(samples[name], peers) for name in able if name in ("floor", OURS)}
            errors += sum(result["errors"] for result in results.values())
            report["rows"][row] = {"title": ROWS[row][0], "results": results, "ratio_to_better_peer": ratio}
            if not quiet:
                print_row(ROWS[row][0], able, results, ratio)
    finally:
        bench.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        text = json.dumps(report, indent=2)
        print(text) if quiet else Path(options.json).write_text(text + "\n")
    if errors:
        print(f"\n{errors} responses were wrong or missing: these figures are not to be trusted", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
