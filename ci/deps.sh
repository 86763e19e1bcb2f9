#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the system packages that are missing: the one list of them (docs/dependencies.md says what
# each is for). Names are those of Debian 12 and Ubuntu 24.04.
#
#   ci/deps.sh [--tests] [--fuzz] [--list]
#     (none)    what building `ember` needs, and what it can do without where that cannot be had
#     --tests   also what building and running the tests needs
#     --fuzz    also clang with libFuzzer
#     --list    print the names and stop
# Exit code 0 when everything is there, 1 when something that is needed cannot be installed.
set -euo pipefail

build=(g++ make cmake nlohmann-json3-dev libcli11-dev libopenblas-dev libedit-dev)
optional=(libsqlite3-dev)
tests=(git libgtest-dev python3 clang-format-14 python3-jsonschema python3-prometheus-client
  libbenchmark-tools python3-scipy python3-yaml)
fuzz=(clang libclang-rt-dev)

usage() { sed -n '3,11s/^# \{0,1\}//p' "$0"; }

wanted=("${build[@]}" "${optional[@]}")
list=0
for argument in "$@"; do
  case "$argument" in
    --tests) wanted+=("${tests[@]}") ;;
    --fuzz) wanted+=("${fuzz[@]}") ;;
    --list) list=1 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "ci/deps.sh: unknown option $argument" >&2; usage >&2; exit 2 ;;
  esac
done
if [ "$list" = 1 ]; then
  printf '%s\n' "${wanted[@]}"
  exit 0
fi

# A tool counts as present wherever it was installed from; a library counts by its package.
present() {
  case "$1" in
    g++ | make | cmake | git | python3 | clang | clang-format-14) command -v "$1" >/dev/null ;;
    *) dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed ;;
  esac
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "deps: no apt here; see docs/dependencies.md for what to install. Going on as it is." >&2
  exit 0
fi

missing=() required=()
for package in "${wanted[@]}"; do
  present "$package" && continue
  missing+=("$package")
  case " ${optional[*]} " in *" $package "*) ;; *) required+=("$package") ;; esac
done
if [ "${#missing[@]}" = 0 ]; then
  echo "deps: all ${#wanted[@]} packages are there"
  exit 0
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "deps: missing: ${missing[*]}" >&2
    echo "deps: neither root nor sudo; run as root: apt-get install -y ${missing[*]}" >&2
    [ "${#required[@]}" = 0 ]
    exit
  fi
  as_root=(sudo)
fi
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
install() {
  echo "deps: installing $*"
  "${apt[@]}" install -y --no-install-recommends "$@" && return
  echo "deps: could not install: $*" >&2
  return 1
}
# One unreachable source must not stop an install that the others can serve.
"${apt[@]}" update || echo "deps: apt-get update failed; trying with the lists at hand" >&2
if ! install "${missing[@]}"; then
  [ "${#required[@]}" = "${#missing[@]}" ] && exit 1
  [ "${#required[@]}" = 0 ] || install "${required[@]}" || exit 1
  echo "deps: going on without what is optional: ${optional[*]}" >&2
fi
