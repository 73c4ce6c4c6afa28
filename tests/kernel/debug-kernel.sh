#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Builds a KASAN + lockdep + KUnit guest kernel (debug.config) from the distribution's
# kernel source package, with the tools of a build root. Nothing in ROOT is changed.
#
# OUT gets: bzImage, config, System.map, build.log, and build/, against which modules are
# built ("make -C build M=..."); it may be moved or bind-mounted anywhere.
set -eu

if [ $# -ne 3 ]; then
	echo "usage: $0 OUT ROOT SOURCE_VERSION" >&2
	echo "  ROOT: a build root with usr/src/linux-source-SOURCE_VERSION.tar.xz" >&2
	exit 2
fi
root=$2 version=$3
tarball=$root/usr/src/linux-source-$version.tar.xz
fragment=$(dirname "$0")/debug.config
[ -r "$tarball" ] || { echo "$0: $tarball: not readable" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || { echo "$0: must be root (chroot)" >&2; exit 1; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$out/work
log=$out/build.log
child=

say() { echo "debug-kernel $version: $*"; }

# Not TERM, which unshare blocks; its death kills all of the build (--kill-child).
cleanup() {
	if [ -n "$child" ]; then
		kill -KILL "$child" 2>/dev/null || :
		wait "$child" 2>/dev/null || :
	fi
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# Runs a shell script in ROOT with the work directory as /mnt, with its own mounts and
# processes, so that whatever happens nothing stays behind.
in_root() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	exec nice unshare --mount --pid --fork --kill-child sh -c '
		mount --bind "$1" "$2/mnt" && cd / && exec chroot "$2" env TMPDIR=/mnt/tmp \
			KBUILD_BUILD_USER=hybrid KBUILD_BUILD_HOST=debug sh -euc "$3"' \
		sh "$work" "$root" "$1"
}

start=$(date +%s)
say "unpacking the source"
rm -rf "$work" "$out/build"
mkdir -p "$work/src" "$work/tmp"
tar -xf "$tarball" -C "$work/src" --strip-components=1
cp "$fragment" "$work/fragment"

(in_root 'make -C /mnt/src KCONFIG_ALLCONFIG=/mnt/fragment allnoconfig') >"$log" 2>&1 || {
	tail -n 20 "$log" >&2
	say "configuration failed, see $log" >&2
	exit 1
}
# Kconfig drops what it cannot satisfy without a word.
missing=$(grep '^CONFIG_' "$fragment" | grep -vxFf "$work/src/.config" || :)
if [ -n "$missing" ]; then
	say "this kernel did not take:" >&2
	echo "$missing" >&2
	exit 1
fi

(in_root "make -C /mnt/src -j$(nproc) bzImage modules") >>"$log" 2>&1 &
child=$!
said=$start
while kill -0 "$child" 2>/dev/null; do
	sleep 1
	now=$(date +%s)
	if [ $((now - said)) -ge 30 ]; then
		said=$now
		say "$(grep -c '^  CC' "$log") files compiled, $((now - start)) s"
	fi
done
if ! wait "$child"; then
	child=
	grep -B 2 -A 10 -m 3 'error:\|Error ' "$log" >&2 || tail -n 20 "$log" >&2
	say "failed, see $log" >&2
	exit 1
fi
child=

cd "$work/src"
mkdir "$out/build"
# Makefiles, headers, and scripts with the tools built from them; nothing else.
find Makefile .config Module.symvers include scripts tools/objtool/objtool \
	arch/x86/Makefile* arch/x86/include ! -type d \
	! -name '*.o' ! -name '*.a' ! -name '.*.cmd' -print0 >"$work/files"
tar -cf - --null -T "$work/files" | tar -xf - -C "$out/build"
cp arch/x86/boot/bzImage System.map "$out/"
cp .config "$out/config"
cd "$out"
say "$(make -s -C build kernelrelease): $(du -sh build | cut -f1) to build modules, $(($(date +%s) - start)) s"
