#!/usr/bin/env bash
# Compiles the CUDA kernel, given as made by the build, with every compiler of GPU code that is here:
# clang always, NVIDIA's if there is a toolkit.
set -euo pipefail
kernel=$1
here=$(dirname "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

clang-14 -x cuda --cuda-device-only --cuda-gpu-arch=sm_70 -nocudainc -nocudalib -O3 -S -Wall -Werror \
    -Wno-unknown-cuda-version -include "$here/cuda_prologue.h" "$kernel" -o "$folder/clang.ptx"
grep -q '\.visible \.entry search(' "$folder/clang.ptx"
echo "clang: $(grep -cE '^[[:space:]]+[a-z]' "$folder/clang.ptx") instructions"

nvcc=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null || true)
if [ -n "$nvcc" ]; then
    for architecture in sm_75 sm_90; do
        "$nvcc" -arch=$architecture -Werror all-warnings -cubin "$kernel" -o "$folder/kernel.cubin"
        echo "nvcc: $architecture"
    done
else
    echo "nvcc: not on this machine"
fi
