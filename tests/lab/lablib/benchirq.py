# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark's part on interrupts: exits of each operation on an MSI, of their EOIs, and of I/O
while interrupts move. What is kept is described in Documentation/abi/bench-json.txt.
"""
import os
import re
from collections import namedtuple

from .benchdata import FAIL, PASS, SKIP, median
from .cases_pvirq import NIC, NVME, TEST, TEST_NIC, bind_test_driver
from .check import visit_guests
from .counts import device_eois
from .guests import SPARE_NIC, pvirq_devices, spec
from .link import GuestDied
from .say import Failure, say
from .vm import slowed

TRIES = 3
REPEATS = 5
QUICK_REPEATS = 3
# For a guest that fails, after another boot: one is faster with the suite, the next without it. (And
# of three turns, all are above all others once in 20 rows by chance.)
MORE = 2
# On xen the other one is the guest's network card.
E1000E = {"kvm": NIC, "xen": TEST_NIC}
INTERRUPTS, ECHOES = 200, 100
# Of each count of the many that of the few is taken off, and with it what dd itself costs.
FEW_READS, MANY_READS = 100, 500

# One way to run a guest: its kernel with nopv or not, hvm_pirq=1 or not, the suite or not; idle CPUs
# may poll, as the host has one for each.
Variant = namedtuple("Variant", "nopv pirqs suite polls", defaults=(False,))
# Until the emulated disk has answered.
POLLS = "idle=poll idle_poll_percent=4000"
POLLS_CPUS = 3


def name_of(variant):
    return ("nopv" if variant.nopv else "default") + (" pirqs" if variant.pirqs else "") + (
        " + suite" if variant.suite else "") + (", may poll" if variant.polls else "")


def boots(host):
    """(nopv, pirqs) of each guest to boot; with and without the suite are measured in one, in
    turns, as under emulation exits follow the time that a guest is given."""
    return [(nopv, pirqs) for pirqs in ((False, True) if host == "xen" else (False,))
            for nopv in (False, True)]


def one_guest(host, kernel, variants, host_cpus=1):
    nopv, pirqs = variants[0].nopv, variants[0].pirqs
    # Without Xen's own drivers there, as the devices would be unplugged.
    extra = "xen_emul_unplug=never" if host == "xen" and not nopv else ""
    its = spec(host, kernel, "nopv" if nopv else "default", extra=extra, host_cpus=host_cpus)
    its.update(name=f"{host}-{kernel}-{'irq' if host_cpus == 1 else 'reads'}" + "-nopv" * nopv +
               "-pirqs" * pirqs, disk="emulated", pirqs=pirqs, bench=variants,
               devices=[*pvirq_devices(host), *(SPARE_NIC if host == "xen" else ())])
    return its


def guests(host, kernel, part):
    if part == "irq":
        return [one_guest(host, kernel, [Variant(nopv, pirqs, suite) for suite in (False, True)])
                for nopv, pirqs in boots(host)]
    # What a guest does without an upcall, and the best that it would have without us.
    return [one_guest(host, kernel, [Variant(*own, True)], POLLS_CPUS)
            for own in ((True, True, True), (False, False, False)) if host == "xen"]


COSTS = ("table", "config", "calls", "eoi", "window", "exits")


# -- one command -------------------------------------------------------------------------

def table_of(config, resource):
    """(first, beyond the last) address of a device's MSI-X table, from its configuration space
    and what sysfs says of its BARs; None where it has none."""
    at = config[0x34]
    while at and config[at] != 0x11:
        at = config[at + 1]
    if not at:
        return None
    entries = (int.from_bytes(config[at + 2:at + 4], "little") & 0x7ff) + 1
    where = int.from_bytes(config[at + 4:at + 8], "little")
    start = int(resource.splitlines()[where & 7].split()[0], 16) + (where & ~7)
    return start, start + 16 * entries


# Hypercalls that tell the host about an interrupt. KVM: all but wake-ups and IPIs, the kernel's.
KVM_OTHERS = {"5", "10", "11"}
XEN_CALLS = {"33"}              # physdev_op; event_channel_op is every IPI's as well
# Exits as soon as the guest can be interrupted: AMD's, Intel's.
WINDOWS = ("VINTR", "INTR_WINDOW")


def cost_of(counts, host, table):
    """What a command cost: accesses to the device's table, to configuration space (two ports
    each), hypercalls about interrupts, EOIs of devices that exit, exits as soon as the guest can be
    interrupted (another interrupt waits; Xen looks for one after each upcall), and all exits."""
    detail = counts["detail"]
    first, end = table or (0, 0)
    calls = detail["hypercall"]
    return {
        "table": sum(n for what, n in detail["mmio"].items()
                     if first <= int(what.split()[1], 16) < end),
        "config": sum(n for what, n in detail["pio"].items()
                      if int(what.split()[1], 16) == 0xcf8),
        "calls": sum(n for number, n in calls.items() if
                     (number in XEN_CALLS if host == "xen" else number not in KVM_OTHERS)),
        "eoi": device_eois(counts),
        "window": sum(counts["exits"].get(reason, 0) for reason in WINDOWS),
        "exits": counts["total"],
    }


# -- measuring ---------------------------------------------------------------------------

class Running:
    """A guest that runs, as cases see it."""

    def __init__(self, host, its_spec):
        self._host, self.host, self.kernel = host, its_spec["host"], its_spec["kernel_name"]

    def run(self, command, timeout=120, count=False):
        return self._host.run(command, timeout, count)

    def ok(self, command, count=False):
        done = self.run(command, count=count)
        if done["rc"]:
            raise Failure(f"{command[:60]!r} failed: {done['out'][-400:]}")
        return done["counts"] if count else done["out"]

    def table(self, device):
        where = f"/sys/bus/pci/devices/{device}"
        config = bytes.fromhex(self.ok(f"od -An -v -tx1 {where}/config").replace(" ", "")
                               .replace("\n", ""))
        return table_of(config, self.ok(f"cat {where}/resource"))


def command(device, *words):
    return " && ".join(f"echo {w} >/sys/bus/pci/devices/{device}/command" for w in words)


# operation: (what is done before, what is counted, how many operations that is)
OPERATIONS = {
    "request_irq": ((), ("request",), 1),
    "move": (("raise 1",), ("move 1",), 1),
    "stay": (("raise 1",), ("stay 1",), 1),
    "mask+unmask": ((), ("mask", "unmask"), 1),
    "interrupt": ((), (f"raise {INTERRUPTS}",), INTERRUPTS),
    "free_irq": ((), ("free",), 1),
}


def measure_device(guest, name, device):
    """Operations on the one interrupt of a device with the test driver."""
    table = guest.table(device)
    # The first message finds out how wide accesses may be.
    guest.ok(command(device, "request", "raise 3", "move 2", "free"))
    for operation, (before, counted, number) in OPERATIONS.items():
        if before:
            guest.ok(command(device, *before))
        counts = guest.ok(command(device, *counted), count=True)
        yield name, operation, number, cost_of(counts, guest.host, table)


def virtio_irq(guest):
    """(PCI address, number of an interrupt that may be moved) of the virtio network card."""
    return guest.ok(
        "for n in /sys/bus/pci/devices/*/virtio*/../msi_irqs/*; do d=${n%/virtio*}; "
        "grep -q \"^ *${n##*/}:.*input\" /proc/interrupts && echo ${d##*/} ${n##*/}; done; true"
    ).split()[:2]


def measure_virtio(guest):
    """Moves of a virtio network card's interrupt; an echo takes it there."""
    device, irq = virtio_irq(guest)
    table = guest.table(device)
    to = f"echo $c >/proc/irq/{irq}/smp_affinity_list && ping -q -c 2 -i .01 10.0.2.2 >/dev/null"
    guest.ok("c=1; " + to)
    for operation, cpu in (("move", 0), ("stay", 0)):
        counts = guest.ok(f"c={cpu}; {to}; sleep .1", count=True)
        yield "virtio", operation, 1, cost_of(counts, guest.host, table)


def measure_reads(guest):
    disk = guest.ok(f"cd /sys/bus/pci/devices/{NVME}/nvme/nvme*/ && ls -d nvme*n1").strip()
    few, many = (cost_of(guest.ok(f"dd if=/dev/{disk} of=/dev/null bs=4k count={n} iflag=direct "
                                  "2>/dev/null", count=True), guest.host, guest.table(NVME))
                 for n in (FEW_READS, MANY_READS))
    yield "nvme", "read", MANY_READS - FEW_READS, {c: many[c] - few[c] for c in COSTS}


def measure_echoes(guest):
    """Of the network card, while its interrupts move."""
    card = NIC if guest.host == "xen" else virtio_irq(guest)[0]
    # A hundred moves a second; the loop ends by itself, a kill would cost more.
    churn = (f"(for ((i = 0; i < {ECHOES}; i++)); do for n in /sys/bus/pci/devices/{card}/msi_irqs/*;"
             " do echo $((i % 2)) >/proc/irq/${n##*/}/smp_affinity_list; done 2>/dev/null; "
             "sleep .01; done; true) & "
             f"ping -q -i .01 -c {ECHOES} 10.0.2.2 >/dev/null && wait")
    yield ("network", "echo, moved", ECHOES,
           cost_of(guest.ok(churn, count=True), guest.host, guest.table(card)))


def measure(guest, variant):
    """[(device, operation, number, cost)] of one variant, its paths, and that of EOIs."""
    guest.ok("rmmod pvirq hybrid 2>/dev/null; true")
    if variant.suite:
        idle = POLLS if variant.polls else "idle=kernel"
        guest.ok(f"insmod /suite/hybrid.ko {idle} && insmod /suite/pvirq.ko")
    guest.ok("sleep 1")
    found = []
    if not variant.polls:
        for name, device in (("nvme", TEST), ("e1000e", E1000E[guest.host])):
            found += measure_device(guest, name, device)
        if guest.host == "kvm":
            found += measure_virtio(guest)
        found += measure_echoes(guest)
    found += measure_reads(guest)
    paths, eoi_path = {}, None
    if variant.suite:
        for line in guest.ok("cat /sys/kernel/debug/pvirq/irqs").splitlines():
            words = line.split()
            paths[words[5]] = paths.get(words[5], 0) + 1
        eoi_path = guest.ok("cat /sys/module/hybrid/eoi/path").strip()
    return found, paths, eoi_path


class IrqBench:
    def __init__(self, report, quick):
        self.report = report
        self.repeats = QUICK_REPEATS if quick else REPEATS

    def missing(self, its_spec):
        """[(repeat, variant)]. Who fails has more, of another boot."""
        its = [r for r in self.report.data["irqs"]
               if (r["host"], r["kernel"]) == (its_spec["host"], its_spec["kernel_name"])
               and r["variant"] in map(name_of, its_spec["bench"])]
        have = {(r["repeat"], r["variant"]) for r in its}

        def of(repeats):
            # Every other time the other way round: who comes second has a guest that ran longer.
            return [(repeat, v) for repeat in range(repeats)
                    for v in its_spec["bench"][::-1 if repeat % 2 else 1]
                    if (repeat, name_of(v)) not in have]
        fails = any(verdict == FAIL for verdict, *_ in verdicts(its))
        return of(self.repeats) or (of(self.repeats + MORE) if fails else [])

    def visit(self, host, its_spec):
        for attempt in range(1, TRIES + 1):
            todo = self.missing(its_spec)
            if not todo:
                return
            try:
                host.start({k: v for k, v in its_spec.items() if k != "bench"})
                say(f"{its_spec['name']}: up")
                guest = Running(host, its_spec)
                bind_test_driver(guest, TEST, E1000E[guest.host])
                for load in (measure_reads, measure_echoes):    # in memory from now on
                    list(load(guest))
                for repeat, variant in todo:
                    self.keep(guest, variant, repeat, *measure(guest, variant))
                if not self.missing(its_spec):
                    return
                host.stop()
            except (GuestDied, Failure) as e:
                last = attempt == TRIES
                say(f"{its_spec['name']}: {e}")
                self.report.problem(its_spec["name"], "\n".join(
                    [str(e), *(host.console() if last else ())]), last)
                if not last:
                    host.stop()

    def keep(self, guest, variant, repeat, found, paths, eoi_path):
        for device, operation, number, cost in found:
            self.report.data["irqs"].append({
                "host": guest.host, "kernel": guest.kernel, "variant": name_of(variant),
                "paths": paths, "eoi_path": eoi_path, "device": device, "operation": operation,
                "repeat": repeat, "slow": slowed(), "operations": number, **cost})
        self.report.save()
        say(f"{guest.host}-{guest.kernel} {name_of(variant)} {repeat + 1}/{self.repeats}: "
            f"{len(found)} counts" + (f", {paths}" if paths else ""))


def bench(hosts, kernels, parts, payload, directory, report, quick):
    """Measures what the report does not have yet."""
    report.data.setdefault("irqs", [])
    todo = IrqBench(report, quick)
    for host in hosts:
        logs = f"{directory}/{host}-irq"
        os.makedirs(logs, exist_ok=True)
        for kernel in kernels:
            for part in parts:
                visit_guests(host, [g for g in guests(host, kernel, part) if todo.missing(g)],
                             payload, logs, todo.visit, report)


# -- what was measured (pure) ------------------------------------------------------------

def summarise(runs):
    """{(host, kernel): {(device, operation): {variant: cost per operation, "worst": ...}}}"""
    groups = {}
    for r in runs:
        groups.setdefault((r["host"], r["kernel"]), {}).setdefault(
            (r["device"], r["operation"]), {}).setdefault(r["variant"], []).append(r)
    return {place: {what: {variant: {
        **{c: median([r[c] / r["operations"] for r in every]) for c in COSTS},
        "least": min(r["exits"] / r["operations"] for r in every),
        "most": max(r["exits"] / r["operations"] for r in every),
        "least_told": min(told(r) / r["operations"] for r in every),
        "most_told": max(told(r) / r["operations"] for r in every),
        "paths": every[0]["paths"], "eoi_path": every[0]["eoi_path"]} for variant, every in rows.items()}
        for what, rows in table.items()} for place, table in groups.items()}


# Where one command does one operation its other exits are the command's, not the operation's.
LONG = ("interrupt", "read", "echo, moved")


def told(cost):
    """What the device, or the host in its place, was told."""
    return cost["table"] + cost["config"] + cost["calls"]


def table_lines(runs):
    for (host, kernel), table in summarise(runs).items():
        yield (f"== {host} {kernel}: accesses to the device's table + configuration space + "
               "hypercalls per operation (EOI exits, interrupt-window exits, all exits)")
        for (device, operation), rows in table.items():
            for variant, cost in rows.items():
                more = "".join(f" {cost[c]:8.2f}" for c in ("eoi", "window", "exits")
                               if operation in LONG)
                paths = ", ".join(f"{n} {path}" for path, n in cost["paths"].items())
                yield (f"{device:<9}{operation:<13}{variant:<22}{cost['table']:>8.2f}"
                       f"{cost['config']:>7.2f}{cost['calls']:>7.2f}{more:<28}  {paths}").rstrip()


# operation -> told at most, with the suite
MOST = {"request_irq": 3, "free_irq": 1, "move": 4, "stay": 0, "mask+unmask": 0}


def verdicts(runs):
    """[(verdict, where, what, text)]"""
    said = []
    for place, table in summarise(runs).items():
        for (device, operation), rows in table.items():
            said += [(v, "-".join(place), f"{device}, {operation}: {what}", text)
                     for v, what, text in judge(place[0], operation, rows)]
        said += [(v, "-".join(place), what, text) for v, what, text in judge_reads(table)]
    return said


def no_more(base, cost):
    """Their runs alternate: what is no worse has one among theirs (of five, but once in 252)."""
    return (PASS if cost["least"] <= base["most"] else FAIL,
            f"{base['exits']:.2f} ({base['least']:.2f} to {base['most']:.2f}) -> "
            f"{cost['exits']:.2f} ({cost['least']:.2f} to {cost['most']:.2f})")


def judge(host, operation, rows):
    for variant, cost in rows.items():
        if not variant.endswith(" + suite"):
            continue
        base = rows.get(variant.removesuffix(" + suite"))
        if not base:
            yield SKIP, variant, "not measured without it"
            continue
        if operation in MOST and set(cost["paths"]) == {"kernel"}:
            yield (PASS if cost["least_told"] <= base["most_told"] else FAIL, variant,
                   f"left to the kernel: {told(base):g} -> {told(cost):g}")
        elif operation in MOST:
            # An event's message is written anew, and its pirq asked about; freeing it costs nothing.
            new_event = operation == "request_irq" and "evtchn" in cost["paths"]
            most = told(base) if new_event else min(MOST[operation], told(base))
            yield (PASS if told(cost) <= most else FAIL, variant,
                   f"{told(base):g} -> {told(cost):g}, at most {most:g}")
        else:
            verdict, text = no_more(base, cost)
            yield verdict, f"{variant}: no more exits", text
        if operation == "interrupt" and variant.startswith("nopv"):
            yield judge_eoi(host, variant, base, cost, rows.get("default"))


def judge_eoi(host, variant, base, cost, upstream):
    """What the host promises to take without an exit: PV EOI; event channels."""
    what = f"{variant}: EOI"
    if host == "kvm" and cost["eoi_path"] == "pv-eoi":
        # KVM leaves an EOI to an exit when another interrupt waits behind it, which under
        # emulation is often so; to the kernel's own PV EOI, too.
        most = max(0.25, upstream["eoi"] if upstream else 0)
    elif host == "xen" and "pirqs" in variant and "evtchn" in cost["paths"]:
        most = 0
    else:
        return SKIP, what, f"{cost['eoi']:.2f}; no path for it here"
    # What is counted starts and ends inside a command: an interrupt on either side. And the port that
    # tells of it has some, of its own.
    return (PASS if cost["eoi"] <= most + 0.02 else FAIL, what,
            f"{base['eoi']:.2f} -> {cost['eoi']:.2f} exits per interrupt, at most {most:.2f}")


def judge_reads(table):
    """A plain HVM guest with the suite against a kernel with Xen's support: what the interrupts of
    its reads cost, and all exits, with those of the clock that a read's time brings."""
    rows = table.get(("nvme", "read"), {})
    ours, theirs = rows.get("nopv pirqs + suite, may poll"), rows.get("default, may poll")
    if ours and theirs:
        yield (PASS if ours["most"] < theirs["least"] else FAIL,
               "nvme, read: nopv pirqs + suite, polling, has fewer exits than default",
               no_more(theirs, ours)[1])
    ours, theirs = rows.get("nopv pirqs + suite"), rows.get("default")
    if not ours or not theirs:
        return
    what = "nvme, read: nopv pirqs + suite"
    cost, its_cost = (row["eoi"] + row["window"] + told(row) for row in (ours, theirs))
    yield (PASS if cost < its_cost else FAIL, f"{what} has fewer exits for interrupts than default",
           f"{its_cost:.2f} -> {cost:.2f}")
    verdict, text = no_more(theirs, ours)
    yield verdict, f"{what} has no more exits than default", text
