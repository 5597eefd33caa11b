"""Hostile and mistaken input: the role stays, everything is counted, and every refusal says what is wrong."""

from __future__ import annotations

import os
import random
import re
import socket
import time

from adverts import MULTICAST, RawSender, advertisement, advertisement_v2
from lab import VIP, VRID, Lab, control, program, wait_for
from testing import alone, time_limit

TIMES = 20                # each malformed advertisement is sent so often
QUIET = 0.5               # seconds: longer than the Backup's patience with a silent Active of 100 ms
EXIT_CONFIG = 78
REFUSALS = {              # counters of the agent's /status
    "too_short_errors", "ip_ttl_errors", "version_2_packets", "version_errors", "invalid_type_packets", "vrid_errors",
    "not_the_peer_errors", "packet_length_errors", "checksum_errors", "address_count_errors", "adv_interval_errors"}


def malformed(source: str, destination: str, vrid: int = VRID) -> list:
    """(what, counter, message, TTL): each would take or keep the role if it were believed."""
    def message(**spoiled) -> bytes:
        return advertisement(source, destination, **{"vrid": vrid, "priority": 255, "addresses": [VIP], **spoiled})

    good = message()
    return [
        ("TTL 254", "ip_ttl_errors", good, 254),
        ("TTL 1", "ip_ttl_errors", good, 1),
        ("version 2", "version_2_packets", advertisement_v2(vrid, 255, [VIP]), 255),
        ("version 0", "version_errors", message(version=0), 255),
        ("version 4", "version_errors", message(version=4), 255),
        ("version 15", "version_errors", message(version=15), 255),
        ("type 0", "invalid_type_packets", message(kind=0), 255),
        ("type 2", "invalid_type_packets", message(kind=2), 255),
        ("another VRID", "vrid_errors", message(vrid=vrid + 1), 255),
        ("VRID 0", "vrid_errors", message(vrid=0), 255),
        ("nothing", "too_short_errors", b"", 255),
        ("one byte", "too_short_errors", good[:1], 255),
        ("seven bytes", "too_short_errors", good[:7], 255),
        ("a header that promises an address", "packet_length_errors", good[:8], 255),
        ("half an address", "packet_length_errors", good[:10], 255),
        ("count 2 with one address", "packet_length_errors", message(count=2), 255),
        ("count 255 with one address", "packet_length_errors", message(count=255), 255),
        ("count 1 with two addresses", "packet_length_errors", message(addresses=[VIP, "192.0.2.9"], count=1), 255),
        ("8 trailing bytes", "packet_length_errors", message(trailing=bytes(8)), 255),
        ("1400 trailing bytes", "packet_length_errors", message(trailing=bytes(1400)), 255),
        ("a wrong checksum", "checksum_errors", message(wrong_checksum=True), 255),
        ("checksum 0", "checksum_errors", good[:6] + bytes(2) + good[8:], 255),
        ("count 0", "address_count_errors", message(addresses=[]), 255),
        ("interval 0", "adv_interval_errors", message(interval=0), 255),
        ("priority 0 with interval 0", "adv_interval_errors", message(priority=0, interval=0), 255),
    ]


class Agents:
    """Two agents without proxies and a stranger on their network."""

    def __init__(self, rfc_mode: bool = False):
        self.lab = Lab(origins=0, stranger=True, pair_key=None)  # what a key does is tested in test_authentication.py
        for node in self.lab.nodes:
            settings = node.node_settings()
            settings["track_proxy"] = False
            if rfc_mode:
                del settings["peer"]
            node.write_files(node=settings)
            node.start_agent()
            if node is self.lab.a:
                self.lab.wait_active(node)
        self.lab.wait_backup(self.lab.b)
        self.sender = RawSender(self.lab.stranger)

    def roles(self) -> list:
        return [(node.name, router["state"], router["since"]) for node in self.lab.nodes for router in node.routers()]

    def refused(self, node, counter: str = None) -> int:
        counters = node.counters()
        return counters.get(counter, 0) if counter else sum(counters.get(name, 0) for name in REFUSALS)

    def check_counted(self, node, what: str, counter: str, before: int, sent: int) -> None:
        wait_for(f"{sent} × {what} counted as {counter} on {node.name}",
                 lambda: self.refused(node, counter) - before >= sent, 3,
                 show=lambda: f"{self.refused(node, counter) - before} of {sent}; {node.counters()}")


@time_limit(120)
def test_malformed_advertisements_in_the_peers_name_change_nothing_and_are_counted(test):
    agents = Agents()
    roles = agents.roles()
    rows = 0
    for node in agents.lab.nodes:
        peer = agents.lab.other(node)
        for what, counter, message, ttl in malformed(peer.front, node.front):
            before = agents.refused(node, counter)
            for _ in range(TIMES):
                agents.sender.send(peer.front, node.front, message, ttl)
            agents.check_counted(node, what, counter, before, TIMES)
            rows += 1
    time.sleep(QUIET)
    assert agents.roles() == roles, f"{agents.roles()} was {roles}"
    test.note(f"{rows} rows, {rows * TIMES} packets with the peer's address as their source")


def test_a_stranger_is_not_believed_in_pair_mode(test):
    agents = Agents()
    roles = agents.roles()
    stranger = "192.0.2.66"
    for node in agents.lab.nodes:
        before = agents.refused(node, "not_the_peer_errors")
        for destination in (node.front, MULTICAST):
            for priority in (255, 0, 150):
                for _ in range(TIMES):
                    agents.sender.send(stranger, destination, advertisement(stranger, destination, VRID, priority, [VIP]))
        agents.check_counted(node, "a stranger's valid advertisement", "not_the_peer_errors", before, 3 * TIMES)
    time.sleep(QUIET)
    assert agents.roles() == roles, f"{agents.roles()} was {roles}"


def test_malformed_advertisements_in_rfc_mode_change_nothing_and_are_counted(test):
    agents = Agents(rfc_mode=True)
    roles = agents.roles()
    for what, counter, message, ttl in malformed("192.0.2.66", MULTICAST):
        before = {node: agents.refused(node, counter) for node in agents.lab.nodes}
        for _ in range(TIMES):
            agents.sender.send("192.0.2.66", MULTICAST, message, ttl)
        for node in agents.lab.nodes:
            agents.check_counted(node, what, counter, before[node], TIMES)
    time.sleep(QUIET)
    assert agents.roles() == roles, f"{agents.roles()} was {roles}"


def test_random_bytes_change_nothing_and_are_counted(test):
    agents = Agents()
    roles = agents.roles()
    numbers = random.Random(20)
    sent = 2000
    for node in agents.lab.nodes:
        peer = agents.lab.other(node)
        before = agents.refused(node)
        for i in range(sent):
            payload = numbers.randbytes(numbers.randrange(0, 200))
            if i % 2 and len(payload) >= 2:  # half of them look like a VRRPv3 advertisement at first
                payload = bytes([0x31, VRID]) + payload[2:]
            agents.sender.send(peer.front, node.front, payload)
            if i % 50 == 0:
                time.sleep(0.002)  # the receive buffer is not what is tested
        wait_for(f"all of {sent} are counted on {node.name}", lambda: agents.refused(node) - before >= sent, 3,
                 show=lambda: f"{agents.refused(node) - before}: {node.counters()}")
    time.sleep(QUIET)
    assert agents.roles() == roles, f"{agents.roles()} was {roles}"


@alone
def test_a_flood_of_malformed_advertisements_neither_moves_the_role_nor_fills_the_log(test):
    agents = Agents()
    roles = agents.roles()
    b = agents.lab.b
    lines = len(b.agent.log().splitlines())
    packet = advertisement(agents.lab.a.front, b.front, VRID, 255, [VIP], wrong_checksum=True)
    end = time.monotonic() + 3
    sent = 0
    while time.monotonic() < end:
        agents.sender.send(agents.lab.a.front, b.front, packet)
        sent += 1
    time.sleep(QUIET)
    assert agents.roles() == roles, f"{agents.roles()} was {roles}"
    written = len(b.agent.log().splitlines()) - lines
    test.note(f"{sent} packets in 3 s, {agents.refused(b)} refused, {written} lines in the log")
    assert written <= 20, f"{written} lines in the log"


# ---- files ----------------------------------------------------------------------------------------

NODE_MISTAKES = """\
node = "lb-a";
peer = { address = "192.0.2.999"; };
realtime_priority = 1000;
hang_timeout = "soon";
lock_memory = "yes";
drain_tine = "10s";
virtual_routers = (
  { name = "web"; interface = "eth0";
    vrid = 256;
    priority = 0;
    advertisement_interval = "15ms";
    preempt = 1;
    addresses = [ "192.0.2.300/24" ]; } );
"""
NODE_EXPECTED = [(2, "address"), (3, "realtime_priority"), (4, "hang_timeout"), (5, "lock_memory"), (6, "drain_tine"),
                 (9, "vrid"), (10, "priority"), (11, "advertisement_interval"), (12, "preempt"), (13, "addresses")]

PROXY_MISTAKES = """\
workers = -1;
listeners = ( { address = "0.0.0.0:99999"; } );
include = "sites.d/*.conf";
access_log = { path = "access.log"; format = "fancy"; };
timeouts = { connect = "5"; };
limits = { request_head = "64 kilos"; };
"""
SITE_MISTAKES = """\
site = {
  hosts = [ "exa mple.com" ];
  upstreams = ( { name = "app"; servers = [ "10.0.0.300:80" ]; } );
  routes = (
    { path = "app"; upstream = "app"; },
    { path = "/x"; upstream = "ap"; } );
  response_headers = { set = ( [ "X-Bad Name", "1" ] ); remove_all = true; };
};
"""
PROXY_EXPECTED = [("proxy.conf", 1, "workers"), ("proxy.conf", 2, "address"), ("proxy.conf", 4, "format"),
                  ("proxy.conf", 5, "connect"), ("proxy.conf", 6, "request_head"), ("site.conf", 2, "hosts"),
                  ("site.conf", 3, "servers"), ("site.conf", 5, "path"), ("site.conf", 6, "upstream"),
                  ("site.conf", 7, "set"), ("site.conf", 7, "remove_all")]


def refused_config(test, host, name: str, path) -> list:
    """Checking and starting must refuse the file alike; returns both texts."""
    texts = []
    for arguments in (["--check"], []):
        done = host.run([program(name), "--config", str(path)] + arguments, check=False)
        assert done.returncode == EXIT_CONFIG, f"{name} {arguments} exited with {done.returncode}: {done.stdout}"
        texts.append(done.stdout)
    for line in texts[0].strip().splitlines():
        test.note(line)
    return texts


def check_named(texts: list, expected: list) -> None:
    for text in texts:
        for file, line, setting in expected:
            lines = [found for found in text.splitlines() if f"{file}:{line}:" in found and setting in found]
            assert lines, f"no word of {setting} in {file}:{line} in:\n{text}"


def test_a_node_conf_with_ten_mistakes_names_all_ten(test):
    lab = Lab(origins=0)
    lab.a.node_conf.write_text(NODE_MISTAKES)
    texts = refused_config(test, lab.a, "vipair-vrrpd", lab.a.node_conf)
    check_named(texts, [("node.conf", line, setting) for line, setting in NODE_EXPECTED])


def test_a_proxy_conf_and_site_with_ten_mistakes_name_all_ten(test):
    lab = Lab(origins=0)
    (lab.a.folder / "sites.d").mkdir()
    lab.a.proxy_conf.write_text(PROXY_MISTAKES)
    (lab.a.folder / "sites.d" / "site.conf").write_text(SITE_MISTAKES)
    texts = refused_config(test, lab.a, "vipair-proxyd", lab.a.proxy_conf)
    check_named(texts, PROXY_EXPECTED)


# ---- the machine says no --------------------------------------------------------------------------

def agent_alone(**changes) -> Lab:
    lab = Lab(origins=0)
    settings = lab.a.node_settings()
    settings["track_proxy"] = False
    settings["virtual_routers"][0].update(changes)
    lab.a.write_files(node=settings)
    return lab


def faults_of(node) -> str:
    return "; ".join(fault for router in node.routers() for fault in router.get("faults", []))


def wait_fault(node, *words: str) -> str:
    """/status and the log both name the reason."""
    wait_for(f"a fault that says {words}", lambda: all(word in faults_of(node) for word in words), 10,
             show=lambda: node.status() or node.agent.log())
    wait_for(f"a line in the log that says {words}",
             lambda: any(all(word in line for word in words) for line in node.agent.log().splitlines()), 5,
             show=node.agent.log)
    return faults_of(node)


def test_a_second_agent_says_that_another_one_runs(test):
    lab = agent_alone()
    lab.a.start_agent()
    lab.wait_active(lab.a)
    first = lab.a.agent
    second = lab.a.run([program("vipair-vrrpd"), "--config", str(lab.a.node_conf)], check=False, seconds=10)
    test.note(second.stdout.strip())
    assert second.returncode not in (0, EXIT_CONFIG), second.returncode
    assert "another" in second.stdout.lower() and str(first.pid) in second.stdout, second.stdout
    time.sleep(QUIET)
    assert first.is_running and lab.a.states() == ["active"] and lab.a.holds(VIP)


def test_a_second_proxy_says_that_another_one_runs(test):
    lab = Lab(origins=1)
    lab.a.write_files()
    lab.a.start_proxy()
    wait_for("the proxy answers", lab.a.proxy_status, show=lab.a.proxy.log)
    second = lab.a.run([program("vipair-proxyd"), "--config", str(lab.a.proxy_conf)], check=False, seconds=10)
    test.note(second.stdout.strip())
    assert second.returncode not in (0, EXIT_CONFIG), second.returncode
    assert "another" in second.stdout.lower(), second.stdout
    assert lab.a.proxy_status(), "the first one does not answer any more"


def test_without_permission_the_reason_is_told(test):
    lab = agent_alone()
    nobody = 65534
    for path in [lab.a.folder, *lab.a.folder.iterdir()]:
        os.chown(path, nobody, nobody)

    def drop_everything():
        os.setgroups([])
        os.setgid(nobody)
        os.setuid(nobody)

    lab.a.start_agent(prepare=drop_everything)
    reason = wait_fault(lab.a, "CAP_NET")
    test.note(reason)
    assert "active" not in lab.a.states() and not lab.a.holds(VIP)
    assert lab.a.agent.stop() == 0
    lab.a.start_agent()  # with the permission
    lab.wait_active(lab.a)


def test_a_missing_interface_is_named_and_used_when_it_appears(test):
    lab = agent_alone(interface="eth7")
    lab.a.start_agent()
    test.note(wait_fault(lab.a, "eth7"))
    assert lab.a.states() == ["fault"]
    lab.a.plug(lab.front, "eth7", "192.0.2.17/24")
    lab.wait_active(lab.a)
    assert lab.a.holds(VIP, "eth7") and not faults_of(lab.a)


def test_an_interface_that_vanishes_and_returns(test):
    agents = Agents()
    a, b = agents.lab.a, agents.lab.b
    a.ip("link del eth0")
    agents.lab.wait_active(b)
    test.note(wait_fault(a, "eth0"))
    a.plug_front()
    agents.lab.wait_backup(a)
    assert agents.lab.active() is b
    agents.lab.wait_held_by(b)


def test_an_address_that_somebody_else_configured_is_named_and_claimed_when_it_is_gone(test):
    lab = agent_alone()
    lab.a.ip(f"addr add {VIP}/24 dev eth0")
    lab.a.start_agent()
    test.note(wait_fault(lab.a, VIP))
    assert "active" not in lab.a.states()
    assert lab.a.holds(VIP), "an address that is not ours was removed"
    lab.a.ip(f"addr del {VIP}/24 dev eth0")
    lab.wait_active(lab.a)
    assert lab.a.holds(VIP)


def test_an_interface_that_is_down_is_named_and_used_when_it_is_up(test):
    lab = agent_alone()
    lab.a.ip("link set eth0 down")
    lab.a.start_agent()
    test.note(wait_fault(lab.a, "eth0"))
    lab.a.ip("link set eth0 up")
    lab.wait_active(lab.a)


@alone
def test_an_address_that_somebody_deletes_is_set_again_at_once(test):
    agents = Agents()
    a = agents.lab.a
    roles = agents.roles()
    gone = []
    for _ in range(3):
        a.ip(f"addr del {VIP}/24 dev eth0")
        began = time.monotonic()
        wait_for(f"{VIP} is back", lambda: a.holds(VIP), 5)
        gone.append((time.monotonic() - began) * 1000)
        time.sleep(0.5)
    assert agents.roles() == roles, f"{agents.roles()} was {roles}"
    # the first time at once; who deletes it again and again gets a growing pause, not a fight at full speed
    test.distribution("gone for, the first time", gone[:1], 500)
    test.distribution("gone for, again and again", gone[1:], 5000)


def test_what_a_crashed_agent_left_is_released_at_the_next_start(test):
    agents = Agents()
    a, b = agents.lab.a, agents.lab.b
    a.agent.kill()
    agents.lab.wait_active(b)
    assert a.holds(VIP), "the crash should have left the address: nobody was there to release it"
    a.start_agent()
    agents.lab.wait_backup(a)
    agents.lab.wait_held_by(b)


def test_hostile_bytes_on_the_sockets_of_the_node(test):
    """Control and gate sockets get garbage; the agent goes on and answers."""
    agents = Agents()
    a = agents.lab.a
    roles = agents.roles()
    numbers = random.Random(7)
    for _ in range(200):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            connection.connect(str(a.vrrp_socket))
            try:
                connection.sendall(numbers.randbytes(numbers.randrange(1, 4000)))
            except OSError:
                pass
    for _ in range(200):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.connect(str(a.gate_socket))
            try:
                connection.send(numbers.randbytes(numbers.randrange(1, 1000)))
            except OSError:
                pass
    held = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(200)]
    for connection in held:  # and many that say nothing
        connection.setblocking(False)
        try:
            connection.connect(str(a.vrrp_socket))
        except OSError:
            pass
    time.sleep(QUIET)
    assert agents.lab.b.states() == ["backup"], agents.lab.show()
    for connection in held:
        connection.close()
    wait_for("the agent answers", a.status, 5)
    assert agents.roles() == roles, f"{agents.roles()} was {roles}"


def test_unknown_paths_and_methods_of_the_control_sockets_are_refused(test):
    lab = Lab(origins=1)
    lab.start_pair()
    for path in (lab.a.vrrp_socket, lab.a.proxy_socket):
        assert control(path, "GET", "/status")[0] == 200
        code, text = control(path, "GET", "/metrics")
        assert code == 200 and re.search(r"^vipair_\w+", text, re.M), text[:200]
        assert control(path, "GET", "/nothing")[0] == 404
        assert control(path, "DELETE", "/status")[0] == 405
        assert control(path, "GET", "/reload")[0] == 405
