# SPDX-License-Identifier: GPL-2.0-only
"""The lab's cases. Each takes a running guest and raises Wrong when it is not as it should be.

A case is listed with where it applies; it gets a Guest (check.py) whose run() gives the exit
code, the output and, if asked, the exits that the host counted.
"""
import json
import os
import re
import time

from .counts import entries_agree
from .guests import everything, expected
from .images import is_debug
from .link import GuestDied
from .vm import hardware


class Wrong(Exception):
    """The suite misbehaved."""


class Skip(Exception):
    """Does not apply here, and why."""


def need(condition, text):
    if not condition:
        raise Wrong(text)


def ok(result, what):
    need(result["rc"] == 0, f"{what}: exit code {result['rc']}: {result['out'].strip()[-600:]}")
    return result["out"]


def load(guest, params=""):
    ok(guest.run(f"insmod /suite/hybrid.ko {params}"), "insmod hybrid.ko")


def unload(guest):
    ok(guest.run("rmmod hybrid"), "rmmod hybrid")


def status(guest):
    return json.loads(ok(guest.run("hybridctl status --json"), "hybridctl status --json"))


# -- cases -------------------------------------------------------------------------------

def case_without_module(guest):
    """hybridctl says that the module is missing, and still names the hypervisor."""
    found = status(guest)
    hypervisor, _, _ = expected(guest.host, guest.variant)
    need(found["module"] is False, "says that the module is loaded")
    need(found["hypervisor"] == hypervisor, f"hypervisor {found['hypervisor']}, not {hypervisor}")
    human = ok(guest.run("hybridctl status"), "hybridctl status")
    need("not loaded" in human, "does not say that the module is not loaded")


def case_bad_parameters(guest):
    """A wrong parameter is refused with a message that helps, and nothing stays behind."""
    for bad in ("idle=fast", "eoi=", "timer=kernel,auto", "msi_mask=KERNEL", "nonsense_op=1"):
        done = guest.run(f"dmesg -C; insmod /suite/hybrid.ko {bad}; rc=$?; dmesg; exit $rc")
        if bad.startswith("nonsense"):
            # The kernel ignores unknown parameters with a warning of its own.
            need(done["rc"] == 0 and "unknown parameter" in done["out"], f"{bad}: {done['out']}")
            unload(guest)
            continue
        need(done["rc"] != 0, f"{bad}: loaded")
        name = bad.split("=", 1)[0]
        need(re.search(rf"hybrid: .*{name}.*auto.*kernel", done["out"]),
             f"{bad}: no message that names the valid words: {done['out'][-300:]}")
        ok(guest.run("test ! -e /sys/module/hybrid"), f"{bad}: nothing left behind")
    load(guest, "idle=kernel")
    for bad in ("fast", "auto kernel", "''", "kernelx", "$(head -c 5000 /dev/zero | tr '\\0' a)"):
        done = guest.run(f"echo {bad} > /sys/module/hybrid/parameters/idle; rc=$?; "
                         "cat /sys/module/hybrid/parameters/idle; exit $rc")
        need(done["rc"] != 0 and done["out"].strip().splitlines()[-1] == "kernel",
             f"run-time write of {bad[:20]!r}: {done}")
    for bad in ("0", "2", "x", "''"):
        done = guest.run(f"echo {bad} > /sys/module/hybrid/refresh")
        need(done["rc"] != 0, f"refresh took {bad!r}")
    need(status(guest)["operations"]["idle"]["reason"] == "operator",
         "idle=kernel is not shown as the operator's wish")
    ok(guest.run("echo auto > /sys/module/hybrid/parameters/idle"), "run-time write")
    need(status(guest)["operations"]["idle"]["reason"] != "operator", "auto did not take effect")
    unload(guest)


def case_status(guest):
    """The module names the right hypervisor and features, and says why each path is taken."""
    ok(guest.run("dmesg -C"), "dmesg -C")
    load(guest)
    log = [line for line in ok(guest.run("dmesg"), "dmesg").splitlines() if "hybrid" in line]
    log = [line for line in log if "taint" not in line and "verification failed" not in line]
    need(len(log) == 1, f"load says {len(log)} lines, not one: {log}")
    found = status(guest)
    hypervisor, present, absent = expected(guest.host, guest.variant)
    need(found["module"] is True, "does not see the module")
    need(found["hypervisor"] == hypervisor, f"hypervisor {found['hypervisor']}, not {hypervisor}")
    features = set(found["features"])
    need(present <= features, f"features missing: {sorted(present - features)}")
    need(not absent & features, f"features that cannot be: {sorted(absent & features)}")
    for name, op in found["operations"].items():
        ours = {"idle": "poll", "msi_mask": "lazy", "msi_affinity": "lazy",
                "eoi": "pv-eoi"}.get(name, "kernel")
        need(op["path"] in ("kernel", ours), f"{name}: path {op['path']}")
        need(op["reason"] and len(op["detail"]) > 20, f"{name}: no reason: {op}")
    need(found["cost_ns"]["cpuid"] > 0, "no cost measured")
    guest.keep("status", found)
    same = ok(guest.run("setpriv --reuid 65534 --regid 65534 --clear-groups "
                        "hybridctl status --json"), "status as an ordinary user")
    need(json.loads(same)["features"] == found["features"], "an ordinary user sees other features")
    ok(guest.run("for f in /sys/module/hybrid/{platform,level,cost,eoi,idle,timer}/*; do "
                 "cat $f >/dev/null || exit; done"), "reading every file")
    for op in found["operations"]:
        ok(guest.run(f"hybridctl explain {op}"), f"explain {op}")
    ok(guest.run("hybridctl advise --json"), "advise")
    ok(guest.run("echo 1 > /sys/module/hybrid/refresh"), "refresh")
    need(status(guest)["generation"] == found["generation"] + 1, "refresh: generation")
    guest.keep("snapshot", ok(guest.run("cat /sys/kernel/debug/hybrid/snapshot"), "snapshot"),
               "inc")
    unload(guest)
    ok(guest.run("test ! -e /sys/kernel/debug/hybrid"), "debugfs left behind")


def case_level(guest):
    """The estimated level is the real one, and the numbers behind it are shown."""
    if hardware():
        raise Skip("the true depth of this machine is not known to the lab")
    load(guest)
    found = status(guest)
    unload(guest)
    depth = 1 if guest.host == "bare" else 2
    level = found["level"]
    need(level["estimate"] == depth,
         f"level {level}, really {depth}; costs {found['cost_ns']}")
    guest.note(f"level {level['estimate']} ({level['confidence']}, CPUID/reference "
               f"{level['ratio']}, exit {found['exit_ns']} ns)")


def case_reload(guest):
    """50 times load and unload under I/O load, without a splat; 10 where each takes seconds."""
    rounds = 50 if guest.host == "bare" and not is_debug(guest.kernel) or everything() else 10
    out = ok(guest.run(f"/suite/lab/reload.sh {rounds}", timeout=900), "reload.sh")
    need(out.strip().endswith(f"{rounds} rounds"), out[-300:])
    guest.note(out.strip().splitlines()[-2] if len(out.splitlines()) > 1 else "")


def case_exits_idle(guest):
    """Exits of an idle guest, by reason, counted by the host."""
    found = guest.run("sleep 10", timeout=60, count=True)
    ok(found, "sleep 10")
    check_counts(guest, found["counts"], "idle 10 s")


def case_exits_ping(guest):
    """Exits of a ping, by reason, counted by the host."""
    found = guest.run("ping -i 0.02 -c 200 -q 10.0.2.2", timeout=60, count=True)
    ok(found, "ping")
    need(" 0% packet loss" in found["out"], found["out"])
    check_counts(guest, found["counts"], "ping 200")


IDLE = "/sys/module/hybrid/idle"


def idle_counters(guest):
    names = ("entries", "polls_won", "polls_lost", "polled_ns", "halts", "ipis_avoided")
    out = ok(guest.run(f"cd {IDLE} && cat {' '.join(names)}"), "idle counters")
    return dict(zip(names, map(int, out.split())))


def wake_ups(counts):
    """HLTs, and what an IPI's sender exits for: the ICR on KVM, a hypercall on Xen."""
    return counts["exits"].get("HLT", 0) + counts["detail"]["msr"].get("W 0x830", 0)


def case_idle_path(guest):
    """The idle path takes over, saves exits, agrees with the host's counts, and gives back."""
    driver = "cat /sys/devices/system/cpu/cpuidle/current_driver"

    def ping_pong(name):
        before = idle_counters(guest)
        found = guest.run("pingpong 2000", timeout=120, count=True)
        ok(found, "pingpong")
        after = idle_counters(guest)
        guest.keep_counts(f"pingpong 2000, {name}", found["counts"])
        return found["counts"], {k: after[k] - before[k] for k in after}

    def switch(how):
        ok(guest.run(f"echo {how} > /sys/module/hybrid/parameters/idle"), f"idle={how}")

    need(ok(guest.run(driver), driver).strip() == "none", "a cpuidle driver before ours")
    load(guest, "idle=kernel")
    runs = []
    for _ in range(3):
        switch("kernel")
        without, used = ping_pong("kernel")
        need(not any(used.values()), f"counts while it is off: {used}")
        switch("auto")
        need(ok(guest.run(driver), driver).strip() == "hybrid", "our driver is not in charge")
        counts, used = ping_pong("suite")
        found = status(guest)["operations"]["idle"]
        slept = used["polls_won"] + used["halts"]
        need(abs(used["entries"] - slept) <= 8, f"sleeps neither won nor halted: {used}")
        # The guest counts the reading of its counters as well, the host only the command.
        need(counts["exits"].get("HLT", 0) <= used["halts"],
             f"{used['halts']} halts, but the host saw {counts['exits']}")
        runs.append((wake_ups(without), wake_ups(counts), without["total"], counts["total"],
                     used["ipis_avoided"], found["reason"]))
    guest.note("; ".join(f"HLT + ICR {a} -> {b}, exits {c} -> {d}, {e} IPIs avoided, {reason}"
                         for a, b, c, d, e, reason in runs))
    # The best of three: whatever else this machine does makes polls lose that would win. How
    # much is saved on a quiet one is the benchmark's to say.
    had, has, _, _, ipis, _ = min(runs, key=lambda r: r[1] / r[0])
    need(has < had, f"saves nothing: {guest.notes}")
    need(any(r[3] < r[2] for r in runs), f"more exits in all: {guest.notes}")
    need(ipis > 0, f"no IPI avoided: {guest.notes}")
    unload(guest)
    need(ok(guest.run(driver), driver).strip() == "none", "our driver outlived the module")


def case_idle_sleeping(guest):
    """A guest that sleeps polls less than 2 % of the time at the default setting."""
    load(guest)
    before = idle_counters(guest)
    found = guest.run("sleep 10", timeout=60, count=True)
    ok(found, "sleep 10")
    after = idle_counters(guest)
    unload(guest)
    guest.keep_counts("idle 10 s, suite", found["counts"])
    polled = after["polled_ns"] - before["polled_ns"]
    need(polled < 0.02 * 10e9 * guest.spec["smp"], f"polled {polled} ns of 10 s")
    guest.note(f"polled {polled / 1e6:.1f} ms of 10 s; {found['counts']['total']} exits")


# What the idle times of CPU 1 are recorded for: kunit/traces.
TRACED = {
    "pingpong": "pingpong 500",
    "pipe": "perf bench sched pipe -l 500",
    "messaging": "perf bench sched messaging -g 1 -l 100",
    "fio": "fio --name=r --filename=/dev/vda --readonly --rw=randread --bs=4k --size=16m "
           "--ioengine=psync --direct=1 --number_ios=500",
    "ping": "ping -i 0.01 -c 200 -q 10.0.2.2",
    "idle": "sleep 5",
}


def case_idle_trace(guest):
    """Records real idle times, as the kernel has them without us: the data of a KUnit suite."""
    load(guest, "idle=kernel")
    cost = ok(guest.run("cat /sys/module/hybrid/cost/halt_ns"), "halt_ns").strip()
    unload(guest)
    for name, command in TRACED.items():
        lengths = ok(guest.run(f"/suite/lab/idle-trace.sh 1 {command}"), command).split()
        need(len(lengths) > 3, f"{command}: {len(lengths)} idle times")
        guest.keep(f"idle-{name}", "\n".join(
            ["/* SPDX-License-Identifier: GPL-2.0-only */", f"{cost},", *lengths[:400]]), "inc")
        guest.note(f"{name} {len(lengths)}")


def case_idle_stress(guest):
    """CPUs come and go, the path is switched and the module reloaded, under load."""
    rounds = int(os.environ.get("LAB_ROUNDS", "40"))
    out = ok(guest.run(f"/suite/lab/idle-stress.sh {rounds}", timeout=900), "idle-stress.sh")
    need(out.strip().endswith(f"{rounds} rounds"), out[-300:])


PING_PONG = ("setsid sh -c 'while pingpong 200 >>/run/lab/rounds 2>&1; do :; done' "
             ">/dev/null 2>&1 & sleep 2")
# Between two there is none.
NO_PING_PONG = "for i in $(seq 50); do pkill pingpong && exit; done; exit 1"
POLLS_WITHIN = 10       # seconds: where CPUs stood down for a moment, they come back
BEFORE = "before"


def polls_won(guest, when):
    """Seconds until 100 polls were won, in PING_PONG, and it goes on."""
    def look():
        rounds = int(ok(guest.run("wc -l </run/lab/rounds"), "rounds"))
        return idle_counters(guest)["polls_won"], rounds

    before, started = look(), time.monotonic()
    while time.monotonic() - started < POLLS_WITHIN:
        time.sleep(0.5)
        now = look()
        if now[0] - before[0] > 100 and now[1] > before[1]:
            return time.monotonic() - started
    reason = ok(guest.run(f"cat {IDLE}/reason"), "reason").strip()
    text = (f"{when}: {now[0] - before[0]} polls won in {POLLS_WITHIN} s, "
            f"{now[1] - before[1]} times 200 round trips: {reason}")
    # That it polls at all is another case's; what this one does to it cannot be tried then.
    if when == BEFORE and reason == "overcommit":
        raise Skip(f"this machine is too busy; {text}")
    raise Wrong(text)


def case_idle_suspend(guest):
    """Suspended while it polls: devices and CPUs go and come, and then it sleeps for real."""
    load(guest)
    ok(guest.run(PING_PONG), "pingpong")

    polls_won(guest, BEFORE)
    levels = guest.run("cat /sys/power/pm_test")["out"].replace("[", "").replace("]", "").split()
    for level in ("processors", "core"):
        if level not in levels:
            guest.note(f"no {level} (CONFIG_PM_DEBUG)")
            continue
        ok(guest.run(f"echo {level} > /sys/power/pm_test; "
                     "echo 1 > /sys/module/suspend/parameters/pm_test_delay; "
                     "echo mem > /sys/power/state; rc=$?; echo none > /sys/power/pm_test; exit $rc",
                     timeout=60), level)
        polls_won(guest, level)
        guest.note(level)
    # Long enough that it is asleep by then: who misses the alarm sleeps for ever.
    ok(guest.run("cd /sys/class/rtc/rtc0 && echo 0 > wakealarm && echo +5 > wakealarm && "
                 "echo freeze > /sys/power/state", timeout=60), "freeze")
    polls_won(guest, "freeze")
    guest.note("freeze")
    ok(guest.run(NO_PING_PONG), "pkill pingpong")
    unload(guest)


def case_idle_reboot(guest):
    """Rebooted while it polls, the machine resets: here, its QEMU ends. The last case of a guest."""
    load(guest)
    ok(guest.run(PING_PONG), "pingpong")
    polls_won(guest, BEFORE)
    reset(guest)


def reset(guest):
    """Reboots, which here ends its QEMU."""
    try:
        guest.run("busybox reboot -f", timeout=60)
    except GuestDied:
        pass
    # One that has ended stays a zombie until the agent asks for it.
    if guest.on_host("for i in $(seq 300); do pgrep -r D,R,S qemu-system >/dev/null || exit 0; "
                     "sleep .1; done; echo it did not reset"):
        raise GuestDied("it did not reset")


def check_counts(guest, counts, workload):
    need(counts["total"] > 0, f"no exits counted: {counts}")
    need(entries_agree(counts),
         f"{counts['total']} exits, but {counts['entries']} entries")
    guest.keep_counts(workload, counts)
    top = ", ".join(f"{k} {v}" for k, v in list(counts["exits"].items())[:5])
    guest.note(f"{counts['total']} exits: {top}")


# hybridctl's operation -> how the host names its exits: a reason, or, where others share
# the reason (the tick writes MSRs too), the exact register or port.
BENCH_EXITS = {
    "cpuid": ("exits", ("CPUID",)),
    "rdmsr_apicbase": ("msr", ("R 0x1b",)),
    "wrmsr_tsc_adjust": ("msr", ("W 0x3b",)),
    "hypercall": ("hypercall", ("1", "17")),    # KVM_HC_VAPIC_POLL_IRQ, xen_version
    "pio": ("exits", ("IOIO",)),
}


def case_exits_proof(guest):
    """N operations of hybridctl bench are N exits of that reason at the host (± 1 %)."""
    load(guest)
    listed = ok(guest.run("hybridctl bench --list"), "bench --list")
    count = 10000
    done = {}
    for op, (table, names) in BENCH_EXITS.items():
        if not re.search(rf"^\s*{op}\s+available", listed, re.M):
            guest.note(f"{op} not available")
            continue

        def seen(n):
            found = guest.run(f"hybridctl bench {op} -n {n} --json", timeout=300, count=True)
            ok(found, f"bench {op}")
            counts = found["counts"]
            hits = counts["exits"] if table == "exits" else counts["detail"][table]
            return sum(hits.get(name, 0) for name in names), counts

        few, _ = seen(1)        # what starting the command costs
        many, counts = seen(count)
        got = many - few
        need(abs(got - (count - 1)) <= count // 100,
             f"{op}: {count - 1} operations more, {got} exits {names} more at the host: "
             f"{counts['exits']} {counts['detail']}")
        guest.keep_counts(f"bench {op} {count}", counts)
        done[op] = got
    want = {"cpuid", "rdmsr_apicbase", "hypercall", "pio"}
    need(want <= set(done), f"not proven: {sorted(want - set(done))}")
    unload(guest)
    guest.note(", ".join(f"{op} {got}/{count - 1}" for op, got in done.items()))


def case_kunit(guest):
    """The KUnit suites, in this kernel."""
    if guest.has_file("kunit.ko"):
        ok(guest.run("insmod /suite/kunit.ko"), "insmod kunit.ko")
    done = guest.run("dmesg -C; insmod /suite/hybrid-kunit.ko; echo; dmesg | "
                     "python3 /suite/lab/ktap.py", timeout=600)
    guest.run("rmmod hybrid_kunit kunit")
    last = done["out"].strip().splitlines()[-1] if done["out"].strip() else "nothing"
    found = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", last)
    need(found, f"no verdict: {done['out'][-600:]}")
    guest.note(last)
    need(done["rc"] == 0 and found.group(1) != "0" and found.group(2) == "0", done["out"][-1500:])


def case_clean(guest):
    """No splat in all this: the kernel is not tainted by anything but our being out of tree."""
    # Not dmesg, which the cases above cleared.
    log = guest.run("dd if=/dev/kmsg iflag=nonblock bs=8192 2>/dev/null | grep -E -A20 "
                    "'WARNING|BUG|Oops|KASAN|UBSAN|Call Trace|possible recursive|detected stall|"
                    "suspicious RCU|inconsistent lock|INFO: task' | head -n 60")["out"]
    need(not log.strip(), f"the log holds:\n{log}")
    tainted = int(ok(guest.run("cat /proc/sys/kernel/tainted"), "tainted"))
    # Bits 12 and 13: out-of-tree, unsigned. Bit 18: a KUnit test ran.
    need(not tainted & ~(1 << 12 | 1 << 13 | 1 << 18),
         f"tainted {tainted:#x}: " + guest.run("dmesg | tail -n 60")["out"])
    if is_debug(guest.kernel):
        alive = ok(guest.run("grep debug_locks /proc/lockdep_stats"), "lockdep_stats")
        need(alive.split()[-1] == "1", f"lockdep switched itself off: {alive}")


ANYWHERE = ("bare", "kvm", "xen")
COUNTED = ("kvm", "xen")
# (function, hosts, on debug kernels as well)
CASES = (
    (case_without_module, ANYWHERE, False),
    (case_bad_parameters, ("bare",), True),
    (case_status, ANYWHERE, True),
    (case_level, ANYWHERE, False),
    (case_exits_idle, COUNTED, False),
    (case_exits_ping, COUNTED, False),
    (case_exits_proof, COUNTED, False),
    (case_kunit, ("bare",), True),
    (case_reload, ANYWHERE, True),
    (case_clean, ANYWHERE, True),
)

# On a host with two CPUs: on one, two vCPUs that poll only take it from each other.
IDLE_CASES = (
    (case_idle_path, False),
    (case_idle_sleeping, False),
    (case_idle_trace, False),
    (case_idle_stress, True),
    (case_idle_suspend, False),
    (case_clean, True),
    (case_idle_reboot, True),
)


# Not seen to pass yet.
IDLE_ASKED_FOR = (case_idle_suspend, case_idle_reboot)


def case_name(function):
    return function.__name__.removeprefix("case_").replace("_", "-")


def cases_for(host, kernel, host_cpus=1):
    """KUnit needs no hypervisor: it runs on bare, and in the debug kernels where they run."""
    if host_cpus > 1:
        yield from (f for f, on_debug in IDLE_CASES if (on_debug or not is_debug(kernel))
                    and (f not in IDLE_ASKED_FOR or everything()))
        return
    for function, hosts, on_debug in CASES:
        if is_debug(kernel):
            if on_debug:
                yield function
        elif host in hosts:
            yield function
