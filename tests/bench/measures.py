"""What tests/bench/proxy.py measures of a contender. Each measure returns a sample: a value, and what tells whether to
trust it."""
import json
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

IDLE_CONNECTIONS = 10000  # or as many as the limit of open files allows
SETTLE_SECONDS = 2.5  # pools give back what a crowd needed
H2_REQUESTS_PER_SECOND = 30000
RELOADS = 2


def cpu_seconds(pid):
    """Of all its threads so far, to the nanosecond (clock_getcpuclockid)."""
    return time.clock_gettime((~pid << 3) | 2)


def heap_bytes(pid):
    """Memory that is the process's own: neither files nor shared."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Anonymous:\s+(\d+) kB", text, re.M)[1]) * 1024


class Measures:
    def __init__(self, contenders, cores, seconds, warm_up):
        self.contenders = contenders
        self.proxy_core, self.load_core = cores
        self.seconds, self.warm_up = seconds, warm_up
        self.half_rate = None
        self.idle_connections = min(IDLE_CONNECTIONS, contenders.files // 2 - 2000)

    def load(self, contender, arguments, seconds=None, warm_up=None):
        command = self.load_command(contender, arguments, seconds or self.seconds,
                                    self.warm_up if warm_up is None else warm_up)
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60 + 2 * self.seconds)
        if result.returncode != 0:
            raise SystemExit(f"{contender.name}: {result.stderr.decode(errors='replace').strip()}")
        sample = json.loads(result.stdout)
        if sample["requests"] == 0:
            raise SystemExit(f"{contender.name}: no request was answered: {sample}")
        return sample

    def load_command(self, contender, arguments, seconds, warm_up, watches=True):
        command = ["taskset", "-c", self.load_core, self.contenders.programs["load"],
                   "--target", f"127.0.0.1:{contender.port}", "--seconds", seconds, "--warm-up", warm_up,
                   "--core", self.proxy_core, *arguments]
        if watches:
            command += ["--watch", contender.pid]
        return list(map(str, command))

    # ---- CPU time ------------------------------------------------------------------------------

    def cost(self, name, row):
        """CPU µs per request, everything as fast as it goes."""
        contender = self.contenders.get(name, row.variant)
        sample = self.load(contender, row.load)
        if "--resume" in row.load and sample["resumed"] < 0.98 * sample["handshakes"]:
            raise SystemExit(f"{name}: {sample['resumed']} of {sample['handshakes']} sessions were resumed")
        return self.cost_of(sample, sample["errors"])

    @staticmethod
    def cost_of(sample, errors):
        busy = sample["cpu_ns"] / 1e9 / sample["seconds"]
        return {"value": sample["cpu_ns"] / 1000 / sample["requests"], "errors": errors, "busy": busy,
                "per_second": sample["requests"] / sample["seconds"], "others": max(0.0, 1 - sample["core_idle"] - busy)}

    def cost_http2(self, name, row):
        contender = self.contenders.get(name, row.variant)
        scheme = "https" if row.variant == "tls" else "http"

        def ask(requests):
            command = ["taskset", "-c", self.load_core, "h2load", "-n", requests, *row.load,
                       f"{scheme}://127.0.0.1:{contender.port}/1024"]
            began, before = time.monotonic(), cpu_seconds(contender.pid)
            result = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            cpu, wall = cpu_seconds(contender.pid) - before, time.monotonic() - began
            text = result.stdout.decode(errors="replace")
            found = re.search(r"(\d+) 2xx", text)
            if scheme == "https" and "Application protocol: h2" not in text:
                raise SystemExit(f"{name}: HTTP/2 was not agreed on:\n{text}")
            return cpu, wall, int(found[1]) if found else 0

        ask(max(100, int(H2_REQUESTS_PER_SECOND * self.warm_up)))
        wanted = int(H2_REQUESTS_PER_SECOND * self.seconds)
        cpu, wall, answered = ask(wanted)
        if answered == 0:
            raise SystemExit(f"{name}: no request was answered")
        return {"value": cpu * 1e6 / answered, "per_second": answered / wall, "busy": cpu / wall, "others": 0.0,
                "errors": wanted - answered}

    # ---- latency -------------------------------------------------------------------------------

    def latency(self, name, row):
        """µs that 99 of 100 requests take at most when half as many come as the slowest contender can take."""
        if self.half_rate is None:
            rates = [self.load(self.contenders.get(each, row.variant), row.load, 0.5)["requests"] / 0.5
                     for each in row.contenders]
            self.half_rate = round(min(rates) / 2)
        sample = self.load(self.contenders.get(name, row.variant), [*row.load, "--rate", self.half_rate])
        return {**self.cost_of(sample, sample["errors"]), "value": sample["p99_us"], "p50_us": sample["p50_us"],
                "us": sample["cpu_ns"] / 1000 / sample["requests"]}

    # ---- system calls --------------------------------------------------------------------------

    def system_calls(self, name, row):
        """Per request, without the epoll_wait that those of a turn share."""
        contender = self.contenders.get(name, row.variant)
        with tempfile.NamedTemporaryFile(dir=self.contenders.folder) as table:
            trace = subprocess.Popen(["strace", "-c", "-f", "-o", table.name, "-p", str(contender.pid)],
                                     stderr=subprocess.PIPE)
            while b"attached" not in trace.stderr.readline():
                if trace.poll() is not None:
                    raise SystemExit(f"strace cannot attach to {name}")
            sample = self.load(contender, row.load, 3, 0)  # strace itself is what takes the time
            trace.terminate()
            trace.communicate()
            counted = {}
            for line in Path(table.name).read_text().splitlines():
                found = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
                if found and found[2] != "total":
                    counted[found[2]] = int(found[1]) / sample["requests"]
        calls = {call: round(count, 2) for call, count in sorted(counted.items(), key=lambda item: -item[1])
                 if count >= 0.02}
        waits = sum(count for call, count in counted.items() if call.startswith("epoll_") and call.endswith("wait"))
        return {"value": sum(counted.values()) - waits, "errors": sample["errors"], "calls": calls, "waits": waits}

    # ---- memory --------------------------------------------------------------------------------

    def memory(self, name, row):
        """Bytes of the process for each of many connections that have served a request and idle."""
        contender = self.contenders.start(name, row.variant)
        try:
            self.load(contender, row.load, 0.5)
            time.sleep(SETTLE_SECONDS)
            before = heap_bytes(contender.pid)
            crowd = subprocess.Popen(["taskset", "-c", str(self.load_core), str(self.contenders.programs["crowd"]),
                                      "127.0.0.1", str(contender.port), str(self.idle_connections),
                                      "tls" if row.variant == "tls" else "idle"],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            try:
                state = self.crowd_settles(crowd)
                time.sleep(SETTLE_SECONDS)
                after = heap_bytes(contender.pid)
            finally:
                crowd.kill()
                crowd.wait()
            if state["answered"] != self.idle_connections:
                raise SystemExit(f"{name}: not every one of the idle connections was answered: {state}")
        finally:
            self.contenders.stop([contender])
        return {"value": (after - before) / self.idle_connections, "errors": state["closed"] + state["failed"],
                "connections": self.idle_connections}

    def crowd_settles(self, crowd):
        state = {"answered": 0}
        deadline = time.monotonic() + 60
        while state["answered"] < self.idle_connections and time.monotonic() < deadline:
            time.sleep(0.2)
            crowd.stdin.write("\n")
            crowd.stdin.flush()
            state = json.loads(crowd.stdout.readline())
        return state

    # ---- reloads -------------------------------------------------------------------------------

    def reload(self, name, row):
        """Requests that were lost while the configuration was read anew, twice."""
        contender = self.contenders.start(name, row.variant)
        seconds = 1.0 + RELOADS
        try:
            load = subprocess.Popen(self.load_command(contender, row.load, seconds, 0.3, False), stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE)
            time.sleep(0.3)
            for _ in range(RELOADS):
                time.sleep(1.0)
                contender.reload()
            out, error = load.communicate(timeout=60)
        finally:
            self.contenders.stop([contender])
        if load.returncode != 0:
            raise SystemExit(f"{name}: {error.decode(errors='replace').strip()}")
        sample = json.loads(out)
        return {"value": sample["errors"], "errors": 0, "requests": sample["requests"],
                "per_second": sample["requests"] / sample["seconds"]}


def missing_tools(rows):
    wanted = {"cost_http2": "h2load", "system_calls": "strace"}
    return sorted({wanted[row.measure] for row in rows if row.measure in wanted and not shutil.which(wanted[row.measure])})
