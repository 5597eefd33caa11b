"""The interfaces that virtual routers live on: late, renamed, replaced, bridges, VLANs; and the virtual MAC address."""

from __future__ import annotations

import json
import time

import sandbox
from lab import VIP, VIP6, VRID, Lab, find_tool, wait_for
from neighbours import Asker
from testing import time_limit

VIRTUAL_MAC = f"00:00:5e:00:01:{VRID:02x}"
VIRTUAL_MAC6 = f"00:00:5e:00:02:{VRID:02x}"


def lone_settings(node, **router) -> dict:
    """Of a node in RFC mode that nobody else disturbs."""
    settings = node.node_settings()
    del settings["peer"]
    settings["track_proxy"] = False
    settings["virtual_routers"][0].update(router)
    return settings


def start(node, **router) -> None:
    node.write_files(node=lone_settings(node, **router))
    node.start_agent()


def faults(node) -> str:
    return " ".join(fault for router in node.routers() for fault in router["faults"])


def wait_fault(node, text: str) -> None:
    wait_for(f"{node.name} says: {text}", lambda: text in faults(node) and node.state == "fault",
             show=lambda: f"{node.state} {faults(node)} {node.agent.log()[-500:]}")


def wait_active(node, address: str = VIP, interface: str = None) -> None:
    def is_active() -> bool:
        return node.state == "active" and any(a.split("/")[0] == address for a in node.addresses(interface))

    wait_for(f"{node.name} is Active with {address}", is_active,
             show=lambda: f"{node.state} {faults(node)} {node.addresses()} {node.agent.log()[-500:]}")


def can_ping(host, address: str = VIP) -> bool:
    return host.run(["ping", "-c", "1", "-W", "1", address], check=False).returncode == 0


def test_an_interface_that_appears_later(test):
    lab = Lab(origins=0)
    start(lab.a, interface="late0")
    wait_fault(lab.a, "interface late0: missing")
    lab.a.ip("link set eth0 down")
    lab.a.ip("link set eth0 name late0")
    wait_fault(lab.a, "interface late0: down or no carrier")
    lab.a.ip("link set late0 up")
    wait_active(lab.a, interface="late0")
    assert can_ping(lab.client)


def test_an_address_that_is_not_there_yet_at_boot(test):
    lab = Lab(origins=0)
    lab.a.ip("addr flush dev eth0 scope global")
    start(lab.a)
    wait_fault(lab.a, "no IPv4 address to advertise from")
    lab.a.ip(f"addr add {lab.a.front}/24 dev eth0")
    wait_active(lab.a)
    assert can_ping(lab.client)
    lab.a.ip(f"addr del {lab.a.front}/24 dev eth0")  # and goes again: promoted or not, the virtual one is no source
    wait_fault(lab.a, "no IPv4 address to advertise from")
    assert not lab.a.holds(VIP)


def test_renamed_away_and_back(test):
    lab = Lab(origins=0)
    start(lab.a)
    wait_active(lab.a)
    lab.a.ip("link set eth0 down")
    wait_fault(lab.a, "down or no carrier")
    lab.a.ip("link set eth0 name other0")
    wait_fault(lab.a, "interface eth0: missing")
    assert not lab.a.holds(VIP, "other0")
    lab.a.ip("link set other0 up")
    time.sleep(0.3)
    assert lab.a.state == "fault", "another name is another interface"
    lab.a.ip("link set other0 down")
    lab.a.ip("link set other0 name eth0")
    lab.a.ip("link set eth0 up")
    wait_active(lab.a)
    assert can_ping(lab.client)


def test_renamed_while_it_is_up_takes_the_address_along(test):
    lab = Lab(origins=0)
    start(lab.a)
    wait_active(lab.a)
    renamed = lab.a.run(["ip", "link", "set", "eth0", "name", "other0"], check=False)
    if renamed.returncode != 0:
        raise sandbox.Skip("this kernel renames no interface that is up")
    wait_fault(lab.a, "interface eth0: missing")
    wait_for("the address is released", lambda: not lab.a.holds(VIP, "other0"), show=lambda: lab.a.addresses())
    settings = lone_settings(lab.a, interface="other0")
    lab.a.write_files(node=settings)
    assert lab.a.reload(lab.a.vrrp_socket)[0] == 200
    wait_active(lab.a, interface="other0")


def test_replaced_by_another_of_its_name(test):
    lab = Lab(origins=0)
    start(lab.a)
    wait_active(lab.a)
    lab.a.ip("link del eth0")
    wait_fault(lab.a, "interface eth0: missing")
    lab.a.plug_front()
    wait_active(lab.a)
    assert can_ping(lab.client)


def test_a_bridge_and_a_vlan_carry_virtual_routers(test):
    lab = Lab(origins=0)
    node = lab.a
    node.ip("addr flush dev eth0")
    node.ip("link add br0 type bridge stp_state 0 forward_delay 0")
    node.ip("link set eth0 master br0")
    node.ip(f"addr add {node.front}/24 dev br0")
    node.ip("link set br0 up")
    start(node, interface="br0")
    wait_active(node, interface="br0")
    assert can_ping(lab.client)
    node.ip("link set eth0 nomaster")  # the bridge without ports has no carrier
    wait_fault(node, "interface br0: down or no carrier")
    node.ip("link set eth0 master br0")
    wait_active(node, interface="br0")
    assert can_ping(lab.client)


def test_a_vlan_carries_a_virtual_router(test):
    lab = Lab(origins=0)
    node = lab.a
    made = node.run(["ip", "link", "add", "link", "eth0", "name", "eth0.100", "type", "vlan", "id", "100"], check=False)
    if made.returncode != 0:
        raise sandbox.Skip(f"this kernel has no VLANs: {made.stdout.strip()}")
    lab.client.ip("link add link eth0 name eth0.100 type vlan id 100")
    lab.client.ip("addr add 203.0.113.50/24 dev eth0.100")
    lab.client.ip("link set eth0.100 up")
    node.ip("addr add 203.0.113.11/24 dev eth0.100")
    node.ip("link set eth0.100 up")
    start(node, interface="eth0.100", addresses=["203.0.113.100/24"])
    wait_active(node, "203.0.113.100", "eth0.100")
    assert can_ping(lab.client, "203.0.113.100")
    node.ip("link set eth0 down")
    wait_fault(node, "interface eth0.100: down or no carrier")
    node.ip("link set eth0 up")
    wait_active(node, "203.0.113.100", "eth0.100")


def test_several_addresses_of_both_families_move_together(test):
    lab = Lab(origins=0, ipv6=True)
    addresses = [f"{VIP}/24", "192.0.2.101/24", "192.0.2.102/32", f"{VIP6}/64", "2001:db8:1::101/64"]
    excluded = ["192.0.2.110/24", "2001:db8:1::110/64"]
    for node in lab.nodes:
        settings = node.node_settings()
        settings["track_proxy"] = False
        settings["virtual_routers"][0].update({"addresses": addresses, "excluded_addresses": excluded})
        node.write_files(node=settings)
    lab.a.start_agent()
    lab.wait_active(lab.a)
    lab.b.start_agent()
    lab.wait_backup(lab.b)

    def all_on(node) -> bool:
        here, there = set(node.addresses("eth0")), set(lab.other(node).addresses("eth0"))
        return set(addresses + excluded) <= here and not there & set(addresses + excluded)

    for active in (lab.a, lab.b):
        wait_for(f"all are on {active.name}", lambda: all_on(active), show=lambda: active.addresses())
        for address in addresses + excluded:
            assert can_ping(lab.client, address.split("/")[0]), address
        if active is lab.a:
            assert lab.a.agent.stop() == 0


def test_settings_of_the_interface_are_put_back(test):
    lab = Lab(origins=0)

    def setting(name: str) -> str:
        return lab.a.run(["cat", f"/proc/sys/net/ipv4/conf/eth0/{name}"]).stdout.strip()

    names = ("promote_secondaries", "arp_ignore", "arp_announce")
    before = [setting(name) for name in names]
    start(lab.a)
    wait_active(lab.a)
    assert setting("promote_secondaries") == "1"
    assert lab.a.agent.stop() == 0
    assert [setting(name) for name in names] == before


# ---- the virtual MAC address ----


def start_with_virtual_mac(lab: Lab, mode: str, **router) -> None:
    """Both nodes; lb-a, which starts first, is Active."""
    for node in lab.nodes:
        settings = node.node_settings() if mode == "pair" else lone_settings(node)
        settings["track_proxy"] = False
        settings["virtual_routers"][0].update({"virtual_mac": True, **router})
        node.write_files(node=settings)
    lab.a.start_agent()
    lab.wait_active(lab.a)
    lab.b.start_agent()
    lab.wait_backup(lab.b)


def check_answers(lab: Lab, active) -> None:
    """One node answers, with the virtual MAC address, and its own addresses still have their own."""
    asker = Asker(lab.client)
    addresses = {VIP: VIRTUAL_MAC, **({VIP6: VIRTUAL_MAC6} if lab.ipv6 else {})}
    for address, mac in addresses.items():
        wait_for(f"{address} is answered for once", lambda: asker.who_has(address) == [mac],
                 show=lambda: asker.who_has(address))
        assert can_ping(lab.client, address), address
    for node in lab.nodes:
        own = json.loads(node.ip("-j link show dev eth0"))[0]["address"]
        assert asker.who_has(node.front) == [own], (node.name, asker.who_has(node.front), own)


@time_limit(90)
def test_virtual_mac_stays_the_same_when_the_address_moves(test):
    lab = Lab(origins=0, ipv6=True)
    start_with_virtual_mac(lab, "pair")
    check_answers(lab, lab.a)
    assert lab.a.agent.stop() == 0
    lab.wait_active(lab.b)
    check_answers(lab, lab.b)
    lab.a.start_agent()
    lab.wait_backup(lab.a)
    lab.b.agent.kill()
    lab.wait_active(lab.a)
    check_answers(lab, lab.a)
    assert lab.a.agent.stop() == 0
    assert "vrrp" not in lab.a.ip("-o link show"), "the macvlan goes with the agent"


def test_advertisements_come_from_the_virtual_mac(test):
    lab = Lab(origins=0)
    start_with_virtual_mac(lab, "strangers")
    capture = lab.client.run(["tcpdump", "-i", "eth0", "-e", "-n", "-c", "5", "ip proto 112"], seconds=20)
    lines = [line for line in capture.stdout.splitlines() if "VRRPv3" in line]
    assert len(lines) == 5 and all(VIRTUAL_MAC in line and "01:00:5e:00:00:12" in line for line in lines), lines
    assert lab.b.state == "backup" and lab.b.routers()[0]["peer"]["address"] == lab.a.front


def test_two_actives_with_one_virtual_mac_hear_each_other(test):
    lab = Lab(origins=0)
    start_with_virtual_mac(lab, "strangers", preempt=True)
    lab.b.cable("eth0", False)
    wait_for("lb-b has no carrier", lambda: lab.b.state == "fault", show=lab.show)
    lab.a.cable("eth0", False)
    lab.b.cable("eth0", True)
    lab.wait_active(lab.b)
    lab.a.cable("eth0", True)
    lab.wait_active(lab.a)
    lab.wait_backup(lab.b)
    check_answers(lab, lab.a)


def test_without_accept_mode_the_address_is_known_but_not_served(test):
    lab = Lab(origins=0)
    start_with_virtual_mac(lab, "strangers", accept=False)
    asker = Asker(lab.client)
    assert asker.who_has(VIP) == [VIRTUAL_MAC]
    assert not can_ping(lab.client)
    settings = lone_settings(lab.a, virtual_mac=True, accept=True)
    lab.a.write_files(node=settings)
    assert lab.a.reload(lab.a.vrrp_socket)[0] == 200
    wait_for("the address is served after a reload", lambda: can_ping(lab.client))
    lab.a.write_files(node=lone_settings(lab.a, virtual_mac=True, accept=False))
    assert lab.a.reload(lab.a.vrrp_socket)[0] == 200
    wait_for("and is not after another", lambda: not can_ping(lab.client))
    assert asker.who_has(VIP) == [VIRTUAL_MAC]


def test_virtual_mac_is_switched_on_and_off_by_a_reload(test):
    lab = Lab(origins=0)
    start(lab.a)
    wait_active(lab.a, interface="eth0")
    asker = Asker(lab.client)
    own = asker.who_has(VIP)
    assert len(own) == 1 and own != [VIRTUAL_MAC], own
    for virtual_mac in (True, False):
        lab.a.write_files(node=lone_settings(lab.a, virtual_mac=virtual_mac))
        assert lab.a.reload(lab.a.vrrp_socket)[0] == 200
        wanted = [VIRTUAL_MAC] if virtual_mac else own
        wait_for(f"virtual_mac = {virtual_mac}", lambda: asker.who_has(VIP) == wanted,
                 show=lambda: (asker.who_has(VIP), lab.a.agent.log()[-500:]))
        assert can_ping(lab.client)
        assert lab.a.state == "active"


def test_virtual_mac_survives_its_parent(test):
    lab = Lab(origins=0)
    start(lab.a, virtual_mac=True)
    wait_active(lab.a)
    lab.a.ip("link del eth0")
    wait_fault(lab.a, "interface eth0: missing")
    lab.a.plug_front()
    wait_active(lab.a)
    wait_for("the new one answers", lambda: Asker(lab.client).who_has(VIP) == [VIRTUAL_MAC])
    macvlan = next(line.split(": ")[1].split("@")[0] for line in lab.a.ip("-o link show").splitlines() if ": vrrp4" in line)
    lab.a.ip(f"link del {macvlan}")
    wait_for("it is made again", lambda: Asker(lab.client).who_has(VIP) == [VIRTUAL_MAC],
             show=lambda: lab.a.agent.log()[-500:])


def test_keepalived_with_the_same_virtual_mac_takes_over_and_gives_back(test):
    lab = Lab(origins=0)
    start(lab.a, virtual_mac=True, preempt=True, priority=200)
    wait_active(lab.a)
    folder = lab.b.folder
    (folder / "keepalived.conf").write_text(f"""
        global_defs {{ vrrp_version 3 }}
        vrrp_instance web {{
          state BACKUP
          interface eth0
          virtual_router_id {VRID}
          use_vmac
          priority 100
          advert_int 0.1
          virtual_ipaddress {{ {VIP}/24 }} }}
        """)
    lab.b.start("keepalived", [find_tool("keepalived", "keepalived"), "--dont-fork", "--log-console", "--vrrp",
                               "-f", str(folder / "keepalived.conf"), "-p", str(folder / "keepalived.pid"),
                               "-r", str(folder / "vrrp.pid")])
    asker = Asker(lab.client)

    def holds(node) -> bool:
        return any(address.split("/")[0] == VIP for address in node.addresses())

    def check(holder) -> None:
        wait_for(f"{holder.name} alone holds {VIP}", lambda: holds(holder) and not holds(lab.other(holder)), 10,
                 show=lambda: {n.name: n.addresses() for n in lab.nodes})
        wait_for("one answers, with the virtual MAC address", lambda: asker.who_has(VIP) == [VIRTUAL_MAC],
                 show=lambda: asker.who_has(VIP))
        assert can_ping(lab.client)

    time.sleep(1.0)
    check(lab.a)
    assert lab.a.agent.stop() == 0
    check(lab.b)
    start(lab.a, virtual_mac=True, preempt=True, priority=200)
    check(lab.a)
