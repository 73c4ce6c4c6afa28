#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What other tools say about the sources: another compiler, mandoc, shellcheck. Speaks TAP.
# Environment: CLANG, CLANG_FLAGS (from the Makefile)

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
	eval "$CLANG" $CLANG_FLAGS -Ihybridctl -fsyntax-only tests/*.c
}

# Whether the manual pages referred to are installed here is not the sources' affair.
mandoc_lint() {
	mandoc -T lint hybridctl/hybridctl.8 2>&1 | grep -v 'outdated mandoc.db'
	return 0
}

echo 1..3
lint 'clang compiles everything without a warning' "$CLANG" clang_all
lint 'mandoc has nothing to say' mandoc mandoc_lint
lint 'shellcheck has nothing to say' shellcheck \
	shellcheck tests/run tests/cli.sh tests/lint.sh
