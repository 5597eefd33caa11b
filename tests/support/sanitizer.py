"""Programs built with a sanitizer ($VIPAIR_BIN=…/build/asan/bin): how they are started, and what they found."""

from __future__ import annotations

import ctypes
from pathlib import Path

ADDR_NO_RANDOMIZE = 0x0040000


def kind_of(program: str) -> str:
    """"address", "thread", or "" for a build without."""
    text = Path(program).read_bytes()
    return "thread" if b"__tsan_init" in text else "address" if b"__asan_init" in text else ""


def environment(folder: Path) -> dict:
    """Reports go to files of the folder, the program goes on after a race."""
    log = f"log_path={folder}/sanitizer"
    return {"ASAN_OPTIONS": f"{log}:detect_leaks=1", "UBSAN_OPTIONS": f"{log}:print_stacktrace=1",
            "TSAN_OPTIONS": f"{log}:halt_on_error=0"}


def fix_layout() -> None:
    """In the new process, before the program: those of clang 14 stumble over the address space of newer kernels."""
    ctypes.CDLL(None).personality(ADDR_NO_RANDOMIZE)


def reports(folder: Path) -> str:
    return "\n".join(path.read_text(errors="replace")[:6000] for path in sorted(folder.glob("sanitizer.*")))
