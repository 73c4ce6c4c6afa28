// SPDX-License-Identifier: GPL-2.0-only
/* The virtio-serial channel: bytes to lines to messages, and back. */
#include <stdlib.h>
#include <string.h>

#include "../../proto/line.h"
#include "../../proto/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_line(const char *line, size_t len)
{
	char *copy = malloc(len + !len), text[MN_LINE_MAX];
	struct mn_msg m, again;
	const char *why;
	int n;

	memcpy(copy, line, len);	/* so that reading beyond it is seen */
	if (!mn_msg_decode(copy, len, &m, &why)) {
		n = mn_msg_encode(&m, text, sizeof(text));
		if (n < 0 || mn_msg_decode(text, n - 1, &again, &why) ||
		    memcmp(&m, &again, sizeof(m)))
			abort();
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mn_lines l;
	size_t len, room;
	char *line;
	int ret;

	memset(&l, 0, sizeof(l));
	while (size) {
		/* In pieces whose size the input chooses */
		size_t piece = 1 + data[0] * 16;
		char *space = mn_lines_space(&l, &room);

		piece = piece < room ? piece : room;
		piece = piece < size ? piece : size;
		memcpy(space, data, piece);
		mn_lines_added(&l, piece);
		data += piece;
		size -= piece;
		while ((ret = mn_lines_next(&l, &line, &len)))
			if (ret > 0)
				one_line(line, len);
	}
	return 0;
}
