#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What another compiler says about the sources. Speaks TAP. (tests/style.sh does the rest.)
# Environment: CLANG, CLANG_FLAGS, MN_CLANG_FLAGS (from the Makefile)

cd "$(dirname "$0")/.." || exit 1
n=0

# lint NAME TOOL COMMAND...: passes if COMMAND is silent and succeeds
lint() {
	name=$1 tool=$2
	shift 2
	n=$((n + 1))
	if ! command -v "$tool" >/dev/null; then
		echo "ok $n - $name # SKIP no $tool"
	elif out=$("$@" 2>&1) && [ -z "$out" ]; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		echo "$out" | sed 's/^/# /'
	fi
}

clang_all() {
	# shellcheck disable=SC2086 # flags
	eval "$CLANG" $CLANG_FLAGS -fsyntax-only hybridctl/*.c \
		../drivers/hybrid/snapshot.c ../drivers/hybrid/detect.c \
		../drivers/hybrid/level.c ../drivers/hybrid/policy.c &&
	eval "$CLANG" $CLANG_FLAGS -Ihybridctl -fsyntax-only tests/*.c &&
	eval "$CLANG" $MN_CLANG_FLAGS -fsyntax-only lib/*.c proto/*.c host/*.c migrate-notify/*.c \
		examples/worker/*.c tests/mn/*_test.c tests/mn/standin.c tests/mn/cost.c
}

echo 1..1
lint 'clang compiles everything without a warning' "$CLANG" clang_all
