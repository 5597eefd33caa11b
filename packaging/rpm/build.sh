#!/usr/bin/env bash
# packaging/rpm/build.sh [OPTION…]: builds the packages and the source package from this folder, offline.
#
#   --out FOLDER      where they go (build/rpm)
#   --source          the source package only; `rpmbuild --rebuild` on the node makes the rest of it
#   --with-tests      run the unit tests in the build (RHEL's default; tests/run.sh has run them already here)
#   --release N       the release of the package (1)
#   --from FOLDER     packages of what was compiled in FOLDER already, without debuginfo: for trying them here, in seconds
#
# On RHEL 9, 10 and their rebuilds: dnf builddep packaging/rpm/vipair.spec first. On Debian 12: tests/install.sh
# packages. What is built on Debian has its dependencies met on RHEL 9 and 10; vipair-selinux is to be built on RHEL in
# any case (rebuild the source package there): Debian's policy only shows that it compiles.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
out=$root/build/rpm
mode=-ba
tests=0
from=
release=1
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2; shift ;;
    --source) mode=-bs ;;
    --with-tests) tests=1 ;;
    --from) from=$(cd "$2" && pwd); shift ;;
    --release) release=$2; shift ;;
    --help | -h) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) echo "build.sh: unknown option $1; see packaging/rpm/build.sh --help" >&2; exit 2 ;;
  esac
  shift
done
command -v rpmbuild >/dev/null || { echo "build.sh: rpmbuild is missing: sudo tests/install.sh packages (RHEL: dnf install rpm-build)" >&2; exit 1; }

version=$(sed -n 's/^project(vipair VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")
mkdir -p "$out"
out=$(cd "$out" && pwd)
top=$out/tree  # the same each time, so that a compiler cache finds what it knows
rm -rf "$top"
trap 'rm -rf "$top"' EXIT
mkdir -p "$top"/{SOURCES,BUILD,BUILDROOT,RPMS,SRPMS}

# What is here, committed or not, but nothing that git ignores: the same files make the same archive.
cd "$root"
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
  git ls-files -z --cached --others --exclude-standard
else
  find . \( -path ./build -o -name __pycache__ \) -prune -o \( -type f -o -type l \) -printf '%P\0'
fi | sort -z | while IFS= read -r -d '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done |
  tar --create --no-recursion --null --files-from=- --transform="s,^,vipair-$version/," --owner=0 --group=0 --numeric-owner \
    --mode=u+rw,go+r,go-w --mtime="@${SOURCE_DATE_EPOCH:-1700000000}" | gzip -n >"$top/SOURCES/vipair-$version.tar.gz"
cp packaging/systemd/vipair.sysusers "$top/SOURCES/vipair.sysusers"
sed "s/^Release:.*/Release:        $release%{?dist}/" packaging/rpm/vipair.spec >"$top/vipair.spec"

options=(--define "_topdir $top" --define "_smp_mflags -j$(nproc)")
if [ -n "$from" ]; then
  cmake -S "$root" -B "$from" -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_SYSCONFDIR=/etc >/dev/null
  options+=(--define "debug_package %{nil}" --define "vipair_built $from" --define "_binary_payload w3.zstdio")
fi
[ $tests = 1 ] || options+=(--without tests)
if [ "$(rpm --eval '%{?_unitdir}')" = "" ]; then
  # no RHEL: its macros from a file, dependencies from elsewhere, the oldest compiler for RHEL 9's libstdc++
  options+=(--nodeps --load=packaging/rpm/macros.debian)
  [ -n "$from" ] || options+=(--with portable)
  command -v g++-11 >/dev/null && options+=(--define "vipair_cxx g++-11")
  if [ ! -f /usr/share/selinux/devel/Makefile ]; then
    echo "build.sh: selinux-policy-dev is missing: no vipair-selinux" >&2
    options+=(--without selinux)
  fi
fi
# where there is a compiler cache, it may take what a build in another folder made
export CCACHE_BASEDIR=$top CCACHE_NOHASHDIR=1
rpmbuild $mode "${options[@]}" "$top/vipair.spec"
find "$out" -maxdepth 1 -name 'vipair-*.rpm' -delete
find "$top/RPMS" "$top/SRPMS" -name '*.rpm' -exec mv {} "$out/" \;
ls -l "$out"/*.rpm
