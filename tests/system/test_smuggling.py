"""Nothing is forwarded that an origin reads differently: a corpus of ambiguous requests, sent to a proxy before nginx and
to one before an origin that takes nothing but what has a single meaning."""

from __future__ import annotations

import json

from ambiguous import AFTER, NOT_SERVED, REFUSED, rows
from conversation import Closed, Conversation
from lab import Lab, can_connect, find_tool, wait_for
from strict_origin import Reading, StrictOrigin

PORT = 8090
ROWS_MIN = 200


class NginxOrigin:
    """nginx that writes down what it read of each request."""

    def __init__(self, host):
        self.log = host.folder / "readings.log"
        folder = host.folder / "reader"
        folder.mkdir()
        (folder / "nginx.conf").write_text(f"""
            daemon off; user root; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
            events {{ }}
            http {{
              log_format reading escape=json '{{"method": "$request_method", "target": "$request_uri", "host": "$http_host",'
                                             ' "body": "$request_body", "status": $status}}';
              client_body_buffer_size 1m; keepalive_requests 100000; underscores_in_headers on; ignore_invalid_headers off;
              client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
              uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
              server {{
                listen {PORT}; access_log {self.log} reading;
                location / {{ proxy_pass http://unix:{folder}/ok.sock:/; }}
              }}
              server {{ listen unix:{folder}/ok.sock; access_log off; location / {{ return 200 ok; }} }}
            }}""")
        nginx = find_tool("nginx", "nginx-light")
        argv = [nginx, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
        process = host.start("reader", argv)
        wait_for("nginx", lambda: can_connect(host, host.address, PORT), show=process.log)

    def readings(self) -> list:
        """Of the whole requests; what broke off or was refused has another status."""
        text = self.log.read_text(encoding="latin-1") if self.log.exists() else ""
        entries = [json.loads(line, strict=False) for line in text.splitlines()]
        return [Reading(entry["method"], entry["target"], entry["host"], entry["body"].encode("latin-1"))
                for entry in entries if entry["status"] == 200]


def start_proxy(node, origin) -> None:
    settings = {**node.proxy_settings(), "workers": 1}
    upstream = {"name": "origin", "servers": [f"{origin.address}:{PORT}"]}
    node.write_files(proxy=settings, site={"site": {"hosts": ["*"], "upstreams": [upstream],
                                                    "routes": [{"path": "/", "upstream": "origin"}]}})
    node.start_proxy()


def final_response(client: Conversation, method: str):
    while True:
        response = client.response(method)
        if response.status >= 200:
            return response


def judge(lab: Lab, address: str, row) -> str:
    """Sends the row and a clean request behind it. Returns what is wrong about the answers, "" if nothing."""
    with Conversation(lab.client, address, 80) as client:
        try:
            client.say(row.text)
            client.say(f"GET {AFTER} HTTP/1.1\r\nHost: after\r\n\r\n")
        except OSError:
            pass  # refused before it was all said
        try:
            if row.verdict in (REFUSED, NOT_SERVED):
                response = final_response(client, "GET")
                if not 400 <= response.status < 600 or response.status in (502, 503, 504):
                    return f"{response.status} instead of a refusal"
            for reading in meant(row):
                response = final_response(client, reading.method)
                if response.status != 200:
                    return f"{response.status} instead of 200"
        except Closed as problem:
            return f"no answer: {problem}"
        if row.verdict is not REFUSED:
            client.half_close()
        return "" if client.is_closed() else f"the connection goes on: {client.buffer[:80]!r}"


def meant(row) -> list:
    """What an origin has to read of a row and of what follows it."""
    if row.verdict is REFUSED:
        return []
    return [*row.verdict, *([] if row.ends else [Reading("GET", AFTER, "after")])]


def test_nothing_is_forwarded_that_an_origin_reads_differently(test):
    lab = Lab()
    nginx_host, strict_host = lab.origins
    nginx = NginxOrigin(nginx_host)
    strict = StrictOrigin(strict_host, strict_host.address, PORT)
    for node, origin in zip(lab.nodes, lab.origins):
        start_proxy(node, origin)
    for node in lab.nodes:
        wait_for("the proxy listens", lambda: can_connect(lab.client, node.front, 80), show=node.proxy.log)

    corpus = rows()
    assert len(corpus) >= ROWS_MIN and len({row.name for row in corpus}) == len(corpus)
    wrong, expected = [], []
    for row in corpus:
        for node in lab.nodes:
            problem = judge(lab, node.front, row)
            if problem:
                wrong.append(f"{row.name} before {'nginx' if node is lab.a else 'the strict origin'}: {problem}")
        wrong += [f"{row.name}: {problem}" for problem in strict.problems]
        strict.problems.clear()
        expected += meant(row)
    test.note(f"{len(corpus)} rows: {sum(row.verdict is REFUSED for row in corpus)} refused, the others read as meant")
    assert not wrong, f"{len(wrong)} rows went wrong:\n" + "\n".join(wrong[:60])
    assert strict.readings == expected, first_difference(strict.readings, expected)
    wait_for("nginx wrote all down", lambda: len(nginx.readings()) >= len(expected), 3, show=lambda: len(nginx.readings()))
    assert nginx.readings() == expected, first_difference(nginx.readings(), expected)


def first_difference(readings: list, expected: list) -> str:
    for index, (reading, wanted) in enumerate(zip(readings, expected)):
        if reading != wanted:
            return f"request {index}: read {reading}, meant {wanted}, behind {expected[max(0, index - 1)]}"
    return f"{len(readings)} requests read, {len(expected)} meant: {(readings[len(expected):] or expected[len(readings):])[0]}"
