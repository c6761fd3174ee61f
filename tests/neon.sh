#!/usr/bin/env bash
# Compiles the kernels for 64-bit ARM and runs them under emulation against the plain function.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
aarch64-linux-gnu-gcc -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -O3 -static -Isrc \
    tests/neon_check.c src/engine/kernel_neon.c src/engine/kernel_portable.c \
    src/engine/kernel_dispatch.c src/engine/kernel_prepare.c src/nano/work.c src/base/hex.c \
    -o "$folder/neon_check"
qemu-aarch64 "$folder/neon_check"
