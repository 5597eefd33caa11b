"""The laboratory: a pair of nodes, a client and origins on switches, in network namespaces.

    front: 192.0.2.0/24, 2001:db8:1::/64   lb-a (.11)  lb-b (.12)  client (.50)  stranger (.66)   floating: .100
    back:  198.51.100.0/24                 lb-a (.11)  lb-b (.12)  origin-1 (.21)  origin-2 (.22)

Each host is a network namespace; each switch is a bridge in a namespace of its own, so that pulling a cable is what it
is in a rack: the carrier goes away. Made inside sandbox.run(), which takes everything away again; a Lab therefore has
no close(). Waiting is always polling against a deadline, and a wait that fails says what it saw last.
"""

from __future__ import annotations

import datetime
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import sandbox

SOURCE = Path(__file__).resolve().parents[2]
ROOT = Path("/run/lab")  # the sandbox's own /run

VIP = "192.0.2.100"
VIP6 = "2001:db8:1::100"
VRID = 51
PAIR_KEY = "5a" * 32
KEY_FILE = "pair.key"
ORIGIN_PORT = 8080
FILES = {"1k": 1 << 10, "16k": 16 << 10, "64k": 64 << 10, "1m": 1 << 20}


def build_bin() -> Path:
    """Where the programs under test are: $VIPAIR_BIN, else the release preset's folder."""
    return Path(os.environ.get("VIPAIR_BIN", SOURCE / "build" / "release" / "bin"))


def program(name: str) -> str:
    path = build_bin() / name
    if not path.exists():
        raise sandbox.Skip(f"{path} is not built")
    return str(path)


def find_tool(name: str, package: str) -> str:
    for folder in os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/sbin"]:
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK):
            return path
    raise sandbox.Skip(f"{name} is not installed (package {package})")


def body_of(name: str) -> bytes:
    """What /NAME of every origin answers: no two parts of a file look alike, so that a shifted body is seen."""
    size = FILES[name]
    line = "".join(f"{name}:{offset:08x}\n" for offset in range(0, size, 8))
    return line[:size].encode()


def wait_for(what: str, condition, seconds: float = 10.0, show=None, interval: float = 0.005):
    """Polls until condition() is true and returns it; the failure names what was waited for and show()."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            seen = f"; seen: {show()}" if show else ""
            raise AssertionError(f"waited {seconds:g} s for: {what}{seen}")
        time.sleep(interval)


def libconfig(value, indent: str = "") -> str:
    """A Python value as libconfig text: dict → group or (at the top) settings, list of dicts or lists → list."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        inner = "".join(f"{indent}  {key} = {libconfig(item, indent + '  ')};\n" for key, item in value.items())
        return "{\n" + inner + indent + "}"
    if isinstance(value, (list, tuple)):
        items = [libconfig(item, indent + "  ") for item in value]
        is_array = all(isinstance(item, (str, int)) for item in value)
        return ("[ " if is_array else "( ") + ", ".join(items) + (" ]" if is_array else " )")
    raise TypeError(f"no libconfig form of {value!r}")


def libconfig_file(settings: dict) -> str:
    return "".join(f"{key} = {libconfig(value)};\n" for key, value in settings.items())


def children_of(pid: int) -> list:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            stat = process_stat(int(entry))
            if stat and stat[1] == pid:
                found.append(int(entry))
    return found


def process_stat(pid: int):
    """(state letter, parent) or None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2:].split()
    return fields[0], int(fields[1])


def is_alive(pid: int) -> bool:
    stat = process_stat(pid)
    return stat is not None and stat[0] not in "ZX"


class Process:
    """A program started on a host; its output goes to a log file of the laboratory."""

    def __init__(self, host: "Host", name: str, argv: list, popen: subprocess.Popen, log: Path):
        self.host, self.name, self.argv, self.popen, self.log_path = host, name, argv, popen, log
        self._dying: list = []

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def is_running(self) -> bool:
        return self.popen.poll() is None

    def signal(self, number: int) -> None:
        if self.is_running:
            os.kill(self.pid, number)

    def children(self) -> list:
        return children_of(self.pid)

    def wait(self, seconds: float = 15.0) -> int:
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} on {self.host.name} did not end within {seconds:g} s") from None

    def stop(self, seconds: float = 15.0) -> int:
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self) -> None:
        """SIGKILL to it and everything below it; a supervisor gets no time to notice its child's death."""
        self.signal(signal.SIGSTOP)
        self._dying = self.children()
        for child in self._dying:
            _kill(child)
        self.signal(signal.SIGKILL)
        self.popen.wait()

    def wait_gone(self) -> None:
        """The kernel takes a while to close the files of the dead, such as a socket that still listens."""
        wait_for(f"the end of all of {self.name}", lambda: not any(is_alive(child) for child in self._dying))

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Host:
    """A network namespace with a folder for its files and cables to switches."""

    def __init__(self, lab: "Lab", name: str):
        self.lab, self.name = lab, name
        self.folder = ROOT / name
        self.folder.mkdir(parents=True)
        self.processes: list = []
        self._cables: dict = {}  # interface → port on the switch
        subprocess.run(["ip", "netns", "add", name], check=True)
        self._netns = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        self.ip("link set lo up")
        self.sysctl("net/ipv6/conf/all/accept_dad", 0)      # addresses of the laboratory are unique: no second of
        self.sysctl("net/ipv6/conf/default/accept_dad", 0)  # waiting at each start
        self.sysctl("net/ipv6/conf/default/router_solicitations", 0)

    def enter(self) -> None:
        """The calling thread (in preexec_fn: the new process) joins this host."""
        sandbox.setns(self._netns)

    def run(self, argv: list, check: bool = True, seconds: float = 30.0, **options) -> subprocess.CompletedProcess:
        done = subprocess.run(argv, preexec_fn=self.enter, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=seconds, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{self.name}: {' '.join(argv)} exited with {done.returncode}: {done.stdout.strip()}")
        return done

    def ip(self, command: str, check: bool = True) -> str:
        done = subprocess.run(["ip", "-n", self.name] + command.split(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if check and done.returncode != 0:
            raise AssertionError(f"{self.name}: ip {command}: {done.stdout.strip()}")
        return done.stdout

    def sysctl(self, key: str, value) -> None:
        self.run(["sh", "-c", f"echo {value} > /proc/sys/{key}"])

    def start(self, name: str, argv: list, environment: dict = None, prepare=None, stdin=None) -> Process:
        """Starts a program on this host. prepare() runs in the new process before the program."""
        log = self.folder / f"{name}.log"

        def before() -> None:
            self.enter()
            if prepare:
                prepare()

        with open(log, "ab") as output:
            popen = subprocess.Popen(argv, preexec_fn=before, stdin=stdin or subprocess.DEVNULL, stdout=output,
                                     stderr=subprocess.STDOUT, cwd=self.folder,
                                     env={**os.environ, **(environment or {})})
        process = Process(self, name, argv, popen, log)
        self.processes.append(process)
        return process

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket that lives on this host."""
        own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.enter()
            return socket.socket(family, kind, protocol)
        finally:
            sandbox.setns(own)
            os.close(own)

    def plug(self, switch: "Host", interface: str, *addresses: str) -> None:
        """A cable from this host's interface to a port of the switch."""
        port = f"{self.name}.{interface}"[-15:]
        self.ip(f"link add {interface} type veth peer name {port} netns {switch.name}")
        if any(address.startswith("fe80:") for address in addresses):  # a link-local address that can be written down
            self.ip(f"link set {interface} addrgenmode none")
        for address in addresses:
            self.ip(f"addr add {address} dev {interface}" + (" nodad" if ":" in address else ""))
        switch.ip(f"link set {port} master br0 up")
        self.ip(f"link set {interface} up")
        self._cables[interface] = (switch, port)

    def cable(self, interface: str, plugged: bool) -> None:
        """Pulls or plugs the cable: the interface loses or gets its carrier, as at a real switch."""
        switch, port = self._cables[interface]
        switch.ip(f"link set {port} {'up' if plugged else 'down'}")

    def addresses(self, interface: str = None) -> list:
        """What the kernel says is configured: ["192.0.2.11/24", …]."""
        found = json.loads(self.ip("-j addr show" + (f" dev {interface}" if interface else "")))
        return [f"{a['local']}/{a['prefixlen']}" for link in found for a in link.get("addr_info", []) if "local" in a]

    def holds(self, address: str, interface: str = "eth0") -> bool:
        return any(held.split("/")[0] == address for held in self.addresses(interface))

    def power_cut(self) -> None:
        """Every cable loses its carrier, every process is gone, in this order and at once."""
        for interface in self._cables:
            self.cable(interface, False)
        for process in list(self.processes):
            process.kill()

    def power_on(self) -> None:
        """The machine as it comes back: no addresses but its own, cables plugged."""
        for interface in self._cables:
            self.cable(interface, True)


class Origin(Host):
    """nginx: GET and HEAD of the files in FILES, POST /echo answers the body it got, /slow/… takes its time."""

    def __init__(self, lab: "Lab", name: str, address: str):
        super().__init__(lab, name)
        self.address = address
        self.endpoint = f"{address}:{ORIGIN_PORT}"
        self.plug(lab.back, "eth0", f"{address}/24")
        for file in FILES:
            (self.folder / file).write_bytes(body_of(file))
        (self.folder / "nginx.conf").write_text(f"""
            daemon off; user root; worker_processes 1; pid {self.folder}/nginx.pid;
            error_log {self.folder}/error.log info;
            events {{ worker_connections 4096; }}
            http {{
              access_log off; keepalive_requests 1000000; keepalive_timeout 65s; server_tokens off;
              client_max_body_size 0; client_body_buffer_size 2m; default_type text/plain;
              client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
              fastcgi_temp_path {self.folder}/fastcgi; uwsgi_temp_path {self.folder}/uwsgi;
              scgi_temp_path {self.folder}/scgi;
              server {{
                listen {ORIGIN_PORT} backlog=4096; root {self.folder};
                add_header X-Origin {name}; add_header X-Seen-Host $http_host; add_header X-Seen-For $http_x_forwarded_for;
                add_header X-Seen-Client-Cert $http_client_cert;
                location /echo {{
                  proxy_pass http://unix:{self.folder}/echo.sock:/; proxy_buffers 8 1m; proxy_buffer_size 1m;
                  sub_filter_types *; sub_filter BODY $request_body; }}
                location /slow/ {{ alias {self.folder}/; limit_rate 20k; }}
              }}
              server {{ listen unix:{self.folder}/echo.sock; location / {{ return 200 BODY; }} }}
            }}""")
        self.nginx = None
        self.start_nginx()

    def start_nginx(self) -> None:
        conf = self.folder / "nginx.conf"
        nginx = find_tool("nginx", "nginx-light")
        self.nginx = self.start("nginx", [nginx, "-p", str(self.folder), "-e", str(self.folder / "error.log"), "-c", str(conf)])
        wait_for(f"nginx of {self.name}", lambda: can_connect(self, self.address, ORIGIN_PORT), show=self.nginx.log)

    def stop_nginx(self) -> None:
        self.nginx.stop()

    def kill_nginx(self) -> None:
        """As a power cut would, but for the address, which is free at once. start_nginx() brings it back."""
        self.nginx.kill()
        self.nginx.wait_gone()
        (self.folder / "echo.sock").unlink(missing_ok=True)


def can_connect(host: Host, address: str, port: int, seconds: float = 0.2) -> bool:
    with host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(seconds)
        return probe.connect_ex((address, port)) == 0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float):
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def control(path, method: str, target: str, seconds: float = 2.0):
    """One request to a control socket: (status, body text). Raises OSError when nobody answers."""
    connection = _UnixConnection(str(path), seconds)
    try:
        connection.request(method, target)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except http.client.HTTPException as problem:
        raise OSError(f"{path}: {problem!r}") from None
    finally:
        connection.close()


class Node(Host):
    """One half of the pair: vipair-vrrpd and vipair-proxyd with their files in the host's folder."""

    def __init__(self, lab: "Lab", name: str, number: int, priority: int):
        super().__init__(lab, name)
        self.priority = priority
        self.front = f"192.0.2.{number}"
        self.front6 = f"2001:db8:1::{number}"
        self.back = f"198.51.100.{number}"
        self.link_local = f"fe80::{number}"
        self.plug_front()
        self.plug(lab.back, "eth1", f"{self.back}/24")
        self.node_conf = self.folder / "node.conf"
        self.proxy_conf = self.folder / "proxy.conf"
        self.vrrp_socket = self.folder / "vrrpd.sock"
        self.proxy_socket = self.folder / "proxyd.sock"
        self.gate_socket = self.folder / "gate.sock"
        self.agent = None
        self.proxy = None

    def plug_front(self) -> None:
        self.plug(self.lab.front, "eth0", f"{self.front}/24", f"{self.link_local}/64", f"{self.front6}/64")

    # ---- files ------------------------------------------------------------------------------

    def node_settings(self) -> dict:
        """The default pair: 100 ms advertisements, unicast to the pinned peer, preemption off."""
        other = self.lab.other(self)
        peer = {"address": other.front, **({"address_ipv6": other.link_local} if self.lab.ipv6 else {})}
        if self.lab.pair_key:
            peer["key_file"] = KEY_FILE
        if self.lab.second_path:
            peer["paths"] = [{"interface": "eth1", "address": other.back}]
        addresses = [f"{VIP}/24"] + ([f"{VIP6}/64"] if self.lab.ipv6 else [])
        return {
            "node": self.name,
            "peer": peer,
            "virtual_routers": [{
                "name": "web", "interface": "eth0", "vrid": VRID, "priority": self.priority,
                "advertisement_interval": "100ms", "preempt": False, "addresses": addresses}],
            "control_socket": str(self.vrrp_socket), "gate_socket": str(self.gate_socket)}

    def proxy_settings(self) -> dict:
        return {
            "workers": 2,
            "listeners": [{"address": "0.0.0.0:80"}, {"address": "[::]:80"}],
            "include": "sites.d/*.conf",
            "access_log": {"path": str(self.folder / "access.log"), "format": "json"},
            "control_socket": str(self.proxy_socket), "gate_socket": str(self.gate_socket), "node_file": "node.conf"}

    def site_settings(self) -> dict:
        return {"site": {
            "hosts": ["*"],
            "upstreams": [{"name": "origins", "servers": [origin.endpoint for origin in self.lab.origins]}],
            "routes": [{"path": "/", "upstream": "origins"}],
            "response_headers": {"set": [["X-Served-By", "${node}"]]}}}

    def write_files(self, node: dict = None, proxy: dict = None, site: dict = None) -> None:
        (self.folder / "sites.d").mkdir(exist_ok=True)
        if self.lab.pair_key:
            self.write_keys(self.lab.pair_key)
        self.node_conf.write_text(libconfig_file(node or self.node_settings()))
        self.proxy_conf.write_text(libconfig_file(proxy or self.proxy_settings()))
        (self.folder / "sites.d" / "web.conf").write_text(libconfig_file(site or self.site_settings()))

    def write_keys(self, *keys: str) -> None:
        """The key file of the pair: the first one signs, all of them verify."""
        path = self.folder / KEY_FILE
        path.write_text("".join(f"{key}\n" for key in keys))
        path.chmod(0o600)

    # ---- programs ---------------------------------------------------------------------------

    def start_agent(self, prepare=None) -> None:
        if self.agent:
            self.agent.wait_gone()
        argv = [program("vipair-vrrpd"), "--config", str(self.node_conf)]
        self.agent = self.start("vrrpd", argv, prepare=prepare)

    def start_proxy(self, prepare=None) -> None:
        argv = [program("vipair-proxyd"), "--config", str(self.proxy_conf)]
        self.proxy = self.start("proxyd", argv, prepare=prepare)

    def start_all(self) -> None:
        if not self.node_conf.exists():
            self.write_files()
        self.start_proxy()
        self.start_agent()

    def agent_child(self) -> int:
        """The process that runs the agent below its supervisor."""
        return wait_for(f"the agent's child on {self.name}", self.agent.children, 5.0, show=self.agent.log)[0]

    # ---- what it says -----------------------------------------------------------------------

    def status(self) -> dict:
        """The agent's /status, {} while nobody answers."""
        return self._status(self.vrrp_socket)

    def proxy_status(self) -> dict:
        return self._status(self.proxy_socket)

    @staticmethod
    def _status(path) -> dict:
        try:
            code, text = control(path, "GET", "/status")
            return json.loads(text) if code == 200 else {}
        except (OSError, ValueError):
            return {}

    def reload(self, path) -> tuple:
        return control(path, "POST", "/reload", 10.0)

    def routers(self) -> list:
        return self.status().get("routers", [])

    def states(self) -> list:
        """One word per VRRP instance; ["down"] when the agent does not answer."""
        return [router.get("state", "?") for router in self.routers()] or ["down"]

    @property
    def state(self) -> str:
        return "/".join(sorted(set(self.states())))

    def counters(self) -> dict:
        """All of the agent's counters, those of its routers summed."""
        status = self.status()
        total = dict(status.get("counters", {}))
        for router in status.get("routers", []):
            for name, value in router.get("counters", {}).items():
                total[name] = total.get(name, 0) + value
        return total


class Meter:
    """A measuring program of tests/bench on the client. lap() returns what it saw since the last lap."""

    def __init__(self, host: Host, name: str, argv: list):
        self.process = host.start(name, argv, stdin=subprocess.PIPE)
        self._laps_seen = 0
        self.lap()

    def lap(self) -> dict:
        try:
            self.process.popen.stdin.write(b"\n")
            self.process.popen.stdin.flush()
        except BrokenPipeError:
            pass  # it ended; _next_lap says how
        return self._next_lap()

    def finish(self) -> dict:
        self.process.popen.stdin.close()
        last = self._next_lap()
        self.process.wait(5.0)
        return last

    def _next_lap(self) -> dict:
        def read():
            lines = [line for line in self.process.log().splitlines(keepends=True) if line.endswith("\n")]
            if len(lines) > self._laps_seen:
                return lines[self._laps_seen]
            if not self.process.is_running:
                raise AssertionError(f"{self.process.name} ended with {self.process.popen.returncode}: "
                                     f"{self.process.log().strip()[-300:]}")
            return None
        line = wait_for(f"a report of {self.process.name}", read, 5.0, interval=0.001)
        self._laps_seen += 1
        return json.loads(line)


class Lab:
    """pair_key: what the two nodes sign with; None: nothing is signed. second_path: they reach each other over the back
    network as well. node: the kind of nodes, a class derived from Node."""

    def __init__(self, ipv6: bool = False, origins: int = 2, stranger: bool = False, pair_key: str = PAIR_KEY,
                 second_path: bool = False, node: type = Node):
        self.ipv6, self.pair_key, self.second_path = ipv6, pair_key, second_path
        self.hosts: list = []
        ROOT.mkdir(parents=True, exist_ok=True)
        self.front = self._switch("front")
        self.back = self._switch("back")
        self.origins = [self._host(Origin, f"origin-{i + 1}", f"198.51.100.{21 + i}") for i in range(origins)]
        self.a = self._host(node, "lb-a", 11, 200)
        self.b = self._host(node, "lb-b", 12, 100)
        self.nodes = [self.a, self.b]
        self.client = self._host(Host, "client")
        self.client.plug(self.front, "eth0", "192.0.2.50/24", "2001:db8:1::50/64")
        if stranger:
            self.stranger = self._host(Host, "stranger")
            self.stranger.plug(self.front, "eth0", "192.0.2.66/24", "2001:db8:1::66/64")

    def _host(self, kind, *arguments):
        host = kind(self, *arguments)
        self.hosts.append(host)
        return host

    def _switch(self, name: str) -> Host:
        switch = self._host(Host, name)
        switch.ip("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
        switch.ip("link set br0 up")
        return switch

    def other(self, node: Node) -> Node:
        return self.b if node is self.a else self.a

    # ---- the pair as a whole ----------------------------------------------------------------

    def start_pair(self) -> Node:
        """Both nodes up and serving; lb-a, which starts first, is Active. Returns it."""
        for node in self.nodes:
            node.write_files()
        self.a.start_all()
        self.wait_active(self.a)
        self.b.start_all()
        self.wait_backup(self.b)
        wait_for("the pair answers HTTP", lambda: can_connect(self.client, VIP, 80))
        return self.a

    def show(self) -> str:
        return ", ".join(f"{node.name}={node.state}" for node in self.nodes)

    def active(self):
        """The node all of whose routers are Active; None when there is none."""
        found = [node for node in self.nodes if set(node.states()) == {"active"}]
        assert len(found) < 2, f"both nodes are Active: {self.show()}"
        return found[0] if found else None

    def wait_active(self, node: Node, seconds: float = 10.0) -> None:
        wait_for(f"{node.name} is Active", lambda: set(node.states()) == {"active"}, seconds,
                 show=lambda: f"{self.show()} {[r.get('faults') for r in node.routers()]}")

    def wait_backup(self, node: Node, seconds: float = 10.0) -> None:
        """Backup and able to take over: no fault is left and the Active was heard, which ends the join hold."""
        def is_settled(router: dict) -> bool:
            if router.get("state") != "backup" or not router.get("peer"):
                return False
            since = datetime.datetime.strptime(router["since"], "%Y-%m-%dT%H:%M:%S.%fZ")
            backup_for = datetime.datetime.utcnow() - since
            return router["peer"]["heard_ms_ago"] < backup_for.total_seconds() * 1000

        wait_for(f"{node.name} is Backup and hears the Active",
                 lambda: node.routers() and all(is_settled(router) for router in node.routers()), seconds,
                 show=lambda: f"{self.show()} {node.routers()}")

    def wait_held_by(self, node: Node, seconds: float = 5.0) -> None:
        """The kernels agree: this node has the floating address on its interface and the other one has not."""
        vip = [VIP] + ([VIP6] if self.ipv6 else [])
        wait_for(f"{node.name} alone holds {' '.join(vip)}",
                 lambda: all(node.holds(a) and not self.other(node).holds(a) for a in vip), seconds,
                 show=lambda: {n.name: n.addresses("eth0") for n in self.nodes})

    # ---- measuring --------------------------------------------------------------------------

    def probe(self, address: str = VIP) -> Meter:
        """One ping per millisecond to the address."""
        return Meter(self.client, f"probe-{address}", [program("bench/probe"), address])

    def traffic(self, address: str = VIP, rate: int = 500, path: str = "/1k", timeout_ms: int = 1000) -> Meter:
        """Steady GETs of one file: half on fresh connections, half on kept ones."""
        body = self.client.folder / "expected"
        body.write_bytes(body_of(path.strip("/")))
        return Meter(self.client, f"traffic-{address}",
                     [program("bench/traffic"), address, "80", path, str(body), str(rate), str(timeout_ms)])


LOG_LINES = {"access.log": 5, "error.log": 5}  # of the others: LOG_LINES_MAX, from the end
LOG_LINES_MAX = 60


def collect_logs() -> dict:
    """Everything the programs wrote, by host and file; what a failing test shows."""
    logs = {}
    for path in sorted(ROOT.glob("*/*.log")):
        lines = path.read_text(errors="replace").splitlines()
        if lines:
            logs[str(path.relative_to(ROOT))] = "\n".join(lines[-LOG_LINES.get(path.name, LOG_LINES_MAX):])
    return logs
