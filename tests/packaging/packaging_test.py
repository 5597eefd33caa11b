#!/usr/bin/env python3
"""What the packages bring besides the programs, looked at without building any: packaging/ is valid, hardened as far
as promised, and agrees with the programs. $VIPAIR_BIN says where those are (default: build/release/bin)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
BIN = Path(os.environ.get("VIPAIR_BIN", ROOT / "build" / "release" / "bin"))
EXPOSURE_MAX = {"vipair-vrrpd.service": 2.5, "vipair-proxyd.service": 2.0}  # systemd-analyze security: 0 best, 10 worst


def run(*argv, check: bool = True, **options) -> str:
    done = subprocess.run([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))} exited with {done.returncode}:\n{done.stdout}")
    return done.stdout


def need(tool: str, package: str) -> str:
    found = shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not found:
        raise unittest.SkipTest(f"{tool} is not installed (package {package})")
    return found


def settings_of(unit: str, key: str) -> list:
    text = (PACKAGING / "systemd" / unit).read_text()
    return re.findall(rf"^{key}=(.*)$", text, flags=re.M)


class WithFolder(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="vipair-packaging-"))
        self.addCleanup(shutil.rmtree, self.folder)


class Units(WithFolder):
    def verify(self, edit=lambda text: text) -> str:
        """What systemd has to say about the units in a tree where the programs exist."""
        systemd_analyze = need("systemd-analyze", "systemd")
        units = self.folder / "usr/lib/systemd/system"
        shutil.copytree("/usr/lib/systemd/system", units, symlinks=True, dirs_exist_ok=True)
        for unit in EXPOSURE_MAX:
            (units / unit).write_text(edit((PACKAGING / "systemd" / unit).read_text()))
        for program in ("usr/sbin/vipair-vrrpd", "usr/sbin/vipair-proxyd", "usr/sbin/vipairctl"):
            path = self.folder / program
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("#!/bin/sh\n")
            path.chmod(0o755)
        return run(systemd_analyze, "verify", "--man=no", f"--root={self.folder}", *EXPOSURE_MAX)

    def test_systemd_understands_every_line(self):
        self.assertEqual(self.verify(), "")

    def test_an_unknown_setting_would_be_seen(self):
        self.assertIn("Unknown key", self.verify(lambda text: text.replace("OOMScoreAdjust=", "OomScore=")))

    def test_they_are_hardened(self):
        for unit, most in EXPOSURE_MAX.items():
            said = run(need("systemd-analyze", "systemd"), "security", "--offline=true", "--no-pager",
                       f"--threshold={round(most * 10)}", PACKAGING / "systemd" / unit, check=False)
            exposure = re.search(r"exposure level for \S+ ([\d.]+)", said)
            self.assertTrue(exposure, said)
            self.assertLessEqual(float(exposure[1]), most, f"{unit}:\n{said}")

    def test_a_reload_tells_what_is_wrong(self):
        """A signal would be lost without an answer, and a check by another process does not have the credentials."""
        for unit, daemon in (("vipair-vrrpd.service", "vrrp"), ("vipair-proxyd.service", "proxy")):
            self.assertEqual(settings_of(unit, "ExecReload"), [f"/usr/sbin/vipairctl --timeout 30s reload {daemon}"])

    def test_what_a_restart_cannot_mend_ends_the_service(self):
        config = re.search(r"kExitConfig = (\d+)", "".join(
            path.read_text() for path in (ROOT / "common/runtime").glob("*.h")))[1]
        usage = {"vipair-vrrpd.service": "2",
                 "vipair-proxyd.service": re.search(r"kExitUsage = (\d+)", (ROOT / "proxy/main.cpp").read_text())[1]}
        for unit in EXPOSURE_MAX:
            self.assertEqual(settings_of(unit, "RestartPreventExitStatus"), [f"{usage[unit]} {config}"])

    def test_capabilities_are_few(self):
        for unit, capabilities in (("vipair-vrrpd.service", "CAP_NET_ADMIN CAP_NET_RAW"),
                                   ("vipair-proxyd.service", "CAP_NET_BIND_SERVICE")):
            for key in ("CapabilityBoundingSet", "AmbientCapabilities"):
                self.assertEqual(settings_of(unit, key), [capabilities])

    def test_presets_leave_both_off(self):
        preset = (PACKAGING / "systemd/85-vipair.preset").read_text()
        self.assertEqual(re.findall(r"^(\w+) (\S+)$", preset, flags=re.M),
                         [("disable", unit) for unit in EXPOSURE_MAX])

    def test_a_stop_reaches_the_agent_once(self):
        """A second signal would cut the connections that drain."""
        self.assertEqual(settings_of("vipair-vrrpd.service", "KillMode"), ["mixed"])

    def test_who_stops_first(self):
        self.assertIn("vipair-proxyd.service", settings_of("vipair-vrrpd.service", "After")[0].split())


class Users(WithFolder):
    def setUp(self):
        super().setUp()
        (self.folder / "etc").mkdir()
        run(need("systemd-sysusers", "systemd"), f"--root={self.folder}", PACKAGING / "systemd/vipair.sysusers")
        self.users = {line.split(":")[0]: line.split(":") for line in
                      (self.folder / "etc/passwd").read_text().splitlines()}
        self.groups = {line.split(":")[0]: line.split(":") for line in
                       (self.folder / "etc/group").read_text().splitlines()}

    def test_are_those_of_the_units(self):
        units_users = [settings_of(unit, "User")[0] for unit in EXPOSURE_MAX]
        self.assertEqual(sorted(self.users), sorted(units_users))
        for unit in EXPOSURE_MAX:
            group = settings_of(unit, "Group")[0]
            self.assertEqual(self.users[settings_of(unit, "User")[0]][3], self.groups[group][2])

    def test_cannot_log_in(self):
        for user in self.users.values():
            self.assertEqual(user[6], "/usr/sbin/nologin")

    def test_a_package_without_systemd_sysusers_makes_the_same(self):
        """The shell lines that an rpmbuild on Debian makes of the same file."""
        rpm = need("rpm", "rpm")
        lines = run(rpm, "--load", PACKAGING / "rpm/macros.debian", "--eval",
                    f"%sysusers_create_compat {PACKAGING / 'systemd/vipair.sysusers'}")
        self.assertNotIn("%", lines)
        made = dict(re.findall(r"useradd -r -g (\S+) .* (\S+) *$", lines, flags=re.M))
        self.assertEqual(sorted(re.findall(r"useradd .* (\S+) *$", lines, flags=re.M)), sorted(self.users), lines)
        self.assertEqual(list(made), ["vipair"], lines)
        self.assertIn("groupadd -r vipair", lines)


class OtherFiles(WithFolder):
    def test_tmpfiles_make_the_folder_of_the_sockets(self):
        if os.geteuid() != 0:
            self.skipTest("giving a folder to somebody needs root")
        text = (PACKAGING / "systemd/vipair.tmpfiles").read_text().replace("root vipair", "root root")
        (self.folder / "vipair.conf").write_text(text)
        run(need("systemd-tmpfiles", "systemd"), "--create", f"--root={self.folder}", self.folder / "vipair.conf")
        self.assertEqual((self.folder / "run/vipair").stat().st_mode & 0o7777, 0o1770)
        for unit in EXPOSURE_MAX:
            self.assertIn("/run/vipair", settings_of(unit, "ReadWritePaths")[0].split())

    def test_firewalld_services_are_valid(self):
        for path in sorted((PACKAGING / "firewalld").glob("*.xml")):
            service = xml.parse(path).getroot()
            self.assertEqual(service.tag, "service")
            self.assertEqual(service.find("short").text, path.stem)
            self.assertTrue({child.tag for child in service} <= {"short", "description", "port", "protocol"})
        self.assertEqual(xml.parse(PACKAGING / "firewalld/vipair-vrrpd.xml").find("protocol").get("value"), "vrrp")

    def test_firewalld_accepts_them(self):
        offline = need("firewall-offline-cmd", "firewalld")
        if os.geteuid() != 0:
            self.skipTest("firewall-offline-cmd needs root")
        services = self.folder / "services"
        shutil.copytree("/etc/firewalld", self.folder, dirs_exist_ok=True)
        services.mkdir(exist_ok=True)
        for path in (PACKAGING / "firewalld").glob("*.xml"):
            shutil.copy(path, services)
        self.assertIn("success", run(offline, f"--system-config={self.folder}", "--check-config"))

    def test_logrotate_accepts_its_file(self):
        logrotate = need("logrotate", "logrotate")
        text = (PACKAGING / "logrotate/vipair").read_text()
        self.assertIn("su vipair-proxyd vipair", text)
        logs = self.folder / "log"
        logs.mkdir()
        (logs / "access.log").write_text("line\n")
        user, group = run("id", "-un").strip(), run("id", "-gn").strip()
        own = text.replace("/var/log/vipair", str(logs)).replace("vipair-proxyd vipair", f"{user} {group}")
        own = re.sub(r"systemctl kill .*", f"touch {self.folder}/told", own)
        (self.folder / "conf").write_text(own)
        (self.folder / "conf").chmod(0o644)
        run(logrotate, "--force", "--state", self.folder / "state", self.folder / "conf")
        self.assertEqual(sorted(path.name for path in logs.iterdir()), ["access.log", "access.log.1"])
        self.assertTrue((self.folder / "told").exists(), "the proxy is told once")

    def test_selinux_labels_what_is_there(self):
        labels = [line.split()[0] for line in (PACKAGING / "selinux/vipair.fc").read_text().splitlines() if line.strip()]
        for path in ("/usr/sbin/vipair-vrrpd", "/usr/sbin/vipair-proxyd", "/etc/vipair/node.conf", "/run/vipair/gate.sock",
                     "/etc/vipair/secrets/pair.key", "/var/log/vipair/access.log", "/usr/libexec/vipair/check",
                     "/usr/lib/systemd/system/vipair-vrrpd.service", "/usr/lib/systemd/system/vipair-proxyd.service"):
            self.assertTrue(any(re.fullmatch(label, path) for label in labels), f"{path} has no label")

    def test_selinux_module_compiles(self):
        if not Path("/usr/share/selinux/devel/Makefile").exists():
            self.skipTest("there is no /usr/share/selinux/devel (package selinux-policy-dev)")
        shutil.copytree(PACKAGING / "selinux", self.folder, dirs_exist_ok=True)
        run("make", "-C", self.folder, "-f", "/usr/share/selinux/devel/Makefile", "NAME=default", "vipair.pp")
        self.assertGreater((self.folder / "vipair.pp").stat().st_size, 1000)

    def test_the_spec_has_the_version(self):
        version = re.search(r"project\(vipair VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
        spec = (PACKAGING / "rpm/vipair.spec").read_text()
        self.assertEqual(re.search(r"^Version: *(\S+)$", spec, flags=re.M)[1], version)
        self.assertIn(f"- {version}-1", spec.split("%changelog")[1])


class Completion(unittest.TestCase):
    def complete(self, *words: str) -> list:
        """What bash offers for the last word."""
        script = (f"source {PACKAGING / 'completion/vipairctl'}; COMP_WORDS=({' '.join(map(repr, words))}); "
                  f"COMP_CWORD={len(words) - 1}; _vipairctl; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
        return run("bash", "-c", script, env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}).split()

    def help(self, *words: str) -> str:
        if not (BIN / "vipairctl").exists():
            self.skipTest(f"{BIN}/vipairctl is not built")
        return run(BIN / "vipairctl", *words, "--help")

    def commands(self) -> list:
        return re.findall(r"^  ([a-z]+) {2,}", self.help(), flags=re.M)

    def test_knows_every_command(self):
        self.assertGreater(len(self.commands()), 10)
        self.assertEqual(sorted(self.complete("vipairctl", "")), sorted(self.commands()))
        self.assertEqual(self.complete("vipairctl", "undr"), ["undrain"])

    def test_knows_every_option(self):
        common = set(re.findall(r"^  (--[a-z-]+)", self.help(), flags=re.M))
        self.assertEqual(set(self.complete("vipairctl", "-")), common)
        for command in self.commands():
            usage = self.help(command)
            own = set(re.findall(r"\[(--[a-z-]+)", usage.splitlines()[0])) | common
            self.assertEqual(set(self.complete("vipairctl", command, "-")), own, command)

    def test_knows_the_words_of_commands(self):
        for command in self.commands():
            if "[vrrp|proxy]" in self.help(command):
                self.assertEqual(self.complete("vipairctl", command, ""), ["vrrp", "proxy"])
        self.assertEqual(self.complete("vipairctl", "--timeout", "5s", "server", ""), ["list", "drain", "ready"])


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()
