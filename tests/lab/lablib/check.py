# SPDX-License-Identifier: GPL-2.0-only
"""Runs the cases on hosts, kernels and variants, and reports."""
import json
import os
import time
import traceback

from . import cases_host, cases_migrate, cases_pveoi, cases_pvirq, images, suite
from .cases import Skip, Wrong, case_name, cases_for
from .guests import everything, spec
from .images import is_debug
from .link import GuestDied
from .movable import Movable
from .say import Failure, say
from .vm import Bare, HostDied, Nested, hardware, machine_says

HOST_TRIES = 3
# What a debug kernel takes to be built, and its guests.
DEBUG_MINUTES = 20


def minutes_left():
    """Until $LAB_DEADLINE (seconds of the epoch), after which nothing new is begun."""
    deadline = os.environ.get("LAB_DEADLINE")
    return (float(deadline) - time.time()) / 60 if deadline else float("inf")


NO_TIME = "no time is left ($CHECK_MINUTES)"


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

    def move(self, cpu):
        """Migrate to another machine with that CPU; milliseconds of downtime."""
        return self._host.move(cpu)

    def monitor(self, command, **arguments):
        """Have its QEMU do something, in the words of QEMU's own protocol."""
        return self._host.monitor(command, **arguments)

    @property
    def port(self):
        """The socket of its virtio-serial port; another one after move()."""
        return self._host.port

    def on_host(self, command):
        """Its output; only where there is a host."""
        return self._host.sh(command)

    def console(self):
        """The last it and its host said, and on a host what its CPUs are at."""
        return self._host.console()

    def note(self, text):
        self.notes.append(text)

    def keep(self, name, data, suffix="json"):
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
        self.results, self.counts, self.times, self.deaths = [], [], {}, []
        os.makedirs(directory, exist_ok=True)

    def add(self, where, case, verdict, text="", seconds=0.0):
        self.results.append({"where": where, "case": case, "verdict": verdict, "text": text,
                             "seconds": round(seconds, 1)})
        first, *rest = (text or "").splitlines() or [""]
        print(f"{verdict} {where} {case} ({seconds:.1f} s){': ' + first if first else ''}",
              flush=True)
        for line in rest:
            print(f"     | {line}", flush=True)

    def host_died(self, where, text):
        self._died("host", where, text)

    def guest_died(self, where, text):
        self._died("guest", where, text)

    def _died(self, what, where, text):
        self.deaths.append({"what": what, "where": where, "text": text})
        # Now: what died is booted again, which may take an hour, or be stopped.
        self.save()

    def host_given_up(self, where, lines):
        self.add(where, "host", "FAIL", "\n".join(lines))

    def save(self):
        for name, data in (("report", self.results), ("exits", self.counts),
                           ("deaths", self.deaths)):
            with open(f"{self.directory}/{name}.json", "w", encoding="utf-8") as f:
                json.dump(data, f, indent=1)
                f.write("\n")

    def totals(self):
        return tuple(sum(r["verdict"] == v for r in self.results)
                     for v in ("PASS", "FAIL", "SKIP"))


def open_host(name, payload, logs, its_spec):
    if name != "bare":
        return Nested(name, payload, logs, its_spec["host_cpus"])
    return Movable(payload, logs) if "cpu" in its_spec else Bare(payload, logs)


def cases_of(its_spec):
    """The cases of a guest."""
    if "cases" in its_spec:
        return its_spec["cases"]
    if its_spec["variant"] == "pvirq":
        return list(cases_pvirq.cases_for(its_spec["host"], its_spec["kernel_name"]))
    if its_spec["variant"] == "nopv-pvirq":
        return (cases_pvirq.event_cases(its_spec["kernel_name"]) if its_spec["host"] == "xen" else
                cases_pveoi.CASES)
    return list(cases_for(its_spec["host"], its_spec["kernel_name"], its_spec["host_cpus"]))


def run_guest(host, its_spec, report, files):
    """All cases of one guest, as arguments of Report.add(), and its last words if it died and
    nothing else went wrong. HostDied goes to the caller."""
    where = its_spec["name"]
    started = time.monotonic()
    cases = cases_of(its_spec)
    try:
        host.start({k: v for k, v in its_spec.items() if k not in ("cases", "row")})
        say(f"{where}: up after {time.monotonic() - started:.0f} s")
        dead = None
        results = []
    except (GuestDied, Failure) as e:
        dead = "the guest did not boot"
        results = [(where, "boot", "FAIL", f"{e}\n" + "\n".join(host.console()),
                    time.monotonic() - started)]
    for function in cases:
        name = case_name(function)
        if dead:
            results.append((where, name, "FAIL", f"not run: {dead}", 0.0))
            continue
        if minutes_left() < 0:
            results.append((where, name, "SKIP", NO_TIME, 0.0))
            continue
        guest = Guest(host, its_spec, report, files)
        begun = time.monotonic()
        try:
            function(guest)
            verdict, text = "PASS", "; ".join(n for n in guest.notes if n)
        except Skip as e:
            verdict, text = "SKIP", str(e)
        except HostDied:
            raise
        except GuestDied as e:
            dead = f"the guest died in {name}"
            verdict, text = "FAIL", f"{e}\n" + "\n".join(host.console())
        except (Wrong, Failure) as e:
            verdict, text = "FAIL", str(e)
        except Exception:   # pylint: disable=broad-except
            verdict, text = "FAIL", traceback.format_exc()
        results.append((where, name, verdict, text, time.monotonic() - begun))
        say(f"{where}: {name} {verdict}" + (f": {text.splitlines()[0]}" if verdict == "FAIL" and
                                            text else ""))
        if verdict != "PASS" and not dead:
            try:
                host.run("pkill mncheck; pkill pingpong; rmmod migrate_notify pvirq hybrid 2>/dev/null", 120)
            except (GuestDied, Failure) as e:
                dead = f"the guest died after {name}: {e}"
    failures = [r[3] for r in results if r[2] == "FAIL" and not r[3].startswith("not run")]
    return results, failures[0] if dead and len(failures) == 1 else None


def run_host(name, groups, payload, report, files):
    """groups: lists of guests, each list on one boot of the host."""
    started = time.monotonic()
    logs = f"{report.directory}/{name}"
    os.makedirs(logs, exist_ok=True)
    for group in groups:
        run_group(name, list(group), payload, report, files, logs)
    report.times[f"lab: {name}"] = report.times.get(f"lab: {name}", 0) + time.monotonic() - started


def run_group(name, todo, payload, report, files, logs):
    """All cases of guests one after the other on one boot of a host."""
    def visit(host, its_spec):
        its_files = files[its_spec["kernel_name"]]
        results, last_words = run_guest(host, its_spec, report, its_files)
        # Emulation kills guests, with no module of ours in them, too. Once is no verdict.
        if last_words and not hardware() and minutes_left() > 0:
            say(f"{its_spec['name']} is booted again")
            report.guest_died(its_spec["name"], last_words)
            host.stop()
            results, _ = run_guest(host, its_spec, report, its_files)
        for result in results:
            report.add(*result)

    visit_guests(name, todo, payload, logs, visit, report)


def visit_guests(name, todo, payload, logs, visit, report, tries=HOST_TRIES):
    """visit(host, spec) for each guest, on one boot of a host. Emulating two levels has races of
    its own: there, a host that dies is no verdict on the guest; it is booted again and the guest
    visited anew. The report is told: host_died() each time, host_given_up() instead at the last.
    """
    tries = 1 if hardware() else tries
    deaths = []
    while todo:
        if minutes_left() < 0:
            for its_spec in todo:
                report.add(its_spec["name"], "boot", "SKIP", NO_TIME)
            return
        host = None
        try:
            host = open_host(name, payload, logs, todo[0])
            while todo:
                visit(host, todo[0])
                todo.pop(0)
                if todo:
                    host.stop()
        except HostDied as e:
            where = todo[0]["name"]
            deaths.append(str(e))
            say(f"the {name} host died ({e}); boot {len(deaths)} of {tries}")
            if len(deaths) >= tries:
                report.host_given_up(where, deaths + host_tail(host, logs))
                return
            report.host_died(where, str(e))
        finally:
            if host:
                host.close()


def host_tail(host, logs):
    if host and host.vm:
        return host.vm.tail()
    try:
        with open(f"{logs}/host.console", encoding="utf-8", errors="replace") as f:
            return f.read().splitlines()[-40:]
    except OSError:
        return []


def on_host(host, kernel, variant):
    if variant == "pvirq":
        # On kvm everything exits and takes its time; what debug kernels find, bare shows as well.
        return host == "bare" or host == "kvm" and not is_debug(kernel) and (
            kernel == "6.12" or everything())
    if variant == "nopv":
        return not is_debug(kernel) and (
            host == "bare" or (host, kernel) == ("xen", "6.12") or everything())
    if variant == "nopv-pvirq":
        return everything() and (host == "xen" or host == "kvm" and not is_debug(kernel))
    if is_debug(kernel):
        return variant == "default" and (host == "bare" or host == "kvm" and everything())
    return True


def default_kernels():
    """Of the debug kernels one; the others take minutes more."""
    debug = images.KERNELS if everything() else images.KERNELS[-1:]
    return (*images.KERNELS, *(f"{k}-debug" for k in debug))


def groups_of(name, kernels, variants):
    """Lists of guests; the variants that are compared share a boot of the host."""
    groups = [[spec(name, k, v) for v in variants if on_host(name, k, v)] for k in kernels]
    if name == "kvm" and "default" in variants:
        groups += [[spec(name, k, "default", host_cpus=2), *cases_migrate.polling(k)]
                   for k in kernels if everything() or not is_debug(k)]
    if "default" in variants:
        groups += cases_migrate.groups(name, kernels)
    if "pvirq" in variants:
        groups += cases_host.groups(name, kernels) if everything() else []
        groups += cases_pvirq.groups(name, kernels)
    return groups


def run_kernels(hosts, kernels, variants, report):
    groups = {name: groups_of(name, kernels, variants) for name in hosts}
    if not any(map(any, groups.values())):      # nothing to build a debug kernel for
        return
    started = time.monotonic()
    files = {k: suite.files(k) for k in kernels}
    payload = suite.Payload("check", files)
    payload.pack()
    images.host_image()
    report.times[f"lab: build {' '.join(kernels)}"] = time.monotonic() - started
    for name in hosts:
        run_host(name, groups[name], payload, report, files)


def check(hosts, kernels, variants, report):
    say(f"the lab runs by {machine_says()}")
    try:
        stock = [k for k in kernels if not is_debug(k)]
        if stock:
            run_kernels(hosts, stock, variants, report)
        # Last, as it may have to be built first.
        for kernel in (k for k in kernels if is_debug(k)):
            if minutes_left() < DEBUG_MINUTES:
                report.add(kernel, "all", "SKIP", NO_TIME)
                continue
            run_kernels(hosts, [kernel], variants, report)
    finally:
        report.save()
    for death in report.deaths:
        print(f"note: the {death['what']} of {death['where']} died and was booted again: "
              + death["text"].splitlines()[0])
