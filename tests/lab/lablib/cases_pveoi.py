# SPDX-License-Identifier: GPL-2.0-only
"""EOIs without exits: KVM guests whose kernel does not use PV EOI (nopv)."""
from .cases import case_clean, load, need, ok, status, unload
from .cases_pvirq import (EDU, READ_NVME, TEST, bind_test_driver, case_pvirq_stress,
                          case_pvirq_suspend, do, irqs, load_pvirq, unload_pvirq)

COUNTS = "/sys/module/hybrid/eoi"
PARAMETERS = "/sys/module/hybrid/parameters"
MSR = "W 0x4b564d04"
WORKLOADS = {
    "virtio": "dd if=$LAB_ROOT_DISK of=/dev/null bs=4k count=300 iflag=direct 2>/dev/null",
    "nvme": READ_NVME.replace("bs=64k count=64", "bs=4k count=300") + " 2>/dev/null",
    "one by one": f"echo raise 300 >/sys/bus/pci/devices/{TEST}/command",
}
TURNS = 3


def count(guest, command):
    """One run: device interrupts, exits for their EOIs, all exits; and, of all, what the host
    counts as EOIs by PV EOI and what the guest does, by PV EOI and otherwise."""
    at = [f"{row['cpu']} {row['vector']}" for row in irqs(guest)]
    read = f"cat {COUNTS}/avoided {COUNTS}/done"
    done = guest.run(f"{read} && {command} && {read}", count=True)
    before, done_before, after, done_after = map(int, ok(done, command).split())
    counts = done["counts"]
    guest.keep_counts(command, counts)
    eoi, pv_eoi = counts["detail"]["eoi"], counts["detail"]["pv_eoi"]
    interrupts = sum(eoi.get(where, 0) for where in at)
    return {"interrupts": interrupts, "total": counts["total"],
            "exits": interrupts - sum(pv_eoi.get(where, 0) for where in at),
            "host": sum(pv_eoi.values()), "guest": after - before,
            "guest done": done_after - done_before}


def case_eoi_exits(guest):
    """At most a quarter of device interrupts need an exit for their EOI; the guest's counts are
    the host's; no more exits in all than without it."""
    bind_test_driver(guest)
    do(guest, TEST, "request")
    load_pvirq(guest)
    result = {}
    for how in ("kernel", "auto") * TURNS:
        ok(guest.run(f"echo {how} >{PARAMETERS}/eoi"), f"eoi={how}")
        for name, command in WORKLOADS.items():
            result.setdefault((how, name), []).append(count(guest, command))

    def each(how, name, what):
        return [one[what] for one in result[how, name]]

    for name in WORKLOADS:
        guest.note(f"{name}: EOI exits {each('kernel', name, 'exits')} of "
                   f"{each('kernel', name, 'interrupts')} -> {each('auto', name, 'exits')} of "
                   f"{each('auto', name, 'interrupts')}, exits {each('kernel', name, 'total')} -> "
                   f"{each('auto', name, 'total')}")
    for name in WORKLOADS:
        for without in result["kernel", name]:
            need(not without["host"] and not without["guest"] and not without["guest done"],
                 f"{name}, eoi=kernel: {without}")
            need(without["exits"] == without["interrupts"] > 200, f"{name}, eoi=kernel: {without}")
        for ours in result["auto", name]:
            need(ours["interrupts"] > 200, f"{name}: {ours}")
            # The first reading is counted, and the last interrupt perhaps on one side only.
            need(abs(ours["host"] - ours["guest"]) <= 2, f"{name}: the counts disagree: {ours}")
            need(abs(ours["exits"] - ours["guest done"]) <= 2, f"{name}: the counts disagree: {ours}")
        # Halts come and go with how soon the answer is there: one turn says little.
        without, ours = (sum(each(how, name, "total")) / sum(each(how, name, "interrupts"))
                         for how in ("kernel", "auto"))
        need(ours < without, f"{name}: more exits: {without} -> {ours}; {result}")
    # KVM leaves an EOI to an exit when another interrupt waits behind it: a timer's, say.
    ours = [one for name in WORKLOADS for one in result["auto", name]]
    need(sum(o["exits"] for o in ours) <= sum(o["interrupts"] for o in ours) / 4, f"{guest.notes}")
    do(guest, TEST, "free")
    unload_pvirq(guest)


def avoids(guest, device):
    """How many of 100 interrupts of a device need no exit for their EOI."""
    def avoided():
        return sum(int(row["eoi_avoided"]) for row in irqs(guest) if row["device"] == device)

    before = avoided()
    do(guest, device, "raise 100")
    return avoided() - before


def case_eoi_path(guest):
    """It follows policy, operator and CPUs; each CPU is given back as it was."""
    bind_test_driver(guest)
    load(guest)
    found = status(guest)["operations"]["eoi"]
    need((found["path"], found["reason"]) == ("pv-eoi", "eoi-flag"), f"{found}")
    loaded = guest.run("insmod /suite/pvirq.ko", count=True)
    ok(loaded, "insmod pvirq.ko")
    need(loaded["counts"]["detail"]["msr"].get(MSR) == guest.spec["smp"], f"{loaded}")
    # It is not taken for the kernel's.
    ok(guest.run("echo 1 >/sys/module/hybrid/refresh"), "refresh")
    need(status(guest)["operations"]["eoi"]["reason"] == "eoi-flag", "our own PV EOI is taken "
         "for the kernel's")
    for device in (TEST, EDU):
        do(guest, device, "request")
        need(avoids(guest, device) >= 50, f"{device}: {irqs(guest)}")
    # No more than the EOI is ours.
    ok(guest.run(f"echo kernel >{PARAMETERS}/msi_mask; echo kernel >{PARAMETERS}/msi_affinity"),
       "parameters")
    rows = irqs(guest)
    need(all(row["back_end"] == "pv-eoi" for row in rows), f"not taken over: {rows}")
    for device in (TEST, EDU):
        need(avoids(guest, device) >= 50, f"{device}, pv-eoi alone: {irqs(guest)}")
        do(guest, device, "move 5", "held 5", "stay 2", "mask", "unmask", "raise 20")
    # One device, and all.
    ok(guest.run(f"hybridctl irq set {TEST} kernel"), "irq set")
    need(avoids(guest, TEST) == 0 and avoids(guest, EDU) >= 50, f"{irqs(guest)}")
    ok(guest.run(f"hybridctl irq set {TEST} auto; echo kernel >{PARAMETERS}/eoi"), "eoi=kernel")
    need(all(row["back_end"] == "kernel" for row in irqs(guest)), f"eoi=kernel: {irqs(guest)}")
    need(not do(guest, TEST, "raise 100", count=True)["detail"]["pv_eoi"], "eoi=kernel")
    ok(guest.run(f"for p in eoi msi_mask msi_affinity; do echo auto >{PARAMETERS}/$p; done"),
       "auto")
    # A CPU that comes back.
    cpu = "/sys/devices/system/cpu/cpu1/online"
    ok(guest.run(f"echo 0 >{cpu}"), "offline")
    do(guest, TEST, "raise 20")
    ok(guest.run(f"echo 1 >{cpu}"), "online")
    if [row["cpu"] for row in irqs(guest) if row["device"] == TEST] != ["1"]:
        do(guest, TEST, "move 1")
    need([row["cpu"] for row in irqs(guest) if row["device"] == TEST] == ["1"], f"{irqs(guest)}")
    need(avoids(guest, TEST) >= 50, f"a CPU that was offline: {irqs(guest)}")
    do(guest, TEST, "free")
    do(guest, EDU, "free")
    gone = guest.run("rmmod pvirq", count=True)
    ok(gone, "rmmod pvirq")
    need(gone["counts"]["detail"]["msr"].get(MSR) == guest.spec["smp"], f"{gone}")
    unload(guest)


def case_eoi_move(guest):
    """A migration with PV EOI on and a busy disk: it goes on, as the CPUs' state does."""
    load_pvirq(guest)
    read = "dd if=$LAB_ROOT_DISK of=/dev/null bs=4k count=200 iflag=direct 2>/dev/null"
    ok(guest.run(f"(while :; do {read} || break; echo >>/run/lab/reads; done) >/dev/null 2>&1 & "
                 "echo $! >/run/lab/reader; sleep 2"), "a busy disk")
    guest.note(f"{guest.move('host')} ms of downtime")
    ok(guest.run("before=$(wc -l </run/lab/reads); for i in $(seq 100); do "
                 "[ $(wc -l </run/lab/reads) -le $before ] || break; sleep .1; done; "
                 "kill $(cat /run/lab/reader); [ $(wc -l </run/lab/reads) -gt $before ]"),
       "the disk stands still")
    # Alone: what the host counts begins before the guest reads its counts, and ends after.
    ok(guest.run("while pgrep -x dd >/dev/null; do sleep .1; done"), "the last read")
    for name, command in (("after a migration", read),
                          ("after the state was taken anew",
                           f"echo 1 >/sys/module/hybrid/refresh; {read}")):
        found = count(guest, command)
        need(found["interrupts"] > 100 and found["exits"] <= found["interrupts"] / 4,
             f"{name}: {found}")
        need(abs(found["host"] - found["guest"]) <= 2, f"{name}: the counts disagree: {found}")
    unload_pvirq(guest)


# On KVM, variant nopv-pvirq.
CASES = (case_eoi_exits, case_eoi_path, case_pvirq_suspend, case_pvirq_stress, case_clean)
