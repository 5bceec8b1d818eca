#!/bin/sh
# Runs what is here for this machine and, where the cross-compiler and qemu are installed, for arm64: native/check/check.sh [speed]
# Kernels of other machines are told as not compared, never as right.
set -eu
cd "$(dirname "$0")/.."
to=$(mktemp -d)
trap 'rm -rf "$to"' EXIT
compile() { "$1" -std=gnu17 -O3 -Wall -Wextra -Werror -ffp-contract=off '-DSOURCES="check"' $2 -o "$to/check" check/*.c ./*.c -lm; }
# AMX is carried out by check/amx-by-trap.c where the processor has none, which says nothing of its speed.
[ "${1:-}" = speed ] && trapped='' || trapped=-DAMX_BY_TRAP
compile "${CC:-cc}" "$trapped"
"$to/check" "$@"
if [ "$(uname -m)" = aarch64 ]; then exit 0; fi
if ! command -v aarch64-linux-gnu-gcc > /dev/null || ! command -v qemu-aarch64 > /dev/null; then
  echo 'arm64: not compared; install gcc-aarch64-linux-gnu and qemu-user (Debian)'
  exit 1
fi
compile aarch64-linux-gnu-gcc -static
# With dot products, and without them (a Cortex-A72), where there is nothing to run.
qemu-aarch64 -cpu neoverse-n1 "$to/check"
if qemu-aarch64 -cpu cortex-a72 "$to/check"; then exit 1; fi
