# SPDX-License-Identifier: GPL-2.0-only
"""Cases of migrate-notify in user space: the installed programs, the real driver, real moves."""
import json
import os
import re
import subprocess
import time

from .cases import need, ok, Wrong
from .suite import TOP

HOST_TOOL = os.path.join(TOP, "build/userspace/migrate-notify-host")
CLI = "migrate-notify"
PYTHON = """
import sys
sys.path.insert(0, "/suite")
import migrate_notify as mn
with mn.Context("python", delay=True) as ctx:
    print("ready", flush=True)
    for event in ctx:
        print(event.seq, event.type, event.op, event.status, *sorted(event.added), flush=True)
        if event.type == "prepare":
            ctx.ack(event)
        elif event.op == 0x77 or event.op == 8:
            break
    page = ctx.page()
    print("usable", *sorted(page.usable), flush=True)
"""


def load_driver(guest):
    ok(guest.run("insmod /suite/hybrid.ko && insmod /suite/migrate_notify.ko"), "insmod")


def unload_driver(guest):
    ok(guest.run("rmmod migrate_notify && rmmod hybrid"), "rmmod")


def lines(guest, command):
    return [json.loads(line) for line in ok(guest.run(command), command).splitlines()]


def until(guest, command, seconds=60):
    end = time.monotonic() + seconds
    while guest.run(command)["rc"]:
        if time.monotonic() > end:
            raise Wrong(f"not within {seconds} s: {command}")
        time.sleep(0.2)


def start(guest, name, command, ready):
    """In the background; its output is in /run/lab/NAME."""
    ok(guest.run(f"mkdir -p /run/lab; setsid {command} >/run/lab/{name} 2>&1 & "
                 f"echo $! >/run/lab/{name}.pid"), name)
    until(guest, ready)


def end(guest, name):
    return ok(guest.run(f"pid=$(cat /run/lab/{name}.pid); kill $pid; "
                        f"while kill -0 $pid 2>/dev/null; do sleep .1; done; cat /run/lab/{name}"),
              name)


def delays(name):
    return (f"{CLI} list --json | python3 -c 'import json, sys; sys.exit(not any(s[\"delays\"] and "
            f"s[\"name\"] == \"{name}\" for s in json.load(sys.stdin)[\"subscribers\"]))'")


def case_mn_cli(guest):
    """Every command of migrate-notify, and the Python module, with the driver itself."""
    for command in ("status", "list", "history", "watch", "simulate"):
        need(guest.run(f"{CLI} {command}")["rc"] == 3, f"{command} without the driver")
    without = lines(guest, f"{CLI} features --json")[0]
    load_driver(guest)
    with_it = lines(guest, f"{CLI} features --json")[0]
    differ = {n for n, u in with_it["features"].items() if without["features"][n] != u}
    need(with_it["driver"] and not without["driver"] and not differ,
         f"driver and library differ on {differ}")
    start(guest, "python", f"python3 -c '{PYTHON}'", delays("python"))
    start(guest, "watch", f"{CLI} watch --json --all --ack --why watcher", delays("watcher"))
    drill = lines(guest, f"{CLI} simulate --json --vanish sse2 --status failed --moving 5")
    need([e["event"] for e in drill] == ["prepare", "ready", "moving", "complete"], f"{drill}")
    need(drill[0]["waiting"] == 2 and drill[0]["removed"] == ["sse2"] and drill[0]["simulated"]
         and drill[3]["status"] == "failed", f"{drill}")
    acks = lines(guest, f"{CLI} list --json")[0]["subscribers"]
    need(sorted(s["name"] for s in acks if s["acks"] == 1) == ["python", "watcher"], f"{acks}")
    done = guest.run(f"exec 9<>/dev/migrate-notify; {CLI} ack --fd 9 || exit 9\n"
                     f"{CLI} simulate --timeout 300 >/run/lab/late; echo late=$?\n"
                     f"{CLI} simulate --timeout 60000 --json >/run/lab/shell & sleep 1\n"
                     f"op=$(python3 -c 'import json; "
                     "print(json.loads(open(\"/run/lab/shell\").readline())[\"op\"])')\n"
                     f"{CLI} ack --fd 9 $op; wait $!; echo acked=$?; "
                     f"{CLI} ack --fd 9 $op; echo again=$?")
    need("late=4" in done["out"] and "acked=0" in done["out"] and "again=0" in done["out"],
         f"a script's acks: {done}")
    done = guest.run(f"{CLI} inhibit --refuse -- sh -c '{CLI} simulate | grep -q \"1 refused\"'")
    need(done["rc"] == 0, f"inhibit: {done}")
    events = lines(guest, f"{CLI} history --json")
    need([e["seq"] for e in events] == list(range(1, len(events) + 1)) and len(events) == 16,
         f"{len(events)} events: {events}")
    until(guest, "[ $(wc -l </run/lab/watch) -ge 16 ]")
    seen = end(guest, "watch").splitlines()
    need([json.loads(e)["seq"] for e in seen] == [e["seq"] for e in events], f"watched: {seen}")
    status = lines(guest, f"{CLI} status --json")[0]
    need(status["generation"] == 16 and status["phase"] == "idle" and status["subscribers"] == 2 and
         status["sources"]["inject"]["active"], f"{status}")
    # As an ordinary user
    user = "setpriv --reuid 65534 --regid 65534 --clear-groups /tmp/cli"
    done = guest.run(f"cp /suite/bin/{CLI} /tmp/cli; {user} status >/dev/null; echo status=$?; "
                     f"{user} simulate; echo simulate=$?; {user} inhibit -- true; echo inhibit=$?")
    need(all(word in done["out"] for word in ("status=0", "simulate=5", "inhibit=5")), f"{done}")
    until(guest, "[ $(wc -l </run/lab/python) -ge 9 ]")
    text = ok(guest.run("kill $(cat /run/lab/python.pid); cat /run/lab/python"), "python")
    told = re.findall(r"^\d+ (\w+) \d+ (\w+)", text, re.M)
    need(told == [("prepare", "None"), ("complete", "failed")] +
         [("prepare", "None"), ("complete", "success")] * 3, f"python: {text}")
    until(guest, "rmmod migrate_notify")
    ok(guest.run("rmmod hybrid"), "rmmod hybrid")


def host_tool(*args):
    done = subprocess.run([HOST_TOOL, *args], capture_output=True, text=True, timeout=120,
                          check=False)
    need(done.returncode == 0, f"migrate-notify-host {args}: {done}")
    return done.stdout


def worker_lines(guest):
    return ok(guest.run("cat /run/lab/worker"), "worker")


def worker_bound(text):
    """The variants that it says it ran, in their order."""
    return re.findall(r"^[\d.]+ \w+: (\w+)$", text, re.M)


def start_worker(guest):
    start(guest, "worker", "migrate-notify-worker --threads 2", delays("worker"))


def worker_blocks(guest, *variants):
    """Ends the worker, who has run all of these and was never wrong. What it says."""
    text = end(guest, "worker")
    last = text.strip().splitlines()[-1]
    need(" wrong 0 " in last and all(re.search(rf" {v} [1-9]", last) for v in variants), text)
    return last


def case_mn_orchestrated(guest):
    """The whole cycle by the virtio-serial port, the worker under load through all of it."""
    there, here = guest.spec["row"][0], guest.spec["cpu"]
    load_driver(guest)
    # A step of KVM's clock or vmclock may tell first: so say the pairs, whoever told.
    ok(guest.run("modprobe virtio_console; grep -q org.hybridhvm /sys/class/virtio-ports/*/name"),
       "the port")
    start(guest, "agent", f"{CLI} agent", f"{CLI} list | grep -q agent")
    start_worker(guest)
    start(guest, "python", f"python3 -c '{PYTHON}'", delays("python"))
    need("start: sse42" in worker_lines(guest), worker_lines(guest))

    said = host_tool("prepare", "--port", guest.port, "--op", "7", "--vanish", "",
                     "--appear", "aes,avx2,bmi2", "--deadline", "60000")
    need("op 7: ready, 0 late, 0 refused" in said, said)
    guest.move(there)
    host_tool("complete", "--port", guest.port, "--op", "7", "--status", "success")
    until(guest, "grep -q 'complete: avx2' /run/lab/worker")

    said = host_tool("prepare", "--port", guest.port, "--op", "8", "--vanish", "aes,avx2,bmi2",
                     "--deadline", "60000")
    need("op 8: ready" in said, said)
    need(worker_lines(guest).rstrip().endswith("prepare: sse42"), worker_lines(guest))
    guest.move(here)
    host_tool("complete", "--port", guest.port, "--op", "8", "--status", "success")
    until(guest, "grep -q usable /run/lab/python")
    need(lines(guest, f"{CLI} features --json")[0]["features"]["avx2"] == "absent", "avx2 is back")

    bound = worker_bound(worker_lines(guest))
    need(bound == ["sse42", "plain", "avx2", "sse42"], f"{bound}")
    blocks = worker_blocks(guest, "avx2", "sse42")
    events = lines(guest, f"{CLI} history --json")
    told = [(e["event"], int(e["op"])) for e in events if e["event"] in ("prepare", "complete")]
    need(told == [(e, op) for op in (7, 8) for e in ("prepare", "complete")], f"{events}")
    python = ok(guest.run("cat /run/lab/python"), "python")
    need(re.search(r"complete 7 success.* avx2", python) and
         not re.search("usable.* avx2", python), python)
    ok(guest.run("kill $(cat /run/lab/agent.pid)"), "agent")
    until(guest, "rmmod migrate_notify")
    ok(guest.run("rmmod hybrid"), "rmmod hybrid")
    guest.note(f"{blocks}; bound {' '.join(bound)}")


def case_mn_born_rich(guest):
    """Features vanish under a program that knew them from its start: told, it does without before;
    one that is not told dies of it."""
    there, here = guest.spec["row"][0], guest.spec["cpu"]
    load_driver(guest)
    ok(guest.run("modprobe virtio_console"), "virtio_console")
    start(guest, "agent", f"{CLI} agent", f"{CLI} list | grep -q agent")
    start_worker(guest)
    start(guest, "burn", "mncheck burn", "grep -q burning /run/lab/burn")
    need(worker_bound(worker_lines(guest)) == ["avx2"], worker_lines(guest))

    said = host_tool("prepare", "--port", guest.port, "--op", "9", "--vanish", "aes,avx2,bmi2",
                     "--deadline", "60000")
    need("op 9: ready, 0 late, 0 refused" in said, said)
    # All before the machine has moved.
    need(worker_bound(worker_lines(guest)) == ["avx2", "sse42"], worker_lines(guest))
    guest.move(there)
    truth = ok(guest.run("mncheck truth"), "truth")
    need(not re.search(r"\b(aes|avx2|bmi2)\b", truth), f"it has not vanished: {truth}")
    until(guest, "dmesg | grep -q 'mncheck.*trap invalid opcode'")
    host_tool("complete", "--port", guest.port, "--op", "9", "--status", "success")
    ok(guest.run("sleep 1; kill -0 $(cat /run/lab/worker.pid)"), "the worker")
    need(worker_bound(worker_lines(guest)) == ["avx2", "sse42"], worker_lines(guest))

    said = host_tool("prepare", "--port", guest.port, "--op", "10", "--vanish", "",
                     "--appear", "aes,avx2,bmi2", "--deadline", "60000")
    need("op 10: ready" in said, said)
    guest.move(here)
    host_tool("complete", "--port", guest.port, "--op", "10", "--status", "success")
    until(guest, "grep -q 'complete: avx2' /run/lab/worker")
    bound = worker_bound(worker_lines(guest))
    blocks = worker_blocks(guest, "avx2", "sse42")
    events = lines(guest, f"{CLI} history --json")
    ends = [e for e in events if e["event"] == "complete"]
    need([int(e["op"]) for e in ends] == [9, 10] and
         {"aes", "avx2", "bmi2"} <= set(ends[0]["removed"]) and
         ends[0]["removed"] == ends[1]["added"], f"{events}")
    ok(guest.run("kill $(cat /run/lab/agent.pid)"), "agent")
    until(guest, "rmmod migrate_notify")
    ok(guest.run("rmmod hybrid"), "rmmod hybrid")
    guest.note(f"{blocks}; bound {' '.join(bound)}; who was not told died")
