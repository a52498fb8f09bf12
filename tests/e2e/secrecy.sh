#!/bin/bash
# What an observer sees: of the spool, of the datagrams, of the processes. And
# a member of the socket's group sends only what it can read.
# shellcheck source=tests/e2e/lib.sh
. "${srcdir:-$(dirname "$0")/../..}/tests/e2e/lib.sh"

name=conspicuous-name-of-a-model
text=conspicuous-content-of-a-model

# A relay between the nodes that keeps every datagram.
relay_port=$(free_port)
make_node ground
make_node sat
cat >"$work/relay.py" <<'PYTHON'
import socket, sys

listen, target, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
relay = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
relay.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
relay.bind(("127.0.0.1", listen))
caller = None
with open(path, "wb", buffering=0) as record:
    while True:
        datagram, sender = relay.recvfrom(65536)
        record.write(datagram)
        if sender[1] == target:
            if caller:
                relay.sendto(datagram, caller)
        else:
            caller = sender
            relay.sendto(datagram, ("127.0.0.1", target))
PYTHON
/usr/bin/python3 "$work/relay.py" "$relay_port" "${ports[sat]}" "$work/datagrams" &
helpers+=($!)
cli ground peer add sat --card "$work/sat.card" --endpoint "127.0.0.1:$relay_port" \
    --rate 50Mbit 2>/dev/null
cli sat peer add ground --card "$work/ground.card" --rate 50Mbit 2>/dev/null
start ground
start sat

mkdir "$work/$name"
for i in $(seq 1 20000); do
    echo "$text $i"
done >"$work/$name/$name.bin"
size=$(stat -c %s "$work/$name/$name.bin")

# --- In custody -------------------------------------------------------------

stop sat
id=$(cli ground send "$work/$name" --to sat 2>/dev/null)
check "the transfer is in custody" is_state ground "$id" custody
check "there is a spool file" test -n "$(find "$work/ground/spool" -type f)"
for where in spool journal vault; do
    check_exit 1 "the name is not in $where" grep -rqaF "$name" "$work/ground/$where"
    check_exit 1 "the content is not in $where" grep -rqaF "$text" "$work/ground/$where"
done
check_exit 1 "the name is not in the daemon's log" grep -qF "$name" "$work/ground.log"
check_exit 1 "the exact size is not in the name or size of a spool file" \
    grep -qw "$size" <(find "$work/ground/spool" -type f -printf '%f %s\n')

# --- On the way -------------------------------------------------------------

start sat
check "it arrives through the relay" cli ground status "$id" --wait
check "to the byte" same "$work/$name" "$work/sat/inbox/ground/$name"
check "the relay saw it pass" test "$(stat -c %s "$work/datagrams")" -gt 10000
for secret in "$name" "$text" ground "$id"; do
    check_exit 1 "no datagram holds '${secret:0:16}'" grep -qaF "$secret" "$work/datagrams"
done
check_exit 1 "no datagram holds the raw id" /usr/bin/python3 -c \
    'import sys; sys.exit(0 if bytes.fromhex(sys.argv[2]) in open(sys.argv[1], "rb").read() else 1)' \
    "$work/datagrams" "$id"
for node in ground sat; do
    check_exit 1 "no secret stands in the arguments of the daemon of $node" \
        grep -qaE "$name|[0-9a-f]{64}" "/proc/${pids[$node]}/cmdline"
    if [[ $(id -u) == 0 ]]; then
        check_exit 1 "nor in its environment" grep -qaF "$name" "/proc/${pids[$node]}/environ"
    else
        check_exit 2 "not even its own user can read its environment" \
            grep -qaF "$name" "/proc/${pids[$node]}/environ"
    fi
done
spool_is_empty() {
    [[ -z $(find "$work/$1/spool" -type f) ]]
}
check "the receiver's sealed copy is gone" within 20 spool_is_empty sat
check "the sender's sealed copy is gone" within 20 spool_is_empty ground

# --- Members of the group ---------------------------------------------------

# as USER COMMAND...: with the socket's group.
as() {
    setpriv --reuid="$1" --regid="$group" --clear-groups "${@:2}"
}
group=$(getent group games nogroup | head -n 1 | cut -d: -f3)
if [[ $(id -u) != 0 ]]; then
    skip "only root can become other users"
elif ! command -v setpriv >/dev/null; then
    skip "setpriv is not here"
elif [[ -z $group ]]; then
    skip "there is no group of the system to borrow"
else
    stop ground
    echo "group = $(getent group "$group" | cut -d: -f1)" >>"$work/ground/config"
    echo "keep = 1GiB" >>"$work/ground/config"
    # Users that need no entry anywhere: the kernel knows numbers.
    cp "$build/skyferry" "$work/bin-skyferry"
    chmod 755 "$work/bin-skyferry"
    chgrp "$group" "$work/ground"
    chmod 710 "$work/ground"
    start ground
    check "the sockets are for the group" \
        test "$(stat -c '%a %g' "$work/ground/submit.sock")" = "660 $group"
    echo private >"$work/private"
    chmod 600 "$work/private"
    echo public >"$work/public"
    chmod 644 "$work/public"
    send_as() {
        as "$1" timeout 30 "$work/bin-skyferry" --home "$work/ground" send "$2" --to sat --wait
    }
    check_exit 4 "a member of the group cannot send what it cannot read" \
        send_as 54322 "$work/private"
    says "you may not read it" || fail "the refusal does not say why"
    check "the file is nowhere" test ! -e "$work/sat/inbox/ground/private"
    check "a member of the group sends what it can read" send_as 54322 "$work/public"
    check "that arrived" same "$work/public" "$work/sat/inbox/ground/public"
    # What was kept of another's file is not shown, not even by the size of what changed.
    head -c 2000000 /dev/urandom >"$work/shared"
    chmod 644 "$work/shared"
    check "root sends a file, of which a copy is kept" \
        cli ground send "$work/shared" --to sat --wait
    has_copies() {
        [[ $(find "$work/ground/kept" -type f ! -name '*.part' | wc -l) == "$1" ]]
    }
    check "it is there" within 20 has_copies 1
    check "a member of the group sends the same one" send_as 54322 "$work/shared"
    ! says "as what changed" || fail "against the copy of what root sent"
    check "of that one a copy is kept as well" within 20 has_copies 2
    check "the member sends it again" send_as 54322 "$work/shared"
    says "as what changed" || fail "against the copy of what it sent itself"
    check_exit 2 "a member of the group cannot look at the copies" \
        as 54322 ls "$work/ground/kept"
    check_exit 1 "a member of the group cannot read the keys" \
        as 54322 cat "$work/ground/keys"
    group=54399
    check_exit 4 "another user is refused at the socket" send_as 54323 "$work/public"
fi
finish
