#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks (or with --fix sets) the form of every C++ and CUDA file, by .clang-format.
# Version 14 exactly: others lay out some lines differently. Exit code 0 when all files are in form,
# 1 when one is not, 2 when clang-format 14 is not there.
set -euo pipefail
cd "$(dirname "$0")/.."

tool=
for candidate in clang-format-14 clang-format; do
  if command -v "$candidate" >/dev/null && "$candidate" --version | grep -q 'version 14\.'; then
    tool=$candidate
    break
  fi
done
if [ -z "$tool" ]; then
  echo "format: clang-format 14 is not installed (package clang-format-14)" >&2
  exit 2
fi

mapfile -d '' -t files < <(git ls-files -co --exclude-standard -z -- '*.h' '*.cpp' '*.cu' '*.cuh' |
  while IFS= read -r -d '' file; do [ -e "$file" ] && printf '%s\0' "$file"; done)
if [ "${#files[@]}" = 0 ]; then
  echo "format: git lists no source files here" >&2
  exit 2
fi
if [ "${1:-}" = --fix ]; then
  "$tool" -i "${files[@]}"
  echo "format: ${#files[@]} files set"
  exit 0
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if "$tool" --dry-run -Werror "${files[@]}" 2>"$log"; then
  echo "format: ${#files[@]} files in form"
else
  grep -o '^[^:]*:[0-9]*:[0-9]*: error' "$log" | head -40
  echo "format: $(grep -o '^[^:]*:[0-9]*:[0-9]*: error' "$log" | cut -d: -f1 | sort -u | wc -l)" \
    "files are not in form; ci/check_format.sh --fix sets them" >&2
  exit 1
fi
