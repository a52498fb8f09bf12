#!/usr/bin/python3
"""Variants of a safetensors file of bf16: vary_weights.py FILE FOLDER

`header` has a longer header and its keys in another order, `order` its tensors in another order, and in
`moved` 1.2 % of the numbers, drawn from one seed, have moved by one unit in their last place.
"""
import json
import random
import struct
import sys

if len(sys.argv) != 3:
    print(__doc__.strip(), file=sys.stderr)
    sys.exit(2)
with open(sys.argv[1], "rb") as file:
    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    data = file.read()
header.pop("__metadata__", None)
tensors = {key: data[slice(*header[key]["data_offsets"])] for key in header}
random.seed(12)


def save(name, keys, parts, extra=None):
    table, offset = {}, 0
    for key, part in parts.items():
        table[key] = dict(header[key], data_offsets=[offset, offset + len(part)])
        offset += len(part)
    head = {"__metadata__": extra} if extra else {}
    head.update((key, table[key]) for key in keys)
    head = json.dumps(head).encode()
    with open("%s/%s.safetensors" % (sys.argv[2], name), "wb") as out:
        out.write(struct.pack("<Q", len(head)) + head + b"".join(parts.values()))


def move(part):
    part = bytearray(part)
    for number in random.sample(range(len(part) // 2), len(part) // 2 * 12 // 1000):
        part[2 * number] += -1 if part[2 * number] == 255 else 1
    return bytes(part)


names = list(tensors)
turned = names[len(names) // 2:] + names[:len(names) // 2]
save("header", names[::-1], tensors, {"note": "x" * 3000})
save("order", names, {key: tensors[key] for key in turned})
save("moved", names, {key: move(part) for key, part in tensors.items()})
