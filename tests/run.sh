#!/usr/bin/env bash
# sudo tests/run.sh [OPTION…]: installs what is missing, builds, runs every test. Options select parts; none: all.
#
#   --quick           release build, unit tests, rules of the house: what to run before a commit
#   --unit            release build and every unit test, model check and simulation
#   --tidy            clang-format, clang-tidy, rules of the house
#   --asan            unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
#   --tsan            the proxy's tests under ThreadSanitizer
#   --fuzz [SECONDS]  every fuzz target for so long (60), two at a time
#   --system [NAME]   faults, interoperation, bad input in network namespaces (those whose name contains NAME)
#   --compilers       everything with g++-11 and clang-14
set -uo pipefail

. "$(dirname "$0")/support/build.sh"
cd "$root" || exit 1

stages=()
fuzz_seconds=60
system_name=""
while [ $# -gt 0 ]; do
  case $1 in
    --quick | --unit | --tidy | --asan | --tsan | --system | --compilers) stages+=("${1#--}") ;;
    --fuzz) stages+=(fuzz) ;;
    --help | -h) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    [0-9]*) if [ "${stages[-1]:-}" = fuzz ]; then fuzz_seconds=$1; else echo "run.sh: what is $1?" >&2; exit 2; fi ;;
    [a-z]*) if [ "${stages[-1]:-}" = system ]; then system_name=$1; else echo "run.sh: what is $1?" >&2; exit 2; fi ;;
    *) echo "run.sh: unknown option $1; see tests/run.sh --help" >&2; exit 2 ;;
  esac
  shift
done
[ ${#stages[@]} -gt 0 ] || stages=(unit tidy asan tsan fuzz system compilers)

work=$(mktemp -d)
cleanup() {
  local job
  for job in $(jobs -p); do kill "$job" 2>/dev/null; done
  rm -rf "$work"
  give_back
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

began=$SECONDS
failed_steps=()
say() { printf '[%3d:%02d] %s\n' $(((SECONDS - began) / 60)) $(((SECONDS - began) % 60)) "$*"; }
count() { echo "$@" >>"$work/tally"; }  # passed failed skipped

# step NAME COMMAND…: one test that is the success of a command
step() {
  local name=$1
  shift
  say "$name"
  if "$@"; then
    count 1 0 0
  else
    count 0 1 0
    failed_steps+=("$name")
    say "FAILED: $name"
    return 1
  fi
}

# ctest_run PRESET NAME [ctest arguments]
ctest_run() {
  local preset=$1 name=$2 status=0
  shift 2
  say "$name"
  mkdir -p "$work/$preset"
  GTEST_OUTPUT="json:$work/$preset/" ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$jobs" \
    --output-junit "$work/$preset.xml" "$@" || status=$?
  if [ ! -f "$work/$preset.xml" ]; then
    count 0 1 0
  else
    python3 -B tests/support/tally.py "$work/$preset.xml" "$work/$preset" >>"$work/tally"
  fi
  [ $status = 0 ] || failed_steps+=("$name")
}

sources() { find common vrrp proxy tests -name '*.cpp' -o -name '*.h'; }

run_unit() {
  step "build release" build release || return
  ctest_run release "unit tests, model check, simulation (release)"
}

run_quick() {
  step "build release" build release || return
  VIPAIR_SEEDS=200 ctest_run release "unit tests (release)"
}

run_tidy() {
  local format tidy
  format=$(command -v clang-format-14 || command -v clang-format || true)
  tidy=$(command -v clang-tidy-14 || command -v clang-tidy || true)
  if [ -n "$format" ]; then
    step "clang-format" bash -c "find common vrrp proxy tests -name '*.cpp' -o -name '*.h' |
      xargs '$format' --dry-run --Werror"
  else
    say "clang-format is not here: skipped"; count 0 0 1
  fi
  step "rules of the house" python3 -B tests/tidy_test.py
  if [ -n "$tidy" ]; then
    # the compile commands of a clang build: clang-tidy does not read gcc's precompiled headers
    step "configure for clang-tidy" as_owner cmake -S . -B build/clang-14 -G Ninja -DCMAKE_BUILD_TYPE=Debug \
      -DCMAKE_CXX_COMPILER="$(command -v clang++-14 || command -v clang++)" -DVIPAIR_TESTS=ON --log-level=ERROR || return
    step "clang-tidy" bash -c "find common vrrp proxy -name '*.cpp' |
      xargs -P $jobs -n 1 '$tidy' -p build/clang-14 --quiet 2>/dev/null"
  else
    say "clang-tidy is not here: skipped"; count 0 0 1
  fi
}

run_asan() {
  step "build asan" build asan || return
  VIPAIR_SEEDS=${VIPAIR_SEEDS:-300} ctest_run asan "unit tests (AddressSanitizer, UndefinedBehaviorSanitizer)" \
    --exclude-regex '^tidy_test$'
}

run_tsan() {
  step "build tsan" build tsan --target proxy_server_test common_runtime_test || return
  ctest_run tsan "proxy and runtime tests (ThreadSanitizer)" --tests-regex '^(proxy_server|common_runtime)_test$'
}

fuzz_one() {
  local name=$1 log="$work/fuzz-$1.log"
  mkdir -p "$work/corpus-$name"
  # new finds go to the first folder, which is thrown away; the corpus in the repository is read only
  if "build/fuzz/bin/${name}_fuzz" -max_total_time="$fuzz_seconds" -timeout=10 -rss_limit_mb=4096 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/${name}-" "$work/corpus-$name" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
    echo 0 >"$work/fuzz-$name.status"
  else
    echo 1 >"$work/fuzz-$name.status"
  fi
}

run_fuzz() {
  if ! command -v clang++-14 >/dev/null; then say "clang++-14 is not here: fuzzing skipped"; count 0 0 1; return; fi
  local targets=() name
  for name in tests/fuzz/*_fuzz.cpp; do targets+=("$(basename "$name" _fuzz.cpp)"); done
  step "build fuzz" build fuzz --target "${targets[@]/%/_fuzz}" || return
  say "fuzzing ${targets[*]}, $fuzz_seconds s each, $jobs at a time"
  for name in "${targets[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
    fuzz_one "$name" &
  done
  wait
  for name in "${targets[@]}"; do
    if [ "$(cat "$work/fuzz-$name.status")" = 0 ]; then
      count 1 0 0
      say "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/fuzz-$name.log") runs, nothing found"
    else
      count 0 1 0
      failed_steps+=("fuzz $name")
      tail -60 "$work/fuzz-$name.log"
    fi
  done
}

run_system() {
  if [ "$(id -u)" != 0 ]; then
    say "system tests need root (sudo tests/run.sh): skipped"; count 0 0 1; return
  fi
  step "build release" build release || return
  say "system tests"
  python3 -B tests/system/run.py --tally "$work/tally" ${system_name:+"$system_name"} || failed_steps+=("system tests")
}

run_compilers() {
  local compiler
  for compiler in g++-11 clang++-14; do
    if ! command -v $compiler >/dev/null; then say "$compiler is not here: skipped"; count 0 0 1; continue; fi
    local folder=build/${compiler/clang++/clang}
    step "configure with $compiler" as_owner cmake -S . -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
      -DCMAKE_CXX_COMPILER=$compiler --log-level=ERROR || continue
    step "build with $compiler" bash -c ". tests/support/build.sh; set -o pipefail
      as_owner cmake --build '$folder' -j $jobs | show_progress"
  done
}

if [ "${stages[*]}" = quick ]; then "$root/tests/install.sh" demo || exit 1; else "$root/tests/install.sh" all || exit 1; fi
for stage in "${stages[@]}"; do "run_$stage"; done

say "done"
for name in "${failed_steps[@]}"; do echo "failed: $name"; done
awk '{p += $1; f += $2; s += $3} END {printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0}' "$work/tally"
status=$?
[ ${#failed_steps[@]} = 0 ] || status=1
exit $status
