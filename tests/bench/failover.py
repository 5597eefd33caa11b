#!/usr/bin/env python3
"""How long nobody answers: vipair beside keepalived + nginx, in the same network, in turns.

  sudo tests/bench/failover.py [--repeat 20 | --quick] [--intervals 1000,100,10] [--faults stop,cable,…]
                               [--contenders vipair,keepalived] [--json FILE] [--svg FILE]

Two nodes, a client and two origins on switches (tests/support/lab.py). A fault hits the node that is Active; the client
pings the floating address each millisecond and sends 1,000 GETs per second. What is told is the longest time without
an answer: of a ping, or for a fault of the proxy, which leaves the ping alone, of a right HTTP answer. Each row says
median and worst of its repetitions and the requests that failed, and beside them what vipair aims at.

keepalived is given what it has: version 3, a script that asks the proxy (curl, each second, fall 2), no preemption but in
`return`; and the same priorities, 200 and 100. Its process tracking does not work inside network namespaces: when the
proxy is killed, it is told so at once by a tracked file. `return` is the way back of the preferred node with
preemption on. `cable, second path` is what vipair does where the nodes hear each other over another network as well.
$VIPAIR_BIN says where the programs are (default: build/release/bin).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "support"))

import sandbox  # noqa: E402
from lab import VIP, VRID, Lab, can_connect, collect_logs, find_tool, wait_for  # noqa: E402

RATE = 1000          # requests per second
REQUEST_MAX = 500    # ms until a request has failed
CALM = 0.7           # seconds of traffic after a move: longer than a request may take
TRIALS_PER_ROUND = 5  # then it is the other one's turn
TAKEOVER_MAX = 20.0  # seconds; who needs longer has failed the trial


class Pair:
    """Two nodes with agent and proxy; what the two contenders have in common."""

    def __init__(self, interval_ms: int, preempt: bool = False, second_path: bool = False):
        self.interval_ms, self.preempt = interval_ms, preempt
        self.lab = Lab(second_path=second_path)
        self.prepare()
        for node in self.lab.nodes:
            self.start(node)
            if node is self.lab.a:
                self.wait_holder(node)
        self.wait_settled()
        wait_for("the pair answers HTTP", lambda: can_connect(self.lab.client, VIP, 80))

    def wait_holder(self, node) -> None:
        wait_for(f"{node.name} holds {VIP}", lambda: node.holds(VIP), TAKEOVER_MAX,
                 show=lambda: {n.name: n.addresses("eth0") for n in self.lab.nodes})

    def holder(self):
        """The node that holds the address, once one alone does."""
        def alone():
            holders = [node for node in self.lab.nodes if node.holds(VIP)]
            return holders[0] if len(holders) == 1 else None
        return wait_for(f"one node alone holds {VIP}", alone, TAKEOVER_MAX,
                        show=lambda: {n.name: n.addresses("eth0") for n in self.lab.nodes})

    def wait_settled(self) -> None:
        """One holds, whichever it is, and the other is ready to take over."""
        self.wait_ready(self.lab.other(self.holder()))

    # ---- the faults: hurt(node), then heal(node) ---------------------------------------------

    def hurt_cable(self, node) -> None:
        node.cable("eth0", False)

    def heal_cable(self, node) -> None:
        node.cable("eth0", True)

    def hurt_power(self, node) -> None:
        node.power_cut()

    def heal_power(self, node) -> None:
        node.ip("addr flush dev eth0 to " + VIP, check=False)
        node.power_on()
        self.start(node)

    def hurt_nothing(self, node) -> None:
        """For `return`: the preferred node is stopped before the measurement and comes back in it."""
        self.heal_stop(self.lab.other(node))

    def heal_nothing(self, node) -> None:
        pass


class Vipair(Pair):
    name = "vipair"

    def prepare(self) -> None:
        for node in self.lab.nodes:
            settings = node.node_settings()
            settings["virtual_routers"][0].update(
                {"advertisement_interval": f"{self.interval_ms}ms", "preempt": self.preempt})
            node.write_files(node=settings)

    def start(self, node) -> None:
        node.start_all()

    def wait_ready(self, node) -> None:
        self.lab.wait_backup(node, TAKEOVER_MAX)

    def hurt_stop(self, node) -> None:
        node.agent.signal(signal.SIGTERM)

    def heal_stop(self, node) -> None:
        node.agent.stop()
        node.start_agent()

    def hurt_proxy_kill(self, node) -> None:
        node.proxy.kill()

    def heal_proxy_kill(self, node) -> None:
        node.start_proxy()

    def hurt_proxy_hang(self, node) -> None:
        node.proxy.signal(signal.SIGSTOP)

    def heal_proxy_hang(self, node) -> None:
        node.proxy.signal(signal.SIGCONT)

    def hurt_agent_kill(self, node) -> None:
        os.kill(node.agent_child(), signal.SIGKILL)

    def heal_agent_kill(self, node) -> None:
        pass  # the supervisor has started another one

    def hurt_agent_hang(self, node) -> None:
        os.kill(node.agent_child(), signal.SIGSTOP)

    def heal_agent_hang(self, node) -> None:
        pass  # the supervisor has replaced it


class Keepalived(Pair):
    name = "keepalived"

    def prepare(self) -> None:
        for node in self.lab.nodes:
            servers = " ".join(f"server {origin.endpoint};" for origin in self.lab.origins)
            (node.folder / "proxy-nginx.conf").write_text(f"""
                daemon off; user root; worker_processes 2; pid {node.folder}/proxy-nginx.pid;
                error_log {node.folder}/proxy-error.log error;
                events {{ worker_connections 4096; }}
                http {{
                  access_log off; keepalive_requests 1000000; keepalive_timeout 65s;
                  client_body_temp_path {node.folder}/body; proxy_temp_path {node.folder}/proxy;
                  fastcgi_temp_path {node.folder}/fastcgi; uwsgi_temp_path {node.folder}/uwsgi;
                  scgi_temp_path {node.folder}/scgi;
                  upstream origins {{ {servers} keepalive 64; }}
                  server {{
                    listen 80 backlog=4096; add_header X-Served-By {node.name};
                    location / {{ proxy_pass http://origins; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
                }}""")
            (node.folder / "nginx-died").write_text("0")
            (node.folder / "keepalived.conf").write_text(f"""
                global_defs {{
                  vrrp_version 3
                  enable_script_security
                  script_user root
                }}
                vrrp_track_file nginx {{
                  file {node.folder}/nginx-died
                  weight 0
                }}
                vrrp_script http {{
                  script "{find_tool("curl", "curl")} -s -f -m 1 -o /dev/null http://127.0.0.1/1k"
                  interval 1
                  timeout 1
                  fall 2
                  rise 1
                }}
                vrrp_instance web {{
                  state BACKUP
                  {"" if self.preempt else "nopreempt"}
                  interface eth0
                  virtual_router_id {VRID}
                  priority {node.priority}
                  advert_int {self.interval_ms / 1000:g}
                  virtual_ipaddress {{
                    {VIP}/24
                  }}
                  track_file {{
                    nginx weight 0
                  }}
                  track_script {{
                    http
                  }}
                }}
                """)

    def start_keepalived(self, node) -> None:
        folder = node.folder
        node.keepalived = node.start(
            "keepalived", [find_tool("keepalived", "keepalived"), "--dont-fork", "--log-console", "--vrrp",
                           "-f", str(folder / "keepalived.conf"), "-p", str(folder / "keepalived.pid"),
                           "-r", str(folder / "vrrp.pid")])

    def start_nginx(self, node) -> None:
        node.nginx = node.start("proxy-nginx", [find_tool("nginx", "nginx-light"), "-p", str(node.folder),
                                                "-e", str(node.folder / "proxy-error.log"),
                                                "-c", str(node.folder / "proxy-nginx.conf")])
        wait_for(f"nginx of {node.name}", lambda: can_connect(node, "127.0.0.1", 80), show=node.nginx.log)

    def start(self, node) -> None:
        self.start_nginx(node)
        self.start_keepalived(node)

    def wait_ready(self, node) -> None:
        """In state BACKUP, and its script has run: keepalived has no status to ask, its log says it."""
        def is_backup() -> bool:
            states = [line for line in node.keepalived.log().splitlines() if "(web) Entering " in line]
            return bool(states) and "BACKUP" in states[-1]
        wait_for(f"keepalived of {node.name} is in state BACKUP", is_backup, TAKEOVER_MAX, show=node.keepalived.log)
        time.sleep(1.0)

    def vrrp_child(self, node) -> int:
        return wait_for("keepalived's VRRP child", node.keepalived.children, 5.0, show=node.keepalived.log)[0]

    def hurt_stop(self, node) -> None:
        node.keepalived.signal(signal.SIGTERM)

    def heal_stop(self, node) -> None:
        node.keepalived.stop()
        self.start_keepalived(node)

    def hurt_proxy_kill(self, node) -> None:
        node.nginx.kill()
        (node.folder / "nginx-died").write_text("1")

    def heal_proxy_kill(self, node) -> None:
        self.start_nginx(node)
        (node.folder / "nginx-died").write_text("0")

    def hurt_proxy_hang(self, node) -> None:
        for pid in [node.nginx.pid] + node.nginx.children():
            os.kill(pid, signal.SIGSTOP)

    def heal_proxy_hang(self, node) -> None:
        for pid in [node.nginx.pid] + node.nginx.children():
            os.kill(pid, signal.SIGCONT)

    def hurt_agent_kill(self, node) -> None:
        os.kill(self.vrrp_child(node), signal.SIGKILL)

    def heal_agent_kill(self, node) -> None:
        pass  # its parent has started another one

    def hurt_agent_hang(self, node) -> None:
        self.hanging = self.vrrp_child(node)
        os.kill(self.hanging, signal.SIGSTOP)

    def heal_agent_hang(self, node) -> None:
        os.kill(self.hanging, signal.SIGCONT)


class Fault:
    def __init__(self, name: str, hook: str, aim, judged_by: str = "ping", only: str = None, **options):
        self.name, self.hook, self.aim, self.judged_by, self.only = name, hook, aim, judged_by, only
        self.options = options


# aim(interval in ms): the longest silence that vipair aims at, in ms; None where none is set
FAULTS = {
    "stop": Fault("stop of the agent", "stop", lambda interval: 5),
    "proxy-kill": Fault("proxy killed", "proxy_kill", lambda interval: 10, judged_by="http"),
    "proxy-hang": Fault("proxy hangs", "proxy_hang", lambda interval: 300, judged_by="http"),
    "agent-kill": Fault("agent killed", "agent_kill", lambda interval: 10),
    "agent-hang": Fault("agent hangs", "agent_hang", lambda interval: 300),
    "cable": Fault("cable", "cable", lambda interval: None),
    "path": Fault("cable, second path", "cable", lambda interval: 10, only="vipair", second_path=True),
    "power": Fault("power cut", "power", lambda interval: 3.5 * interval),
    "return": Fault("return", "nothing", lambda interval: 5, preempt=True),
}
PLANNED = ("stop", "return")
CONTENDERS = {kind.name: kind for kind in (Vipair, Keepalived)}


def trials(kind, interval_ms: int, fault: Fault, count: int) -> list:
    """`count` times the fault in one laboratory; runs inside a sandbox."""
    pair = kind(interval_ms, **fault.options)
    probe = pair.lab.probe()
    traffic = pair.lab.traffic(rate=RATE, timeout_ms=REQUEST_MAX)
    results = []
    for _ in range(count):
        active = pair.lab.a if fault.hook == "nothing" else pair.holder()
        other = pair.lab.other(active)
        if fault.hook == "nothing":
            pair.hurt_stop(active)
            pair.wait_holder(other)
            active, other = other, active
            time.sleep(CALM)
        time.sleep(CALM)
        calm = probe.lap(), traffic.lap()
        getattr(pair, f"hurt_{fault.hook}")(active)
        pair.wait_holder(other)
        time.sleep(CALM)
        ping, http = probe.lap(), traffic.lap()
        silence = ping["gap_ms"] if fault.judged_by == "ping" else http["gap_ms"]
        results.append({"silence_ms": silence, "ping_ms": ping["gap_ms"], "http_ms": http["gap_ms"],
                        "failed": http["failed"], "requests": http["requests"],
                        "calm_ms": calm[0]["gap_ms"] if fault.hook != "nothing" else 0.0})
        getattr(pair, f"heal_{fault.hook}")(active)
        pair.wait_settled()
    return results


def measure(options) -> list:
    rows = []
    for interval in options.intervals:
        for key in options.faults:
            fault = FAULTS[key]
            kinds = [name for name in options.contenders if fault.only in (None, name)]
            row = {"fault": key, "interval_ms": interval, "aim_ms": fault.aim(interval),
                   "results": {name: [] for name in kinds}, "errors": []}
            left = {name: options.repeat for name in kinds}
            while any(left.values()):
                for name in kinds:
                    count = min(TRIALS_PER_ROUND, left[name])
                    if count == 0:
                        continue
                    done = sandbox.run(lambda: trials(CONTENDERS[name], interval, fault, count),
                                       60.0 + count * 30.0, collect_logs)
                    if done["status"] == "passed":
                        row["results"][name] += done["value"]
                    elif done["status"] == "skipped":
                        sys.exit(f"failover.py: {done['error']}")
                    else:
                        row["errors"].append(f"{name}: {done['error'].splitlines()[0]}")
                        if options.verbose:
                            for log, text in done.get("logs", {}).items():
                                print("\n".join(f"{log}: {line}" for line in text.splitlines()))
                    left[name] -= count
            rows.append(row)
            print(line_of(row, options.contenders), flush=True)
            keep(rows, options)
    return rows


def keep(rows: list, options) -> None:
    """After each row: who ends a run of an hour early has what was measured so far."""
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")
    if options.svg:
        Path(options.svg).write_text(svg(rows, options.contenders))


def summary(results: list) -> dict:
    silences = [trial["silence_ms"] for trial in results]
    return {"median": statistics.median(silences), "worst": max(silences),
            "failed": sum(trial["failed"] for trial in results), "requests": sum(trial["requests"] for trial in results)}


def line_of(row: dict, contenders: list) -> str:
    cells = []
    for name in contenders:
        results = row["results"].get(name)
        if not results:
            cells.append(f"{'-':>9} {'-':>9} {'-':>7}")
            continue
        told = summary(results)
        cells.append(f"{told['median']:>9.1f} {told['worst']:>9.1f} {told['failed']:>7}")
    verdict = judge(row)
    errors = "".join(f"\n      {error}" for error in row["errors"])
    return f"{FAULTS[row['fault']].name:<20} {row['interval_ms']:>6}  " + "   ".join(cells) + f"   {verdict}{errors}"


def judge(row: dict) -> str:
    """The aim, and whether vipair reached it each time."""
    results = row["results"].get("vipair")
    if row["aim_ms"] is None:
        return "-"
    aim = f"≤ {row['aim_ms']:g}" + (", none fails" if row["fault"] in PLANNED else "")
    if not results:
        return aim
    told = summary(results)
    is_reached = told["worst"] <= row["aim_ms"] and (row["fault"] not in PLANNED or told["failed"] == 0)
    return f"{aim}: {'reached' if is_reached else 'MISSED'}"


def heading(contenders: list) -> str:
    names = "   ".join(f"{name:^27}" for name in contenders)
    columns = "   ".join(f"{'median':>9} {'worst':>9} {'failed':>7}" for _ in contenders)
    return (f"{'':<20} {'':>6}  {names}\n{'fault':<20} {'advert':>6}  {columns}   aim of vipair\n"
            f"{'':<20} {'ms':>6}  " + "   ".join(f"{'ms':>9} {'ms':>9} {'':>7}" for _ in contenders))


# ---- the picture ----------------------------------------------------------------------------

COLOURS = {"vipair": "#0b6e4f", "keepalived": "#c8553d"}


def svg(rows: list, contenders: list) -> str:
    """Silence on a logarithmic scale: a bar to the median, a whisker to the worst, a tick where the aim is."""
    left, right, top, bar, gap = 210, 40, 60, 11, 12
    width, low, high = 900, 0.5, 20000.0
    scale = width - left - right

    def x(ms: float) -> float:
        import math
        clipped = min(max(ms, low), high)
        return left + scale * (math.log10(clipped) - math.log10(low)) / (math.log10(high) - math.log10(low))

    parts, y = [], top
    for row in rows:
        begin = y
        for name in contenders:
            if not row["results"].get(name):
                continue
            told = summary(row["results"][name])
            middle = y + bar / 2
            parts.append(f'<rect x="{left}" y="{y}" width="{x(told["median"]) - left:.1f}" height="{bar}" '
                         f'fill="{COLOURS[name]}"/>')
            parts.append(f'<path d="M{x(told["median"]):.1f} {middle}H{x(told["worst"]):.1f}m0 -4v8" '
                         f'stroke="{COLOURS[name]}" stroke-width="1.5" fill="none"/>')
            parts.append(f'<text x="{x(told["worst"]) + 6:.1f}" y="{y + bar - 1}" class="figure">'
                         f'{told["median"]:.1f} / {told["worst"]:.1f}</text>')
            y += bar + 2
        parts.append(f'<text x="{left - 8}" y="{(begin + y) / 2 + 3}" text-anchor="end">'
                     f'{FAULTS[row["fault"]].name}, {row["interval_ms"]} ms</text>')
        if row["aim_ms"] is not None:
            parts.append(f'<path d="M{x(row["aim_ms"]):.1f} {begin - 3}V{y + 1}" stroke="#222" stroke-dasharray="2 2"/>')
        y += gap
    grid = []
    for ms, label in ((1, "1 ms"), (10, "10 ms"), (100, "100 ms"), (1000, "1 s"), (10000, "10 s")):
        grid.append(f'<path d="M{x(ms):.1f} {top - 8}V{y}" stroke="#ddd"/>'
                    f'<text x="{x(ms):.1f}" y="{top - 14}" text-anchor="middle">{label}</text>')
    legend = "".join(f'<rect x="{left + 150 * i}" y="14" width="11" height="11" fill="{COLOURS[name]}"/>'
                     f'<text x="{left + 150 * i + 16}" y="24">{name}</text>' for i, name in enumerate(contenders))
    legend += f'<text x="{left + 150 * len(contenders)}" y="24">bar: median, whisker: worst, dashes: aim</text>'
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + 10}" '
            f'viewBox="0 0 {width} {y + 10}" font-family="sans-serif" font-size="11">'
            f'<style>.figure{{font-size:9px;fill:#444}}</style><rect width="100%" height="100%" fill="white"/>'
            + "".join(grid) + legend + "".join(parts) + "</svg>\n")


def main() -> int:
    def names(known):
        def parse(text: str) -> list:
            chosen = text.split(",")
            for name in chosen:
                if name not in known:
                    raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(known)}")
            return chosen
        return parse

    parser = argparse.ArgumentParser(description="failover times of vipair and keepalived side by side")
    parser.add_argument("--repeat", type=int, default=20, metavar="N", help="how often each fault (default 20)")
    parser.add_argument("--quick", action="store_const", dest="repeat", const=2, help="--repeat 2")
    parser.add_argument("--intervals", type=lambda text: [int(part) for part in text.split(",")],
                        default=[1000, 100, 10], metavar="MS,…", help="advertisement intervals (default 1000,100,10)")
    parser.add_argument("--faults", type=names(FAULTS), default=list(FAULTS), metavar="NAME,…",
                        help=", ".join(FAULTS))
    parser.add_argument("--contenders", type=names(CONTENDERS), default=list(CONTENDERS), metavar="NAME,…",
                        help=", ".join(CONTENDERS))
    parser.add_argument("--json", metavar="FILE", help="every trial, as JSON")
    parser.add_argument("--svg", metavar="FILE", help="the picture")
    parser.add_argument("--verbose", action="store_true", help="the logs of trials that failed")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("failover.py: network namespaces need root: sudo tests/bench/failover.py", file=sys.stderr)
        return 2
    print(heading(options.contenders), flush=True)
    rows = measure(options)
    return 1 if any(row["errors"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
