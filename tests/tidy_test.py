#!/usr/bin/env python3
"""The rules of the house that a compiler does not know. Reads the sources, runs nothing.

Who may include whom; no clock, log or I/O in the pure folders; every source unit has a test; `co_await` lines are
plain (GCC 11 and 12 destroy owning temporaries of such an expression twice); nothing foreign at the top level.
Each rule is shown to bite by a sample at the end of this file before it is applied to the tree.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

BASE, RUNTIME = "common/base", "common/runtime"
# folder -> folders whose headers its files may include
ARROWS = {
    "common/base": {BASE},
    "common/runtime": {BASE, RUNTIME},
    "common/ctl": {BASE, RUNTIME, "common/ctl"},
    "vrrp/core": {BASE, "vrrp/core"},
    "vrrp/agent": {BASE, "vrrp/core", "vrrp/agent"},
    "vrrp/kernel": {BASE, RUNTIME, "vrrp/core", "vrrp/agent", "vrrp/kernel"},
    "vrrp": {BASE, RUNTIME, "vrrp/core", "vrrp/agent", "vrrp/kernel", "vrrp"},
    "proxy/http": {BASE, "proxy/http"},
    "proxy/policy": {BASE, "proxy/http", "proxy/policy"},
    "proxy/cache": {BASE, "proxy/http", "proxy/cache"},
    "proxy/server": {BASE, RUNTIME, "proxy/http", "proxy/policy", "proxy/cache", "proxy", "proxy/server"},
    "proxy": {BASE, RUNTIME, "proxy/http", "proxy/policy", "proxy/cache", "proxy", "proxy/server"},
}
PURE = {"common/base", "vrrp/core", "vrrp/agent", "proxy/http", "proxy/policy", "proxy/cache"}
CONFIG_UNITS = {"vrrp/config": "vrrp/kernel", "proxy/config": "proxy/server"}  # loaders know nothing of the effects' folder

STD_HEADERS = set("""
algorithm any array atomic bit bitset cassert cctype cerrno charconv chrono climits cmath compare concepts cstddef cstdint
cstdlib cstring deque exception forward_list functional initializer_list iterator limits list locale map memory
memory_resource new numbers numeric optional queue random ranges ratio set source_location span stack stdexcept string
string_view tuple type_traits typeinfo unordered_map unordered_set utility valarray variant vector version
immintrin.h nmmintrin.h cstdio
""".split())
PURE_FORBIDDEN = [
    (r"\b(steady_clock|system_clock|high_resolution_clock)::now\b|\b(clock_gettime|gettimeofday|time)\s*\(\s*(NULL|nullptr|CLOCK|0|&)", "asks a clock"),
    (r"\b(printf|puts|fopen|std::cout|std::cerr|std::ofstream|std::ifstream|spdlog|log::(debug|info|warn|error))\b", "does I/O or logs"),
    (r"\b(std::random_device|std::thread|std::mutex|getenv)\b", "reaches outside its arguments"),
    (r"\bthread_local\b", "keeps hidden state"),
]
IO_ALLOWED = {"common/base/assert.cpp"}  # the last words of a broken invariant
TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "common", "conf", "packaging", "proxy", "tests", "vrrp", "build"}


def folder_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def strip_comments(text):
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    return re.sub(r"//[^\n]*", "", text)


def check_includes(path, text):
    folder = folder_of(path)
    for number, line in enumerate(text.splitlines(), 1):
        own = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if own:
            target = folder_of(own[1])
            if target not in ARROWS.get(folder, set()):
                yield f"{path}:{number}: {folder} may not include {own[1]}"
            loader = re.match(r"\w+/config(?=[_.])", path)  # with its parts: config_router.cpp
            if loader and CONFIG_UNITS.get(loader[0]) == target:
                yield f"{path}:{number}: a config loader may not include {own[1]}"
        system = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
        if system and folder in PURE and system[1] not in STD_HEADERS:
            yield f"{path}:{number}: <{system[1]}> in a pure folder"


def check_pure(path, text):
    if folder_of(path) not in PURE or path in IO_ALLOWED:
        return
    for number, line in enumerate(strip_comments(text).splitlines(), 1):
        for pattern, what in PURE_FORBIDDEN:
            if re.search(pattern, line):
                yield f"{path}:{number}: a pure folder {what}: {line.strip()}"


def check_co_await(path, text):
    for number, line in enumerate(strip_comments(text).splitlines(), 1):
        if "co_await" not in line:
            continue
        rest = line.split("co_await", 1)[1]
        if "[" in line.split("co_await", 1)[0] and re.search(r"\bauto\s*&?\s*\[", line):
            yield f"{path}:{number}: structured binding of a co_await"
        if re.search(r"\[[^\]]*\]\s*[({]|\{", rest.split(";")[0]) or not rest.strip():
            yield f"{path}:{number}: a co_await line must be plain (no lambda, no braces, not split): {line.strip()}"


def check_header(path, text):
    if path.endswith(".h"):
        lines = text.splitlines()
        if not lines or lines[0] != "#pragma once":
            yield f"{path}:1: a header begins with #pragma once"
        elif len(lines) < 2 or not lines[1].startswith("//"):
            yield f"{path}:2: a header's first words say what it is"


CHECKS = [check_includes, check_pure, check_co_await, check_header]


def sources(root):
    for top in ("common", "vrrp", "proxy"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".cpp", ".h"):
                yield path.relative_to(root).as_posix()


def check_units_have_tests(paths, exists):
    for path in paths:
        if path.endswith(".cpp") and not path.endswith("/main.cpp"):
            test = "tests/" + path[:-4] + "_test.cpp"
            if not exists(test):
                yield f"{path}: has no test {test}"


CONFORMANCE = ("vrrp", "proxy")  # whose README.md has tables of requirement, function and test
CONFORMANCE_HEADINGS = ("| section | requirement | where | test |", "| section | rule | code | test |")


def known_tests(files):
    """"Suite.Name" of GoogleTest, "file.function" of the system tests. files: (path, text)."""
    tests = set()
    for path, text in files:
        if path.endswith(".cpp"):
            tests |= {f"{suite}.{name}" for suite, name in re.findall(r"\bTEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\)", text)}
        elif path.startswith("tests/system/test_"):
            unit = path.rsplit("/", 1)[1][len("test_"):-len(".py")]
            tests |= {f"{unit}.{name}" for name in re.findall(r"^def test_(\w+)", text, flags=re.M)}
    return tests


def named_tests(cell):
    """What a cell names in backquotes. A name without a suite is of the suite before it; "…" and * stand for any end."""
    suite = ""
    for name in re.findall(r"`([^`]+)`", cell):
        suite, _, test = name.rpartition(".") if "." in name else (suite, ".", name)
        yield f"{suite}.{test}".replace("…", "*")


def check_conformance(top, text, words, tests):
    """Each function (or unit: http/date) and test that a row of the conformance tables names exists; a row without a
    test names no function."""
    is_table, rows = False, 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("|"):
            is_table = False
        elif line in CONFORMANCE_HEADINGS:
            is_table = True
        elif is_table and not line.startswith("|---"):
            rows += 1
            place = f"{top}/README.md:{number}"
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if len(cells) != 4:
                yield f"{place}: a row has four cells"
                continue
            functions, named = re.findall(r"`([^`]+)`", cells[2]), list(named_tests(cells[3]))
            for function in functions:
                if not all(part in words for part in ([function] if "/" in function else function.split("::"))):
                    yield f"{place}: no {function} in {top}"
            for name in named:
                if not any(re.fullmatch(name.replace(".", r"\.").replace("*", r"\w*"), test) for test in tests):
                    yield f"{place}: there is no test {name}"
            if bool(functions) != bool(named):
                yield f"{place}: a function and a test that shows it, or neither"
    if rows == 0:
        yield f"{top}/README.md: no table of requirements"


def check_top_level(names):
    for name in names:
        if not name.startswith(".") and name not in TOP_LEVEL:
            yield f"{name}: does not belong at the top level"


def self_test():
    """Every rule must find its sample; a rule that finds nothing guards nothing."""
    samples = [
        (check_includes, "vrrp/core/a.cpp", '#include "vrrp/kernel/netlink.h"'),
        (check_includes, "vrrp/agent/a.h", "#include <sys/socket.h>"),
        (check_includes, "common/base/a.h", '#include "common/runtime/log.h"'),
        (check_includes, "vrrp/config.cpp", '#include "vrrp/kernel/netlink.h"'),
        (check_includes, "vrrp/config_router.cpp", '#include "vrrp/kernel/netlink.h"'),
        (check_includes, "proxy/server/a.cpp", '#include "vrrp/core/types.h"'),
        (check_pure, "vrrp/core/a.cpp", "auto now = std::chrono::steady_clock::now();"),
        (check_pure, "proxy/http/a.cpp", 'printf("x");'),
        (check_co_await, "proxy/server/a.cpp", "auto n = co_await f([&] { return 1; });"),
        (check_co_await, "proxy/server/a.cpp", "co_await f(Buffer{1});"),
        (check_co_await, "proxy/server/a.cpp", "auto [a, b] = co_await f();"),
        (check_header, "vrrp/core/a.h", "#include <vector>"),
    ]
    for check, path, text in samples:
        if not list(check(path, text)):
            raise SystemExit(f"tidy_test: {check.__name__} does not find its sample: {text}")
    clean = '#include <vector>\n#include "common/base/time.h"\nauto n = co_await read(stream, buffer);\n'
    for check in (check_includes, check_pure, check_co_await):
        found = list(check("vrrp/core/a.cpp", clean))
        if found:
            raise SystemExit(f"tidy_test: {check.__name__} objects to a clean sample: {found}")
    if not list(check_units_have_tests(["vrrp/core/a.cpp"], lambda _: False)):
        raise SystemExit("tidy_test: a unit without a test is not found")
    known, tests = {"encode", "http/date"}, known_tests([("a.cpp", "TEST(Codec, Layout) {")])
    for heading in CONFORMANCE_HEADINGS:
        for row in ("| 5.2 | layout | `encod` | `Codec.Layout` |", "| 5.2 | layout | `encode` | `Codec.Lay` |",
                    "| 5.2 | layout | `encode::x` | `Codec.Layout` |", "| 5.2 | layout | `http/dat` | `Codec.Layout` |",
                    "| 5.2 | layout | `encode` | `Codec.*`, `Order` |", "| 5.2 | layout | `encode` | |", ""):
            if not list(check_conformance("vrrp", f"{heading}\n|---|---|---|---|\n{row}\n", known, tests)):
                raise SystemExit(f"tidy_test: check_conformance does not find its sample: {row}")
        row = "| 5.2 | layout | `encode`, `http/date` | `Codec.Lay…`, `Layout` |"
        if list(check_conformance("vrrp", f"{heading}\n{row}\n", known, tests)):
            raise SystemExit("tidy_test: check_conformance objects to a clean sample")
    if not list(check_top_level(["notes.txt"])):
        raise SystemExit("tidy_test: a foreign file at the top level is not found")


def main():
    self_test()
    problems = []
    paths = list(sources(ROOT))
    for path in paths:
        text = (ROOT / path).read_text()
        for check in CHECKS:
            problems += check(path, text)
    problems += check_units_have_tests(paths, lambda test: (ROOT / test).exists())
    problems += check_top_level(p.name for p in ROOT.iterdir())
    test_files = [(path.relative_to(ROOT).as_posix(), path.read_text()) for kind in ("cpp", "py")
                  for path in (ROOT / "tests").rglob(f"*_test.{kind}" if kind == "cpp" else "test_*.py")]
    for top in CONFORMANCE:
        own = [path for path in paths if path.startswith(f"{top}/")]
        words = set(re.findall(r"\w+", " ".join((ROOT / path).read_text() for path in own)))
        units = {path[len(top) + 1:].rsplit(".", 1)[0] for path in own}
        problems += check_conformance(top, (ROOT / top / "README.md").read_text(), words | units, known_tests(test_files))
    for problem in problems:
        print(problem)
    print(f"{len(paths)} source files, {len(problems)} problems")
    return 1 if problems or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
