#!/usr/bin/env bash
# Installs what the demo and the tests need, and only what is missing: tests/install.sh [demo | all | packages], as root.
#
# demo: compiler, libraries, nginx.  all (the default): also the other compilers, sanitizers and peers of the tests.
# packages: what builds and judges RPMs and boots nodes with them, besides what the demo needs.
# Debian 12 is what is tested in CI. The list for RHEL 9 and 10 and their rebuilds follows their package names (EPEL
# and CRB are needed) and has not been run on a real one; tests whose programs are not in it (wrk, testssl.sh, gRPC,
# Chromium) are skipped there.
set -euo pipefail

group=${1:-all}
case $group in demo | all | packages) ;; *) echo "usage: tests/install.sh [demo | all | packages]" >&2; exit 2 ;; esac

deb_demo=(g++ cmake ninja-build ccache pkg-config libnl-3-dev libnl-route-3-dev libssl-dev libnghttp2-dev libconfig++-dev
  libc-ares-dev zlib1g-dev libbrotli-dev libspdlog-dev libfmt-dev libpcre2-dev libcrypt-dev libgtest-dev libgmock-dev
  python3 iproute2 procps util-linux nginx-light)
deb_all=(g++-11 clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev llvm-14
  haproxy keepalived frr nftables tcpdump tshark mandoc openssh-client openssh-server prometheus curl iputils-ping apache2-utils nghttp2-client nghttp2-server nghttp2-proxy openssl
  wrk testssl.sh python3-grpcio chromium-headless-shell libnss3-tools strace)
deb_packages=(g++-11 rpm rpmlint rpm2cpio cpio debugedit elfutils bzip2 binutils make selinux-policy-dev policycoreutils checkpolicy
  semodule-utils systemd-container mmdebstrap logrotate nftables bash)

rpm_demo=(gcc-c++ cmake ninja-build ccache pkgconf-pkg-config boost-devel libnl3-devel openssl-devel libnghttp2-devel
  libconfig-devel c-ares-devel zlib-devel brotli-devel spdlog-devel fmt-devel pcre2-devel libxcrypt-devel gtest-devel
  gmock-devel python3 iproute procps-ng util-linux nginx)
rpm_all=(clang clang-tools-extra compiler-rt llvm libasan libubsan libtsan haproxy keepalived frr nftables tcpdump
  wireshark-cli mandoc openssh-clients openssh-server curl iputils httpd-tools nghttp2 openssl strace)
rpm_packages=(rpm-build rpmlint cpio bzip2 binutils make selinux-policy-devel systemd-container mmdebstrap logrotate nftables
  firewalld-filesystem systemd-rpm-macros)

need_root() {
  [ "$(id -u)" = 0 ] || { echo "install: packages are missing ($*); run as root: sudo tests/install.sh" >&2; exit 1; }
}

# A package that starts its daemon when it is installed must not do so here: nginx would take port 80 of this machine.
install_deb() {
  local policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  # Debian 12 has two versions of Boost; its libboost-dev (1.74) is too old
  local boost=libboost-dev
  if apt-cache show libboost1.81-dev >/dev/null 2>&1; then boost=libboost1.81-dev; fi
  apt-get install -y -q --no-install-recommends "$@" $boost
}

missing_debs() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
  done
}

has_boost() {
  local header
  for header in /usr/include/boost/version.hpp /usr/local/include/boost/version.hpp; do
    [ -f $header ] && [ "$(sed -n 's/^#define BOOST_VERSION \([0-9]*\).*/\1/p' $header)" -ge 107500 ] && return 0
  done
  return 1
}

if command -v apt-get >/dev/null; then
  packages=("${deb_demo[@]}")
  [ "$group" = all ] && packages+=("${deb_all[@]}")
  [ "$group" = packages ] && packages+=("${deb_packages[@]}")
  # any nginx will do: the full one conflicts with the light one
  if command -v nginx >/dev/null || [ -x /usr/sbin/nginx ]; then packages=("${packages[@]/nginx-light/}"); fi
  read -ra packages <<<"${packages[*]}"
  mapfile -t missing < <(missing_debs "${packages[@]}")
  has_boost || missing+=(boost)
  if [ ${#missing[@]} = 0 ]; then
    echo "install: nothing is missing"
    exit 0
  fi
  need_root "${missing[@]}"
  echo "install: ${missing[*]}"
  read -ra missing <<<"${missing[*]/#boost/}"
  install_deb "${missing[@]}"
elif command -v dnf >/dev/null; then
  packages=("${rpm_demo[@]}")
  [ "$group" = all ] && packages+=("${rpm_all[@]}")
  [ "$group" = packages ] && packages+=("${rpm_packages[@]}")
  mapfile -t missing < <(rpm -q --qf '' "${packages[@]}" 2>&1 | sed -n 's/^package \(.*\) is not installed$/\1/p')
  if [ ${#missing[@]} = 0 ]; then
    echo "install: nothing is missing"
    exit 0
  fi
  need_root "${missing[@]}"
  echo "install: ${missing[*]}"
  . /etc/os-release
  if [ "$ID" != fedora ]; then
    dnf install -y dnf-plugins-core
    if [ "$ID" = rhel ]; then
      subscription-manager repos --enable "codeready-builder-for-rhel-${VERSION_ID%%.*}-$(uname -m)-rpms"
      dnf install -y "https://dl.fedoraproject.org/pub/epel/epel-release-latest-${VERSION_ID%%.*}.noarch.rpm"
    else
      dnf config-manager --set-enabled crb
      dnf install -y epel-release
    fi
  fi
  dnf install -y --setopt=install_weak_deps=False "${missing[@]}"
else
  echo "install: neither apt-get nor dnf here; needed are the packages that stand in this file" >&2
  exit 1
fi
