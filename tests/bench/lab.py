"""What the benches between network namespaces share: a link, nodes at its ends, bounded waiting.

Needs root. Everything is made below one temporary folder and ended by what made it:

    with Lab(build) as lab:
        link = lab.link(["--profile", "geo-vsat"])
        near, far = lab.nodes("5Mbit", "20Mbit")
        lab.do("near", ["ping", "-c", "3", lab.FAR])
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

SAMPLE_S = 0.1


class LabError(Exception):
    """What went wrong, for people."""


def why_not(build):
    """Why there can be no lab here, or None."""
    for name in ("skyferry", "skyferryd", "skyferry-sim"):
        if not os.access(os.path.join(build, name), os.X_OK):
            return "%s is not built in %s" % (name, build)
    if os.geteuid() != 0:
        return "network namespaces and TUN devices need root"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun here"
    probe = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, text=True)
    return None if probe.returncode == 0 else "no namespaces here: " + probe.stderr.strip()


def load_now():
    """The load of the machine, as `uptime` says it."""
    return "%.1f" % os.getloadavg()[0]


def wait_until(what, ready, limit_s, pause_s=0.1):
    """What `ready()` returns once it is true; LabError after `limit_s`."""
    end = time.monotonic() + limit_s
    while True:
        got = ready()
        if got:
            return got
        if time.monotonic() > end:
            raise LabError("%s: not within %g s" % (what, limit_s))
        time.sleep(pause_s)


def processes_in(space):
    """The ids of all processes of a network namespace, which is named by its inode."""
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat("/proc/%s/ns/net" % name).st_ino == space:
                yield int(name)
        except OSError:
            continue  # it has just ended


class Use:
    """Processor time and resident memory of all processes of a network namespace while it runs.

    Looked at ten times a second: of a process that ends, what it did last is not seen.
    """

    def __init__(self, name):
        self.space = os.stat("/run/netns/" + name).st_ino
        self.began, self.ended, self.peak_kib = {}, {}, 0
        self.is_over = threading.Event()
        self.look(self.began)
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def look(self, into):
        resident = 0
        for process in processes_in(self.space):
            try:
                with open("/proc/%d/stat" % process, encoding="utf-8", errors="replace") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            into[process, fields[19]] = int(fields[11]) + int(fields[12])
            resident += int(fields[21]) * os.sysconf("SC_PAGE_SIZE") // 1024
        return resident

    def follow(self):
        while not self.is_over.wait(SAMPLE_S):
            self.peak_kib = max(self.peak_kib, self.look(self.ended))

    def end(self):
        """(seconds of processor time, MiB of resident memory at most)."""
        self.is_over.set()
        self.thread.join()
        self.peak_kib = max(self.peak_kib, self.look(self.ended))
        ticks = sum(now - self.began.get(process, 0) for process, now in self.ended.items())
        return ticks / os.sysconf("SC_CLK_TCK"), self.peak_kib / 1024


class Node:
    """A node with its daemon in one of the namespaces."""

    def __init__(self, lab, end, name, settings):
        self.lab, self.end, self.name = lab, end, name
        self.home = os.path.join(lab.folder, name)
        self.daemon = None
        self.cli("init", "--name", name)
        with open(os.path.join(self.home, "config"), "a", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in ("reserve = 16MiB", *settings)))
        self.card = self.cli("card").strip()

    def cli(self, *arguments, limit_s=120):
        command = [os.path.join(self.lab.build, "skyferry"), "--home", self.home, *arguments]
        done = self.lab.do(self.end, command, limit_s)
        if done.returncode not in (0, 3):
            raise LabError("skyferry %s: %s" % (" ".join(arguments), done.stderr.strip()))
        return done.stdout

    def knows(self, other, rate):
        card = os.path.join(self.lab.folder, other.name + ".card")
        with open(card, "w", encoding="utf-8") as file:
            file.write(other.card + "\n")
        self.cli("peer", "add", other.name, "--card", card, "--rate", rate,
                 "--endpoint", "%s:7272" % self.lab.address(other.end))

    def start(self):
        self.daemon = self.lab.spawn(self.end, [
            *self.lab.before_daemons, os.path.join(self.lab.build, "skyferryd"), "--home", self.home,
            "--listen", "%s:7272" % self.lab.address(self.end)], self.name + ".log")

        def answers():
            try:
                return bool(self.cli("status", "--json"))
            except LabError:
                return False
        wait_until("the daemon of %s starts" % self.name, answers, 20)

    def transfer(self, identity):
        """Of that id as JSON, by HTTP and without a process; None if it is unknown here."""
        answer = b""
        with socket.socket(socket.AF_UNIX) as talk:
            talk.connect(os.path.join(self.home, "control.sock"))
            talk.sendall(b"GET /v1/transfers/%s HTTP/1.0\r\nHost: skyferry\r\n\r\n"
                         % identity.encode())
            while True:
                more = talk.recv(65536)
                if not more:
                    break
                answer += more
        return json.loads(answer.partition(b"\r\n\r\n")[2]).get("transfer")


class Lab:
    """Two namespaces with a link between them, and what runs in them."""

    NEAR, FAR = "10.203.0.1", "10.203.0.2"
    made = 0

    def __init__(self, build, is_realtime=False):
        """With `is_realtime` what else the machine does is kept from the daemons as from the link."""
        Lab.made += 1
        before = ["chrt", "--fifo", "1"]
        may = is_realtime and subprocess.run([*before, "true"], capture_output=True).returncode == 0
        self.before_daemons = before if may else []
        self.build = os.path.abspath(build)
        self.folder = tempfile.mkdtemp(prefix="skyferry-lab-")
        self.names = {end: "skylab-%d-%d-%s" % (os.getpid(), Lab.made, end)
                      for end in ("near", "far")}
        self.children = []
        self.control = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def address(self, end):
        return self.NEAR if end == "near" else self.FAR

    def within(self, end, command):
        return ["nsenter", "--net=/run/netns/" + self.names[end], *command]

    def spawn(self, end, command, log):
        """Begin a program in a namespace; it ends with the lab. `end` None: outside."""
        with open(os.path.join(self.folder, log), "ab") as out:
            child = subprocess.Popen(self.within(end, command) if end else command, stdout=out,
                                     stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.children.append(child)
        return child

    def stop(self, child, how=signal.SIGTERM):
        if child.poll() is None:
            child.send_signal(how)
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if child in self.children:
            self.children.remove(child)

    def do(self, end, command, limit_s=600, **options):
        return subprocess.run(self.within(end, command), capture_output=True, text=True,
                              timeout=limit_s, **options)

    def link(self, options):
        """Put a link between two new namespaces; returns its process."""
        self.control = os.path.join(self.folder, "control.sock")
        child = self.spawn(None, [
            os.path.join(self.build, "skyferry-sim"), "link", "--make", "--realtime",
            "--control", self.control,
            "--tun", "%s:%s/24" % (self.names["near"], self.NEAR),
            "--tun", "%s:%s/24" % (self.names["far"], self.FAR), *options], "link.log")
        log = os.path.join(self.folder, "link.log")

        def is_up():
            with open(log, encoding="utf-8") as file:
                text = file.read()
            if child.poll() is not None:
                raise LabError("the link does not start: " + text)
            return "carrying IP" in text
        wait_until("the link starts", is_up, 10)
        return child

    def ask_link(self, *options):
        done = subprocess.run([os.path.join(self.build, "skyferry-sim"), "link", "--control",
                               self.control, *options], capture_output=True, text=True, timeout=20)
        if done.returncode != 0:
            raise LabError("the link: " + done.stderr.strip())
        return done.stdout

    def counters(self):
        return json.loads(self.ask_link("--counters"))

    def nodes(self, forward_rate, back_rate, *settings):
        """Two nodes that know each other, running; `settings` are lines of their configs."""
        near, far = Node(self, "near", "ground", settings), Node(self, "far", "sat", settings)
        near.knows(far, forward_rate)
        far.knows(near, back_rate)
        far.start()
        near.start()
        return near, far

    def log(self, name):
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def close(self):
        # The link last: its end is the end of the namespaces, and of whoever is left in them.
        for child in reversed(self.children[1:]):
            self.stop(child)
        for name in self.names.values():
            if os.path.exists("/run/netns/" + name):
                for process in processes_in(os.stat("/run/netns/" + name).st_ino):
                    try:
                        os.kill(process, signal.SIGTERM)
                    except ProcessLookupError:
                        pass
        for child in list(self.children):
            self.stop(child)
        shutil.rmtree(self.folder, ignore_errors=True)


def random_file(path, size_bytes):
    with open(path, "wb") as file:
        left = size_bytes
        while left > 0:
            left -= file.write(os.urandom(min(left, 1 << 20)))
