// SPDX-License-Identifier: GPL-2.0-only
/* The answer node, which the guest writes. */
#include <stdlib.h>
#include <string.h>

#include "../../host/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *value = malloc(size + 1);
	struct mn_msg m;

	memcpy(value, data, size);
	value[size] = '\0';
	if (!mnh_xen_decode(value, &m) && (!m.op || m.op > INT64_MAX))
		abort();
	free(value);
	return 0;
}
