#!/usr/bin/env python3
"""What packaging/failover-test/vipair-failover-test computes, says and runs on a node; without root and without nodes.
tests/system/test_failover_tool.py lets it hurt a pair."""
import ast
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "packaging" / "failover-test" / "vipair-failover-test"

sys.dont_write_bytecode = True
loader = SourceFileLoader("failover_test", str(PROGRAM))
tool = module_from_spec(spec_from_loader(loader.name, loader))
sys.modules[loader.name] = tool
loader.exec_module(tool)

GOOD = b"HTTP/1.1 200 OK\r\nX-Served-By: lb-a\r\nContent-Length: 2\r\n\r\nok"


def wait_for(what, condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for: {what}")
        time.sleep(0.01)


def sample(end, problem="", server="", begin=None):
    return tool.Sample(end if begin is None else begin, end, problem, server)


def options(*arguments):
    return tool.parser_of_arguments().parse_args(
        ["--vip", "192.0.2.100", "--url", "http://x/", "--a", "ssh a", "--b", "ssh b", *arguments])


def run_tool(*arguments):
    return subprocess.run([sys.executable, "-B", str(PROGRAM), *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60)


class Measuring(unittest.TestCase):
    def test_gap_is_the_longest_time_between_good_answers_and_the_edges(self):
        self.assertEqual(tool.longest_gap([sample(1.0), sample(2.5), sample(3.0)], 0.0, 4.0), 1.5)
        self.assertEqual(tool.longest_gap([sample(1.0), sample(2.0, "reset"), sample(3.0)], 0.0, 3.0), 2.0)
        self.assertEqual(tool.longest_gap([sample(1.0)], 0.0, 9.0), 8.0)
        self.assertEqual(tool.longest_gap([], 0.0, 9.0), 9.0)

    def test_changes_of_server_go_by_the_order_of_requests(self):
        answers = [sample(5.0, server="lb-a", begin=1.0), sample(2.5, server="lb-b", begin=2.0),
                   sample(4.0, "reset", "lb-a", begin=3.0), sample(4.5, server="lb-b", begin=4.0)]
        self.assertEqual(tool.changes_of_server(answers), 1)
        self.assertEqual(tool.changes_of_server([sample(i, server=s) for i, s in enumerate("abab")]), 3)

    def test_a_span_lasts_from_the_first_to_the_last_look(self):
        states = ["active", "active", "backup", "active", "unknown"]
        looks = list(enumerate(states))
        self.assertEqual(tool.spans(looks, "active", 0, 9), [(0, 1), (3, 3)])
        self.assertEqual(tool.spans(looks, "active", 1, 9), [(1, 1), (3, 3)])

    def test_two_nodes_overlap_when_both_were_surely_active(self):
        self.assertEqual(tool.overlap([(0, 1), (3, 5)], [(1, 4)]), 1)
        self.assertEqual(tool.overlap([(0, 1)], [(1, 2)]), 0)

    def test_checksum(self):
        self.assertEqual(tool.checksum(bytes([8, 0, 0, 0, 0, 1, 0, 1])), 0xF7FD)
        self.assertEqual(tool.checksum(b"\x01"), 0xFEFF)


class Answers(unittest.TestCase):
    def setUp(self):
        self.target = tool.Target("192.0.2.100", "http://www.example.com:81/a?b=c", (200, 399), "X-Served-By", False,
                                  None)

    def test_request_is_for_the_urls_host_and_goes_to_the_vip(self):
        self.assertEqual(self.target.address, ("192.0.2.100", 81))
        self.assertIn(b"GET /a?b=c HTTP/1.1\r\nHost: www.example.com:81\r\n", self.target.request)

    def test_good_answer_names_its_server(self):
        self.assertEqual(self.target.judge(GOOD), ("", "lb-a"))

    def test_bad_answers(self):
        for answer, problem in [(b"", "cut off"), (GOOD[:-1], "cut off"), (b"HTTP/1.1 200 OK\r\n", "cut off"),
                                (GOOD.replace(b"200", b"503"), "status 503"),
                                (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "cut off")]:
            self.assertEqual(self.target.judge(answer)[0], problem, answer)

    def test_url_that_is_none(self):
        for url in ("www.example.com", "ftp://x/", "http:///"):
            with self.assertRaisesRegex(tool.Trouble, "expected an address such as"):
                tool.Target("192.0.2.100", url, (200, 399), "X", False, None)


class Server(threading.Thread):
    """Answers each connection with GOOD, until it is closed. tls: an ssl.SSLContext."""

    def __init__(self, tls=None):
        super().__init__(daemon=True)
        self.tls = tls
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                with self.tls.wrap_socket(connection, server_side=True) if self.tls else connection as stream:
                    if stream.recv(65536):
                        stream.sendall(GOOD)
            except OSError:  # a connection without a request, mostly
                pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Probing(unittest.TestCase):
    def test_sees_answers_and_their_end(self):
        server = Server()
        target = tool.Target("127.0.0.1", f"http://x:{server.port}/", (200, 399), "X-Served-By", False, None)
        prober = tool.Prober(target, 0.01, 2.0, ["http", "tcp"])
        prober.start()
        good = lambda kind: sum(not each.problem for each in prober.samples[kind])
        bad = lambda kind: [each.problem for each in list(prober.samples[kind]) if each.problem]
        wait_for("answers", lambda: good("http") > 20 and good("tcp") > 20)
        self.assertEqual(prober.samples["http"][-1].server, "lb-a")
        self.assertEqual(bad("http") + bad("tcp"), [])
        server.close()
        wait_for("failures", lambda: len(bad("http")) > 10 and len(bad("tcp")) > 10)
        self.assertLessEqual(set(bad("http")), {"refused", "reset", "cut off"})
        self.assertEqual(bad("tcp")[-1], "refused")
        prober.is_stopped = True

    def test_tls(self):
        if not shutil.which("openssl"):
            self.skipTest("openssl is not installed")
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{folder}/key",
                            "-out", f"{folder}/crt", "-days", "1", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:x"],
                           check=True, stderr=subprocess.DEVNULL)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f"{folder}/crt", f"{folder}/key")
            server = Server(context)
            url = f"https://x:{server.port}/"
            for insecure, ca_file, problem in [(False, f"{folder}/crt", ""), (True, None, ""), (False, None, "TLS: ")]:
                target = tool.Target("127.0.0.1", url, (200, 399), "X-Served-By", insecure, ca_file)
                prober = tool.Prober(target, 0.05, 5.0, ["http"])
                prober.start()
                wait_for("an answer", lambda: prober.samples["http"])
                prober.is_stopped = True
                seen = prober.samples["http"][0].problem
                self.assertEqual(seen[:len(problem)], problem, seen) if problem else self.assertEqual(seen, "")
            server.close()
            with self.assertRaisesRegex(tool.Trouble, "--ca-file"):
                tool.Target("127.0.0.1", url, (200, 399), "X", False, f"{folder}/none")

    def test_silence_is_a_timeout(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:  # the kernel accepts, nobody answers
            target = tool.Target("127.0.0.1", f"http://x:{listener.getsockname()[1]}/", (200, 399), "X", False, None)
            prober = tool.Prober(target, 0.05, 0.2, ["http"])
            prober.start()
            wait_for("a timeout", lambda: prober.samples["http"])
            self.assertEqual(prober.samples["http"][0].problem, "timeout")
            prober.is_stopped = True


class Scripts(unittest.TestCase):
    """What runs on a node, with harmless faults and a folder of our own."""

    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)
        self.log = Path(self.place.name) / "log"
        self.folder = f"{self.place.name}/work"
        self.log.write_text("")

    def launch(self, hold, hurt="", restore=""):
        fault = tool.Fault("x", "planned", "", f"echo hurt >>{self.log}; {hurt}",
                           f"echo restored >>{self.log}; {restore}")
        self.shell(tool.launch_script(fault, self.folder, hold, "eth0"))
        wait_for("the fault", lambda: "hurt" in self.log.read_text())

    def shell(self, script):
        return subprocess.run(["sh"], input=script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=30, check=True).stdout

    def test_a_fault_ends_by_itself_and_once(self):
        self.launch(0.3, "echo to be told >&2")
        wait_for("its end", lambda: "restored" in self.log.read_text())
        self.assertIn("to be told", self.shell(tool.collect_script(self.folder)))
        self.shell(tool.restore_script(self.folder))
        self.assertEqual(self.log.read_text(), "hurt\nrestored\n")
        self.assertFalse(Path(self.folder).exists())

    def test_a_fault_can_be_ended_early(self):
        self.launch(60)
        self.assertEqual(self.log.read_text(), "hurt\n")
        self.shell(tool.restore_script(self.folder))
        self.assertEqual(self.log.read_text(), "hurt\nrestored\n")
        self.assertFalse(Path(self.folder).exists())

    def test_a_command_that_hangs_is_restored_all_the_same(self):
        self.launch(60, "sleep 60")
        self.shell(tool.restore_script(self.folder))
        self.assertEqual(self.log.read_text(), "hurt\nrestored\n")

    def test_scripts_of_all_faults_are_shell(self):
        for fault in tool.FAULTS:
            script = tool.launch_script(fault, tool.new_folder(), 5, "eth0")
            for part in [script, *re.findall(r"<<'END_OF_FILE'\n(.*?)\nEND_OF_FILE\n", script, re.S)]:
                done = subprocess.run(["sh", "-n"], input=part, stderr=subprocess.PIPE, text=True)
                self.assertEqual(done.stderr, "", fault.name)
            self.assertNotIn("{interface}", script)

    def test_a_namespace_is_not_rebooted(self):
        fake = f"{tool.HELPERS}\nreadlink() {{ echo \"$1\"; }}\nneed_machine; echo rebooted"
        done = subprocess.run(["sh", "-c", fake], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertNotIn("rebooted", done.stdout)
        self.assertIn("network namespace", done.stderr)


def status_of(state, **more):
    router = {"state": state, "addresses": ["192.0.2.100/24"], "faults": [], "peer": {"address": "192.0.2.12"}, **more}
    return {"vrrp": {"node": "lb-a", "routers": [{"state": "backup", "addresses": ["192.0.2.7/24"]}, router]}}


class Nodes(unittest.TestCase):
    def node(self, state, letter="a", **more):
        node = tool.Node(letter, "true", "192.0.2.100")
        node.take(status_of(state, **more))
        return node

    def test_state_is_that_of_the_router_with_the_address(self):
        node = tool.Node("a", "true", "192.0.2.100")
        for status, state in [(status_of("active"), "active"), ({"vrrp": None}, "unknown"), ({"vrrp": {}}, "unknown"),
                              (tool.parsed("no JSON"), "unknown"), (tool.parsed("[]"), "unknown")]:
            node.take(status)
            self.assertEqual(node.state, state, status)

    def test_ready_is_a_backup_that_hears_the_other_one(self):
        self.assertTrue(self.node("backup").is_ready())
        self.assertFalse(self.node("backup", faults=["proxy: not ready"]).is_ready())
        self.assertFalse(self.node("backup", peer=None).is_ready())
        self.assertFalse(self.node("active").is_ready())

    def test_an_old_look_says_nothing(self):
        node = self.node("active")
        node.samples[-1] = (time.monotonic() - 60, "active")
        self.assertEqual(node.state, "unknown")

    def test_a_pair_forgets_what_was_measured(self):
        pair = tool.Pair(self.node("active"), self.node("backup", "b"), None)
        pair.prober = type("Prober", (), {"samples": {"http": [sample(1.0), sample(2.0), sample(3.0)]}})
        pair.forget(2.0)
        self.assertEqual([each.end for each in pair.prober.samples["http"]], [2.0, 3.0])
        self.assertEqual(pair.active(), pair.nodes[0])

    def test_watches_what_the_agent_says_and_survives_a_lost_connection(self):
        with tempfile.TemporaryDirectory() as folder:
            said = Path(folder) / "said"
            said.write_text(json.dumps(status_of("active")) + "\n")
            program = Path(folder) / "vipairctl"
            program.write_text(f'#!/bin/sh\n[ "$1 $2 $3" = "status vrrp --json" ] && cat {said}\n')
            program.chmod(0o755)
            node = tool.Node("a", f"env PATH={folder}:/usr/bin:/bin", "192.0.2.100")
            watcher = threading.Thread(target=node.watch, daemon=True)
            watcher.start()
            wait_for("the state", lambda: node.state == "active")
            lost = node._process
            lost.kill()
            said.write_text(json.dumps(status_of("backup")) + "\n")
            wait_for("a connection made anew", lambda: node._process is not lost and node.state == "backup")
            self.assertTrue(node.is_ready())
            said.unlink()
            wait_for("nothing known", lambda: node.state == "unknown")
            node.stop()
            watcher.join(20.0)
            self.assertFalse(watcher.is_alive())

    def test_ssh_asks_nothing_and_notices_silence(self):
        prefix = tool.Node("a", "ssh -o ConnectTimeout=9 root@lb-a", "192.0.2.100").prefix
        self.assertIn("BatchMode=yes", prefix)
        self.assertEqual(sum(each.startswith("ConnectTimeout") for each in prefix), 1)
        self.assertEqual(prefix[-1], "root@lb-a")

    def test_a_prefix_that_does_not_work_is_told_with_what_to_do(self):
        for prefix, said in [("/does/not/exist", "there is no program"), ("false", "try by hand: false true")]:
            with self.assertRaisesRegex(tool.Trouble, said):
                tool.Node("a", prefix, "192.0.2.100").run("true")
        with self.assertRaisesRegex(tool.Trouble, "is empty"):
            tool.Node("a", " ", "192.0.2.100")


class Verdicts(unittest.TestCase):
    def judged(self, fault="stop-agent", was_active=True, moved=True, arguments=(), **facts):
        kind = tool.BY_NAME[fault].kind
        result = tool.Result(fault, kind, "lb-a", "active", "lb-a", gaps_ms={"http": 5.0}, sent={"http": 100}, **facts)
        node = tool.Node("b", "true", "192.0.2.100")
        tool.judge(result, was_active, node if moved else None, None, options(*arguments))
        return result.reasons

    def test_good(self):
        self.assertEqual(self.judged(), [])
        self.assertEqual(self.judged("kill-proxy", failed={"http": {"reset": 9}}), [])

    def test_each_reason_to_fail(self):
        self.assertIn("1 of 100 failed (1 reset)", self.judged(failed={"http": {"reset": 1}})[0])
        self.assertIn("5 ms, allowed are 1 ms", self.judged(arguments=["--planned-gap", "1"])[0])
        self.assertIn("both nodes said", self.judged(two_actives_ms=400.0)[0])
        self.assertIn("by turns", self.judged(changes=3)[0])
        self.assertIn("never became Active", self.judged(moved=False)[0])
        self.assertIn("though the Active was not hurt", self.judged(was_active=False)[0])

    def test_who_hurts_the_backup_may_lose_nothing(self):
        self.assertEqual(self.judged("kill-proxy", was_active=False, moved=False), [])
        reasons = self.judged("kill-proxy", was_active=False, moved=False, failed={"http": {"reset": 1}})
        self.assertIn("1 of 100 failed", reasons[0])


class Reports(unittest.TestCase):
    def setUp(self):
        lanes = {"began": 11.0, "begin": 10.0, "end": 20.0, "active": {"lb-a": [(10.0, 12.0)], "lb-b": [(12.1, 20.0)]},
                 "http": [(10.5, "", "lb-a"), (12.0, "re<set", ""), (13.0, "", "lb-b")]}
        facts = dict(gaps_ms={"http": 9.5, "tcp": 8.0}, sent={"http": 3, "tcp": 3}, recovery_s=1.0, lanes=lanes)
        self.good = tool.Result("stop-agent", "planned", "lb-a", "active", "lb-a", "lb-b", **facts)
        self.bad = tool.Result("kill-proxy", "death", "lb-b", "active", "lb-b", "lb-a", reasons=["http: <x> & \"y\""],
                               failed={"http": {"re<set": 1}}, **facts)
        self.options = options()
        self.options.began = "2026-11-20T05:00:00Z"

    def test_table(self):
        self.assertRegex(tool.row(self.good), r"^stop-agent +lb-a +lb-b +9\.5 +8\.0 +- +0 +3 +1\.0 ok$")
        self.assertIn("FAILED\n    http: <x>", tool.row(self.bad))

    def test_json(self):
        report = json.loads(tool.as_json([self.good, self.bad], self.options, ["lb-a", "lb-b"], True))
        self.assertFalse(report["passed"])
        self.assertEqual([each["passed"] for each in report["results"]], [True, False])
        self.assertEqual(report["results"][1]["failed"], {"http": {"re<set": 1}})
        self.assertFalse(json.loads(tool.as_json([self.good], self.options, ["lb-a", "lb-b"], False))["passed"])

    def test_junit(self):
        suite = xml.etree.ElementTree.fromstring(tool.as_junit([self.good, self.bad], "lost the node"))
        self.assertEqual((suite.get("tests"), suite.get("failures"), suite.get("errors")), ("3", "1", "1"))
        self.assertEqual(suite.find(".//failure").get("message"), "http: <x> & \"y\"")

    def test_svg(self):
        picture = xml.etree.ElementTree.fromstring(tool.as_svg([self.good, self.bad], ["lb-a", "lb-b"]))
        colours = [rect.get("fill") for rect in picture.iter("{http://www.w3.org/2000/svg}rect")]
        for colour in ("a", "b", "failed"):
            self.assertIn(tool.COLOURS[colour], colours)


class CommandLine(unittest.TestCase):
    def test_runs_on_the_python_of_rhel_9(self):
        ast.parse(PROGRAM.read_text(), feature_version=(3, 9))

    def test_version_is_the_projects(self):
        project = re.search(r"project\(vipair VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
        self.assertEqual(tool.VERSION, project)
        self.assertEqual(run_tool("--version").stdout, f"vipair-failover-test {project}\n")

    def test_help_names_every_fault(self):
        text = run_tool("--help").stdout
        for fault in tool.FAULTS:
            self.assertRegex(text, rf"(?m)^  {fault.name} .*{fault.kind}")

    def test_what_is_wrong_is_refused_with_what_would_be_right(self):
        base = ["--vip", "192.0.2.100", "--url", "http://x/", "--a", "true", "--b", "true"]
        for arguments, said in [(base[2:], "--vip"), (base + ["--faults", "stop-agent,stap"], "there is no fault 'stap'"),
                                (base + ["--faults", "reboot"], "--allow-reboot"),
                                (base + ["--hold", "x"], "expected a number from 1 to 3600"),
                                (base + ["--expect", "20"], "expected 200 or 200-399"),
                                (["--vip", "nine"] + base[2:], "expected one such as 192.0.2.100")]:
            done = run_tool(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(said, done.stderr)

    def test_all_is_what_needs_no_consent(self):
        self.assertEqual({fault.name for fault in options().faults} ^ set(tool.BY_NAME), {"reboot", "power-cut"})

    def test_a_pair_that_cannot_be_tested(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run_tool("--vip", "192.0.2.100", "--url", "http://x/", "--a", "/does/not/exist", "--b", "true",
                            "--junit", f"{folder}/x.xml")
            self.assertEqual(done.returncode, 3)
            self.assertIn("there is no program", done.stderr)
            suite = xml.etree.ElementTree.parse(f"{folder}/x.xml").getroot()
            self.assertEqual(suite.get("errors"), "1")


if __name__ == "__main__":
    unittest.main()
