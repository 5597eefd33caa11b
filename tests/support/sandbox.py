"""A place to break things in: a process tree of its own with its own network, mounts and process numbers.

What runs inside run() cannot leave anything behind, however it ends: the kernel kills every process of the sandbox
with its first one, and network namespaces, links, sockets in /run and temporary files live in namespaces that go
with the last process. Nothing is cleaned up by hand, so nothing can be forgotten.

Needs root. Python 3.9, standard library only.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import time
import traceback

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 2, 4, 0x4000, 1 << 18
PR_SET_PDEATHSIG = 1

HARD_STOP_SECONDS = 20.0  # between the time limit, which still collects logs, and SIGKILL

_libc = ctypes.CDLL(None, use_errno=True)


class Skip(Exception):
    """Raised by a test that cannot run here; its text says why."""


class TimeLimit(Exception):
    """The function inside took longer than it was given."""


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, flags: int = CLONE_NEWNET) -> None:
    _check(_libc.setns(fd, flags), "setns")


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    _check(_libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode() or None),
           f"mount {kind} on {target}")


def die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _first_process(main) -> int:
    """Process 1 of the sandbox: starts main and collects orphans until it ends."""
    mount("none", "/", "none", MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV)
    mount("run", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    child = os.fork()
    if child == 0:
        _exit_with(main)
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def _exit_with(function) -> None:
    status = 1
    try:
        status = function()
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status & 0xFF)


class Sandbox:
    """function() at work in a fresh sandbox. fileno() becomes readable when it says something; result() waits for it.

    Of several at a time each must be asked for its result; dropping one leaves its processes to the end of this one.
    """

    def __init__(self, function, time_limit: float, collect_logs=lambda: {}):
        if os.geteuid() != 0:
            raise PermissionError("network namespaces need root: run it with sudo")
        self.time_limit = time_limit
        self.deadline = time.monotonic() + time_limit + HARD_STOP_SECONDS
        self._chunks: list = []
        self._read_end, write_end = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._outer = os.fork()
        if self._outer == 0:
            os.close(self._read_end)
            _exit_with(lambda: _enter(write_end, lambda: _inside(write_end, function, time_limit, collect_logs)))
        os.close(write_end)

    def fileno(self) -> int:
        return self._read_end

    def read(self) -> bool:
        """Takes what is there to be read, waiting for it; False when that was all."""
        chunk = os.read(self._read_end, 1 << 16)
        self._chunks.append(chunk)
        return bool(chunk)

    def result(self) -> dict:
        """What run() returns. Ends everything inside when the time is over, and is to be called once."""
        is_complete = False
        try:
            while not is_complete and select.select([self], [], [], max(0.0, self.deadline - time.monotonic()))[0]:
                is_complete = not self.read()
            if is_complete:
                os.waitpid(self._outer, 0)  # returns when the last process of the sandbox is gone
                self._outer = 0
        finally:
            self.end()
        if not is_complete:
            return {"status": "failed", "error": f"did not end within {self.time_limit:.0f} s and was killed", "logs": {}}
        text = b"".join(self._chunks).decode()
        return json.loads(text) if text else {"status": "failed", "error": "ended without a result", "logs": {}}

    def end(self) -> None:
        """Kills whatever is left of it."""
        if self._read_end >= 0:
            os.close(self._read_end)
            self._read_end = -1
        if self._outer:
            os.kill(self._outer, signal.SIGKILL)  # its death is process 1's death, which is everybody's
            os.waitpid(self._outer, 0)
            self._outer = 0


def run(function, time_limit: float, collect_logs=lambda: {}) -> dict:
    """Runs function() in a fresh sandbox and returns what it returned as {"status": "passed", "value": …}.

    The value must fit in JSON. Otherwise status is "skipped" or "failed" with "error" (a text) and "logs", which is
    collect_logs() called inside after the failure. Ends everything inside before it returns.
    """
    return Sandbox(function, time_limit, collect_logs).result()


def _enter(write_end: int, main) -> int:
    die_with_parent()
    os.setpgid(0, 0)  # Ctrl-C is the caller's to handle; it ends this whole tree
    _unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)
    first = os.fork()
    if first == 0:
        die_with_parent()
        _exit_with(lambda: _first_process(main))
    os.close(write_end)
    return os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])


def _inside(write_end: int, function, time_limit: float, collect_logs) -> int:
    result = {"status": "passed", "value": None}

    def too_late(*_):
        raise TimeLimit(f"still running after {time_limit:.0f} s")

    signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, time_limit)
    try:
        result["value"] = function()
    except Skip as reason:
        result = {"status": "skipped", "error": str(reason)}
    except KeyboardInterrupt:
        return 130
    except Exception as problem:
        signal.setitimer(signal.ITIMER_REAL, 0)
        trace = traceback.extract_tb(problem.__traceback__)
        place = "".join(f"  {os.path.basename(frame.filename)}:{frame.lineno} {frame.line}\n" for frame in trace)
        kind = "" if isinstance(problem, (AssertionError, TimeLimit)) else f"{type(problem).__name__}: "
        result = {"status": "failed", "error": f"{kind}{problem}\n{place}".rstrip(), "logs": collect_logs()}
    with os.fdopen(write_end, "w") as pipe:
        json.dump(result, pipe)
    return 0
