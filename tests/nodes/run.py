#!/usr/bin/env python3
"""Two booted nodes with the built packages: sudo tests/nodes/run.py [--tree FOLDER] [--list] [--tally FILE] [PATTERN…]

Makes a root tree with systemd (mmdebstrap, from this machine's package sources), builds the packages unless build/rpm
has them ($VIPAIR_RPMS, $VIPAIR_RPMS_NEXT: where they are already), and runs the tests of this folder as
tests/system/run.py does. --tree keeps the root tree there for the next time. Where that cannot be, the tests count as
skipped, and why is told.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "system"), str(HERE.parent / "support"), str(HERE.parent / "packaging")]

import rpm_test  # noqa: E402
import run as system  # noqa: E402

INSIDE = """systemd systemd-sysv dbus iproute2 procps util-linux passwd libnl-3-200 libnl-route-3-200 libssl3
libnghttp2-14 libc-ares2 libbrotli1 libpcre2-8-0 zlib1g libcrypt1 libstdc++6 logrotate nftables rpm curl""".split()
TOOLS = {"systemd-nspawn": "systemd-container", "mmdebstrap": "mmdebstrap", "rpm": "rpm", "nsenter": "util-linux"}


class CannotRun(Exception):
    pass


def say(text: str) -> None:
    print(text, flush=True)


def make_tree(tree: Path) -> None:
    """A Debian that believes to have what RHEL 9 has: the packages' dependencies are checked as they are there."""
    if (tree / "usr/lib/systemd/systemd").exists():
        return
    say("nodes: making a root tree with systemd")
    done = subprocess.run(["mmdebstrap", "--variant=minbase", f"--include={','.join(INSIDE)}", "bookworm", str(tree)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise CannotRun(f"no root tree could be made, mmdebstrap said: {done.stdout.strip()[-500:]}")
    with tempfile.TemporaryDirectory(prefix="vipair-stand-ins-") as folder:
        stand_ins = rpm_test.write_base_system("el9", Path(folder))
        rpm_test.run("rpm", "--root", tree, "-U", *stand_ins)
    (tree / "etc/machine-id").write_text("")


def make_packages() -> None:
    """The packages as they are, and the next release of them, whose default node.conf has changed."""
    if "VIPAIR_RPMS" not in os.environ:
        os.environ["VIPAIR_RPMS"] = str(ROOT / "build/rpm")
        if not list((ROOT / "build/rpm").glob("vipair-[0-9]*.rpm")):
            say("nodes: building the packages")
            subprocess.run([ROOT / "packaging/rpm/build.sh"], check=True, stdout=subprocess.DEVNULL)
    if "VIPAIR_RPMS_NEXT" in os.environ:
        return
    following = ROOT / "build/rpm-next"
    os.environ["VIPAIR_RPMS_NEXT"] = str(following)
    if list(following.glob("vipair-[0-9]*.rpm")):
        return
    say("nodes: building the next release of the packages")
    with tempfile.TemporaryDirectory(prefix="vipair-next-") as folder:
        shutil.copytree(ROOT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("build", ".git", "__pycache__"))
        with open(f"{folder}/conf/node.conf", "a") as conf:
            conf.write("# the next release\n")
        subprocess.run([f"{folder}/packaging/rpm/build.sh", "--release", "2", "--no-debuginfo", "--out", following],
                       check=True, stdout=subprocess.DEVNULL)


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
    folder = tempfile.mkdtemp(prefix="vipair-nodes-")
    os.environ["VIPAIR_NODE_GROUP"] = f"vipair-nodes-{os.getpid()}"
    try:
        missing = [f"{tool} (package {package})" for tool, package in TOOLS.items() if not shutil.which(tool)]
        if missing:
            raise CannotRun(f"not installed: {', '.join(missing)}")
        tree = tree or Path(folder) / "tree"
        make_tree(tree)
        make_packages()
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
