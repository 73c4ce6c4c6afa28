#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Prints linux/migrate_notify_features.h as the table of features makes it. tests/style.sh
# compares; to renew: tests/mn-features.sh >include/uapi/linux/migrate_notify_features.h
cd "$(dirname "$0")/.." || exit 1
cat <<'END'
/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR MIT) */
/* Made by tests/mn-features.sh from migrate_notify_features.def: do not edit. */
#ifndef _UAPI_LINUX_MIGRATE_NOTIFY_FEATURES_H
#define _UAPI_LINUX_MIGRATE_NOTIFY_FEATURES_H

/* The bit of each feature in arrays of feature words. The list grows at its end. */
enum migrate_notify_feature {
END
sed -n 's/^MN_FEATURE(\([0-9]*\), *\([A-Z0-9_]*\),.*/\tMIGRATE_NOTIFY_F_\2 = \1,/p' \
	include/uapi/linux/migrate_notify_features.def
cat <<'END'
	/* How many there are in this header; page.nr_features is the driver's number. */
	MIGRATE_NOTIFY_F_NR
};

#endif
END
