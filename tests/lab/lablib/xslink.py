# SPDX-License-Identifier: GPL-2.0-only
"""The line to a Xen guest that is saved and restored: nodes in xenstore, in the guest's data/.

    lab-command   ID BASE64(command)        written here, watched by the guest
    lab-out-N     a part of BASE64(GZIP(output))
    lab-done      ID RC PARTS               written last

A restored domain has a directory of its own, in which none of these is.
"""
import base64
import gzip
import subprocess
import time

from .link import GuestDied


def xenstore(what, *args):
    """The output of xenstore-...; empty if it failed."""
    return subprocess.run([f"xenstore-{what}", *args], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          errors="replace", check=False).stdout


class XenstoreLink:
    """Runs on dom0. run() as GuestLink's, without counting."""

    def __init__(self, domid, serial=0):
        self.data = f"/local/domain/{domid}/data"
        self.serial = serial

    def close(self):
        """There is nothing to close."""

    def run(self, command, timeout, counter=None):
        if counter:
            raise ValueError("what goes through xenstore cannot be counted")
        self.serial += 1
        encoded = base64.b64encode(command.encode()).decode()
        if len(encoded) > 4000:     # XENSTORE_PAYLOAD_MAX is 4096
            raise ValueError("command too long: put it in a script of the suite")
        started = time.monotonic()
        with subprocess.Popen(["timeout", str(timeout), "xenstore-watch", "-n", "2",
                               f"{self.data}/lab-done"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE) as done:
            done.stdout.readline()      # it watches
            xenstore("write", f"{self.data}/lab-command", f"{self.serial} {encoded}")
            done.stdout.readline()
        words = xenstore("read", f"{self.data}/lab-done").split()
        if words[:1] != [str(self.serial)]:
            raise GuestDied(f"no answer while running {command.strip()[:60]!r}")
        seconds = time.monotonic() - started
        parts = xenstore("read", *(f"{self.data}/lab-out-{n}" for n in range(int(words[2]))))
        out = gzip.decompress(base64.b64decode(parts)).decode("utf-8", "replace")
        return {"rc": int(words[1]), "out": out, "seconds": round(seconds, 2), "counts": None}
