#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests of ktap.py: python3 test_ktap.py"""
import unittest

from ktap import judge

GOOD = """\
[    1.000000] Linux version 6.1
[    2.000000] KTAP version 1
[    2.000001] 1..2
[    2.000002]     KTAP version 1
[    2.000003]     # Subtest: first
[    2.000004]     1..2
[    2.000005]     ok 1 plain
[    2.000006]         KTAP version 1
[    2.000007]         # Subtest: table
[    2.000008]         ok 1 zero
[    2.000009]         ok 2 all ones
[    2.000010]     # table: pass:2 fail:0 skip:0 total:2
[    2.000011]     ok 2 table
[    2.000012] # first: pass:2 fail:0 skip:0 total:2
[    2.000013] ok 1 first
[    2.000014]     KTAP version 1
[    2.000015]     # Subtest: second
[    2.000016]     1..1
[    2.000017]     ok 1 absent # SKIP no such thing
[    2.000018] ok 2 second
[    2.100000] reboot: Power down
"""


def verdict(text):
    j = judge(text.splitlines())
    return j.passed, len(j.failures), j.skipped


class Ktap(unittest.TestCase):
    def test_good(self):
        self.assertEqual(verdict(GOOD), (3, 0, 1))

    def test_without_stamps(self):
        bare = "\n".join(line[15:] for line in GOOD.splitlines())
        self.assertEqual(verdict(bare), (3, 0, 1))

    def test_twice_adds_up(self):
        self.assertEqual(verdict(GOOD + GOOD), (6, 0, 2))

    def test_leaf_fails(self):
        bad = GOOD.replace("ok 2 all ones", "not ok 2 all ones") \
                  .replace("ok 2 table", "not ok 2 table").replace("ok 1 first", "not ok 1 first")
        self.assertEqual(verdict(bad), (2, 1, 1))

    def test_parent_fails_alone(self):
        self.assertEqual(verdict(GOOD.replace("ok 1 first", "not ok 1 first")), (3, 1, 1))

    def test_nothing_at_all(self):
        self.assertEqual(verdict(""), (0, 1, 0))
        self.assertEqual(verdict("[    1.0] Linux version 6.1\n"), (0, 1, 0))

    def test_built_in_core_has_nothing_to_run(self):
        boot = "[    0.9] KTAP version 1\n[    0.9] 1..0\n"
        self.assertEqual(verdict(boot), (0, 1, 0))
        self.assertEqual(verdict(boot + GOOD), (3, 0, 1))

    def test_log_ends_anywhere(self):
        lines = GOOD.splitlines()
        for n in range(len(lines) - 1):
            self.assertTrue(judge(lines[:n]).failures, f"first {n} lines")

    def test_any_result_is_lost(self):
        lines = GOOD.splitlines()
        for n, line in enumerate(lines):
            # The last parameter of a table has no plan that could miss it.
            if "ok " in line and "all ones" not in line:
                self.assertTrue(judge(lines[:n] + lines[n + 1:]).failures, line)

    def test_splat_while_it_runs(self):
        for splat in ("BUG: KASAN: slab-out-of-bounds in f+0x1/0x2", "Kernel panic - not syncing: x",
                      "WARNING: possible circular locking dependency detected",
                      "WARNING: CPU: 0 PID: 1 at x.c:1 f+0x1/0x2"):
            bad = GOOD.replace("[    2.000009]", f"[    2.000008] {splat}\n[    2.000009]")
            self.assertEqual(verdict(bad), (3, 1, 1), splat)

    def test_splat_before_is_not_ours(self):
        self.assertEqual(verdict("[    1.0] WARNING: CPU: 0 PID: 1 at x.c:1 f\n" + GOOD), (3, 0, 1))

    def test_noise_in_between(self):
        noisy = GOOD.replace("[    2.000009]", "[    2.000008] e1000: ok then\n[    2.000009]")
        self.assertEqual(verdict(noisy), (3, 0, 1))


if __name__ == "__main__":
    unittest.main()
