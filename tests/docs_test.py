#!/usr/bin/env python3
"""The documents are true: messages in the page for troubleshooting are still said, links lead somewhere, commands and
options exist, each guide has its files. What they show as files is loaded by conf_test, man pages have a test of their
own."""
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ["README.md", "packaging/CHANGELOG.md", "packaging/doc/guides.md", "packaging/doc/troubleshooting.md"]
TOOL = "packaging/failover-test/vipair-failover-test"


def read(path):
    return (ROOT / path).read_text()


def literals(code):
    """The texts of a source; what the compiler or interpreter joins is joined."""
    code = re.sub(r'(?<!\\)"\s*\n\s*f?"', "", code)
    return re.sub(r'\\(["\'\\])', r"\1", code)


def said_somewhere():
    texts = [literals(path.read_text()) for folder in ("vrrp", "proxy", "common")
             for path in sorted((ROOT / folder).rglob("*")) if path.suffix in (".cpp", ".h")]
    return "\n".join([*texts, literals(read(TOOL))])


def fragments(message):
    return [part.strip() for part in message.split("…") if len(part.strip()) > 2]


class Troubleshooting(unittest.TestCase):
    def test_literals_are_joined_as_the_compiler_does(self):
        self.assertIn("one two", literals('f("one "\n     "two")'))
        self.assertIn("say \"x\"", literals(r'"say \"x\""'))
        self.assertNotIn("one two", literals('f("one ", "two")'))

    def test_each_message_is_said(self):
        messages = re.findall(r"(?m)^### `(.*)`$", read("packaging/doc/troubleshooting.md"))
        self.assertGreater(len(messages), 40)
        self.assertEqual(len(messages), len(set(messages)))
        headings = re.findall(r"(?m)^### .*$", read("packaging/doc/troubleshooting.md"))
        self.assertEqual(len(headings), len(messages), "every third-level heading is a message")
        said = said_somewhere()
        for message in messages:
            self.assertGreater(max(len(part) for part in fragments(message)), 9, f"{message} is too little to search for")
            for part in fragments(message):
                self.assertIn(part, said, f"nothing says: {message}")


    def test_each_finding_of_doctor_is_explained(self):
        code = read("vrrp/kernel/diagnosis.cpp")
        names = set(re.findall(r'\badd\(\s*"([^"]+)"', code)) | set(
            re.findall(r'\{"\w+", "([^"]+)", ', code[code.index("kSymptoms[]"):code.index("class Diagnosis")]))
        self.assertGreater(len(names), 25)
        part = read("packaging/doc/troubleshooting.md").split("## What `vipairctl doctor` finds")[1].split("\n## ")[0]
        told = set(re.findall(r"`([^`]+)`", "".join(re.findall(r"(?m)^\| (`.*?) \|", part))))
        self.assertEqual(names ^ told, set())


class Documents(unittest.TestCase):
    def test_links_lead_somewhere(self):
        for document in DOCUMENTS:
            text = read(document)
            anchors = {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
                       for heading in re.findall(r"(?m)^#+ (.*)$", text)}
            links = re.findall(r"\]\(([^)]+)\)", text)
            for link in links:
                if link.startswith("#"):
                    self.assertIn(link[1:], anchors, f"{document}: {link}")
                elif "://" not in link:
                    target = (ROOT / document).parent / link.partition("#")[0]
                    self.assertTrue(target.exists(), f"{document}: {link}")

    def test_commands_of_vipairctl_exist(self):
        known = set(re.findall(r'(?m)^    \{"(\w+)", Command::', read("common/ctl/command_line.cpp")))
        self.assertGreater(len(known), 10)
        for document in DOCUMENTS:
            for command in re.findall(r"(?m)(?:`|&& |sudo |^)vipairctl (\w+)", read(document)):
                self.assertIn(command, known, document)

    def test_faults_and_options_of_the_failover_test_exist(self):
        tool = read(TOOL)
        for document in DOCUMENTS:
            for line in re.findall(r"vipair-failover-test (--.*(?:\\\n.*)*)", read(document)):
                for option in re.findall(r"(?<!\S)--([a-z-]+)", line):
                    self.assertIn(f'add("--{option}"', tool, document)

    def test_options_of_run_sh_exist(self):
        usage = read("tests/run.sh").split("\nset -")[0]
        for line in re.findall(r"tests/run\.sh (--[^#\n]*)", read("README.md")):
            for option in re.findall(r"--[a-z]+", line):
                self.assertTrue(option == "--help" or re.search(rf"^# [ *] {option} ", usage, re.M), option)

    def test_each_guide_has_files_and_a_part_of_the_page(self):
        page = read("packaging/doc/guides.md")
        for folder in (ROOT / "conf/examples/guides").iterdir():
            for path in folder.rglob("*.conf"):
                self.assertIn(f"]({'../../' + path.relative_to(ROOT).as_posix()})", page)

    def test_changes_begin_with_this_version(self):
        project = re.search(r"project\(vipair VERSION ([0-9.]+)", read("CMakeLists.txt"))[1]
        self.assertEqual(re.findall(r"(?m)^## (\S+)", read("packaging/CHANGELOG.md"))[0], project)


if __name__ == "__main__":
    unittest.main()
