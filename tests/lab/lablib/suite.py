# SPDX-License-Identifier: GPL-2.0-only
"""Builds the suite for the lab's kernels and packs what hosts and guests need."""
import glob
import os
import re
import shutil

from . import images
from .images import is_debug
from .say import say

TOP = os.path.dirname(os.path.dirname(images.LAB))
BUILD = os.path.join(TOP, "build", "lab")
SOURCES = ("Kbuild", "VERSION", "drivers", "include", "compat", "kunit")


def make_modules(kernel, tree, target, *variables):
    """Build the modules in tree/target for a kernel, in its build root. The tree is bound at
    /mnt, a kernel of our own at /media; nothing in the root changes."""
    base = kernel.removesuffix("-debug")
    root = images.root(f"build-{base}")
    if is_debug(kernel):
        kdir, bind = "/media", f"{images.debug_kernel(base)}/build"
    else:
        kdir, bind = f"/lib/modules/{images.kernel_version(root)}/build", tree
    return images.run(
        ["unshare", "-m", "sh", "-ec",
         'mount --bind "$1" "$3/mnt"; mount --bind "$2" "$3/media"; root=$3; shift 3;'
         'exec chroot "$root" "$@"', "sh", tree, bind, root,
         "make", "-s", "-j2", "-C", kdir, f"M=/mnt{target}", "W=1",
         "KCFLAGS=-Werror", *variables, "modules"])


def source_tree(name):
    """A copy of the sources below build/ for the kernel's make to fill with objects."""
    tree = f"{BUILD}/{name}"
    for source in SOURCES:
        sync(f"{TOP}/{source}", f"{tree}/{source}")
    return tree


def sparse(kernel):
    """What sparse says of the modules, as a list of lines."""
    tree = source_tree(f"sparse-{kernel}")
    said = []
    for target in ("", "/kunit"):
        out = make_modules(kernel, tree, target, "C=2", "KBUILD_MODPOST_WARN=1")
        # Only what is said of our own files: the headers of a released kernel are given.
        said += [line for line in out.splitlines() if re.match(r"/mnt/.*: (warning|error):", line)]
    return said


def sync(source, target):
    """Make target like source, touching only what differs, so that make rebuilds only that."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
        names = [n for n in os.listdir(source)
                 if n.endswith((".c", ".h", ".S", ".inc", ".def", "Kbuild"))
                 or os.path.isdir(f"{source}/{n}")]
        for name in names:
            sync(f"{source}/{name}", f"{target}/{name}")
        for path in glob.glob(f"{glob.escape(target)}/*.[chiS]*"):
            if os.path.basename(path) not in names and not path.endswith(".mod.c"):
                os.unlink(path)
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(source, "rb") as f:
        text = f.read()
    if os.path.exists(target):
        with open(target, "rb") as f:
            if f.read() == text:
                return
    with open(target, "wb") as f:
        f.write(text)


def files(kernel):
    """Build the suite for a kernel: {path in /suite: source path}."""
    say(f"building the suite for {kernel}")
    tree = source_tree(f"modules-{kernel}")
    make_modules(kernel, tree, "")
    result = {"hybrid.ko": f"{tree}/hybrid.ko",
              "migrate_notify.ko": f"{tree}/migrate_notify.ko",
              "pvirq.ko": f"{tree}/pvirq.ko",
              "pvirq-test.ko": f"{tree}/kunit/pvirq-test.ko",
              "hybrid-kunit.ko": f"{tree}/kunit/hybrid-kunit.ko",
              "migrate_chain.ko": f"{tree}/kunit/migrate_chain.ko",
              "freeze_fails.ko": f"{tree}/kunit/freeze_fails.ko",
              "lab/ktap.py": f"{TOP}/tests/kernel/ktap.py",
              "migrate_notify.py": f"{TOP}/userspace/python/migrate_notify.py",
              **{f"bin/{program}": f"{TOP}/build/userspace/{program}" for program in
                 ("hybridctl", "migrate-notify", "migrate-notify-worker")}}
    symbols = ["/mnt/Module.symvers"]
    if not is_debug(kernel):        # a stock kernel has no KUnit of its own
        core = images.kunit_core(kernel)
        shutil.copy(f"{core}/Module.symvers", f"{tree}/kunit-core.symvers")
        symbols.append("/mnt/kunit-core.symvers")
        result["kunit.ko"] = f"{core}/kunit.ko"
    make_modules(kernel, tree, "/kunit", f"KBUILD_EXTRA_SYMBOLS={' '.join(symbols)}")
    for path in glob.glob(f"{images.LAB}/guest-src/*.c"):
        name = os.path.basename(path).removesuffix(".c")
        os.makedirs(f"{BUILD}/guest-bin", exist_ok=True)
        images.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-static",
                    "-I", f"{TOP}/include/uapi", "-o", f"{BUILD}/guest-bin/{name}", path])
        result[f"bin/{name}"] = f"{BUILD}/guest-bin/{name}"
    for path in glob.glob(f"{images.LAB}/guest/*.sh"):
        result[f"lab/{os.path.basename(path)}"] = path
    return result


class Payload:
    """The second disk of a host, made anew for each run: agent, guests' kernels, suite."""

    def __init__(self, name, files):
        """name: whose it is, so that a shell does not disturb a check;
        files: {kernel: {path in /suite: source path}}"""
        images.run(["make", "-s", "-C", f"{TOP}/userspace"])     # files name its hybridctl
        self.tree = f"{BUILD}/payload-{name}"
        self.image = f"{BUILD}/payload-{name}.sqfs"
        images.remove(self.tree)
        shutil.copytree(f"{images.LAB}/lablib", f"{self.tree}/lablib",
                        ignore=shutil.ignore_patterns("__pycache__", "test_*"))
        shutil.copytree(f"{images.LAB}/host", f"{self.tree}/host")
        images.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                    "-I", f"{TOP}/include/uapi", "-o", f"{self.tree}/peer.so",
                    f"{images.LAB}/peer/peer.c"])
        os.makedirs(f"{self.tree}/bin")
        shutil.copy(f"{TOP}/build/userspace/migrate-notify-host", f"{self.tree}/bin")
        for kernel in files:
            image, initrd = images.guest_boot(kernel)
            target = f"{self.tree}/guests/{kernel}"
            os.makedirs(target)
            shutil.copy(image, f"{target}/vmlinuz")
            shutil.copy(initrd, f"{target}/initrd")
            stage = f"{BUILD}/stage-{name}-{kernel}"
            images.remove(stage)
            for name, source in files[kernel].items():
                path = f"{stage}/suite/{name}"
                os.makedirs(os.path.dirname(path), exist_ok=True)
                shutil.copy(source, path)
            images.pack_cpio(stage, f"{target}/suite")

    def pack(self):
        images.remove(self.image)
        images.run(["mksquashfs", self.tree, self.image, "-noI", "-noD", "-noF", "-noX",
                    "-noappend", "-quiet", "-no-progress"])
