#!/usr/bin/env python3
"""How the agent bears thousands of addresses and hundreds of virtual routers, beside keepalived.

  sudo tests/bench/scale.py [--quick] [--parts takeover,reload,load] [--repeat 3] [--seconds 10] [--json FILE]

Two nodes on a switch (tests/support/lab.py), the contenders in turns. $VIPAIR_BIN says where the programs are.

takeover  The Active loses its power; from the first address on the other node's interface on, when are all there, and
          when was the last one announced for the first time? Beside it what bare netlink messages take for as many
          addresses on the same interface. The gap is the longest between two advertisements of the new Active.
reload    An Active gets all addresses but one by a reload, and gives them back by another: the longest gap between its
          advertisements meanwhile.
load      CPU (percent of a core) and memory (PSS) of the whole daemon with so many routers of one address each.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "support"))

import sandbox  # noqa: E402
from lab import Lab, Meter, collect_logs, find_tool, program, wait_for  # noqa: E402

ADVERTISED = 20       # of a router's addresses, in both contenders; the others move with them
TAKEOVER_MAX = 30.0   # seconds
TIME_MAX = 120.0      # seconds of one measurement


def addresses(count: int, first: int = 0) -> list:
    return [f"10.64.{i >> 8}.{i & 255}/32" for i in range(first + 1, first + count + 1)]


class Pair:
    """Two nodes; every router is (vrid, its addresses). The first node becomes Active."""

    def __init__(self, interval_ms: int, routers: list):
        self.interval_ms = interval_ms
        self.lab = Lab(origins=0)
        self.active, self.backup = self.lab.nodes
        for node in self.lab.nodes:
            self.write(node, routers)
            self.start(node)
            if node is self.active:
                self.wait_held(node, sum(len(held) for _, held in routers))
        time.sleep(1.0)

    @staticmethod
    def held(node) -> int:
        return sum(address.startswith("10.64.") for address in node.addresses("eth0"))

    def wait_held(self, node, count: int) -> None:
        wait_for(f"{node.name} of {self.name} holds {count} addresses", lambda: self.held(node) == count, TAKEOVER_MAX,
                 show=lambda: self.held(node), interval=0.1)

    def watch(self, node) -> Meter:
        return Meter(node, "takeover", [program("bench/takeover"), "eth0", node.front])

    def pids(self, node) -> list:
        parent = self.daemon(node).pid
        return [parent] + self.daemon(node).children()

    def cpu_seconds(self, node) -> float:
        """Exactly: a router at 100 ms takes less than a tick in seconds."""
        threads = [thread for pid in self.pids(node) for thread in Path(f"/proc/{pid}/task").iterdir()]
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9

    def memory_mb(self, node) -> float:
        total = 0
        for pid in self.pids(node):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total / 1024


class Vipair(Pair):
    name = "vipair"

    def write(self, node, routers: list) -> None:
        settings = node.node_settings()
        settings.update({"track_proxy": False, "virtual_routers": [
            {"name": f"r{vrid}", "interface": "eth0", "vrid": vrid, "priority": node.priority,
             "advertisement_interval": f"{self.interval_ms}ms", "addresses": held[:ADVERTISED],
             **({"excluded_addresses": held[ADVERTISED:]} if held[ADVERTISED:] else {})}
            for vrid, held in routers]})
        node.write_files(node=settings)

    def start(self, node) -> None:
        node.start_agent()

    def daemon(self, node):
        return node.agent

    def reload(self, node) -> None:
        node.agent.signal(signal.SIGHUP)


class Keepalived(Pair):
    name = "keepalived"

    def write(self, node, routers: list) -> None:
        text = "global_defs {\n  vrrp_version 3\n}\n"
        for vrid, held in routers:
            lists = {"virtual_ipaddress": held[:ADVERTISED], "virtual_ipaddress_excluded": held[ADVERTISED:]}
            blocks = "".join(f"  {name} {{\n" + "".join(f"    {a}\n" for a in some) + "  }\n"
                             for name, some in lists.items() if some)
            text += (f"vrrp_instance r{vrid} {{\n  state BACKUP\n  nopreempt\n  interface eth0\n"
                     f"  virtual_router_id {vrid}\n  priority {node.priority}\n"
                     f"  advert_int {self.interval_ms / 1000:g}\n  unicast_src_ip {node.front}\n"
                     f"  unicast_peer {{\n    {self.lab.other(node).front}\n  }}\n{blocks}}}\n")
        (node.folder / "keepalived.conf").write_text(text)

    def start(self, node) -> None:
        folder = node.folder
        node.keepalived = node.start("keepalived", [
            find_tool("keepalived", "keepalived"), "--dont-fork", "--log-console", "--vrrp",
            "-f", str(folder / "keepalived.conf"), "-p", str(folder / "keepalived.pid"), "-r", str(folder / "vrrp.pid")])

    def daemon(self, node):
        return node.keepalived

    def reload(self, node) -> None:
        node.keepalived.signal(signal.SIGHUP)


CONTENDERS = (Vipair, Keepalived)


# ---- what is measured; each runs in a sandbox of its own ---------------------------------------


def bare(count: int) -> dict:
    node = Lab(origins=0).b
    Meter(node, "takeover", [program("bench/takeover"), "eth0", node.front])  # who listens costs, here as there
    added, removed = node.run([program("bench/netlink_floor"), "eth0", str(count)]).stdout.split()
    return {"present": float(added), "removed": float(removed)}


def takeover(kind, count: int, interval_ms: int) -> dict:
    pair = kind(interval_ms, [(51, addresses(count))])
    watch = pair.watch(pair.backup)
    pair.active.power_cut()
    pair.wait_held(pair.backup, count)
    time.sleep(1.0)
    seen = watch.lap()
    first = seen["present"]["first"]
    return {"present": seen["present"]["last"] - first, "announced": seen["announced"]["last"] - first,
            "after": seen["announced"]["last"] - seen["present"]["last"], "gap": seen["gap_max"],
            "count": seen["announced"]["count"]}


def reload(kind, count: int, interval_ms: int) -> dict:
    few, many = [(51, addresses(1))], [(51, addresses(count))]
    pair = kind(interval_ms, few)
    watch = pair.watch(pair.active)
    time.sleep(0.5)
    gaps = {}
    for name, routers in (("added", many), ("removed", few)):
        pair.write(pair.active, routers)
        watch.lap()
        pair.reload(pair.active)
        pair.wait_held(pair.active, len(routers[0][1]))
        time.sleep(0.5)
        gaps[name] = watch.lap()["gap_max"]
    return gaps


def load(kind, routers: int, interval_ms: int, seconds: float) -> dict:
    pair = kind(interval_ms, [(vrid, addresses(1, vrid)) for vrid in range(1, routers + 1)])
    time.sleep(1.0)
    nodes = {"active": pair.active, "backup": pair.backup}
    before = {role: pair.cpu_seconds(node) for role, node in nodes.items()}
    start = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - start
    result = {role: (pair.cpu_seconds(node) - before[role]) / passed * 100 for role, node in nodes.items()}
    result["memory"] = pair.memory_mb(pair.active)
    assert pair.held(pair.active) == routers and pair.held(pair.backup) == 0, "the roles have changed meanwhile"
    return result


def in_sandbox(function, *arguments) -> dict:
    done = sandbox.run(lambda: function(*arguments), TIME_MAX, collect_logs)
    if done["status"] != "passed":
        logs = "".join(f"\n--- {name}\n{text}" for name, text in done.get("logs", {}).items())
        sys.exit(f"{function.__name__} {arguments}: {done['error']}{logs}")
    return done["value"]


def median_of(function, repeat: int, *arguments) -> dict:
    runs = [in_sandbox(function, *arguments) for _ in range(repeat)]
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


# ---- the table ----------------------------------------------------------------------------------


def ratio(value: float, base: float) -> str:
    return f"{value / base:5.2f}" if base > 0 else "    -"


def measure_takeover(options) -> list:
    print("takeover, ms from the first address on     all present   announced   behind the last   longest gap")
    rows = []
    for count in options.addresses:
        floor = median_of(bare, options.repeat, count)
        found = {kind.name: median_of(takeover, options.repeat, kind, count, 100) for kind in CONTENDERS}
        rows.append({"count": count, "bare": floor, **found})
        print(f"{count:6} bare netlink                        {floor['present']:13.1f}")
        for name, seen in found.items():
            print(f"{count:6} {name:30}      {seen['present']:13.1f} {seen['announced']:11.1f} {seen['after']:17.1f} "
                  f"{seen['gap']:13.1f}")
        ours, theirs = (found[kind.name] for kind in CONTENDERS)
        print(f"       vipair / bare {ratio(ours['present'], floor['present'])} (aim 1.2); / keepalived: present "
              f"{ratio(ours['present'], theirs['present'])} (1), behind the last {ratio(ours['after'], theirs['after'])} "
              f"(0.5); gap in intervals {ours['gap'] / 100:.2f} (2)")
    return rows


def measure_reload(options) -> list:
    print("reload, longest gap between advertisements, ms       added   removed")
    rows = []
    for interval in (100, 10):
        for kind in CONTENDERS:
            seen = median_of(reload, options.repeat, kind, options.addresses[-1], interval)
            rows.append({"interval": interval, "contender": kind.name, **seen})
            print(f"{options.addresses[-1]:6} addresses, {interval:3} ms, {kind.name:20}     {seen['added']:9.1f} "
                  f"{seen['removed']:9.1f}")
    return rows


def measure_load(options) -> list:
    print("load                          CPU, % of a core: Active    Backup    memory, MB")
    rows = []
    for interval in (100, 10):
        for routers in options.routers:
            found = {}
            for kind in CONTENDERS:
                seen = found[kind.name] = in_sandbox(load, kind, routers, interval, options.seconds)
                rows.append({"interval": interval, "routers": routers, "contender": kind.name, **seen})
                print(f"{routers:4} routers, {interval:3} ms, {kind.name:12}       {seen['active']:13.2f} "
                      f"{seen['backup']:9.2f} {seen['memory']:13.1f}")
            ours, theirs = (found[kind.name] for kind in CONTENDERS)
            print(f"     vipair / keepalived (aim 0.5)              {ratio(ours['active'], theirs['active']):>9} "
                  f"{ratio(ours['backup'], theirs['backup']):>9} {ratio(ours['memory'], theirs['memory']):>13}")
    return rows


PARTS = {"takeover": measure_takeover, "reload": measure_reload, "load": measure_load}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke run: few addresses and routers, once")
    parser.add_argument("--parts", type=lambda text: text.split(","), default=list(PARTS))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each CPU measurement")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.addresses, options.routers = [1, 100, 1000, 4000], [1, 64, 255]
    if options.quick:
        options.addresses, options.routers, options.repeat, options.seconds = [1, 200], [8], 1, 2.0
    results = {part: PARTS[part](options) for part in options.parts}
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
