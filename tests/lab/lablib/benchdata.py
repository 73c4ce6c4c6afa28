# SPDX-License-Identifier: GPL-2.0-only
"""What the benchmark computes from what was counted (pure; tested in test_bench.py).

The format of what is kept is described in Documentation/abi/bench-json.txt.
"""
import re
from collections import namedtuple

from .benchstat import difference
from .say import Failure

FORMAT = 2
TICK_NS = 10 ** 9 // 100        # USER_HZ, the unit of /proc/stat


class Bad(Failure):
    """The guest said something that makes no sense."""


class Point(namedtuple("Point", "variant parameter value")):
    """One setting that is measured; a variant without a parameter has one point."""

    def __new__(cls, variant, parameter=None, value=None):
        return super().__new__(cls, variant, parameter, value)

    def parameters(self):
        return {self.parameter: self.value} if self.parameter else {}

    def label(self):
        if self.parameter == "idle_poll_percent":
            return f"{self.variant} {self.value} %"
        if self.parameter == "guest_halt_poll_ns":
            return f"{self.variant} {self.value / 1000:g} us"
        return f"{self.variant} {self.parameter}" if self.parameter else self.variant


# The default a second time: how far the two are apart is noise.
AGAIN = Point("default", "again", 1)


def suite_point(percent):
    return Point("suite", "idle_poll_percent", percent)


def haltpoll_point(nanoseconds):
    return Point("haltpoll", "guest_halt_poll_ns", nanoseconds)


def point_of(row):
    for parameter, value in row["parameters"].items():
        return Point(row["variant"], parameter, value)
    return Point(row["variant"])


def run_key(host, kernel, point, workload, repeat):
    return host, kernel, point, workload, repeat


def key(run):
    return run_key(run["host"], run["kernel"], point_of(run), run["workload"], run["repeat"])


# -- one run -----------------------------------------------------------------------------

def parse_looks(out):
    """What bench.sh printed: ({name: growth}, {name: word at the end})."""
    looks = {"before": {}, "after": {}}
    for line in out.splitlines():
        m = re.fullmatch(r"(before|after) ([a-z_.]+) (\S+)", line)
        if m:
            looks[m.group(1)][m.group(2)] = m.group(3)
    before, after = looks["before"], looks["after"]
    if "time_us" not in before or before.keys() != after.keys():
        raise Bad(f"the guest's counters are not whole: {sorted(before)} and {sorted(after)}")
    numbers = {k for k in after if after[k].isdigit() and before[k].isdigit()}
    grown = {k: int(after[k]) - int(before[k]) for k in numbers}
    if min(grown.values()) < 0 or grown["time_us"] == 0:
        raise Bad(f"counters that go backwards: {grown}")
    return grown, {k: after[k] for k in after.keys() - numbers}


def parse_latency(out):
    """cyclictest's summary, in us, or None."""
    m = re.search(r"C:\s*\d+ Min:\s*(\d+) Act:\s*\d+ Avg:\s*(\d+) Max:\s*(\d+)", out)
    return dict(zip(("min_us", "avg_us", "max_us"), map(int, m.groups()))) if m else None


def operations(workload, count):
    """How many operations bench.sh does for a count: messages, I/Os, seconds, ..."""
    # perf bench sched messaging: each of 20 senders to each of 20 receivers.
    return count * 400 if workload == "messaging" else count


def polled_ns(variant, grown):
    """The time that was polled instead of halted."""
    if variant == "suite":
        return grown["suite.polled_ns"]
    if variant == "haltpoll":
        return grown["poll_us"] * 1000
    if variant == "idle-poll":
        return grown["idle_ticks"] * TICK_NS
    return 0


def make_run(host, kernel, point, workload, repeat, count, cpus, found):
    """One line of "runs" from what the guest printed and the host counted."""
    counts = found["counts"]
    grown, words = parse_looks(found["out"])
    run = {
        "host": host, "kernel": kernel, "variant": point.variant,
        "parameters": point.parameters(), "workload": workload, "repeat": repeat,
        "operations": operations(workload, count), "cpus": cpus,
        "exits_total": counts["total"], "exits": counts["exits"], "detail": counts["detail"],
        "entries": counts["entries"], "lab_exits": counts["lab_exits"],
        "hlt": counts["exits"].get("HLT", 0),
        "wake_ipis": wake_ipis(host, counts, grown), "guest_ipis": grown["wake_ipis"],
        "polled_ns": polled_ns(point.variant, grown),
        "idle_ns": grown["idle_ticks"] * TICK_NS, "steal_ns": grown["steal_ticks"] * TICK_NS,
        "elapsed_ns": grown["time_us"] * 1000,
        "suite": suite_counters(grown, words) if point.variant == "suite" else None,
        "cyclictest": parse_latency(found["out"]) if workload == "cyclictest" else None,
    }
    if workload == "cyclictest" and not run["cyclictest"]:
        raise Bad("no summary of cyclictest")
    return run


def suite_counters(grown, words):
    """How far hybrid.ko's counters of the idle path went; "halt_ns" and "reason" as they are."""
    found = {k: v for k, v in {**grown, **words}.items() if k.startswith("suite.")}
    found["suite.halt_ns"] = int(found["suite.halt_ns"].removesuffix("ns"))
    return {k.removeprefix("suite."): v for k, v in sorted(found.items())}


CROWDED = "overcommit"
STAND_DOWN = 15         # seconds in which it has to


def make_crowded(host, kernel, point, repeat, count, cpus, settling, working):
    """One line of "crowded": what bench.sh printed for stand-down, then for ping-pong."""
    m = re.search(r"^stood_down (\S+) (\d+)$", settling, re.M)
    if not m:
        raise Bad(f"stand-down said nothing: {settling[-300:]}")
    grown, words = parse_looks(working)
    return {"host": host, "kernel": kernel, "variant": point.variant,
            "parameters": point.parameters(), "workload": CROWDED, "repeat": repeat,
            "operations": count, "cpus": cpus,
            "stood_down_ns": int(m.group(2)) * 1000 if m.group(1) == "overcommit" else None,
            "elapsed_ns": grown["time_us"] * 1000, "steal_ns": grown["steal_ticks"] * TICK_NS,
            "polled_ns": polled_ns(point.variant, grown),
            "suite": suite_counters(grown, words) if point.variant == "suite" else None}


def wake_ipis(host, counts, grown):
    """Exits to send IPIs. KVM: writes to the x2APIC's ICR. Xen: each is a hypercall that has
    other uses too, so what the guest received is taken."""
    if host == "kvm":
        return sum(n for what, n in counts["detail"]["msr"].items() if what == "W 0x830")
    return grown["wake_ipis"]


# -- several runs of one thing -----------------------------------------------------------

SPREAD = ("exits_total", "hlt", "wake_ipis", "sleep_exits", "polled_ns", "elapsed_ns")


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def summarise(runs):
    """The runs of one point and workload -> one line of "results"."""
    first = runs[0]
    for r in runs:
        if r["operations"] != first["operations"]:
            raise Bad(f"runs of different length in one result: {key(r)}")
    every = [{**r, "sleep_exits": r["hlt"] + r["wake_ipis"]} for r in runs]
    reasons = sorted({reason for r in every for reason in r["exits"]})
    row = {k: first[k] for k in ("host", "kernel", "variant", "parameters", "workload",
                                 "operations", "cpus")}
    row["repeats"] = len(every)
    for name in SPREAD + ("idle_ns", "steal_ns"):
        row[name] = median([r[name] for r in every])
    row["exits"] = {reason: median([r["exits"].get(reason, 0) for r in every])
                    for reason in reasons}
    row["detail"] = {table: {what: median([r["detail"][table].get(what, 0) for r in every])
                             for what in sorted({w for r in every for w in r["detail"][table]})}
                     for table in first["detail"]}
    row["cyclictest"] = first["cyclictest"] and {
        k: median([r["cyclictest"][k] for r in every]) for k in first["cyclictest"]}
    row["suite"] = first["suite"] and {
        k: median([r["suite"][k] for r in every]) if isinstance(v, int)
        else sorted({r["suite"][k] for r in every}) for k, v in first["suite"].items()}
    row["exits_each"] = {str(r["repeat"]): r["exits_total"] for r in every}
    row["spread"] = {name: [min(r[name] for r in every), max(r[name] for r in every)]
                     for name in SPREAD}
    row["model_cycles"] = model_cycles(row)
    return row


def summarise_all(runs):
    groups = {}
    for run in runs:
        groups.setdefault(key(run)[:-1], []).append(run)
    return [summarise(group) for group in groups.values()]


# -- a model: what exits are worth at other depths ----------------------------------------

# Cycles per operation at L1, L2, L3: Lim and Nieh, "Optimizing Nested Virtualization
# Performance Using Direct Virtual Hardware", ASPLOS 2020, table 3, without DVH.
DVH_CYCLES = {
    "hypercall": (1575, 37733, 857578),
    "device": (4984, 48390, 1008935),
    "timer": (2005, 43359, 1033946),
    "ipi": (3273, 39456, 787971),
}


def model_cycles(row):
    """What the exits of a result would cost at L1, L2, L3: a model. IPIs, timers and devices
    have prices of their own; any other exit counts as a hypercall."""
    msr, mmio = row["detail"].get("msr", {}), row["detail"].get("mmio", {})
    number = {"ipi": row["wake_ipis"], "timer": msr.get("W 0x6e0", 0),
              "device": row["exits"].get("IOIO", 0) + sum(mmio.values())}
    number["hypercall"] = max(0, row["exits_total"] - sum(number.values()))
    return [round(sum(n * DVH_CYCLES[kind][level] for kind, n in number.items()))
            for level in range(3)]


# -- verdicts ----------------------------------------------------------------------------

WAKE_UP_BOUND = ("pingpong", "fio", "ping")
FEWER = 0.80            # of the exits of sleeping and waking
IDLE_POLLED = 0.02      # of an idle guest's time
NEXT_TO_NOTHING = 0.001 # of the time: so little polled counts as none


class Results:
    """Summaries by host, kernel, point and workload."""

    def __init__(self, rows):
        self.rows = {(r["host"], r["kernel"], point_of(r), r["workload"]): r for r in rows}

    def get(self, where, point, workload):
        return self.rows.get((*where, point, workload))

    def places(self):
        return list(dict.fromkeys(k[:2] for k in self.rows))

    def points(self, where, variant=None):
        found = dict.fromkeys(k[2] for k in self.rows if k[:2] == where)
        return [p for p in found if variant in (None, p.variant)]

    def workloads(self, where):
        return list(dict.fromkeys(k[3] for k in self.rows if k[:2] == where))


def each(row, name):
    return row[name] / row["operations"]


def frontier(rows):
    """The lower left border of (time polled, exits) points, each per operation."""
    border = []
    for x, y in sorted((each(r, "polled_ns"), each(r, "exits_total")) for r in rows):
        if not border or y < border[-1][1]:
            border.append((x, y))
    return border


def polled_for(border, exits):
    """The least time polled that the border has for so many exits, straight between its
    points; None where it never has as few."""
    for (x0, y0), (x1, y1) in zip([border[0]] + border, border):
        if y1 <= exits:
            if y0 <= exits:
                return x0
            return x0 + (x1 - x0) * (y0 - exits) / (y0 - y1)
    return None


PASS, FAIL, SKIP = "PASS", "FAIL", "SKIP"


def verdicts(rows, headline, problems=(), crowded=()):
    """What the suite promises, judged: [(verdict, where, what, text)].

    headline: the idle_poll_percent at which the exits it saves are judged."""
    results = Results(rows)
    said = []
    for where in results.places():
        place = "-".join(where)
        for judge in (judge_fewer, judge_haltpoll, judge_bound, judge_idle, judge_never_worse):
            for verdict, what, text in judge(results, where, headline):
                said.append((verdict, place, what, text))
    for where in dict.fromkeys((r["host"], r["kernel"]) for r in crowded):
        runs = [r for r in crowded if (r["host"], r["kernel"]) == where]
        said += [(verdict, "-".join(where), what, text) for verdict, what, text in
                 judge_crowded(runs, headline)]
    for problem in problems:
        if problem["fatal"]:
            said.append((FAIL, problem["where"], "measured", problem["text"]))
    return said


def judge_fewer(results, where, headline):
    for workload in WAKE_UP_BOUND:
        what = f"{workload}: {FEWER:.0%} fewer HLT + wake-up IPIs"
        base = results.get(where, Point("default"), workload)
        ours = results.get(where, suite_point(headline), workload)
        if not base or not ours:
            yield SKIP, what, "not measured"
            continue
        had = each(base, "sleep_exits")
        text = (f"{had:.2f} -> {each(ours, 'sleep_exits'):.2f} per operation, "
                f"{saved(base, ours):.0%} fewer, at {headline} %")
        verdict = PASS
        if saved(base, ours) < FEWER:
            verdict = FAIL
            text += "; " + enough_at(results, where, workload, base)
        yield verdict, what, text


def saved(base, ours):
    had = each(base, "sleep_exits")
    return 1 - each(ours, "sleep_exits") / had if had else 0


def enough_at(results, where, workload, base):
    """The least setting of the tunable that was measured to save enough, and what it polls."""
    rows = [results.get(where, p, workload) for p in
            sorted(results.points(where, "suite"), key=lambda p: p.value)]
    rows = [r for r in rows if r and saved(base, r) >= FEWER]
    if not rows:
        return "at no setting that was measured"
    return (f"{saved(base, rows[0]):.0%} at {point_of(rows[0]).value} %, for "
            f"{each(rows[0], 'polled_ns') / 1000:.0f} us polled per operation")


def exits_of(row):
    return row and row["exits_each"]


def judge_haltpoll(results, where, _):
    """Each of haltpoll's points lies on our curve or above it, to the right of it."""
    points = results.points(where, "haltpoll")
    for workload in results.workloads(where) if points else ():
        what = f"{workload}: haltpoll is dominated"
        base = results.get(where, Point("default"), workload)
        ours = [results.get(where, p, workload) for p in results.points(where, "suite")]
        theirs = [results.get(where, p, workload) for p in points]
        ours, theirs = list(filter(None, ours)), list(filter(None, theirs))
        if not base or not ours or not theirs:
            yield SKIP, what, "not measured"
            continue
        # Our tunable at 0 never polls: the default.
        ours.append(base)
        border = frontier(ours)
        texts, verdict = [], PASS
        for row in theirs:
            exits, polled = each(row, "exits_total"), each(row, "polled_ns")
            need = polled_for(border, exits)
            if (need is None or need > polled) and not any(matches(r, row) for r in ours):
                verdict = FAIL
            texts.append(f"{point_of(row).label()}: {exits:.2f} exits, "
                         f"{polled / 1000:.0f} us polled, we "
                         + ("never have as few" if need is None else f"{need / 1000:.0f} us"))
        yield verdict, what, "; ".join(texts)


def matches(ours, theirs):
    """A point of ours that has no more exits than one of theirs, but for noise, and polls no
    longer, or next to nothing."""
    if each(ours, "polled_ns") > each(theirs, "polled_ns") and \
            ours["polled_ns"] > NEXT_TO_NOTHING * ours["elapsed_ns"] * ours["cpus"]:
        return False
    found = difference(exits_of(ours), exits_of(theirs))
    return found is not None and not found.more


def judge_bound(results, where, _):
    """Cost <= 2 * optimum + credit: each sleep costs the optimum at most one halt, so the bound
    is broken for sure if all of them together cost more than two halts each. Weaker than the
    bound, whose optimum nobody outside the guest knows; the pure tests have the rest."""
    point = suite_point(100)
    for workload in results.workloads(where):
        row = results.get(where, point, workload)
        what = f"{workload}: default setting within the bound"
        if not row:
            yield SKIP, what, "not measured"
            continue
        used, price = row["suite"], row["suite"]["halt_ns"]
        cost = used["polled_ns"] + used["halts"] * price
        limit = 2 * (used["entries"] + row["cpus"]) * price
        yield (PASS if cost <= limit else FAIL, what,
               f"{cost / 1e6:.1f} ms for {used['entries']:.0f} sleeps, at most {limit / 1e6:.1f}")


def judge_idle(results, where, _):
    what = f"idle: at most {IDLE_POLLED:.0%} of the time polled"
    ours = results.get(where, suite_point(100), "idle")
    if not ours:
        yield SKIP, what, "not measured"
        return
    share = ours["polled_ns"] / (ours["elapsed_ns"] * ours["cpus"])
    yield PASS if share <= IDLE_POLLED else FAIL, what, f"{share:.2%} polled"


def judge_never_worse(results, where, headline):
    for workload in results.workloads(where):
        base = results.get(where, Point("default"), workload)
        again = results.get(where, AGAIN, workload)
        for point in dict.fromkeys((suite_point(100), suite_point(headline))):
            ours = results.get(where, point, workload)
            if not ours:
                continue
            what = f"{workload}: no more exits, {point.label()}"
            found = base and difference(exits_of(ours), exits_of(base), exits_of(again))
            if not found:
                yield SKIP, what, "not measured at least twice, so noise is not known"
                continue
            text = (f"{each(ours, 'exits_total'):.2f} per operation, "
                    f"{each(base, 'exits_total'):.2f} without: {found}")
            if again:
                text += f"; default again: {difference(exits_of(again), exits_of(base))}"
            yield FAIL if found.more else PASS, what, text


def judge_crowded(runs, headline):
    ours = [r for r in runs if point_of(r) == suite_point(headline)]
    base = [r for r in runs if point_of(r) == Point("default")]
    what = f"overcommit: stands down within {STAND_DOWN} s, {headline} %"
    if not ours:
        yield SKIP, what, "not measured"
        return
    times = [r["stood_down_ns"] for r in ours]
    yield (FAIL if None in times else PASS, what, ", ".join(
        "never" if t is None else f"{t / 1e9:.1f} s" for t in times))
    what = f"overcommit: no slower, {headline} %"
    took, without = ({r["repeat"]: r["elapsed_ns"] for r in some} for some in (ours, base))
    found = difference(took, without)
    if not found:
        yield SKIP, what, "not measured at least twice, so noise is not known"
        return
    yield (FAIL if found.more else PASS, what,
           f"{median(took.values()) / ours[0]['operations'] / 1e3:.0f} us a round trip, "
           f"{median(without.values()) / ours[0]['operations'] / 1e3:.0f} without: {found}")
