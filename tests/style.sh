#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Rules of the tree that a program can check.
set -u
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0

check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		echo "PASS $name"
		((passed += 1))
	else
		echo "FAIL $name"
		echo "$out"
		((failed += 1))
	fi
}

# In a checkout what git would commit, elsewhere (a tarball) every file.
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
	mapfile -t all < <(git ls-files -co --exclude-standard)
else
	mapfile -t all < <(find . -path ./build -prune -o -type f -printf '%P\n')
fi
[ ${#all[@]} -gt 50 ] || { echo "the list of files is not whole"; exit 1; }

files() {
	local f pattern
	for f in "${all[@]}"; do
		for pattern; do
			# shellcheck disable=SC2053 # a pattern
			[[ $f == $pattern ]] && echo "$f" && break
		done
	done
}

shell_scripts() {
	mapfile -t scripts < <(files '*' | xargs grep -lIE '^#! ?/.*(ba|busybox )?sh\b' --)
	shellcheck "${scripts[@]}"
}

no_version_checks() {
	local found
	found=$(files '*.[ch]' '*Kbuild' | grep -v '^compat/' |
		xargs grep -nE 'LINUX_VERSION_CODE|KERNEL_VERSION|UTS_RELEASE')
	[ -z "$found" ] || { echo "$found"; return 1; }
}

spdx() {
	local missing
	missing=$(files '*.[ch]' '*.py' '*.sh' '*Makefile' '*Kbuild' |
		xargs grep -L 'SPDX-License-Identifier' --)
	[ -z "$missing" ] || { echo "$missing"; return 1; }
}

python_compiles() {
	files '*.py' tests/lab/lab | xargs python3 -c \
		'import sys; [compile(open(f).read(), f, "exec") for f in sys.argv[1:]]'
}

man_pages() {
	files '*.[1-8]' | xargs mandoc -T lint -W warning
}

features_header() {
	tests/mn-features.sh | diff -u include/uapi/linux/migrate_notify_features.h -
}

check shellcheck shell_scripts
check 'no version check outside compat/' no_version_checks
check 'SPDX headers' spdx
check 'python compiles' python_compiles
check 'man pages lint' man_pages
check 'the header of features is what the table makes' features_header
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
