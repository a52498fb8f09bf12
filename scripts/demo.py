#!/usr/bin/python3
"""The parts of scripts/demo that are no work for a shell.

    demo.py sample FILE MIB   write a safetensors file of about that size
    demo.py port              print a UDP port of the loopback that is free now
    demo.py follow            read `skyferry status ID --json --watch`, print a line when it moves
    demo.py receipt           read `skyferry status ID --json`, print the receipts for people
    demo.py counters          read the counters of `skyferry-sim link`, print what it did

Python's own modules only.
"""
import array
import json
import random
import socket
import struct
import sys

PHASES = {1: "HELD", 2: "VERIFIED", 3: "FINAL", 4: "REFUSED"}


def sample(path, mib):
    """Layers of a small network in bf16: weights near zero, as trained ones are."""
    layers = max(1, mib // 4)
    rows, columns = 1024, 2048
    tensor_bytes = rows * columns * 2
    header = {"__metadata__": {"format": "pt", "made-by": "scripts/demo"}}
    for layer in range(layers):
        header["model.layers.%d.mlp.weight" % layer] = {
            "dtype": "BF16", "shape": [rows, columns],
            "data_offsets": [layer * tensor_bytes, (layer + 1) * tensor_bytes]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    # A bf16 is the upper half of a float; a pool of them, drawn from in shuffled runs, is quick.
    chance = random.Random(20261123)
    pool = array.array("H")
    for _ in range(1 << 16):
        value = struct.pack(">f", chance.gauss(0, 0.02))
        pool.append(value[0] << 8 | value[1])
    if sys.byteorder == "big":
        pool.byteswap()
    runs = pool.tobytes()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _ in range(layers):
            left = tensor_bytes
            while left > 0:
                start = chance.randrange(0, len(runs) - 8192) & ~1
                left -= file.write(runs[start:start + min(8192, left)])


def follow():
    """One line whenever something has moved, until the transfer ends."""
    shown = None
    for line in sys.stdin:
        try:
            transfer = json.loads(line)["transfer"]
        except (ValueError, KeyError):
            continue
        count = transfer["count"] or transfer["slots"]
        parts = ["%s: %d of %d bundles sealed" % (transfer["state"], transfer["sealed"], count)]
        for recipient in transfer["recipients"]:
            parts.append("%s signed for %d" % (recipient["name"], recipient["held"]))
        text = "; ".join(parts)
        if text != shown:
            print("   " + text, flush=True)
            shown = text


class Cbor:
    """As much of RFC 8949 as a receipt needs."""

    def __init__(self, data):
        self.data = data
        self.place = 0

    def take(self, count):
        self.place += count
        return self.data[self.place - count:self.place]

    def item(self):
        first = self.take(1)[0]
        major, low = first >> 5, first & 31
        value = low if low < 24 else int.from_bytes(self.take(1 << low - 24), "big")
        if major == 0:
            return value
        if major == 1:
            return -1 - value
        if major == 2:
            return self.take(value)
        if major == 3:
            return self.take(value).decode()
        if major == 4:
            return [self.item() for _ in range(value)]
        if major == 5:
            return {self.item(): self.item() for _ in range(value)}
        if major == 6:
            return self.item()
        return {20: False, 21: True, 22: None}[low]


def receipt():
    """docs/protocol/02-content.md has the fields in this order."""
    transfer = json.load(sys.stdin)["transfer"]
    for recipient in transfer["recipients"]:
        raw = bytes.fromhex(recipient["receipt"])
        _, _, payload, signature = Cbor(raw).item()
        (_, receiver, sender, identity, generation, counter, phase, _, manifest, files, _,
         audit_head, _) = Cbor(payload).item()
        rows = [("phase", "%s (generation %d, counter %d)" % (PHASES[phase], generation, counter)),
                ("receiver", receiver.hex()), ("sender", sender.hex()),
                ("transfer", identity.hex()), ("manifest", manifest.hex())]
        for digest, length in files[2] or []:
            rows.append(("file", "%s  %d bytes" % (digest.hex(), length)))
        rows += [("audit head", audit_head.hex()), ("Ed25519", signature.hex())]
        print("   receipt of %s, %d bytes, COSE_Sign1" % (recipient["name"], len(raw)))
        for name, value in rows:
            print("     %-11s %s" % (name, value))


def counters():
    result = json.load(sys.stdin)
    for name, direction in (("up", "forward"), ("down", "back")):
        row = result[direction]
        print("   %-4s %d datagrams in, %d out; %d lost, %d copied, %d reordered" % (
            name, row["datagrams_in"], row["datagrams_out"], sum(row["dropped"].values()),
            row["duplicated"], row["reordered"]))


def port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        print(probe.getsockname()[1])


def main(arguments):
    if arguments[:1] == ["sample"] and len(arguments) == 3:
        sample(arguments[1], int(arguments[2]))
    elif arguments in (["follow"], ["receipt"], ["counters"], ["port"]):
        {"follow": follow, "receipt": receipt, "counters": counters, "port": port}[arguments[0]]()
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
