"""vipair beside keepalived and FRR: one Active is elected and stays, through stop, kill, a pulled cable and the return
from each, in both versions and families and with every relation of priorities. What vipair sends is judged by tshark."""

from __future__ import annotations

from interop import Frr, Keepalived, Mixed, Setup, together
from testing import time_limit

ALONE = True  # several laboratories at a time already

RELATIONS = {"higher": (150, 100), "lower": (100, 150), "equal": (100, 100)}


def matrix(kind, cases: list, seconds: float) -> None:
    labs = {}
    for version, interval_ms, ipv6 in cases:
        for relation, (own, other) in RELATIONS.items():
            name = f"version {version}, {interval_ms} ms, {'IPv6' if ipv6 else 'IPv4'}, vipair {relation}"
            setup = Setup(version, interval_ms, ipv6, own, other)
            labs[name] = lambda setup=setup: Mixed(kind, setup).live_through()
    together(labs, seconds)


SECONDS = [(2, 1000, False), (3, 1000, False), (3, 1000, True)]
TENTHS = [(3, 100, False), (3, 100, True)]


@time_limit(180)
def test_keepalived_at_a_second(test):
    matrix(Keepalived, SECONDS, 150)


@time_limit(120)
def test_keepalived_at_a_tenth(test):
    matrix(Keepalived, TENTHS, 90)


@time_limit(180)
def test_frr_at_a_second(test):
    matrix(Frr, SECONDS, 150)


@time_limit(120)
def test_frr_at_a_tenth(test):
    matrix(Frr, TENTHS, 90)


@time_limit(120)
def test_keepalived_otherwise_configured(test):
    two = ["192.0.2.100/24", "192.0.2.101/24"]
    setups = {
        "a password": Setup(2, 1000, password="secret"),
        "unicast": Setup(3, 100, unicast=True),
        "unicast, vipair lower": Setup(3, 100, vipair_priority=100, other_priority=150, unicast=True),
        "unicast, version 2": Setup(2, 1000, unicast=True),
        "a virtual MAC over there": Setup(3, 100, virtual_mac=True),
        "a virtual MAC here": Setup(3, 100, own_virtual_mac=True),
        "a virtual MAC here, version 2": Setup(2, 1000, own_virtual_mac=True),
        "a virtual MAC here, IPv6": Setup(3, 100, ipv6=True, own_virtual_mac=True),
        "more addresses over there": Setup(3, 100, vipair_priority=100, other_priority=150, other_addresses=two),
    }
    together({name: lambda setup=setup: Mixed(Keepalived, setup).live_through() for name, setup in setups.items()}, 100)
