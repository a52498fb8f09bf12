# namespaces.sh - for tests with network namespaces of their own, named in the
# array `namespaces`: sourced after lib.sh, it says why it skips where they
# cannot be made, and removes them at the end, however that comes.
# shellcheck shell=bash

remove_namespaces() {
    local name
    for name in "${namespaces[@]}"; do
        ip netns delete "$name" 2>/dev/null
    done
}

leave() {
    local node
    for node in "${!pids[@]}"; do
        stop "$node"
    done
    remove_namespaces
    finish
}
trap 'fail "the test itself broke off"; leave' EXIT

give_up() {
    skip "$*"
    remove_namespaces
    trap - EXIT
    rm -rf "$work"
    exit 77
}

[[ $(id -u) == 0 ]] || give_up "making network namespaces needs root"
command -v ip >/dev/null || give_up "there is no ip (iproute2) here"
