# SPDX-License-Identifier: GPL-2.0-only
"""Cases of the host ABI (Documentation/abi/host-abi.txt), on a KVM host that has it: tests/lab/peer
in its QEMU."""
import json
import time

from .cases import case_clean, load, need, ok, reset, status, unload, Wrong
from .cases_migrate import (fields, load_driver, mncheck, paired, parse_events, unload_driver,
                            wait_for, watch)
from .cases_pvirq import (EDU, READ_NVME, TARGETS, TEST, back_ends, bind_test_driver,
                          count_operations, do, irqs, spurious, wait_for_back_end)
from .guests import pvirq_devices, spec
from .images import is_debug

LIE = "version"
LIE_SEEN = "version-unknown"
# Accesses to the table and kicks, together.
MOST = {"request": 4, "free": 1, "move 1": 1, "stay 1": 0, "mask+unmask": 0}


def peer(guest, command):
    guest.on_host(f"echo '{command}' >/run/peer.command")


def peer_log(guest):
    return guest.on_host("cat /run/peer.log").splitlines()


def peer_says(guest, command, want, seconds=20):
    """Sends a command, if any; the first new line that begins so."""
    before = len(peer_log(guest))
    if command:
        peer(guest, command)
    end = time.monotonic() + seconds
    while True:
        for line in peer_log(guest)[before:]:
            if line.startswith(want):
                return line
        if time.monotonic() > end:
            raise Wrong(f"{command!r}: the host was not told {want!r}: {peer_log(guest)[-5:]}")
        time.sleep(0.2)


def peer_counts(guest):
    words = peer_says(guest, "counts", "counts").split()[1:]
    return dict(zip(words[::2], map(int, words[1::2])))


def case_host_recognised(guest):
    """The ABI is found where all is right, and refused for the right reason where it is not."""
    ok(guest.run("taskset -c 1 insmod /suite/hybrid.ko"), "insmod on the vCPU that is lied to")
    found = status(guest)
    need(found["host_abi"] == LIE_SEEN, f"host_abi {found['host_abi']}")
    need(not {"host-irq", "host-notice"} & set(found["features"]), f"{found['features']}")
    need(found["operations"]["msi_mask"]["path"] == "lazy", f"{found['operations']}")
    need(LIE_SEEN in ok(guest.run("hybridctl status"), "status"), "hybridctl does not say so")
    unload(guest)
    alone = json.loads(ok(guest.run("taskset -c 0 hybridctl status --json"), "status"))
    need(alone["host_abi"] is None, "the module alone knows whether the MSRs are there")
    ok(guest.run("taskset -c 0 insmod /suite/hybrid.ko"), "insmod")
    found = status(guest)
    need(found["host_abi"] == "usable" and {"host-irq", "host-notice"} <= set(found["features"]),
         f"{found['host_abi']} {found['features']}")
    need("hybrid" in [layer["name"] for layer in found["stack"]], f"{found['stack']}")
    need(found["level"]["confidence"] == "high", f"the host's word: {found['level']}")
    for op in ("msi_mask", "msi_affinity"):
        need((found["operations"][op]["path"], found["operations"][op]["reason"]) ==
             ("hypercall", "host-abi"), f"{found['operations'][op]}")
    unload(guest)


def load_both(guest):
    load(guest)
    ok(guest.run("insmod /suite/pvirq.ko"), "insmod pvirq.ko")


def unload_both(guest):
    ok(guest.run("rmmod pvirq && rmmod hybrid"), "rmmod")


def case_host_interrupts(guest):
    """Each interrupt runs its handler once, through mask storms and moves; all is given back."""
    bind_test_driver(guest)
    do(guest, TEST, "request", "raise 5")
    ok(guest.run("echo 2 >/proc/irq/default_smp_affinity"), "default affinity")
    load_both(guest)                # taken over while it is in use
    need(back_ends(guest) == {"hypercall"}, f"{irqs(guest)}")
    cpus = ok(guest.run("cat /proc/irq/*/pvirq-stray/../effective_affinity; "
                        "echo 3 >/proc/irq/default_smp_affinity"), "stray")
    need(int(cpus, 16) == 1, f"the stray interrupt is not on CPU 0: {cpus}")
    need(back_ends(guest, EDU) == {"lazy"}, f"MSI has no room for the number: {irqs(guest)}")
    before = peer_counts(guest)

    def runs_exactly(*commands, more=0):
        # Moved by its handler, before the host has looked again, it is delivered twice.
        was, twice = spurious(guest, TEST), peer_counts(guest)["repeated"]
        do(guest, TEST, *commands)
        extra = spurious(guest, TEST) - was
        twice = peer_counts(guest)["repeated"] - twice
        need(extra <= more + twice, f"{', '.join(commands)}: the handler ran for nothing {extra} "
             f"times, delivered twice {twice} times")

    # What comes while it is held back may be one interrupt, or several.
    do(guest, TEST, "held 1", "held 2", "held 30")
    runs_exactly("raise 100", "move 10", "stay 5", "raise 10", *["mask", "unmask"] * 10, "raise 10",
                 "free")
    for _ in range(2):
        do(guest, TEST, "reset", "request", "held 1", "held 30")
        runs_exactly("raise 20", "move 3")
        # Given back, an interrupt is repeated: what was under way may be lost. By the kernel, too.
        runs_exactly("hooked", "raise 5", "free", more=2)
    # Masked at the host: held back there, and let go by the kick.
    runs_exactly("request", "stormed 50", "free")
    after = peer_counts(guest)
    need(after["held"] > before["held"] and after["released"] - before["released"] ==
         after["held"] - before["held"], f"held and released: {before} {after}")
    guest.note(f"{after['delivered'] - before['delivered']} delivered, "
               f"{after['repeated'] - before['repeated']} of them a second time, "
               f"{after['held'] - before['held']} held and released, "
               f"{after['kicks'] - before['kicks']} kicks")
    for row in json.loads(ok(guest.run("hybridctl irq --json"), "irq --json"))["irqs"]:
        need(row["device"] != TEST or row["path"] == "hypercall", f"{row}")
    # Real drivers: nvme, the disk that this guest runs from (an eventfd in the kernel), network.
    ok(guest.run(f"{READ_NVME} && ping -c 3 -q 10.0.2.2 && echo 3 >/proc/sys/vm/drop_caches && "
                 "tar c /usr/lib/python3 | wc -c"), "I/O")
    # One goes back and forth, at rest and in use.
    do(guest, TEST, "request", "mask")
    for word, want in (("kernel", "kernel"), ("lazy", "lazy"), ("auto", "hypercall")):
        ok(guest.run(f"hybridctl irq set {TEST} {word}"), word)
        need(back_ends(guest) == {want}, f"{word}: {irqs(guest)}")
        do(guest, TEST, "unmask", "raise 5", "held 3", "move 1", "mask")
    do(guest, TEST, "unmask", "raise 5")
    unload_both(guest)
    do(guest, TEST, "raise 20", "held 5", "move 2", "free")
    ok(guest.run(READ_NVME), "nvme")


def case_host_exits(guest):
    """What each operation costs: accesses to the table that KVM saw, and kicks."""
    bind_test_driver(guest)
    load(guest)
    before = count_operations(guest)
    ok(guest.run("insmod /suite/pvirq.ko"), "insmod pvirq.ko")
    after = count_operations(guest, lambda: peer_counts(guest)["kicks"])
    guest.note(", ".join(f"{op} {before[op]} -> {after[op]}" for op in TARGETS))
    for op, most in MOST.items():
        need(after[op] <= most, f"{op}: {after[op]} exits, at most {most} wanted; {after}")
    unload_both(guest)


def case_host_hostile(guest):
    """A host that scribbles, forgets, or stops answering: nothing is lost, lazy takes over."""
    bind_test_driver(guest)
    load_both(guest)
    do(guest, TEST, "request", "raise 5")
    peer(guest, "scribble")
    do(guest, TEST, "raise 20", "mask", "unmask", "held 5", "move 2", "raise 5")
    # It knows our table no more: all goes to the stray vector, until we register again.
    peer(guest, "forget")
    do(guest, TEST, "raise 20", "held 3")
    time.sleep(2)
    before = peer_counts(guest)
    do(guest, TEST, "raise 20")
    need(peer_counts(guest)["delivered"] - before["delivered"] >= 20, "not registered again")
    need(back_ends(guest) == {"hypercall"}, f"{irqs(guest)}")
    # Its MSRs fault, and what it held back is never let go.
    do(guest, TEST, "mask", "raise_only 1")
    peer(guest, "deaf on")
    do(guest, TEST, "unmask", "caught 1", "held 3", "move 1")
    peer(guest, "forget")
    do(guest, TEST, "raise 10")
    wait_for_back_end(guest, "lazy")
    need(status(guest)["host_abi"] == "msr-faults", "not seen that its MSRs fault")
    do(guest, TEST, "raise 20", "held 3", "move 2", "mask", "unmask", "raise 5")
    ok(guest.run(READ_NVME), "nvme")
    peer(guest, "deaf off")
    ok(guest.run("echo 1 >/sys/module/hybrid/refresh"), "refresh")
    wait_for_back_end(guest, "hypercall")
    do(guest, TEST, "raise 20", "held 3", "move 2", "free")
    unload_both(guest)


def case_host_notice(guest):
    """Told of migrations, with time to prepare, acks and the end; hostile pages change nothing."""
    load_driver(guest)
    need("5" in fields(mncheck(guest, "page"))["active"], "source host not found")
    watch(guest, 3)
    # What cannot be read, or makes no sense.
    peer(guest, "torn prepare 7 60000")
    peer_says(guest, "long", "answer error 0 22")
    for bad, op in (("prepare 0 5", 0), ("nonsense", 0), ("", 0), ("prepare 7 5x", 7)):
        peer_says(guest, f"notice {bad}", f"answer error {op} 22")
    peer_says(guest, "notice moving 7", "answer error 7 2")
    # Nobody wants time.
    peer_says(guest, "notice prepare 42 60000 +avx2", "answer ready 42 0")
    peer_says(guest, "notice prepare 42 60000", "answer ready 42 0")
    peer(guest, "notice moving 42")
    wait_for(guest, "moving .*op=42")
    peer_says(guest, "notice complete 42 success 123", "answer complete 42 1")
    peer_says(guest, "notice prepare 42 60000", "answer complete 42 1")
    # Somebody does: the host waits for the ack, or for the deadline.
    ok(guest.run("mncheck hold >/tmp/held & until grep -q holding /tmp/held; do sleep .1; done"),
       "hold")
    peer(guest, "notice prepare 43 60000")
    wait_for(guest, "prepare .*op=43")
    need("answer ready 43 0" not in peer_log(guest), "did not wait")
    peer_says(guest, "notice prepare 46 60000", "answer error 46 16")
    # Moved meanwhile: the notice's own interrupt follows.
    ok(guest.run("irq=$(sed -n 's/^ *\\([0-9]*\\):.*migrate-notify$/\\1/p' /proc/interrupts); "
                 "for i in 1 0 1; do echo $i >/proc/irq/$irq/smp_affinity_list || exit; done"),
       "moving the interrupt")
    ok(guest.run("pkill -f 'mncheck hold'"), "kill")
    wait_for(guest, "ready .*op=43")
    need("answer ready 43 0" in peer_log(guest), f"{peer_log(guest)[-3:]}")
    peer_says(guest, "notice complete 43 cancelled", "answer complete 43 2")
    ok(guest.run("mncheck hold >/tmp/held & until grep -q holding /tmp/held; do sleep .1; done"),
       "hold")
    peer_says(guest, "notice prepare 44 300", "answer timed-out 44 1 0")
    peer_says(guest, "notice complete 44 failed", "answer complete 44 3")
    ok(guest.run("pkill -f 'mncheck hold'"), "kill")
    events = parse_events(wait_for(guest, "complete .*op=44"))
    need(paired(events) == 3 and {e["source"] for e in events} <= {0, 5}, f"{events}")
    need([e["type"] for e in events] ==
         ["prepare", "ready", "moving", "complete", "prepare", "ready", "complete", "prepare",
          "timed-out", "complete"], f"{events}")
    unload_driver(guest)
    peer_says(guest, "notice prepare 45 300", "nobody listens")


def case_host_moves_away(guest):
    """Moved to a host without the ABI, with traffic: lazy takes over, and nothing stands still."""
    ok(guest.run("taskset -c 0 insmod /suite/hybrid.ko && insmod /suite/pvirq.ko"), "insmod")
    ok(guest.run("dev=$(ls /sys/bus/pci/devices/0000:00:11.0/net/); ip addr add 10.0.3.15/24 dev "
                 "$dev; ip link set $dev up; sleep 1; ping -c 3 -q 10.0.3.2"), "e1000e")
    nic = "0000:00:11.0"
    need(back_ends(guest, nic) == {"hypercall"}, f"{irqs(guest)}")
    # Moved away from where the device's own message leads, and some of them masked.
    ok(guest.run("for i in 0 1 0 1; do for f in /proc/irq/[0-9]*/smp_affinity_list; do "
                 "echo $i >$f 2>/dev/null; done; ping -c 2 -q 10.0.3.2; done >/dev/null; true"),
       "moves")
    ok(guest.run("setsid ping -i .1 -q 10.0.3.2 >/tmp/ping 2>&1 & "
                 "setsid sh -c 'while :; do echo 3 >/proc/sys/vm/drop_caches; "
                 "tar c /usr/lib/python3 | wc -c; done' >/tmp/tar 2>&1 &"), "traffic")
    downtime = guest.move("host")
    wait_for_back_end(guest, "lazy", nic)
    need(status(guest)["host_abi"] == "absent", "the ABI is gone")
    ok(guest.run("n=$(wc -l </tmp/tar); for i in $(seq 100); do sleep .2; "
                 "[ $(wc -l </tmp/tar) -gt $((n + 1)) ] && exit; done; exit 1", timeout=60),
       "the disk stands still")
    ok(guest.run("pkill -INT ping; pkill -f drop_caches; ping -c 5 -q 10.0.3.2"), "the network")
    guest.note(f"downtime {downtime} ms")
    unload_both(guest)


def case_host_reboot(guest):
    """Rebooted while its interrupts are the host's, the machine resets. The last case of a guest."""
    bind_test_driver(guest)
    load_both(guest)
    do(guest, TEST, "request", "raise 5")
    need(back_ends(guest) == {"hypercall"}, f"{irqs(guest)}")
    ok(guest.run(f"setsid sh -c 'while :; do {READ_NVME}; done' >/dev/null 2>&1 & sleep 1"), "I/O")
    reset(guest)


CASES = [case_host_interrupts, case_host_exits, case_host_hostile, case_host_notice, case_clean,
         case_host_reboot]
# There vCPU 1 is shown another truth.
CASES_AWAY = [case_host_recognised, case_host_moves_away, case_clean]


def groups(host, kernels):
    """The groups of guests for check.run_host()."""
    stock = [k for k in kernels if not is_debug(k)]
    if host != "kvm":
        return []
    result = []
    for kernel in stock:
        one = spec(host, kernel, "default")
        one.update(name=f"{host}-{kernel}-hostabi", cases=CASES, devices=pvirq_devices(host),
                   peer="")
        away = spec(host, kernel, "default")
        away.update(name=f"{host}-{kernel}-hostabi-away", cases=CASES_AWAY, cpu="host",
                    peer=LIE, devices=[
                        "-netdev", "user,id=nic,net=10.0.3.0/24",
                        "-device", "e1000e,netdev=nic,romfile=,addr=0x11"])
        result.append([one])
        result.append([away])
    return result
