#!/usr/bin/env bash
# sudo tests/demo.sh: two nodes, one floating address, real HTTP traffic, and what faults do to it. Installs what is
# missing, builds, shows, and leaves nothing behind but build/.
set -euo pipefail

if [ "$(id -u)" != 0 ]; then
  echo "The demo makes network namespaces, which needs root: sudo tests/demo.sh" >&2
  exit 1
fi
. "$(dirname "$0")/support/build.sh"
trap give_back EXIT
cd "$root"

"$root/tests/install.sh" demo
echo "building (build/release)"
build release --target vipair-vrrpd vipair-proxyd vipairctl bench_probe bench_traffic
PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/support/demo.py"
