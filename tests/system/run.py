#!/usr/bin/env python3
"""Runs the system tests: sudo tests/system/run.py [--list] [--jobs N] [--tally FILE] [PATTERN…]

Each function test_… in tests/system/test_*.py is a test; a PATTERN selects those whose "file.function" contains it.
Each runs in a sandbox of its own (tests/support/sandbox.py), makes its own laboratory and gets a Test to speak
through. $VIPAIR_BIN says where the programs are (default: build/release/bin).

Most tests mostly wait, so N of them run at a time, but for those that are to be @alone. A test that fails is run once
more, by itself; if it passes then it counts as passed and is told as unsteady, with what it said when it failed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import select
import signal
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import lab  # noqa: E402
import sandbox  # noqa: E402

TIME_LIMIT = 60.0  # seconds for a test that does not say its own with @time_limit


class Test:
    """What a test says besides passing or failing."""

    def __init__(self):
        self.notes: list = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def distribution(self, what: str, values: list, bound: float, unit: str = "ms") -> None:
        """Notes how the values are spread and asserts that none is over the bound."""
        spread = f"min {min(values):.1f}  median {statistics.median(values):.1f}  max {max(values):.1f}"
        every = " ".join(f"{value:.1f}" for value in sorted(values))
        self.note(f"{what}: {spread} {unit} (bound {bound:g}; {len(values)} times: {every})")
        assert max(values) <= bound, f"{what}: {max(values):.1f} {unit} is over the bound of {bound:g} {unit}"


def find_tests() -> list:
    found = []
    for path in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        functions = [value for name, value in vars(module).items()
                     if name.startswith("test_") and callable(value) and value.__module__ == path.stem]
        functions.sort(key=lambda function: function.__code__.co_firstlineno)
        found += [(f"{path.stem[5:]}.{function.__name__[5:]}", function) for function in functions]
    return found


def start(function) -> sandbox.Sandbox:
    test = Test()

    def body() -> list:
        function(test)
        return test.notes

    def collect() -> dict:
        notes = "\n".join(test.notes)
        return {**({"notes": notes} if notes else {}), **lab.collect_logs()}

    return sandbox.Sandbox(body, time_limit_of(function), collect)


def time_limit_of(function) -> float:
    return getattr(function, "time_limit", TIME_LIMIT)


def is_alone(function) -> bool:
    return hasattr(function, "alone") or getattr(sys.modules[function.__module__], "ALONE", False)


class Run:
    """One running of one test."""

    def __init__(self, name: str, function, first_failure: str = None):
        self.name, self.function, self.first_failure = name, function, first_failure
        self.is_alone = first_failure is not None or is_alone(function)

    def start(self) -> None:
        self.began = time.monotonic()
        self.sandbox = start(self.function)

    def finish(self) -> dict:
        self.result = self.sandbox.result()
        self.took = time.monotonic() - self.began
        return self.result

    def said(self) -> str:
        """What is to be told besides the status."""
        if self.result["status"] == "passed":
            return indented("\n".join(self.result.get("value") or []))
        logs = [f"{log}: {line}" for log, text in self.result.get("logs", {}).items() for line in text.splitlines()]
        return indented("\n".join([self.result["error"], *logs]))


def indented(text: str) -> str:
    return "\n".join("        " + line for line in text.splitlines())


def finished(waiting: list, jobs: int):
    """Runs what waits, at most so many at a time, and yields each Run when it is done. The caller may put another one
    in front of those that wait."""
    running: list = []
    try:
        while waiting or running:
            while waiting and len(running) < jobs and not any(run.is_alone for run in running):
                if waiting[0].is_alone and running:
                    break
                running.append(waiting.pop(0))
                running[-1].start()
            wait = max(0.0, min(run.sandbox.deadline for run in running) - time.monotonic())
            readable = select.select([run.sandbox for run in running], [], [], wait)[0]
            for run in list(running):
                is_late = time.monotonic() >= run.sandbox.deadline
                if is_late or (run.sandbox in readable and not run.sandbox.read()):
                    run.finish()
                    running.remove(run)
                    yield run
    finally:
        for run in running:
            run.sandbox.end()


def tell(heading: str, texts: dict) -> None:
    for name, text in texts.items():
        print(f"\n{heading}: {name}\n{text}")


def main() -> int:
    parser = argparse.ArgumentParser(description="system tests in network namespaces")
    parser.add_argument("patterns", nargs="*", metavar="PATTERN")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--tally", metavar="FILE", help="append `passed failed skipped` to this file")
    parser.add_argument("--jobs", type=int, metavar="N", help="run N tests at a time (1; with --tally 2)")
    parser.add_argument("--repeat", type=int, metavar="N", help="run each test N times, and none once more")
    options = parser.parse_args()
    tests = [(name, function) for name, function in find_tests()
             if not options.patterns or any(pattern in name for pattern in options.patterns)]
    if options.list:
        print("\n".join(name for name, _ in tests))
        return 0
    if not tests:
        print(f"run.py: no test is called {' '.join(options.patterns)}", file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("run.py: network namespaces need root: sudo tests/system/run.py", file=sys.stderr)
        return 2

    def stop(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    jobs = max(1, options.jobs or (2 if options.tally else 1))
    tests = tests * (options.repeat or 1)
    if jobs > 1:  # the long ones first, so that none is left over at the end; then those that run alone
        tests.sort(key=lambda test: (is_alone(test[1]), -time_limit_of(test[1])))
    count = {"passed": 0, "failed": 0, "skipped": 0}
    failed, unsteady = {}, {}
    waiting = [Run(name, function) for name, function in tests]
    try:
        for run in finished(waiting, jobs):
            status = run.result["status"]
            is_first_failure = status == "failed" and run.first_failure is None and not options.repeat
            if is_first_failure:
                waiting.insert(0, Run(run.name, run.function, run.said()))
            else:
                count[status] += 1
                if status == "failed":
                    failed[run.name] = run.said()
                elif run.first_failure:
                    unsteady[run.name] = run.first_failure
            progress = f"{sum(count.values()) + is_first_failure:>3}/{len(tests)}"
            again = "; runs once more" if is_first_failure else ""
            print(f"{progress} {run.name:<68} {status:<8} {run.took:6.1f} s{again}")
            if run.said():
                print(run.said())
            sys.stdout.flush()
    except KeyboardInterrupt:
        print("\nstopped; nothing is left behind")
        return 130
    # Once more what went wrong: of a long log one sees the end.
    tell("failed once", unsteady)
    tell("failed", failed)
    if unsteady:
        print(f"unsteady: {', '.join(unsteady)}")
    for name in failed:
        print(f"failed: {name}")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped, {len(unsteady)} unsteady")
    if options.tally:
        with open(options.tally, "a") as tally:
            tally.write(f"{count['passed']} {count['failed']} {count['skipped']}\n")
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
