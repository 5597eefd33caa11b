"""vipair in RFC mode beside keepalived: one Active is elected, and stop, kill and return work both ways."""

from __future__ import annotations

import os
import signal
import time

from beside_keepalived import BesideKeepalived
from lab import VIP, VRID
from testing import time_limit

ALONE = True  # everything here asserts on times

# what keepalived needs to notice a death: three intervals of 100 ms and a skew of at most one, then its own dispatching
DOWN_SECONDS = 3.0


class MixedPair(BesideKeepalived):
    """lb-a runs vipair without a peer, lb-b keepalived; both speak VRRPv3 on IPv4 by multicast every 100 ms."""

    def __init__(self, vipair_priority: int, keepalived_priority: int, preempt: bool):
        super().__init__()
        settings = self.vipair.node_settings()
        del settings["peer"]
        settings["track_proxy"] = False
        settings["virtual_routers"][0].update({"priority": vipair_priority, "preempt": preempt})
        self.vipair.write_files(node=settings)
        (self.other.folder / "keepalived.conf").write_text(f"""
            global_defs {{ vrrp_version 3 }}
            vrrp_instance web {{
              state BACKUP
              {"" if preempt else "nopreempt"}
              interface eth0
              virtual_router_id {VRID}
              priority {keepalived_priority}
              advert_int 0.1
              virtual_ipaddress {{ {VIP}/24 }} }}
            """)

    def kill_keepalived(self) -> None:
        """As a crash of the machine would: processes and address are gone without a word."""
        self.keepalived.kill()
        self.other.ip(f"addr del {VIP}/24 dev eth0", check=False)

    def kill_vipair(self) -> None:
        self.vipair.agent.kill()
        self.vipair.ip(f"addr del {VIP}/24 dev eth0", check=False)


def test_one_active_is_elected_by_priority(test):
    pair = MixedPair(vipair_priority=200, keepalived_priority=100, preempt=True)
    pair.start_keepalived()
    pair.start_vipair()
    pair.wait_holder(pair.vipair)
    pair.check_stays(pair.vipair)
    assert pair.vipair.states() == ["active"]


def test_keepalived_of_higher_priority_is_active(test):
    pair = MixedPair(vipair_priority=100, keepalived_priority=200, preempt=True)
    pair.start_vipair()
    pair.wait_holder(pair.vipair)
    pair.start_keepalived()
    pair.wait_holder(pair.other)
    pair.check_stays(pair.other)
    assert pair.vipair.states() == ["backup"]
    [router] = pair.vipair.routers()
    assert router["peer"]["address"] == pair.other.front and router["peer"]["priority"] == 200, router


@time_limit(90)
def test_stop_and_return_of_vipair(test):
    pair = MixedPair(vipair_priority=200, keepalived_priority=100, preempt=True)
    pair.start_keepalived()
    pair.start_vipair()
    pair.wait_holder(pair.vipair)
    gaps = []
    probe = pair.lab.probe()
    for _ in range(4):
        probe.lap()
        assert pair.vipair.agent.stop() == 0
        pair.wait_holder(pair.other, DOWN_SECONDS)
        time.sleep(0.3)
        gaps.append(probe.lap()["gap_ms"])
        pair.start_vipair()
        pair.wait_holder(pair.vipair)
        time.sleep(0.3)
    test.distribution("ping, keepalived takes over", gaps, 500)


@time_limit(90)
def test_stop_and_return_of_keepalived(test):
    pair = MixedPair(vipair_priority=100, keepalived_priority=200, preempt=True)
    pair.start_vipair()
    pair.start_keepalived()
    pair.wait_holder(pair.other)
    gaps = []
    probe = pair.lab.probe()
    for _ in range(4):
        probe.lap()
        pair.keepalived.stop()
        pair.wait_holder(pair.vipair, DOWN_SECONDS)
        time.sleep(0.3)
        gaps.append(probe.lap()["gap_ms"])
        pair.start_keepalived()
        pair.wait_holder(pair.other)
        time.sleep(0.3)
    test.distribution("ping, vipair takes over", gaps, 500)


@time_limit(90)
def test_kill_of_keepalived(test):
    pair = MixedPair(vipair_priority=100, keepalived_priority=200, preempt=True)
    pair.start_vipair()
    pair.start_keepalived()
    pair.wait_holder(pair.other)
    gaps = []
    probe = pair.lab.probe()
    for _ in range(4):
        probe.lap()
        pair.kill_keepalived()
        pair.wait_holder(pair.vipair, DOWN_SECONDS)
        time.sleep(0.3)
        gaps.append(probe.lap()["gap_ms"])
        pair.start_keepalived()
        pair.wait_holder(pair.other)
        time.sleep(0.3)
    test.distribution("ping, vipair takes over", gaps, 600)


@time_limit(90)
def test_kill_of_vipair(test):
    pair = MixedPair(vipair_priority=200, keepalived_priority=100, preempt=True)
    pair.start_keepalived()
    pair.start_vipair()
    pair.wait_holder(pair.vipair)
    gaps = []
    probe = pair.lab.probe()
    for _ in range(3):
        probe.lap()
        pair.kill_vipair()
        pair.wait_holder(pair.other, DOWN_SECONDS)
        time.sleep(0.3)
        gaps.append(probe.lap()["gap_ms"])
        pair.start_vipair()
        pair.wait_holder(pair.vipair)
        time.sleep(0.3)
    test.distribution("ping, keepalived takes over", gaps, 1000)


@time_limit(90)
def test_kill_of_the_agents_process_tells_keepalived_at_once(test):
    pair = MixedPair(vipair_priority=200, keepalived_priority=100, preempt=False)
    pair.start_vipair()
    pair.wait_holder(pair.vipair)
    pair.start_keepalived()
    pair.check_stays(pair.vipair, 1.0)
    gaps = []
    probe = pair.lab.probe()
    for _ in range(3):
        probe.lap()
        os.kill(pair.vipair.agent_child(), signal.SIGKILL)
        pair.wait_holder(pair.other, DOWN_SECONDS)
        time.sleep(0.3)
        gaps.append(probe.lap()["gap_ms"])
        pair.keepalived.signal(signal.SIGTERM)
        pair.keepalived.wait()
        pair.wait_holder(pair.vipair)
        pair.start_keepalived()
        pair.check_stays(pair.vipair, 1.0)
    # priority 0 lets keepalived wait for its Skew_Time only: (256 - 100) / 256 of 100 ms
    test.distribution("ping, keepalived takes over", gaps, 250)


def test_return_without_preemption_moves_nothing(test):
    pair = MixedPair(vipair_priority=200, keepalived_priority=100, preempt=False)
    pair.start_keepalived()
    pair.wait_holder(pair.other)
    pair.start_vipair()
    pair.lab.wait_backup(pair.vipair)
    pair.check_stays(pair.other, 3.0)
