"""
Nodes of the real programs, for the end-to-end tests that are written in Python.

The programs are in the folder that is the first argument of the test, or in the current one.
"""
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time

BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 and os.path.isdir(sys.argv[1]) else os.getcwd()
PATIENCE_S = 60


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class UnixHttp(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("skyferry", timeout=PATIENCE_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(self.path)


class Node:
    """A home below `root`; its log and its outbox are below `beside`, where that is given."""

    def __init__(self, root, name, beside=None, settings=""):
        self.name = name
        self.home = os.path.join(root, name)
        self.port = free_port()
        self.process = None
        self.log_path = os.path.join(beside or root, name + ".log")
        self.cli("init", "--name", name)
        self.card = self.cli("card").strip()
        self.outbox = os.path.join(beside or root, name + "-outbox")
        os.mkdir(self.outbox)
        with open(os.path.join(self.home, "config"), "a") as f:
            f.write(f"\noutbox = {self.outbox}\nlisten = 127.0.0.1:{self.port}\n{settings}")

    def cli(self, *arguments):
        done = subprocess.run([f"{BUILD}/skyferry", arguments[0], "--home", self.home, *arguments[1:]],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, (arguments, done.returncode, done.stderr)
        return done.stdout

    def start(self):
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen([f"{BUILD}/skyferryd", "--home", self.home], stderr=log, stdout=log)
        log.close()
        wait_until(self.is_up, "the daemon answers")

    def is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(self.log())
        try:
            return self.ask("GET", "/v1/node")[0] == 200
        except OSError:
            return False

    def stop(self, number=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        self.process = None
        return code

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def ask(self, method, path, body=None):
        connection = UnixHttp(os.path.join(self.home, "control.sock"))
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        try:
            connection.request(method, path, body=body)
            reply = connection.getresponse()
            answer = json.loads(reply.read())
        finally:
            connection.close()
        assert answer["version"] == 1
        return reply.status, answer

    def transfer(self, identity):
        return self.ask("GET", f"/v1/transfers/{identity}")[1]["transfer"]

    def transfers(self):
        return {t["id"]: t for t in self.ask("GET", "/v1/transfers")[1]["transfers"]}

    def descriptors(self):
        """How many it has open; None where only root may look into a process that dumps no core."""
        try:
            return len(os.listdir(f"/proc/{self.process.pid}/fd"))
        except PermissionError:
            return None

    def has_at_most(self, descriptors):
        return descriptors is None or self.descriptors() <= descriptors

    def meet(self, other, **settings):
        """Learns the other's card, and where it is."""
        status, answer = self.ask("PUT", f"/v1/peers/{other.name}", {
            "card": other.card, "endpoint": f"127.0.0.1:{other.port}", "rate": "1Gbit", **settings})
        assert status == 201, answer

    def inbox(self, peer, name):
        return os.path.join(self.home.encode(), b"inbox", peer.encode(), os.fsencode(name))


class Sending:
    """One `skyferry send`, which tells when the file is in custody by its end."""

    def __init__(self, sender, receiver, name, content):
        self.sender, self.receiver, self.name = sender, receiver, name
        self.bytes = len(content)
        self.digest = hashlib.sha256(content).digest()
        self.source = os.path.join(sender.outbox, name)
        self.is_found = False
        self.story = []
        with open(self.source, "wb") as f:
            f.write(content)
        self.give()

    def give(self):
        self.story.append("given")
        self.id = self.refusal = None
        self.process = subprocess.Popen(
            [f"{BUILD}/skyferry", "--home", self.sender.home, "send", self.source, "--to",
             self.receiver.name],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def is_acknowledged(self):
        """Whether it is in custody, as the command says by its end; then the source may go."""
        if self.process is not None and self.process.poll() is not None:
            out, err = self.process.communicate()
            if self.process.returncode == 0:
                self.id = out.split()[0]
                self.story.append(f"in custody as {self.id[:8]}")
                os.unlink(self.source)
            else:
                self.refusal = f"exit {self.process.returncode}: {err}"
            self.process = None
        return self.id is not None

    def end_command(self):
        """It ends with its machine."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None
            self.story.append("its command was ended")

    def give_again(self):
        """What nobody has said is in custody may be, or not: then it is given again."""
        self.refusal = None
        there = [t for t in self.sender.transfers().values() if t["label"] == self.name and t["state"] != "cancelled"]
        if self.is_right():  # one that has ended is known by its number alone after a start
            self.is_found = True
            self.story.append("found in the inbox")
            return
        self.story += [f"{t['id'][:8]} is {t['state']}" for t in there]
        if there and there[0]["state"] in ("custody", "done"):
            self.id = there[0]["id"]
            os.unlink(self.source)
            return
        if there and there[0]["state"] != "failed":
            self.sender.cli("cancel", there[0]["id"])
        self.give()

    def path(self):
        return self.receiver.inbox(self.sender.name, self.name)

    def has_arrived(self):
        assert self.refusal is None, f"send {self.name}: {self.refusal}"
        return self.is_found or self.is_acknowledged() and self.sender.transfers()[self.id]["state"] == "done"

    def take_away(self):
        """Out of the inbox, for good also when the power goes."""
        os.unlink(self.path())
        folder = os.open(os.path.dirname(self.path()), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def is_there(self):
        return os.path.exists(self.path())

    def is_right(self):
        try:
            with open(self.path(), "rb") as f:
                return hashlib.sha256(f.read()).digest() == self.digest
        except FileNotFoundError:
            return False


def wait_until(is_true, what, patience=PATIENCE_S):
    end = time.monotonic() + patience
    while not is_true():
        if time.monotonic() > end:
            raise AssertionError("waited too long until " + what)
        time.sleep(0.02)


def slurp(path):
    with open(path, "rb") as f:
        return f.read()


def spill(path, content):
    with open(path, "wb") as f:
        f.write(content)
    return path
