# SPDX-License-Identifier: GPL-2.0-only
"""What a person plays with: the demonstration and the shell."""
import json
import os
import shutil
import subprocess

from . import images, suite
from .check import open_host
from .guests import spec
from .link import GuestDied
from .say import Failure, say
from .vm import DIE_WITH_US, Bare, disk, machine_says, nested_boot, outer

KERNEL = "6.12"


def demo():
    """hybridctl status from inside a KVM guest and a Xen guest, side by side."""
    say(f"the lab runs by {machine_says()}")
    payload = suite.Payload("demo", {KERNEL: suite.files(KERNEL)})
    payload.pack()
    logs = f"{suite.BUILD}/demo"
    shown = {}
    for name in ("kvm", "xen"):
        os.makedirs(f"{logs}/{name}", exist_ok=True)
        say(f"starting a {name} host, and a stock Debian guest in it")
        its = spec(name, KERNEL, "default")
        host = open_host(name, payload, f"{logs}/{name}", its)
        try:
            host.start(its)
            say("the guest is up; loading hybrid.ko in it")
            done = host.run("insmod /suite/hybrid.ko && hybridctl status", 120)
            if done["rc"]:
                raise Failure(f"in the {name} guest: {done['out']}")
            shown[name] = done["out"].splitlines()
        except GuestDied as e:
            raise Failure(f"{e}\n" + "\n".join(host.console())) from None
        finally:
            host.close()
    side_by_side("a guest on KVM", shown["kvm"], "a guest on Xen", shown["xen"])
    return 0


def side_by_side(left_title, left, right_title, right):
    width = max(len(line) for line in left + [left_title]) + 3
    if width + max(len(line) for line in right) > shutil.get_terminal_size((200, 50)).columns:
        for title, lines in ((left_title, left), (right_title, right)):
            print(f"\n=== {title} ===")
            print("\n".join(lines))
        return
    rows = max(len(left), len(right))
    left = [f"=== {left_title} ==="] + left + [""] * (rows - len(left))
    right = [f"=== {right_title} ==="] + right + [""] * (rows - len(right))
    print()
    for a, b in zip(left, right):
        print(f"{a:<{width}}| {b}".rstrip())


def shell(name, kernel, variant, extra):
    """A guest's console on this terminal, with the suite in /suite."""
    words = extra.split()
    if "nopv" in words:             # make shell APPEND=nopv
        variant = "nopv"
        words.remove("nopv")
    payload = suite.Payload("shell", {kernel: suite.files(kernel)})
    its = spec(name, kernel, variant, extra=" ".join(["lab.shell", *words]))
    its["shell"] = True
    logs = f"{suite.BUILD}/shell"
    os.makedirs(logs, exist_ok=True)
    say("Ctrl-A X ends the machine; 'poweroff' leaves the guest")
    if name == "bare":
        host = Bare(payload, logs)
        args = host.arguments(its, ["-serial", "mon:stdio"])
    else:
        with open(f"{payload.tree}/shell.json", "w", encoding="utf-8") as f:
            json.dump(its, f)
        payload.pack()
        args = (outer(name, 3072, 1) + nested_boot(name) + ["-serial", "mon:stdio"]
                + disk(images.host_image(), "root") + disk(payload.image, "payload"))
    return subprocess.run([*DIE_WITH_US, *images.qemu(), *args], check=False).returncode
