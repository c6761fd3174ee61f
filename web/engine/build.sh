#!/usr/bin/env bash
# Builds the search for pages: build.sh OUTPUT_FOLDER
# makes libdpow_engine.a and dpow_engine.wasm (SIMD128), and dpow_engine_plain.wasm for browsers
# without. Needs clang-14, lld-14 and llvm-14.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source=$here/../../src
output=$1
readonly exports=(dpow_root dpow_prepare dpow_search dpow_found dpow_nonce dpow_value dpow_width)

# build NAME KERNEL FLAGS…: one module and the objects it is made of.
build() {
    local name=$1 kernel=$2 folder objects=() file options=()
    shift 2
    folder=$(mktemp -d)
    for file in "$here/engine.c" "$here/memory.c" "$source/engine/$kernel" \
        "$source/engine/kernel_prepare.c" "$source/nano/work.c" "$source/base/hex.c"; do
        clang-14 --target=wasm32 -std=c17 -O3 -ffreestanding -fno-builtin-memset -Wall -Wextra \
            -Werror -mbulk-memory -mllvm -pre-RA-sched=source -mllvm -enable-misched=false "$@" \
            -I"$source" -I"$here" -I"$here/include" -c "$file" -o "$folder/$(basename "$file").o"
        objects+=("$folder/$(basename "$file").o")
    done
    rm -f "$output/lib$name.a"
    llvm-ar-14 rcD "$output/lib$name.a" "${objects[@]}"
    for file in "${exports[@]}"; do
        options+=("--export=$file")
    done
    wasm-ld-14 --no-entry --strip-all --gc-sections -z stack-size=16384 "${options[@]}" \
        "${objects[0]}" "$output/lib$name.a" -o "$output/$name.wasm"
    rm -rf "$folder"
}

mkdir -p "$output"
build dpow_engine kernel_wasm.c -msimd128
build dpow_engine_plain kernel_portable.c
