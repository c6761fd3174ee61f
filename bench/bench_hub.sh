#!/usr/bin/env bash
# What the hub costs beside the bare HTTP server it stands on: starts both, and asks them in turns.
# Builds nothing.
#
#     bench/bench_hub.sh [BUILD_FOLDER]
#
# ROUNDS (5) and SECONDS_EACH (2) of each measurement, IDLE (10000) sockets and DEPTH (16) requests
# on each WebSocket can be set in the environment. With two processors or more, what is asked is on
# the first and the generator on the second; the hub's broker and its other threads are on the first
# too.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly build=${1:-build}
readonly rounds=${ROUNDS:-5}
readonly seconds=${SECONDS_EACH:-2}
readonly idle=${IDLE:-10000}
readonly depth=${DEPTH:-16}
readonly connections=64

folder=$(mktemp -d)
children=()
server=()
client=()
if [ "$(nproc)" -ge 2 ]; then
    server=(taskset -c 0)
    client=(taskset -c 1)
fi

clean_up() {
    local child
    for child in "${children[@]}"; do
        kill "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    done
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# wait_for FILE: until it has a line.
wait_for() {
    local tries
    for tries in $(seq 200); do
        if [ -s "$1" ]; then
            return
        fi
        sleep 0.05
    done
    echo "nothing in $1 after $tries tries" >&2
    cat "$folder"/*.log >&2
    exit 1
}

# member FILE NAME: the value of a member of the one object in a file.
member() {
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"
}

start_echo() {
    "${server[@]}" "$build/bench/bench_echo" >"$folder/echo" 2>"$folder/echo.log" &
    children+=($!)
    wait_for "$folder/echo"
    echo_url=http://127.0.0.1:$(cat "$folder/echo")
}

start_hub() {
    "${server[@]}" "$build/dpow" hub --data-dir "$folder/data" --listen 127.0.0.1:0 \
        --mqtt-listen 127.0.0.1:0 --mqtt-ws-listen 127.0.0.1:0 --max-multiplier 1 \
        --base-difficulty 0000000000001000 >"$folder/ready" 2>"$folder/hub.log" &
    hub_pid=$!
    children+=("$hub_pid")
    wait_for "$folder/ready"
    "$build/dpow" admin --data-dir "$folder/data" service add load --rate 1000000 --json \
        >"$folder/service"
    member "$folder/service" api_key >"$folder/key"
    hub_url=$(member "$folder/ready" http)
    broker_url=$(member "$folder/ready" mqtt | sed 's,mqtt://,mqtt://client:client@,')
}

# ask FILE URL OPTION…: adds a line of JSON to a file.
ask() {
    local file=$folder/$1 url=$2
    shift 2
    "${client[@]}" "$build/dpow" bench hub --url "$url" --user load --api-key-file "$folder/key" \
        --connections "$connections" --seconds "$seconds" --json "$@" >>"$file"
}

# in_turns NAME OPTION…: the same of both servers, round after round.
in_turns() {
    local name=$1
    shift
    for _ in $(seq "$rounds"); do
        ask "$name echo" "$echo_url" --cached "$@"
        ask "$name hub" "$hub_url" --cached "$@" --mqtt "$broker_url"
    done
}

# median NAME MEMBER
median() {
    python3 - "$folder/$1" "$2" <<'END'
import json, statistics, sys
with open(sys.argv[1], encoding="ascii") as file:
    print(round(statistics.median(json.loads(line)[sys.argv[2]] for line in file)))
END
}

# total NAME MEMBER
total() {
    python3 - "$folder/$1" "$2" <<'END'
import json, sys
with open(sys.argv[1], encoding="ascii") as file:
    print(sum(json.loads(line)[sys.argv[2]] for line in file))
END
}

row() {
    printf '%-36s %10s %9s %9s %9s %8s %7s\n' "$@"
}

report() {
    local failed
    failed=$(($(total "$1" errors) + $(total "$1" timeouts)))
    row "$1" "$(median "$1" requests_per_s)" "$(median "$1" p50_us)" "$(median "$1" p90_us)" \
        "$(median "$1" p99_us)" "$(median "$1" max_us)" "$failed"
}

start_echo
start_hub
row "median of $rounds x $seconds s" "requests/s" p50_us p90_us p99_us max_us failed

in_turns "POST cached"
report "POST cached echo"
report "POST cached hub"
in_turns "WebSocket cached" --ws
report "WebSocket cached echo"
report "WebSocket cached hub"
in_turns "WebSocket x $depth cached" --ws --depth "$depth"
report "WebSocket x $depth cached echo"
report "WebSocket x $depth cached hub"

for _ in $(seq "$rounds"); do
    ask "whole round trips" "$hub_url" --ws --mqtt "$broker_url"
done
report "whole round trips"
half=$(($(median "whole round trips" requests_per_s) / 2))
for _ in $(seq "$rounds"); do
    ask "at $half a second" "$hub_url" --ws --mqtt "$broker_url" --rate "$half"
done
report "at $half a second"
unsent=$(total "at $half a second" unsent)
if [ "$unsent" -gt 0 ]; then
    echo "$unsent requests were due but never sent"
fi

ask "with $idle idle" "$hub_url" --cached --mqtt "$broker_url" --ws --idle "$idle" --pid "$hub_pid"
report "with $idle idle"
before=$(median "with $idle idle" hub_before_kib)
after=$(median "with $idle idle" hub_after_kib)
open=$(median "with $idle idle" idle)
echo "$open idle sockets open; the hub's memory: $before KiB before, $after KiB with them," \
    "$(((after - before) * 1024 / idle)) bytes a socket"
