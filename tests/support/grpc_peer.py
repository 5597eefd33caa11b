"""gRPC without generated code, messages are bytes: as a program a server or a client that calls it.

  grpc_peer.py serve ADDRESS PORT
  grpc_peer.py call ADDRESS PORT [CA_FILE NAME]      one line of JSON per call: what came of it
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from concurrent import futures

import grpc

SERVICE = "test.Echo"
OPTIONS = [("grpc.max_receive_message_length", 16 << 20), ("grpc.max_send_message_length", 16 << 20), ("grpc.enable_http_proxy", 0)]
STREAM_LENGTH = 200
LARGE = bytes(range(256)) * (12 << 10)  # 3 MiB
cancelled = threading.Event()


# ---- server ---------------------------------------------------------------------------------------


def unary(request: bytes, context) -> bytes:
    seen = dict(context.invocation_metadata())
    context.send_initial_metadata((("x-first", "1"),))
    context.set_trailing_metadata((("x-last", "2"), ("x-bin", b"\0\xff")))
    return request + seen.get("x-note", "").encode()


def numbers(request: bytes, context):
    for number in range(int(request)):
        yield b"%d:" % number + b"x" * (number * 7)


def total(requests, context) -> bytes:
    digest = hashlib.sha256()
    for request in requests:
        digest.update(request)
    return digest.digest()


def talk(requests, context):
    yield b"hello"
    for request in requests:
        yield request


def fail(request: bytes, context) -> bytes:
    context.set_trailing_metadata((("x-why", "because"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today, 100 % sure: \u00e4")


def fail_late(request: bytes, context):
    yield b"one"
    yield b"two"
    context.abort(grpc.StatusCode.DATA_LOSS, "lost the rest")


def sleep(request: bytes, context) -> bytes:
    context.add_callback(lambda: cancelled.set() if not context.is_active() else None)
    time.sleep(3)
    return b"too late"


def was_cancelled(request: bytes, context) -> bytes:
    return b"yes" if cancelled.wait(2) else b"no"


def serve(address: str, port: str) -> None:
    handlers = {"Unary": grpc.unary_unary_rpc_method_handler(unary), "Numbers": grpc.unary_stream_rpc_method_handler(numbers),
                "Total": grpc.stream_unary_rpc_method_handler(total), "Talk": grpc.stream_stream_rpc_method_handler(talk),
                "Fail": grpc.unary_unary_rpc_method_handler(fail), "FailLate": grpc.unary_stream_rpc_method_handler(fail_late),
                "Sleep": grpc.unary_unary_rpc_method_handler(sleep),
                "WasCancelled": grpc.unary_unary_rpc_method_handler(was_cancelled)}
    server = grpc.server(futures.ThreadPoolExecutor(16), options=OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_insecure_port(f"{address}:{port}")
    server.start()
    server.wait_for_termination()


# ---- client ---------------------------------------------------------------------------------------


def say(call: str, **what) -> None:
    print(json.dumps({"call": call, **what}), flush=True)


def say_error(call: str, error: grpc.RpcError, **what) -> None:
    trailing = {key: value for key, value in error.trailing_metadata() or () if isinstance(value, str)}
    say(call, code=error.code().name, details=error.details(), trailing=trailing, **what)


class Client:
    def __init__(self, channel):
        self.channel = channel

    def method(self, kind: str, name: str):
        return getattr(self.channel, kind)(f"/{SERVICE}/{name}")

    def unary(self) -> None:
        answer, call = self.method("unary_unary", "Unary").with_call(b"ping ", metadata=(("x-note", "pong"),), timeout=10)
        trailing = {key: value.hex() if isinstance(value, bytes) else value for key, value in call.trailing_metadata()}
        say("unary", answer=answer.decode(), initial=dict(call.initial_metadata()), trailing=trailing)

    def large(self) -> None:
        say("large", same=self.method("unary_unary", "Unary")(LARGE, timeout=30) == LARGE)

    def numbers(self) -> None:
        answers = list(self.method("unary_stream", "Numbers")(b"%d" % STREAM_LENGTH, timeout=20))
        say("numbers", count=len(answers), right=all(a == b"%d:" % n + b"x" * (n * 7) for n, a in enumerate(answers)))

    def total(self) -> None:
        parts = [bytes([n]) * (n * 100) for n in range(STREAM_LENGTH)]
        answer = self.method("stream_unary", "Total")(iter(parts), timeout=20)
        say("total", right=answer == hashlib.sha256(b"".join(parts)).digest())

    def talk(self) -> None:
        """Each message is sent when the one before it has come back: nothing may be held until there is more."""
        next_one = threading.Semaphore(0)
        sent = [b"m%d" % n for n in range(50)]

        def messages():
            for message in sent:
                if not next_one.acquire(timeout=5):
                    return
                yield message

        answers = []
        for answer in self.method("stream_stream", "Talk")(messages(), timeout=20):
            answers.append(answer)
            next_one.release()
        say("talk", right=answers == [b"hello"] + sent)

    def fail(self) -> None:
        try:
            self.method("unary_unary", "Fail")(b"", timeout=10)
            say("fail", code="OK")
        except grpc.RpcError as error:
            say_error("fail", error)

    def fail_late(self) -> None:
        answers = []
        try:
            for answer in self.method("unary_stream", "FailLate")(b"", timeout=10):
                answers.append(answer.decode())
        except grpc.RpcError as error:
            say_error("fail_late", error, answers=answers)

    def nowhere(self) -> None:
        try:
            self.method("unary_unary", "Nowhere")(b"", timeout=10)
        except grpc.RpcError as error:
            say_error("nowhere", error)

    def deadline(self) -> None:
        began = time.monotonic()
        try:
            self.method("unary_unary", "Sleep")(b"", timeout=0.5)
        except grpc.RpcError as error:
            say_error("deadline", error, seconds=time.monotonic() - began)
        say("was_cancelled", answer=self.method("unary_unary", "WasCancelled")(b"", timeout=10).decode())

    def many(self) -> None:
        """At once over one connection."""
        method = self.method("unary_unary", "Unary")
        calls = [(b"%d" % n, method.future(b"%d" % n, timeout=20)) for n in range(300)]
        say("many", right=sum(call.result() == request for request, call in calls))


def call(address: str, port: str, ca_file: str = "", name: str = "") -> None:
    if ca_file:
        with open(ca_file, "rb") as file:
            credentials = grpc.ssl_channel_credentials(file.read())
        options = OPTIONS + [("grpc.ssl_target_name_override", name), ("grpc.default_authority", name)]
        channel = grpc.secure_channel(f"{address}:{port}", credentials, options)
    else:
        channel = grpc.insecure_channel(f"{address}:{port}", OPTIONS)
    client = Client(channel)
    for step in (client.unary, client.large, client.numbers, client.total, client.talk, client.fail, client.fail_late,
                 client.nowhere, client.deadline, client.many):
        try:
            step()
        except Exception as problem:
            say(step.__name__, problem=f"{type(problem).__name__}: {problem}"[:500])
    channel.close()


if __name__ == "__main__":
    {"serve": serve, "call": call}[sys.argv[1]](*sys.argv[2:])
