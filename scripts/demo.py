#!/usr/bin/python3
"""The parts of scripts/demo that are no work for a shell.

    demo.py sample FILE MIB   write a safetensors file of about that size
    demo.py port              print a UDP port of the loopback that is free now
    demo.py plan BYTES MBIT   print the Mbit/s of the way up, usually MBIT, for so many bytes
    demo.py people BYTES      print it as people read it
    demo.py took BYTES MBIT   how long they take, as people read it
    demo.py listening LOG     wait until skyferry-sim link listens, print its address
    demo.py watch BUILD WORK ID BEGAN OPTION...
                              show a transfer that was ordered at BEGAN (Unix time) until it
                              ends; in the middle, the link of WORK/link.sock goes dark. The
                              options are those of the link.
    demo.py receipt           read `skyferry status ID --json`, print the receipts for people
    demo.py counters          read the counters of `skyferry-sim link`, print what it did

Python's own modules only.
"""
import array
import json
import os
import random
import re
import socket
import struct
import subprocess
import sys
import time

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


# --- What is sent ---------------------------------------------------------------

PATIENCE_S = 120      # how long the transfer may take before the dish grows
DISHES_MBIT = (10, 20, 50, 100, 200, 500)
OVERHEAD = 1.06       # heads of datagrams and what is sent twice
OUTAGE_S = 10
SHORT_S = 4           # a transfer that takes less has no middle to speak of


def seconds(size, mbit):
    return size * 8 * OVERHEAD / (mbit * 1e6)


def plan(size, usual):
    up = usual
    for larger in DISHES_MBIT:
        if larger > up and seconds(size, up) > PATIENCE_S:
            up = larger
    print(up)


def people(size):
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return "%.3g %s" % (size / scale, unit)
    return "%d bytes" % size


def span(length_s):
    if length_s < 60:
        return "%d s" % length_s
    if length_s < 3600:
        return "%d min %02d s" % (length_s // 60, length_s % 60)
    return "%d h %02d min" % (length_s // 3600, length_s % 3600 // 60)


def listening(log):
    for _ in range(100):
        with open(log, encoding="utf-8") as file:
            found = re.search(r"listening on ([^,]+),", file.read())
        if found:
            print(found.group(1))
            return
        time.sleep(0.05)
    sys.exit("demo.py: skyferry-sim link does not listen: see " + log)


# --- The transfer ---------------------------------------------------------------

BAR = 30


class Voice:
    """Lines that stay, and on a terminal one below them that moves."""

    def __init__(self, began):
        self.began = began
        self.moves = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colours = self.moves and not os.environ.get("NO_COLOR")
        self.logged = -100

    def colour(self, code, text):
        return "\033[%sm%s\033[0m" % (code, text) if self.colours else text

    def stays(self, text, code=None):
        line = "%5.1f s  %s" % (time.time() - self.began, text)
        print(("\r\033[K" if self.moves else "") + "   " + self.colour(code or "0", line),
              flush=True)

    def moving(self, text):
        """In a log every five seconds."""
        age = time.time() - self.began
        line = "%5.1f s  %s" % (age, text)
        if self.moves:
            print("\r\033[K   " + line, end="", flush=True)
        elif age - self.logged >= 5:
            print("   " + line, flush=True)
            self.logged = age

    def bar(self, share):
        full = int(share * BAR)
        return self.colour("32", "█" * full) + self.colour("2", "░" * (BAR - full))


class Watch:
    """Looks at a transfer, at its link and at what the sender thinks of the link."""

    def __init__(self, build, work, identity):
        self.build, self.work, self.identity = build, work, identity

    def skyferry(self, *arguments):
        done = subprocess.run([os.path.join(self.build, "skyferry"), "--home",
                               os.path.join(self.work, "ground"), *arguments, "--json"],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def link(self, *options):
        done = subprocess.run([os.path.join(self.build, "skyferry-sim"), "link", "--control",
                               os.path.join(self.work, "link.sock"), *options],
                              capture_output=True, text=True, check=True)
        return done.stdout

    def estimate(self, size, outage_at_s, options):
        """The seconds that the simulator says it takes."""
        dark = ["--set", "outage=%.3fs+%ds" % (outage_at_s, OUTAGE_S)] if outage_at_s else []
        done = subprocess.run([os.path.join(self.build, "skyferry-sim"), "run", "--estimate",
                               "--json", "--size", "%.6fMB" % (size / 1e6), *options, *dark],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)["receivers"][0]["delivered_s"]

    def look(self):
        transfer = self.skyferry("status", self.identity)["transfer"]
        peer = self.skyferry("peer", "list")["peers"][0]
        return transfer, peer["link"], json.loads(self.link("--counters"))


class Outage:
    """The four moments of an outage, each told once."""

    def __init__(self, voice, watched, at_s):
        self.voice, self.watched, self.at_s = voice, watched, at_s
        self.began = None
        self.noticed = self.ended = self.resumed = False

    def is_dark(self):
        return self.began is not None and not self.ended

    def step(self, link, counters):
        now = time.time()
        if self.at_s is None:
            return
        if self.began is None:
            if now - self.voice.began >= self.at_s:
                self.watched.link("--set", "outage=now+%ds" % OUTAGE_S)
                self.began = time.time()
                self.voice.stays("the satellite is gone for %d s "
                                 "(skyferry-sim link --set outage=now+%ds)"
                                 % (OUTAGE_S, OUTAGE_S), "33")
            return
        lost = counters["forward"]["dropped"]["outage"]
        if not self.noticed and not self.ended and link["state"] == "dark":
            self.noticed = True
            self.voice.stays("ground notices: nothing heard for %.1f s; it stops sending data and "
                             "calls with beacons" % (now - self.began), "33")
        if not self.ended and now - self.began >= OUTAGE_S:
            self.ended = True
            self.voice.stays("the satellite is back; %d datagrams went into the dark" % lost, "33")
        if self.ended and not self.resumed and link["state"] == "up" and link["heard_s"] is not None \
                and link["heard_s"] < 1:
            self.resumed = True
            self.voice.stays("an answer %.1f s later: ground goes on where it was, at full rate"
                             % (now - self.began - OUTAGE_S), "33")


def show(voice, transfer, outage):
    recipient = transfer["recipients"][0]
    total = transfer["count"] or transfer["slots"]
    share = recipient["held"] / total if total else 0
    rate = recipient["rate_bps"]
    said = "DARK" if outage.is_dark() else "%.1f Mbit/s" % (rate / 1e6) if rate else ""
    if rate and recipient["eta_s"] and not outage.is_dark():
        said += ", %s to go" % span(recipient["eta_s"])
    voice.moving(("%s %3d %%  %*d of %d bundles signed for  %s" % (
        voice.bar(share), share * 100, len(str(total)), recipient["held"], total, said)).rstrip())


def watch(build, work, identity, began, options):
    """Returns the exit status of scripts/demo."""
    voice = Voice(began)
    watched = Watch(build, work, identity)
    transfer, link, counters = watched.look()
    size, sealed = transfer["plain_bytes"], transfer["count"] * transfer["class_bytes"]
    up_mbit = int(link["rate_bps"] / 1e6)
    line_s = seconds(sealed, up_mbit)
    middle_s = None if line_s < SHORT_S else max(round(line_s / 2), time.time() - began)
    estimate_s = watched.estimate(sealed, middle_s, options)
    voice.stays("in custody: whatever happens now, it will arrive whole")
    print("            sealed into %s%s; the simulator says it is there after %s%s" % (
        people(sealed), ", %d %% of the file" % round(sealed * 100 / size) if sealed < size else "",
        span(max(1, round(estimate_s))),
        "" if middle_s else ",\n            too soon for an outage in the middle"))
    outage = Outage(voice, watched, middle_s)
    while transfer["state"] not in ("done", "failed", "cancelled"):
        show(voice, transfer, outage)
        time.sleep(0.25)
        transfer, link, counters = watched.look()
        if transfer["state"] != "done":
            outage.step(link, counters)
    if transfer["state"] != "done":
        voice.stays("%s: %s" % (transfer["state"], transfer["why"]), "31")
        return 1
    took_s = time.time() - began
    voice.stays("%s 100 %%  delivered, and signed for as a whole" % voice.bar(1))
    print("            %s%s in %s of IP packets, %s of that sent twice, %s back" % (
        "%+.1f %% of what the simulator said; " % ((took_s / estimate_s - 1) * 100)
        if middle_s else "", people(sealed),
        people(counters["forward"]["ip_bytes_in"]), people(link["resent_bytes_out"]),
        people(counters["back"]["ip_bytes_in"])))
    return 0


# --- The proof --------------------------------------------------------------------

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
        rows += [("audit head", audit_head.hex()), ("Ed25519", signature[:32].hex()),
                 ("", signature[32:].hex())]
        print("   receipt of %s, %d bytes, COSE_Sign1" % (recipient["name"], len(raw)))
        for name, value in rows:
            print("     %-11s %s" % (name, value))


def counters():
    result = json.load(sys.stdin)
    for name, direction in (("up", "forward"), ("down", "back")):
        row = result[direction]
        dropped = row["dropped"]
        print("   %-5s %6d datagrams in, %6d out; lost: %d by chance, %d in the dark, %d by a full "
              "queue" % (name, row["datagrams_in"], row["datagrams_out"], dropped["loss"],
                         dropped["outage"], dropped["queue"]))


def port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        print(probe.getsockname()[1])


COMMANDS = {
    "sample": lambda path, mib: sample(path, int(mib)),
    "port": port,
    "plan": lambda size, usual: plan(int(size), int(usual)),
    "people": lambda size: print(people(int(size))),
    "took": lambda size, mbit: print(span(seconds(int(size), int(mbit)))),
    "listening": listening,
    "watch": lambda build, work, identity, began, *options: watch(
        build, work, identity, float(began), options),
    "receipt": receipt,
    "counters": counters,
}


def main(arguments):
    if not arguments or arguments[0] not in COMMANDS:
        print(__doc__, file=sys.stderr)
        return 2
    return COMMANDS[arguments[0]](*arguments[1:]) or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
