#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The library as programs link it: symbols, C and C++, shared and static, pkg-config, the one
# load of mn_changed(). Speaks TAP. Usage: abi.sh BUILD

set -u
cd "$(dirname "$0")/../.." || exit 1
build=$1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
so=$build/libmigrate-notify.so.1
n=0

# check NAME COMMAND...
check() {
	n=$((n + 1))
	name=$1
	shift
	if "$@" >"$tmp/out" 2>&1; then echo "ok $n - $name"; else
		echo "not ok $n - $name"
		sed 's/^/# /' "$tmp/out"
	fi
}

symbols() {
	nm -D --defined-only "$so" | awk '$2 != "A" { print $3 }' | sort >"$tmp/have"
	sed -n 's/^\t\(mn_[a-z_]*\);$/\1@@MIGRATE_NOTIFY_1/p' lib/libmigrate-notify.sym | sort \
		>"$tmp/want"
	diff "$tmp/want" "$tmp/have"
}

# Each function of the header is exported, and nothing that the header does not have.
declared() {
	grep -v 'static inline' lib/migrate-notify.h | grep -o '\bmn_[a-z_]*(' | tr -d '(' |
		grep -vx -e mn_changed -e mn_now -e mn_in | sort -u >"$tmp/declared"
	sed -n 's/^\t\(mn_[a-z_]*\);$/\1/p' lib/libmigrate-notify.sym | sort >"$tmp/exported"
	diff "$tmp/declared" "$tmp/exported"
}

soname() { objdump -p "$so" | grep -q 'SONAME *libmigrate-notify.so.1$'; }

program() {
	cat >"$tmp/p.$1" <<-'END'
	#include <migrate-notify.h>
	int main(void)
	{
		struct mn_ctx *ctx;
		struct migrate_notify_event ev;

		if (mn_open(&ctx, "abi", 0) || mn_next(ctx, &ev) || mn_feature(ctx, "sse2") != MN_USABLE)
			return 1;
		if (mn_changed(mn_generation(ctx), mn_now(mn_generation(ctx))))
			return 2;
		if (mn_in(ev.added, 1000))
			return 3;
		mn_close(ctx);
		return 0;
	}
	END
}

flags="-Wall -Wextra -Werror -Wpedantic -O2 -Ilib -I../include/uapi"

compile() {	# compile SUFFIX COMPILER FLAG... : and run it with the shared library
	program "$1"
	source=$tmp/p.$1
	shift
	# shellcheck disable=SC2086 # a list
	"$@" $flags -o "$tmp/p" "$source" -L"$build" -lmigrate-notify &&
		LD_LIBRARY_PATH=$build "$tmp/p"
}

# libc's are bound to what the CPU of the start had, and we run on another one.
no_ifunc() { ! nm -D --undefined-only "$so" | grep -E ' (__)?(mem|str|stp|bcmp|bzero)'; }

# Nor does the dynamic linker's lazy binding, with its XSAVEC, or TLS that is set up by malloc().
bound_at_start() {
	readelf -d "$so" | grep -q 'FLAGS.*NOW' && ! nm -D --undefined-only "$so" | grep tls_get
}

# An ack after an update that was not done would be a lie.
checked() {
	cat >"$tmp/u.c" <<-'END'
	#include <migrate-notify.h>
	void update(struct mn_dispatch *d, struct mn_ctx *ctx);
	void update(struct mn_dispatch *d, struct mn_ctx *ctx)
	{
		mn_dispatch_update(d, ctx, NULL, 0);
	}
	END
	# shellcheck disable=SC2086 # a list
	! cc $flags -c -o "$tmp/u.o" "$tmp/u.c" 2>"$tmp/err" &&
		grep -q 'warn.unused.result' "$tmp/err"
}

static() {
	program c
	# shellcheck disable=SC2086 # a list
	cc $flags -static -o "$tmp/p" "$tmp/p.c" "$build/libmigrate-notify.a" -pthread && "$tmp/p"
}

# The body is one compare with memory: no other load, no call.
one_load() {
	cat >"$tmp/c.c" <<-'END'
	#include <migrate-notify.h>
	int changed(const __u64 *generation, uint64_t seen);
	int changed(const __u64 *generation, uint64_t seen)
	{
		return mn_changed(generation, seen);
	}
	END
	# shellcheck disable=SC2086 # a list
	cc $flags -fcf-protection=none -c -o "$tmp/c.o" "$tmp/c.c" || return 1
	objdump -d --no-show-raw-insn "$tmp/c.o" | sed -n 's/^ *[0-9a-f]*://p' >"$tmp/code"
	[ "$(grep -c '(%' "$tmp/code")" = 1 ] && [ "$(wc -l <"$tmp/code")" -le 5 ] &&
		! grep -q -e call -e lock "$tmp/code"
}

# Without the loop around it, and the best of three, as others use this machine too; one that
# emulates its CPU is not measured.
one_ns() {
	# shellcheck disable=SC2086 # a list
	cc $flags -o "$tmp/cost" tests/mn/cost.c "$build/libmigrate-notify.a" -pthread || return 1
	for _ in 1 2 3; do
		"$tmp/cost" >"$tmp/ns" || return 1
		! awk '/mn_changed/ { exit !($2 <= 1) }' "$tmp/ns" || return 0
	done
	return 1
}

installed() {
	${MAKE:-make} -s BUILD="$build" DESTDIR="$tmp/root" PREFIX=/usr install >"$tmp/log" 2>&1 ||
		{ cat "$tmp/log"; return 1; }
	pc=$(dirname "$(find "$tmp/root" -name libmigrate-notify.pc)")
	program c
	# shellcheck disable=SC2046 # lists
	PKG_CONFIG_SYSROOT_DIR=$tmp/root PKG_CONFIG_PATH=$pc cc -Wall -Werror -o "$tmp/p" "$tmp/p.c" \
		$(PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 \
		  PKG_CONFIG_SYSROOT_DIR=$tmp/root PKG_CONFIG_PATH=$pc \
		  pkg-config --cflags --libs libmigrate-notify) &&
		LD_LIBRARY_PATH=$(dirname "$pc") "$tmp/p"
}

echo 1..15
check 'exported symbols are those of the version script' symbols
check 'and those of the header' declared
check 'SONAME' soname
check 'no function of libc that is bound to the CPU' no_ifunc
check 'and nothing bound later' bound_at_start
check 'results that must be looked at' checked
check 'C11' compile c cc -std=c11
check 'C99' compile c cc -std=gnu99
check 'C++11' compile cc g++ -std=c++11
check 'C++20' compile cc g++ -std=c++20
check 'clang' compile c "${CLANG:-clang}" -std=c11
check 'static' static
check 'mn_changed() is one load' one_load
sed 's/^/#|/' "$tmp/code"
if grep -q 'QEMU Virtual CPU\|TCG' /proc/cpuinfo; then
	n=$((n + 1))
	echo "ok $n - and takes 1 ns # SKIP an emulated CPU"
else
	check 'and takes 1 ns' one_ns
	sed 's/^/#| /' "$tmp/ns"
fi
check 'installed, by pkg-config' installed
