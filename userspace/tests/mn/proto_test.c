// SPDX-License-Identifier: GPL-2.0-only
/* What hosts and guests say: lines, JSON, xenstore. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../host/host.h"
#include "../../host/xs.h"
#include "../../proto/line.h"
#include "../../proto/msg.h"

static struct mn_lines l;

static void feed(const char *bytes, size_t len)
{
	while (len) {
		size_t size, n;
		char *space = mn_lines_space(&l, &size);

		n = len < size ? len : size;
		memcpy(space, bytes, n);
		mn_lines_added(&l, n);
		bytes += n;
		len -= n;
		if (len) {
			char *line;
			size_t line_len;

			assert_int_not_equal(mn_lines_next(&l, &line, &line_len), 1);
		}
	}
}

static void expect_line(const char *text)
{
	size_t len = 0;
	char *line = NULL;

	assert_int_equal(mn_lines_next(&l, &line, &len), 1);
	assert_int_equal(len, strlen(text));
	assert_string_equal(line, text);
}

static void lines(void **state)
{
	static char big[3 * MN_LINE_MAX];
	size_t len;
	char *line;

	(void)state;
	memset(&l, 0, sizeof(l));
	feed("one\ntw", 6);
	expect_line("one");
	assert_int_equal(mn_lines_next(&l, &line, &len), 0);
	feed("o\n\nthree\n", 9);
	expect_line("two");
	expect_line("");
	expect_line("three");
	assert_int_equal(mn_lines_next(&l, &line, &len), 0);

	/* Too long: said once, and what follows is read. */
	memset(big, 'x', sizeof(big));
	for (size_t n = 0; n < sizeof(big); n += 1000) {
		int ret = mn_lines_next(&l, &line, &len);

		assert_true(ret == 0 || (ret == -EMSGSIZE && n > MN_LINE_MAX && n < MN_LINE_MAX + 2000));
		while (mn_lines_next(&l, &line, &len))
			;
		feed(big, 1000);
	}
	while (mn_lines_next(&l, &line, &len))
		;
	feed("\nafter\n", 7);
	expect_line("after");
	/* The longest that fits */
	feed(big, MN_LINE_MAX - 1);
	feed("\n", 1);
	assert_int_equal(mn_lines_next(&l, &line, &len), 1);
	assert_int_equal(len, MN_LINE_MAX - 1);
}

static struct mn_msg m;
static const char *why;

static int decode(const char *text)
{
	/* From exactly as many bytes: the sanitizer sees one too far. */
	size_t len = strlen(text);
	char *copy = malloc(len + !len);
	int ret;

	memcpy(copy, text, len);
	ret = mn_msg_decode(copy, len, &m, &why);
	free(copy);
	return ret;
}

static void refuse(const char *text, const char *reason)
{
	assert_int_equal(decode(text), -EBADMSG);
	assert_string_equal(why, reason);
}

static void messages(void **state)
{
	(void)state;
	assert_int_equal(decode("{\"type\":\"prepare\",\"op\":5}"), 0);
	assert_int_equal(m.type, MN_MSG_PREPARE);
	assert_int_equal(m.op, 5);
	assert_int_equal(m.deadline_ms, MN_MSG_DEADLINE_DEFAULT_MS);
	assert_int_equal(m.hints, 0);
	assert_int_equal(decode(" {\"op\":9007199254740991,\"deadline_ms\":1800000,\"x\":{},"
				"\"vanish\":[\"aes\",\"sse4.2\"],\"appear\":[],\"type\":\"prepare\"} \r"),
			 0);
	assert_int_equal(m.op, 9007199254740991);
	assert_int_equal(m.deadline_ms, 1800000);
	assert_string_equal(m.vanish, "aes sse4.2");
	assert_int_equal(m.hints, MN_MSG_HINT_VANISH | MN_MSG_HINT_APPEAR);
	assert_int_equal(decode("{\"type\":\"ready\",\"op\":5,\"acked\":3,\"late\":1}"), 0);
	assert_int_equal(m.acked, 3);
	assert_int_equal(m.late, 1);
	assert_int_equal(decode("{\"type\":\"complete\",\"op\":5,\"status\":\"failed\"}"), 0);
	assert_int_equal(m.status, MN_MSG_STATUS_FAILED);
	assert_int_equal(decode("{\"type\":\"error\",\"text\":\"a\\u0007b\"}"), 0);
	assert_string_equal(m.text, "a?b");

	refuse("", "not JSON");
	refuse("{", "not JSON");
	refuse("{} {}", "not JSON");
	refuse("{}x", "not JSON");
	refuse("[[[[[[[[1]]]]]]]]", "not JSON");
	refuse("7", "not JSON");
	refuse("[]", "not an object");
	refuse("{}", "no type");
	refuse("{\"type\":1}", "no type");
	refuse("{\"type\":\"frob\",\"op\":1}", "unknown type");
	refuse("{\"type\":\"prepare\"}", "no op");
	refuse("{\"type\":\"prepare\",\"op\":0}", "no op");
	refuse("{\"type\":\"prepare\",\"op\":-1}", "a number is out of range");
	refuse("{\"type\":\"prepare\",\"op\":9223372036854775807}", "a number is out of range");
	refuse("{\"type\":\"prepare\",\"op\":99999999999999999999}", "a number is out of range");
	refuse("{\"type\":\"prepare\",\"op\":1.5}", "a number is not an integer");
	refuse("{\"type\":\"prepare\",\"op\":\"1\"}", "a number is not an integer");
	refuse("{\"type\":\"prepare\",\"op\":1,\"deadline_ms\":0}", "a number is out of range");
	refuse("{\"type\":\"prepare\",\"op\":1,\"deadline_ms\":1800001}", "a number is out of range");
	refuse("{\"type\":\"prepare\",\"op\":1,\"vanish\":\"aes\"}", "features are not an array");
	refuse("{\"type\":\"prepare\",\"op\":1,\"vanish\":[1]}", "a feature is not a string");
	refuse("{\"type\":\"prepare\",\"op\":1,\"vanish\":[\"a b\"]}",
	       "a feature has no feature's name");
	refuse("{\"type\":\"complete\",\"op\":1}", "no status");
	refuse("{\"type\":\"complete\",\"op\":1,\"status\":\"great\"}", "unknown status");
	assert_int_equal(mn_msg_decode("{}\0", 3, &m, &why), -EBADMSG);
	refuse("{\"type\":\"error\",\"op\":1,\"busy\":1}", "a truth value is none");
	/* Who asked gets to know that it was refused. */
	refuse("{\"type\":\"frob\",\"op\":77}", "unknown type");
	assert_int_equal(m.op, 77);
	refuse("{\"type\":\"frob\",\"op\":-77}", "a number is out of range");
	assert_int_equal(m.op, 0);
}

static void round_trip(void **state)
{
	static const struct mn_msg all[] = {
		{ .type = MN_MSG_HELLO, .text = "quo\"te \\" },
		{ .type = MN_MSG_PREPARE, .op = 1, .deadline_ms = 1 },
		{ .type = MN_MSG_PREPARE, .op = 2, .deadline_ms = 3, .hints = 3, .vanish = "aes",
		  .appear = "avx avx2" },
		{ .type = MN_MSG_PREPARING, .op = 3 },
		{ .type = MN_MSG_READY, .op = 4, .acked = 5, .late = 6, .refused = 7 },
		{ .type = MN_MSG_COMPLETE, .op = 8, .status = MN_MSG_STATUS_CANCELLED },
		{ .type = MN_MSG_COMPLETED, .op = 9 },
		{ .type = MN_MSG_ERROR, .op = 10, .text = "no" },
		{ .type = MN_MSG_ERROR, .op = 11, .text = "later", .busy = true },
	};
	char line[MN_LINE_MAX];
	int len;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		len = mn_msg_encode(&all[i], line, sizeof(line));
		assert_true(len > 0);
		assert_int_equal(line[len - 1], '\n');
		assert_int_equal(mn_msg_decode(line, len - 1, &m, &why), 0);
		assert_memory_equal(&m, &all[i], sizeof(m));
		assert_int_equal(mn_msg_encode(&all[i], line, len), -EMSGSIZE);
	}
}

static void xenstore_wire(void **state)
{
	struct xs_header h = { XS_ERROR, 1, 0, 7 };
	char bytes[sizeof(h) + XS_PAYLOAD_MAX] = "";
	struct xs_reply r;

	(void)state;
	memcpy(bytes, &h, sizeof(h));
	memcpy(bytes + sizeof(h), "EACCES", 7);
	for (size_t n = 0; n < sizeof(h) + 7; n++)
		assert_int_equal(xs_decode(bytes, n, &r), 0);
	assert_int_equal(xs_decode(bytes, sizeof(bytes), &r), sizeof(h) + 7);
	assert_int_equal(xs_error(&r), -EACCES);
	strcpy(r.payload, "EWHAT");
	assert_int_equal(xs_error(&r), -EIO);
	h.len = XS_PAYLOAD_MAX;
	memcpy(bytes, &h, sizeof(h));
	assert_int_equal(xs_decode(bytes, sizeof(bytes), &r), sizeof(bytes));
	h.len = XS_PAYLOAD_MAX + 1;
	memcpy(bytes, &h, sizeof(h));
	assert_int_equal(xs_decode(bytes, sizeof(bytes), &r), -EPROTO);
}

static void xenstore_values(void **state)
{
	struct mn_msg ask = {
		.type = MN_MSG_PREPARE, .op = 12, .deadline_ms = 5, .appear = "avx avx2",
		.vanish = "aes",
	};
	char text[64];

	(void)state;
	assert_true(mnh_xen_encode(&ask, text, sizeof(text)) > 0);
	assert_string_equal(text, "prepare 12 5 +avx +avx2 -aes");
	assert_int_equal(mnh_xen_encode(&ask, text, 20), -EMSGSIZE);
	ask = (struct mn_msg){
		.type = MN_MSG_COMPLETE, .op = 12, .status = MN_MSG_STATUS_SUCCESS,
	};
	assert_true(mnh_xen_encode(&ask, text, sizeof(text)) > 0);
	assert_string_equal(text, "complete 12 success");

	assert_int_equal(mnh_xen_decode("ready 12 1", &m), 0);
	assert_int_equal(m.type, MN_MSG_READY);
	assert_int_equal(m.late, 0);
	assert_int_equal(m.refused, 1);
	assert_int_equal(mnh_xen_decode("timed-out 12 3 2", &m), 0);
	assert_int_equal(m.type, MN_MSG_READY);
	assert_int_equal(m.late, 3);
	assert_int_equal(m.refused, 2);
	assert_int_equal(mnh_xen_decode("complete 12 1", &m), 0);
	assert_int_equal(m.type, MN_MSG_COMPLETED);
	assert_int_equal(mnh_xen_decode("error 12 16", &m), 0);
	assert_int_equal(m.type, MN_MSG_ERROR);
	assert_string_equal(m.text, strerror(EBUSY));
	assert_true(m.busy);
	assert_int_equal(mnh_xen_decode("error 12 114", &m), 0);
	assert_int_equal(m.type, MN_MSG_PREPARING);
	for (const char *const *bad = (const char *const[]){ "", "ready", "ready x", "ready 0 1",
	     "ready 12", "frob 1", "ready -1 1", "ready 9223372036854775808 1", "READY 1 1",
	     "timed-out 1 2", "error 1", NULL }; *bad; bad++)
		assert_int_equal(mnh_xen_decode(*bad, &m), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines), cmocka_unit_test(messages), cmocka_unit_test(round_trip),
		cmocka_unit_test(xenstore_wire), cmocka_unit_test(xenstore_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
