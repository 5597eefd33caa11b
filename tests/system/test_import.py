"""vipairctl import: a node that took over the keepalived.conf of its predecessor takes part in the same election."""

from __future__ import annotations

from beside_keepalived import BesideKeepalived
from lab import VIP, VRID, program, wait_for
from testing import time_limit


class Migration(BesideKeepalived):
    """lb-a runs vipair with what import made of its keepalived.conf, lb-b keepalived with the same file but for the
    priority: VRRPv2 with a password, as keepalived.conf files mostly are."""

    def __init__(self, vipair_priority: int, keepalived_priority: int, unicast: bool = False,
                 checks: bool = False):
        super().__init__()
        for node, priority in ((self.vipair, vipair_priority), (self.other, keepalived_priority)):
            peer = self.lab.other(node).front
            way = f"unicast_src_ip {node.front}\n unicast_peer {{\n {peer}\n }}" if unicast else ""
            told = node.folder / "told.sh"
            told.write_text(f'#!/bin/sh\necho "$@" >>{node.folder}/told\n')
            told.chmod(0o755)
            tracks = "track_interface {\n eth1\n }\n track_script {\n file\n }" if checks else ""
            (node.folder / "keepalived.conf").write_text(f"""
! from before
global_defs {{
  router_id {node.name}
}}
vrrp_script file {{
  script "/usr/bin/test ! -e {node.folder}/broken"
  interval 1
  fall 1
  weight -100
  user root
}}
vrrp_instance web {{
  state BACKUP
  interface eth0
  virtual_router_id {VRID}
  priority {priority}
  advert_int 1
  {way}
  authentication {{
    auth_type PASS
    auth_pass longer-than-8
  }}
  virtual_ipaddress {{
    {VIP}/24 dev eth0
  }}
  {tracks}
  notify "{told} by the way"
}}
""")

    def start_vipair(self) -> None:
        node = self.vipair
        if not node.node_conf.exists():
            done = node.run([program("vipairctl"), "import", str(node.folder / "keepalived.conf"),
                             str(node.node_conf)], check=False)
            assert done.returncode == 0, done.stdout
            assert "longer" not in node.node_conf.read_text() + done.stdout
            with node.node_conf.open("a") as file:  # the laboratory's own sockets
                file.write(f'control_socket = "{node.vrrp_socket}";\ngate_socket = "{node.gate_socket}";\n')
        super().start_vipair()


@time_limit(90)
def test_an_imported_node_is_active_beside_keepalived(test):
    pair = Migration(vipair_priority=150, keepalived_priority=100)
    pair.start_keepalived()
    pair.wait_holder(pair.other)
    pair.start_vipair()
    pair.wait_holder(pair.vipair)  # it preempts, as keepalived did in its place
    pair.check_stays(pair.vipair, 3.0)
    [router] = pair.vipair.routers()
    assert router["version"] == 2 and router["peer"]["address"] == pair.other.front, router
    assert pair.vipair.agent.stop() == 0
    pair.wait_holder(pair.other)
    pair.start_vipair()
    pair.wait_holder(pair.vipair)


@time_limit(90)
def test_an_imported_node_is_backup_beside_keepalived(test):
    pair = Migration(vipair_priority=100, keepalived_priority=150, unicast=True)
    pair.start_vipair()
    pair.wait_holder(pair.vipair)
    pair.start_keepalived()
    pair.wait_holder(pair.other)
    pair.check_stays(pair.other, 3.0)
    assert pair.vipair.states() == ["backup"]
    pair.keepalived.stop()
    pair.wait_holder(pair.vipair)


@time_limit(90)
def test_imported_checks_move_the_address_and_scripts_are_told(test):
    pair = Migration(vipair_priority=150, keepalived_priority=100, checks=True)
    pair.start_keepalived()
    pair.start_vipair()
    pair.wait_holder(pair.vipair)
    (pair.vipair.folder / "broken").write_text("")
    pair.wait_holder(pair.other)
    (pair.vipair.folder / "broken").unlink()
    pair.wait_holder(pair.vipair)
    told = pair.vipair.folder / "told"
    wait_for("the notify script is called as keepalived called it",
             lambda: told.exists() and told.read_text().splitlines()[-1:] == ["by the way INSTANCE web MASTER 150"],
             show=lambda: told.exists() and told.read_text())
    states = [line.split()[-2] for line in told.read_text().splitlines()]
    assert states.count("MASTER") == 2 and "BACKUP" in states, states
