# SPDX-License-Identifier: GPL-2.0-only
"""QEMU's monitor, and a migration by it. Runs on this machine and on a lab host."""
import json
import time

from .link import GuestDied, connect
from .say import Failure


class Qmp:
    """QEMU's monitor: one command, one answer; events are skipped."""

    def __init__(self, path, alive):
        self.sock = connect(path, alive)
        if not self.sock:
            raise Failure("QEMU's monitor could not be opened")
        self.sock.settimeout(30)
        self.lines = self.sock.makefile("r")
        self.lines.readline()       # the greeting
        self.do("qmp_capabilities")

    def do(self, command, **arguments):
        self.sock.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        for line in self.lines:
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise Failure(f"QEMU, {command}: {answer['error']}")
        raise Failure(f"QEMU ended while doing {command}")

    def close(self):
        self.lines.close()
        self.sock.close()


def migrate(source, target, uri, timeout):
    """From one QEMU to another that waits for it at uri; milliseconds of downtime."""
    source.do("migrate", uri=uri)
    end = time.monotonic() + timeout
    while True:
        info = source.do("query-migrate")
        if info.get("status") == "completed":
            # The source's word is not enough: the target may have refused the state.
            if target.do("query-status")["status"] == "running":
                return info["downtime"]
        elif info.get("status") in ("failed", "cancelled"):
            raise GuestDied(f"migration: {info}")
        if time.monotonic() > end:
            raise Failure(f"migration takes too long: {info}")
        time.sleep(0.02)
