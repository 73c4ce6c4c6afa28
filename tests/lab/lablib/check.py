# SPDX-License-Identifier: GPL-2.0-only
"""Runs the cases on hosts, kernels and variants, and reports."""
import json
import os
import time
import traceback

from . import images, suite
from .cases import Skip, Wrong, case_name, cases_for
from .guests import spec
from .images import is_debug
from .link import GuestDied
from .say import Failure, say
from .vm import Bare, HostDied, Nested, machine_says

HOST_TRIES = 3


class Guest:
    """What a case sees of a running guest."""

    def __init__(self, host, its_spec, report, files):
        self._host, self._report, self._files = host, report, files
        self.spec = its_spec
        self.host, self.kernel = its_spec["host"], its_spec["kernel_name"]
        self.variant = its_spec["variant"]
        self.notes = []

    def run(self, command, timeout=120, count=False):
        if is_debug(self.kernel):
            timeout *= 4
        return self._host.run(command, timeout, count)

    def has_file(self, name):
        return name in self._files

    def note(self, text):
        self.notes.append(text)

    def keep(self, name, data):
        suffix = "inc" if name == "snapshot" else "json"
        text = data if isinstance(data, str) else json.dumps(data, indent=1)
        with open(f"{self._report.directory}/{self.spec['name']}.{name}.{suffix}", "w",
                  encoding="utf-8") as f:
            f.write(text + ("" if text.endswith("\n") else "\n"))

    def keep_counts(self, workload, counts):
        self._report.counts.append({"host": self.host, "kernel": self.kernel,
                                    "variant": self.variant, "workload": workload, **counts})


class Report:
    def __init__(self, directory):
        self.directory = directory
        self.results, self.counts, self.times = [], [], {}
        os.makedirs(directory, exist_ok=True)

    def add(self, where, case, verdict, text="", seconds=0.0):
        self.results.append({"where": where, "case": case, "verdict": verdict, "text": text,
                             "seconds": round(seconds, 1)})
        first, *rest = (text or "").splitlines() or [""]
        print(f"{verdict} {where} {case} ({seconds:.1f} s){': ' + first if first else ''}",
              flush=True)
        for line in rest:
            print(f"     | {line}", flush=True)

    def save(self):
        for name, data in (("report", self.results), ("exits", self.counts)):
            with open(f"{self.directory}/{name}.json", "w", encoding="utf-8") as f:
                json.dump(data, f, indent=1)
                f.write("\n")

    def totals(self):
        return tuple(sum(r["verdict"] == v for r in self.results)
                     for v in ("PASS", "FAIL", "SKIP"))


def open_host(name, payload, logs):
    return Bare(payload, logs) if name == "bare" else Nested(name, payload, logs)


def run_guest(host, its_spec, report, files):
    """All cases of one guest. HostDied goes to the caller, who starts over."""
    where = its_spec["name"]
    started = time.monotonic()
    results = []
    try:
        host.start(its_spec)
    except (GuestDied, Failure) as e:
        return [(where, "boot", "FAIL", f"{e}\n" + "\n".join(host.console()),
                 time.monotonic() - started)]
    say(f"{where}: up after {time.monotonic() - started:.0f} s")
    for function in cases_for(its_spec["host"], its_spec["kernel_name"]):
        guest = Guest(host, its_spec, report, files)
        begun = time.monotonic()
        dead = False
        try:
            function(guest)
            verdict, text = "PASS", "; ".join(n for n in guest.notes if n)
        except Skip as e:
            verdict, text = "SKIP", str(e)
        except GuestDied as e:
            verdict, text, dead = "FAIL", f"{e}\n" + "\n".join(host.console()), True
        except (Wrong, Failure) as e:
            verdict, text = "FAIL", str(e)
        except (KeyError, ValueError, IndexError, TypeError):
            verdict, text = "FAIL", traceback.format_exc()
        results.append((where, case_name(function), verdict, text, time.monotonic() - begun))
        say(f"{where}: {case_name(function)} {verdict}")
        if dead:
            break       # the cases after a crash have not run; the crash is what counts
        if verdict == "FAIL":
            host.run("rmmod hybrid 2>/dev/null", 120)
    return results


def run_host(name, guests, payload, report, files):
    started = time.monotonic()
    logs = f"{report.directory}/{name}"
    os.makedirs(logs, exist_ok=True)
    for its_spec in guests:
        for result in run_fresh(name, its_spec, payload, report, files, logs):
            report.add(*result)
    report.times[f"lab: {name}"] = time.monotonic() - started


def run_fresh(name, its_spec, payload, report, files, logs):
    """One guest on a host booted for it: a host takes seconds, and under emulation a
    long-lived dom0 showed memory corruption of its own."""
    started = time.monotonic()
    for attempt in range(1, HOST_TRIES + 1):
        host = None
        try:
            host = open_host(name, payload, logs)
            return run_guest(host, its_spec, report, files[its_spec["kernel_name"]])
        except HostDied as e:
            # No verdict on the guest: emulating two levels has races of its own.
            say(f"the {name} host died ({e}); boot {attempt} of {HOST_TRIES}")
            text = "\n".join([str(e)] + (host.vm.tail() if host else []))
        finally:
            if host:
                host.close()
    return [(its_spec["name"], "host", "FAIL", text, time.monotonic() - started)]


def check(hosts, kernels, variants, report):
    say(f"the lab runs by {machine_says()}")
    started = time.monotonic()
    wanted = [k for k in kernels if not is_debug(k)]
    debug = [k for k in kernels if is_debug(k)]
    files = {k: suite.files(k) for k in kernels}
    payload = suite.Payload(kernels, files)
    payload.pack()
    images.host_image()
    report.times["lab: build"] = time.monotonic() - started
    for name in hosts:
        guests = [spec(name, k, v) for k in wanted for v in variants]
        if name == "kvm":
            guests += [spec(name, k, "default") for k in debug]
        run_host(name, guests, payload, report, files)
    report.save()
