#!/usr/bin/env python3
"""Two booted nodes with the built packages: sudo tests/nodes/run.py [--tree FOLDER] [--list] [--tally FILE] [PATTERN…]

Makes a root tree with systemd (mmdebstrap, from this machine's package sources), packages of what is compiled already
($VIPAIR_BIN; $VIPAIR_RPMS and $VIPAIR_RPMS_NEXT: where packages are), and runs the tests of this folder as
tests/system/run.py does. --tree keeps the root tree there for the next time. Where that cannot be, the tests count as
skipped, and why is told.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.dont_write_bytecode = True
# the folder of this file comes after them: its run.py is not the one that is meant below
sys.path[:0] = [str(HERE.parent / folder) for folder in ("system", "support", "packaging")]

import lab  # noqa: E402
import rpm_test  # noqa: E402
import run as system  # noqa: E402

INSIDE = """systemd systemd-sysv dbus iproute2 procps util-linux passwd libnl-3-200 libnl-route-3-200 libssl3
libconfig++9v5 libnghttp2-14 libc-ares2 libbrotli1 libpcre2-8-0 zlib1g libcrypt1 libstdc++6 logrotate nftables rpm curl""".split()
TOOLS = {"systemd-nspawn": "systemd-container", "mmdebstrap": "mmdebstrap", "rpm": "rpm", "nsenter": "util-linux"}


class CannotRun(Exception):
    pass


def say(text: str) -> None:
    print(text, flush=True)


def make_tree(tree: Path) -> None:
    """A Debian whose rpm believes what its dpkg knows: that the libraries are there."""
    if (tree / "usr/lib/systemd/systemd").exists():
        return
    say("nodes: making a root tree with systemd")
    done = subprocess.run(["mmdebstrap", "--variant=minbase", f"--include={','.join(INSIDE)}", "bookworm", str(tree)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise CannotRun(f"no root tree could be made, mmdebstrap said: {done.stdout.strip()[-500:]}")
    with tempfile.TemporaryDirectory(prefix="vipair-stand-ins-") as folder:
        stand_ins = rpm_test.write_base_system("debian", Path(folder), rpm_test.DEBIAN)
        rpm_test.run("rpm", "--root", tree, "-U", *stand_ins)
    (tree / "etc/machine-id").write_text("")


def make_packages(folder: Path) -> None:
    """Of what the release preset has compiled: the packages, and the next release of them, whose default node.conf has
    changed."""
    for variable, release in (("VIPAIR_RPMS", "1"), ("VIPAIR_RPMS_NEXT", "2")):
        if variable in os.environ:
            continue
        source, out = folder / f"source-{release}", folder / f"rpms-{release}"
        shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns("build", ".git", "__pycache__"))
        if release != "1":
            with open(source / "conf/node.conf", "a") as conf:
                conf.write("# the next release\n")
        build = folder / "built"
        shutil.rmtree(build, ignore_errors=True)
        (build / "bin").mkdir(parents=True)
        configured = ["cmake", "-S", source, "-B", build, "-G", "Ninja", "-DVIPAIR_TESTS=OFF"]
        for command in (configured, [source / "packaging/rpm/build.sh", "--from", build, "--release", release, "--out", out]):
            if command is not configured:
                for program in ("vipair-vrrpd", "vipair-proxyd", "vipairctl"):
                    shutil.copy(lab.program(program), build / "bin")
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode != 0:
                raise AssertionError(f"{command[0]} failed: {done.stdout[-3000:]}")
        os.environ[variable] = str(out)


def remove_groups(name: str) -> None:
    """Control groups outlive the processes in them; they are seen where their file system is mounted."""
    script = """mount --make-rprivate / && mount -t cgroup2 cgroup2 "$1" && {
                find "$1/$2" -depth -type d -exec rmdir {} \\; ; umount "$1"; }"""
    with tempfile.TemporaryDirectory(prefix="vipair-cgroup-") as folder:
        subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", folder, name], stderr=subprocess.DEVNULL)


def main() -> int:
    arguments, tree = sys.argv[1:], None
    if "--tree" in arguments:
        at = arguments.index("--tree")
        tree = Path(arguments[at + 1]).resolve()
        del arguments[at:at + 2]
    sys.argv[1:] = arguments
    system.HERE = HERE
    if "--list" in arguments or "--help" in arguments:
        return system.main()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))  # nothing is left behind then either
    folder = tempfile.mkdtemp(prefix="vipair-nodes-")
    os.environ["VIPAIR_NODE_GROUP"] = f"vipair-nodes-{os.getpid()}"
    try:
        missing = [f"{tool} (package {package})" for tool, package in TOOLS.items() if not shutil.which(tool)]
        if missing:
            raise CannotRun(f"not installed: {', '.join(missing)}")
        tree = tree or Path(folder) / "tree"
        make_tree(tree)
        make_packages(Path(folder))
        os.environ["VIPAIR_NODE_TREE"] = str(tree)
        return system.main()
    except CannotRun as reason:
        count = len(system.find_tests())
        say(f"nodes: {count} tests skipped: {reason}")
        if "--tally" in arguments:
            with open(arguments[arguments.index("--tally") + 1], "a") as tally:
                tally.write(f"0 0 {count}\n")
        return 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        remove_groups(os.environ["VIPAIR_NODE_GROUP"])


if __name__ == "__main__":
    sys.exit(main())
