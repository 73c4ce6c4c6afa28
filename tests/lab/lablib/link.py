# SPDX-License-Identifier: GPL-2.0-only
"""The line to a guest: its second serial port.

    guest  READY
    host   ID BASE64(command)
    guest  P ID                     the command is stored, nothing runs yet
    host   (counting starts) newline
    guest  E                        one byte: the command has ended
    host   (counting stops) newline
    guest  D ID RC LENGTH newline BASE64(GZIP(output)) newline
           host   newline, after each PIECE bytes of these but the last

The pieces are for the guest's sake: an emulated port takes a byte as soon as it is written, so
the kernel's interrupt handler goes on, with interrupts off, for as long as there is a byte to
send, at milliseconds each. (20 KB in one were a CPU stuck for 66 s, without any module.)
Counting is bracketed by one byte in each direction, so that what it costs to send
commands and results is not counted. The kernel's log goes to the first port only, so
nothing a kernel or a program prints can be taken for a verdict.
"""
import base64
import gzip
import socket
import time

from .counts import LostRecords


PIECE = 512


class GuestDied(Exception):
    """The guest went away, or did not answer in time."""


def connect(path, alive, timeout=30):
    """A socket connected to a unix socket that a process is about to open; None if it does not."""
    end = time.monotonic() + timeout
    while True:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(path)
            return sock
        except OSError:
            sock.close()
            if time.monotonic() > end or not alive():
                return None
            time.sleep(0.1)


class GuestLink:
    def __init__(self, path, alive, connect_timeout=30):
        """path: a unix socket; alive(): is the guest's process still there?"""
        self.alive = alive
        self.buf = b""
        self.serial = 0
        self.sock = connect(path, alive, connect_timeout)
        if not self.sock:
            raise GuestDied("its control port could not be opened")
        self.sock.settimeout(1)

    def close(self):
        self.sock.close()

    def _send(self, data, what):
        try:
            self.sock.sendall(data)
        except OSError:
            raise GuestDied(f"the guest ended while {what}") from None

    def _fill(self, end, what):
        while True:
            if time.monotonic() > end:
                raise GuestDied(f"time-out while {what}")
            try:
                data = self.sock.recv(65536)
            except socket.timeout:
                data = None
            except OSError:
                data = b""
            if data:
                self.buf += data
                return
            if data == b"" or not self.alive():
                raise GuestDied(f"the guest ended while {what}")

    def _take(self, size, end, what):
        while len(self.buf) < size:
            self._fill(end, what)
        taken, self.buf = self.buf[:size], self.buf[size:]
        return taken

    def _line(self, end, what):
        while b"\n" not in self.buf:
            self._fill(end, what)
        line, self.buf = self.buf.split(b"\n", 1)
        return line.decode("ascii", "replace").strip()

    def _expect(self, want, end, what):
        line = self._line(end, what)
        if line != want:
            raise GuestDied(f"while {what}: expected {want!r}, got {line!r}")

    def wait_ready(self, timeout):
        # The firmware may print on every port before the agent speaks.
        end = time.monotonic() + timeout
        while not self._line(end, "booting").endswith("READY"):
            pass

    def run(self, command, timeout, counter=None):
        """Run a command (bash). Returns {rc, out, seconds, counts}.

        counter: None, or an object with start() and stop() -> counts.
        """
        self.serial += 1
        what = f"running {command.strip().splitlines()[0][:60]!r}"
        encoded = base64.b64encode(command.encode()).decode()
        # One line must fit the guest's tty buffer (N_TTY_BUF_SIZE, 4096).
        if len(encoded) > 4000:
            raise ValueError("command too long: put it in a script of the suite")
        self._send(f"{self.serial} {encoded}\n".encode(), what)
        self._expect(f"P {self.serial}", time.monotonic() + 60, what)
        if counter:
            try:
                counter.start()
            except BaseException:
                self.close()    # the guest holds a command that must never start
                raise
        started = time.monotonic()
        self._send(b"\n", what)
        byte = self._take(1, started + timeout, what)
        counts = uncounted = None
        try:
            counts = counter.stop() if counter else None
        except LostRecords as e:
            uncounted = e       # the guest goes on: only this command is spoilt
        seconds = time.monotonic() - started
        if byte != b"E":
            raise GuestDied(f"while {what}: expected the end mark, got {byte!r}")
        self._send(b"\n", what)
        head = self._line(time.monotonic() + 120, what).split()
        if len(head) != 4 or head[0] != "D" or head[1] != str(self.serial):
            raise GuestDied(f"while {what}: bad result line {head!r}")
        length, body = int(head[3]), ""
        while length - len(body) > PIECE:
            body += self._take(PIECE, time.monotonic() + 120, what).decode("ascii", "replace")
            self._send(b"\n", what)
        body += self._line(time.monotonic() + 120, what)
        if len(body) != length:
            raise GuestDied(f"while {what}: {len(body)} bytes of result, {length} announced")
        if uncounted:
            raise uncounted
        out = gzip.decompress(base64.b64decode(body)).decode("utf-8", "replace")
        return {"rc": int(head[2]), "out": out, "seconds": round(seconds, 2), "counts": counts}
