# SPDX-License-Identifier: GPL-2.0-only
"""Exits by reason, as the hypervisor counts them: KVM's tracepoints, Xen's trace buffer.

The parsers are pure, so that they are tested without a hypervisor (test_all.py).
"""
import re
import struct

# The control port (second serial port): what it costs is reported apart.
LAB_PORTS = range(0x2F8, 0x300)

# AMD APM vol. 2, appendix C.
SVM = {
    0x60: "INTR", 0x61: "NMI", 0x62: "SMI", 0x64: "VINTR", 0x65: "CR0_SEL_WRITE",
    0x6E: "RDTSC", 0x72: "CPUID", 0x73: "RSM", 0x74: "IRET", 0x75: "SWINT", 0x76: "INVD",
    0x77: "PAUSE", 0x78: "HLT", 0x79: "INVLPG", 0x7B: "IOIO", 0x7C: "MSR",
    0x7F: "SHUTDOWN", 0x80: "VMRUN", 0x81: "VMMCALL", 0x87: "RDTSCP", 0x89: "WBINVD",
    0x8A: "MONITOR", 0x8B: "MWAIT", 0x8D: "XSETBV", 0x400: "NPF",
    0x401: "AVIC_INCOMPLETE_IPI", 0x402: "AVIC_NOACCEL",
}
# Intel SDM vol. 3, appendix C.
VMX = {
    0: "EXCEPTION_NMI", 1: "INTR", 7: "INTR_WINDOW", 8: "NMI_WINDOW", 10: "CPUID",
    12: "HLT", 14: "INVLPG", 16: "RDTSC", 18: "VMCALL", 28: "CR", 29: "DR", 30: "IOIO",
    31: "MSR_READ", 32: "MSR_WRITE", 36: "MWAIT", 39: "MONITOR", 40: "PAUSE",
    43: "TPR_BELOW_THRESHOLD", 44: "APIC_ACCESS", 45: "VIRTUALIZED_EOI", 48: "EPT_VIOLATION",
    49: "EPT_MISCONFIG", 51: "RDTSCP", 52: "PREEMPTION_TIMER", 54: "WBINVD", 55: "XSETBV",
    56: "APIC_WRITE",
}


def reason_name(code, isa):
    table = VMX if isa == "vmx" else SVM
    if code in table:
        return table[code]
    if isa == "svm" and 0x40 <= code < 0x60:
        return f"EXCP_{code - 0x40}"
    if isa == "svm" and code < 0x20:
        return f"CR{code % 16}_{'WRITE' if code >= 16 else 'READ'}"
    return f"0x{code:x}"


class LostRecords(Exception):
    """The hypervisor could not record everything: the counts are worthless."""


def entries_agree(counts):
    """Each exit is followed by an entry; one may fall on both sides of the bracket's ends."""
    return abs(counts["total"] - counts["entries"]) <= max(30, counts["total"] // 100)


# Of Linux (asm/irq_vectors.h): from here on timers and IPIs, below it devices.
FIRST_SYSTEM_VECTOR = 0xec


def device_eois(counts):
    """EOIs of devices' interrupts for which the guest exited."""
    detail = counts["detail"]

    def of(table, devices):
        return sum(n for name, n in detail[table].items()
                   if (int(name.split()[-1]) < FIRST_SYSTEM_VECTOR) == devices)

    if "eoi" in detail:
        return of("eoi", True) - of("pv_eoi", True)
    # Xen says no vector with an EOI; of timers and IPIs each has one. By the x2APIC, or, as nopv
    # kernels do, by the xAPIC.
    written = detail["msr"].get("W 0x80b", 0) + detail["mmio"].get("W 0xfee000b0", 0)
    return written - of("injected", False)


# -- KVM: histogram triggers, summed in the host's kernel -------------------------------

_ENTRY = re.compile(r"^\{(?P<keys>[^}]*)\}\s+hitcount:\s+(?P<n>\d+)")
_DROPPED = re.compile(r"^\s*Dropped:\s+(\d+)")


def parse_hist(text):
    """A tracefs `hist` file -> {(key values as ints or strings, ...): hits}."""
    result = {}
    dropped = None
    for line in text.splitlines():
        line = line.strip()
        m = _ENTRY.match(line)
        if m:
            keys = []
            for item in m.group("keys").split(","):
                value = item.split(":", 1)[1].strip()
                try:
                    keys.append(int(value, 0))
                except ValueError:
                    keys.append(value)
            result[tuple(keys)] = result.get(tuple(keys), 0) + int(m.group("n"))
            continue
        m = _DROPPED.match(line)
        if m:
            dropped = int(m.group(1))
    if dropped is None:
        raise LostRecords("histogram without its totals")
    if dropped:
        raise LostRecords(f"{dropped} events did not fit the histogram")
    return result


def kvm_counts(hists, isa):
    """{event name: parsed histogram} -> the counts of one bracket.

    Exits are keyed by (reason, info1): info1 holds the port of an I/O exit on both SVM
    (EXITINFO1) and VMX (exit qualification) in its upper half, so one histogram, frozen in
    one moment, tells the control port's exits from the guest's.
    """
    exits, pio = {}, {}
    lab = 0
    for (code, info), n in hists["kvm_exit"].items():
        name = reason_name(code, isa)
        exits[name] = exits.get(name, 0) + n
        if name == "IOIO":
            port = info >> 16 & 0xFFFF
            if port in LAB_PORTS:
                lab += n
            else:
                _add(pio, f"{'RW'[_is_out(info, isa)]} 0x{port:x}", n)
    msr, mmio = {}, {}
    for (number, write), n in hists["kvm_msr"].items():
        _add(msr, f"{'RW'[bool(write)]} 0x{number:x}", n)
    for (kind, gpa), n in hists["kvm_mmio"].items():
        # 0 unsatisfied read, 1 read, 2 write (include/trace/events/kvm.h): the first
        # is always followed by the second.
        if kind:
            _add(mmio, f"{'RW'[kind == 2]} 0x{gpa:x}", n)
    hypercall = {str(nr): n for (nr,), n in hists["kvm_hypercall"].items()}
    # All EOIs, and those among them that the guest left in memory: "CPU vector".
    eoi, pv_eoi = ({f"{cpu} {vector}": n for (cpu, vector), n in hists[name].items()}
                   for name in ("kvm_eoi", "kvm_pv_eoi"))
    return _counts(exits, lab, sum(hists["kvm_entry"].values()),
                   msr=msr, pio=pio, mmio=mmio, hypercall=hypercall, eoi=eoi, pv_eoi=pv_eoi)


def _is_out(info, isa):
    """Direction of an I/O exit: SVM bit 0 set is IN; VMX bit 3 set is IN."""
    return not info >> (3 if isa == "vmx" else 0) & 1


def _add(table, name, n=1):
    table[name] = table.get(name, 0) + n


def _counts(exits, lab, entries, **detail):
    """The control port's own exits are kept beside the guest's, not among them."""
    if lab:
        exits["IOIO"] -= lab
        if not exits["IOIO"]:
            del exits["IOIO"]

    def ranked(table):
        return dict(sorted(table.items(), key=lambda kv: -kv[1]))

    return {"total": sum(exits.values()), "exits": ranked(exits), "lab_exits": lab,
            "entries": entries - lab, "detail": {k: ranked(v) for k, v in detail.items()}}


# -- Xen: the trace buffer ---------------------------------------------------------------
# xen/include/public/trace.h and xentrace's record format.

TRC_TRACE_LOST, TRC_CPU_CHANGE = 0x1F001, 0x1F003
VMENTRY = (0x81001, 0x81401)
# Exit and exit from 64-bit mode, with 32-bit and 64-bit addresses.
VMEXIT = (0x81002, 0x81003, 0x81102, 0x81103, 0x81402, 0x81403)
INJECTED = 0x82004
MSR_READ, MSR_WRITE, HYPERCALL = 0x8200C, 0x8200D, 0x82012
PIO_READ, PIO_WRITE, MMIO_READ, MMIO_WRITE = 0x82016, 0x82216, 0x82017, 0x82217


def xen_records(data):
    """The raw file -> (event, tsc or None, extra words) in file order."""
    at, size = 0, len(data)
    while at + 4 <= size:
        (head,) = struct.unpack_from("<I", data, at)
        at += 4
        event, extra = head & 0x0FFFFFFF, head >> 28 & 7
        need = (8 if head >> 31 else 0) + 4 * extra
        if at + need > size:
            raise LostRecords("the trace ends inside a record")
        tsc = None
        if head >> 31:
            (tsc,) = struct.unpack_from("<Q", data, at)
            at += 8
        yield event, tsc, struct.unpack_from(f"<{extra}I", data, at)
        at += 4 * extra


def xen_counts(data, isa="svm"):
    """A whole xentrace file -> the counts between the go-ahead and the end mark.

    xentrace runs longer than the bracket, so the control port itself is the bracket: the
    go-ahead is the first access to it in the trace, the end mark the first byte sent.
    """
    records = []
    last = {}       # CPU -> time of its last record
    cpu = 0
    for event, stamp, extra in xen_records(data):
        if event == TRC_TRACE_LOST:
            raise LostRecords("xentrace lost records")
        if event == TRC_CPU_CHANGE:
            cpu = extra[0]
            continue
        # A record without a time stamp belongs to the one before it, on its CPU.
        if stamp is not None:
            last[cpu] = stamp
        records.append((last.get(cpu, 0), event, extra))
    records.sort(key=lambda r: r[0])    # each CPU's records come in bunches; stable

    exits, entries, lab = {}, 0, 0
    msr, pio, mmio, hypercall, injected = {}, {}, {}, {}, {}
    begun = ended = False

    for _, event, extra in records:
        if event in (PIO_READ, PIO_WRITE) and extra[0] in LAB_PORTS:
            if not begun:
                # Its own exit came before it, and is not in the bracket.
                begun = True
                continue
            if event == PIO_WRITE and extra[0] == LAB_PORTS[0]:
                ended = True
                lab += 1
                break
            lab += 1
            continue
        if not begun:
            continue
        if event in VMEXIT:
            _add(exits, reason_name(extra[0], isa))
        elif event in VMENTRY:
            entries += 1
        elif event in (PIO_READ, PIO_WRITE):
            _add(pio, f"{'RW'[event == PIO_WRITE]} 0x{extra[0]:x}")
        elif event in (MMIO_READ, MMIO_WRITE):
            _add(mmio, f"{'RW'[event == MMIO_WRITE]} 0x{extra[0]:x}")
        elif event in (MSR_READ, MSR_WRITE):
            _add(msr, f"{'RW'[event == MSR_WRITE]} 0x{extra[0]:x}")
        elif event == HYPERCALL:
            _add(hypercall, str(extra[0]))
        elif event == INJECTED and not extra[1]:    # not only a window asked for
            _add(injected, str(extra[0]))
    if not ended:
        raise LostRecords("the trace does not hold the whole bracket")
    return _counts(exits, lab, entries, msr=msr, pio=pio, mmio=mmio, hypercall=hypercall,
                   injected=injected)
