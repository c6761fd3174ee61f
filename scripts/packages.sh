# shellcheck shell=bash
# The Debian packages that each task needs, and how they are installed. Sourced by the scripts.
# shellcheck disable=SC2034 # packages_install reads the lists by the name of their task.

packages_build=(
    gcc libc6-dev meson ninja-build opencl-headers pkg-config python3
    libhiredis-dev libhttp-parser-dev libinih-dev libmosquitto-dev libsodium-dev libsqlite3-dev
    libssl-dev libsystemd-dev libuv1-dev libwslay-dev mosquitto-dev
)
packages_run=(mosquitto curl)
packages_test=(
    clang-14 libclang-rt-14-dev lld-14 llvm-14 nodejs libcmocka-dev libjson-c-dev
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
    nginx-light ocl-icd-libopencl1 openssl pocl-opencl-icd redis-server systemd
    python3 python3-aiohttp python3-paho-mqtt python3-pytest python3-websockets
)
packages_check=(clang-format-14 clang-tidy-14 groff-base python3 shellcheck)

# Prints those of the packages that are not installed.
packages_missing() {
    local package
    for package in "$@"; do
        if ! dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
            grep -qx installed; then
            echo "$package"
        fi
    done
}

# Debian starts a server when it installs one. The hub runs its broker itself, and tests the Redis and
# the nginx that they need: the others would hold their ports, and one that cannot start would fail
# the installation. /usr/sbin/policy-rc.d is Debian's own way to say so.
install_without_starting() {
    local policy=/usr/sbin/policy-rc.d made=no status=0
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        made=yes
    fi
    apt-get install -y -qq --no-install-recommends "$@" >&2 || status=$?
    if [ "$made" = yes ]; then
        rm -f "$policy"
    fi
    return "$status"
}

# Nor shall they start with the machine.
disable_distribution_server() {
    if [ -d /run/systemd/system ]; then
        systemctl disable --quiet "$1.service"
    fi
}

# Installs what is missing of the tasks' packages: packages_install build test. Needs no network
# when nothing is missing.
packages_install() {
    local wanted=() missing task
    for task in "$@"; do
        local -n list="packages_$task"
        wanted+=("${list[@]}")
    done
    mapfile -t missing < <(packages_missing "${wanted[@]}")
    if [ "${#missing[@]}" -eq 0 ]; then
        return
    fi
    if [ "$(id -u)" -ne 0 ]; then
        echo "Some packages are missing; as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    echo "Installing ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    install_without_starting "${missing[@]}"
    local server
    for server in mosquitto nginx redis-server; do
        if [[ " ${missing[*]} " == *" $server"* ]]; then
            disable_distribution_server "$server"
        fi
    done
}
