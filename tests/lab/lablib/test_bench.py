# SPDX-License-Identifier: GPL-2.0-only
"""Unit tests of what the benchmark computes and shows."""
import argparse
import unittest

from . import bench, benchdata, benchshow
from .benchdata import AGAIN, Bad, Point, haltpoll_point, suite_point
from .benchstat import difference

LOOKS = """before poll_us 5
before idle_ticks 100
before steal_ticks 1
before wake_ipis 10
before time_us 1000000
# /dev/cpu_dma_latency set to 0us
T: 0 (  312) P: 0 I:10000 C:    150 Min:    273 Act:  400 Avg:  373 Max:     829
after time_us 3000000
after poll_us 25
after idle_ticks 300
after steal_ticks 2
after wake_ipis 17
"""
SUITE = """{0} suite.entries {1}
{0} suite.polled_ns {1}
{0} suite.halts {1}
{0} suite.reason saves-exits
{0} suite.halt_ns 500ns
"""


def found(out, total=100):
    return {"rc": 0, "out": out, "counts": {
        "total": total, "entries": total, "lab_exits": 3, "exits": {"HLT": 40, "MSR": total - 40},
        "detail": {"msr": {"W 0x830": 30, "W 0x6e0": 10}, "pio": {}, "mmio": {}, "hypercall": {}}}}


def run(point, workload="pingpong", repeat=0, ops=100, **values):
    result = {"host": "kvm", "kernel": "6.12", "variant": point.variant,
              "parameters": point.parameters(), "workload": workload, "repeat": repeat,
              "operations": ops, "cpus": 2, "exits_total": 1000, "exits": {"HLT": 200, "MSR": 800},
              "detail": {"msr": {"W 0x830": 200, "W 0x6e0": 100}, "mmio": {}},
              "entries": 1000, "lab_exits": 1, "hlt": 200, "wake_ipis": 200, "polled_ns": 0,
              "idle_ns": 0, "steal_ns": 0, "elapsed_ns": 10 ** 9, "suite": None,
              "cyclictest": None}
    result.update(values)
    return result


def judged(runs, what, headline=3000):
    """The verdicts whose text begins so."""
    said = benchdata.verdicts(benchdata.summarise_all(runs), headline)
    return [v[0] for v in said if v[2].startswith(what)]


class Runs(unittest.TestCase):
    def test_growth(self):
        got = benchdata.make_run("kvm", "6.12", haltpoll_point(1000),
                                 "cyclictest", 0, 150, 2, found(LOOKS))
        self.assertEqual((got["polled_ns"], got["idle_ns"], got["elapsed_ns"]),
                         (20000, 2 * 10 ** 9, 2 * 10 ** 9))
        self.assertEqual(got["cyclictest"], {"min_us": 273, "avg_us": 373, "max_us": 829})
        self.assertEqual((got["hlt"], got["wake_ipis"], got["suite"]), (40, 30, None))

    def test_xen_ipis_are_the_guests(self):
        got = benchdata.make_run("xen", "6.1", Point("default"), "pipe", 0, 10, 2, found(LOOKS))
        self.assertEqual((got["wake_ipis"], got["polled_ns"]), (7, 0))

    def test_suite_counters(self):
        out = SUITE.format("before", 10) + LOOKS + SUITE.format("after", 35)
        got = benchdata.make_run("kvm", "6.12", suite_point(100), "pipe", 0, 10, 2, found(out))
        self.assertEqual(got["suite"], {"entries": 25, "polled_ns": 25, "halts": 25,
                                        "reason": "saves-exits", "halt_ns": 500})
        self.assertEqual(got["polled_ns"], 25)

    def test_messages(self):
        self.assertEqual(benchdata.operations("messaging", 3), 1200)

    def test_what_makes_no_sense_is_refused(self):
        for out in ("", LOOKS.replace("after wake_ipis 17\n", ""),
                    LOOKS.replace("after poll_us 25", "after poll_us 1")):
            with self.assertRaises(Bad):
                benchdata.parse_looks(out)
        with self.assertRaises(Bad):
            benchdata.make_run("kvm", "6.12", Point("default"), "cyclictest", 0, 9, 2,
                               found(LOOKS.replace("Avg", "avg")))

    def test_key_tells_points_apart(self):
        keys = {benchdata.key(run(p, repeat=r)) for r in (0, 1)
                for p in (Point("default"), suite_point(100), suite_point(300))}
        self.assertEqual(len(keys), 6)


class Plan(unittest.TestCase):
    OPTIONS = argparse.Namespace(variants=bench.VARIANTS, percents=(300,), headline=100, repeats=2,
                                 haltpoll_ns=(1000, 2000), workloads=("pipe", "idle", "overcommit"),
                                 quick=False)

    def plan(self, host, kernel):
        report = bench.Report("unused")
        todo = bench.Bench(report, self.OPTIONS)
        return {its["name"]: sum(len(list(todo.missing(its, p))) for p in its["bench"]["points"])
                for its in bench.guests(host, kernel, self.OPTIONS)}, report, todo

    def test_every_repeat_boots_anew(self):
        # default, again and suite: two workloads each, 300 % without the sleep; the neighbour last.
        self.assertEqual(self.plan("kvm", "6.12")[0], {
            "kvm-6.12-default-1": 7, "kvm-6.12-haltpoll-1": 3, "kvm-6.12-default-2": 7 + 4,
            "kvm-6.12-haltpoll-2": 3, "kvm-6.12-idle-poll": 4})

    def test_without_haltpoll_the_curve_is_of_slow_devices(self):
        self.assertEqual(self.plan("xen", "6.12")[0]["xen-6.12-default-1"], 6)
        self.assertEqual(set(bench.COUNTS) - set(bench.CURVELESS), {"fio", "ping"})

    def test_haltpoll_only_where_it_exists(self):
        for place in (("kvm", "6.1"), ("xen", "6.12")):
            names = self.plan(*place)[0]
            self.assertEqual([n.split("-")[2] for n in names], ["default", "default", "idle"])

    def test_what_is_there_is_not_measured_again(self):
        _, report, todo = self.plan("kvm", "6.12")
        report.have.add(benchdata.key(run(Point("default"), "idle", repeat=1)))
        left = {its["name"]: sum(len(list(todo.missing(its, p))) for p in its["bench"]["points"])
                for its in bench.guests("kvm", "6.12", self.OPTIONS)}
        self.assertEqual((left["kvm-6.12-default-1"], left["kvm-6.12-default-2"]), (7, 10))


class Summaries(unittest.TestCase):
    def test_median_and_spread(self):
        row, = benchdata.summarise_all([run(Point("default"), repeat=n, exits_total=t, exits=e)
                                        for n, (t, e) in enumerate(((90, {"HLT": 90}), (10, {}),
                                                                    (50, {"HLT": 30, "NPF": 20})))])
        self.assertEqual((row["repeats"], row["exits_total"]), (3, 50))
        self.assertEqual(row["exits"], {"HLT": 30, "NPF": 0})
        self.assertEqual(row["spread"]["exits_total"], [10, 90])
        self.assertEqual(benchdata.median([1, 3, 5, 7]), 4)

    def test_sleep_exits_are_summed_before_the_median(self):
        row, = benchdata.summarise_all([run(Point("default"), repeat=n, hlt=h, wake_ipis=i)
                                        for n, (h, i) in enumerate(((0, 9), (9, 0), (5, 5)))])
        self.assertEqual(row["sleep_exits"], 9)

    def test_runs_of_different_length_do_not_mix(self):
        with self.assertRaises(Bad):
            benchdata.summarise_all([run(Point("default")), run(Point("default"), repeat=1, ops=7)])

    def test_model(self):
        # 200 IPIs, 100 timers, 700 others.
        row, = benchdata.summarise_all([run(Point("default"))])
        self.assertEqual(row["model_cycles"][0], 200 * 3273 + 100 * 2005 + 700 * 1575)
        self.assertEqual(row["model_cycles"][2], 200 * 787971 + 100 * 1033946 + 700 * 857578)


class Frontier(unittest.TestCase):
    BORDER = [(0, 10), (100, 6), (300, 2)]

    def test_only_the_border_counts(self):
        rows = benchdata.summarise_all([run(suite_point(n), ops=1, exits_total=y, polled_ns=x)
                                        for n, (x, y) in enumerate(((0, 10), (300, 2), (100, 6),
                                                                    (150, 7), (400, 2)))])
        self.assertEqual(benchdata.frontier(rows), self.BORDER)

    def test_polled_for(self):
        for exits, polled in ((11, 0), (10, 0), (8, 50), (6, 100), (4, 200), (2, 300), (1, None)):
            self.assertEqual(benchdata.polled_for(self.BORDER, exits), polled, exits)


class Noise(unittest.TestCase):
    @staticmethod
    def of(*values):
        return dict(enumerate(values))

    def test_boots_that_differ_are_no_noise(self):
        base, ours = self.of(100, 200, 400), self.of(110.1, 220, 439.9)
        self.assertTrue(difference(ours, base).more)
        self.assertFalse(difference(base, ours).more)
        self.assertEqual(str(difference(ours, base)), "+10.0%, noise 0.2%")

    def test_spread_is_noise(self):
        base = self.of(100, 100, 100)
        self.assertFalse(difference(self.of(90, 110, 115), base).more)

    def test_the_default_again_says_how_much_noise_there_is(self):
        base, ours = self.of(100, 100, 100), self.of(105, 104, 106)
        self.assertTrue(difference(ours, base).more)
        self.assertTrue(difference(ours, base, self.of(100, 101, 100)).more)
        self.assertFalse(difference(ours, base, self.of(90, 110, 100)).more)

    def test_one_repeat_says_nothing(self):
        self.assertIsNone(difference(self.of(1), self.of(1)))
        self.assertIsNone(difference({0: 1, 1: 1}, {1: 1, 2: 1}))

    def test_no_exits_at_all(self):
        self.assertEqual(difference(self.of(0, 0), self.of(0, 0)).mean, 0)


def repeats(point, workload, *exits, **values):
    return [run(point, workload, n, exits_total=e, **values) for n, e in enumerate(exits)]


class Verdicts(unittest.TestCase):
    def test_fewer(self):
        base = run(Point("default"))
        for hlt, verdict in ((40, "PASS"), (41, "FAIL")):
            ours = run(suite_point(3000), hlt=hlt, wake_ipis=40, polled_ns=5)
            self.assertEqual(judged([base, ours], "pingpong: 80%"), [verdict])
        self.assertEqual(judged([base], "pingpong: 80%"), ["SKIP"])

    def test_fewer_names_the_setting_that_would_do(self):
        runs = [run(Point("default")), run(suite_point(300)),
                run(suite_point(4000), hlt=0, wake_ipis=0, polled_ns=700000),
                run(suite_point(1000), hlt=0, wake_ipis=80, polled_ns=300000)]
        for left_out, text in ((0, "80% at 1000 %, for 3 us"), (1, "100% at 4000 %, for 7 us"),
                               (2, "at no setting that was measured")):
            said = benchdata.verdicts(benchdata.summarise_all(runs[:len(runs) - left_out]), 300)
            self.assertTrue(any(text in v[3] for v in said), (text, said))

    def test_haltpoll_is_dominated(self):
        base = run(Point("default"))
        ours = run(suite_point(3000), exits_total=200, polled_ns=10000)
        for exits, polled, verdict in ((200, 10000, "PASS"), (200, 9000, "FAIL"),
                                       (600, 6000, "PASS"), (600, 4000, "FAIL"),
                                       (100, 90000, "FAIL"), (1000, 0, "PASS")):
            theirs = run(haltpoll_point(1), exits_total=exits,
                         polled_ns=polled)
            self.assertEqual(judged([base, ours, theirs], "pingpong: haltpoll"), [verdict],
                             (exits, polled))

    def test_haltpoll_may_be_matched_within_noise(self):
        def said(ours_polled, *exits):
            runs = (repeats(Point("default"), "idle", 1200, 1210, 1205)
                    + repeats(suite_point(300), "idle", 1000, 1010, 1001, polled_ns=ours_polled)
                    + repeats(haltpoll_point(1), "idle", *exits))
            return judged(runs, "idle: haltpoll")

        next_to_nothing = 2 * 10 ** 9 // 1000
        self.assertEqual(said(next_to_nothing, 1005, 995, 998), ["PASS"])
        self.assertEqual(said(next_to_nothing, 900, 891, 895), ["FAIL"])
        self.assertEqual(said(next_to_nothing + 1, 1005, 995, 998), ["FAIL"])
        self.assertEqual(said(0, 1000), ["FAIL"])      # nothing is known of its noise

    def test_idle(self):
        for polled, verdict in ((4 * 10 ** 7, "PASS"), (5 * 10 ** 7, "FAIL")):
            ours = run(suite_point(100), "idle", polled_ns=polled,
                       suite={"halts": 1, "entries": 1, "polled_ns": 1, "halt_ns": 1,
                              "reason": "saves-exits"})
            self.assertEqual(judged([ours], "idle: at most"), [verdict])

    def test_never_worse(self):
        base = repeats(Point("default"), "pipe", 1000, 2000, 4000)
        noisy = repeats(AGAIN, "pipe", 900, 2200, 4000)
        ours = repeats(suite_point(3000), "pipe", 1051, 2100, 4200)
        self.assertEqual(judged(base + ours, "pipe: no more"), ["FAIL"])
        self.assertEqual(judged(base + noisy + ours, "pipe: no more"), ["PASS"])
        self.assertEqual(judged(base + ours[:1], "pipe: no more"), ["SKIP"])

    def test_bound(self):
        for polled, verdict in ((1200, "PASS"), (1201, "FAIL")):
            counters = {"halts": 10, "entries": 9, "polled_ns": polled, "halt_ns": 100,
                        "reason": "x"}
            self.assertEqual(judged([run(suite_point(100), suite=counters)],
                                    "pingpong: default setting"), [verdict])

    def test_overcommit(self):
        def crowded(point, *took, reason="overcommit"):
            for n, t in enumerate(took):
                work = LOOKS.replace("3000000", str(1000000 + t))
                if point.variant == "suite":
                    work = SUITE.format("before", 1) + work + SUITE.format("after", 2)
                yield benchdata.make_crowded("kvm", "6.12", point, n, 10, 2,
                                             f"x\nstood_down {reason} 2500000\n", work)

        base = [*crowded(Point("default"), 900, 1000, 1100, reason="none")]
        self.assertIsNone(base[0]["stood_down_ns"])
        for ours, verdicts in (
                (crowded(suite_point(100), 1000, 950, 1200), ["PASS", "PASS"]),
                (crowded(suite_point(100), 1350, 1501, 1650), ["PASS", "FAIL"]),
                (crowded(suite_point(100), 1), ["PASS", "SKIP"]),
                (crowded(suite_point(100), 9, 9, 9, reason="saves-exits"), ["FAIL", "PASS"])):
            said = benchdata.verdicts([], 100, (), base + [*ours])
            self.assertEqual([v[0] for v in said], verdicts)

    def test_what_stayed_unmeasured_fails(self):
        problems = [{"where": "kvm", "text": "lost", "fatal": True},
                    {"where": "kvm", "text": "died once", "fatal": False}]
        self.assertEqual([v[0] for v in benchdata.verdicts([], 100, problems)], ["FAIL"])


class Show(unittest.TestCase):
    ROWS = benchdata.summarise_all(
        [run(Point("default"), w) for w in ("pingpong", "idle")]
        + [run(p, w, exits_total=500, polled_ns=7000)
           for p in (suite_point(100), suite_point(300),
                     haltpoll_point(1000), haltpoll_point(2000))
           for w in ("pingpong", "idle")])

    def test_table_has_every_result(self):
        lines = list(benchshow.table_lines(self.ROWS))
        self.assertEqual(len(lines), 2 + 2 * 5)
        self.assertIn("50%", lines[3])

    def test_markdown(self):
        text = benchshow.markdown(self.ROWS, ("kvm", "6.12"), 300, "emulation")
        self.assertIn("Guest kernel 6.12 on KVM, medians of 1, on a machine with emulation", text)
        self.assertIn("| default | haltpoll 1 us | suite 100 % | suite 300 % |", text)
        self.assertIn("| pingpong | 10.00 (0 µs) | 5.00 (0 µs) |", text)

    def test_plots_have_every_point(self):
        bars = benchshow.bars_script(self.ROWS, ("kvm", "6.12"), 300)
        self.assertIn('"pingpong\\n10.0" 50.0 50.0 50.0', bars)
        curve = benchshow.curve_script(self.ROWS, ("kvm", "6.12"))
        self.assertEqual(curve.count("0.070 5.000"), 2 * 4)

    def test_marks(self):
        text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n"
        self.assertEqual(benchshow.put_between(text, "x", "new\\1\n"),
                         "a\n<!-- x -->\nnew\\1\n<!-- /x -->\nb\n")
        with self.assertRaises(benchshow.Failure):
            benchshow.put_between(text, "y", "")
