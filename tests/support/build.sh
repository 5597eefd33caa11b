# Sourced by demo.sh and run.sh: building as the owner of the folder, so that `sudo` leaves no root-owned files in it.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
owner=$(stat -c %U "$root")
jobs=$(nproc)
if [ "$(awk '/MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)" -lt $((jobs * 3 / 2)) ]; then jobs=1; fi

as_owner() {
  if [ "$(id -u)" = 0 ] && [ "$owner" != root ] && [ "$owner" != UNKNOWN ]; then
    runuser -u "$owner" -- env HOME="$(getent passwd "$owner" | cut -d: -f6)" "$@"
  else
    "$@"
  fi
}

# What root-run tests wrote into build/ belongs to the owner again.
give_back() {
  if [ "$(id -u)" = 0 ] && [ "$owner" != root ] && [ "$owner" != UNKNOWN ] && [ -d "$root/build" ]; then
    chown -R "$owner:" "$root/build"
  fi
}

# On a terminal ninja rewrites one line; elsewhere one line per tenth of the way is enough. Errors pass in full.
show_progress() {
  if [ -t 1 ]; then
    cat
  else
    awk '/^\[[0-9]+\/[0-9]+\] / {
           split(substr($1, 2), n, /[\/\]]/); tenth = int(n[1] * 10 / n[2])
           if (tenth != last) { last = tenth; print "  built " n[1] " of " n[2]; fflush() }
           next }
         { print; fflush() }'
  fi
}

# configure PRESET: silent unless it fails
configure() {
  local said
  said=$(as_owner cmake -S "$root" --preset "$1" 2>&1) || { printf '%s\n' "$said"; return 1; }
}

# build PRESET [cmake --build arguments]
build() {
  local preset=$1
  shift
  configure "$preset" || return 1
  if [ -t 1 ]; then
    as_owner cmake --build "$root/build/$preset" -j "$jobs" "$@"
  else
    as_owner cmake --build "$root/build/$preset" -j "$jobs" "$@" | show_progress
  fi
}
