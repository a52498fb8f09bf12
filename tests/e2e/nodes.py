"""
Nodes of the real programs, for the end-to-end tests that are written in Python.

The programs are in the folder that is the first argument of the test, or in the current one.
"""
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
