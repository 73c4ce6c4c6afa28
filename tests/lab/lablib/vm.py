# SPDX-License-Identifier: GPL-2.0-only
"""Hosts and their guests, as seen from this machine.

bare: the guest runs straight in the outer QEMU. kvm, xen: the outer QEMU runs a Debian
host, whose agent (host/agent.py) runs the guest.
"""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from . import images
from .images import DIE_WITH_US
from .link import GuestDied, GuestLink, connect
from .qmp import Qmp
from .say import Failure, say

HOSTS = ("bare", "kvm", "xen")
VARIANTS = ("default", "nopv", "pvirq", "nopv-pvirq")
HEARTBEAT = 180     # seconds of silence after which a host is dead
# Seconds of silence after which a host is poked. QEMU's VMRUN changes cpu->interrupt_request without
# the lock that protects it (target/i386/tcg: helper_vmrun()): an interrupt raised at that moment, a
# timer's say, waits until there is another one, for ever on an idle host.
SILENCE = 12
# Reads the variable of its name. TSCs are not its business: they run as ever.
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


class Lost(Failure):
    """The hypervisor could not record everything that was to be counted."""


class HostDied(Exception):
    """The host (not the guest) went away: no verdict, the boot has to be repeated."""


def hardware():
    """True where this machine can really virtualise: a /dev/kvm alone proves nothing."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        flags = next((line.split() for line in f if line.startswith("flags")), [])
    return bool({"vmx", "svm"} & set(flags)) and os.access("/dev/kvm", os.R_OK | os.W_OK)


def machine_says():
    if hardware():
        return "hardware virtualisation (KVM on this machine)"
    return "emulation (TCG: no vmx or svm in the CPU's flags, or no usable /dev/kvm)"


def slowed():
    """LAB_SLOW=N: how many times slower than ours the clock of an emulated machine runs. By its own
    clock it is N times as fast: what happens in its time, a tick say, has its share of a count."""
    try:
        times = int(os.environ.get("LAB_SLOW") or 1)
    except ValueError:
        times = 0
    if times < 1:
        raise Failure("LAB_SLOW is a number of times, from 1 on")
    if hardware() or times == 1:
        return 1
    if not os.path.exists(FAKETIME):
        raise Failure(f"LAB_SLOW needs {FAKETIME}: tests/deps.sh install")
    return times


def outer(host, mem, smp):
    """The outer QEMU's accelerator and CPU for a kind of host. LAB_ONE_THREAD=1: where it emulates
    several CPUs, in turns, which has none of the races that they have beside each other."""
    tcg = "tcg,thread=single" if os.environ.get("LAB_ONE_THREAD") else "tcg"
    if hardware():
        args = ["-accel", "kvm", "-cpu", "host"]
    elif host == "xen":
        # dom0 dies of SMAP/SMEP in create_bounce_frame; Xen takes #GP in mwait_idle.
        args = ["-accel", tcg, "-cpu", "EPYC,+svm,+npt,-smap,-smep,-monitor"]
    elif host == "kvm":
        args = ["-accel", tcg, "-cpu", "EPYC,+svm,+npt"]
    else:
        args = ["-accel", tcg, "-cpu", "EPYC"]
    return args + ["-smp", str(smp), "-m", str(mem), "-display", "none", "-vga", "none",
                   "-nodefaults", "-no-reboot"]


def nested_boot(host, smp=1):
    """What the outer QEMU boots for a kvm or xen host."""
    kernel, initrd, xen = images.host_boot()
    if host == "xen":
        # CPU 0 is dom0's alone, the others are the guests' (host/agent.py).
        apart = " dom0_max_vcpus=1 dom0_vcpus_pin" if smp > 1 else ""
        return ["-kernel", xen, "-append",
                "console=com1 com1=115200,8n1 dom0_mem=1400M,max:1400M loglvl=info "
                "guest_loglvl=info noreboot spec-ctrl=no,eager-fpu" + apart,
                "-initrd", f"{kernel} console=hvc0 quiet mitigations=off,{initrd}"]
    # With a slow clock, ten ticks may come too late for the kernel, which checks the timer by the TSC.
    check = " no_timer_check" if slowed() > 1 else ""
    return ["-kernel", kernel, "-initrd", initrd,
            "-append", "console=ttyS0 panic=-1 quiet mitigations=off" + check]


def disk(path, name):
    return ["-drive", f"file={path},if=none,id={name},format=raw,readonly=on",
            "-device", f"virtio-blk-pci,drive={name}"]


def guest_append(variant):
    words = ["console=ttyS0", "quiet", "panic=-1", "oops=panic", "mitigations=off"]
    if variant.startswith("nopv"):
        words.append("nopv")
        if not hardware():
            # Without kvm-clock nothing calibrates under emulation.
            words += [f"tsc_early_khz={2500000 * slowed()}", f"lpj={10000000 * slowed()}",
                      "no_timer_check", "tsc=reliable"]
    return " ".join(words)


class Vm:
    """One outer QEMU. Everything it writes is below its own directory."""

    def __init__(self, args, console):
        self.console = console
        self.dir = tempfile.mkdtemp(prefix="run-", dir=images.CACHE)
        self.log = open(f"{self.dir}/qemu.log", "wb")
        self.process = subprocess.Popen(
            [*DIE_WITH_US, *images.qemu(FAKETIME if slowed() > 1 else None), *args(self.dir)],
            env={**os.environ, "FAKETIME": f"+0 x{1 / slowed():.6g}"},
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)

    def alive(self):
        return self.process.poll() is None

    def close(self):
        if self.alive():
            self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        # libfaketime's, which are left when its process is killed.
        for name in ("faketime_shm_", "sem.faketime_sem_"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"/dev/shm/{name}{self.process.pid}")

    def tail(self, lines=40):
        out = []
        for path in (f"{self.dir}/qemu.log", self.console):
            if os.path.exists(path):
                with open(path, "rb") as f:
                    f.seek(max(0, os.path.getsize(path) - 20000))
                    out += f.read().decode("utf-8", "replace").splitlines()[-lines:]
        return out


class Bare:
    """The guest is the outer machine."""
    name = "bare"

    def __init__(self, payload, logs):
        self.payload, self.logs = payload, logs
        self.vm = self.link = self.qmp = None

    def arguments(self, spec, serial):
        """QEMU's command line for a guest; its initrd is put together beside the logs."""
        initrd = f"{self.logs}/{spec['name']}.initrd"
        with open(initrd, "wb") as out:
            for part in spec["initrd"]:
                with open(f"{self.payload.tree}/{part}", "rb") as f:
                    shutil.copyfileobj(f, out)
        return (outer("bare", spec["mem"], spec["smp"])
                + ["-kernel", f"{self.payload.tree}/{spec['kernel']}", "-initrd", initrd,
                   "-append", spec["append"], *serial,
                   "-netdev", "user,id=n,restrict=on",
                   "-device", "virtio-net-pci,netdev=n,romfile="]
                + disk(images.host_image(), "root")
                + [word.replace("@disk@", images.host_image()) for word in spec["devices"]])

    def start(self, spec):
        console = f"{self.logs}/{spec['name']}.console"
        self.vm = Vm(lambda tmp: self.arguments(spec, [
            "-serial", f"file:{console}",
            "-serial", f"unix:{tmp}/control,server=on,wait=off"])
            + ["-qmp", f"unix:{tmp}/qmp,server=on,wait=off"], console)
        self.qmp = Qmp(f"{self.vm.dir}/qmp", self.vm.alive)
        self.link = GuestLink(f"{self.vm.dir}/control", self.vm.alive)
        self.link.wait_ready(spec["boot_timeout"])

    def run(self, command, timeout=60, count=False):
        if count:
            raise Failure("the bare host has no hypervisor that could count")
        return self.link.run(command, timeout)

    def monitor(self, command, **arguments):
        """Have its QEMU do something."""
        return self.qmp.do(command, **arguments)

    def console(self):
        return self.vm.tail() if self.vm else []

    def close(self):
        if self.qmp:
            self.qmp.close()
            self.qmp = None
        if self.vm:
            self.vm.close()
            self.vm = None

    stop = close


class Nested:
    """A host in the outer machine, its guest inside."""

    def __init__(self, name, payload, logs, smp=1):
        self.name, self.payload, self.logs = name, payload, logs
        self.smp = smp
        self.serial = 0
        self.boot()

    def boot(self):
        console = f"{self.logs}/host.console"

        def args(tmp):
            return (outer(self.name, 3072, self.smp) + nested_boot(self.name, self.smp)
                    + ["-serial", f"file:{console}"]
                    + disk(images.host_image(), "root") + disk(self.payload.image, "payload")
                    + ["-qmp", f"unix:{tmp}/qmp,server=on,wait=off",
                       "-chardev", f"socket,id=lab,path={tmp}/lab,server=on,wait=off",
                       "-device", "virtio-serial-pci",
                       "-device", "virtserialport,chardev=lab,name=org.hybrid.lab"])

        self.vm = Vm(args, console)
        try:
            self._meet()
        except BaseException:
            self.vm.close()
            raise

    def _meet(self):
        started = time.monotonic()
        self.answers = {}
        self.about = None
        self.beat = time.monotonic()
        self.wake = threading.Condition()
        self.sock = self._connect(f"{self.vm.dir}/lab")
        threading.Thread(target=self._read, args=(self.sock,), daemon=True).start()
        self.about = self._call("hello", 300)
        say(f"{self.name} host is up ({time.monotonic() - started:.0f} s, "
            f"Linux {self.about['kernel']})")
        if self.about["host"] != self.name:
            raise Failure(f"asked for a {self.name} host, got {self.about['host']}")

    def _connect(self, path):
        sock = connect(path, self.vm.alive)
        if not sock:
            raise HostDied("the outer QEMU did not start:\n" + "\n".join(self.vm.tail()))
        return sock

    def _read(self, sock):
        pending = b""
        while True:
            try:
                data = sock.recv(1 << 16)
            except OSError:
                data = b""
            if not data:
                return
            pending += data
            *lines, pending = pending.split(b"\n")
            with self.wake:
                self.beat = time.monotonic()
                for line in lines:
                    message = json.loads(line)
                    if "id" in message:
                        self.answers[message["id"]] = message
                self.wake.notify_all()

    def _send(self, line):
        try:
            self.sock.sendall((line + "\n").encode())
        except OSError:
            raise HostDied("the host ended by itself") from None

    def _call(self, call, patience, **params):
        """One request to the agent; patience: seconds until the host counts as dead."""
        self.serial += 1
        number = self.serial
        self._send(json.dumps({"id": number, "call": call, **params}))
        end = time.monotonic() + patience
        silence, poke = SILENCE * slowed(), 0
        with self.wake:
            while number not in self.answers:
                self.wake.wait(1)
                now = time.monotonic()
                if self.about and now > max(self.beat + silence, poke):
                    poke = now + silence
                    say(f"the {self.name} host is silent, and poked")
                    self._send("")
                if not self.vm.alive():
                    raise HostDied("the host ended by itself")
                if now - self.beat > HEARTBEAT:
                    raise HostDied(f"no heartbeat of the host for {HEARTBEAT} s: {self._where()}")
                if now > end:
                    raise HostDied(f"the host did not answer {call!r} within {patience} s")
            answer = self.answers.pop(number)
        if "ok" in answer:
            return answer["ok"]
        if answer["kind"] == "guest":
            raise GuestDied(answer["error"])
        if answer["kind"] == "lost":
            raise Lost(answer["error"])
        raise Failure(f"{self.name} host, {call}: {answer['error']}")

    def _where(self):
        """Where the CPUs of a host are that no longer answers, twice: do they still run?"""
        found = []
        try:
            qmp = Qmp(f"{self.vm.dir}/qmp", self.vm.alive)
            for _ in range(2):
                said = qmp.do("human-monitor-command", **{"command-line": "info registers -a"})
                found += [" ".join(line.split()) for line in said.splitlines()
                          if line.startswith(("CPU#", "RIP", "CR0"))]
                time.sleep(1)
            qmp.close()
        except (OSError, Failure) as e:
            found.append(f"the outer QEMU does not answer: {e}")
        return "; ".join(found)

    def start(self, spec):
        self._call("start", spec["boot_timeout"] + 180, spec=spec)

    def run(self, command, timeout=60, count=False, patience=400):
        """patience: how much longer than timeout the host may take for its own part."""
        return self._call("run", timeout + patience, command=command, timeout=timeout,
                          count=count)

    def neighbour(self, spec):
        """A second guest, busy, and both on one CPU of the host, until stop()."""
        self._call("neighbour", 400, spec=spec)

    def move(self, cpu):
        """Migrate the guest on its host; milliseconds of downtime, or 0."""
        return self._call("move", 900, cpu=cpu)

    def monitor(self, command, **arguments):
        """Have the guest's QEMU do something."""
        return self._call("monitor", 60, command=command, arguments=arguments)

    def sh(self, command):
        """A command on the host; its output. It must not fail."""
        return self._call("sh", 900, command=command)

    def stop(self):
        """End the guest, keep the host."""
        self._call("stop", 120)

    def console(self):
        """The last lines of both consoles: the guest's, then the host's."""
        try:
            got = self._call("console", 60)
            return got["lines"] + ["-- host --"] + got["host"]
        except (HostDied, Failure, GuestDied):
            return ["-- host --"] + self.vm.tail()

    def close(self):
        self.sock.close()
        self.vm.close()
