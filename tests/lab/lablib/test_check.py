# SPDX-License-Identifier: GPL-2.0-only
"""Guests that die, without any: what run_group() makes of them."""
import contextlib
import io
import tempfile
import unittest
from unittest import mock

from . import check
from .cases import Wrong
from .link import GuestDied


class Died(unittest.TestCase):
    def verdicts(self, *lives, hardware=False):
        """Verdicts of the case "x", and how often a guest died; each life is what it raises."""
        left = list(lives)

        def case_x(_):
            life = left.pop(0)
            if life:
                raise life

        spec = {"name": "kvm-x", "host": "kvm", "kernel_name": "x", "variant": "default",
                "host_cpus": 1, "cases": [case_x]}
        host = mock.Mock(console=lambda: [])
        with tempfile.TemporaryDirectory() as directory, \
                contextlib.redirect_stdout(io.StringIO()), \
                contextlib.redirect_stderr(io.StringIO()), \
                mock.patch.object(check, "open_host", return_value=host), \
                mock.patch.object(check, "hardware", return_value=hardware):
            report = check.Report(directory)
            check.run_group("kvm", [spec], None, report, {"x": []}, directory)
        return [r["verdict"] for r in report.results], len(report.deaths)

    def test_once_is_no_verdict(self):
        self.assertEqual(self.verdicts(None), (["PASS"], 0))
        self.assertEqual(self.verdicts(GuestDied("gone"), None), (["PASS"], 1))

    def test_twice_is(self):
        self.assertEqual(self.verdicts(GuestDied("gone"), GuestDied("gone")), (["FAIL"], 1))

    def test_on_hardware_once_is(self):
        self.assertEqual(self.verdicts(GuestDied("gone"), None, hardware=True), (["FAIL"], 0))

    def test_what_fails_gets_no_second_chance(self):
        self.assertEqual(self.verdicts(Wrong("no"), None), (["FAIL"], 0))
