#!/usr/bin/env python3
"""Runs the system tests: sudo tests/system/run.py [--list] [--tally FILE] [PATTERN…]

Each function test_… in tests/system/test_*.py is a test; a PATTERN selects those whose "file.function" contains it.
Each runs in a sandbox of its own (tests/support/sandbox.py), makes its own laboratory and gets a Test to speak
through. $VIPAIR_BIN says where the programs are (default: build/release/bin).
"""

from __future__ import annotations

import argparse
import importlib
import os
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


def run_one(function) -> dict:
    test = Test()

    def body() -> list:
        function(test)
        return test.notes

    def collect() -> dict:
        notes = "\n".join(test.notes)
        return {**({"notes": notes} if notes else {}), **lab.collect_logs()}

    return sandbox.run(body, getattr(function, "time_limit", TIME_LIMIT), collect)


def main() -> int:
    parser = argparse.ArgumentParser(description="system tests in network namespaces")
    parser.add_argument("patterns", nargs="*", metavar="PATTERN")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--tally", metavar="FILE", help="append `passed failed skipped` to this file")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="run each test N times")
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
    count = {"passed": 0, "failed": 0, "skipped": 0}
    failures = []
    tests = tests * options.repeat
    try:
        for number, (name, function) in enumerate(tests, 1):
            print(f"{number:>3}/{len(tests)} {name:<68} ", end="", flush=True)
            began = time.monotonic()
            result = run_one(function)
            count[result["status"]] += 1
            print(f"{result['status']:<8} {time.monotonic() - began:6.1f} s", flush=True)
            for note in result.get("value") or []:
                print(f"        {note}")
            if result["status"] == "skipped":
                print(f"        {result['error']}")
            elif result["status"] == "failed":
                failures.append(name)
                print("\n".join("        " + line for line in result["error"].splitlines()))
                for log, text in result.get("logs", {}).items():
                    print("\n".join(f"        {log}: {line}" for line in text.splitlines()))
    except KeyboardInterrupt:
        print("\nstopped; nothing is left behind")
        return 130
    for name in failures:
        print(f"failed: {name}")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    if options.tally:
        with open(options.tally, "a") as tally:
            tally.write(f"{count['passed']} {count['failed']} {count['skipped']}\n")
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
