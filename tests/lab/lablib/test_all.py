# SPDX-License-Identifier: GPL-2.0-only
"""Unit tests of the lab's pure parts and of the guest protocol."""
import base64
import gzip
import importlib
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

from . import counts, images
from .link import PIECE, GuestDied, GuestLink
from .xslink import XenstoreLink

HIST = """# event histogram
#
# trigger info: hist:keys=exit_reason,info1:vals=hitcount:sort=hitcount:size=16384 [paused]
#

{ exit_reason:        123, info1:   49807873 } hitcount:          4
{ exit_reason:        123, info1:    7341073 } hitcount:          7
{ exit_reason:        114, info1:          0 } hitcount:       1000
{ exit_reason:        120, info1:          0 } hitcount:         37

Totals:
    Hits: 1048
    Entries: 4
    Dropped: 0
"""


def hist(entries, dropped=0):
    lines = [f"{{ {', '.join(f'k{i}: {v}' for i, v in enumerate(key))} }} hitcount: {n}"
             for key, n in entries.items()]
    return "\n".join(lines) + f"\nTotals:\n    Hits: 0\n    Entries: 0\n    Dropped: {dropped}\n"


class Kvm(unittest.TestCase):
    def test_histogram(self):
        self.assertEqual(counts.parse_hist(HIST)[(114, 0)], 1000)

    def test_dropped_events_fail(self):
        with self.assertRaises(counts.LostRecords):
            counts.parse_hist(hist({(1,): 1}, dropped=3))

    def test_histogram_without_totals_fails(self):
        with self.assertRaises(counts.LostRecords):
            counts.parse_hist("{ exit_reason: 1 } hitcount: 4\n")

    def test_control_port_is_apart(self):
        # 49807873 is IN from 0x2f8, 7341073 IN from 0x70.
        got = counts.kvm_counts({"kvm_exit": counts.parse_hist(HIST), "kvm_entry": {(0,): 1048},
                                 "kvm_msr": {(0x80B, 1): 3, (0x1B, 0): 2},
                                 "kvm_mmio": {(0, 0xFED000F0): 5, (1, 0xFED000F0): 5},
                                 "kvm_hypercall": {(11,): 2},
                                 "kvm_eoi": {(1, 35): 9}, "kvm_pv_eoi": {(1, 35): 7}}, "svm")
        self.assertEqual((got["detail"]["eoi"], got["detail"]["pv_eoi"]),
                         ({"1 35": 9}, {"1 35": 7}))
        self.assertEqual(got["lab_exits"], 4)
        self.assertEqual(got["total"], 1044)
        self.assertEqual(got["exits"], {"CPUID": 1000, "HLT": 37, "IOIO": 7})
        self.assertEqual(got["entries"], 1044)
        self.assertEqual(got["detail"]["pio"], {"R 0x70": 7})
        self.assertEqual(got["detail"]["msr"], {"W 0x80b": 3, "R 0x1b": 2})
        self.assertEqual(got["detail"]["mmio"], {"R 0xfed000f0": 5})

    def test_direction_of_port_exits(self):
        # Intel SDM, exit qualification of I/O: bit 3 is the direction, 1 = IN.
        empty = {"kvm_entry": {}, "kvm_msr": {}, "kvm_mmio": {}, "kvm_hypercall": {},
                 "kvm_eoi": {}, "kvm_pv_eoi": {}}
        got = counts.kvm_counts({"kvm_exit": {(30, 0x70 << 16): 1, (30, 0x70 << 16 | 8): 2},
                                 **empty}, "vmx")
        self.assertEqual(got["detail"]["pio"], {"W 0x70": 1, "R 0x70": 2})

    def test_unknown_reason_is_shown_as_a_number(self):
        self.assertEqual(counts.reason_name(0x9999, "svm"), "0x9999")
        self.assertEqual(counts.reason_name(0x4E, "svm"), "EXCP_14")
        self.assertEqual(counts.reason_name(0x10, "svm"), "CR0_WRITE")


def record(event, *extra, tsc=None):
    head = event | len(extra) << 28 | (1 << 31 if tsc is not None else 0)
    stamp = struct.pack("<Q", tsc) if tsc is not None else b""
    return struct.pack("<I", head) + stamp + struct.pack(f"<{len(extra)}I", *extra)


def exit_record(code, tsc):
    return record(0x81103, code, 0x1000, 0, tsc=tsc)


class Xen(unittest.TestCase):
    def trace(self, inside, before=b"", after=b""):
        go = exit_record(0x7B, 90) + record(counts.PIO_READ, 0x2FA, 0)
        end = exit_record(0x7B, 900) + record(counts.PIO_WRITE, 0x2F8, ord("E"))
        return before + go + inside + end + after

    def test_counts_between_the_marks_only(self):
        inside = (record(0x81001, tsc=100) + exit_record(0x72, 110) + record(0x81001, tsc=111)
                  + exit_record(0x7B, 112) + record(counts.PIO_READ, 0x2FD, 0)
                  + record(0x81001, tsc=113)
                  + exit_record(0x7C, 120) + record(counts.MSR_WRITE, 0x80B, 0, 0)
                  + record(counts.INJECTED, 0, 1) + record(counts.INJECTED, 236, 0)
                  + record(0x81001, tsc=121))
        got = counts.xen_counts(self.trace(inside, before=exit_record(0x78, 10),
                                           after=exit_record(0x78, 1000)))
        self.assertEqual(got["exits"], {"CPUID": 1, "MSR": 1})
        self.assertEqual(got["lab_exits"], 2)
        self.assertEqual(got["entries"], 2)
        self.assertEqual(got["detail"]["msr"], {"W 0x80b": 1})
        self.assertEqual(got["detail"]["injected"], {"236": 1})

    def test_order_is_by_time(self):
        late = exit_record(0x78, 5000)      # another CPU's records, written first
        got = counts.xen_counts(late + self.trace(exit_record(0x72, 110)))
        self.assertEqual(got["exits"], {"CPUID": 1})

    def test_records_without_a_stamp_keep_their_cpu(self):
        # CPU 1's bunch begins with the handler of an exit that its last bunch ended with.
        change = lambda cpu: record(counts.TRC_CPU_CHANGE, cpu, 64)
        trace = (change(1) + exit_record(0x7C, 50) + change(0) + self.trace(b"")
                 + change(1) + record(counts.MSR_WRITE, 0x80B, 0, 0))
        self.assertEqual(counts.xen_counts(trace)["detail"]["msr"], {})

    def test_vmx_reasons(self):
        trace = (record(0x81103, 30, 0, 0, tsc=90) + record(counts.PIO_READ, 0x2FA, 0)
                 + record(0x81103, 10, 0, 0, tsc=100)
                 + record(0x81103, 30, 0, 0, tsc=900) + record(counts.PIO_WRITE, 0x2F8, 69))
        self.assertEqual(counts.xen_counts(trace, "vmx")["exits"], {"CPUID": 1})

    def test_lost_records_fail(self):
        with self.assertRaises(counts.LostRecords):
            counts.xen_counts(self.trace(record(counts.TRC_TRACE_LOST, 5, 0, tsc=100)))

    def test_truncated_trace_fails(self):
        whole = self.trace(b"")
        for cut in (len(whole) - 1, len(whole) - 8):
            with self.assertRaises(counts.LostRecords):
                counts.xen_counts(whole[:cut])

    def test_unfinished_bracket_fails(self):
        with self.assertRaises(counts.LostRecords):
            counts.xen_counts(exit_record(0x72, 5))


class FakeGuest:
    """The guest's side of the protocol, answered by a function."""

    def __init__(self, answer):
        self.dir = tempfile.TemporaryDirectory()
        self.path = f"{self.dir.name}/s"
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen(1)
        self.thread = threading.Thread(target=self._serve, args=(answer,), daemon=True)
        self.thread.start()

    def _serve(self, answer):
        conn, _ = self.server.accept()
        with conn, conn.makefile("rwb", buffering=0) as f:
            answer(f)

    def close(self):
        self.thread.join(5)
        self.server.close()
        self.dir.cleanup()


class Counter:
    def __init__(self):
        self.calls = []

    def start(self):
        self.calls.append("start")

    def stop(self):
        self.calls.append("stop")
        return {"total": 7}


# Plays xenstore: a node is a file, whoever looks; a watch that fires once too often, as it may.
FAKE_XENSTORE = """#!/bin/bash
what=${0##*-}
[ "$1" = -n ] && { count=$2; shift 2; }
node() { echo "$STORE/${1##*/}"; }
case $what in
read)	for n; do cat "$(node "$n")" && echo || exit 1; done ;;
write)	while [ $# -gt 0 ]; do
		printf %s "$2" >"$STORE/.new.$$" && mv "$STORE/.new.$$" "$(node "$1")"; shift 2
	done ;;
watch)	last=$(stat -c %i "$(node "$1")" 2>/dev/null) fired=1	# before anybody knows that it watches
	echo "$1"
	while [ "${count:-2}" -gt $fired ]; do
		sleep .02
		now=$(stat -c %i "$(node "$1")" 2>/dev/null)
		[ "$now" = "$last" ] || { last=$now; echo "$1" || exit; [ "$count" ] && fired=2; }
	done ;;
esac
"""


class Xenstore(unittest.TestCase):
    """XenstoreLink and the guest's script, which talk by files here."""

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        for what in ("read", "write", "watch"):
            path = f"{self.dir.name}/xenstore-{what}"
            with open(path, "w", encoding="ascii") as f:
                f.write(FAKE_XENSTORE)
            os.chmod(path, 0o755)
        before = dict(os.environ)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(before)))
        os.environ.update(PATH=f"{self.dir.name}:{before['PATH']}", STORE=self.dir.name)

    def start_guest(self):
        guest = subprocess.Popen(
            [f"{images.LAB}/guest/xenstore-agent.sh", self.dir.name], stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        self.addCleanup(lambda: (os.killpg(guest.pid, 9), guest.wait()))

    def test_run(self):
        self.start_guest()
        link = XenstoreLink(1)
        got = link.run("echo hi; exit 3", 20)
        self.assertEqual((got["rc"], got["out"], got["counts"]), (3, "hi\n", None))
        text = link.run("seq 30000 | shuf --random-source=/dev/zero", 20)["out"]
        self.assertEqual(sorted(map(int, text.split())), list(range(1, 30001)))
        self.assertEqual(link.run("true", 20)["out"], "")
        # What was restored goes on counting: the old answer is none to this.
        self.assertEqual(XenstoreLink(2, link.serial).run("echo again", 20)["out"], "again\n")
        with self.assertRaises(ValueError):
            link.run("x" * 4000, 1)

    def test_nobody_there(self):
        with self.assertRaises(GuestDied):
            XenstoreLink(1).run("true", 1)


class Link(unittest.TestCase):
    def talk(self, answer):
        guest = FakeGuest(answer)
        self.addCleanup(guest.close)
        link = GuestLink(guest.path, lambda: True)
        self.addCleanup(link.sock.close)
        return link

    def test_run(self):
        def answer(f):
            f.write(b"SeaBIOS noise\r\nREADY\n")
            number, command = f.readline().split()
            assert base64.b64decode(command) == b"echo hi"
            f.write(b"P %s\n" % number)
            f.readline()
            f.write(b"E")
            f.readline()
            body = base64.b64encode(gzip.compress(b"hi\n"))
            f.write(b"D %s 3 %d\n%s\n" % (number, len(body), body))

        link = self.talk(answer)
        link.wait_ready(5)
        counter = Counter()
        got = link.run("echo hi", 5, counter)
        self.assertEqual((got["rc"], got["out"], got["counts"]), (3, "hi\n", {"total": 7}))
        self.assertEqual(counter.calls, ["start", "stop"])

    def test_long_results_come_in_pieces(self):
        sent = random.Random(1).randbytes(2 * PIECE).hex()

        def answer(f):
            number = f.readline().split()[0]
            f.write(b"P %s\n" % number)
            f.readline()
            f.write(b"E")
            f.readline()
            body = base64.b64encode(gzip.compress(sent.encode()))
            assert len(body) > 2 * PIECE
            f.write(b"D %s 0 %d\n" % (number, len(body)))
            while len(body) > PIECE:
                f.write(body[:PIECE])
                body = body[PIECE:]
                assert f.readline() == b"\n"
            f.write(body + b"\n")

        self.assertEqual(self.talk(answer).run("true", 5)["out"], sent)

    def test_death_is_not_silence(self):
        link = self.talk(lambda f: f.write(b"READY\n"))
        link.wait_ready(5)
        with self.assertRaises(GuestDied):
            link.run("true", 5)

    def test_time_out(self):
        def answer(f):
            f.write(b"READY\n")
            number = f.readline().split()[0]
            f.write(b"P %s\n" % number)
            f.readline()
            f.readline()        # never ends the command

        link = self.talk(answer)
        link.wait_ready(5)
        with self.assertRaises(GuestDied):
            link.run("sleep 100", 1)
        link.sock.shutdown(socket.SHUT_RDWR)

    def test_a_short_result_is_no_result(self):
        def answer(f):
            f.write(b"READY\n")
            number = f.readline().split()[0]
            f.write(b"P %s\n" % number)
            f.readline()
            f.write(b"E")
            f.readline()
            f.write(b"D %s 0 400\nH4sI\n" % number)

        link = self.talk(answer)
        link.wait_ready(5)
        with self.assertRaises(GuestDied):
            link.run("true", 5)

    def test_a_counter_that_fails_ends_the_link(self):
        def answer(f):
            f.write(b"READY\n")
            f.write(b"P %s\n" % f.readline().split()[0])
            f.readline()

        class Broken(Counter):
            def start(self):
                raise RuntimeError("no tracing")

        link = self.talk(answer)
        link.wait_ready(5)
        with self.assertRaises(RuntimeError):
            link.run("true", 5, Broken())
        with self.assertRaises(GuestDied):
            link.run("true", 5)

    def test_lost_counts_spoil_only_their_command(self):
        def answer(f):
            for _ in range(2):
                number = f.readline().split()[0]
                f.write(b"P %s\n" % number)
                f.readline()
                f.write(b"E")
                f.readline()
                body = base64.b64encode(gzip.compress(b"hi\n"))
                f.write(b"D %s 0 %d\n%s\n" % (number, len(body), body))

        class Loses(Counter):
            def stop(self):
                raise counts.LostRecords("one")

        link = self.talk(answer)
        with self.assertRaises(counts.LostRecords):
            link.run("true", 5, Loses())
        self.assertEqual(link.run("true", 5, Counter())["counts"], {"total": 7})

    def test_long_commands_are_refused(self):
        link = self.talk(lambda f: f.readline())
        with self.assertRaises(ValueError):
            link.run("x" * 4000, 5)
        link.sock.shutdown(socket.SHUT_RDWR)


class Images(unittest.TestCase):
    def test_key_depends_on_every_input(self):
        self.assertNotEqual(images.digest("a", ["b"]), images.digest("a", ["c"]))
        self.assertNotEqual(images.digest("ab", ""), images.digest("a", "b"))

    def test_newest_kernel_by_number(self):
        with tempfile.TemporaryDirectory() as root:
            for version in ("6.1.0-9-amd64", "6.1.0-56-amd64"):
                os.makedirs(f"{root}/lib/modules/{version}/build")
            self.assertEqual(images.kernel_version(root), "6.1.0-56-amd64")


if __name__ == "__main__":
    sys.path.insert(0, os.path.join(os.path.dirname(images.LAB), "kernel"))
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromModule(module) for module in
                               (sys.modules[__name__], importlib.import_module("lablib.test_bench"),
                                importlib.import_module("lablib.test_benchirq"),
                                importlib.import_module("lablib.test_check"),
                                importlib.import_module("test_ktap")))
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=1).run(suite)
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad - len(result.skipped)} passed, {bad} failed, "
          f"{len(result.skipped)} skipped")
    sys.exit(bool(bad))
