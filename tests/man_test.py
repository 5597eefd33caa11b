#!/usr/bin/env python3
"""The man pages of packaging/man say what the programs can do, and nothing else: every setting that a loader asks for,
every value that it takes, every variable, option, command and fault is in its page, and the other way round.

man_test.py [FOLDER OF THE PROGRAMS]; without programs, the sources alone are compared.
"""
import re
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAN = ROOT / "packaging" / "man"
PAGES = {"vipair-vrrpd.8", "vipair-proxyd.8", "vipairctl.8", "vipair-failover-test.8", "vipair-node.conf.5",
         "vipair-proxy.conf.5"}
TOOL = ROOT / "packaging" / "failover-test" / "vipair-failover-test"
PROGRAMS = Path(sys.argv.pop(1)) if "/" in "".join(sys.argv[1:2]) else None

# How loaders ask: group.text("key"), path_setting(group, "key"), for (… key : {"one", "two"}), take("key", …).
ASKING = [
    r'(?:\.|->)(?:has|text|boolean|integer|integers|duration|size|choice|address|group|groups|texts|text_pairs|require'
    r'|is_text_list)\(\s*"([a-z][a-z0-9_]*)"',
    r'\b(?!refuse_unsupported\b)\w+\(\*?\w+(?:\(\))?,\s*"([a-z][a-z0-9_]*)"',
    r'\btake\("([a-z_]+)"']
LISTED = r'\b(?:key|setting) : \{([^}]*)\}'
ELSEWHERE = {"proxy": {"node"}}  # of another file: proxy.conf's node_file is asked for it


def code_of(folder):
    for path in sorted((ROOT / folder).glob("config*.cpp")):
        yield re.sub(r"//[^\n]*", "", path.read_text())


def settings_of(folder, codes=None):
    names = set()
    for code in codes or code_of(folder):
        for pattern in ASKING:
            names |= set(re.findall(pattern, code))
        for listed in re.findall(LISTED, code):
            names |= set(re.findall(r'"([a-z][a-z0-9_]*)"', listed))
    return names - ELSEWHERE.get(folder, set())


def values_of(folder):
    """Of settings that are one of several words."""
    values = set()
    for code in code_of(folder):
        for listed in re.findall(r'choice\("\w+",\s*\{([^}]*)\}', code):
            values |= set(re.findall(r'"([^"]+)"', listed))
    return values


def page(name):
    return (MAN / name).read_text()


def tags(text, macro):
    return set(re.findall(rf"(?m)^\.It {macro} ([\w.-]+)", text))


def options_of(help_text):
    return set(re.findall(r"(?m)^  (?:-h, )?--([a-z][a-z0-9-]*)", help_text))


def options_in(text):
    return {name.lstrip("-") for name in re.findall(r"(?m)^\.It +Fl ([\w-]+)", text)}


class Settings(unittest.TestCase):
    def test_how_loaders_ask_is_known(self):
        code = 'group.text("a"); group->integer("b", 0, 9); path_setting(group, "c"); read(*group, "d", 1);' \
               'for (std::string_view key : {"e", "f"}) x; take("g", 1); refuse_unsupported(root, {"h"});' \
               'other.text(\n "i")'
        self.assertEqual(settings_of("x", [code]), set("abcdefgi"))
        self.assertGreater(len(settings_of("vrrp")), 50)
        self.assertGreater(len(settings_of("proxy")), 150)

    def compare(self, folder, name):
        documented, known = tags(page(name), "Ic"), settings_of(folder)
        self.assertEqual(known - documented, set(), f"settings that {name} does not explain")
        self.assertEqual(documented - known, set(), f"settings in {name} that do not exist")
        words = set(re.findall(r"\\\(dq([^\\\s]+)\\\(dq", page(name))) | tags(page(name), "Cm")
        self.assertEqual(values_of(folder) - words, set(), f"values that {name} does not name")

    def test_node_conf(self):
        self.compare("vrrp", "vipair-node.conf.5")
        types = set(re.findall(r'(?m)^      \{"([a-z_]+)", (?:yes|no|searches)', (ROOT / "vrrp/config_checks.cpp").read_text()))
        self.assertGreater(len(types), 10)
        self.assertEqual(types, tags(page("vipair-node.conf.5"), "Cm"))

    def test_proxy_conf(self):
        self.compare("proxy", "vipair-proxy.conf.5")

    def test_variables(self):
        header_rules = (ROOT / "proxy/http/header_rules.cpp").read_text()
        names = header_rules[header_rules.index("to_string(Variable"):].split("unknown")[0]
        known = set(re.findall(r'return "(\w+)";', names)) | set(
            re.findall(r'(?m)^    \{"(\w+)",', (ROOT / "proxy/http/log_format.cpp").read_text()))
        self.assertGreater(len(known), 25)
        documented = set(re.findall(r"\$\{([a-z_]+)\}", page("vipair-proxy.conf.5")))
        self.assertEqual(known ^ documented, set())


class Options(unittest.TestCase):
    def help_of(self, program, *arguments):
        if program == TOOL.name:
            command = [sys.executable, "-B", str(TOOL)]
        elif PROGRAMS is None:
            self.skipTest("no folder of programs was named")
        else:
            command = [str(PROGRAMS / program)]
        return subprocess.run([*command, *arguments, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout

    def compare(self, program, help_text):
        options = options_of(help_text)
        self.assertIn("help", options)
        self.assertEqual(options ^ options_in(page(f"{program}.8")), set(), program)

    def test_daemons(self):
        for program in ("vipair-vrrpd", "vipair-proxyd"):
            self.compare(program, self.help_of(program))

    def test_vipairctl(self):
        text = self.help_of("vipairctl")
        commands = set(re.findall(r"(?m)^  ([a-z]+)  +\S", text))
        self.assertGreater(len(commands), 10)
        self.assertEqual(commands ^ tags(page("vipairctl.8"), "Ic"), set())
        self.compare("vipairctl", text + "".join(self.help_of("vipairctl", command) for command in commands))

    def test_failover_test(self):
        text = self.help_of(TOOL.name)
        self.compare(TOOL.name, text)
        faults = set(re.findall(r"(?m)^  ([a-z-]+)  +.*\((?:planned|death|silence)", text))
        self.assertGreater(len(faults), 10)
        self.assertEqual(faults ^ tags(page(f"{TOOL.name}.8"), "Ic"), set())


class Pages(unittest.TestCase):
    def test_all_are_there(self):
        self.assertEqual({path.name for path in MAN.iterdir()}, PAGES)

    def test_each_has_its_parts(self):
        for name in PAGES:
            text = page(name)
            title, section = name.rsplit(".", 1)
            self.assertIn(f".Dt {title.upper()} {section}\n", text)
            self.assertTrue(text.isascii(), f"{name}: only ASCII looks the same everywhere")
            for other, number in re.findall(r"(?m)^\.Xr (\S+) (\d)", text):
                self.assertIn(f"{other}.{number}", PAGES, f"{name} refers to a page that is not there")
            for part in ["NAME", "DESCRIPTION", "SEE ALSO", "FILES" if section == "5" else "EXIT STATUS"]:
                self.assertIn(f".Sh {part}\n", text, name)

    def test_man_has_no_complaint(self):
        for command in (["man", "--warnings", "-l"], ["mandoc", "-Tlint", "-Wwarning"]):
            for name in sorted(PAGES):
                try:
                    done = subprocess.run([*command, str(MAN / name)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                          text=True, env={"PATH": "/usr/bin:/bin", "MANPAGER": "cat", "LC_ALL": "C.UTF-8"})
                except FileNotFoundError:
                    break
                said = done.stderr + (done.stdout if command[0] == "mandoc" else "")
                self.assertEqual(said, "", f"{command[0]}: {name}")


if __name__ == "__main__":
    unittest.main()
