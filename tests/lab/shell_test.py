#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""make shell, used as a person would: wait for the prompt, type, leave."""
import os
import signal
import subprocess
import sys
import threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STEPS = (
    (b"guest:/suite# ", b"insmod hybrid.ko; echo module=$(hybridctl status --json | "
                        b"grep -c generation)\n"),
    (b"module=1\r\n", b"poweroff\n"),
)


def main():
    shell = subprocess.Popen(["make", "-s", "--no-print-directory", "shell", "HOST=bare"], cwd=TOP,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             start_new_session=True)
    guard = threading.Timer(180, os.killpg, (shell.pid, signal.SIGKILL))
    guard.start()
    seen, done = b"", 0
    while True:
        data = os.read(shell.stdout.fileno(), 4096)
        if not data:
            break
        seen += data
        if done < len(STEPS) and STEPS[done][0] in seen:
            shell.stdin.write(STEPS[done][1])
            shell.stdin.flush()
            seen = b""
            done += 1
    guard.cancel()
    good = shell.wait() == 0 and done == len(STEPS)
    if not good:
        print(f"FAIL make shell: exit code {shell.returncode}, step {done}; last seen:")
        print(seen[-2000:].decode("utf-8", "replace"))
    print("1 passed, 0 failed, 0 skipped" if good else "0 passed, 1 failed, 0 skipped")
    return not good


sys.exit(main())
