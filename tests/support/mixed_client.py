"""mixed_client.py ADDRESS PORT REQUESTS THREADS SEED: HTTP requests of mixed kinds, every answer checked in full.

GET and HEAD of 1 KiB to 1 MiB, POST with Content-Length and chunked whose echo must be the body, kept and fresh
connections, HTTP/1.0. Makes at least REQUESTS, goes on until its standard input ends, and then prints one JSON object.
A request on a reused connection that is closed before any byte of the response is repeated once on a fresh one if its
method is safe to repeat ("retried"); everything else that is not the right answer is a failure.
"""

from __future__ import annotations

import collections
import http.client
import json
import random
import sys
import threading

from lab import FILES, body_of

TIMEOUT = 5.0  # seconds without progress
SIZES = ["1k"] * 10 + ["16k"] * 5 + ["64k"] * 4 + ["1m"]
KINDS = ["get"] * 8 + ["head"] * 3 + ["post"] * 4 + ["post chunked"] * 3 + ["get 1.0"]


class Worker(threading.Thread):
    def __init__(self, address: str, port: int, requests: int, seed: str, stop: threading.Event):
        super().__init__()
        self.stop = stop
        self.address, self.port, self.requests = address, port, requests
        self.random = random.Random(seed)
        self.count = collections.Counter()
        self.failures = collections.Counter()
        self.served_by = collections.Counter()
        self.connection = None
        self.bodies = {name: body_of(name) for name in FILES}

    def run(self) -> None:
        done = 0
        while done < self.requests or not self.stop.is_set():
            done += 1
            kind, size = self.random.choice(KINDS), self.random.choice(SIZES)
            close = self.random.random() < 0.3
            body = self.random.randbytes(FILES[size]) if kind.startswith("post") else None
            self.count[kind] += 1
            for attempt in (0, 1):
                reused = self.connection is not None
                try:
                    wrong = self.exchange(kind, size, close, body)
                    if wrong:
                        self.fail(f"{kind} {size}: {wrong}")
                except http.client.RemoteDisconnected as problem:
                    self.drop()
                    if reused and body is None and attempt == 0:
                        self.count["retried"] += 1
                        continue
                    self.fail(f"{kind} {size}: {problem}")
                except (OSError, http.client.HTTPException) as problem:
                    self.drop()
                    self.fail(f"{kind} {size}: {type(problem).__name__}: {problem}")
                break
        self.drop()

    def exchange(self, kind: str, size: str, close: bool, body) -> str:
        """One request and its response; returns what is wrong with it, "" when nothing."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.address, self.port, timeout=TIMEOUT)
            self.count["connections"] += 1
        connection = self.connection
        headers = {"Host": "www.example.com", **({"Connection": "close"} if close else {})}
        if kind == "post":
            connection.request("POST", "/echo", body, headers)
        elif kind == "post chunked":
            connection.request("POST", "/echo", self.pieces(body), {**headers, "Transfer-Encoding": "chunked"},
                               encode_chunked=True)
        elif kind == "get 1.0":
            connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"
            connection.request("GET", f"/{size}", headers=headers)
            connection._http_vsn, connection._http_vsn_str = 11, "HTTP/1.1"
        else:
            connection.request(kind.upper(), f"/{size}", headers=headers)
        response = connection.getresponse()
        got = response.read()
        node, origin = response.getheader("X-Served-By"), response.getheader("X-Origin")
        if response.will_close or close or connection.sock is None:
            self.drop()
        if response.status != 200:
            return f"status {response.status}"
        if kind == "head":
            if got or response.getheader("Content-Length") != str(FILES[size]):
                return f"Content-Length {response.getheader('Content-Length')} and {len(got)} bytes of body"
        elif got != (self.bodies[size] if body is None else body):
            return f"another body of {len(got)} bytes"
        if not node or not origin:
            return f"X-Served-By {node}, X-Origin {origin}"
        self.served_by[node] += 1
        return ""

    def pieces(self, body: bytes):
        at = 0
        while at < len(body):
            step = self.random.randint(1, 20000)
            yield body[at:at + step]
            at += step

    def drop(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def fail(self, reason: str) -> None:
        self.count["failed"] += 1
        self.failures[reason] += 1


def main() -> int:
    address, port, requests, threads, seed = sys.argv[1], *map(int, sys.argv[2:6])
    stop = threading.Event()
    workers = [Worker(address, port, -(-requests // threads), f"{seed}/{i}", stop) for i in range(threads)]
    for worker in workers:
        worker.start()
    sys.stdin.read()
    stop.set()
    for worker in workers:
        worker.join()
    total = sum((worker.count for worker in workers), collections.Counter())
    kinds = {kind: total[kind] for kind in sorted(set(KINDS))}
    print(json.dumps({
        "requests": sum(kinds.values()), "kinds": kinds, "connections": total["connections"],
        "failed": total["failed"], "retried": total["retried"],
        "served_by": dict(sum((worker.served_by for worker in workers), collections.Counter())),
        "failures": dict(sum((worker.failures for worker in workers), collections.Counter()))}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
