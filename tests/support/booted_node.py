"""A node of the laboratory that has booted: systemd as its first process, the built packages installed by rpm with their
scriptlets, the daemons run by their units. A container (systemd-nspawn) with the network of the laboratory's host.

$VIPAIR_NODE_TREE is the root tree that every node starts from, by an overlay that goes with the sandbox; $VIPAIR_RPMS
has the packages. Both are made by tests/nodes/run.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import sandbox
from lab import KEY_FILE, Node, libconfig_file, wait_for

CGROUP = Path("/sys/fs/cgroup")
REBOOT = 133  # how systemd-nspawn ends when its system wants to start again
UNITS = ("vipair-vrrpd", "vipair-proxyd")
PACKAGES = ("vipair", "vipair-failover-test")
# Runs a command in the container, as the container is now. Not nsenter: when a shutdown stops the command before it
# kills it, nsenter stops itself too, with nobody to wake it up and collect the command, for which the shutdown waits.
INTO = """#!/usr/bin/env python3
import ctypes, os, sys
with open("@GROUP@/payload/init.scope/cgroup.procs") as processes:
    leader = int(processes.readline())
with open(f"/proc/{leader}/comm") as name:
    if name.read() != "systemd\\n":
        sys.exit(255)  # it is being set up
root = os.open(f"/proc/{leader}/root", os.O_PATH)
MNT, CGROUP, UTS, IPC, PID, NET = 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
if libc.setns(os.pidfd_open(leader), MNT | CGROUP | UTS | IPC | PID | NET):
    sys.exit(f"setns: {os.strerror(ctypes.get_errno())}")
os.fchdir(root)
os.chroot(".")
os.closerange(3, 4096)
child = os.fork()
if child == 0:
    try:
        os.execve("/usr/bin/env", ["env", "--", *sys.argv[1:]],
                  {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"})
    finally:
        os._exit(127)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
os._exit(status if status >= 0 else 128 - status)
"""
CAPABILITIES = "CAP_NET_ADMIN,CAP_NET_RAW,CAP_SYS_NICE,CAP_SYS_RESOURCE,CAP_IPC_LOCK"


def group_of_all() -> str:
    """The control group below which all nodes of this run live; run.py takes it away."""
    return os.environ["VIPAIR_NODE_GROUP"]


def mount_cgroup() -> None:
    """The view of a machine with control groups of version 2 only, whatever this one has."""
    if not (CGROUP / "cgroup.controllers").exists():
        sandbox.mount("cgroup2", str(CGROUP), "cgroup2")


def packages(folder: Path, names=PACKAGES) -> list:
    found = []
    for name in names:
        found += [str(path) for path in sorted(folder.glob(f"{name}-[0-9]*.rpm")) if ".src." not in path.name]
    return found


class BootedNode(Node):
    def __init__(self, lab, name: str, number: int, priority: int):
        super().__init__(lab, name, number, priority)
        mount_cgroup()
        self.tree = self.folder / "tree"
        self.group = CGROUP / group_of_all() / name
        self.container = None
        for part in ("upper", "work", "tree"):
            (self.folder / part).mkdir()
        sandbox.mount("overlay", str(self.tree), "overlay", 0,
                      f"lowerdir={os.environ['VIPAIR_NODE_TREE']},upperdir={self.folder}/upper,workdir={self.folder}/work")
        (self.tree / "etc/hostname").write_text(f"{name}\n")
        self.prefix = self.folder / "into"  # a command that runs others inside, across reboots
        self.prefix.write_text(INTO.replace("@GROUP@", str(self.group)))
        self.prefix.chmod(0o755)
        (self.tree / "rpms").mkdir()
        etc = self.tree / "etc/vipair"
        self.node_conf, self.proxy_conf = etc / "node.conf", etc / "proxy.conf"
        self.boot()

    # ---- the machine ------------------------------------------------------------------------

    @property
    def leader(self) -> int:
        """Process 1 of the container, as this sandbox numbers it; 0 while there is none."""
        try:
            return int((self.group / "payload/init.scope/cgroup.procs").read_text().split()[0])
        except (OSError, IndexError):
            return 0

    def boot(self) -> None:
        self.group.mkdir(parents=True, exist_ok=True)
        group = self.group

        def prepare() -> None:
            (group / "cgroup.procs").write_text("0")

        nspawn = ["systemd-nspawn", "--quiet", f"--directory={self.tree}", f"--machine={self.name}", "--boot",
                  "--register=no", "--keep-unit", "--console=pipe", "--link-journal=no", "--resolv-conf=off",
                  "--timezone=off", f"--network-namespace-path=/run/netns/{self.name}", f"--capability={CAPABILITIES}"]
        # a system that wants to start again is started again
        loop = ["sh", "-c", f'while :; do "$@"; [ $? = {REBOOT} ] || exit; done', "sh"]
        self.container = subprocess.Popen(
            loop + nspawn, preexec_fn=prepare, stdin=subprocess.DEVNULL, stdout=open(self.folder / "console.log", "ab"),
            stderr=subprocess.STDOUT, env={**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"})
        self.wait_booted()

    def wait_booted(self) -> None:
        def is_up() -> bool:
            if self.container.poll() is not None:
                raise AssertionError(f"{self.name} did not boot: {(self.folder / 'console.log').read_text()[-2000:]}")
            return self.leader and self.sh("systemctl is-system-running", check=False).strip() in ("running", "degraded")
        wait_for(f"{self.name} has booted", is_up, 150.0, interval=0.2)

    def sh(self, command: str, check: bool = True, seconds: float = 60.0) -> str:
        """A shell command inside, as root."""
        done = subprocess.run([str(self.prefix), "/bin/sh", "-c", command], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=seconds)
        if check and done.returncode != 0:
            raise AssertionError(f"{self.name}: {command} exited with {done.returncode}: {done.stdout.strip()}")
        return done.stdout

    def reboot(self) -> None:
        """As `reboot` does it: services are stopped, the machine starts again."""
        before = self.leader
        self.sh("systemctl reboot", check=False)
        wait_for(f"{self.name} starts again", lambda: self.leader not in (0, before), 120.0)
        self.wait_booted()

    def power_cut(self) -> None:
        """The cables, then everything at once; killing systemd-nspawn would leave its system running."""
        for interface in self._cables:
            self.cable(interface, False)
        os.kill(self.leader, signal.SIGKILL)
        self.container.wait(20.0)

    def power_on(self) -> None:
        """What a kernel forgets without power, its network namespace here would not."""
        for interface in self._cables:
            own = {"eth0": f"{self.front}/24", "eth1": f"{self.back}/24"}[interface]
            for address in self.addresses(interface):
                if "." in address and address != own:
                    self.ip(f"addr del {address} dev {interface}", check=False)
        self.run(["sh", "-c", "nft flush ruleset; ip addr flush dev lo scope global"], check=False)
        super().power_on()
        self.boot()

    # ---- what is installed on it ------------------------------------------------------------

    def rpm(self, options: str, folder: Path) -> str:
        """rpm -Uvh and the like with the packages of the folder."""
        inside = self.tree / "rpms"
        for path in inside.iterdir():
            path.unlink()
        names = packages(folder)
        assert names, f"no packages in {folder}"
        for name in names:
            shutil.copy(name, inside)
        return self.sh(f"rpm --force-debian {options} /rpms/*.rpm", seconds=180.0)

    def install(self) -> str:
        return self.rpm("-Uvh", Path(os.environ["VIPAIR_RPMS"]))

    def write_files(self, node: dict = None, proxy: dict = None, site: dict = None) -> None:
        """Into the installed folders, as root would."""
        etc = self.node_conf.parent
        if self.lab.pair_key:
            self.write_keys(self.lab.pair_key)
        self.node_conf.write_text(libconfig_file(node or self.node_settings()))
        self.proxy_conf.write_text(libconfig_file(proxy or self.proxy_settings()))
        (etc / "sites.d/default.conf").write_text(libconfig_file(site or self.site_settings()))

    def write_keys(self, *keys: str) -> None:
        path = self.node_conf.parent / "secrets" / KEY_FILE
        path.unlink(missing_ok=True)
        self.sh(f"vipairctl keygen /etc/vipair/secrets/{KEY_FILE}")  # with the mode and the group that it gives it
        path.write_text("".join(f"{key}\n" for key in keys))

    def node_settings(self) -> dict:
        settings = super().node_settings()
        del settings["control_socket"], settings["gate_socket"]
        if self.lab.pair_key:
            settings["peer"]["key_file"] = f"secrets/{KEY_FILE}"
        return settings

    def proxy_settings(self) -> dict:
        settings = super().proxy_settings()
        del settings["control_socket"], settings["gate_socket"]
        settings["access_log"] = {"path": "/var/log/vipair/access.log", "format": "json"}
        return settings

    def drop_in(self, unit: str, text: str) -> None:
        folder = self.tree / f"etc/systemd/system/{unit}.service.d"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "test.conf").write_text(text)
        self.sh("systemctl daemon-reload")

    def start_all(self) -> None:
        """Installed, configured, enabled: what the README tells an operator to do."""
        if not (self.tree / "usr/sbin/vipair-vrrpd").exists():
            self.install()
            self.write_files()
        self.sh("systemctl enable --now vipair-proxyd vipair-vrrpd")

    def is_active(self, unit: str) -> bool:
        return self.sh(f"systemctl is-active {unit}", check=False).strip() == "active"

    def show(self, unit: str, name: str) -> str:
        return self.sh(f"systemctl show -P {name} {unit}").strip()

    def main_pid(self, unit: str) -> int:
        """Inside its own numbers; 0 when the service does not run."""
        return int(self.show(unit, "MainPID"))

    def journal(self, unit: str = "") -> str:
        return self.sh("journalctl --no-pager -o cat" + (f" -u {unit}" if unit else ""), check=False)

    def of_vipair(self) -> list:
        """Command lines of everything of vipair's that runs."""
        listed = self.sh("ps -eo args=").splitlines()
        return [line for line in listed if "vipair-" in line and not line.startswith("/bin/sh") and "ps -eo" not in line]

    # the sockets are in the container's own /run; the files' paths before the boot are no good
    @property
    def vrrp_socket(self) -> Path:
        return Path(f"/proc/{self.leader}/root/run/vipair/vrrpd.sock")

    @vrrp_socket.setter
    def vrrp_socket(self, path) -> None:
        pass

    @property
    def proxy_socket(self) -> Path:
        return Path(f"/proc/{self.leader}/root/run/vipair/proxyd.sock")

    @proxy_socket.setter
    def proxy_socket(self, path) -> None:
        pass
