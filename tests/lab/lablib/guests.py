# SPDX-License-Identifier: GPL-2.0-only
"""What a guest is made of: host, kernel, variant -> the specification a host starts."""
import os

from .images import is_debug
from .vm import guest_append, hardware

# Spare ones, for the variant "pvirq"; @disk@ is the root image. On xen disk and network card are
# emulated as well, so that the card need not be a spare one.
SPARE_NIC = ("-device", "e1000e,romfile=,addr=0x14")
TEST_NVME = {"driver": "nvme", "id": "test", "serial": "test", "addr": "0x12"}


def pvirq_devices(host):
    nic = [] if host == "xen" else [
        "-netdev", "user,id=nic,net=10.0.3.0/24,restrict=on",
        "-device", "e1000e,netdev=nic,romfile=,addr=0x11"]
    return [
        "-drive", "file=@disk@,if=none,id=spare,format=raw,readonly=on",
        "-device", "nvme,drive=spare,serial=spare,addr=0x10",
        *nic,
        "-device", ",".join([TEST_NVME["driver"]] +
                            [f"{k}={v}" for k, v in TEST_NVME.items() if k != "driver"]),
        "-device", "edu,addr=0x13",
        # Elsewhere the driver that a guest boots with takes minutes for it on a busy machine.
        *(SPARE_NIC if host == "bare" else ()),
    ]




def everything():
    """LAB_ALL=1: also what takes minutes more, or has not been seen to pass yet."""
    return bool(os.environ.get("LAB_ALL"))


BOOT_TIMEOUT = 300
DEBUG_TIMEOUT = 900


def spec(host, kernel, variant, smp=2, extra="", host_cpus=1):
    append = [guest_append(variant)]
    if is_debug(kernel):
        append.append("kasan.fault=report")
    # On xen nopv-pvirq is about event channels: its host offers pirqs.
    events = host == "xen" and variant == "nopv-pvirq"
    if events:
        append.append("crashkernel=16M")
    if extra:
        append.append(extra)
    return {
        "name": f"{host}-{kernel}-{variant}" + (f"-{host_cpus}cpus" if host_cpus > 1 else ""),
        "host": host, "host_cpus": host_cpus, "kernel_name": kernel,
        "variant": variant,
        "kernel": f"guests/{kernel}/vmlinuz",
        "initrd": [f"guests/{kernel}/initrd", f"guests/{kernel}/suite"],
        "append": " ".join(append),
        "smp": smp, "mem": 1000 if is_debug(kernel) else 500,
        # A guest without Xen drivers needs emulated devices.
        "disk": "emulated" if variant.startswith("nopv") else "pv",
        "devices": pvirq_devices(host) if variant.endswith("pvirq") else [],
        "pirqs": events,
        "boot_timeout": DEBUG_TIMEOUT if is_debug(kernel) else BOOT_TIMEOUT,
    }


def expected(host, variant):
    """What hybridctl must find there: (hypervisor, features that must be, must not be)."""
    if host == "bare":
        return ("kvm" if hardware() else "tcg", set(), {"kernel-pv-eoi"})
    if host == "kvm":
        always = {"kvm-clock", "kvm-pv-eoi", "kvm-steal-time", "kvm-poll-control", "kvm-pv-ipi"}
        pv = {"kernel-pv", "kernel-pv-eoi"}
    else:
        always = {"xen-vcpu-id", "xen-upcall-vector"}
        pv = {"kernel-pv"}
    if variant.startswith("nopv"):
        return host, always, pv
    return host, always | pv, set()
