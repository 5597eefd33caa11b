"""The demo: steady traffic to a floating address while the pair behind it is hurt, step by step. Called by demo.sh."""

from __future__ import annotations

import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402
import sandbox  # noqa: E402

RATE = 500          # requests per second
CALM = 1.5          # seconds of traffic that are measured after a step has settled
TIME_LIMIT = 110.0  # seconds for everything

IS_TERMINAL = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def colour(code: str, text: str) -> str:
    return f"\033[{code}m{text}\033[0m" if IS_TERMINAL else text


def say(text: str = "") -> None:
    print(text, flush=True)


class Demo:
    def __init__(self):
        self.pair = lab.Lab()
        self.number = 0
        self.lost = 0

    def run(self) -> None:
        pair = self.pair
        say(colour("1", "vipair: two nodes (lb-a, lb-b), one floating address, two nginx origins, one client"))
        began = time.monotonic()
        pair.start_pair()
        say(f"  lb-a is Active, lb-b is Backup after {time.monotonic() - began:.1f} s; {lab.VIP} answers")
        self.probe = pair.probe()
        self.traffic = pair.traffic(rate=RATE)
        say(f"  from now on: {RATE} HTTP requests per second (every other on a fresh connection) and one ping per ms\n")
        say(colour("1", f"{'':3}{'what happens':48}{'Active':<18}{'nobody answered':>24}{'requests':>22}"))
        say(f"{'':51}{'':<18}{'ping':>12}{'HTTP':>12}{'failed':>12}{'of':>10}")

        a, b = pair.a, pair.b
        self.step("nothing", lambda: None, a)
        self.step("planned stop of the agent on lb-a (SIGTERM)", lambda: a.agent.signal(signal.SIGTERM), b)
        self.step("the agent on lb-a returns (preemption is off)", lambda: self.restart_agent(a), b, backup=a)
        self.step("kill -9 of the proxy on lb-b", lambda: b.proxy.kill(), a)
        self.step("the proxy on lb-b returns", lambda: b.start_proxy(), a, backup=b)
        self.step("kill -9 of the agent's process on lb-a", lambda: os.kill(a.agent_child(), signal.SIGKILL), b, backup=a)
        self.step("the proxy on lb-b freezes (SIGSTOP)", lambda: b.proxy.signal(signal.SIGSTOP), a)
        self.step("the proxy on lb-b thaws (SIGCONT)", lambda: b.proxy.signal(signal.SIGCONT), a, backup=b)
        self.step("the cable of lb-a is pulled", lambda: a.cable("eth0", False), b)
        self.step("the cable of lb-a is back", lambda: a.cable("eth0", True), b, backup=a)
        self.step("planned stop of the proxy on lb-b (SIGTERM)", lambda: b.proxy.signal(signal.SIGTERM), a)
        say()
        say("  A request fails unless a complete and right answer arrives within 1 s of its start.")

    def restart_agent(self, node) -> None:
        node.agent.wait()
        node.start_agent()

    def step(self, what: str, fault, active, backup=None) -> None:
        """Hurts, waits until `active` (and `backup`) are what they should be, and prints what the client saw."""
        self.number += 1
        was = self.pair.active()
        self.probe.lap()
        self.traffic.lap()
        fault()
        self.pair.wait_active(active)
        if backup is not None:
            self.pair.wait_backup(backup)
        self.pair.wait_held_by(active)
        time.sleep(CALM)
        ping, http = self.probe.lap(), self.traffic.lap()
        moved = f"{was.name} → {active.name}" if was is not active else f"{active.name} stays"
        failed = colour("32" if http["failed"] == 0 else "31", f"{http['failed']:>12}")
        say(f"{self.number:>2} {what:48}{moved:<18}{ping['gap_ms']:>9.1f} ms{http['gap_ms']:>9.1f} ms{failed}"
            f"{http['requests']:>10}")
        for reason, count in sorted(http["failures"].items()):
            say(colour("2", f"     {count} × {reason}"))


def main() -> int:
    def stop(*_):
        raise SystemExit(143)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    try:
        result = sandbox.run(lambda: Demo().run(), TIME_LIMIT, lab.collect_logs)
    except KeyboardInterrupt:
        say("\nstopped; nothing is left behind")
        return 130
    if result["status"] == "passed":
        return 0
    say(colour("31", f"the demo stopped: {result['error']}"))
    for name, text in result.get("logs", {}).items():
        say(f"---- {name}\n{text.rstrip()}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
