"""A laboratory of two nodes: lb-a runs vipair, lb-b keepalived, and one address moves between them."""

from __future__ import annotations

import time

from lab import VIP, Lab, find_tool, wait_for


class BesideKeepalived:
    """Each node's keepalived.conf is written by the test before its daemon starts."""

    def __init__(self):
        self.lab = Lab(origins=0)
        self.vipair, self.other = self.lab.a, self.lab.b
        self.keepalived = None

    def start_vipair(self) -> None:
        self.vipair.start_agent()

    def start_keepalived(self) -> None:
        folder = self.other.folder
        self.keepalived = self.other.start(
            "keepalived", [find_tool("keepalived", "keepalived"), "--dont-fork", "--log-console", "--vrrp",
                           "-f", str(folder / "keepalived.conf"), "-p", str(folder / "keepalived.pid"),
                           "-r", str(folder / "vrrp.pid")])

    def wait_holder(self, node, seconds: float = 10.0) -> None:
        other = self.lab.other(node)
        wait_for(f"{node.name} alone holds {VIP}", lambda: node.holds(VIP) and not other.holds(VIP), seconds,
                 show=lambda: {n.name: n.addresses("eth0") for n in self.lab.nodes})

    def check_stays(self, node, seconds: float = 2.0) -> None:
        """For so long the address is on this node alone: nobody flaps."""
        end = time.monotonic() + seconds
        other = self.lab.other(node)
        while time.monotonic() < end:
            assert node.holds(VIP), f"{node.name} lost {VIP}"
            assert not other.holds(VIP), f"{other.name} holds {VIP} as well"
            time.sleep(0.02)
