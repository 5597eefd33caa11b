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
ELSEWHERE = {"proxy/config.cpp": {"node"}}  # of another file: node_file is asked for it

# In which sections of its page a loader's settings stand.
SECTIONS = {
    "vrrp/config.cpp": ["SETTINGS", "PEER"],
    "vrrp/config_checks.cpp": ["CHECKS", "SETTINGS"],
    "vrrp/config_reader.cpp": ["PEER"],
    "vrrp/config_router.cpp": ["VIRTUAL ROUTERS", "SETTINGS", "PEER"],
    "proxy/config.cpp": ["PROXY", "LISTENERS", "HEADERS"],
    "proxy/config_balancing.cpp": ["UPSTREAMS"],
    "proxy/config_compression.cpp": ["COMPRESSION"],
    "proxy/config_error_pages.cpp": ["ERROR PAGES"],
    "proxy/config_headers.cpp": ["HEADERS"],
    "proxy/config_health.cpp": ["HEALTH", "UPSTREAMS"],
    "proxy/config_limits.cpp": ["LIMITS", "TIMEOUTS", "PROXY"],
    "proxy/config_log.cpp": ["ACCESS LOG", "PROXY"],
    "proxy/config_names.cpp": ["RESOLVER", "PROXY"],
    "proxy/config_protection.cpp": ["ACCESS"],
    "proxy/config_route.cpp": ["ROUTES"],
    "proxy/config_site.cpp": ["SITES", "ROUTES", "HEADERS"],
    "proxy/config_sticky.cpp": ["STICKY", "UPSTREAMS"],
    "proxy/config_tls.cpp": ["TLS", "PROXY", "SITES"],
    "proxy/config_tunnels.cpp": ["TCP", "LISTENERS", "SITES", "ROUTES", "PROXY", "UPSTREAMS"],
    "proxy/config_upstream.cpp": ["UPSTREAMS"]}


def loaders(folder):
    for path in sorted((ROOT / folder).glob("config*.cpp")):
        yield path.relative_to(ROOT).as_posix(), re.sub(r"//[^\n]*", "", path.read_text())


def settings_in(code):
    names = set()
    for pattern in ASKING:
        names |= set(re.findall(pattern, code))
    for listed in re.findall(LISTED, code):
        names |= set(re.findall(r'"([a-z][a-z0-9_]*)"', listed))
    return names


def settings_of(folder):
    """By loader; those without settings are left out."""
    found = {name: settings_in(code) - ELSEWHERE.get(name, set()) for name, code in loaders(folder)}
    return {name: settings for name, settings in found.items() if settings}


def values_of(folder):
    """Of settings that are one of several words."""
    values = set()
    for _, code in loaders(folder):
        for listed in re.findall(r'choice\("\w+",\s*\{([^}]*)\}', code):
            values |= set(re.findall(r'"([^"]+)"', listed))
    return values


def page(name):
    return (MAN / name).read_text()


def tags(text, macro):
    return set(re.findall(rf"(?m)^\.It {macro} ([\w.-]+)", text))


def sections_of(text):
    """Settings by section."""
    parts = re.split(r"(?m)^\.Sh (.*)$", text)
    return {name: tags(body, "Ic") for name, body in zip(parts[1::2], parts[2::2])}


def options_of(help_text):
    return set(re.findall(r"(?m)^  (?:-h, )?--([a-z][a-z0-9-]*)", help_text))


def options_in(text):
    return {name.lstrip("-") for name in re.findall(r"(?m)^\.It +Fl ([\w-]+)", text)}


class Settings(unittest.TestCase):
    def test_how_loaders_ask_is_known(self):
        code = 'group.text("a"); group->integer("b", 0, 9); path_setting(group, "c"); read(*group, "d", 1);' \
               'for (std::string_view key : {"e", "f"}) x; take("g", 1); refuse_unsupported(root, {"h"});' \
               'other.text(\n "i")'
        self.assertEqual(settings_in(code), set("abcdefgi"))
        self.assertGreater(len(set.union(*settings_of("vrrp").values())), 50)
        self.assertGreater(len(set.union(*settings_of("proxy").values())), 150)

    def compare(self, folder, name):
        by_section, by_loader = sections_of(page(name)), settings_of(folder)
        known_in = {section: set() for section in by_section}
        for loader, settings in by_loader.items():
            self.assertIn(loader, SECTIONS, f"say above in which sections of {name} its settings stand")
            documented = set().union(*(by_section[section] for section in SECTIONS[loader]))
            self.assertEqual(settings - documented, set(), f"settings of {loader} that {name} does not explain")
            for section in SECTIONS[loader]:
                known_in[section] |= settings
        for section, documented in by_section.items():
            self.assertEqual(documented - known_in[section], set(), f"{name}, {section}: settings that do not exist")
        words = set(re.findall(r"\\\(dq([^\\\s]+)\\\(dq", page(name))) | tags(page(name), "Cm")
        self.assertEqual(values_of(folder) - words, set(), f"values that {name} does not name")

    def test_node_conf(self):
        self.compare("vrrp", "vipair-node.conf.5")
        types = set(re.findall(r'(?m)^      \{"([a-z_]+)", (?:yes|no|searches)', (ROOT / "vrrp/config_checks.cpp").read_text()))
        self.assertGreater(len(types), 10)
        self.assertEqual(types, tags(page("vipair-node.conf.5"), "Cm"))

    def test_proxy_conf(self):
        self.compare("proxy", "vipair-proxy.conf.5")

    def test_defaults(self):
        """conf_test knows that the values of these files are the true defaults."""
        full = (ROOT / "conf/examples/proxy-full.conf").read_text()
        cases = [("vipair-proxy.conf.5", section, full[full.index(f"\n{group} = {{"):].split("\n};")[0])
                 for section, group in (("LIMITS", "limits"), ("TIMEOUTS", "timeouts"), ("RESOLVER", "resolver"))]
        node = (ROOT / "conf/node.conf").read_text().split("# The rest, with its defaults.")[1]
        cases += [("vipair-node.conf.5", "SETTINGS", node.split("# of the peer:")[0]),
                  ("vipair-node.conf.5", "VIRTUAL ROUTERS", node.split("# and of a virtual router:")[1])]
        compared = 0
        for name, section, text in cases:
            known = dict(re.findall(r'(?m)^[# ]*([a-z][a-z0-9_]*) = ("[^"]*"|[0-9a-z]+);', text))
            body = page(name).split(f".Sh {section}\n")[1].split("\n.Sh ")[0]
            for setting, words in re.findall(r"(?s)\.It Ic (\w+)\n(.*?)(?=\n\.It |\Z)", body):
                said = re.search(r"Default:\s+(\S+?)[.,]?(?:\s|$)", words.replace("\\(dq", '"'))
                if said and setting in known:
                    self.assertEqual(said[1], known[setting], f"{name}: {setting}")
                    compared += 1
        self.assertGreater(compared, 40)

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
