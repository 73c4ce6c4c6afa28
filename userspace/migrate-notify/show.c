// SPDX-License-Identifier: GPL-2.0-only
/* What the driver and CPUID say: status, list, features, history, and each event. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

#define JSON_FORMAT	1
#define COLUMNS		80

struct json_object *cli_json(struct json_object *o)
{
	if (!o) {
		fputs("migrate-notify: out of memory\n", stderr);
		exit(CLI_FAILURE);
	}
	return o;
}

void cli_json_add(struct json_object *o, const char *key, struct json_object *v)
{
	if (json_object_object_add(o, key, v))
		cli_json(NULL);
}

static void add_text(struct json_object *o, const char *key, const char *v)
{
	cli_json_add(o, key, cli_json(json_object_new_string(v)));
}

static void add_num(struct json_object *o, const char *key, uint64_t v)
{
	cli_json_add(o, key, cli_json(json_object_new_uint64(v)));
}

/* Those that may be above 2^53, which jq and others round. */
static void add_big(struct json_object *o, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	add_text(o, key, text);
}

static void add_bool(struct json_object *o, const char *key, bool v)
{
	cli_json_add(o, key, cli_json(json_object_new_boolean(v)));
}

static void append(struct json_object *array, struct json_object *v)
{
	if (json_object_array_add(array, v))
		cli_json(NULL);
}

struct json_object *cli_json_features(const __u64 *words)
{
	struct json_object *a = cli_json(json_object_new_array());

	for (unsigned int nr = 0; nr < MIGRATE_NOTIFY_F_NR; nr++)
		if (mn_in(words, nr))
			append(a, cli_json(json_object_new_string(mn_feature_name(nr))));
	return a;
}

static struct json_object *new_json(void)
{
	struct json_object *o = cli_json(json_object_new_object());

	add_num(o, "format", JSON_FORMAT);
	return o;
}

void cli_print_json(struct json_object *o)
{
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
}

void cli_feature_text(const __u64 *words, char *buf, size_t size)
{
	size_t n = 0;

	*buf = '\0';
	for (unsigned int nr = 0; nr < MIGRATE_NOTIFY_F_NR && n < size; nr++)
		if (mn_in(words, nr))
			n += snprintf(buf + n, size - n, "%s%s", n ? " " : "", mn_feature_name(nr));
}

int cli_feature_words(const char *names, __u64 *words, char bad[32])
{
	while (*names) {
		size_t len = strcspn(names, ", ");
		int nr;

		snprintf(bad, 32, "%.*s", (int)len, names);
		nr = mn_feature_find(bad);
		if (len && nr < 0)
			return nr;
		if (len)
			words[nr / 64] |= 1ull << nr % 64;
		names += len + !!names[len];
	}
	return 0;
}

static void print_wrapped(const char *label, const char *text)
{
	int col = printf("%-12s", label);

	while (*text) {
		int len = strcspn(text, " ");

		if (col > 12 && col + 1 + len > COLUMNS)
			col = printf("\n%12s", "") - 1;
		col += printf("%s%.*s", col > 12 ? " " : "", len, text);
		text += len + (text[len] == ' ');
	}
	putchar('\n');
}

static void print_features(const char *label, const __u64 *words)
{
	char text[2048];

	cli_feature_text(words, text, sizeof(text));
	if (*text)
		print_wrapped(label, text);
}

/*
 * Events
 */

static struct json_object *event_json(const struct mn_ctx *ctx,
				      const struct migrate_notify_event *ev)
{
	struct json_object *o = new_json();

	add_text(o, "event", mn_type_name(ev->type));
	add_num(o, "seq", ev->seq);
	add_big(o, "instance", mn_instance(ctx));
	add_big(o, "op", ev->op_id);
	add_num(o, "time_ns", ev->time_ns);
	add_text(o, "source", mn_source_name(ev->source));
	if (ev->type == MIGRATE_NOTIFY_EVENT_PREPARE)
		add_num(o, "deadline_ns", ev->deadline_ns);
	if (ev->type == MIGRATE_NOTIFY_EVENT_COMPLETE)
		add_text(o, "status", mn_status_name(ev->status));
	add_num(o, "waiting", ev->waiting);
	add_num(o, "refused", ev->refused);
	add_num(o, "downtime_ns", ev->downtime_ns);
	add_num(o, "duration_ns", ev->duration_ns);
	add_bool(o, "synthetic", ev->flags & MIGRATE_NOTIFY_EVENT_SYNTHETIC);
	add_bool(o, "simulated", ev->flags & MIGRATE_NOTIFY_EVENT_SIMULATED);
	add_bool(o, "lost", ev->flags & MIGRATE_NOTIFY_EVENT_LOST);
	cli_json_add(o, "added", cli_json_features(ev->added));
	cli_json_add(o, "removed", cli_json_features(ev->removed));
	return o;
}

void cli_print_event(const struct cli *c, const struct mn_ctx *ctx,
		     const struct migrate_notify_event *ev)
{
	char text[2048];

	if (c->json) {
		cli_print_json(event_json(ctx, ev));
		return;
	}
	if (ev->flags & MIGRATE_NOTIFY_EVENT_LOST)
		puts("(events were lost here)");
	printf("%-6" PRIu64 " %" PRIu64 ".%06" PRIu64 " %-9s op 0x%" PRIx64 " by %s",
	       (uint64_t)ev->seq, (uint64_t)(ev->time_ns / 1000000000),
	       (uint64_t)(ev->time_ns / 1000 % 1000000), mn_type_name(ev->type),
	       (uint64_t)ev->op_id, mn_source_name(ev->source));
	if (ev->type == MIGRATE_NOTIFY_EVENT_COMPLETE)
		printf(", %s", mn_status_name(ev->status));
	if (ev->waiting)
		printf(", %u %s", ev->waiting,
		       ev->type == MIGRATE_NOTIFY_EVENT_PREPARE ? "awaited" : "not ready");
	if (ev->refused)
		printf(", %u refused", ev->refused);
	if (ev->downtime_ns)
		printf(", stood still %" PRIu64 " us", (uint64_t)ev->downtime_ns / 1000);
	if (ev->flags & MIGRATE_NOTIFY_EVENT_SYNTHETIC)
		printf(", not announced");
	if (ev->flags & MIGRATE_NOTIFY_EVENT_SIMULATED)
		printf(", a drill");
	cli_feature_text(ev->added, text, sizeof(text));
	if (*text)
		printf(", + %s", text);
	cli_feature_text(ev->removed, text, sizeof(text));
	if (*text)
		printf(", - %s", text);
	putchar('\n');
}

/*
 * status
 */

static void source_text(uint32_t can, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s%s%s", can & MIGRATE_NOTIFY_SOURCE_ACTIVE ? "" : "(not active)",
		 can & MIGRATE_NOTIFY_CAN_PREPARE ? " prepare" : "",
		 can & MIGRATE_NOTIFY_CAN_DELAY ? " delay" : "",
		 can & MIGRATE_NOTIFY_CAN_NOTIFY ? " notify" : "",
		 can & MIGRATE_NOTIFY_CAN_CANCEL ? " cancel" : "");
}

static void status_json(const struct migrate_notify_page *p)
{
	struct json_object *o = new_json(), *sources = cli_json(json_object_new_object());
	char vendor[sizeof(p->vendor) + 1] = "";

	memcpy(vendor, p->vendor, sizeof(p->vendor));
	add_text(o, "phase", mn_phase_name(p->phase));
	add_num(o, "generation", p->generation);
	add_big(o, "instance", p->instance);
	add_num(o, "feature_generation", p->feature_generation);
	add_big(o, "op", p->op_id);
	add_num(o, "deadline_ns", p->deadline_ns);
	add_num(o, "waiting", p->waiting);
	add_num(o, "refused", p->refused);
	add_num(o, "migrations", p->migrations);
	add_text(o, "last_status", mn_status_name(p->status));
	add_num(o, "last_complete_ns", p->complete_ns);
	add_num(o, "subscribers", p->subscribers);
	for (int i = 0; i < MIGRATE_NOTIFY_SOURCES; i++) {
		struct json_object *s;
		uint32_t can = p->sources[i];

		if (!can)
			continue;
		s = cli_json(json_object_new_object());
		add_bool(s, "active", can & MIGRATE_NOTIFY_SOURCE_ACTIVE);
		add_bool(s, "prepare", can & MIGRATE_NOTIFY_CAN_PREPARE);
		add_bool(s, "delay", can & MIGRATE_NOTIFY_CAN_DELAY);
		add_bool(s, "notify", can & MIGRATE_NOTIFY_CAN_NOTIFY);
		add_bool(s, "cancel", can & MIGRATE_NOTIFY_CAN_CANCEL);
		cli_json_add(sources, mn_source_name(i), s);
	}
	cli_json_add(o, "sources", sources);
	add_text(o, "vendor", vendor);
	add_num(o, "signature", p->signature);
	add_num(o, "level", p->level);
	add_num(o, "xcr0", p->xcr0);
	add_num(o, "tsc_khz", p->tsc_khz);
	add_num(o, "cpus", p->cpus);
	add_num(o, "threads_per_core", p->threads_per_core);
	add_num(o, "cpus_per_package", p->cpus_per_package);
	add_num(o, "numa_nodes", p->numa_nodes);
	cli_json_add(o, "added", cli_json_features(p->added));
	cli_json_add(o, "removed", cli_json_features(p->removed));
	cli_print_json(o);
}

static void status_text(const struct migrate_notify_page *p)
{
	char text[128];

	printf("%-12s%s", "Phase", mn_phase_name(p->phase));
	if (p->phase)
		printf(", op 0x%" PRIx64 ", %u awaited, %u refused", (uint64_t)p->op_id, p->waiting,
		       p->refused);
	printf("\n%-12s%" PRIu64 "\n", "Migrations", (uint64_t)p->migrations);
	/* Whose number is the page's only until the next one begins. */
	if (p->complete_ns && p->phase)
		printf("%-12s%s\n", "Last", mn_status_name(p->status));
	else if (p->complete_ns)
		printf("%-12sop 0x%" PRIx64 ", %s\n", "Last", (uint64_t)p->op_id,
		       mn_status_name(p->status));
	printf("%-12s%" PRIu64 "\n", "Events", (uint64_t)p->generation);
	printf("%-12s%u\n", "Subscribers", p->subscribers);
	for (int i = 0; i < MIGRATE_NOTIFY_SOURCES; i++) {
		if (!p->sources[i])
			continue;
		source_text(p->sources[i], text, sizeof(text));
		printf("%-12s%s:%s%s\n", "Source", mn_source_name(i), *text == '(' ? " " : "",
		       text);
	}
	printf("%-12s%.12s, x86-64-v%u, %u online\n", "CPU", p->vendor, p->level, p->cpus);
	print_features("Appeared", p->added);
	print_features("Vanished", p->removed);
}

int cli_status(struct cli *c)
{
	struct migrate_notify_page page;
	struct mn_ctx *ctx;
	int ret = cli_open(c, &ctx, NULL, MN_OPEN_REQUIRED);

	if (ret)
		return ret;
	ret = mn_page(ctx, &page);
	mn_close(ctx);
	if (ret)
		return cli_fail(c, ret, "reading the page");
	if (c->json)
		status_json(&page);
	else
		status_text(&page);
	return CLI_OK;
}

/*
 * list
 */

static void print_subscriber(const struct cli *c, const struct migrate_notify_subscriber *s,
			     struct json_object *array)
{
	bool delay = s->flags & MIGRATE_NOTIFY_SUBSCRIBER_DELAY;
	bool waiting = s->flags & MIGRATE_NOTIFY_SUBSCRIBER_WAITING;
	bool refused = s->flags & MIGRATE_NOTIFY_SUBSCRIBER_REFUSED;
	char name[sizeof(s->name) + 1] = "";
	struct json_object *o;

	memcpy(name, s->name, sizeof(s->name));
	if (!c->json) {
		printf("%-6" PRIu64 " %-7u %-6u %-8s %6" PRIu64 " %6" PRIu64 " %10" PRIu64 " %10"
		       PRIu64 "  %s\n", (uint64_t)s->id, s->pid, s->uid,
		       waiting ? "awaited" : refused ? "refused" : delay ? "delays" : "watches",
		       (uint64_t)s->acks, (uint64_t)s->missed, (uint64_t)s->last_ack_ns / 1000,
		       (uint64_t)s->max_ack_ns / 1000, name);
		return;
	}
	o = cli_json(json_object_new_object());
	add_num(o, "id", s->id);
	add_num(o, "pid", s->pid);
	add_num(o, "uid", s->uid);
	add_text(o, "name", name);
	add_bool(o, "delays", delay);
	add_bool(o, "waiting", waiting);
	add_bool(o, "refused", refused);
	add_num(o, "cursor", s->cursor);
	add_num(o, "acks", s->acks);
	add_num(o, "missed", s->missed);
	add_num(o, "last_ack_ns", s->last_ack_ns);
	add_num(o, "max_ack_ns", s->max_ack_ns);
	append(array, o);
}

int cli_list(struct cli *c)
{
	struct migrate_notify_subscriber entry[64];
	struct json_object *o = NULL, *array = NULL;
	struct mn_ctx *ctx;
	uint64_t after = 0;
	int ret = cli_open(c, &ctx, NULL, MN_OPEN_REQUIRED);

	if (ret)
		return ret;
	if (c->json) {
		o = new_json();
		array = cli_json(json_object_new_array());
		cli_json_add(o, "subscribers", array);
	} else {
		printf("%-6s %-7s %-6s %-8s %6s %6s %10s %10s  %s\n", "Id", "Pid", "User", "State",
		       "Acks", "Missed", "Last us", "Max us", "Name");
	}
	do {
		ret = mn_list(ctx, after, entry, 64);
		for (int i = 0; i < ret; i++) {
			print_subscriber(c, &entry[i], array);
			after = entry[i].id;
		}
	} while (ret == 64);
	mn_close(ctx);
	if (ret < 0) {
		json_object_put(o);
		return cli_fail(c, ret, "listing");
	}
	if (o)
		cli_print_json(o);
	return CLI_OK;
}

/*
 * features
 */

static const char *because(int usability)
{
	switch (usability) {
	case MN_NO_XCR0:
		return "the kernel did not enable its registers at boot (XCR0)";
	case MN_NO_KERNEL:
		return "the kernel did not switch it on";
	case MN_NOT_ALL_CPUS:
		return "not all CPUs have it";
	default:
		return "";
	}
}

static void features_json(const struct cli *c, const struct migrate_notify_page *p, bool driver)
{
	struct json_object *o = new_json(), *features = cli_json(json_object_new_object());

	add_bool(o, "driver", driver);
	add_num(o, "level", p->level);
	add_num(o, "xcr0", p->xcr0);
	add_num(o, "cpus", p->cpus);
	for (unsigned int nr = 0; nr < MIGRATE_NOTIFY_F_NR; nr++)
		if (!c->rest[0])
			add_text(features, mn_feature_name(nr),
				 mn_usability_name(mn_feature_in(p, nr)));
	for (char **name = c->rest; *name; name++)
		add_text(features, *name,
			 mn_usability_name(mn_feature_in(p, mn_feature_find(*name))));
	cli_json_add(o, "features", features);
	cli_print_json(o);
}

static void features_text(const struct cli *c, const struct migrate_notify_page *p, bool driver)
{
	__u64 absent[MIGRATE_NOTIFY_FEATURE_WORDS] = { 0 };
	char text[16];

	for (char **name = c->rest; *name; name++) {
		int u = mn_feature_in(p, mn_feature_find(*name));

		printf("%-18s %s%s\n", *name, u > MN_USABLE ? "unusable: " : mn_usability_name(u),
		       because(u));
	}
	if (c->rest[0])
		return;
	snprintf(text, sizeof(text), "x86-64-v%u", p->level);
	print_wrapped("Level", text);
	print_features("Usable", p->usable);
	for (unsigned int nr = 0; nr < MIGRATE_NOTIFY_F_NR; nr++) {
		int u = mn_feature_in(p, nr);

		if (u > MN_USABLE)
			printf("%-12s%s: %s\n", "Unusable", mn_feature_name(nr), because(u));
		else if (u == MN_ABSENT)
			absent[nr / 64] |= 1ull << nr % 64;
	}
	if (c->all)
		print_features("Absent", absent);
	if (!driver)
		puts("(no driver: what CPUID says now, on the CPUs that this program may use)");
}

int cli_features(struct cli *c)
{
	struct migrate_notify_page page;
	struct mn_ctx *ctx;
	bool driver;
	int ret;

	for (char **name = c->rest; *name; name++) {
		if (mn_feature_find(*name) < 0) {
			fprintf(stderr, "migrate-notify features: there is no feature '%s'; "
				"features --all names all\n", *name);
			return CLI_USAGE;
		}
	}
	ret = cli_open(c, &ctx, NULL, MN_OPEN_ALL_CPUS);
	if (ret)
		return ret;
	driver = !mn_supported(ctx);
	ret = mn_page(ctx, &page);
	mn_close(ctx);
	if (ret)
		return cli_fail(c, ret, "reading the page");
	if (c->json)
		features_json(c, &page, driver);
	else
		features_text(c, &page, driver);
	for (char **name = c->rest; *name; name++)
		if (mn_feature_in(&page, mn_feature_find(*name)) != MN_USABLE)
			return CLI_FAILURE;
	return CLI_OK;
}

/*
 * history
 */

int cli_history(struct cli *c)
{
	struct migrate_notify_event ev;
	struct migrate_notify_page page;
	struct mn_ctx *ctx;
	uint64_t from = c->since < 0 ? MIGRATE_NOTIFY_CURSOR_OLDEST : (uint64_t)c->since;
	uint64_t newest, instance = c->instance;
	int ret = cli_open(c, &ctx, NULL, MN_OPEN_REQUIRED);

	if (ret)
		return ret;
	/* What comes while we print belongs to the next history. */
	ret = mn_page(ctx, &page);
	newest = page.generation;
	if (instance && instance != page.instance)
		from = MIGRATE_NOTIFY_CURSOR_OLDEST;
	if (!ret && c->count >= 0 && newest > (uint64_t)c->count && newest - c->count > from) {
		from = newest - c->count;
		instance = 0;
	}
	if (!ret && from < newest)
		ret = mn_subscribe(ctx, ~MIGRATE_NOTIFY_MASK(0) &
				   (MIGRATE_NOTIFY_MASK(MIGRATE_NOTIFY_EVENT_TYPES) - 1), from,
				   instance);
	ev.seq = 0;
	while (!ret && from < newest && ev.seq < newest && (ret = mn_wait(ctx, 100)) > 0) {
		ret = mn_next(ctx, &ev);
		if (ret > 0 && ev.seq <= newest)
			cli_print_event(c, ctx, &ev);
		ret = ret < 0 ? ret : 0;
	}
	mn_close(ctx);
	return ret < 0 ? cli_fail(c, ret, "reading events") : CLI_OK;
}
