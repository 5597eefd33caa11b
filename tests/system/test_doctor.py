"""`vipairctl doctor` names what is wrong: each ailment is inflicted on a running pair and must be the one that is found."""

from __future__ import annotations

import json

from lab import VIP, VRID, Lab, find_tool, program, wait_for
from testing import time_limit


def findings(node) -> list:
    """What doctor finds on the node; its exit status must agree."""
    done = node.run([program("vipairctl"), "--vrrp-socket", str(node.vrrp_socket), "doctor", "--json"], check=False)
    found = json.loads(done.stdout)
    assert done.returncode == (1 if found else 0), done
    return found


def check(node, *names: str) -> list:
    """Exactly these are found, each with evidence and advice."""
    found = findings(node)
    assert sorted({finding["what"] for finding in found}) == sorted(names), f"{names} expected: {found}"
    assert all(finding["evidence"] and finding["advice"] for finding in found), found
    return found


def check_soon(node, *names: str) -> list:
    """As check(), of something that shows after a while only."""
    def is_found() -> bool:
        return sorted({finding["what"] for finding in findings(node)}) == sorted(names)
    wait_for(f"doctor finds {names}", is_found, 20.0, show=lambda: findings(node))
    return findings(node)


@time_limit(90)
def test_nothing_is_wrong_with_a_healthy_pair(test):
    lab = Lab(ipv6=True)
    lab.start_pair()
    for node in lab.nodes:
        check(node)
        assert node.run([program("vipairctl"), "--vrrp-socket", str(node.vrrp_socket),
                         "doctor"]).stdout == "nothing is wrong\n"


@time_limit(90)
def test_duplicate_address(test):
    lab = Lab(stranger=True)
    lab.start_pair()
    lab.stranger.ip(f"addr add {VIP}/32 dev eth0")
    for node in lab.nodes:
        [finding] = check(node, "duplicate address")
        assert VIP in finding["evidence"] and "eth0" in finding["evidence"], finding
    lab.stranger.ip(f"addr del {VIP}/32 dev eth0")
    check_soon(lab.a)


@time_limit(90)
def test_vrid_clash(test):
    lab = Lab(stranger=True)
    lab.start_pair()
    folder = lab.stranger.folder
    (folder / "keepalived.conf").write_text(f"""
        global_defs {{
          vrrp_version 3
        }}
        vrrp_instance other {{
          state BACKUP
          interface eth0
          virtual_router_id {VRID}
          priority 150
          advert_int 0.1
          virtual_ipaddress {{
            192.0.2.200/24
          }}
        }}""")
    lab.stranger.start("keepalived", [find_tool("keepalived", "keepalived"), "--dont-fork", "--log-console", "--vrrp",
                                      "-f", str(folder / "keepalived.conf"), "-p", str(folder / "keepalived.pid"),
                                      "-r", str(folder / "vrrp.pid")])
    wait_for("the stranger is Active", lambda: lab.stranger.holds("192.0.2.200"))
    for node in lab.nodes:
        [finding] = check(node, "VRID clash")
        assert "192.0.2.66" in finding["evidence"] and str(VRID) in finding["evidence"], finding


@time_limit(90)
def test_proxy_interface_and_settings(test):
    lab = Lab(ipv6=True)
    lab.start_pair()
    lab.b.sysctl("net/ipv4/conf/eth0/arp_ignore", 8)
    check(lab.b, "arp_ignore")
    lab.b.sysctl("net/ipv4/conf/eth0/arp_ignore", 0)
    lab.b.proxy.kill()
    check(lab.b, "proxy")
    lab.b.start_proxy()
    check_soon(lab.b)
    lab.b.cable("eth0", False)
    check_soon(lab.b, "no carrier")
    lab.b.cable("eth0", True)
    lab.wait_backup(lab.b)
    lab.b.sysctl("net/ipv6/conf/eth0/disable_ipv6", 1)
    assert "IPv6 disabled" in {finding["what"] for finding in findings(lab.b)}


@time_limit(90)
def test_missing_capabilities(test):
    lab = Lab()
    lab.start_pair()
    lab.b.agent.stop()
    setpriv = find_tool("setpriv", "util-linux")
    for capability, names in (("net_raw", ("missing capability", "not examined")),
                              ("sys_nice", ("scheduling",))):
        lab.b.agent = lab.b.start("vrrpd", [setpriv, f"--bounding-set=-{capability},-sys_resource",
                                            f"--inh-caps=-{capability},-sys_resource",
                                            program("vipair-vrrpd"), "--config", str(lab.b.node_conf)])
        wait_for("the agent answers", lab.b.status, show=lab.b.agent.log)
        found = {finding["what"] for finding in findings(lab.b)}
        assert set(names) <= found, f"without {capability}: {found}"
        lab.b.agent.stop()


def check_among(node, name: str) -> dict:
    """It is found, among whatever follows from it."""
    def found():
        return [finding for finding in findings(node) if finding["what"] == name]
    return wait_for(f"doctor of {node.name} finds {name}", found, 20.0, show=lambda: findings(node))[0]


@time_limit(120)
def test_firewall(test):
    lab = Lab()
    lab.start_pair()
    nft = find_tool("nft", "nftables")
    lab.b.run([nft, "add table inet wall; add chain inet wall in { type filter hook input priority 0; }; "
                    "add rule inet wall in meta l4proto 112 drop"])
    # lb-a is heard no longer: what it sends is lost, and so are its answers
    seen = check_among(lab.b, "firewall")
    assert lab.a.front in seen["evidence"] and "112" in seen["advice"], seen
    seen = check_among(lab.a, "firewall")
    assert "though it is heard" in seen["evidence"], seen
    lab.b.run([nft, "delete table inet wall"])
    wait_for("both hear each other again", lambda: sorted(lab.a.states() + lab.b.states()) == ["active", "backup"],
             show=lab.show)
    for node in lab.nodes:
        check_soon(node)


@time_limit(120)
def test_multicast_filtered(test):
    lab = Lab()
    for node in lab.nodes:
        settings = node.node_settings()
        settings["virtual_routers"][0]["unicast"] = False
        node.write_files(node=settings)
    lab.a.start_all()
    lab.wait_active(lab.a)
    lab.b.start_all()
    lab.wait_backup(lab.b)
    check_soon(lab.b)
    lab.front.run(["bridge", "link", "set", "dev", "lb-b.eth0", "mcast_flood", "off"])
    seen = check_among(lab.a, "multicast filtered")  # what lb-a says to the group does not get to lb-b
    assert lab.b.front in seen["evidence"], seen


@time_limit(120)
def test_wrong_mask(test):
    lab = Lab()
    lab.start_pair()
    lab.b.ip(f"addr add {lab.b.front}/25 dev eth0")
    lab.b.ip(f"addr del {lab.b.front}/24 dev eth0")
    for node in lab.nodes:
        seen = check_among(node, "wrong mask")
        assert "/25" in seen["evidence"] and "/24" in seen["evidence"], seen


@time_limit(120)
def test_key_mismatch(test):
    lab = Lab()
    lab.start_pair()
    lab.b.write_keys("00ff" * 16)
    code, text = lab.b.reload(lab.b.vrrp_socket)
    assert code == 200, text
    for node in lab.nodes:
        check_among(node, "key mismatch")


@time_limit(120)
def test_second_path(test):
    lab = Lab(second_path=True)
    lab.start_pair()
    for node in lab.nodes:
        check_soon(node)
    lab.b.cable("eth1", False)
    seen = check_among(lab.a, "peer unreachable")
    assert "eth1" in seen["evidence"], seen
    assert "eth1" in check_among(lab.b, "no carrier")["evidence"]
