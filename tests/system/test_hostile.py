"""A hostile LAN: whatever somebody sends, and however much of it, the pair keeps its roles, its memory and its temper."""

from __future__ import annotations

import json
import os
import random
import socket
import struct
import time
from pathlib import Path

from adverts import MULTICAST, PROTOCOL, advertisement
from capture import Capture
from lab import VIP, VRID, Lab, program, wait_for
from test_bad_input import malformed
from testing import time_limit

ALONE = True  # everything here asserts on times

RATE = 100_000      # packets per second, if the machine is able to
SECONDS = 10
PACKETS = 4000      # different ones, sent in turns
RSS_GROWTH = 2048   # KiB
LOG_LINES = 60
TAKEOVER = 1000.0   # ms without an answer when the Active dies silently; four intervals on a quiet machine
TRAILER = 60


def ip_packet(source: str, destination: str, payload: bytes, ttl: int = 255) -> bytes:
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, ttl, PROTOCOL, 0,
                         socket.inet_aton(source), socket.inet_aton(destination))
    return header + payload


def altered(payload: bytes, numbers: random.Random) -> bytes:
    at = numbers.randrange(len(payload))
    return payload[:at] + bytes([payload[at] ^ 1 << numbers.randrange(8)]) + payload[at + 1:]


def forged(payload: bytes, numbers: random.Random) -> bytes:
    """What costs most to refuse: the right key's name, a counter that was never heard, a signature made up."""
    message, trailer = payload[:-TRAILER], payload[-TRAILER:]
    return message + trailer[:16] + struct.pack(">Q", 1 << 40 | numbers.getrandbits(32)) + trailer[24:44] + numbers.randbytes(16)


def hostile_packets(lab: Lab, recorded: list) -> list:
    numbers = random.Random(112)
    packets = []
    for i in range(PACKETS):
        node = lab.nodes[i % 2]
        peer = lab.other(node)
        said = [payload for source, _, payload in recorded if source == peer.front]
        kind = i // 2 % 7
        if kind == 0:  # noise
            packets.append(ip_packet(peer.front, node.front, numbers.randbytes(numbers.randrange(0, 300))))
        elif kind == 1:  # malformed in every way, in the peer's name
            _, _, message, ttl = numbers.choice(malformed(peer.front, node.front))
            packets.append(ip_packet(peer.front, node.front, message, ttl))
        elif kind == 2:  # right but for the signature
            priority = numbers.choice((0, 1, 150, 255))
            packets.append(ip_packet(peer.front, node.front, advertisement(peer.front, node.front, VRID, priority, [VIP])))
        elif kind == 3:  # a stranger's own, to the node and to the group
            destination = numbers.choice((node.front, MULTICAST))
            message = advertisement("192.0.2.66", destination, VRID, numbers.choice((0, 255)), [VIP])
            packets.append(ip_packet("192.0.2.66", destination, message))
        elif kind == 4:
            packets.append(ip_packet(peer.front, node.front, numbers.choice(said)))
        elif kind == 5:
            packets.append(ip_packet(peer.front, node.front, altered(numbers.choice(said), numbers)))
        else:
            packets.append(ip_packet(peer.front, node.front, forged(numbers.choice(said), numbers)))
    return packets


def memory_of(pid: int) -> int:
    """Resident KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(f"process {pid} has no memory")


def processor_time_of(pid: int) -> float:
    """Seconds, its own and the kernel's on its behalf."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@time_limit(120)
def test_a_flood_of_everything_moves_nothing(test):
    lab = Lab(origins=0, stranger=True)
    for node in lab.nodes:
        settings = node.node_settings()
        settings["track_proxy"] = False
        node.write_files(node=settings)
    captures = [Capture(node) for node in lab.nodes]
    lab.a.start_agent()
    lab.wait_active(lab.a)
    lab.b.start_agent()
    lab.wait_backup(lab.b)
    time.sleep(3)
    recorded = [said for capture in captures for said in capture.take()]
    packets = hostile_packets(lab, recorded)

    def roles() -> list:
        return [(node.name, router["state"], router["since"]) for node in lab.nodes for router in node.routers()]

    before = roles()
    file = lab.stranger.folder / "packets"
    file.write_bytes(b"".join(struct.pack(">H", len(packet)) + packet for packet in packets))

    def flood(seconds: float) -> dict:
        with open(file, "rb") as stdin:
            process = lab.stranger.start("flood", [program("bench/flood"), "eth0", str(RATE), str(seconds)], stdin=stdin)
        assert process.wait(seconds + 20) == 0, process.log()
        return json.loads(process.log().splitlines()[-1])

    flood(1)  # everything that is allocated once is there now
    memory = {node.name: memory_of(node.agent_child()) for node in lab.nodes}
    busy = {node.name: processor_time_of(node.agent_child()) for node in lab.nodes}
    lines = {node.name: len(node.agent.log().splitlines()) for node in lab.nodes}
    sent = flood(SECONDS)
    rate = sent["sent"] / sent["seconds"]
    test.note(f"{sent['sent']} packets in {sent['seconds']:.1f} s: {rate:.0f} per second")
    for node in lab.nodes:
        wait_for(f"{node.name} answers", node.status, 10)
        counters = node.counters()
        refused = {name: counters[name] for name in ("authentication_errors", "replays", "not_the_peer_errors",
                                                     "ip_ttl_errors", "too_short_errors", "version_errors")}
        grown = memory_of(node.agent_child()) - memory[node.name]
        written = len(node.agent.log().splitlines()) - lines[node.name]
        spent = processor_time_of(node.agent_child()) - busy[node.name]
        test.note(f"{node.name}: {refused}, memory {grown:+d} KiB, {written} lines in the log, {spent:.1f} s of a processor")
        assert grown <= RSS_GROWTH, f"{node.name} grew by {grown} KiB"
        assert written <= LOG_LINES, f"{node.name} wrote {written} lines: {node.agent.log()}"
        assert refused["authentication_errors"] > 1000 and refused["replays"] > 100, counters
    assert roles() == before, f"{roles()} was {before}"
    assert all(not [e for e in node.status()["warnings"] if "do not verify" in e] for node in lab.nodes)

    probe = lab.probe()
    time.sleep(0.2)
    probe.lap()
    lab.a.power_cut()
    lab.wait_active(lab.b)
    time.sleep(0.5)
    test.distribution("ping when the Active dies after that", [probe.lap()["gap_ms"]], TAKEOVER)
