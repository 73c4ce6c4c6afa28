# SPDX-License-Identifier: GPL-2.0-only
"""The pure parts of the benchmark of interrupts."""
import unittest
from types import SimpleNamespace

from . import benchirq


def run(variant, operation, repeat=0, operations=1, **cost):
    return {"host": "kvm", "kernel": "6.12", "variant": variant, "paths": {}, "eoi_path": None,
            "device": "nvme", "operation": operation, "repeat": repeat, "operations": operations,
            **{c: cost.get(c, 0) for c in benchirq.COSTS}}


class Table(unittest.TestCase):
    def test_is_found(self):
        config = bytearray(256)
        config[0x34] = 0x40
        config[0x40:0x42] = 0x01, 0x60                      # power management
        config[0x60:0x6c] = bytes((0x11, 0, 4, 0x80, 1, 0x20, 0, 0, 0, 0, 0, 0))
        resource = "0x1000 0x1fff 0x200\n0xfe000000 0xfe003fff 0x200\n"
        self.assertEqual(benchirq.table_of(config, resource), (0xfe002000, 0xfe002050))

    def test_is_not_there(self):
        self.assertIsNone(benchirq.table_of(bytearray(256), ""))


class Cost(unittest.TestCase):
    COUNTS = {"total": 99, "exits": {"VINTR": 8, "HLT": 9}, "detail": {
        "mmio": {"W 0x1000": 2, "R 0x104c": 1, "W 0x1050": 7, "W 0xfee000b0": 3},
        "pio": {"W 0xcf8": 4, "W 0xcfc": 4}, "msr": {"W 0x80b": 5},
        "hypercall": {"5": 1, "33": 2, "32": 6, "4242": 1}}}

    def counts(self, **more):
        return {**self.COUNTS, "detail": {**self.COUNTS["detail"], **more}}

    def test_kvm(self):
        # CPU 1's timer is none of a device's interrupts.
        counts = self.counts(eoi={"0 35": 7, "1 236": 9}, pv_eoi={"0 35": 5, "1 236": 1})
        cost = benchirq.cost_of(counts, "kvm", (0x1000, 0x1050))
        self.assertEqual(cost, {"table": 3, "config": 4, "calls": 9, "eoi": 2, "window": 8,
                                "exits": 99})

    def test_xen(self):
        # Each timer interrupt has an EOI; the upcall's vector has none.
        cost = benchirq.cost_of(self.counts(injected={"236": 6, "40": 50}), "xen", None)
        self.assertEqual((cost["calls"], cost["table"], cost["eoi"]), (2, 0, 2))


class Turns(unittest.TestCase):
    def missing(self, *turns):
        """After turns of (exits without the suite, with it), of three."""
        spec = benchirq.guests("kvm", "6.12", "irq")[0]
        report = SimpleNamespace(data={"irqs": [
            run(variant, "interrupt", repeat, exits=exits) for repeat, both in enumerate(turns)
            for variant, exits in zip(("default", "default + suite"), both)]})
        return [repeat for repeat, _ in benchirq.IrqBench(report, True).missing(spec)]

    def test_are_few(self):
        self.assertEqual(self.missing((2, 3)), [1, 1, 2, 2])
        self.assertEqual(self.missing((2, 3), (3, 3), (2, 3)), [])

    def test_are_more_for_who_fails(self):
        worse = [(2, 3)] * 3
        self.assertEqual(self.missing(*worse), [3, 3, 4, 4])
        self.assertEqual(self.missing(*worse, *worse[:2]), [])


class Verdicts(unittest.TestCase):
    def said(self, *runs):
        return [(v, what) for v, _, what, _ in benchirq.verdicts(runs)]

    def test_operation(self):
        base = run("default", "move", table=11)
        self.assertEqual(self.said(base, run("default + suite", "move", table=4)),
                         [("PASS", "nvme, move: default + suite")])
        self.assertEqual(self.said(base, run("default + suite", "move", table=3, calls=2))[0][0],
                         "FAIL")
        # Where it costs less without us, that is the limit.
        self.assertEqual(self.said(run("default", "move", table=2),
                                   run("default + suite", "move", table=4))[0][0], "FAIL")

    def test_what_is_left_to_the_kernel(self):
        base = run("default pirqs", "stay", calls=3)
        ours = [{**run("default pirqs + suite", "stay", r, calls=n), "paths": {"kernel": 11}}
                for r, n in enumerate((4, 3, 5))]
        self.assertEqual(self.said(base, *ours), [("PASS", "nvme, stay: default pirqs + suite")])
        ours[1]["calls"] = 4
        self.assertEqual(self.said(base, *ours)[0][0], "FAIL")

    def test_without_base(self):
        self.assertEqual(self.said(run("default + suite", "move"))[0][0], "SKIP")

    def test_load_is_judged_by_all_exits(self):
        runs = [run("default", "read", r, 10, exits=n) for r, n in enumerate((100, 110, 90))]
        ours = [run("default + suite", "read", r, 10, exits=n) for r, n in enumerate((130, 109))]
        self.assertEqual(self.said(*runs, *ours),
                         [("PASS", "nvme, read: default + suite: no more exits")])
        ours[1]["exits"] = 111
        self.assertEqual(self.said(*runs, *ours)[0][0], "FAIL")

    def test_eoi(self):
        base = run("nopv", "interrupt", operations=100, exits=500, eoi=110)
        ours = run("nopv + suite", "interrupt", operations=100, exits=400, eoi=20)
        self.assertEqual([v for v, _ in self.said(base, ours)], ["PASS", "SKIP"])
        ours["eoi_path"] = "pv-eoi"
        self.assertEqual([v for v, _ in self.said(base, ours)], ["PASS", "PASS"])
        ours["eoi"] = 60
        self.assertEqual([v for v, _ in self.said(base, ours)], ["PASS", "FAIL"])
        # The kernel's own does not get further, either.
        upstream = run("default", "interrupt", operations=100, exits=300, eoi=60)
        self.assertEqual([v for v, _ in self.said(upstream, base, ours)], ["PASS", "PASS"])

    def test_reads_against_xen_support(self):
        ours = run("nopv pirqs + suite", "read", operations=10, exits=130)
        runs = [run("default", "read", operations=10, exits=120, eoi=10), ours]
        what = "nvme, read: nopv pirqs + suite has fewer exits for interrupts than default"
        self.assertIn(("PASS", what), self.said(*runs))
        self.assertIn(("FAIL", "nvme, read: nopv pirqs + suite has no more exits than default"),
                      self.said(*runs))
        # A window, as soon as the guest can be interrupted again, is an exit like a call.
        for exit_ in ("calls", "window"):
            self.assertIn(("FAIL", what), self.said(runs[0], {**ours, exit_: 10}))

    def test_reads_of_who_may_poll(self):
        theirs = [run("default, may poll", "read", r, exits=n) for r, n in enumerate((40, 44, 38))]
        ours = [run("nopv pirqs + suite, may poll", "read", r, exits=n)
                for r, n in enumerate((30, 37))]
        what = "nvme, read: nopv pirqs + suite, polling, has fewer exits than default"
        self.assertEqual(self.said(*theirs, *ours), [("PASS", what)])
        ours[0]["exits"] = 38
        self.assertEqual(self.said(*theirs, *ours), [("FAIL", what)])

    def test_guests(self):
        for part, host, most in (("irq", "kvm", 2), ("irq", "xen", 4), ("reads", "xen", 2),
                                 ("reads", "kvm", 0)):
            its = benchirq.guests(host, "6.12", part)
            self.assertEqual(len({g["name"] for g in its}), most)
            self.assertEqual({v.polls for g in its for v in g["bench"]}, {part == "reads"} if its
                             else set())

    def test_lines(self):
        lines = list(benchirq.table_lines([run("default", "move", table=11),
                                           run("default", "read", 0, 10, exits=95)]))
        self.assertIn("11.00", lines[1])
        self.assertIn("9.50", lines[2])


if __name__ == "__main__":
    unittest.main()
