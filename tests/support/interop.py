"""vipair and another implementation of VRRP on one network, and a witness that is neither: what was on the wire is
captured by tcpdump and judged by tshark."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import lab
import sandbox
from lab import VIP, VIP6, VRID, Lab, find_tool, wait_for

LINK_LOCAL = "fe80::100"  # the virtual router's own: first in the list of IPv6
FRR_FOLDER = Path("/usr/lib/frr")
LOG_LINES_MAX = 20  # of each file of a lab that failed
VIPAIR_ADDRESS, OTHER_ADDRESS = "192.0.2.11", "192.0.2.12"


class Setup:
    """How both sides are configured. `interval_ms` is at least 1000 in version 2."""

    def __init__(self, version: int = 3, interval_ms: int = 100, ipv6: bool = False, vipair_priority: int = 150,
                 other_priority: int = 100, password: str = "", unicast: bool = False, virtual_mac: bool = False,
                 other_addresses: list = None, own_virtual_mac: bool = False):
        self.version, self.interval_ms, self.ipv6 = version, interval_ms, ipv6
        self.vipair_priority, self.other_priority = vipair_priority, other_priority
        self.password, self.unicast = password, unicast
        self.virtual_mac, self.own_virtual_mac = virtual_mac, own_virtual_mac
        self.vip = VIP6 if ipv6 else VIP
        self.addresses = [f"{LINK_LOCAL}/64", f"{VIP6}/64"] if ipv6 else [f"{VIP}/24"]
        self.other_addresses = other_addresses or self.addresses

    @property
    def virtual_router_mac(self) -> str:
        return f"00:00:5e:00:0{2 if self.ipv6 else 1}:{VRID:02x}"

    @property
    def interval(self) -> float:
        return self.interval_ms / 1000

    @property
    def down_seconds(self) -> float:
        """Active_Down_Interval is four intervals at most; the rest is for a busy machine."""
        return 4 * self.interval + 6.0


class Other:
    """The other implementation on lb-b."""

    def __init__(self, laboratory: Lab, setup: Setup):
        self.host, self.setup = laboratory.b, setup

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        """As a crash of the machine: processes and addresses are gone without a word."""
        raise NotImplementedError

    def holds(self) -> bool:
        raise NotImplementedError

    def mac(self) -> str:
        """That its virtual address answers with."""
        raise NotImplementedError


def mac_of(host, interface: str = "eth0") -> str:
    return json.loads(host.ip(f"-j link show dev {interface}"))[0]["address"]


class Keepalived(Other):
    def __init__(self, laboratory: Lab, setup: Setup):
        super().__init__(laboratory, setup)
        self.process = None
        lines = [
            f"version {setup.version}", "state BACKUP", "interface eth0", f"virtual_router_id {VRID}",
            f"priority {setup.other_priority}", f"advert_int {setup.interval:g}",
            "virtual_ipaddress {\n" + "\n".join(setup.other_addresses) + "\n}"]
        if setup.password:
            lines.append(f"authentication {{\nauth_type PASS\nauth_pass {setup.password}\n}}")
        if setup.unicast:
            lines.append(f"unicast_src_ip {OTHER_ADDRESS}\nunicast_peer {{\n{VIPAIR_ADDRESS}\n}}")
        if setup.virtual_mac:
            lines.append("use_vmac")
        (self.host.folder / "keepalived.conf").write_text(
            "vrrp_instance web {\n" + "\n".join(lines) + "\n}\n")

    def start(self) -> None:
        folder = self.host.folder
        self.process = self.host.start(
            "keepalived", [find_tool("keepalived", "keepalived"), "--dont-fork", "--log-console", "--log-detail", "--vrrp",
                           "-f", str(folder / "keepalived.conf"), "-p", str(folder / "keepalived.pid"),
                           "-r", str(folder / "vrrp.pid")])

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        self.process.kill()
        self.host.ip("link del vrrp.51", check=False)
        for address in self.setup.other_addresses:
            self.host.ip(f"addr del {address} dev eth0", check=False)

    def holds(self) -> bool:
        return any(held.split("/")[0] == self.setup.vip for held in self.host.addresses())

    def mac(self) -> str:
        return self.setup.virtual_router_mac if self.setup.virtual_mac else mac_of(self.host)


class Frr(Other):
    """vrrpd wants a macvlan with the virtual MAC address and the virtual addresses, which it switches on and off."""

    def __init__(self, laboratory: Lab, setup: Setup):
        super().__init__(laboratory, setup)
        if not (FRR_FOLDER / "vrrpd").exists():
            raise sandbox.Skip("FRR is not installed (package frr)")
        self.processes: list = []
        host = self.host
        host.sysctl("net/ipv4/conf/all/arp_ignore", 1)  # eth0 does not answer for the macvlan's addresses
        host.ip("link add vmac link eth0 type macvlan mode bridge")
        host.ip("link set vmac addrgenmode none")
        host.ip(f"link set vmac address {self.mac()}")
        if setup.ipv6:
            host.ip("addr add fe80::b:51/64 dev vmac nodad")  # what it advertises from
        host.ip("link set vmac protodown on")
        host.ip("link set vmac up")
        run = Path("/run/frr") / host.name
        run.mkdir(parents=True)
        subprocess.run(["chown", "-R", "frr:frr", "/run/frr"], check=True)
        family = "ipv6" if setup.ipv6 else "ip"
        listed = "".join(f" vrrp {VRID} {family} {address.split('/')[0]}\n" for address in setup.other_addresses)
        (host.folder / "zebra.conf").write_text("log stdout\n")
        (host.folder / "vrrpd.conf").write_text(
            "log stdout\n"
            f"interface eth0\n vrrp {VRID} version {setup.version}\n vrrp {VRID} priority {setup.other_priority}\n"
            f" vrrp {VRID} advertisement-interval {setup.interval_ms}\n{listed}")

    def start(self) -> None:
        host = self.host
        for address in self.setup.other_addresses:
            if not address.startswith("fe80:"):
                host.ip(f"addr replace {address} dev vmac" + (" nodad" if ":" in address else ""))
        zebra_socket = Path("/run/frr") / host.name / "zserv.api"
        zebra_socket.unlink(missing_ok=True)
        for name in ("zebra", "vrrpd"):
            self.processes.append(host.start(
                f"frr-{name}", [str(FRR_FOLDER / name), "-N", host.name, "-f", str(host.folder / f"{name}.conf"),
                                "-P", "0", "--log", "stdout"]))
            wait_for("zebra listens", zebra_socket.exists, show=self.processes[0].log)

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.stop()
        self._end()

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
        self._end()

    def _end(self) -> None:
        """Nobody is left to switch the macvlan off."""
        self.processes.clear()
        self.host.ip("link set vmac protodown on")

    def holds(self) -> bool:
        [link] = json.loads(self.host.ip("-j addr show dev vmac"))
        has_address = any(entry.get("local") == self.setup.vip for entry in link.get("addr_info", []))
        return has_address and "LOWER_UP" in link["flags"]

    def mac(self) -> str:
        return self.setup.virtual_router_mac


class Mixed:
    """lb-a runs vipair, lb-b the other one; the client hears what everybody on the network hears."""

    def __init__(self, kind, setup: Setup, settings: dict = None):
        self.setup = setup
        self.lab = Lab(origins=0, ipv6=setup.ipv6)
        self.vipair = self.lab.a
        self.other = kind(self.lab, setup)
        self._write_settings(settings or {})
        self.pulled: set = set()
        self.steps: list = []  # (what, from, to, is vipair Active) in wall clock time
        self.capture_file = self.lab.client.folder / "wire.pcap"
        if setup.unicast:  # a switch that learns nothing shows it to the client too
            self.lab.front.ip("link set br0 type bridge ageing_time 0")
        self._capture = self.lab.client.start(
            "tcpdump", [find_tool("tcpdump", "tcpdump"), "-i", "eth0", "--immediate-mode", "-U", "-Z", "root", "-s", "0",
                        "-w", str(self.capture_file), "ip proto 112 or ip6 proto 112 or arp or icmp6"])
        wait_for("tcpdump listens", lambda: "listening on" in self._capture.log(), show=self._capture.log)

    def _write_settings(self, changes: dict) -> None:
        setup = self.setup
        settings = self.vipair.node_settings()
        if setup.unicast:
            settings["peer"] = {"address": OTHER_ADDRESS}  # and no key, which only vipair knows what to do with
        else:
            del settings["peer"]
        settings["track_proxy"] = False
        router = settings["virtual_routers"][0]
        router.update({"priority": setup.vipair_priority, "advertisement_interval": f"{setup.interval_ms}ms",
                       "preempt": True, "addresses": setup.addresses, **changes})
        if setup.version == 2:
            router["version"] = 2
        if setup.own_virtual_mac:
            router["virtual_mac"] = True
        if setup.password:
            (self.vipair.folder / "password").write_text(setup.password + "\n")
            os.chmod(self.vipair.folder / "password", 0o600)
            router["authentication"] = {"type": "pass", "password_file": str(self.vipair.folder / "password")}
        self.vipair.write_files(node=settings)

    # ---- who has it -------------------------------------------------------------------------

    def vipair_mac(self) -> str:
        return self.setup.virtual_router_mac if self.setup.own_virtual_mac else mac_of(self.vipair)

    def vipair_holds(self) -> bool:
        return any(held.split("/")[0] == self.setup.vip for held in self.vipair.addresses())

    def holds(self, is_vipair: bool) -> bool:
        return self.vipair_holds() if is_vipair else self.other.holds()

    def show(self) -> dict:
        return {"vipair": (self.vipair.states(), self.vipair.addresses("eth0")), "other holds": self.other.holds()}

    def settle(self, what: str, is_vipair: bool) -> None:
        """It alone holds the address, answers the client, and stays: for the judge this is a step."""
        def is_settled() -> bool:
            return self.holds(is_vipair) and ((not is_vipair) in self.pulled or not self.holds(not is_vipair))
        name = "vipair" if is_vipair else "the other one"
        wait_for(f"{what}: {name} alone holds {self.setup.vip}", is_settled, self.setup.down_seconds, show=self.show,
                 interval=0.05)
        # FRR announces once, and the client may miss it: then it believes its neighbour table for some seconds
        wait_for(f"{what}: the client reaches {self.setup.vip} at {name}", lambda: self._client_reaches(is_vipair),
                 10.0 if is_vipair else 25.0, show=lambda: (self.lab.client.ip("neigh show"), self.show()), interval=0.1)
        began = time.time()
        time.sleep(max(1.6 * self.setup.interval, 0.5))
        assert is_settled(), f"{what}: {name} does not keep the address: {self.show()}"
        self.steps.append((what, began, time.time(), is_vipair))

    def _client_reaches(self, is_vipair: bool) -> bool:
        vip = self.setup.vip
        with self.lab.client.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.settimeout(0.3)
            try:
                probe.connect((vip, 9))
            except ConnectionRefusedError:
                pass
            except OSError:
                return False
        mac = self.vipair_mac() if is_vipair else self.other.mac()
        found = re.search(r"lladdr (\S+)", self.lab.client.ip(f"neigh show {vip}"))
        return bool(found) and found[1] == mac

    # ---- what happens -----------------------------------------------------------------------

    def start(self, is_vipair: bool) -> None:
        if is_vipair:
            self.vipair.start_agent()
        else:
            self.other.start()

    def break_down(self, fault: str, is_vipair: bool) -> None:
        if fault == "link down":
            (self.vipair if is_vipair else self.other.host).cable("eth0", False)
            self.pulled.add(is_vipair)
        elif not is_vipair:
            self.other.stop() if fault == "stop" else self.other.kill()
        elif fault == "stop":
            assert self.vipair.agent.stop() == 0
        else:
            self.vipair.agent.kill()
            for link in json.loads(self.vipair.ip("-j -d link show")):
                if link.get("linkinfo", {}).get("info_kind") == "macvlan":
                    self.vipair.ip(f"link del {link['ifname']}", check=False)
            for address in self.setup.addresses:
                self.vipair.ip(f"addr del {address} dev eth0", check=False)

    def bring_back(self, fault: str, is_vipair: bool) -> None:
        if fault == "link down":
            self.pulled.discard(is_vipair)
            (self.vipair if is_vipair else self.other.host).cable("eth0", True)
        else:
            self.start(is_vipair)

    def live_through(self, faults=("stop", "kill", "link down")) -> None:
        """Everything that the two have to agree about, and the judge's opinion."""
        difference = self.setup.vipair_priority - self.setup.other_priority
        is_vipair = difference >= 0
        self.start(is_vipair)
        self.settle("start", is_vipair)
        self.start(not is_vipair)
        self.settle("both", is_vipair)
        for fault in faults:
            self.break_down(fault, is_vipair)
            self.settle(fault, not is_vipair)
            self.bring_back(fault, is_vipair)
            if difference == 0:
                is_vipair = not is_vipair  # whoever returns leaves the addresses where they are
                time.sleep(2 * self.setup.interval + 1.0)
            self.settle(f"return after {fault}", is_vipair)
        self.judge()

    # ---- the judge --------------------------------------------------------------------------

    def _tshark(self, display_filter: str, fields: list) -> list:
        command = [find_tool("tshark", "tshark"), "-n", "-r", str(self.capture_file), "-Y", display_filter, "-T", "fields",
                   "-E", "separator=;", "-E", "occurrence=a", "-E", "aggregator=,"]
        for field in fields:
            command += ["-e", field]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return [dict(zip(fields, line.split(";"))) for line in done.stdout.splitlines()]

    def judge(self) -> None:
        self._capture.signal(signal.SIGINT)
        self._capture.wait()
        assert not self._tshark("_ws.malformed && vrrp", ["frame.number"]), "malformed advertisements"
        adverts = self._judge_advertisements()
        self._judge_elections(adverts)
        self._judge_announcements()

    def _judge_advertisements(self) -> list:
        setup = self.setup
        ip = "ipv6" if setup.ipv6 else "ip"
        ttl = "ipv6.hlim" if setup.ipv6 else "ip.ttl"
        listed = "vrrp.ipv6_addr" if setup.ipv6 else "vrrp.ip_addr"
        interval = "vrrp.adver_int" if setup.version == 2 else "vrrp.short_adver_int"
        adverts = self._tshark(f"vrrp.type == 1 && {ip}", [
            "frame.time_epoch", "eth.src", f"{ip}.src", f"{ip}.dst", ttl, "vrrp.version", "vrrp.virt_rtr_id",
            "vrrp.prio", "vrrp.addr_count", interval, "vrrp.checksum.status", listed, "vrrp.auth_type",
            "vrrp.auth_string"])
        own_source = self.vipair.link_local if setup.ipv6 else VIPAIR_ADDRESS
        group = "ff02::12" if setup.ipv6 else "224.0.0.18"
        addresses = [address.split("/")[0] for address in setup.addresses]
        expected = {
            "eth.src": self.vipair_mac(), f"{ip}.dst": OTHER_ADDRESS if setup.unicast else group, ttl: "255", "vrrp.version": str(setup.version),
            "vrrp.virt_rtr_id": str(VRID), "vrrp.addr_count": str(len(addresses)),
            interval: str(setup.interval_ms // (1000 if setup.version == 2 else 10)),
            "vrrp.checksum.status": "1", listed: ",".join(addresses)}
        if setup.version == 2:
            expected.update({"vrrp.auth_type": "1" if setup.password else "0",
                             "vrrp.auth_string": setup.password})
        own = [advert for advert in adverts if advert[f"{ip}.src"] == own_source]
        assert own, f"vipair advertised nothing: {adverts[:3]}"
        for advert in own:
            wrong = {field: (advert[field], value) for field, value in expected.items() if advert[field] != value}
            assert not wrong, f"vipair's advertisement, seen and expected: {wrong}"
            assert advert["vrrp.prio"] in ("0", str(setup.vipair_priority)), advert
        return [(float(advert["frame.time_epoch"]), advert[f"{ip}.src"] == own_source, int(advert["vrrp.prio"]))
                for advert in adverts]

    def _judge_elections(self, adverts: list) -> None:
        for what, began, ended, is_vipair in self.steps:
            seen = {is_own for at, is_own, priority in adverts if began <= at <= ended and priority > 0}
            assert seen == {is_vipair}, f"at the end of “{what}” advertised: {seen}, expected {is_vipair}"

    def _judge_announcements(self) -> None:
        """vipair announces its address when it has it, from the right place, and never when it has it not."""
        setup = self.setup
        if setup.ipv6:
            told = self._tshark(f"icmpv6.type == 136 && icmpv6.nd.na.target_address == {setup.vip} && ipv6.dst == ff02::1",
                                ["frame.time_epoch", "eth.src", "icmpv6.nd.na.flag.o", "icmpv6.nd.na.flag.s",
                                 "icmpv6.opt.linkaddr", "ipv6.hlim", "icmpv6.checksum.status"])
        else:
            told = self._tshark(f"arp.src.proto_ipv4 == {setup.vip} && arp.dst.proto_ipv4 == {setup.vip}",
                                ["frame.time_epoch", "eth.src", "eth.dst", "arp.src.hw_mac"])
        own_mac = self.vipair_mac()
        own = [frame for frame in told if frame["eth.src"] == own_mac]
        for frame in own:
            if setup.ipv6:
                assert frame["icmpv6.nd.na.flag.o"] in ("1", "True"), frame
                assert frame["icmpv6.nd.na.flag.s"] in ("0", "False"), frame
                assert frame["icmpv6.opt.linkaddr"] == own_mac and frame["ipv6.hlim"] == "255", frame
                assert frame["icmpv6.checksum.status"] == "1", frame
            else:
                assert frame["eth.dst"] == "ff:ff:ff:ff:ff:ff" and frame["arp.src.hw_mac"] == own_mac, frame
        times = [float(frame["frame.time_epoch"]) for frame in own]
        former = None
        for what, began, ended, is_vipair in self.steps:
            inside = [at for at in times if began <= at <= ended]
            assert is_vipair or not inside, f"at the end of “{what}” vipair announces what it has not"
            if is_vipair and former is not True:
                assert any(at <= ended for at in times), f"“{what}” was announced by nobody"
            former = is_vipair


def together(labs: dict, seconds: float) -> None:
    """Each function in a sandbox of its own, all at the same time: they wait most of it."""
    running = {}
    for name, function in labs.items():
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(read_end)
                result = sandbox.run(function, seconds, lab.collect_logs)
                with os.fdopen(write_end, "w") as pipe:
                    json.dump(result, pipe)
            finally:
                os._exit(0)
        os.close(write_end)
        running[name] = (child, read_end)
    problems = []
    skipped = []
    for name, (child, read_end) in running.items():
        with os.fdopen(read_end) as pipe:
            text = pipe.read()
        os.waitpid(child, 0)
        result = json.loads(text) if text else {"status": "failed", "error": "ended without a result"}
        if result["status"] == "skipped":
            skipped.append(result["error"])
        elif result["status"] != "passed":
            logs = "".join(f"\n--- {name}: {log}\n" + "\n".join(content.splitlines()[-LOG_LINES_MAX:])
                           for log, content in result.get("logs", {}).items())
            problems.append(f"{name}: {result['error']}{logs}")
    assert not problems, "\n".join(problems)
    if skipped:
        raise sandbox.Skip(skipped[0])
