"""vipair-failover-test, as a user runs it from a third host: prefixes lead to the nodes, systemctl is a stand-in for
systemd that starts and stops the daemons of its node."""

from __future__ import annotations

import json
import shlex
import signal
import time
import xml.etree.ElementTree
from pathlib import Path

from lab import SOURCE, VIP, VIP6, Lab, build_bin, can_connect, find_tool, program, wait_for
from testing import alone, time_limit

TOOL = str(SOURCE / "packaging" / "failover-test" / "vipair-failover-test")
# What is asked here is whether the tool does its work. A machine that runs other tests too takes its time.
PATIENT = ["--timeout", "3000", "--planned-gap", "5000", "--death-gap", "5000", "--silence-gap", "8000",
           "--two-actives", "3000", "--interval", "10"]

SYSTEMCTL = """#!/bin/sh
# systemctl reset-failed|start|stop|restart UNIT, for one node of a laboratory
pids() {{
  for file in /proc/[0-9]*/comm; do
    read -r name 2>/dev/null <"$file" || continue
    process=${{file%/comm}}
    [ "$name" = "$1" ] && [ "$(readlink "$process/ns/net")" = "$(readlink /proc/$$/ns/net)" ] &&
      echo "${{process#/proc/}}"
  done
  return 0
}}
main_pid() {{  # the supervisor, not its child
  for pid in $(pids "$1"); do
    read -r _ _ _ parent _ <"/proc/$pid/stat"
    read -r name <"/proc/$parent/comm"
    [ "$name" = "$1" ] || echo "$pid"
  done
}}
stop() {{
  for pid in $(main_pid "$1"); do kill -s TERM "$pid"; done
  while [ -n "$(pids "$1")" ]; do sleep 0.05; done
}}
start() {{
  [ -z "$(pids "$1")" ] || return 0
  case $1 in vipair-vrrpd) conf=node.conf ;; *) conf=proxy.conf ;; esac
  cd {folder} && setsid {bin}/$1 --config {folder}/$conf </dev/null >>"{folder}/$1.log" 2>&1 &
}}
case $1 in
  reset-failed) ;;
  start) start "$2" ;;
  stop) stop "$2" ;;
  restart) stop "$2"; start "$2" ;;
  *) echo "systemctl: what is $1?" >&2; exit 1 ;;
esac
"""


class Site:
    """A running pair and a client with the tool."""

    def __init__(self, ipv6: bool = False):
        self.lab = Lab(ipv6=ipv6)
        self.lab.start_pair()
        for node in self.lab.nodes:
            folder = node.folder / "bin"
            folder.mkdir()
            self.script(folder / "systemctl", SYSTEMCTL.format(folder=node.folder, bin=build_bin()))
            self.script(folder / "vipairctl", f'#!/bin/sh\nexec {program("vipairctl")} --vrrp-socket {node.vrrp_socket} '
                                              f'--proxy-socket {node.proxy_socket} "$@"\n')

    @staticmethod
    def script(path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def prefix(self, node) -> str:
        path = f"PATH={node.folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return shlex.join(["ip", "netns", "exec", node.name, "env", path])

    def arguments(self, *more: str, vip: str = VIP, b=None, prefix=None) -> list:
        prefix = prefix or self.prefix
        return ["python3", "-B", TOOL, "--vip", vip, "--url", "http://www.example.com/1k", "--a", prefix(self.lab.a),
                "--b", prefix(b or self.lab.b), *PATIENT, *more]

    def start_sshd(self) -> None:
        """From now on ssh_prefix() works, over the interface that the floating address is on."""
        sshd, keygen = find_tool("sshd", "openssh-server"), find_tool("ssh-keygen", "openssh-client")
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        folder = self.lab.client.folder
        for key in ("host", "user"):
            self.lab.client.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)])
        (folder / "sshd_config").write_text(f"""
            HostKey {folder}/host
            AuthorizedKeysFile {folder}/user.pub
            PermitRootLogin yes
            StrictModes no
            UsePAM no
            PidFile none
        """)
        for node in self.lab.nodes:
            node.start("sshd", [sshd, "-D", "-e", "-f", str(folder / "sshd_config")])
            wait_for(f"sshd of {node.name}", lambda: can_connect(self.lab.client, node.front, 22))

    def ssh_prefix(self, node) -> str:
        return (f"ssh -F none -i {self.lab.client.folder}/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
                f"root@{node.front} env PATH={node.folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin")

    def run(self, *more: str, **options):
        return self.lab.client.run(self.arguments(*more, **options), check=False, seconds=200.0)

    def begin(self, *more: str):
        return self.lab.client.start("tool", self.arguments(*more))

    def check_in_order(self) -> None:
        """As before: one Active, one ready, nothing left of a fault."""
        wait_for("the pair is as before", lambda: sorted(node.state for node in self.lab.nodes) == ["active", "backup"],
                 20.0, show=self.lab.show)
        left = [str(path) for path in self.lab.a.folder.parent.parent.glob("vipair-failover-test.*")]
        assert not left, f"left behind: {left}"


@alone
@time_limit(240)
def test_every_fault_is_measured_and_restored(test):
    site = Site()
    reports = {kind: site.lab.client.folder / f"report.{kind}" for kind in ("json", "junit", "svg")}
    reporting = [part for kind, path in reports.items() for part in (f"--{kind}", str(path))]
    done = site.run("--hold", "2", "--calm", "1", *reporting)
    test.note(done.stdout)
    assert done.returncode == 0, done.stdout
    report = json.loads(reports["json"].read_text())
    names = [result["fault"] for result in report["results"]]
    assert report["passed"] and len(names) == len(set(names)) == 12, names
    for result in report["results"]:
        assert result["active_before"] == result["node"], result
        assert result["sent"]["http"] > 50 and result["sent"]["icmp"] > 50, result
    hurt = {result["node"] for result in report["results"]}
    assert hurt == {"lb-a", "lb-b"}, f"the roles did not change: {hurt}"
    lost = {result["fault"]: result["gaps_ms"]["http"] for result in report["results"]}
    assert lost["link-down"] > 100, f"a pulled cable takes three intervals at least, or nothing was measured: {lost}"
    suite = xml.etree.ElementTree.parse(reports["junit"]).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("12", "0", "0")
    xml.etree.ElementTree.parse(reports["svg"])
    site.check_in_order()


@time_limit(240)
def test_two_actives_are_seen(test):
    """Neither hears the other for a while: the one thing that must not happen, whatever else is fine."""
    site = Site()
    nft = find_tool("nft", "nftables")
    tool = site.begin("--faults", "handover", "--hold", "6", "--two-actives", "300", "--planned-failed", "100000",
                      "--planned-gap", "60000")
    site.lab.wait_active(site.lab.b, 20.0)
    for node in site.lab.nodes:
        node.run([nft, "add table inet cut; add chain inet cut input { type filter hook input priority 0; }; "
                       "add rule inet cut input meta l4proto 112 drop"])
    wait_for("both are Active", lambda: [node.state for node in site.lab.nodes] == ["active", "active"], show=site.lab.show)
    time.sleep(2.0)
    for node in site.lab.nodes:
        node.run([nft, "delete table inet cut"])
    assert tool.wait(60.0) == 1, tool.log()
    assert "both nodes said that they are Active" in tool.log(), tool.log()
    site.check_in_order()


@time_limit(240)
def test_hurting_the_backup_is_not_noticed(test):
    site = Site()
    done = site.run("--faults", "kill-proxy,kill-agent", "--on", "standby", "--hold", "1")
    assert done.returncode == 0, done.stdout
    assert site.lab.active() is site.lab.a, site.lab.show()
    site.check_in_order()


@time_limit(240)
def test_an_interrupted_run_restores_what_it_broke(test):
    site = Site()
    tool = site.begin("--faults", "link-down", "--hold", "600")
    wait_for("the fault", lambda: "state DOWN" in site.lab.a.ip("link show eth0"), 20.0, show=tool.log)
    site.lab.wait_active(site.lab.b)
    tool.signal(signal.SIGTERM)
    assert tool.wait(30.0) == 130, tool.log()
    assert "state DOWN" not in site.lab.a.ip("link show eth0")
    assert "restored" in tool.log(), tool.log()
    site.check_in_order()


@time_limit(240)
def test_a_node_restores_itself_when_the_tool_is_killed(test):
    site = Site()
    tool = site.begin("--faults", "hang-proxy", "--hold", "6")
    site.lab.wait_active(site.lab.b, 20.0)
    tool.signal(signal.SIGKILL)
    tool.wait()
    site.lab.wait_backup(site.lab.a, 30.0)


@time_limit(240)
def test_routes_and_addresses_come_back_with_the_link(test):
    site = Site()
    a = site.lab.a
    a.ip("route add 203.0.113.0/24 via 192.0.2.50 dev eth0 metric 77")
    before = a.ip("-4 route show dev eth0"), a.ip("-6 addr show dev eth0 scope global")
    done = site.run("--faults", "link-down", "--hold", "1")
    assert done.returncode in (0, 1), done.stdout  # how long it took is not what is asked here
    for family, text in (("-4 route", before[0]), ("-6 addr", before[1])):
        for line in text.splitlines():
            if "203.0.113.0" in line or a.front6 in line:
                assert line.split("metric")[0].strip() in a.ip(f"{family} show dev eth0"), a.ip(f"{family} show dev eth0")


@time_limit(240)
def test_over_ssh_by_the_link_that_goes_down(test):
    """Nobody can restore it from outside: the node does."""
    site = Site()
    site.start_sshd()
    done = site.run("--faults", "stop-agent,link-down", "--hold", "3", prefix=site.ssh_prefix)
    test.note(done.stdout)
    assert done.returncode == 0, done.stdout
    site.check_in_order()


@time_limit(240)
def test_over_ipv6(test):
    site = Site(ipv6=True)
    report = site.lab.client.folder / "report.json"
    done = site.run("--faults", "stop-agent", "--hold", "1", "--json", str(report), vip=VIP6)
    assert done.returncode == 0, done.stdout
    for result in json.loads(report.read_text())["results"]:
        assert set(result["gaps_ms"]) == {"http", "tcp", "icmp"} and result["sent"]["icmp"] > 50, result
    site.check_in_order()


@time_limit(240)
def test_what_cannot_be_tested_is_told_before_anything_is_hurt(test):
    site = Site()
    for said, status, more, options in [
            ("both lead to lb-a", 3, [], {"b": site.lab.a}),
            ("has no virtual router with 192.0.2.99; it has 192.0.2.100/24", 3, [], {"vip": "192.0.2.99"}),
            ("and not a machine that could be rebooted", 1, ["--faults", "reboot", "--allow-reboot", "--hold", "1"], {}),
            ("lb-a is Active, lb-b is ready", 0, ["--check"], {})]:
        done = site.run(*more, **options)
        assert done.returncode == status and said in done.stdout, f"expected {said!r}: {done.returncode} {done.stdout}"
    site.lab.b.proxy.stop()
    done = site.run("--recovery", "2")
    assert done.returncode == 3 and "before anything was hurt" in done.stdout and "proxy" in done.stdout, done.stdout
    assert site.lab.active() is site.lab.a
