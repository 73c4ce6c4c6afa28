#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The lab's own unit tests: parsers and protocol, without a hypervisor.
cd "$(dirname "$0")" || exit 1
exec python3 -B -m lablib.test_all
