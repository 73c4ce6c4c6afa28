# SPDX-License-Identifier: GPL-2.0-only
"""A bare guest that can be migrated, by QEMU, to another machine with another CPU."""
import os

from .link import GuestLink
from .qmp import Qmp, migrate
from .vm import Bare, Vm

MOVE_TIMEOUT = 120


class Movable(Bare):
    """Like Bare; the spec also says "cpu"."""

    def __init__(self, payload, logs):
        super().__init__(payload, logs)
        self.spec = None
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
                           "-chardev", f"socket,id=mn,path={tmp}/mn,server=on,wait=off",
                           "-device", "virtio-serial-pci", "-device",
                           "virtserialport,chardev=mn,name=org.hybridhvm.migrate-notify.0",
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

    @property
    def port(self):
        """The socket of the port that migrate-notify-host uses."""
        return f"{self.vm.dir}/mn"

    def move(self, cpu):
        """Returns the downtime in milliseconds, as the source saw it."""
        channel = f"{self.vm.dir}/move"
        vm, qmp = self._machine(cpu, "-incoming", f"unix:{channel}")
        try:
            downtime = migrate(self.qmp, qmp, f"unix:{channel}", MOVE_TIMEOUT)
            link = GuestLink(f"{vm.dir}/control", vm.alive)
        except BaseException:
            qmp.close()
            vm.close()
            raise
        link.serial = self.link.serial
        self.close()
        self.vm, self.qmp, self.link = vm, qmp, link
        return downtime

    def close(self):
        if self.link:
            self.link.close()
            self.link = None
        super().close()

    stop = close


def moves_wanted(default):
    """How many migrations back to back; LAB_MOVES=100 for the long run."""
    return int(os.environ.get("LAB_MOVES") or default)
