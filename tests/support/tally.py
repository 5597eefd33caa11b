"""tally.py JUNIT GTEST_DIR: prints `passed failed skipped` of a ctest run, counting every case of its gtest programs.

A program that ended without its report (a crash, a time-out) counts as one failure on top of nothing.
"""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree
from pathlib import Path


def main() -> int:
    junit, folder = sys.argv[1], Path(sys.argv[2])
    passed = failed = skipped = 0
    for case in xml.etree.ElementTree.parse(junit).getroot().iter("testcase"):
        report = folder / f"{case.get('name')}.json"
        status = case.get("status")
        if not report.exists() or report.stat().st_size == 0:
            passed, failed = passed + (status == "run"), failed + (status == "fail")
            skipped += status not in ("run", "fail")
            continue
        failures_before = failed
        for suite in json.loads(report.read_text())["testsuites"]:
            for test in suite["testsuite"]:
                if test.get("failures"):
                    failed += 1
                elif test.get("result") == "SKIPPED":
                    skipped += 1
                elif test.get("status") == "RUN":
                    passed += 1
        if status == "fail" and failed == failures_before:
            failed += 1  # the cases passed and the program failed: a leak, an exit status
    print(passed, failed, skipped)
    return 0


if __name__ == "__main__":
    sys.exit(main())
