"""How each program of tests/bench/peers sends a file: what it needs at the far end, and the send.

A tool is made for one lab and path, `ready()` once, then `send(source, name)` returns the Unix
time at which the whole file is at the receiver, synced. `target(name)` is where it stands there.
"""
import os
import shutil
import subprocess
import time

SSH_PORT, RSYNC_PORT, SRT_PORT, UFTP_PORT = 2222, 8730, 4200, 1044
UFTP_CLIENT = "0x00000002"
SSHD = "/usr/sbin/sshd"


class Failed(Exception):
    """It did not send the file, or not within the limit; says why."""


class Tool:
    """What all have in common."""

    programs = ()       # what must be installed
    is_encrypted = False
    congestion = None   # of the kernel's TCP, where it is used

    def __init__(self, lab, path, limit_s):
        self.lab, self.path, self.limit_s = lab, path, limit_s
        self.folder = os.path.join(lab.folder, "arrived")
        os.makedirs(self.folder, exist_ok=True)

    @classmethod
    def why_not(cls):
        missing = [name for name in cls.programs if shutil.which(name) is None]
        return "not installed: %s (scripts/deps bench)" % ", ".join(missing) if missing else None

    def ready(self):
        pass

    def target(self, name):
        return os.path.join(self.folder, name)

    def command(self, source, name):
        raise NotImplementedError

    def send(self, source, name):
        """Run the command, then sync what it wrote, as the receiver's administrator would."""
        try:
            done = self.lab.do("near", self.command(source, name), self.limit_s)
        except subprocess.TimeoutExpired as error:
            raise Failed("not within %d s" % self.limit_s) from error
        if done.returncode != 0:
            raise Failed((done.stderr.strip().splitlines() or ["exit %d" % done.returncode])[-1])
        return self.synced(name)

    def synced(self, name):
        with open(self.target(name), "rb") as file:
            os.fsync(file.fileno())
        return time.time()


class Skyferry(Tool):
    """Fixed rate, that of the line; the file is durable when it appears in the inbox."""

    is_encrypted = True

    def ready(self):
        self.near, self.far = self.lab.nodes(
            "%dkbit" % self.path.kbit, "%dkbit" % self.path.back_kbit,
            "mtu = 1500", "privacy = none")

    def target(self, name):
        return os.path.join(self.far.home, "inbox", "ground", name)

    def send(self, source, name):
        identity = self.near.cli("send", source, "--to", "sat", "--as", name).split()[-1]
        end = time.time() + self.limit_s
        while time.time() < end:
            found = self.far.transfer(identity)
            if found is not None and found["state"] == "done":
                return found["ended_ms"] / 1000
            time.sleep(0.25)
        raise Failed("not within %d s" % self.limit_s)


class Ssh(Tool):
    """An sshd of our own in the far namespace, on a port and with keys of its own."""

    programs = ("scp", "ssh", "ssh-keygen", SSHD)
    is_encrypted = True

    def key(self, name):
        return os.path.join(self.lab.folder, name)

    def ready(self):
        for name in ("host", "user"):
            if not os.path.exists(self.key(name)):
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                                self.key(name)], check=True)
        shutil.copy(self.key("user.pub"), self.key("authorized"))
        os.makedirs("/run/sshd", exist_ok=True)  # it wants that
        with open(self.key("sshd.conf"), "w", encoding="utf-8") as file:
            file.write("Port %d\nListenAddress %s\nHostKey %s\nAuthorizedKeysFile %s\n"
                       "PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
                       "PasswordAuthentication no\nLoginGraceTime 0\nSubsystem sftp internal-sftp\n"
                       % (SSH_PORT, self.lab.FAR, self.key("host"), self.key("authorized")))
        self.lab.spawn("far", [SSHD, "-D", "-e", "-f", self.key("sshd.conf")], "sshd.log")
        time.sleep(0.5)

    def options(self):
        return ["-i", self.key("user"), "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
                "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes"]


class Scp(Ssh):
    """scp, as it comes."""

    def command(self, source, name):
        return ["scp", "-q", "-P", str(SSH_PORT), *self.options(), source,
                "%s:%s" % (self.lab.FAR, self.target(name))]


class RsyncSsh(Ssh):
    """rsync over ssh; --whole-file, since there is nothing to compare with."""

    programs = ("rsync", *Ssh.programs)

    def command(self, source, name):
        return ["rsync", "--whole-file", "-e",
                " ".join(["ssh", "-p", str(SSH_PORT), *self.options()]), source,
                "%s:%s" % (self.lab.FAR, self.target(name))]


class RsyncDaemon(Tool):
    """rsync's own protocol, in the clear."""

    programs = ("rsync",)

    def ready(self):
        config = os.path.join(self.lab.folder, "rsyncd.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write("use chroot = no\nport = %d\naddress = %s\n[in]\npath = %s\nread only = no\n"
                       "uid = root\ngid = root\n" % (RSYNC_PORT, self.lab.FAR, self.folder))
        self.lab.spawn("far", ["rsync", "--daemon", "--no-detach", "--config", config],
                       "rsyncd.log")
        time.sleep(0.5)

    def command(self, source, name):
        return ["rsync", "--whole-file", source,
                "rsync://%s:%d/in/%s" % (self.lab.FAR, RSYNC_PORT, name)]


class Uftp(Tool):
    """To one address, at the rate of the line less a hundredth, in the clear."""

    programs = ("uftp", "uftpd")

    def ready(self):
        self.lab.spawn("far", ["uftpd", "-d", "-p", str(UFTP_PORT), "-B", "104857600", "-t",
                               "-U", UFTP_CLIENT, "-D", self.folder, "-I", self.lab.FAR], "uftpd.log")
        time.sleep(0.5)

    def command(self, source, name):
        rtt_s = 2 * self.path.delay_ms / 1000
        return ["uftp", "-M", self.lab.FAR, "-p", str(UFTP_PORT), "-I", self.lab.NEAR, "-H", UFTP_CLIENT,
                "-B", "104857600", "-b", "1432", "-R", str(self.path.kbit * 99 // 100),
                "-r", "%g:0.01:%g" % (max(0.1, 1.2 * rtt_s), max(15, 3 * rtt_s)),
                "-D", name, source]


class Srt(Tool):
    """SRT's file mode, bounded by the rate of the line, in the clear."""

    programs = ("srt-file-transmit",)

    def options(self):
        # Bytes of a second of line or of two round trips, in packets of 1,456.
        flight = max(1, 4 * self.path.delay_ms / 1000) * self.path.kbit * 125
        return "transtype=file&maxbw=%d&fc=%d&sndbuf=%d&rcvbuf=%d&conntimeo=%d" % (
            self.path.kbit * 125, max(25600, flight // 1456), flight, flight,
            max(3000, 6 * self.path.delay_ms))

    def ready(self):
        # One receiver takes one file, under the name that it has at the sender.
        self.receiver = self.lab.spawn("far", [
            "srt-file-transmit", "srt://:%d?mode=listener&%s" % (SRT_PORT, self.options()),
            "file://" + self.folder + "/"], "srt.log")
        time.sleep(0.5)

    def send(self, source, name):
        began = time.time()
        try:
            done = self.lab.do("near", [
                "srt-file-transmit", "file://" + source, "srt://%s:%d?%s" % (
                    self.lab.FAR, SRT_PORT, self.options())], self.limit_s)
            self.receiver.wait(timeout=max(1, self.limit_s - (time.time() - began)))
        except subprocess.TimeoutExpired as error:
            raise Failed("not within %d s" % self.limit_s) from error
        if done.returncode != 0:
            raise Failed((done.stderr.strip().splitlines() or ["exit %d" % done.returncode])[-1])
        os.rename(os.path.join(self.folder, os.path.basename(source)), self.target(name))
        return self.synced(name)


def over(tool, congestion):
    """The same tool over that congestion control of the kernel."""
    return type(tool.__name__ + congestion, (tool,), {"congestion": congestion})


TOOLS = {
    "skyferry": Skyferry,
    "scp bbr": over(Scp, "bbr"),
    "scp cubic": over(Scp, "cubic"),
    "rsync ssh bbr": over(RsyncSsh, "bbr"),
    "rsync ssh cubic": over(RsyncSsh, "cubic"),
    "rsyncd bbr": over(RsyncDaemon, "bbr"),
    "rsyncd cubic": over(RsyncDaemon, "cubic"),
    "uftp": Uftp,
    "srt": Srt,
}
