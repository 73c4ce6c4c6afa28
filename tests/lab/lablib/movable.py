# SPDX-License-Identifier: GPL-2.0-only
"""A bare guest that can be migrated, by QEMU, to another machine with another CPU."""
import json
import os
import socket
import time

from .link import GuestDied, GuestLink
from .say import Failure
from .vm import Bare, Vm

MOVE_TIMEOUT = 120


class Qmp:
    """QEMU's monitor: one command, one answer; events are skipped."""

    def __init__(self, path, alive):
        end = time.monotonic() + 30
        while True:
            self.sock = socket.socket(socket.AF_UNIX)
            try:
                self.sock.connect(path)
                break
            except OSError:
                self.sock.close()
                if time.monotonic() > end or not alive():
                    raise Failure("QEMU's monitor could not be opened") from None
                time.sleep(0.05)
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


class Movable(Bare):
    """Like Bare; the spec also says "cpu"."""

    def __init__(self, payload, logs):
        super().__init__(payload, logs)
        self.spec = self.qmp = None
        self.boots = 0

    def _machine(self, cpu, *more):
        self.boots += 1
        console = f"{self.logs}/{self.spec['name']}.console"
        if self.boots > 1:
            console += f".{self.boots}"

        def args(tmp):
            args = self.arguments(self.spec, [
                "-serial", f"file:{console}",
                "-serial", f"unix:{tmp}/control,server=on,wait=off"])
            args[args.index("-cpu") + 1] = cpu
            return args + ["-qmp", f"unix:{tmp}/qmp,server=on,wait=off", "-device", "vmclock",
                           *more]

        vm = Vm(args, console)
        try:
            return vm, Qmp(f"{vm.dir}/qmp", vm.alive)
        except BaseException:
            vm.close()
            raise

    def start(self, spec):
        self.spec, self.boots = spec, 0
        self.vm, self.qmp = self._machine(spec["cpu"])
        self.link = GuestLink(f"{self.vm.dir}/control", self.vm.alive)
        self.link.wait_ready(spec["boot_timeout"])

    def move(self, cpu):
        """Returns the downtime in milliseconds, as the source saw it."""
        channel = f"{self.vm.dir}/move"
        vm, qmp = self._machine(cpu, "-incoming", f"unix:{channel}")
        try:
            self.qmp.do("migrate", uri=f"unix:{channel}")
            end = time.monotonic() + MOVE_TIMEOUT
            while True:
                info = self.qmp.do("query-migrate")
                if info.get("status") in ("completed", "failed", "cancelled"):
                    break
                if time.monotonic() > end:
                    raise Failure(f"migration to {cpu} takes too long: {info}")
                time.sleep(0.02)
            # The source's word is not enough: the destination may have refused the state.
            while info["status"] == "completed" and vm.alive():
                if qmp.do("query-status")["status"] == "running":
                    break
                time.sleep(0.02)
            if info["status"] != "completed" or not vm.alive():
                raise GuestDied(f"migration to {cpu}: {info}; " + "\n".join(vm.tail(10)))
            link = GuestLink(f"{vm.dir}/control", vm.alive)
        except BaseException:
            qmp.close()
            vm.close()
            raise
        link.serial = self.link.serial
        self.close()
        self.vm, self.qmp, self.link = vm, qmp, link
        return info["downtime"]

    def close(self):
        if self.qmp:
            self.qmp.close()
            self.qmp = None
        if self.link:
            self.link.sock.close()
            self.link = None
        super().close()

    stop = close


def moves_wanted(default):
    """How many migrations back to back; LAB_MOVES=100 for the long run."""
    return int(os.environ.get("LAB_MOVES") or default)
