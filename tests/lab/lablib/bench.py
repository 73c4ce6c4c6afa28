# SPDX-License-Identifier: GPL-2.0-only
"""Runs the benchmark: workloads under variants of idling, exits counted by the host.

What is computed from the runs is in benchdata.py (pure); how it is shown, in benchshow.py.
"""
import argparse
import json
import os
import shutil
import time

from . import benchdata, benchirq, benchshow, images, suite
from .benchdata import AGAIN, Point, haltpoll_point, suite_point
from .check import visit_guests
from .counts import entries_agree
from .guests import spec
from .link import GuestDied
from .say import Failure, say
from .vm import Lost, hardware, machine_says, slowed

DIRECTORY = f"{suite.TOP}/build/bench"
RESULTS = f"{DIRECTORY}/results.json"
HOST_CPUS = {"kvm": 2, "xen": 3}        # xen: the first one is dom0's
HOST_TRIES = 6
GUEST_TRIES = 3
RUN_TRIES = 3
RUN_TIMEOUT, PATIENCE = 90, 60

# What is given to bench.sh on (kvm, xen): under emulation a few seconds each. Xen's traces take
# as long again to read.
COUNTS = {
    "pingpong": (2000, 2000),
    "pipe": (1000, 1000),
    "messaging": (40, 10),
    "fio": (300, 100),
    "ping": (700, 600),
    "ping-paced": (80, 80),
    "idle": (10, 10),
    "cyclictest": (80, 80),
}
QUICK = 3       # times less
SLEEPING = ("ping-paced", "idle", "cyclictest")     # nothing but time passes
# Without haltpoll to compare with, more of the tunable is only tried where it has to wait longer
# than it may by default.
CURVELESS = tuple(w for w in COUNTS if w not in ("fio", "ping"))
# Round trips of ping-pong beside a busy neighbour; its exits could not be told apart.
CROWDED = 1500


class Boot:
    """One boot of a guest, and the points that can be measured in it without another one.

    each: whether every repeat has a boot of its own, so that what differs from boot to boot
    shows in the spread."""

    def __init__(self, name, extra, points, each=True):
        self.name, self.extra, self.points, self.each = name, extra, points, each


def boots(host, kernel, options):
    """What has to be booted to measure the variants."""
    # haltpoll needs KVM's leaves, and its governor is not in Debian's 6.1.
    haltpoll = "haltpoll" in options.variants and host == "kvm" and kernel == "6.12"
    percents = dict.fromkeys((100, options.headline, *options.percents))
    result = []
    running = [Point("default"), AGAIN] if "default" in options.variants else []
    if "suite" in options.variants:
        running += [suite_point(p) for p in percents]
    if running:
        result.append(Boot("default", "", running))
    if haltpoll:
        result.append(Boot("haltpoll", "cpuidle_haltpoll.force=1", [
            haltpoll_point(ns) for ns in options.haltpoll_ns]))
    if "idle-poll" in options.variants:
        result.append(Boot("idle-poll", "idle=poll", [Point("idle-poll")], each=False))
    return result


def guests(host, kernel, options):
    """The guests to boot one after the other: specifications, with what each has to measure."""
    planned = []
    every = range(options.repeats)
    all_boots = boots(host, kernel, options)
    for repeat in every:
        planned += [(boot, (repeat,)) for boot in all_boots if boot.each]
    planned += [(boot, tuple(every)) for boot in all_boots if not boot.each]
    for boot, repeats in planned:
        its = spec(host, kernel, "default", extra=boot.extra, host_cpus=HOST_CPUS[host])
        its["name"] = f"{host}-{kernel}-{boot.name}" + (f"-{repeats[0] + 1}" if boot.each else "")
        its["bench"] = {"points": boot.points, "repeats": repeats,
                        "curve": any(b.name == "haltpoll" for b in all_boots),
                        # A neighbour stays until the guest ends: in the last boot.
                        "crowd": repeats[-1] == every[-1]}
        yield its


class Report:
    """Everything measured so far, saved after each run."""

    def __init__(self, path, quick=False):
        self.path = path
        self.data = {"format": benchdata.FORMAT, "machine": machine_says(),
                     "emulated": not hardware(), "quick": quick,
                     "runs": [], "crowded": [], "problems": []}
        self.have = set()

    @classmethod
    def load(cls, path):
        report = cls(path)
        try:
            with open(path, encoding="utf-8") as f:
                report.data = json.load(f)
        except OSError as e:
            raise Failure(f"nothing was measured yet: {e}") from None
        if report.data["format"] != benchdata.FORMAT:
            raise Failure(f"{path} has another format")
        report.have = {benchdata.key(r) for r in report.data["runs"] + report.data["crowded"]}
        return report

    def add(self, run):
        self.data["crowded" if run["workload"] == benchdata.CROWDED else "runs"].append(run)
        self.have.add(benchdata.key(run))
        self.save()

    def problem(self, where, text, fatal):
        """fatal: something could not be measured; otherwise it was by trying again."""
        self.data["problems"].append({"where": where, "text": text, "fatal": fatal})
        self.save()

    def host_died(self, where, text):
        self.problem(where, f"the host died and was booted again: {text}", False)

    def host_given_up(self, where, lines):
        self.problem(where, "the host died too often:\n" + "\n".join(lines), True)

    def save(self):
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            json.dump(self.data, f, indent=1)
            f.write("\n")
        os.rename(self.path + ".new", self.path)


class Bench:
    def __init__(self, report, options):
        self.report, self.repeats = report, options.repeats
        self.workloads = options.workloads
        # The others are only there for the curve, and not measured where it has no news.
        self.whole = (Point("default"), AGAIN, Point("idle-poll"), suite_point(100),
                      suite_point(options.headline), haltpoll_point(options.haltpoll_ns[0]))
        self.crowded = (Point("default"), suite_point(options.headline))
        self.divide = QUICK if options.quick else 1

    def count(self, host, workload):
        return max(1, COUNTS[workload][host == "xen"] // self.divide)

    def missing(self, its_spec, point):
        """(repeat, workload) of a point that this guest still has to measure."""
        plan = its_spec["bench"]
        left_out = (benchdata.CROWDED,)
        if point not in self.whole:
            left_out += SLEEPING if plan["curve"] else CURVELESS
        wanted = [(repeat, workload) for repeat in plan["repeats"] for workload in self.workloads
                  if workload not in left_out]
        if benchdata.CROWDED in self.workloads and plan["crowd"] and point in self.crowded:
            wanted += [(repeat, benchdata.CROWDED) for repeat in range(self.repeats)]
        for repeat, workload in wanted:
            if benchdata.run_key(its_spec["host"], its_spec["kernel_name"], point, workload,
                                 repeat) not in self.report.have:
                yield repeat, workload

    def visit(self, host, its_spec):
        """Measure all that a guest is booted for; where it dies or fails, it is booted again."""
        for attempt in range(1, GUEST_TRIES + 1):
            if not any(any(self.missing(its_spec, p)) for p in its_spec["bench"]["points"]):
                return
            try:
                host.start(bootable(its_spec))
                say(f"{its_spec['name']}: up")
                self.measure(host, its_spec)
                return
            except (GuestDied, Failure) as e:
                last = attempt == GUEST_TRIES
                say(f"{its_spec['name']}: {e}")
                self.report.problem(its_spec["name"], "\n".join(
                    [str(e), *(host.console() if last else ())]), last)
                if not last:
                    host.stop()

    def measure(self, host, its_spec):
        points = its_spec["bench"]["points"]
        for workload in COUNTS:     # so that no variant pays for reading from the disk
            host.run(f". /suite/lab/bench.sh {workload} 1", RUN_TIMEOUT, patience=PATIENCE)
        for repeat in its_spec["bench"]["repeats"]:
            # Interleaved, and each time in another order.
            turn = repeat % len(points)
            for point in points[turn:] + points[:turn]:
                todo = [w for r, w in self.missing(its_spec, point)
                        if r == repeat and w != benchdata.CROWDED]
                if not todo:
                    continue
                switch(host, point)
                for workload in todo:
                    self.one(host, its_spec, point, workload, repeat)
        todo = [(r, p) for p in points for r, w in self.missing(its_spec, p)
                if w == benchdata.CROWDED]
        if todo:
            self.crowd(host, its_spec, sorted(todo))

    def crowd(self, host, its_spec, todo):
        """Beside a busy guest on the same CPU: does it stand down, and how fast is it then?"""
        neighbour = spec(its_spec["host"], its_spec["kernel_name"], "default", extra="lab.busy",
                         host_cpus=its_spec["host_cpus"])
        host.neighbour(neighbour)
        say(f"{its_spec['name']}: has a busy neighbour")
        count = CROWDED // self.divide
        for repeat, point in todo:
            switch(host, point)
            outs = []
            for command in (f"stand-down {benchdata.STAND_DOWN}",
                            f"pingpong {count}"):
                found = host.run(f". /suite/lab/bench.sh {command}", RUN_TIMEOUT, patience=PATIENCE)
                if found["rc"]:
                    raise Failure(f"{its_spec['name']}, beside a neighbour: {found['out'][-600:]}")
                outs.append(found["out"])
            run = benchdata.make_crowded(its_spec["host"], its_spec["kernel_name"], point, repeat,
                                         count, its_spec["smp"], *outs)
            self.report.add(run)
            say(f"{its_spec['name']} {point.label()} {repeat + 1}/{self.repeats}: stood down "
                f"after {run['stood_down_ns'] and run['stood_down_ns'] / 1e9} s, "
                f"{run['elapsed_ns'] / run['operations'] / 1e3:.0f} us a round trip")

    def one(self, host, its_spec, point, workload, repeat):
        where = f"{its_spec['host']}-{its_spec['kernel_name']} {point.label()} {workload}"
        count = self.count(its_spec["host"], workload)
        for attempt in range(1, RUN_TRIES + 1):
            started = time.monotonic()
            try:
                found = host.run(f". /suite/lab/bench.sh {workload} {count}", RUN_TIMEOUT,
                                 count=True, patience=PATIENCE)
                if found["rc"]:
                    raise Failure(f"exit code {found['rc']}: {found['out'][-600:]}")
                if not entries_agree(found["counts"]):
                    raise Lost(f"{found['counts']['total']} exits, but "
                               f"{found['counts']['entries']} entries")
                run = benchdata.make_run(its_spec["host"], its_spec["kernel_name"], point,
                                         workload, repeat, count, its_spec["smp"], found)
            except Failure as e:
                say(f"{where}: refused: {e}")
                self.report.problem(where, str(e), attempt == RUN_TRIES)
                continue
            self.report.add(run)
            say(f"{where} {repeat + 1}/{self.repeats}: {run['exits_total']} exits, "
                f"{run['elapsed_ns'] / 1e9:.1f} s ({time.monotonic() - started:.1f} s)")
            return


def bootable(its_spec):
    return {k: v for k, v in its_spec.items() if k != "bench"}


SUITE = "/sys/module/hybrid"
DRIVER = "/sys/devices/system/cpu/cpuidle/current_driver"


def switch(host, point):
    """Make a running guest idle as the point says, and see that it does."""
    if point.variant == "suite":
        # From nothing, so that nothing learned before helps or hurts.
        command = (f"[ ! -e {SUITE} ] || rmmod hybrid; "
                   f"insmod /suite/hybrid.ko idle_poll_percent={point.value}")
        driver = "hybrid"
    elif point.variant == "haltpoll":
        command = f"echo {point.value} >/sys/module/haltpoll/parameters/guest_halt_poll_ns"
        driver = "haltpoll"
    else:
        command, driver = f"[ ! -e {SUITE} ] || rmmod hybrid", "none"
    # What loading and unloading leave to be done later is not the workload's.
    done = host.run(f"{command} && read -r d <{DRIVER} && sleep 1 && echo now $d", RUN_TIMEOUT,
                    patience=PATIENCE)
    if f"now {driver}" not in done["out"].splitlines():
        raise Failure(f"{point.label()}: not switched to: {done['out']}")


def bench(hosts, kernels, options):
    """Measure, and save build/bench/results.json."""
    os.makedirs(DIRECTORY, exist_ok=True)
    say(f"the lab runs by {machine_says()}")
    report = Report(RESULTS, options.quick)
    if options.resume:
        report = Report.load(RESULTS)
        if report.data["quick"] != options.quick:
            raise Failure("it was measured with --quick, or you did not: these do not mix")
        if any(r["slow"] != slowed() for r in report.data.get("irqs", [])):
            raise Failure("it was measured with another LAB_SLOW: these do not mix")
        report.data["problems"] = []
    payload = suite.Payload("bench", {k: suite.files(k) for k in kernels})
    payload.pack()
    images.host_image()
    todo = Bench(report, options)
    for name in hosts if "idle" in options.parts else ():
        logs = f"{DIRECTORY}/{name}"
        os.makedirs(logs, exist_ok=True)
        for kernel in kernels:
            visit_guests(name, list(guests(name, kernel, options)), payload, logs, todo.visit,
                         report, HOST_TRIES)
    benchirq.bench(hosts, kernels, [p for p in options.parts if p != "idle"], payload, DIRECTORY,
                   report, options.quick)
    return report


# The last one, which wants LAB_SLOW=40 where it is emulated, only on request.
PARTS = ("idle", "irq", "reads")
VARIANTS = ("default", "haltpoll", "idle-poll", "suite")
PERCENTS = (1000, 4000)             # beside the default and the headline, for the curve
HALTPOLL_NS = (200000, 1000000, 4000000, 16000000)  # the first one is the kernel's own


def show(data, options):
    """Print and plot what was measured, and judge it: the exit code."""
    rows = benchdata.summarise_all(data["runs"])
    judged = benchdata.verdicts(rows, options.headline, data["problems"], data["crowded"])
    irqs = data.get("irqs", [])
    judged += benchirq.verdicts(irqs)
    data["results"] = rows
    data["verdicts"] = [dict(zip(("verdict", "where", "what", "text"), v)) for v in judged]
    print(*benchshow.table_lines(rows), sep="\n")
    print(*benchshow.model_lines(rows, options.headline), sep="\n")
    print(*benchirq.table_lines(irqs), sep="\n")
    for verdict, where, what, text in judged:
        print(f"{verdict} {where} {what}: {text}")
    benchshow.plots(rows, DIRECTORY, options.headline)
    totals = [sum(v[0] == name for v in judged) for name in ("PASS", "FAIL", "SKIP")]
    print("{} passed, {} failed, {} skipped".format(*totals))
    return 1 if totals[1] or not totals[0] else 0


def readme(data, options):
    """Put the table and the plot into the README."""
    where = (options.host or ["kvm"])[0], (options.kernel or ["6.12"])[0]
    path = f"{suite.TOP}/README.md"
    with open(path, encoding="utf-8") as f:
        text = f.read()
    text = benchshow.put_between(text, "bench", benchshow.markdown(
        data["results"], where, options.headline, data["machine"]))
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    shutil.copy(f"{DIRECTORY}/exits-{'-'.join(where)}.svg", f"{suite.TOP}/Documentation/bench.svg")


def numbers(text):
    return tuple(int(word) for word in text.split(","))


def main(argv):
    parser = argparse.ArgumentParser(prog="lab bench", description=__doc__)
    several = {"action": "append", "metavar": "NAME"}
    parser.add_argument("--host", choices=tuple(HOST_CPUS), **several)
    parser.add_argument("--kernel", choices=images.KERNELS, **several)
    parser.add_argument("--part", dest="parts", choices=PARTS, help="default: idle, irq", **several)
    parser.add_argument("--variant", dest="variants", choices=VARIANTS, **several)
    parser.add_argument("--workload", dest="workloads", choices=(*COUNTS, benchdata.CROWDED),
                        **several)
    parser.add_argument("--percents", type=numbers, default=PERCENTS,
                        help="more points of idle_poll_percent, with commas")
    parser.add_argument("--haltpoll-ns", type=numbers, default=HALTPOLL_NS,
                        help="points of guest_halt_poll_ns, with commas")
    parser.add_argument("--headline", type=int, default=100,
                        help="idle_poll_percent at which saved exits are judged")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="shorter workloads")
    parser.add_argument("--resume", action="store_true",
                        help="measure what build/bench/results.json does not have yet")
    parser.add_argument("--show", action="store_true", help="only show what it has")
    parser.add_argument("--readme", action="store_true",
                        help="as --show, and put table and plot into the README")
    options = parser.parse_args(argv)
    options.parts = options.parts or PARTS[:-1]
    options.variants = options.variants or VARIANTS
    options.workloads = options.workloads or (*COUNTS, benchdata.CROWDED)
    if options.show or options.readme:
        report = Report.load(RESULTS)
    else:
        images.need_root()
        report = bench(options.host or tuple(HOST_CPUS), options.kernel or images.KERNELS, options)
    rc = show(report.data, options)
    report.save()
    if options.readme:
        readme(report.data, options)
    return rc
