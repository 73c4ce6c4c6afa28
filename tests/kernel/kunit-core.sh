#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Builds kunit.ko for a kernel whose configuration has no KUnit, from the distribution's
# own kernel source package. OUT gets kunit.ko and Module.symvers (for building suites
# against it: KBUILD_EXTRA_SYMBOLS). None of the kernel's source is kept elsewhere.
#
# CONFIG_KUNIT stays unset: it decides the layout of task_struct and struct module. So
# everything that lives in those, or in built-in code, is dropped from the core: the
# current test of a task, the module notifier (suites call __kunit_test_suites_init()
# themselves), and from 6.12 on static stubs, user memory, fake devices and hooks.
set -eu

usage() {
	echo "usage: $0 OUT SOURCE_TARBALL KDIR [ROOT]" >&2
	echo "  KDIR: the kernel's build directory (inside ROOT, where given: a chroot to build in)" >&2
	exit 2
}

[ $# -eq 3 ] || [ $# -eq 4 ] || usage
tarball=$2 kdir=$3 root=${4:-}
[ -r "$tarball" ] || { echo "$0: $tarball: not readable" >&2; exit 1; }
# Inside ROOT: in Debian it is a link with an absolute target.
${root:+chroot "$root"} test -d "$kdir/" || { echo "$0: $root$kdir: not a directory" >&2; exit 1; }
mkdir -p "$1"
out=$(cd "$1" && pwd)

work=$out/src
rm -rf "$work"
mkdir "$work"
echo "kunit-core: unpacking lib/kunit from ${tarball##*/}"
tar -xf "$tarball" -C "$work" --strip-components=3 --wildcards '*/lib/kunit/*'

# "#if 0" takes the branches of a core without a module notifier, and that is a module.
sed -i -e 's/^#ifdef CONFIG_MODULES$/#if 0/' \
       -e 's/^#if !IS_MODULE(CONFIG_KUNIT)$/#if 0/' \
       -e '/current->kunit_test = /d' \
       -e '/__kunit_fail_current_test_impl(/,/^}/d' \
       -e '/#include "hooks-impl.h"/d' -e '/kunit_install_hooks();/d' \
       -e '/memset(&kunit_hooks,/d' -e '/static_branch_\(inc\|dec\)(&kunit_running);/d' \
       -e '/#include "device-impl.h"/d' -e '/kunit_bus_\(init\|shutdown\)();/d' \
       "$work/test.c"

objs=
for o in test resource string-stream assert try-catch executor attributes; do
	[ ! -e "$work/$o.c" ] || objs="$objs $o.o"
done
cat >"$work/Kbuild" <<EOT
obj-m := kunit.o
kunit-y := $objs
ccflags-y := -DCONFIG_KUNIT_DEFAULT_ENABLED=1
EOT

echo "kunit-core: building against $kdir"
if [ -n "$root" ]; then
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare -m sh -c 'mount --bind "$1" "$2/mnt" && exec chroot "$2" make -s -C "$3" M=/mnt modules' \
		sh "$work" "$root" "$kdir"
else
	make -s -C "$kdir" M="$work" modules
fi
cp "$work/kunit.ko" "$work/Module.symvers" "$out/"
rm -rf "$work"
echo "kunit-core: $out/kunit.ko"
