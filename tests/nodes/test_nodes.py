"""What an administrator does: rpm -U on two machines, the files, systemctl; then faults, upgrades, and taking it away."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from booted_node import PACKAGES, UNITS, BootedNode
from lab import PAIR_KEY, VIP, Lab, can_connect, wait_for
from testing import time_limit

ALONE = True
FAILOVER_TEST = Path(__file__).resolve().parents[2] / "packaging/failover-test/vipair-failover-test"
UNPLANNED_GAP_MS = 2000.0  # the failover tests measure; here it is enough that it was no restart that helped
ANSWER_MAX = 1.2  # seconds: what has no answer by then counts as failed


def may_raise_limits() -> bool:
    """Whether a service may have what its Limit… lines ask for; some machines that run tests do not even let root."""
    effective = re.search(r"CapEff:\s+(\w+)", Path("/proc/self/status").read_text())[1]
    return bool(int(effective, 16) >> 24 & 1)  # CAP_SYS_RESOURCE


def without_limits(warnings: list) -> list:
    return [text for text in warnings if may_raise_limits() or not text.startswith(("memory lock", "real-time priority"))]


def make_lab(**options) -> Lab:
    return Lab(node=BootedNode, **options)


def started(test=None, **options) -> Lab:
    lab = make_lab(**options)
    lab.a.start_all()
    lab.wait_active(lab.a, 30.0)
    lab.b.start_all()
    lab.wait_backup(lab.b, 30.0)
    wait_for("the pair answers HTTP", lambda: can_connect(lab.client, VIP, 80))
    return lab


def moved(lab: Lab, to: BootedNode, traffic, planned: bool, test, what: str) -> None:
    """The other node has taken over, and clients have noticed as much as they may."""
    lab.wait_active(to, 30.0)
    lab.wait_held_by(to)
    time.sleep(ANSWER_MAX)
    lap = traffic.lap()
    test.note(f"{what}: {lap['failed']} of {lap['requests']} failed, {lap['gap_ms']:.0f} ms")
    if planned:
        assert lap["failed"] == 0, f"{what}: {lap}\n{lab.other(to).journal()[-3000:] if lab.other(to).leader else ''}"
    assert lap["gap_ms"] <= UNPLANNED_GAP_MS, f"{what}: {lap}"


@time_limit(360)
def test_install_makes_what_it_promises_and_starts_nothing(test):
    node = make_lab(origins=0).a
    said = node.install()
    assert "warning" not in said and "error" not in said, said
    assert node.sh("rpm -V " + " ".join(PACKAGES)) == "", "what is installed is what is packed"
    for unit in UNITS:
        assert node.sh(f"systemctl is-enabled {unit}", check=False).strip() == "disabled"
        assert not node.is_active(unit)
        assert f"gid={node.sh('getent group vipair').split(':')[2]}(vipair)" in node.sh(f"id {unit}")
    modes = {path: node.sh(f"stat -c '%a %U:%G' {path}").strip() for path in (
        "/etc/vipair", "/etc/vipair/secrets", "/etc/vipair/node.conf", "/etc/vipair/sites.d/default.conf", "/run/vipair",
        "/var/log/vipair")}
    assert modes == {"/etc/vipair": "2750 root:vipair", "/etc/vipair/secrets": "2750 root:vipair",
                     "/etc/vipair/node.conf": "640 root:vipair", "/etc/vipair/sites.d/default.conf": "640 root:vipair",
                     "/run/vipair": "1770 root:vipair", "/var/log/vipair": "750 vipair-proxyd:vipair"}, modes
    assert node.sh("vipair-vrrpd --check && vipair-proxyd --check && vipairctl check").count("ok") >= 2
    node.sh("vipairctl keygen /etc/vipair/secrets/pair.key")
    assert node.sh("stat -c '%a %U:%G' /etc/vipair/secrets/pair.key").strip() == "640 root:vipair"


@time_limit(360)
def test_services_run_with_little_and_lack_nothing(test):
    lab = started()
    for node in lab.nodes:
        pids = {unit: node.main_pid(unit) for unit in UNITS}
        for unit, user, capabilities in (("vipair-vrrpd", "vipair-vrrpd", 1 << 12 | 1 << 13),
                                         ("vipair-proxyd", "vipair-proxyd", 1 << 10)):
            status = node.sh(f"cat /proc/{pids[unit]}/status")
            assert int(re.search(r"CapEff:\s+(\w+)", status)[1], 16) == capabilities, status
            assert int(re.search(r"CapBnd:\s+(\w+)", status)[1], 16) == capabilities, status
            assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status, status
            assert node.sh(f"ps -o user= -p {pids[unit]}").strip() == user[:32], unit
        warnings = node.status().get("warnings", []) + node.proxy_status().get("warnings", [])
        if may_raise_limits():
            assert int(node.sh(f"awk '/VmLck/ {{print $2}}' /proc/{pids['vipair-vrrpd']}/status")) > 0, "memory is locked"
            assert node.sh(f"awk '/open files/ {{print $5}}' /proc/{pids['vipair-proxyd']}/limits").strip() == "1048576"
        else:
            test.note("limits cannot be raised on this machine: real-time priority and locked memory were not looked at")
        assert not without_limits(warnings), warnings
    said = lab.a.sh("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1/1k")
    assert said == "200", said
    wait_for("a line in the access log", lambda: '"/1k"' in lab.a.sh("cat /var/log/vipair/access.log"))


@time_limit(480)
def test_stop_kill_and_restart_of_either_daemon(test):
    lab = started()
    traffic = lab.traffic(rate=200)
    lab.a.sh("systemctl restart vipair-vrrpd")
    moved(lab, lab.b, traffic, True, test, "restart of the agent")
    lab.wait_backup(lab.a, 30.0)
    lab.b.sh("systemctl restart vipair-proxyd")
    moved(lab, lab.a, traffic, True, test, "restart of the proxy")
    lab.wait_backup(lab.b, 30.0)
    lab.a.sh("systemctl stop vipair-vrrpd")
    moved(lab, lab.b, traffic, True, test, "stop of the agent")
    assert not [line for line in lab.a.of_vipair() if "vrrpd" in line], lab.a.of_vipair()
    lab.a.sh("systemctl start vipair-vrrpd")
    lab.wait_backup(lab.a, 30.0)
    lab.b.sh("systemctl kill -s KILL vipair-proxyd")
    moved(lab, lab.a, traffic, False, test, "kill of the proxy")
    lab.wait_backup(lab.b, 30.0)
    assert int(lab.b.show("vipair-proxyd", "NRestarts")) == 1
    lab.a.sh("systemctl kill -s KILL vipair-vrrpd")
    moved(lab, lab.b, traffic, False, test, "kill of agent and supervisor at once")
    lab.wait_backup(lab.a, 30.0)


@time_limit(240)
def test_no_address_outlives_the_service(test):
    """Supervisor and agent are killed at once and nobody starts them again: ExecStopPost is what is left."""
    lab = started()
    lab.a.drop_in("vipair-vrrpd", "[Service]\nRestart=no\n")
    lab.a.sh("systemctl kill -s KILL vipair-vrrpd")
    lab.wait_active(lab.b)
    lab.wait_held_by(lab.b)
    assert f"removed {VIP}/24 on eth0" in lab.a.journal("vipair-vrrpd"), lab.a.journal("vipair-vrrpd")[-2000:]


@time_limit(360)
def test_watchdogs_start_what_hangs_anew(test):
    lab = make_lab()
    for node in lab.nodes:
        node.install()
        node.write_files()
        for unit in UNITS:
            node.drop_in(unit, "[Service]\nWatchdogSec=3s\n")
        node.start_all()
    wait_for("somebody is Active", lab.active, 30.0)
    lab.wait_active(lab.a, 30.0) if lab.active() is lab.a else lab.a.sh("true")
    active = lab.active()
    standby = lab.other(active)
    lab.wait_backup(standby, 30.0)
    before = active.main_pid("vipair-proxyd")
    active.sh(f"kill -STOP {before}")
    lab.wait_active(standby, 10.0)
    wait_for("the proxy was started anew", lambda: active.main_pid("vipair-proxyd") not in (0, before), 30.0)
    lab.wait_backup(active, 30.0)
    before = standby.main_pid("vipair-vrrpd")
    standby.sh("kill -STOP $(pgrep -x vipair-vrrpd)")
    lab.wait_active(active, 10.0)
    wait_for("the agent was started anew", lambda: standby.main_pid("vipair-vrrpd") not in (0, before), 60.0)
    lab.wait_backup(standby, 30.0)


@time_limit(360)
def test_a_reload_with_a_mistake_changes_nothing_and_a_start_with_one_is_not_repeated(test):
    lab = started()
    for unit, path in (("vipair-vrrpd", lab.a.node_conf), ("vipair-proxyd", lab.a.proxy_conf)):
        before, good = lab.a.main_pid(unit), path.read_text()
        lab.a.sh(f"systemctl reload {unit}")
        path.write_text(good + "surprise = true;\n")
        lab.a.sh(f"systemctl reload {unit} && exit 1 || exit 0")
        assert lab.a.is_active(unit) and lab.a.main_pid(unit) == before
        assert "surprise" in lab.a.journal(unit), lab.a.journal(unit)[-2000:]
        if unit == "vipair-vrrpd":
            lab.wait_active(lab.a)
        else:
            lab.a.sh(f"systemctl restart {unit}", check=False)
            wait_for("the service has given up", lambda: lab.a.show(unit, "ActiveState") == "failed", 10.0,
                     show=lambda: lab.a.show(unit, "ActiveState"))
            assert lab.a.show(unit, "ExecMainStatus") == "78"
            assert lab.a.show(unit, "NRestarts") == "0"
        path.write_text(good)
        lab.a.sh(f"systemctl start {unit}")


@time_limit(360)
def test_keys_may_be_credentials(test):
    lab = make_lab()
    for node in lab.nodes:
        node.install()
        settings = node.node_settings()
        settings["peer"]["key_file"] = "pair.key"
        node.write_files(node=settings)
        node.sh("rm /etc/vipair/secrets/pair.key")
        (node.tree / "root/pair.key").write_text(f"{PAIR_KEY}\n")
        node.sh("chmod 600 /root/pair.key")
        node.drop_in("vipair-vrrpd", "[Service]\nLoadCredential=pair.key:/root/pair.key\n")
        node.start_all()
        node.sh("systemctl reload vipair-vrrpd")
    wait_for("somebody is Active", lab.active, 30.0)
    lab.wait_backup(lab.other(lab.active()), 30.0)
    for node in lab.nodes:
        assert not without_limits(node.status().get("warnings", [])), node.status()["warnings"]


@time_limit(240)
def test_virtual_mac_addresses_work_in_the_unit(test):
    lab = make_lab(origins=0)
    lab.a.install()
    settings = lab.a.node_settings()
    settings["virtual_routers"][0].update({"virtual_mac": True, "unicast": False, "track_proxy": False})
    lab.a.write_files(node=settings)
    lab.a.sh("systemctl start vipair-vrrpd")
    lab.wait_active(lab.a, 30.0)
    assert "00:00:5e:00:01:33" in lab.a.ip("link show")
    assert "cannot set" not in lab.a.journal("vipair-vrrpd"), lab.a.journal("vipair-vrrpd")


@time_limit(600)
def test_reboots_and_a_power_cut(test):
    lab = started()
    traffic = lab.traffic(rate=200)
    lab.a.reboot()
    moved(lab, lab.b, traffic, True, test, "reboot of the Active")
    lab.wait_backup(lab.a, 60.0)
    lab.b.power_cut()
    lab.wait_active(lab.a, 30.0)
    time.sleep(ANSWER_MAX)
    lap = traffic.lap()
    test.note(f"power cut: {lap['failed']} of {lap['requests']} failed, {lap['gap_ms']:.0f} ms")
    assert lap["gap_ms"] <= UNPLANNED_GAP_MS, lap
    lab.b.power_on()
    lab.wait_backup(lab.b, 60.0)
    lab.wait_held_by(lab.a)
    assert traffic.lap()["failed"] == 0, "the return is noticed by nobody"


@time_limit(600)
def test_upgrade_of_both_nodes_under_traffic(test):
    lab = started()
    following = Path(os.environ["VIPAIR_RPMS_NEXT"])
    traffic = lab.traffic(rate=200)
    for node in (lab.b, lab.a):
        before = {unit: node.main_pid(unit) for unit in UNITS}
        conf = node.node_conf.read_text()
        said = node.rpm("-Uvh", following)
        assert "node.conf.rpmnew" in said, said
        for unit in UNITS:
            wait_for(f"{unit} was restarted", lambda: node.main_pid(unit) not in (0, before[unit]), 60.0)
        wait_for("both answer", lambda: node.status() and node.proxy_status(), 30.0)
        lab.wait_backup(node, 30.0)
        assert node.node_conf.read_text() == conf, "what was edited is kept"
        assert "the next release" in node.node_conf.with_name("node.conf.rpmnew").read_text()
        time.sleep(ANSWER_MAX)
        lap = traffic.lap()
        test.note(f"upgrade of {node.name}: {lap['failed']} of {lap['requests']} failed, {lap['gap_ms']:.0f} ms")
        assert lap["failed"] == 0, lap
    lab.wait_active(lab.b)


@time_limit(360)
def test_erase_leaves_nothing_but_edited_files(test):
    lab = started()
    traffic = lab.traffic(rate=200)
    said = lab.a.sh("rpm -e vipair-failover-test vipair")
    moved(lab, lab.b, traffic, True, test, "erase on the Active")
    assert not lab.a.of_vipair(), lab.a.of_vipair()
    assert lab.a.addresses("eth0") == [a for a in lab.a.addresses("eth0") if VIP not in a]
    left = lab.a.sh("find / -xdev -name '*vipair*' -not -path '/proc/*' -not -path '/rpms/*' -not -path '/sys/*'").split()
    left += lab.a.sh("find /etc/vipair -type f", check=False).split()
    allowed = re.compile(r"/etc/vipair(/.*\.rpmsave|/secrets|/secrets/pair\.key|/sites\.d|/node\.conf\.rpmnew)?|/var/log/vipair(/.*)?|"
                         r"/run/vipair|/etc/systemd/system/vipair.*|/var/lib/systemd/.*")
    foreign = [path for path in left if not allowed.fullmatch(path)]
    assert not foreign, foreign
    assert "node.conf.rpmsave" in said, said
    assert not lab.a.sh("systemctl list-unit-files 'vipair*' --no-legend --plain", check=False).strip()


@time_limit(1200)
def test_the_failover_test_of_a_third_host(test):
    """vipair-failover-test as a user runs it, within its default thresholds. A power cut needs a machine, not a
    container."""
    lab = started()
    faults = ("handover,drain,stop-agent,stop-proxy,restart-agent,restart-proxy,crash-agent,kill-proxy,kill-agent,"
              "hang-agent,hang-proxy,link-down,reboot")
    done = lab.client.run(
        ["python3", "-B", str(FAILOVER_TEST), "--vip", VIP, "--url", f"http://{VIP}/1k", "--a", str(lab.a.prefix), "--b",
         str(lab.b.prefix), "--faults", faults, "--allow-reboot", "--hold", "3", "--recovery", "60"],
        check=False, seconds=890.0)
    for line in done.stdout.splitlines():
        test.note(line)
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stdout[-3000:]}"
