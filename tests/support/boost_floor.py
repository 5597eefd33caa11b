"""boost_floor.py BUILD: compiles what uses Boost against Boost 1.74, one release below the oldest that is promised.

BUILD is a finished GCC build (with that Boost, coroutines were GCC's alone). Prints what does not compile and, last,
`passed failed skipped`. Boost.JSON came with 1.75: what includes it is skipped. The headers are Debian 12's own
package, unpacked into a temporary folder, since it cannot be installed beside libboost1.81-dev; where the package
cannot be had, everything is skipped.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = "libboost1.74-dev"
GUARD = """#include <boost/version.hpp>
#if BOOST_VERSION / 100 != 1074
#error these are not the headers of Boost 1.74
#endif
"""


def fetch(folder: Path):
    """The folder of the old headers; None where there is no such package."""
    try:
        subprocess.run(["apt-get", "download", "-qq", PACKAGE], cwd=folder, check=True, timeout=300,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        package = next(folder.glob("*.deb"))
        subprocess.run(["dpkg", "-x", package, folder / "root"], check=True)
        package.unlink()
    except (OSError, subprocess.SubprocessError, StopIteration):
        return None
    return folder / "root/usr/include"


def units(build: Path) -> list:
    """(source, command, whether it includes Boost.JSON) of each object that includes Boost."""
    commands = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        command = shlex.split(entry["command"])
        commands[command[command.index("-o") + 1]] = (entry["file"], command)
    found = []
    deps = subprocess.run(["ninja", "-C", build, "-t", "deps"], check=True, capture_output=True, text=True).stdout
    for block in deps.split("\n\n"):
        object_file = block.split(":", 1)[0].strip()
        if object_file in commands and re.search(r"/boost/", block):
            found.append((*commands[object_file], "/boost/json" in block))
    return found


def compile_with(headers: Path, guard: Path, build: Path, command: list):
    at = command.index("-o")
    command = command[:at] + command[at + 2:] + ["-fsyntax-only", "-isystem", str(headers), "-include", str(guard)]
    if os.path.basename(command[0]) == "ccache":
        command = command[1:]
    return subprocess.run(command, cwd=build, capture_output=True, text=True)


def main() -> int:
    build = Path(sys.argv[1]).resolve()
    found = units(build)
    with tempfile.TemporaryDirectory() as folder:
        headers = fetch(Path(folder))
        if headers is None:
            print(f"{PACKAGE} cannot be had here: skipped")
            print(0, 0, len(found))
            return 0
        guard = Path(folder) / "guard.h"
        guard.write_text(GUARD)
        tried = [(source, command) for source, command, uses_json in found if not uses_json]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(lambda unit: compile_with(headers, guard, build, unit[1]), tried))
    failed = 0
    for (source, _), result in zip(tried, results):
        if result.returncode != 0:
            failed += 1
            print(f"{source} does not compile with {PACKAGE}:\n{result.stdout}{result.stderr}")
    if not tried:
        print(f"{build} is no finished build")
        failed = 1
    print(f"{len(tried) - failed} of {len(tried)} units compile; {len(found) - len(tried)} use Boost.JSON: skipped")
    print(len(tried) - failed, failed, len(found) - len(tried))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
