# SPDX-License-Identifier: GPL-2.0-only
"""Progress on the terminal, and the failure that ends a run with a message."""
import sys
import time

_started = time.monotonic()


class Failure(Exception):
    """Something the user has to know; no traceback."""


def say(text):
    elapsed = int(time.monotonic() - _started)
    print(f"[{elapsed // 60:3d}:{elapsed % 60:02d}] {text}", file=sys.stderr, flush=True)
