# SPDX-License-Identifier: GPL-2.0-only
"""Roots and images, built from Debian packages and cached outside the checkout.

Each is kept under a name that ends in a hash of everything it is made from, so a change
of its inputs makes a new one, and a half-made one is never taken for a whole one.
"""
import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time

from .say import Failure, say

HERE = os.path.dirname(os.path.abspath(__file__))
LAB = os.path.dirname(HERE)
CACHE = os.environ.get("LAB_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "hybrid-lab")

BUILD_PACKAGES = ("linux-headers-amd64 make gcc libc6-dev bc bison flex libelf-dev libssl-dev "
                  "xz-utils zstd perl python3-minimal kmod cpio sparse").split()
HOST_PACKAGES = (
    "linux-image-amd64 kmod busybox-static bash procps iproute2 pciutils python3 "
    "qemu-system-x86 seabios xen-hypervisor-4.20-amd64 xen-utils-4.20 xen-utils-common "
    "xenstore-utils qemu-system-xen ipxe-qemu "
    "linux-perf fio rt-tests iputils-ping libjson-c5").split()

# name -> (suite, packages)
ROOTS = {
    "host": ("trixie", HOST_PACKAGES),
    "build-6.12": ("trixie", BUILD_PACKAGES + ["linux-source-6.12"]),
    "build-6.1": ("bookworm", BUILD_PACKAGES + ["linux-source-6.1", "linux-image-amd64"]),
}
KERNELS = ("6.1", "6.12")

HOST_MODULES = "virtio_pci virtio_blk squashfs overlay".split()
GUEST_MODULES = ("virtio_pci virtio_blk virtio_net squashfs overlay nvme e1000e ata_piix sd_mod "
                 "xen-blkfront xen-netfront").split()


# Nothing of the lab outlives it, however it ends.
DIE_WITH_US = ("setpriv", "--pdeathsig", "KILL")


def run(args):
    done = subprocess.run([*DIE_WITH_US, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    if done.returncode:
        raise Failure(f"{' '.join(args[:6])} … failed ({done.returncode}):\n"
                      + "\n".join(done.stdout.splitlines()[-25:]))
    return done.stdout


def stream(args):
    """Run a long step whose own output is the progress."""
    done = subprocess.run([*DIE_WITH_US, *args], stdin=subprocess.DEVNULL, stdout=sys.stderr,
                          check=False)
    if done.returncode:
        raise Failure(f"{os.path.basename(args[0])} failed")


def digest(*inputs):
    h = hashlib.sha256()
    for item in inputs:
        h.update(repr(item).encode() + b"\0")
    return h.hexdigest()[:12]


def file_hash(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def cached(name, key, make, what):
    """The path CACHE/name-key, made by make(temporary path) if it is not there."""
    path = os.path.join(CACHE, f"{name}-{key}")
    if os.path.exists(path):
        return path
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, f".lock-{name}"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)    # another run may be making the same one
        if os.path.exists(path):
            return path
        say(f"building {what} (once; kept in {CACHE})")
        started = time.monotonic()
        partial = path + ".partial"
        remove(partial)
        make(partial)
        os.rename(partial, path)
        for old in glob.glob(os.path.join(glob.escape(CACHE), f"{name}-????????????")):
            if old != path:
                remove(old)
        say(f"built {what} in {time.monotonic() - started:.0f} s")
    return path


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


# -- Debian roots ------------------------------------------------------------------------

def apt_sources(suite):
    """deb lines for suite, from the archives that this machine already uses."""
    text = ""
    for path in ["/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*"))]:
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as f:
                text += f.read() + "\n"
    archive, security = None, None
    uris = re.findall(r"^\s*URIs:\s*(\S+)", text, re.M)
    uris += re.findall(r"^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)", text, re.M)
    for listed in [u.removeprefix("mirror+file:") for u in uris if u.startswith("mirror+file:")]:
        with open(re.sub("^/+", "/", listed), encoding="utf-8") as f:
            uris += [line.split()[0] for line in f if line.strip() and line[0] != "#"]
    for uri in uris:
        uri = uri.rstrip("/")
        if not security and uri.endswith("debian-security"):
            security = uri
        elif not archive and uri.endswith("/debian"):
            archive = uri
    if not archive:
        raise Failure("no Debian archive in this machine's apt sources: "
                      "the lab's images cannot be built")
    lines = [f"deb {archive} {suite} main", f"deb {archive} {suite}-updates main"]
    if security:
        lines.append(f"deb {security} {suite}-security main")
    return lines


def root(name):
    """The path of an unpacked Debian system."""
    suite, packages = ROOTS[name]

    def make(path):
        need("mmdebstrap")
        run(["mmdebstrap", "--mode=root", "--variant=apt", "--format=directory",
             "--include=" + ",".join(packages), suite, path, *apt_sources(suite)])

    return cached(f"root-{name}", digest(suite, packages), make, f"the Debian {suite} root '{name}'")


def need_root():
    if os.geteuid():
        raise Failure("the lab needs root (it makes Debian systems in directories of its own); "
                      "'make' builds the suite without it")


def need(program):
    if not shutil.which(program):
        raise Failure(f"'{program}' is missing: run 'make deps' as root first")


def kernel_version(root_path):
    """The newest kernel of a root, from its module directories."""
    def order(version):
        return [int(x) for x in re.findall(r"\d+", version)]
    versions = [v for v in os.listdir(f"{root_path}/lib/modules")
                if os.path.exists(f"{root_path}/boot/vmlinuz-{v}")
                or os.path.exists(f"{root_path}/lib/modules/{v}/build")]
    if not versions:
        raise Failure(f"no kernel in {root_path}")
    return max(versions, key=order)


def package_version(root_path, package):
    text = run(["dpkg-query", f"--admindir={root_path}/var/lib/dpkg", "-W",
                "-f=${Version}", package])
    return text.strip()


# -- images ------------------------------------------------------------------------------

def host_image():
    """The squashfs that every host, and every guest, has for its first disk."""
    base = root("host")

    def make(path):
        run(["mksquashfs", base, path, "-comp", "zstd", "-Xcompression-level", "1", "-noappend",
             "-quiet", "-no-progress", "-wildcards", "-e", "proc/*", "sys/*", "dev/*", "boot/*",
             "var/cache/apt/*", "var/lib/apt/lists/*", "usr/share/doc/*", "usr/share/locale/*",
             "usr/share/man/*"])

    return cached("host.sqfs", digest(os.path.basename(base)), make, "the host image")


def initramfs(name, root_path, version, modules, init):
    """busybox, the named modules with what they need in load order, and init."""
    def make(path):
        tree = path + ".tree"
        remove(tree)
        os.makedirs(f"{tree}/bin")
        shutil.copy(f"{root('host')}/usr/bin/busybox", f"{tree}/bin/busybox")
        shutil.copy(init, f"{tree}/init")
        os.chmod(f"{tree}/init", 0o755)
        order = []
        if modules:
            os.makedirs(f"{tree}/lib/modules")
        for module in modules:
            deps = run(["modprobe", "-C", "/dev/null", "-d", root_path, "-S", version,
                        "--show-depends", module])
            for line in deps.splitlines():
                words = line.split()
                if words[0] != "insmod":
                    continue
                base = re.sub(r"\.(xz|zst|gz)$", "", os.path.basename(words[1]))
                if base in order:
                    continue
                order.append(base)
                unpack(words[1], f"{tree}/lib/modules/{base}")
        if modules:
            with open(f"{tree}/order", "w", encoding="ascii") as f:
                f.write("".join(m + "\n" for m in order))
        pack_cpio(tree, path)
        remove(tree)

    key = digest(os.path.basename(root_path), version, modules, file_hash(init))
    return cached(f"initramfs-{name}", key, make, f"the initramfs '{name}'")


def unpack(source, target):
    tool = {".xz": ["xz", "-dc"], ".zst": ["zstd", "-qdc"], ".gz": ["gzip", "-dc"]}.get(
        os.path.splitext(source)[1], ["cat"])
    with open(target, "wb") as f:
        subprocess.run([*tool, source], stdout=f, check=True)


def pack_cpio(tree, path):
    run(["bash", "-o", "pipefail", "-c", 'cd "$1" && find . -print0 | sort -z | '
         'cpio -0 -o -H newc --quiet -R 0:0 | gzip -1 >"$2"', "bash", tree, path])


def host_boot():
    """(kernel, initramfs, hypervisor) of the hosts."""
    base = root("host")
    version = kernel_version(base)
    rd = initramfs("host", base, version, HOST_MODULES, f"{LAB}/host/init.sh")

    def make_xen(path):
        unpack(glob.glob(f"{base}/boot/xen-4.*-amd64.gz")[0], path)

    xen = cached("xen", digest(os.path.basename(base)), make_xen, "the hypervisor's image")
    return f"{base}/boot/vmlinuz-{version}", rd, xen


def debug_kernel(version):
    """A KASAN + lockdep kernel from the distribution's source: bzImage, build/."""
    base = root(f"build-{version}")
    scripts = os.path.join(os.path.dirname(LAB), "kernel")

    def make(path):
        stream([f"{scripts}/debug-kernel.sh", path, base, version])

    key = digest(package_version(base, f"linux-source-{version}"),
                 file_hash(f"{scripts}/debug-kernel.sh"), file_hash(f"{scripts}/debug.config"))
    return cached(f"kernel-{version}-debug", key, make, f"the KASAN + lockdep kernel {version}")


def kunit_core(version):
    """KUnit's core for a stock kernel: kunit.ko, Module.symvers."""
    base = root(f"build-{version}")
    kernel = kernel_version(base)
    script = os.path.join(os.path.dirname(LAB), "kernel", "kunit-core.sh")

    def make(path):
        stream([script, path, f"{base}/usr/src/linux-source-{version}.tar.xz",
                f"/lib/modules/{kernel}/build", base])

    return cached(f"kunit-{version}", digest(kernel, package_version(base, f"linux-source-{version}"),
                                             file_hash(script)),
                  make, f"KUnit's core for {kernel}")


def is_debug(kernel):
    return kernel.endswith("-debug")


def guest_boot(kernel):
    """(kernel image, initramfs) of a guest."""
    if is_debug(kernel):        # has everything built in
        out = debug_kernel(kernel.removesuffix("-debug"))
        return f"{out}/bzImage", initramfs(f"guest-{kernel}", out, None, (), f"{LAB}/guest/init.sh")
    base = root("host" if kernel == "6.12" else f"build-{kernel}")
    version = kernel_version(base)
    rd = initramfs(f"guest-{kernel}", base, version, GUEST_MODULES, f"{LAB}/guest/init.sh")
    return f"{base}/boot/vmlinuz-{version}", rd


def qemu(preload=None):
    """The command line of the outer QEMU: the host root's own, so that every machine runs
    the same one, through its own dynamic loader. `preload` is a library of this machine."""
    base = root("host")
    lib = f"{base}/usr/lib/x86_64-linux-gnu"
    return [f"{base}/lib64/ld-linux-x86-64.so.2", "--library-path", f"{lib}:{lib}/pulseaudio",
            *(["--preload", preload] if preload else []),
            f"{base}/usr/bin/qemu-system-x86_64", "-L", f"{base}/usr/share/qemu", "-L",
            f"{base}/usr/share/seabios"]
