#!/usr/bin/env python3
"""The packages that packaging/rpm/build.sh has built, looked at without installing them: tests/packaging/rpm_test.py
[FOLDER], default build/rpm. VIPAIR_GOLDEN=write writes the lists of files anew, to be read in the diff."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
RPMS = Path(os.environ.get("VIPAIR_RPMS", ROOT / "build" / "rpm"))
PACKAGES = ("vipair", "vipair-selinux", "vipair-failover-test")


def run(*argv, check: bool = True) -> str:
    done = subprocess.run([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))} exited with {done.returncode}:\n{done.stdout}")
    return done.stdout


def package(name: str, arch: str = "*") -> Path:
    found = sorted(path for path in RPMS.glob(f"{name}-[0-9]*.{arch}.rpm") if arch == "src" or ".src." not in path.name)
    if not found:
        raise unittest.SkipTest(f"there is no {name} in {RPMS}")
    return found[-1]


def query(path: Path, text: str) -> list:
    return run("rpm", "-qp", "--qf", f"[{text}\n]", path).splitlines()


# ---- a distribution in a few lines: packages of the base system, and what they provide ----------

def soname(name: str, *versions: str) -> list:
    return [f"{name}()(64bit)", *(f"{name}({version})(64bit)" for version in versions)]


def base_system(glibc: int, glibcxx: int, cxxabi: int) -> dict:
    """package → provides. The numbers: the last GLIBC_2.x, GLIBCXX_3.4.x and CXXABI_1.3.x of the distribution."""
    symbols = ["GLIBC_2.2.5", "GLIBC_2.3.2", "GLIBC_2.3.4", *(f"GLIBC_2.{minor}" for minor in range(3, glibc + 1))]
    return {
        "bash": ["/bin/sh", "/usr/bin/sh", "/usr/bin/bash"],
        "coreutils": ["/usr/bin/env"],
        "glibc": ["rtld(GNU_HASH)", *soname("libc.so.6", *symbols), *soname("libm.so.6", *symbols),
                  *soname("ld-linux-x86-64.so.2", "GLIBC_2.2.5", "GLIBC_2.3")],
        "libgcc": soname("libgcc_s.so.1", *(f"GCC_{v}" for v in ("3.0", "3.3", "3.3.1", "3.4", "4.0.0", "4.2.0"))),
        "libstdc++": soname("libstdc++.so.6", "GLIBCXX_3.4", "CXXABI_1.3",
                            *(f"GLIBCXX_3.4.{minor}" for minor in range(1, glibcxx + 1)),
                            *(f"CXXABI_1.3.{minor}" for minor in range(1, cxxabi + 1))),
        "libnl3": [*soname("libnl-3.so.200", "libnl_3"), *soname("libnl-route-3.so.200", "libnl_3")],
        "openssl-libs": [*soname("libcrypto.so.3", "OPENSSL_3.0.0"), *soname("libssl.so.3", "OPENSSL_3.0.0")],
        "libnghttp2": soname("libnghttp2.so.14"),
        "c-ares": soname("libcares.so.2"),
        "zlib": soname("libz.so.1", "ZLIB_1.2.0", "ZLIB_1.2.0.2", "ZLIB_1.2.0.8", "ZLIB_1.2.2"),
        "libbrotli": [*soname("libbrotlienc.so.1"), *soname("libbrotlicommon.so.1")],
        "pcre2": soname("libpcre2-8.so.0"),
        "libxcrypt": soname("libcrypt.so.2", "XCRYPT_2.0"),
        "python3": ["/usr/bin/python3", "python(abi)"],
        "systemd": [], "shadow-utils": [], "firewalld-filesystem": [], "logrotate": [],
        "policycoreutils": [], "selinux-policy": [],
    }


DISTRIBUTIONS = {"el9": base_system(34, 29, 13), "el10": base_system(39, 33, 15)}  # what the packages are for
# where packages of an ordinary build are tried
DEBIAN = {**base_system(36, 30, 13), "libconfig": soname("libconfig++.so.9"), "libcrypt1": soname("libcrypt.so.1", "XCRYPT_2.0")}


def write_base_system(name: str, folder: Path, packages: dict = None) -> list:
    """Empty packages that provide it; returns their files."""
    spec = [f"Name: base-of-{name}", "Version: 1", "Release: 1", "Summary: stands in", "License: Apache-2.0",
            "BuildArch: noarch", "AutoReqProv: no", "%description", "Stands in."]
    for stand_in, provides in (packages or DISTRIBUTIONS[name]).items():
        spec += [f"%package -n {stand_in}", "Version: 99", "Summary: stands in",
                 *(f"Provides: {capability}" for capability in provides),
                 f"%description -n {stand_in}", "Stands in.", f"%files -n {stand_in}"]
    path = folder / f"{name}.spec"
    path.write_text("\n".join(spec) + "\n")
    run("rpmbuild", "-bb", "--define", f"_topdir {folder / name}", path)
    return sorted((folder / name / "RPMS").rglob("*.rpm"))


class Packages(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="vipair-rpm-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def test_rpmlint_finds_no_error(self):
        if not shutil.which("rpmlint"):
            self.skipTest("rpmlint is not installed")
        config = ROOT / "packaging/rpm/rpmlint.toml"
        said = run("rpmlint", "--config", config, *(package(name) for name in PACKAGES), package("vipair", "src"),
                   check=False)
        errors = [line for line in said.splitlines() if " E: " in line]
        self.assertFalse(errors, "\n".join(errors))
        self.assertRegex(said, r"0 errors")

    def test_files_are_those_that_are_meant(self):
        for name in PACKAGES:
            golden = HERE / f"{name}.files"
            listed = [line for line in query(package(name), "%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} "
                                             "%{FILEFLAGS:fflags} %{FILENAMES}") if "/.build-id" not in line]
            text = "".join(re.sub(" +", " ", line) + "\n" for line in listed)
            if os.environ.get("VIPAIR_GOLDEN") == "write":
                golden.write_text(text)
            self.assertEqual(text, golden.read_text(), f"{name}: VIPAIR_GOLDEN=write, then read the diff")

    def test_scriptlets_are_complete(self):
        for name in PACKAGES:
            scripts = run("rpm", "-qp", "--scripts", package(name))
            self.assertNotIn("%", scripts, name)
            if name == "vipair":
                for part in ("useradd", "systemd-tmpfiles --create", "preset", "try-restart", "disable --now"):
                    self.assertIn(part, scripts)
            for script in re.split(r"^\w+ scriptlet \(using /bin/sh\):$|^\w+ program: .*$", scripts, flags=re.M):
                run("sh", "-n", "-c", script)

    def test_every_dependency_is_in_the_base_system(self):
        for name in DISTRIBUTIONS:
            tree = self.folder / f"root-{name}"
            (tree / "var/lib/rpm").mkdir(parents=True)
            run("rpm", "--root", tree, "-U", *write_base_system(name, self.folder))
            run("rpm", "--root", tree, "-U", "--test", *(package(each) for each in PACKAGES))

    def test_a_dependency_that_is_nowhere_would_be_seen(self):
        stand_ins = [path for path in write_base_system("el9", self.folder) if not path.name.startswith("pcre2-")]
        tree = self.folder / "root"
        (tree / "var/lib/rpm").mkdir(parents=True)
        run("rpm", "--root", tree, "-U", *stand_ins)
        said = run("rpm", "--root", tree, "-U", "--test", package("vipair"), package("vipair-selinux"), check=False)
        self.assertIn("libpcre2-8.so.0", said)

    def test_debuggers_have_their_packages(self):
        symbols = query(package("vipair-debuginfo"), "%{FILENAMES}")
        for program in ("vipair-vrrpd", "vipair-proxyd", "vipairctl"):
            self.assertTrue(any(re.search(rf"/usr/sbin/{program}-.*\.debug$", file) for file in symbols), program)
        sources = query(package("vipair-debugsource"), "%{FILENAMES}")
        self.assertTrue(any(file.endswith("/vrrp/main.cpp") for file in sources))

    def test_the_source_package_is_complete(self):
        files = query(package("vipair", "src"), "%{FILENAMES}")
        version = run("rpm", "-qp", "--qf", "%{VERSION}", package("vipair"))
        self.assertEqual(sorted(files), [f"vipair-{version}.tar.gz", "vipair.spec", "vipair.sysusers"])

    def test_programs_are_hardened(self):
        for path in (package("vipair"),):
            unpacked = self.folder / "unpacked"
            unpacked.mkdir()
            run("sh", "-c", f"cd {unpacked} && rpm2cpio {path} | cpio -idm --quiet './usr/sbin/*'")
            for program in ("vipair-vrrpd", "vipair-proxyd", "vipairctl"):
                said = run("readelf", "-hlSdW", unpacked / "usr/sbin" / program)
                self.assertNotIn(".symtab", said, f"{program} is stripped")
                self.assertIn("DYN (Position-Independent", said, program)
                self.assertIn("GNU_RELRO", said, program)
                self.assertRegex(said, r"\(FLAGS(_1)?\).*NOW", program)
                self.assertNotRegex(said, r"GNU_STACK.*RWE", program)
                self.assertNotRegex(said, r"R(UN)?PATH", program)


def main() -> int:
    global RPMS
    arguments, tally = sys.argv[1:], None
    if "--tally" in arguments:  # append `passed failed skipped` to this file
        at = arguments.index("--tally")
        tally = arguments[at + 1]
        del arguments[at:at + 2]
    if arguments and not arguments[0].startswith("-") and Path(arguments[0]).is_dir():
        RPMS = Path(arguments.pop(0))
    ran = unittest.main(argv=[sys.argv[0], *arguments], exit=False).result
    failed, skipped = len(ran.failures) + len(ran.errors), len(ran.skipped)
    if tally:
        with open(tally, "a") as file:
            file.write(f"{ran.testsRun - failed - skipped} {failed} {skipped}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
