# SPDX-License-Identifier: GPL-2.0-only
"""Process 1 of a lab host (KVM or Xen dom0): starts guests, brackets their workloads and
counts their exits, on request of the runner, over a virtio-serial port.

Requests and answers are JSON lines: {"id", "call", ...} -> {"id", "ok"|"error", ...}.
A heartbeat {"beat": n} every five seconds tells a dead host from a busy one. An empty line is no
request, only an interrupt for each CPU of this host.
"""
import glob
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback

sys.path.insert(0, "/lab")
from lablib.counts import LostRecords, kvm_counts, parse_hist, xen_counts  # noqa: E402
from lablib.link import GuestDied, GuestLink  # noqa: E402
from lablib.qmp import Qmp, migrate  # noqa: E402
from lablib.xslink import XenstoreLink  # noqa: E402

PORT = "org.hybrid.lab"
CONSOLE = "/run/guest.console"
MONITOR = "/run/guest.monitor"
CONTROL = "/run/guest.control"
INITRD = "/run/guest.initrd"
# The neighbour: a second guest that only keeps its CPUs busy, and says so on its second port.
BUSY_CONSOLE = "/run/busy.console"
BUSY_SAID = "/run/busy.said"
BUSY_TIMEOUT = 180


def sh(command, check=True):
    done = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    if check and done.returncode:
        raise RuntimeError(f"{command!r} failed ({done.returncode}): {done.stdout.strip()}")
    return done.stdout


def tail(path, lines=40):
    try:
        with open(path, "rb") as f:
            f.seek(max(0, os.path.getsize(path) - 20000))
            return f.read().decode("utf-8", "replace").splitlines()[-lines:]
    except OSError:
        return []


def put_initrd(parts):
    with open(INITRD, "wb") as out:
        for part in parts:
            with open("/lab/" + part, "rb") as f:
                out.write(f.read())


class Host:
    """What both kinds of host share; make_host() picks the kind."""

    def __init__(self):
        self.link = self.busy = None
        with open("/proc/cpuinfo") as f:
            self.isa = "vmx" if "GenuineIntel" in f.read() else "svm"

    def start(self, spec):
        self.launch(spec)
        self.link = GuestLink(CONTROL, self.alive)
        self.link.wait_ready(spec["boot_timeout"])

    def where(self):
        """What the guest's CPUs do, in lines: for a guest that no longer answers."""
        return []

    def last_words(self):
        """Of a guest that died, in a line."""
        return " | ".join(tail(CONSOLE, 3))

    def move(self, cpu):
        """Migrate the guest, to that CPU if it can be chosen; milliseconds of downtime, or 0."""
        downtime = self.migrate(cpu)
        serial = self.link.serial
        self.link.close()
        self.link = self.link_again()
        self.link.serial = serial
        return downtime

    def link_again(self):
        """The line to the guest where it has been moved to."""
        return GuestLink(CONTROL, self.alive)

    def stop(self):
        if self.link:
            self.link.close()
        self.kill()
        self.alone()
        for path in (CONSOLE, CONTROL):
            if os.path.exists(path):
                os.unlink(path)

    def monitor(self, command, arguments):
        qmp = Qmp(self.qmp_path(), self.alive)
        try:
            return qmp.do(command, **arguments)
        finally:
            qmp.close()

    def neighbour(self, spec):
        """A second guest beside the first, busy; then both on one CPU of this host, until
        stop()."""
        if os.path.exists(BUSY_SAID):
            os.unlink(BUSY_SAID)
        self.launch_busy(spec)
        end = time.monotonic() + BUSY_TIMEOUT
        while b"BUSY" not in (open(BUSY_SAID, "rb").read() if os.path.exists(BUSY_SAID) else b""):
            if time.monotonic() > end:
                raise RuntimeError("the neighbour did not start:\n" + "\n".join(tail(BUSY_CONSOLE)))
            time.sleep(0.5)
        self.crowd()


class KvmHost(Host):
    name = "kvm"
    TRACE = "/sys/kernel/tracing/instances/lab"
    # kvm_exit first: it is what counts, the others are its detail.
    HISTS = {"kvm_exit": "exit_reason,info1", "kvm_entry": "vcpu_id", "kvm_msr": "ecx,write",
             "kvm_mmio": "type,gpa", "kvm_hypercall": "nr", "kvm_eoi": "apicid,vector",
             "kvm_pv_eoi": "apicid,vector"}

    def __init__(self):
        super().__init__()
        self.qemu = self.spec = None
        self.monitors = 0
        sh(f"modprobe {'kvm_amd' if self.isa == 'svm' else 'kvm_intel'} nested=1")
        os.mkdir(self.TRACE)
        for name in self.HISTS:
            self._hist(name, "pause", size=16384)

    @staticmethod
    def arguments(spec, console, control, cpu="host"):
        return ["qemu-system-x86_64", "-accel", "kvm", "-cpu", cpu,
                "-smp", str(spec["smp"]), "-m", str(spec["mem"]), "-display", "none",
                "-vga", "none", "-nodefaults", "-no-reboot",
                "-kernel", "/lab/" + spec["kernel"], "-initrd", INITRD,
                "-append", spec["append"], "-serial", console, "-serial", control,
                "-drive", "file=/dev/vda,if=virtio,format=raw,readonly=on"]

    def launch(self, spec):
        put_initrd(spec["initrd"])
        self.spec = spec
        self.qemu = self.run_qemu(spec.get("cpu", "host"))

    def run_qemu(self, cpu, *more):
        spec = self.spec
        args = self.arguments(spec, f"file:{CONSOLE}", f"unix:{CONTROL},server=on,wait=off", cpu)
        args += [*more, "-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n,romfile=",
                 "-chardev", f"socket,id=monitor,path={MONITOR},server=on,wait=off",
                 "-mon", "chardev=monitor,mode=readline",
                 *(word.replace("@disk@", "/dev/vda") for word in spec["devices"])]
        if spec.get("shell"):
            args[args.index("-serial") + 1] = "stdio"
            subprocess.run(args, check=False)
            return None
        self.monitors += 1
        args += ["-qmp", f"unix:{self.qmp_path()},server=on,wait=off"]
        env = dict(os.environ)
        if "peer" in spec and "-incoming" not in more:
            # A host with our ABI; where the guest is moved to there is none.
            env.update(LD_PRELOAD="/lab/peer.so", PEER="/run/peer", PEER_LIE=spec["peer"])
        with open("/run/qemu.log", "ab") as log:
            return subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=subprocess.STDOUT, env=env)

    def qmp_path(self):
        return f"/run/qmp{self.monitors}"

    def migrate(self, cpu):
        source = Qmp(self.qmp_path(), self.alive)
        old = self.qemu
        os.unlink(CONTROL)
        new = self.run_qemu(cpu, "-incoming", "unix:/run/move")
        try:
            target = Qmp(self.qmp_path(), lambda: new.poll() is None)
            downtime = migrate(source, target, "unix:/run/move", 300)
            target.close()
        except BaseException:
            new.kill()
            raise
        old.kill()
        old.wait()
        self.qemu = new
        return downtime

    def alive(self):
        return self.qemu is not None and self.qemu.poll() is None

    def last_words(self):
        said = " | ".join(tail("/run/qemu.log", 2))
        return f"QEMU: {self.qemu and self.qemu.poll()}, {said}; guest: {super().last_words()}"

    def kill(self):
        if self.qemu:
            self.qemu.kill()
            self.qemu.wait()

    def where(self):
        text = b""
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(5)
                s.connect(MONITOR)
                s.sendall(b"info registers -a\ninfo lapic 0\ninfo lapic 1\ninfo cpus\n")
                while b"thread_id" not in text.rpartition(b"info cpus")[2]:
                    text += s.recv(1 << 16)
        except OSError:
            pass
        return [line for line in text.decode("utf-8", "replace").splitlines()
                if re.match(r"CPU#|RIP|\s*(LVTT|IRR|ISR|Timer|PPR)|. CPU #", line)]

    def launch_busy(self, spec):
        self.busy = subprocess.Popen(
            self.arguments(spec, f"file:{BUSY_CONSOLE}", f"file:{BUSY_SAID}"),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def crowd(self):
        for guest in (self.qemu, self.busy):
            sh(f"taskset -acp 0 {guest.pid}")

    def alone(self):
        if self.busy:
            self.busy.kill()
            self.busy.wait()
            self.busy = None

    def _hist(self, name, action, size=128):
        # Each command allocates a whole histogram, before it is found that there is one: only
        # the first one has to be large. Appended: opening a trigger file for truncation removes
        # its triggers.
        with open(f"{self.TRACE}/events/kvm/{name}/trigger", "a") as f:
            f.write(f"hist:keys={self.HISTS[name]}:size={size}:{action}")

    def _stop_guest(self):
        """So that the counters, switched one after the other, see the same exits."""
        self.qemu.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.qemu.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def start_count(self):
        self._stop_guest()
        for name in self.HISTS:
            self._hist(name, "clear")
        for name in self.HISTS:
            self._hist(name, "cont")
        self.qemu.send_signal(signal.SIGCONT)

    def stop_count(self):
        self._stop_guest()
        for name in self.HISTS:
            self._hist(name, "pause")
        self.qemu.send_signal(signal.SIGCONT)
        hists = {}
        for name in self.HISTS:
            with open(f"{self.TRACE}/events/kvm/{name}/hist") as f:
                hists[name] = parse_hist(f.read())
        return kvm_counts(hists, self.isa)


class XenHost(Host):
    name = "xen"
    TRACE = "/run/guest.trace"
    PV_DISK = ('disk=["format=raw,vdev=xvde,access=ro,script=/lab/host/block.sh,'
               'target=/dev/vda"]')

    def __init__(self):
        super().__init__()
        self.tracer = None
        sh("mkdir -p /proc/xen /run/xen /var/run/xen /var/log/xen /var/lib/xen")
        sh("mount -t xenfs xenfs /proc/xen", check=False)
        for m in ("xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xen-acpi-processor "
                  "xen-blkback xen-netback tun bridge").split():
            sh(f"modprobe {m}", check=False)
        sh("export PATH=$PATH:/usr/lib/xen-4.20/bin; xenstored --pid-file=/run/xen/xenstored.pid")
        sh("/usr/lib/xen-4.20/bin/xen-init-dom0")
        sh("export PATH=$PATH:/usr/lib/xen-4.20/bin; xenconsoled", check=False)
        sh("ip link set lo up")

    def config(self, name, spec, serial):
        append = spec["append"].replace('"', "")
        return [f'name="{name}"', 'type="hvm"', f'vcpus={spec["smp"]}', f'memory={spec["mem"]}',
                'tsc_mode="native"', f'kernel="/lab/{spec["kernel"]}"', f'ramdisk="{INITRD}"',
                f'cmdline="{append}"', 'vga="none"', "nographic=1",
                "serial=" + json.dumps(serial), *self.pinning(spec),
                'on_reboot="destroy"', 'on_crash="destroy"', 'on_poweroff="destroy"']

    @staticmethod
    def create(path, cfg):
        with open(path, "w") as f:
            f.write("\n".join(cfg) + "\n")
        sh(f"timeout 120 xl create {path}")

    def start(self, spec):
        super().start(spec)
        if spec.get("saved"):
            self.link.run("setsid /suite/lab/xenstore-agent.sh /run/lab >/dev/null 2>&1 &", 60)
            self.link.close()
            self.link = XenstoreLink(self.domid)

    def launch(self, spec):
        put_initrd(spec["initrd"])
        serial = [f"file:{CONSOLE}", f"unix:{CONTROL},server=on,wait=off"]
        if spec.get("shell"):
            serial[0] = "pty"
        cfg = self.config("g", spec, serial)
        args = []
        if spec["disk"] == "pv":
            cfg.append(self.PV_DISK)
            cfg.append('vif=["mac=00:16:3e:00:00:01,script=/lab/host/vif.sh"]')
        else:
            # QEMU's nvme cannot be saved, and an IDE disk not be read-only.
            how, disk = (("snapshot=on", "ide-hd,drive=nv,bus=ide.0") if spec["disk"] == "ide" else
                         ("readonly=on", "nvme,drive=nv,serial=lab"))
            args = ["-drive", f"file=/dev/vda,if=none,id=nv,format=raw,{how}",
                     "-device", disk,
                     "-netdev", "tap,id=n0,ifname=labtap,script=/lab/host/tap-up.sh,downscript=no",
                     "-device", "e1000e,netdev=n0,romfile=,addr=0x11",
                     *(word.replace("@disk@", "/dev/vda") for word in spec["devices"])]
            if spec["pirqs"]:
                cfg.append("hvm_pirq=1")
        cfg.append("device_model_args_hvm=" + json.dumps(args))
        self.create("/run/guest.cfg", cfg)
        self.find_model()
        if spec.get("shell"):
            subprocess.run(["xl", "console", "-t", "serial", "g"], check=False)

    def qmp_path(self):
        return f"/run/xen/qmp-libxl-{sh('xl domid g').strip()}"

    def find_model(self):
        # xl takes seconds: commands on the host find it in GUEST.
        os.environ["GUEST"] = self.domid = sh("xl domid g").strip()
        self.model = sh(
            f"xenstore-read /local/domain/{self.domid}/image/device-model-pid").strip()

    def migrate(self, cpu):
        """Save and restore, which is the end of the command @cpu."""
        sh(f"{cpu} sh -c 'timeout 300 xl save g /run/g.save && timeout 300 xl restore /run/g.save';"
           "rc=$?; rm -f /run/g.save; [ $rc = 0 ] || tail -n 20 /var/log/xen/qemu-dm-g*.log; exit $rc")
        self.find_model()
        return 0

    def link_again(self):
        if isinstance(self.link, XenstoreLink):
            return XenstoreLink(self.domid)
        return super().link_again()

    def where(self):
        # Their registers, and who has an upcall or a port pending.
        return sh("for v in 0 1; do echo vCPU $v; timeout 9 /usr/lib/xen-4.20/bin/xenctx $GUEST $v | "
                  "head -n 12; done; xl dmesg -c >/dev/null; xl debug-keys qe; xl dmesg | "
                  "sed -n '/upcall_pend/p;/Event channel information for domain [^0]/,$p'",
                  check=False).splitlines()

    def launch_busy(self, spec):
        self.busy = spec
        self.create("/run/busy.cfg", self.config(
            "busy", spec, [f"file:{BUSY_CONSOLE}", f"file:{BUSY_SAID}"]) + [self.PV_DISK])

    def crowd(self):
        for name in ("g", "busy"):
            sh(f"xl vcpu-pin {name} all {self.busy['host_cpus'] - 1}")

    def alone(self):
        if self.busy:
            sh("xl destroy busy", check=False)
            self.busy = None

    @staticmethod
    def pinning(spec):
        """With several CPUs, dom0 has the first, and each vCPU one of the others."""
        others = [str(c) for c in range(1, spec["host_cpus"])]
        return ["cpus=" + json.dumps([others[i % len(others)] for i in range(spec["smp"])])
                ] if others else []

    def alive(self):
        # The device model's life is the domain's; asking xl each time costs seconds.
        return os.path.exists(f"/proc/{self.model}")

    def kill(self):
        sh("xl destroy g", check=False)

    def start_count(self):
        if os.path.exists(self.TRACE):
            os.unlink(self.TRACE)
        self.tracer = subprocess.Popen(
            ["xentrace", "-D", "-e", "0x0008f000", "-S", "256", self.TRACE],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        end = time.monotonic() + 30
        # It writes its first records at once; only from then on is the bracket covered.
        while not (os.path.exists(self.TRACE) and os.path.getsize(self.TRACE)):
            if self.tracer.poll() is not None or time.monotonic() > end:
                raise RuntimeError("xentrace did not start: " +
                                   self.tracer.stderr.read().decode("utf-8", "replace"))
            time.sleep(0.05)

    def stop_count(self):
        self.tracer.send_signal(signal.SIGINT)
        self.tracer.wait(60)
        with open(self.TRACE, "rb") as f:
            return xen_counts(f.read(), self.isa)


class Counter:
    """What GuestLink.run() brackets a command with."""

    def __init__(self, host):
        self.start, self.stop = host.start_count, host.stop_count


def make_host():
    sh("mount -t devpts devpts /dev/pts || { mkdir -p /dev/pts; mount -t devpts devpts /dev/pts; }",
       check=False)
    sh("mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /tmp; mkdir -p /dev/shm /run/lock;"
       "mount -t tmpfs tmpfs /dev/shm; mount -t debugfs debugfs /sys/kernel/debug;"
       "mount -t tracefs tracefs /sys/kernel/tracing; ip link set lo up", check=False)
    if os.path.exists("/sys/hypervisor/type") and open("/sys/hypervisor/type").read() == "xen\n":
        return XenHost()
    return KvmHost()


def open_port():
    while True:
        for name in glob.glob("/sys/class/virtio-ports/*/name"):
            if open(name).read().strip() == PORT:
                return open("/dev/" + name.split("/")[-2], "r+b", buffering=0)
        time.sleep(0.1)


def interrupt_cpus():
    for cpu in range(os.cpu_count()):
        os.sched_setaffinity(0, {cpu})


def read_requests(port, requests):
    pending = b""
    while True:
        data = port.read(4096)
        if not data:            # nobody is connected
            time.sleep(0.1)
            continue
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            if line:
                requests.put(json.loads(line))
            else:
                interrupt_cpus()


def handle(host, request):
    call = request["call"]
    if call == "hello":
        return {"host": host.name, "kernel": os.uname().release,
                "isa": host.isa}
    if call == "start":
        host.start(request["spec"])
        return {}
    if call == "stop":
        host.stop()
        return {}
    if call == "neighbour":
        host.neighbour(request["spec"])
        return {}
    if call == "run":
        counter = Counter(host) if request.get("count") else None
        return host.link.run(request["command"], request["timeout"], counter)
    if call == "move":
        return host.move(request["cpu"])
    if call == "monitor":
        return host.monitor(request["command"], request["arguments"])
    if call == "sh":
        return sh(request["command"])
    if call == "console":
        return {"lines": tail(CONSOLE, request.get("lines", 40)) + host.where(),
                "host": sh("dmesg | tail -n 15; tail -n 5 /run/qemu.log /var/log/xen/*g.log",
                           check=False).splitlines()}
    raise ValueError(f"unknown call {call!r}")


def shell(host):
    """`make shell`: the guest's console on this host's console."""
    with open("/lab/shell.json") as f:
        spec = json.load(f)
    host.launch(spec)


def main():
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    host = make_host()
    if os.path.exists("/lab/shell.json"):
        shell(host)
        return
    port = open_port()
    lock = threading.Lock()

    def send(message):
        data = (json.dumps(message) + "\n").encode()
        with lock:
            while data:
                data = data[port.write(data) or 0:]

    def beat():
        n = 0
        while True:
            send({"beat": n})
            n += 1
            time.sleep(5)

    threading.Thread(target=beat, daemon=True).start()
    requests = queue.SimpleQueue()
    threading.Thread(target=read_requests, args=(port, requests), daemon=True).start()
    while True:
        request = requests.get()
        try:
            answer = {"ok": handle(host, request)}
        except GuestDied as e:
            answer = {"error": f"{e} ({host.last_words()})", "kind": "guest"}
        except LostRecords as e:
            answer = {"error": str(e), "kind": "lost"}
        except Exception as e:  # pylint: disable=broad-except
            traceback.print_exc()
            answer = {"error": f"{type(e).__name__}: {e}", "kind": "lab"}
        send({"id": request["id"], **answer})


try:
    main()
finally:
    sys.stdout.flush()
    with open("/proc/sysrq-trigger", "w") as f:
        f.write("o")
    time.sleep(30)
