#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The unit tests of the lab and of its helpers, without a hypervisor.
cd "$(dirname "$0")" || exit 1
exec python3 -B -m lablib.test_all
