"""A slow link between two network namespaces: real TCP on both sides, its packets carried by us.

    browser's namespace                                                           server's namespace
    192.0.2.1  tun  --read-->  waits for its turn at the rate, then half a round trip  --write-->  tun  192.0.2.2

So everything that a link does to a page is there by itself: setting up a connection takes a round trip, a connection
begins with ten segments and waits for their acknowledgement (RFC 6928), and all connections share the rate.  What
finds 150 kB waiting in its direction is lost.  Congestion control is Reno, of which
a load of a page sees only the slow start.

Needs root, or a user namespace (unshare -r), and /dev/net/tun.  The carrier is a process of its own, which ends with this
one; the namespaces are gone with the last process in them.
"""
import collections
import ctypes
import fcntl
import os
import select
import signal
import struct
import subprocess
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG, CLONE_NEWNET = 1, 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
BROWSER, SERVER = "192.0.2.1", "192.0.2.2"
QUEUE_BYTES = 100 * 1500


def check(result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def here():
    """The namespace of this thread."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Namespace:
    """One end: a network of its own whose only way out is the file descriptor tun."""

    def __init__(self, address, other):
        before = here()
        try:
            check(LIBC.unshare(CLONE_NEWNET))
            self.fd = here()
            self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(self.tun, TUNSETIFF, struct.pack("16sH22x", b"link0", IFF_TUN | IFF_NO_PI))
            with open("/proc/sys/net/ipv4/tcp_congestion_control", "w", encoding="ascii") as f:
                f.write("reno")  # the one that is always there
            for words in ("link set lo up", f"address add {address} peer {other} dev link0", "link set link0 mtu 1500 up"):
                subprocess.run(["ip", *words.split()], check=True)
        finally:
            check(LIBC.setns(before, CLONE_NEWNET))
            os.close(before)

    def enter(self):
        """For preexec_fn of what is to run here; it dies with us."""
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        check(LIBC.setns(self.fd, CLONE_NEWNET))

    def close(self):
        os.close(self.tun)
        os.close(self.fd)


class Direction:
    """Packets from one tun to the other, in order."""

    def __init__(self, from_tun, to_tun, kbit, half_s):
        self.from_tun, self.to_tun, self.half_s = from_tun, to_tun, half_s
        self.s_per_byte = 8 / (kbit * 1000) if kbit else 0
        self.free_at, self.waiting = 0.0, collections.deque()

    def take(self):
        while True:
            try:
                packet = os.read(self.from_tun, 65536)
            except BlockingIOError:
                return
            now = time.monotonic()
            if self.free_at - now > QUEUE_BYTES * self.s_per_byte > 0:
                continue  # lost
            self.free_at = max(now, self.free_at) + len(packet) * self.s_per_byte
            self.waiting.append((self.free_at + self.half_s, packet))

    def give(self):
        """What is due; the seconds until the next one is."""
        while self.waiting:
            left = self.waiting[0][0] - time.monotonic()
            if left > 0:
                return left
            os.write(self.to_tun, self.waiting.popleft()[1])
        return None


def carry(directions):
    tuns = [d.from_tun for d in directions]
    while True:
        lefts = [left for left in [d.give() for d in directions] if left is not None]
        select.select(tuns, [], [], min(lefts, default=None))
        for d in directions:
            d.take()


class Link:
    """with Link(down_kbit, up_kbit, rtt_ms) as link: link.browser.enter and link.server.enter; 0: no limit, no delay."""

    def __init__(self, down_kbit, up_kbit, rtt_ms):
        self.down_kbit, self.up_kbit, self.half_s = down_kbit, up_kbit, rtt_ms / 2000

    def __enter__(self):
        self.browser, self.server = Namespace(BROWSER, SERVER), Namespace(SERVER, BROWSER)
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                if os.getppid() == parent:
                    try:  # in time, whatever else the machine does
                        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
                    except OSError:
                        pass
                    carry([Direction(self.server.tun, self.browser.tun, self.down_kbit, self.half_s),
                           Direction(self.browser.tun, self.server.tun, self.up_kbit, self.half_s)])
            finally:
                os._exit(1)
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.browser.close()
        self.server.close()
