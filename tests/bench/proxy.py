#!/usr/bin/env python3
"""What a request costs: vipair-proxyd, nginx and HAProxy side by side.

Each proxy runs one worker pinned to a core of its own; the load generator and the origin run on the other core (or on
two others). The contenders take turns within each round, so that a noisy minute hurts all of them. The load generator
checks every response, counts, and reads the CPU clock of the proxy's process at exactly the two moments between which it
counts. `floor` is a program that makes the same system calls and parses nothing (tests/bench/floor.cpp): what is above
it is the proxy's own code. Besides CPU time: system calls (strace, in turns of their own), memory of idle connections,
latency at half load, requests lost in reloads.

  tests/bench/proxy.py [--rounds N] [--seconds S] [--rows all|keep-alive,log,...] [--json FILE] [--bin build/release/bin]

Everything happens on loopback; nothing but the programs and a temporary folder is used, and both end with this script.
"""
import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import List, Optional

sys.dont_write_bytecode = True

from contenders import HOSTS_MAX, OURS, PEERS, Contenders, find_programs, free_port, host_name, raise_file_limit  # noqa: E402
from measures import IDLE_CONNECTIONS, Measures, missing_tools  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Row:
    title: str
    load: List[str]                  # arguments of load, or of h2load
    variant: str = "plain"           # of the contenders' configuration
    aim: Optional[float] = None      # of the better peer's value, or of ours in `base`
    measure: str = "cost"            # a method of Measures
    unit: str = "µs"
    most: Optional[float] = None     # aim: the value itself
    base: Optional[str] = None       # variant of ours that it is compared with, in place of the peers
    rounds_max: int = 1000           # more tell nothing
    contenders: List[str] = field(default_factory=lambda: [*PEERS, OURS])


WITH_FLOOR = ["floor", *PEERS, OURS]


def connections(count, *more):
    return ["--connections", str(count), *more]


ROWS = {
    "keep-alive": Row("HTTP/1.1 keep-alive, 1 KiB, 64 connections", connections(64), aim=0.9, contenders=WITH_FLOOR),
    "few": Row("the same with 4 connections: mostly waiting", connections(4), contenders=WITH_FLOOR),
    "log": Row("1 KiB, 64 connections, with access log", connections(64), "log", aim=0.9, contenders=WITH_FLOOR),
    "64k": Row("64 KiB body, 64 connections", connections(64, "--path", "/65536"), aim=0.9, contenders=WITH_FLOOR),
    "1m": Row("1 MiB body, 16 connections", connections(16, "--path", "/1048576"), aim=1.0, contenders=WITH_FLOOR),
    "upload": Row("upload of 1 MiB, 16 connections", connections(16, "--upload", "1048576"), aim=1.0,
                  contenders=WITH_FLOOR),
    "close": Row("connection per request, 64 at once", connections(64, "--close"), "close", aim=0.95,
                 contenders=WITH_FLOOR),
    "websocket": Row("WebSocket echo of 64 bytes, 64 connections", connections(64, "--websocket", "64"), "tunnel",
                     aim=1.0, contenders=WITH_FLOOR),
    "tunnel-64k": Row("WebSocket echo of 64 KiB, 16 connections", connections(16, "--websocket", "65536"), "tunnel",
                      aim=1.0, contenders=WITH_FLOOR),
    "tls": Row("TLS 1.3 keep-alive, 1 KiB, 64 connections", connections(64, "--tls"), "tls", aim=0.9),
    "tls-full": Row("TLS 1.3 full handshake (ECDSA P-256) per request", connections(32, "--tls", "--close"), "tls",
                    aim=1.0),
    "tls-resumed": Row("TLS 1.3 resumed handshake per request", connections(32, "--tls", "--close", "--resume"), "tls",
                       aim=1.0),
    "h2-tls": Row("HTTP/2 over TLS, 1 KiB, 4 connections with 100 streams", ["-c", "4", "-m", "100"], "tls", aim=0.9,
                  measure="cost_http2"),
    "h2": Row("HTTP/2 in the clear, 1 KiB, 4 connections with 100 streams", ["-c", "4", "-m", "100"], "h2", aim=0.9,
              measure="cost_http2"),
    "h2-one": Row("HTTP/2 in the clear, 64 connections with one stream", ["-c", "64", "-m", "1"], "h2",
                  measure="cost_http2"),
    "hosts-1000": Row("1,000 sites, beside one", connections(64, "--host", host_name(999)), "hosts-1000", aim=1.05,
                      base="plain"),
    "hosts": Row("10,000 sites, beside one", connections(64, "--host", host_name(HOSTS_MAX - 1)), f"hosts-{HOSTS_MAX}",
                 aim=1.05, base="plain"),
    "latency": Row("99 % of requests at half load take, 64 connections", connections(64), measure="latency"),
    "calls": Row("system calls per request but epoll_wait, 64 connections", connections(64), measure="system_calls",
                 unit="", most=4.1, rounds_max=1),
    "calls-tls": Row("system calls per request over TLS but epoll_wait", connections(64, "--tls"), "tls",
                     measure="system_calls", unit="", most=4.1, rounds_max=1),
    "memory": Row(f"memory of an idle connection, of {IDLE_CONNECTIONS:,}", connections(64), measure="memory",
                  unit="B", aim=1.0, rounds_max=3),
    "memory-tls": Row(f"memory of an idle TLS connection, of {IDLE_CONNECTIONS:,}", connections(64, "--tls"), "tls",
                      measure="memory", unit="B", aim=1.0, rounds_max=3),
    "reload": Row("requests lost in two reloads, 64 kept-alive connections", connections(64, "--may-close"), "reload",
                  measure="reload", unit="lost", most=0),
}
QUICK = "keep-alive,log,64k,close"


def version(program, pattern, *arguments):
    output = subprocess.run([str(program), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    found = re.search(pattern, output.decode(errors="replace"))
    return found[1] if found else "?"


def versions_of(programs, names):
    asked = {"nginx": (r"nginx/(\S+)", "-v"), "haproxy": (r"version (\S+?)[-\s]", "-v"), OURS: (r"(\d\S*)", "--version")}
    return {name: version(programs[name], *asked[name]) for name in asked if name in names}


def summary(samples):
    values = [sample["value"] for sample in samples]
    result = {"value": statistics.median(values), "min": min(values), "max": max(values),
              "errors": sum(sample["errors"] for sample in samples), "samples": [round(value, 3) for value in values]}
    for key in ("per_second", "busy", "others", "p50_us", "us", "waits", "connections"):  # busy, others: shares of the proxy's core
        if key in samples[0]:
            result[key] = statistics.median(sample[key] for sample in samples)
    if "calls" in samples[0]:
        result["calls"] = samples[-1]["calls"]
    if "requests" in samples[0]:
        result["requests"] = sum(sample["requests"] for sample in samples)
    return result


def paired_ratio(ours, peers):
    """Of our value to the better peer's of the same round: what is noisy for all of them in one round cancels out.
    Median over the rounds, lowest, highest."""
    if not ours or not peers:
        return None
    best = min(peers, key=lambda samples: statistics.median(sample["value"] for sample in samples))
    ratios = [a["value"] / b["value"] for a, b in zip(ours, best) if b["value"] > 0]
    return [statistics.median(ratios), min(ratios), max(ratios)] if ratios else None


def verdict(row, result, ratio):
    """"reached", "MISSED", or "" where there is no aim."""
    if row.most is not None:
        return "reached" if result["max"] <= row.most else "MISSED"
    if row.aim is None or ratio is None:
        return ""
    return "reached" if ratio[0] <= row.aim else "MISSED"


def run_row(measures, row, names, rounds, tell):
    """Samples by contender. `base` stands for ours in that variant."""
    able = [name for name in row.contenders if name in names]
    if row.base is not None and OURS in able:
        able.append("base")
    base = Row(row.title, row.load, row.base or "plain")
    samples = {name: [] for name in able}
    measure = getattr(measures, row.measure)
    for turn in range(rounds):
        for name in able[turn % len(able):] + able[:turn % len(able)]:
            tell(f"round {turn + 1} of {rounds}, {name}")
            samples[name].append(measure(OURS, base) if name == "base" else measure(name, row))
    tell("")
    return samples


def amount(value, unit):
    return f"{value:8.0f} {unit}" if unit in ("B", "lost") else f"{value:8.2f} {unit}"


def print_row(row, entry):
    print(f"\n{row.title}   (load average {entry['load_average']:.1f})")
    for name, cell in entry["results"].items():
        line = f"  {'one site' if name == 'base' else name:8} {amount(cell['value'], row.unit)}"
        line += f"  [{amount(cell['min'], '').strip()} … {amount(cell['max'], '').strip()}]"
        if "busy" in cell:
            line += f"  {cell['per_second']:9.0f} requests/s, busy {cell['busy'] * 100:3.0f} %"
        if cell.get("others", 0) > 0.05:
            line += f" (others on its core: {cell['others'] * 100:.0f} %)"
        if "p50_us" in cell:
            line += f", half of them {cell['p50_us']:.0f} µs; {cell['us']:.2f} µs of CPU"
        if "calls" in cell:
            line += "  " + ", ".join(f"{call} {count:g}" for call, count in cell["calls"].items())
        if cell.get("connections", IDLE_CONNECTIONS) != IDLE_CONNECTIONS:
            line += f"  {cell['connections']:.0f} connections"
        if "requests" in cell:
            line += f"  of {cell['requests']} requests"
        if entry["ratio"].get(name) is not None:
            middle, low, high = entry["ratio"][name]
            line += f"  {middle:.3f} [{low:.3f} … {high:.3f}] of {'one site' if row.base else 'the better peer'}"
        if cell["errors"]:
            line += f"  {cell['errors']} ERRORS"
        print(line)
    sys.stdout.flush()


def print_table(report):
    print(f"\n| work | {OURS} | " + " | ".join(PEERS) + " | ratio | aim | |\n|---|---|---|---|---|---|---|")
    for name, entry in report["rows"].items():
        row, results = ROWS[name], entry["results"]
        cells = [amount(results[each]["value"], row.unit).strip() if each in results else "" for each in (OURS, *PEERS)]
        ratio = entry["ratio"].get(OURS)
        aim = f"≤ {row.most:g}" if row.most is not None else f"≤ {row.aim:g} ×" if row.aim is not None else ""
        print(f"| {row.title} | {' | '.join(cells)} | " + (f"{ratio[0]:.2f} [{ratio[1]:.2f} … {ratio[2]:.2f}]" if ratio else "")
              + f" | {aim} | {entry['verdict']} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="turns per row, default 5")
    parser.add_argument("--seconds", type=float, default=2.0, help="measured per turn, default 2")
    parser.add_argument("--warm-up", type=float, default=0.4, help="seconds before each turn, default 0.4")
    parser.add_argument("--rows", default=QUICK, help=f"of {','.join(ROWS)}, or all; default {QUICK}")
    parser.add_argument("--only", default="", help="contenders, of floor,nginx,haproxy,vipair; default all")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too, - for standard output alone")
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin", help="default build/release/bin")
    options = parser.parse_args()

    names = options.only.split(",") if options.only else WITH_FLOOR
    rows = list(ROWS) if options.rows == "all" else options.rows.split(",")
    for unknown in [row for row in rows if row not in ROWS] + [name for name in names if name not in WITH_FLOOR]:
        parser.error(f"unknown: {unknown}")
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("at least one round of more than no time")
    programs = find_programs(options.bin.resolve(), names)
    missing = missing_tools([ROWS[row] for row in rows])
    if missing:
        raise SystemExit(f"missing: {', '.join(missing)} (tests/install.sh installs)")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("two cores are needed: one for the proxy alone, one for the load and the origin")
    proxy_core, load_core, origin_core = cores[0], cores[1], cores[2 if len(cores) > 2 else 1]
    quiet = options.json == "-"

    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # access logs must not measure the disk
    folder = Path(tempfile.mkdtemp(prefix="vipair-bench-", dir=memory))
    folder.chmod(0o755)  # nginx's worker is another user when we are root
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    def tell(text):
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    origin = f"127.0.0.1:{free_port()}"
    contenders = Contenders(programs, folder, proxy_core, origin, raise_file_limit())
    measures = Measures(contenders, (proxy_core, load_core), options.seconds, options.warm_up)
    report = {"rounds": options.rounds, "seconds": options.seconds, "cores": len(cores),
              "versions": versions_of(programs, names), "rows": {}}
    errors = 0
    try:
        if not quiet:
            print("CPU µs per request of the proxy's process, one worker on core "
                  f"{proxy_core}, load on core {load_core}, origin on core {origin_core};")
            print(f"median of {options.rounds} turns of {options.seconds:g} s each [lowest … highest]; "
                  + ", ".join(f"{name} {text}" for name, text in report["versions"].items()), flush=True)
        contenders.run([programs["origin"], origin], origin_core, "origin", int(origin.split(":")[1]))
        for number, name in enumerate(rows, 1):
            row = ROWS[name]
            row.contenders = [each for each in row.contenders if each in names]
            if not row.contenders:
                continue
            load_average = os.getloadavg()[0]
            samples = run_row(measures, row, names, min(options.rounds, row.rounds_max),
                              lambda text, at=f"row {number} of {len(rows)}, {name}": tell(text and f"{at}, {text}"))
            results = {each: summary(samples[each]) for each in samples}
            peers = [samples["base"]] if "base" in samples else [samples[each] for each in PEERS if each in samples]
            ratio = {each: paired_ratio(samples[each], peers) for each in samples if each in ("floor", OURS)}
            errors += sum(result["errors"] for result in results.values())
            entry = {"title": row.title, "unit": row.unit, "results": results, "ratio": ratio,
                     "load_average": load_average,
                     "verdict": verdict(row, results[OURS], ratio[OURS]) if OURS in results else ""}
            report["rows"][name] = entry
            if not quiet:
                print_row(row, entry)
        if not quiet and OURS in names:
            print_table(report)
    finally:
        contenders.stop()
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
