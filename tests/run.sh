#!/usr/bin/env bash
# sudo tests/run.sh [OPTION…]: installs what is missing, builds, tests. Options select parts; none: those marked with *.
#
#   --quick           release build, unit tests: what to run before a commit
# * --style           clang-format, rules of the house
# * --unit            release build; every unit test, model check and simulation; whether the benchmark runs
# * --asan            unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
# * --fuzz [SECONDS]  every fuzz target for so long (60; 3600 by night), two at a time on each core
# * --system [NAME]   faults, interoperation, bad input in network namespaces (those whose name contains NAME)
#   --tidy            clang-tidy
#   --tsan            the proxy's tests under ThreadSanitizer
#   --compilers       the programs and most tests with g++-11, everything with clang-14, and against Boost 1.74
#   --packages        builds the RPMs and judges them: rpmlint, files, scriptlets, dependencies
#   --nodes [NAME]    two booted nodes with the RPMs: faults, reboots, upgrades, erase
#   --all             every part: what to run before a release
set -uo pipefail

. "$(dirname "$0")/support/build.sh"
cd "$root" || exit 1

by_default=(style unit asan fuzz system)
stages=()
fuzz_seconds=60
system_name=""
while [ $# -gt 0 ]; do
  case $1 in
    --quick | --style | --unit | --tidy | --asan | --tsan | --fuzz | --system | --compilers | --packages | --nodes)
      stages+=("${1#--}") ;;
    --all) stages=("${by_default[@]}" tidy tsan compilers packages nodes) ;;
    --help | -h) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    [0-9]*) if [ "${stages[-1]:-}" = fuzz ]; then fuzz_seconds=$1; else echo "run.sh: what is $1?" >&2; exit 2; fi ;;
    [a-z]*) if [[ "${stages[-1]:-}" = @(system|nodes) ]]; then system_name=$1; else echo "run.sh: what is $1?" >&2; exit 2; fi ;;
    *) echo "run.sh: unknown option $1; see tests/run.sh --help" >&2; exit 2 ;;
  esac
  shift
done
[ ${#stages[@]} -gt 0 ] || stages=("${by_default[@]}")

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
# The sanitizers of GCC 12 and clang 14 stumble over the address space layout of newer kernels.
fixed_layout=()
if setarch -R true 2>/dev/null; then fixed_layout=(setarch -R); fi
export UBSAN_OPTIONS=print_stacktrace=1
PATH=$PATH:/usr/lib/llvm-14/bin  # llvm-symbolizer, which names the functions in their reports
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
  GTEST_OUTPUT="json:$work/$preset/" "${fixed_layout[@]}" ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$jobs" \
    --output-junit "$work/$preset.xml" "$@" || status=$?
  if [ ! -f "$work/$preset.xml" ]; then
    count 0 1 0
  else
    python3 -B tests/support/tally.py "$work/$preset.xml" "$work/$preset" >>"$work/tally"
  fi
  [ $status = 0 ] || failed_steps+=("$name")
}

# has_clang WHAT: clang 14 makes the sanitizer builds, in a fifth of the time that GCC 12 takes
has_clang() {
  command -v clang++-14 >/dev/null && return
  say "clang++-14 is not here: $1 skipped"
  count 0 0 1
  return 1
}

run_unit() {
  step "build release" build release || return
  ctest_run release "unit tests, model check, simulation (release)"
  if [ "$(nproc)" -ge 2 ]; then
    step "the benchmark runs" python3 -B tests/bench/proxy.py --only floor,vipair --rows keep-alive --rounds 1 --seconds 0.3
  else
    say "the benchmark needs two cores: skipped"; count 0 0 1
  fi
}

run_quick() {
  step "build release" build release || return
  VIPAIR_SEEDS=200 ctest_run release "unit tests (release)"
}

run_style() {
  local format
  format=$(command -v clang-format-14 || command -v clang-format || true)
  if [ -n "$format" ]; then
    step "clang-format" bash -c "find common vrrp proxy tests -name '*.cpp' -o -name '*.h' |
      xargs '$format' --dry-run --Werror"
  else
    say "clang-format is not here: skipped"; count 0 0 1
  fi
  step "rules of the house" python3 -B tests/tidy_test.py
}

run_tidy() {
  local tidy
  tidy=$(command -v clang-tidy-14 || command -v clang-tidy || true)
  if [ -n "$tidy" ] && has_clang clang-tidy; then
    # the compile commands of a clang build: clang-tidy does not read gcc's precompiled headers
    step "configure for clang-tidy" configure asan || return
    step "clang-tidy" bash -c "find common vrrp proxy -name '*.cpp' |
      xargs -P $jobs -n 1 '$tidy' -p build/asan --quiet 2>/dev/null"
  elif [ -z "$tidy" ]; then
    say "clang-tidy is not here: skipped"; count 0 0 1
  fi
}

# weather PRESET: the proxy under every protocol at once, with a sanitizer watching
weather() {
  if [ "$(id -u)" != 0 ]; then say "rough weather ($1) needs root: skipped"; count 0 0 1; return; fi
  step "rough weather ($1)" env VIPAIR_BIN="$root/build/$1/bin" VIPAIR_SECONDS="${VIPAIR_SECONDS:-10}" python3 -B tests/system/run.py weather
}

run_asan() {
  has_clang AddressSanitizer || return 0
  step "build asan" build asan || return
  VIPAIR_SEEDS=${VIPAIR_SEEDS:-300} ctest_run asan "unit tests (AddressSanitizer, UndefinedBehaviorSanitizer)" \
    --exclude-regex '^tidy_test$'
  weather asan
}

run_tsan() {
  has_clang ThreadSanitizer || return 0
  step "build tsan" build tsan --target proxy_server_test common_runtime_test vipair-proxyd || return
  ctest_run tsan "proxy and runtime tests (ThreadSanitizer)" --tests-regex '^(proxy_server|common_runtime)_test$'
  weather tsan
}

fuzz_one() {
  local name=$1 log="$work/fuzz-$1.log"
  mkdir -p "$work/corpus-$name"
  # new finds go to the first folder, which is thrown away; the corpus in the repository is read only
  if "${fixed_layout[@]}" "build/asan/bin/${name}_fuzz" -max_total_time="$fuzz_seconds" -timeout=10 -rss_limit_mb=4096 -print_final_stats=1 \
    -artifact_prefix="build/${name}-" "$work/corpus-$name" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
    echo 0 >"$work/fuzz-$name.status"
  else
    echo 1 >"$work/fuzz-$name.status"
  fi
}

run_fuzz() {
  has_clang fuzzing || return 0
  local targets=() name
  for name in tests/fuzz/*_fuzz.cpp; do targets+=("$(basename "$name" _fuzz.cpp)"); done
  step "build fuzz targets" build asan --target "${targets[@]/%/_fuzz}" || return
  say "fuzzing ${targets[*]}, $fuzz_seconds s each, $((2 * jobs)) at a time"
  for name in "${targets[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge $((2 * jobs)) ]; do wait -n; done
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
  if has_clang "the build with clang 14"; then step "build with clang++-14" build asan; fi
  if ! command -v g++-11 >/dev/null; then say "g++-11 is not here: skipped"; count 0 0 1; return; fi
  # the programs, and the tests in which a compiler's own mistakes have shown: coroutines, and what is pure
  local tested=(common_base_test vrrp_core_test vrrp_agent_test proxy_http_test proxy_policy_test proxy_server_test)
  step "build with g++-11" build gcc-11 --target vipair-vrrpd vipair-proxyd vipairctl "${tested[@]}" || return
  local regex
  regex=$(IFS='|'; echo "${tested[*]}")
  VIPAIR_SEEDS=${VIPAIR_SEEDS:-100} ctest_run gcc-11 "unit tests (g++-11)" --tests-regex "^($regex)\$"
  say "Boost 1.74"
  python3 -B tests/support/boost_floor.py build/gcc-11 >"$work/boost" || failed_steps+=("Boost 1.74")
  head -n -1 "$work/boost"
  tail -n 1 "$work/boost" >>"$work/tally"
}

build_packages() {
  as_owner packaging/rpm/build.sh >"$work/rpmbuild" 2>&1 || { tail -60 "$work/rpmbuild"; return 1; }
}

run_packages() {
  if ! command -v rpmbuild >/dev/null; then say "rpmbuild is not here: packages skipped"; count 0 0 1; return; fi
  step "build the packages (compiles all with g++-11)" build_packages || return
  say "packages"
  python3 -B tests/packaging/rpm_test.py --tally "$work/tally" || failed_steps+=("packages")
}

run_nodes() {
  if [ "$(id -u)" != 0 ]; then
    say "nodes need root (sudo tests/run.sh --nodes): skipped"; count 0 0 1; return
  fi
  step "build release" build release --target vipair-vrrpd vipair-proxyd vipairctl bench_traffic || return
  say "two booted nodes"
  python3 -B tests/nodes/run.py --tally "$work/tally" ${system_name:+"$system_name"} || failed_steps+=("nodes")
}

case " ${stages[*]} " in
  " quick ") "$root/tests/install.sh" demo || exit 1 ;;
  " packages " | " nodes " | " packages nodes ") "$root/tests/install.sh" packages || exit 1 ;;
  *)
    "$root/tests/install.sh" all || exit 1
    case " ${stages[*]} " in *" packages "* | *" nodes "*) "$root/tests/install.sh" packages || exit 1 ;; esac ;;
esac
times=()
for stage in "${stages[@]}"; do
  stage_began=$SECONDS
  "run_$stage"
  times+=("$stage $(((SECONDS - stage_began) / 60)):$(printf %02d $(((SECONDS - stage_began) % 60)))")
done

say "done"
printf 'took %s\n' "${times[@]}"
for name in "${failed_steps[@]}"; do echo "failed: $name"; done
awk '{p += $1; f += $2; s += $3} END {printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0}' "$work/tally"
status=$?
[ ${#failed_steps[@]} = 0 ] || status=1
exit $status
