# SPDX-License-Identifier: GPL-2.0-only
"""Cases of migrate_notify: /dev/migrate-notify, and real migrations."""
import re
import time

from .cases import (BEFORE, NO_PING_PONG, PING_PONG, Wrong, case_clean, load, need, ok, polls_won,
                    status)
from .cases_pveoi import case_eoi_move
from .cases_migrate_user import (case_mn_born_rich, case_mn_cli, case_mn_orchestrated,
                                 start_worker, worker_blocks)
from .guests import everything, spec
from .images import is_debug
from .movable import moves_wanted
from .vm import hardware

EVENTS = "/run/lab/events"
CHURNS = 30

# name: (CPU that it boots on, CPU that it is moved to, usable there and not before,
#        there and still unusable). Only what mncheck tries by itself.
ROWS = {
    "plain": ("qemu64", "qemu64,+aes,+ssse3,+sse4.1,+sse4.2,+popcnt",
              {"aes", "ssse3", "sse4.1", "sse4.2"}, set()),
    "noxcr0": ("Nehalem", "Haswell-noTSX", {"aes", "bmi2"}, {"avx", "avx2"}),
    "usable": ("EPYC,-aes,-avx2,-bmi2", "EPYC", {"aes", "avx2", "bmi2"}, set()),
}


# KVM has no vmclock here, so that the fallback is tried too. The kernel that it is usually run on.
KVM_ROWS = {
    "nehalem": (("Nehalem", "EPYC", {"aes", "bmi2"}, {"avx", "avx2"}), "6.1"),
    "host": (("EPYC,-aes,-avx2,-bmi2", "host", {"aes", "avx2", "bmi2"}, set()), "6.12"),
}
# The other way round: a guest whose programs know from their start what vanishes. Only the one that
# is told may use it: libc would.
RICH_ROW = ("EPYC", "EPYC,-aes,-avx2,-bmi2", set(), set())
PLAIN_LIBC = "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-BMI2,-SSSE3,-SSE4_1,-SSE4_2"
POLLING_ROW = KVM_ROWS["host"][0]
# By host: the source that sees a migration, and the status that it gives.
SOURCES = {"bare": (3, 1), "kvm": (4, 4)}


def load_driver(guest, params=""):
    load(guest)
    ok(guest.run(f"insmod /suite/migrate_notify.ko {params}"), "insmod migrate_notify.ko")


def unload_driver(guest):
    ok(guest.run("rmmod migrate_notify && rmmod hybrid"), "rmmod")


def mncheck(guest, what, timeout=120):
    return ok(guest.run(f"mncheck {what}", timeout=timeout), f"mncheck {what}").strip()


def fields(text):
    """Lines "key word word" -> {key: set of words}."""
    return {line.split()[0]: set(line.split()[1:]) for line in text.splitlines() if line.split()}


def case_mn_device(guest):
    """Events, acks, refusals, deadlines; whatever is wrong is refused with the right error."""
    load_driver(guest)
    mncheck(guest, "bad")
    rounds = 400 if is_debug(guest.kernel) else 3334
    said = mncheck(guest, f"inject {rounds}", 300)
    guest.note(said)
    ready, told = (int(us) for us in re.findall(r"(\d+) us \(", said))
    crowds = [mncheck(guest, f"crowd {n}", 120)
              for n in ((1000,) if is_debug(guest.kernel) else (1000, 10000))]
    crowds.append(mncheck(guest, f"herd {100 if is_debug(guest.kernel) else 1000}", 120))
    for text in crowds:
        guest.note(text)
    if not is_debug(guest.kernel):
        # What is promised of real hardware, or as much more as this machine is busy with others.
        busy = max(1, int(re.search(r"system call (\d+) ns", said)[1]) / 1000)
        need(ready <= 5000 * busy and told <= 10000 * busy, f"medians: {said}")
        us = int(re.search(r"acked in (\d+) us", crowds[0])[1])
        need(us <= 50000 * busy, f"1,000 subscribers: {crowds[0]}; {said}")
    mncheck(guest, "refuse")
    guest.note(mncheck(guest, "deadline 300"))
    guest.note(mncheck(guest, "phases"))
    mncheck(guest, "cursors")
    guest.note(mncheck(guest, "race 2000"))
    guest.note(ok(guest.run("cp /suite/bin/mncheck /tmp; mncheck hold >/tmp/held & pid=$!\n"
                            "until grep -q holding /tmp/held; do sleep .1; done\n"
                            "setpriv --reuid 65534 --regid 65534 --clear-groups "
                            "/tmp/mncheck users; rc=$?; kill $pid; wait; exit $rc"),
                  "an ordinary user").strip())
    unload_driver(guest)


def case_mn_unload(guest):
    """With a descriptor open, unloading is refused; afterwards nothing is left."""
    ok(guest.run("dmesg -C"), "dmesg -C")
    load_driver(guest)
    log = ok(guest.run("dmesg"), "dmesg")
    lines = [l for l in log.splitlines() if "migrate_notify:" in l and "taint" not in l
             and "verification failed" not in l]
    need(len(lines) == 1, f"load says {len(lines)} lines, not one: {lines}")
    done = guest.run("mncheck hold >/tmp/held & pid=$!\n"
                     "until grep -q holding /tmp/held; do sleep .1; done\n"
                     "mncheck prepare 5 60000\n"
                     "rmmod migrate_notify; echo rmmod=$?\n"
                     "kill $pid; wait; mncheck page | grep -E 'phase|subscribers'\n"
                     "rmmod migrate_notify; echo rmmod=$?")
    said = done["out"]
    need("rmmod=1" in said and "rmmod=0" in said, said)
    # Its death was its ack.
    need("phase 2" in said and "subscribers 1" in said, said)
    ok(guest.run("test ! -e /dev/migrate-notify"), "left behind")
    guest.note(mncheck(guest, f"churn {CHURNS} /suite/migrate_notify.ko", 300))
    ok(guest.run("rmmod hybrid"), "rmmod hybrid")
    for bad in ("timeout_ms=0", "max_timeout_ms=0", "timeout_ms=5000 max_timeout_ms=4000",
                "timeout_ms=x", "abandoned_s=0"):
        load(guest)
        need(guest.run(f"insmod /suite/migrate_notify.ko {bad}")["rc"] != 0, f"{bad}: loaded")
        ok(guest.run("test ! -e /dev/migrate-notify && rmmod hybrid"), f"after {bad}")


def case_mn_chain(guest):
    """A kernel subscriber prepares last, is always told in pairs, and holds the module."""
    load_driver(guest)
    ok(guest.run("insmod /suite/migrate_chain.ko && dmesg -C"), "insmod migrate_chain.ko")

    def told():
        return re.findall(r"migrate_chain: (.*)", ok(guest.run("dmesg"), "dmesg"))

    need(guest.run("rmmod migrate_notify")["rc"] != 0, "unloaded under its user")
    ok(guest.run("mncheck hold >/tmp/held & echo $! >/tmp/pid\n"
                 "until grep -q holding /tmp/held; do sleep .1; done\n"
                 "mncheck prepare 5 60000"), "prepare")
    need(not told(), f"before the programs: {told()}")
    ok(guest.run("kill $(cat /tmp/pid); sleep .3"), "kill")
    need(told() == ["prepare 5 status 0"], f"{told()}")
    mncheck(guest, "complete 5 3")
    mncheck(guest, "complete 6 1")
    need(told()[1:] == ["complete 5 status 3", "prepare 6 status 0", "complete 6 status 1"],
         f"{told()}")
    ok(guest.run("rmmod migrate_chain"), "rmmod")
    unload_driver(guest)


def case_mn_hotplug(guest):
    """A CPU goes and comes: the features stay, and nothing is told of what did not change."""
    load_driver(guest)
    before = fields(mncheck(guest, "page"))
    ok(guest.run("cd /sys/devices/system/cpu/cpu1 && echo 0 >online && sleep 1"), "offline")
    need(fields(mncheck(guest, "page"))["cpus"] == {str(int(*before["cpus"]) - 1)},
         "the page does not know that a CPU went")
    ok(guest.run("cd /sys/devices/system/cpu/cpu1 && for i in 1 2 3; do echo 1 >online; sleep .3; "
                 "echo 0 >online; done; echo 1 >online; sleep 1"), "hotplug")
    after = fields(mncheck(guest, "page"))
    need(before["usable"] == after["usable"] and before["cpus"] == after["cpus"] and
         after["generation"] == {"0"}, f"{after}")
    unload_driver(guest)


def compare(guest, when):
    """What the driver says is usable is what runs here, for what can be tried."""
    truth, page = fields(mncheck(guest, "truth")), fields(mncheck(guest, "page"))
    tried = {"ssse3", "sse4.1", "sse4.2", "aes", "avx", "avx2", "bmi2", "osxsave"}
    usable = page["usable"] & tried
    # A hypervisor hides features from CPUID, but few from who just uses them; QEMU does.
    need(usable == truth["runs"] if guest.host == "bare" else usable <= truth["runs"],
         f"{when}: usable {usable}, but these run: {truth['runs']}")
    known = {"ssse3", "sse4.1", "sse4.2", "popcnt", "aes", "osxsave", "avx", "fma", "bmi", "avx2",
             "bmi2", "sha"}
    seen = page["usable"] | page["no_xcr0"] | page["no_kernel"]
    need(seen & known == truth["cpuid"], f"{when}: present {seen & known}, CPUID {truth['cpuid']}")
    return page


def wait_for(guest, pattern, seconds=10, times=1):
    """The events so far, once so many of them match."""
    end = time.monotonic() + seconds
    while True:
        text = ok(guest.run(f"cat {EVENTS}"), "events")
        found = len(re.findall(f"(?m)^{pattern}", text))
        if found >= times:
            return text
        if time.monotonic() > end:
            raise Wrong(f"{found} {pattern!r} of {times} within {seconds} s:\n{text[-2000:]}")


def parse_events(text):
    """[{type, seq, op, ..., added, removed}]"""
    events = []
    for line in text.splitlines():
        if line.startswith("  "):
            events[-1][line.split()[0]] = set(line.split()[1:])
        elif "=" in line:
            kind, *pairs = line.split()
            events.append({"type": kind, **{k: int(v) for k, v in
                                            (pair.split("=") for pair in pairs)}})
    return events


def paired(events):
    """Sequence numbers without a gap, and exactly one COMPLETE for each PREPARE."""
    numbers = [e["seq"] for e in events]
    need(numbers == list(range(numbers[0], numbers[0] + len(numbers))), f"numbers {numbers}")
    open_op = None
    for e in events:
        if e["type"] == "prepare":
            need(open_op is None, f"a prepare in a prepare: {events}")
            open_op = e["op"]
        elif e["type"] == "complete":
            need(open_op == e["op"], f"a complete alone: {events}")
            open_op = None
    need(open_op is None, f"a prepare alone: {events}")
    ops = [e["op"] for e in events if e["type"] == "complete"]
    need(len(set(ops)) == len(ops), f"an operation twice: {ops}")
    return len(ops)


def watch(guest, completes):
    ok(guest.run(f"rm -f {EVENTS}; setsid mncheck watch {EVENTS} {completes} >/dev/null 2>&1 & "
                 f"until grep -q watching {EVENTS} 2>/dev/null; do sleep .1; done"), "watch")


def move_idle(guest, cpu):
    """To that CPU, while nothing runs: a network card tells, or else the first thing that runs."""
    card = not guest.spec["name"].endswith("noxcr0")
    if not card:
        ok(guest.run("cd /sys/bus/virtio/drivers/virtio_net && for d in virtio*; do "
                     "echo $d >unbind; done"), "unbind")
    # It starts on the richer CPU.
    ok(guest.run(f"{PLAIN_LIBC} setsid mncheck woken >/run/lab/woken 2>&1 &\n"
                 "until grep -q watching /run/lab/woken; do sleep .1; done"), "mncheck woken")
    guest.move(cpu)
    resumed = time.monotonic()
    time.sleep(1)           # nothing but that may wake anything
    asked = time.monotonic()
    late = (asked - resumed) * 1000 - int(mncheck(guest, "age"))
    need(late < 500, f"an idle guest was told {late:.0f} ms after it resumed")
    woken = ok(guest.run("for i in $(seq 100); do grep ' us ' /run/lab/woken && exit; sleep .1; "
                         "done; cat /run/lab/woken; exit 1"), "woken").strip()
    need(int(re.search(r"(\d+) us", woken)[1]) < 1000000, f"woken: {woken}")
    guest.note(f"idle guest {'with' if card else 'without'} a network card: {woken}")


def case_mn_move(guest):
    """A real migration: prepare and complete exactly once, and the right features after it."""
    there, added, unusable = guest.spec["row"]
    here = guest.spec["cpu"]
    load_driver(guest)
    before = compare(guest, "before")
    source, status_ = SOURCES[guest.host]
    need(str(source) in before["active"], f"source {source} not found: {before['active']}")
    cpuinfo = ok(guest.run("grep -m1 flags /proc/cpuinfo"), "cpuinfo")

    back = guest.host != "kvm"  # which refuses a poorer CPU's destination
    watch(guest, 1 + back)
    ok(guest.run("setsid mncheck resumed >/run/lab/resumed 2>&1 &\n"
                 "until grep -q watching /run/lab/resumed; do sleep .1; done"), "mncheck resumed")
    # Announced, and then found by vmclock and told by the orchestrator: one COMPLETE.
    need("ok" in mncheck(guest, "prepare 42 5000"), "prepare")
    wait_for(guest, "ready .*op=42")
    downtime = guest.move(there)
    if guest.host == "bare":
        told = mncheck(guest, "complete 42 1")
        need(told in ("42 ok", "42 EALREADY"), told)
    events = parse_events(wait_for(guest, "complete .*op=42"))
    done = events[-1]
    if guest.host == "kvm":
        # A clock guesses: what changed is told at once, and that this was it, only later.
        need([e["type"] for e in events] == ["prepare", "ready", "changed", "complete"],
             f"{events}")
        done["added"] |= events[2]["added"]
    else:
        need([e["type"] for e in events] == ["prepare", "ready", "complete"], f"{events}")
    resumed = ok(guest.run("tail -n 1 /run/lab/resumed"), "resumed").strip()
    late = int(re.search(r"read after (\d+) us", resumed)[1])
    # It reads the clock before it is stopped. 100 ms are promised of real hardware; emulated CPUs
    # may stand still for longer than that.
    late -= downtime * 1000
    need(late < 1000000, f"a busy guest: {resumed}, downtime {downtime} ms")
    after = compare(guest, "after")
    need(added <= done["added"], f"added {done['added']}, not {added}")
    need(not done["removed"], f"removed {done['removed']}")
    need(done["added"] == after["usable"] - before["usable"] == after["added"], f"{done}")
    need(unusable <= after["no_xcr0"], f"no_xcr0 {after['no_xcr0']}")
    need(ok(guest.run("grep -m1 flags /proc/cpuinfo"), "cpuinfo") == cpuinfo,
         "/proc/cpuinfo is not stale any more")
    guest.note(f"{here} -> {there}: {len(done['added'])} added, unusable "
               f"{' '.join(sorted(after['no_xcr0'])) or 'none'}, source {done['source']}, "
               f"downtime {downtime} ms, told {late / 1000:.0f} ms after it; {resumed}")

    if not back:
        paired(events)
        unload_driver(guest)
        return
    # Back, unannounced: the clock alone tells, and features vanish.
    move_idle(guest, here)
    events = parse_events(wait_for(guest, "complete ", times=2))
    last = events[-2:]
    need(last[0]["type"] == "prepare" and last[0]["flags"] & 1 and last[1]["type"] == "complete"
         and last[1]["source"] == source and last[1]["status"] == status_, f"{last}")
    need(last[1]["removed"] == done["added"] and not last[1]["added"], f"{last}")
    paired(events)
    compare(guest, "back")
    need(status(guest)["generation"] == 3, "hybrid did not decide anew after each")
    unload_driver(guest)


def case_mn_polling(guest):
    """Two CPUs wake each other by polling while they are moved: it goes on, and is judged anew."""
    there, added, _ = guest.spec["row"]
    load_driver(guest)

    def costs():
        out = ok(guest.run("cd /sys/module/hybrid && "
                           "cat platform/generation cost/exit_ns cost/halt_ns"), "costs")
        return tuple(map(int, out.split()))

    ok(guest.run(PING_PONG), "pingpong")
    polls_won(guest, BEFORE)
    generation, exit_ns, halt_ns = costs()
    watch(guest, 1)
    downtime = guest.move(there)
    events = parse_events(wait_for(guest, "complete ", 30))
    paired(events)
    need(added <= events[-1]["added"], f"added {events[-1]['added']}, not {added}")
    after = costs()
    said = f"exit {exit_ns} -> {after[1]} ns, halt {halt_ns} -> {after[2]} ns"
    again = polls_won(guest, f"after the move, {said}")
    need(after[0] == generation + 1, f"costs are not measured anew: generation {after[0]}")
    need(after[1] and after[2] and after[1:] != (exit_ns, halt_ns), f"not measured anew: {said}")
    ok(guest.run(NO_PING_PONG), "pkill pingpong")
    guest.note(f"downtime {downtime} ms; 100 polls won within {again:.1f} s after it; {said}")
    unload_driver(guest)


def case_mn_moves(guest):
    """Migrations back to back: none lost, doubled or alone; the features right each time; who
    computes meanwhile is never wrong."""
    count = moves_wanted(4)
    there, added, _ = guest.spec["row"]
    here = guest.spec["cpu"]
    load_driver(guest)
    watch(guest, count)
    start_worker(guest)
    for i in range(count):
        mncheck(guest, f"ready {i + 1}")
        guest.move(here if i % 2 else there)
        wait_for(guest, "complete ", 30, i + 1)
    events = parse_events(wait_for(guest, "complete ", times=count))
    need(paired(events) == count, f"{paired(events)} operations of {count} migrations")
    need([e["type"] for e in events] == ["prepare", "ready", "complete"] * count, f"{events}")
    ends = [e for e in events if e["type"] == "complete"]
    for i, e in enumerate(ends):
        need(added <= e["removed" if i % 2 else "added"] and
             not e["added" if i % 2 else "removed"], f"migration {i}: {e}")
    # Each prepare leaves open what vanishes.
    blocks = worker_blocks(guest, "plain", *(("avx2", "sse42") if "avx2" in added else ("aesni",)))
    guest.note(f"{count} migrations, {len(events)} events, each once; {blocks}")
    unload_driver(guest)


def case_mn_inject_busy(guest):
    """Events injected while a worker follows each of them: none lost, and no wrong block."""
    load_driver(guest)
    start_worker(guest)
    rounds = 3334 if moves_wanted(4) >= 100 else 100
    said = mncheck(guest, f"inject {rounds} 1", 600)
    guest.note(f"{said}; {worker_blocks(guest, 'sse42', 'plain')}")
    unload_driver(guest)


XEN = "/local/domain/$GUEST"
XEN_REQUEST, XEN_ACK = (f"{XEN}/control/migrate-notify-{node}" for node in ("request", "ack"))
XEN_TOOL = "/lab/bin/migrate-notify-host run --xen $GUEST --deadline 60000"


def xen_nodes(guest):
    """What the host's tool makes itself."""
    guest.on_host(f"xenstore-write {XEN_REQUEST} '' {XEN_ACK} ''; "
                  f"xenstore-chmod {XEN_REQUEST} n0 r$GUEST; xenstore-chmod {XEN_ACK} n0 b$GUEST")


def xen_ask(guest, text, want):
    """Writes a request, and waits for that answer to it."""
    said = guest.on_host(
        f"xenstore-write {XEN_ACK} '' {XEN_REQUEST} '{text}'; for i in $(seq 100); do "
        f"said=$(xenstore-read {XEN_ACK}); [ \"$said\" ] && break; sleep .1; done; echo $said")
    need(said.strip() == want, f"{text}: {said.strip()!r}, not {want!r}")


def xen_listens(guest):
    guest.on_host(f"for i in $(seq 100); do [ \"$(xenstore-read {XEN}/data/migrate-notify)\" = 1 ]"
                  " && exit; sleep .2; done; exit 1")


def xen_told(guest, op, kinds, status_, source=2):
    """The events of an operation, which are these and no others; what its end says."""
    events = parse_events(wait_for(guest, f"complete .*op={op} " if op else "complete ", 60))
    mine = [e for e in events if e["op"] == op]
    need([e["type"] for e in mine] == kinds and mine[-1]["status"] == status_ and
         mine[-1]["source"] == source, f"operation {op}: {events}")
    paired(events)
    return mine[-1]


def case_mn_saved(guest):
    """Xen: announced by the host's tool, saved, restored; suspends that are cancelled or fail."""
    load_driver(guest)
    before = compare(guest, "before")
    need("2" in before["active"], "source xen not found")
    xen_listens(guest)
    watch(guest, 100)
    xen_nodes(guest)
    xen_ask(guest, "prepare 5 2x", "error 5 22")
    # Asked again, as a chmod of the node does too: answered again.
    for _ in range(2):
        xen_ask(guest, "prepare 6 60000 +avx2", "ready 6 0")
    xen_ask(guest, "complete 6 cancelled", "complete 6 2")
    whole = ["prepare", "ready", "moving", "complete"]

    guest.move(f"{XEN_TOOL} --op 42 --appear avx2 --")
    done = xen_told(guest, 42, whole, 1)
    need(not done["added"] and not done["removed"], f"Xen keeps the features: {done}")
    after = compare(guest, "restored")
    need(after["usable"] == before["usable"], "other features")
    # The restored domain's directory is a new one: it says again that it listens.
    xen_listens(guest)
    # A checkpoint: the domain is suspended, and goes on where it was.
    guest.on_host(f"{XEN_TOOL} --op 43 -- timeout 300 xl save -c g /run/g.save && rm /run/g.save")
    back = xen_told(guest, 43, whole, 2)
    # A host that gives up before.
    said = guest.on_host(f"! {XEN_TOOL} --op 44 -- false")
    need("op 44: complete, failed" in said, said)
    xen_told(guest, 44, ["prepare", "ready", "complete"], 3)
    ok(guest.run("pkill mncheck"), "pkill")
    unload_driver(guest)
    guest.note(f"saved and restored: success, told after {done['ago_us']} us; checkpoint: "
               f"cancelled, after {back['ago_us']} us; host that fails: failed")


def case_mn_freeze_fails(guest):
    """Xen: another device cannot be frozen, after ours was: the operation failed, once."""
    # A request that is there already is none for a driver that comes later.
    xen_nodes(guest)
    guest.on_host(f"xenstore-write {XEN_REQUEST} 'prepare 7 60000'")
    ok(guest.run("insmod /suite/freeze_fails.ko"), "insmod freeze_fails.ko")
    load_driver(guest)
    watch(guest, 100)
    need(fields(mncheck(guest, "page"))["generation"] == {"0"}, "an old request was taken")
    for op in (45, 46):
        xen_ask(guest, f"prepare {op} 60000", f"ready {op} 0")
        # As libxl asks for it, which would wait for a minute.
        guest.on_host(f"xenstore-write {XEN}/control/shutdown suspend")
        xen_told(guest, op, ["prepare", "ready", "moving", "complete"], 3)
        need(guest.on_host(f"xenstore-read {XEN_ACK}").strip() == f"complete {op} 3", "answer")
    # And one that nobody announced, and that came to nothing: no event.
    guest.on_host(f"xenstore-write {XEN}/control/shutdown suspend; sleep 3")
    need(fields(mncheck(guest, "page"))["generation"] == {"8"}, "an event of nothing")
    need("dpm_suspend_start" in ok(guest.run("dmesg"), "dmesg"), "nothing failed to freeze")
    ok(guest.run("pkill mncheck"), "pkill")
    unload_driver(guest)
    ok(guest.run("rmmod freeze_fails && dmesg -C"), "rmmod freeze_fails")


DEVICE = [case_mn_device, case_mn_unload, case_mn_chain, case_mn_hotplug, case_mn_cli]


def movable(host, kernel, name, cases, row=None, variant="default", host_cpus=1, extra=""):
    """A guest to be moved."""
    one = spec(host, kernel, variant, host_cpus=host_cpus, extra=extra)
    one.update(name=f"{host}-{kernel}-move-{name}", cases=cases)
    if row:
        one.update(cpu=row[0], row=row[1:])
    return one


def polling(kernel):
    """Guests to be moved while they poll, the last ones on a KVM host with two CPUs."""
    if hardware() or is_debug(kernel) or not everything():
        return []
    return [movable("kvm", kernel, "polling", [case_mn_polling, case_clean], POLLING_ROW,
                    host_cpus=2)]


def groups(host, kernels):
    """The groups of guests for check.run_host()."""
    stock = [k for k in kernels if not is_debug(k)]
    every = everything()
    if hardware() or host != "bare" and not stock:  # the CPU models of ROWS are QEMU's own
        return []
    if host == "kvm":
        # Not on one boot: under emulation the next guest was seen to hang after a migration.
        return [*([movable(host, k, name, [case_mn_move, case_clean], row)]
                  for name, (row, usual) in KVM_ROWS.items() for k in stock if every or k == usual),
                *([movable(host, k, "eoi", [case_eoi_move, case_clean], ("host",), "nopv")]
                  for k in stock if every)]
    if host == "xen":
        result = []
        for kernel in stock if every else ():
            one = movable(host, kernel, "saved", [case_mn_saved, case_mn_freeze_fails, case_clean])
            # All of it goes into a file in dom0's memory. By its serial port it loses bytes.
            one.update(mem=256, saved=True)
            result.append([one])
        return result
    result = []
    for kernel in kernels:
        debug = is_debug(kernel)
        for name, row in ROWS.items():
            first = name == "plain"
            # KASAN and lockdep, once
            if debug and not first:
                continue
            cases = [*(DEVICE if first else []), case_mn_move,
                     *([case_mn_inject_busy] if name == "usable" else []),
                     *([case_mn_moves] if name == "usable" or debug else []),
                     # 6.1's guest has no virtio_console in its initramfs
                     *([case_mn_orchestrated] if name == "usable" and kernel == "6.12" else []),
                     case_clean]
            result.append([movable(host, kernel, name, cases, row)])
        if kernel == "6.12":
            result.append([movable(host, kernel, "rich", [case_mn_born_rich, case_clean], RICH_ROW,
                                   extra=PLAIN_LIBC)])
    return result
