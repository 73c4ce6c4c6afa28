// SPDX-License-Identifier: LGPL-2.1-or-later
// An example: a program that parses JSON with simdjson follows the CPU's features.
//
// simdjson chooses an implementation at its first use; get_active_implementation() can be set
// anew. A parser keeps the implementation that it began with, so a section makes its own. That
// is the price of a parser that must not outlive a CPU.
//
// usage: simdjson [SECONDS]
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <simdjson.h>

#include <migrate-notify.h>

#include "../plain_libc.h"

namespace {

// What each of simdjson's implementations needs; ops is its name.
const mn_variant variants[] = {
	{ "icelake", "icelake",
	  "avx2 bmi bmi2 lzcnt pclmul avx512f avx512dq avx512cd avx512bw avx512vbmi avx512vbmi2 "
	  "avx512vl" },
	{ "haswell", "haswell", "avx avx2 pclmul bmi bmi2 lzcnt" },
	{ "westmere", "westmere", "sse4.2 pclmul" },
	{ "fallback", "fallback", nullptr },
};

std::atomic<bool> stop;
std::atomic<unsigned long> calls, wrong;

// simdjson checks what it was built with; what it has not got falls back.
const simdjson::implementation *find(const char *name)
{
	auto found = simdjson::get_available_implementations()[name];

	return found ? found : simdjson::get_available_implementations()["fallback"];
}

int follow(mn_dispatch *d, mn_ctx *ctx, const migrate_notify_event *ev)
{
	int ret = mn_dispatch_update(d, ctx, ev, 1000);

	simdjson::get_active_implementation() =
		find(static_cast<const char *>(mn_dispatch_bound(d)->ops));
	// A section that began before may have made a parser of the old one.
	return ret ? ret : mn_dispatch_update(d, ctx, ev, 1000);
}

void work(mn_dispatch *d, const simdjson::padded_string *json, uint64_t right)
{
	while (!stop) {
		mn_section s;
		uint64_t sum = 0;

		mn_enter(d, &s);
		try {
			simdjson::dom::parser parser;

			for (simdjson::dom::element e : parser.parse(*json).get_array())
				sum += uint64_t(e["value"]) + e["name"].get_string().value().size();
		} catch (const simdjson::simdjson_error &) {
			sum = 0;
		}
		mn_exit(&s);
		calls++;
		if (sum != right)
			wrong++;
	}
}

void say(const char *why, mn_dispatch *d)
{
	std::printf("%s: %s, %s\n", why, mn_dispatch_bound(d)->name,
		    simdjson::get_active_implementation()->name().c_str());
	std::fflush(stdout);
}

} // namespace

int main(int argc, char **argv)
{
	plain_libc(argv);
	std::string text = "[";
	uint64_t right = 0;
	std::vector<std::thread> threads;
	migrate_notify_event ev;
	mn_dispatch *d;
	mn_ctx *ctx;

	for (unsigned int i = 0; i < 500; i++) {
		std::string name(i % 50, 'n');

		text += (i ? "," : "") + std::string("{\"name\":\"") + name + "\\n\",\"value\":" +
			std::to_string(i * 7919) + "}";
		right += i * 7919 + name.size() + 1;
	}
	simdjson::padded_string json(text + "]");
	int ret = mn_open(&ctx, "simdjson", MN_OPEN_DELAY);

	if (ret == -EACCES || ret == -EPERM)
		ret = mn_open(&ctx, "simdjson", 0);
	if (!ret)
		ret = mn_dispatch_new(&d, ctx, variants, 4, 0);
	if (ret) {
		std::fprintf(stderr, "simdjson: %s\n", std::strerror(-ret));
		return 1;
	}
	follow(d, ctx, nullptr);
	say("start", d);
	for (int i = 0; i < 2; i++)
		threads.emplace_back(work, d, &json, right);
	auto end = std::chrono::steady_clock::now() +
		   std::chrono::seconds(argc > 1 ? std::atoi(argv[1]) : 5);

	while (std::chrono::steady_clock::now() < end) {
		pollfd p = { mn_fd(ctx), POLLIN, 0 };

		poll(&p, 1, 50);
		while (mn_next(ctx, &ev) > 0) {
			// -ETIMEDOUT or -EAGAIN: the second update is still to be done.
			while (follow(d, ctx, &ev))
				;
			say(mn_type_name(ev.type), d);
			if (ev.type == MIGRATE_NOTIFY_EVENT_PREPARE)
				mn_ack(ctx, ev.op_id);
		}
	}
	stop = true;
	for (auto &t : threads)
		t.join();
	mn_dispatch_free(d);
	mn_close(ctx);
	std::printf("calls %lu wrong %lu\n", calls.load(), wrong.load());
	return wrong || !calls;
}
