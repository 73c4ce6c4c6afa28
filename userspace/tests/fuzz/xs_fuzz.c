// SPDX-License-Identifier: GPL-2.0-only
/* xenstored's side of the socket. */
#include <stdlib.h>
#include <string.h>

#include "../../host/xs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xs_reply r;
	int used;

	while (size) {
		uint8_t *copy = malloc(size);

		memcpy(copy, data, size);
		used = xs_decode(copy, size, &r);
		free(copy);
		if (used <= 0)
			return 0;
		if ((size_t)used > size || strlen(r.payload) > r.h.len || xs_error(&r) >= 0)
			abort();
		data += used;
		size -= used;
	}
	return 0;
}
