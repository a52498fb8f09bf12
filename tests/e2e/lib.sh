# lib.sh - what the end-to-end tests share: nodes on loopback, waiting with a
# bound, and lines that say ok, FAIL or SKIP.
#
# A test sources this file, calls `check` and its relatives, and ends with
# `finish`. Programs come from $SKYFERRY_BUILD (default: the current directory,
# where `make check` runs). Everything happens below one temporary directory,
# and only processes started here are ended, by their ids.
#
# SKYFERRY_E2E_FULL=1 takes the sizes that are too long for every day;
# SKYFERRY_E2E_KEEP=1 keeps the temporary directory.
# shellcheck shell=bash

set -u
export LC_ALL=C.UTF-8
unset SKYFERRY_HOME XDG_STATE_HOME

build=${SKYFERRY_BUILD:-$PWD}
for program in skyferry skyferryd; do
    if [[ ! -x $build/$program ]]; then
        echo "FAIL $program is not in $build; set SKYFERRY_BUILD"
        exit 1
    fi
done
work=$(mktemp -d "${TMPDIR:-/tmp}/skyferry-e2e-XXXXXX")
# Users other than root are part of some tests.
chmod 711 "$work"
# shellcheck disable=SC2034 # used by the tests
full=${SKYFERRY_E2E_FULL:-0}
checks=0
failures=0
declare -A pids=() ports=()
helpers=()

# --- Lines ------------------------------------------------------------------

ok() {
    checks=$((checks + 1))
    echo "ok   $*"
}

fail() {
    checks=$((checks + 1))
    failures=$((failures + 1))
    echo "FAIL $*"
}

skip() {
    echo "SKIP $*"
}

# check SENTENCE COMMAND...: the command must succeed. Its output shows if it does not.
check() {
    local sentence=$1
    shift
    if "$@" >"$work/check.out" 2>&1; then
        ok "$sentence"
    else
        fail "$sentence (exit $?: $*)"
        sed 's/^/     | /' "$work/check.out" | tail -n 15
    fi
}

# check_exit CODE SENTENCE COMMAND...: the command must exit with CODE.
check_exit() {
    local wanted=$1 sentence=$2 got=0
    shift 2
    "$@" >"$work/check.out" 2>&1 || got=$?
    if [[ $got == "$wanted" ]]; then
        ok "$sentence"
    else
        fail "$sentence (exit $got, not $wanted: $*)"
        sed 's/^/     | /' "$work/check.out" | tail -n 15
    fi
}

# says TEXT: whether the last checked command's output holds TEXT.
says() {
    grep -qF -- "$1" "$work/check.out"
}

# within SECONDS COMMAND...: try again until it succeeds.
within() {
    local limit=$1 began=$SECONDS
    shift
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS - began >= limit)); then
            return 1
        fi
        sleep 0.2
    done
}

# --- Nodes ------------------------------------------------------------------

free_port() {
    /usr/bin/python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

home() {
    echo "$work/$1"
}

# cli NODE ARGUMENT...: the command line of a node, bounded in time.
cli() {
    local node=$1
    shift
    timeout "${cli_limit:-120}" "$build/skyferry" --home "$work/$node" "$@"
}

# make_node NAME
make_node() {
    cli "$1" init --name "$1" >"$work/$1.card" 2>"$work/$1.init"
    # The disks of test machines are small; a gigabyte in reserve is for real ones.
    printf 'reserve = 16MiB\n' >>"$work/$1/config"
    ports[$1]=$(free_port)
}

# introduce A B [OPTION...]: A learns B's card and endpoint.
introduce() {
    local a=$1 b=$2
    shift 2
    cli "$a" peer add "$b" --card "$work/$b.card" --endpoint "127.0.0.1:${ports[$b]}" \
        --rate 400Mbit "$@" 2>>"$work/$a.peers"
}

answers() {
    cli "$1" status --json
}

# start NAME: run its daemon, and wait until it answers.
start() {
    "$build/skyferryd" --home "$work/$1" --listen "127.0.0.1:${ports[$1]}" >>"$work/$1.log" 2>&1 &
    pids[$1]=$!
    if ! within 20 answers "$1"; then
        fail "the daemon of $1 does not start"
        tail -n 5 "$work/$1.log"
        finish
    fi
}

# stop NAME [SIGNAL]: end its daemon and wait for that.
stop() {
    local pid=${pids[$1]:-}
    [[ -n $pid ]] || return 0
    kill "-${2:-TERM}" "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    unset "pids[$1]"
}

# two_nodes [OPTION...]: ground and sat, who know each other and run.
two_nodes() {
    make_node ground
    make_node sat
    introduce ground sat "$@"
    introduce sat ground "$@"
    start ground
    start sat
}

# state NODE ID: the state of a transfer there, "none" if it is unknown.
state() {
    cli "$1" status "$2" --json 2>/dev/null |
        /usr/bin/python3 -c 'import json, sys
try:
    print(json.load(sys.stdin)["transfer"]["state"])
except ValueError:
    print("none")'
}

is_state() {
    [[ $(state "$1" "$2") == "$3" ]]
}

# same A B: two files or trees are alike to the byte.
same() {
    diff -r "$1" "$2"
}

# --- The end ----------------------------------------------------------------

# A test that mounts something below $work defines this: mounts go before the directories below them.
release() {
    :
}

finish() {
    local node helper
    for node in "${!pids[@]}"; do
        stop "$node"
    done
    for helper in "${helpers[@]}"; do
        kill "$helper" 2>/dev/null
        wait "$helper" 2>/dev/null
    done
    release
    if [[ $failures -gt 0 ]]; then
        for node in "$work"/*.log; do
            echo "--- ${node##*/}"
            tail -n 20 "$node"
        done
    fi
    if [[ ${SKYFERRY_E2E_KEEP:-0} == 1 ]]; then
        echo "kept: $work"
    else
        rm -rf "$work"
    fi
    trap - EXIT
    echo "$checks checks, $failures failures, $SECONDS s"
    exit $((failures > 0))
}
trap 'fail "the test itself broke off"; finish' EXIT
trap 'exit 1' INT TERM
