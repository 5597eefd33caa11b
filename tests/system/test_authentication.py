"""The pair key: a mistake is an alarm and never two Actives, and what was recorded is worth nothing."""

from __future__ import annotations

import os
import signal
import time

from adverts import RawSender, advertisement
from capture import Capture
from lab import PAIR_KEY, VIP, VRID, Lab, wait_for
from testing import alone, time_limit

OTHER_KEY = "c3" * 32
QUIET = 1.0       # seconds: longer than the Backup's patience with a silent Active of 100 ms
LOG_LINES = 30    # that a minute of trouble may write
TAKEOVER = 2.0    # seconds; four intervals on a quiet machine


class Signed:
    """Two agents without proxies that sign what they say, and a stranger on their network."""

    def __init__(self, **options):
        self.lab = Lab(origins=0, stranger=True, **options)
        self.a, self.b = self.lab.a, self.lab.b
        for node in self.lab.nodes:
            settings = node.node_settings()
            settings["track_proxy"] = False
            node.write_files(node=settings)
        self.sender = RawSender(self.lab.stranger)

    def start(self) -> None:
        self.a.start_agent()
        self.lab.wait_active(self.a)
        self.b.start_agent()
        self.lab.wait_backup(self.b)

    def roles(self) -> list:
        return [(node.name, router["state"], router["since"]) for node in self.lab.nodes for router in node.routers()]

    def warnings(self, node) -> str:
        return "; ".join(node.status().get("warnings", []))

    def wait_warning(self, node, *words: str) -> str:
        wait_for(f"a warning of {node.name} that says {words}",
                 lambda: all(word in self.warnings(node) for word in words), 5, show=lambda: node.status())
        return self.warnings(node)

    def reload_keys(self, node, *keys: str) -> None:
        node.write_keys(*keys)
        code, text = node.reload(node.vrrp_socket)
        assert code == 200, text

    def replay(self, recorded: list) -> None:
        for source, destination, payload in recorded:
            self.sender.send(source, destination, payload)

    def make_active(self, node) -> None:
        """By a stop and a start of the other one."""
        other = self.lab.other(node)
        if node.states() == ["active"]:
            return
        assert other.agent.stop() == 0
        self.lab.wait_active(node)
        other.start_agent()
        self.lab.wait_backup(other)


@time_limit(90)
def test_a_wrong_key_on_one_node_is_an_alarm_and_one_active_stays(test):
    pair = Signed()
    pair.b.write_keys(OTHER_KEY)
    pair.a.start_agent()
    pair.lab.wait_active(pair.a)
    pair.b.start_agent()
    test.note(pair.wait_warning(pair.b, "do not verify", "key files"))
    pair.wait_warning(pair.a, "do not verify")
    time.sleep(3)
    assert pair.a.states() == ["active"] and pair.b.states() == ["backup"], pair.lab.show()
    assert pair.b.counters()["authentication_errors"] > 20, pair.b.counters()
    written = len(pair.b.agent.log().splitlines())
    assert written <= LOG_LINES, f"{written} lines in the log: {pair.b.agent.log()}"
    assert PAIR_KEY[:8] not in pair.b.agent.log() and OTHER_KEY[:8] not in pair.b.agent.log()

    roles = pair.roles()
    pair.reload_keys(pair.b, PAIR_KEY)
    wait_for("the right key ends the alarm", lambda: "do not verify" not in pair.warnings(pair.b), 5,
             show=lambda: pair.warnings(pair.b))
    pair.lab.wait_backup(pair.b)
    assert pair.roles() == roles, f"{pair.roles()} was {roles}"
    pair.a.agent.kill()
    pair.lab.wait_active(pair.b, TAKEOVER)


def test_a_peer_that_signs_nothing_is_an_alarm_and_one_active_stays(test):
    pair = Signed()
    settings = pair.a.node_settings()
    settings["track_proxy"] = False
    del settings["peer"]["key_file"]
    pair.a.write_files(node=settings)
    pair.a.start_agent()
    pair.lab.wait_active(pair.a)
    pair.b.start_agent()
    test.note(pair.wait_warning(pair.b, "not signed"))
    time.sleep(QUIET)
    assert pair.a.states() == ["active"] and pair.b.states() == ["backup"], pair.lab.show()


@alone
@time_limit(120)
def test_recorded_messages_move_nothing_whoever_restarted(test):
    pair = Signed()
    pair.start()
    capture = Capture(pair.b)
    time.sleep(QUIET)
    pair.make_active(pair.b)  # lb-a resigns
    pair.make_active(pair.a)
    recorded = [said for said in capture.take() if said[0] == pair.a.front]
    resignations = sum(1 for _, _, payload in recorded if payload[:1] == b"\x31" and payload[2] == 0)
    assert len(recorded) > 10 and resignations > 0, recorded

    def replay_changes_nothing(what: str) -> None:
        pair.lab.wait_backup(pair.b)
        roles, before = pair.roles(), pair.b.counters()
        pair.replay(recorded)
        time.sleep(QUIET)
        pair.replay(recorded)
        time.sleep(QUIET)
        after = pair.b.counters()
        replays, unproven = (after[name] - before[name] for name in ("replays", "unproven"))
        test.note(f"{what}: {2 * len(recorded)} recorded messages sent, {replays} counted as replays, {unproven} as unproven")
        assert replays + unproven > 0 and replays > 0, after
        assert pair.roles() == roles, f"{what}: {pair.roles()} was {roles}"

    replay_changes_nothing("nobody restarted since")
    pair.make_active(pair.b)
    pair.make_active(pair.a)
    replay_changes_nothing("both restarted")
    pair.b.agent.kill()
    pair.b.start_agent()
    replay_changes_nothing("the receiver was killed and restarted")


def test_recorded_messages_do_not_keep_the_dead_alive(test):
    pair = Signed()
    pair.start()
    capture = Capture(pair.b)
    time.sleep(3)
    recorded = [said for said in capture.take() if said[0] == pair.a.front]
    pair.a.power_cut()
    began = time.monotonic()
    while pair.b.states() != ["active"]:
        assert time.monotonic() - began < 5, f"replays hold the Backup: {pair.b.status()}"
        pair.replay(recorded[-20:])
        time.sleep(0.01)
    test.distribution("takeover while recorded messages are repeated", [(time.monotonic() - began) * 1000], TAKEOVER * 1000)
    assert pair.b.counters()["replays"] > 0


def test_forged_messages_move_nothing_and_are_told(test):
    pair = Signed()
    pair.start()
    roles = pair.roles()
    for node in pair.lab.nodes:
        peer = pair.lab.other(node)
        for _ in range(50):
            for priority in (0, 255, 150):
                pair.sender.send(peer.front, node.front,
                                 advertisement(peer.front, node.front, VRID, priority, [VIP]))
            time.sleep(0.01)
    test.note(pair.wait_warning(pair.b, "speaks in the peer's name"))
    time.sleep(QUIET)
    assert pair.roles() == roles, f"{pair.roles()} was {roles}"
    pair.a.power_cut()
    began = time.monotonic()
    while pair.b.states() != ["active"]:
        assert time.monotonic() - began < 5, f"the forger keeps the dead alive: {pair.b.status()}"
        pair.sender.send(pair.a.front, pair.b.front, advertisement(pair.a.front, pair.b.front, VRID, 200, [VIP]))
        time.sleep(0.01)
    test.distribution("takeover while somebody forges", [(time.monotonic() - began) * 1000], TAKEOVER * 1000)


@time_limit(90)
def test_keys_rotate_by_reload_without_a_change_of_role(test):
    pair = Signed()
    pair.start()
    roles = pair.roles()
    steps = [(pair.a, (PAIR_KEY, OTHER_KEY)), (pair.b, (PAIR_KEY, OTHER_KEY)), (pair.a, (OTHER_KEY, PAIR_KEY)),
             (pair.b, (OTHER_KEY, PAIR_KEY)), (pair.a, (OTHER_KEY,)), (pair.b, (OTHER_KEY,))]
    for node, keys in steps:
        pair.reload_keys(node, *keys)
        time.sleep(QUIET)
        assert pair.roles() == roles, f"{pair.roles()} was {roles}"
    assert pair.a.counters()["authentication_errors"] == pair.b.counters()["authentication_errors"] == 0
    pair.a.agent.stop()
    pair.lab.wait_active(pair.b, TAKEOVER)


@alone
def test_the_last_will_of_a_killed_agent_is_believed(test):
    pair = Signed()
    pair.start()
    times = []
    for _ in range(3):
        active = pair.lab.active()
        other = pair.lab.other(active)
        os.kill(active.agent_child(), signal.SIGKILL)
        began = time.monotonic()
        pair.lab.wait_active(other)
        times.append((time.monotonic() - began) * 1000)
        pair.lab.wait_backup(active)
    test.distribution("takeover after the will", times, 250)
