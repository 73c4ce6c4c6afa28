// SPDX-License-Identifier: LGPL-2.1-or-later
// An example: a program that uses Highway's dynamic dispatch follows the CPU's features.
//
// Highway asks CPUID once and keeps the answer in hwy::GetChosenTarget(); Update() changes it for
// all calls to come. What is missing is the knowledge when, and that no call is still in
// progress: both come from libmigrate-notify. Each mn_variant stands for a Highway target.
//
// usage: highway [SECONDS]
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "main.cc"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace hybrid {
namespace HWY_NAMESPACE {

// A checksum of 32-bit words, the same for each target: products are summed modulo 2^32.
uint32_t Sum(const uint32_t *HWY_RESTRICT words, size_t n)
{
	const hwy::HWY_NAMESPACE::ScalableTag<uint32_t> d;
	const size_t lanes = hwy::HWY_NAMESPACE::Lanes(d);
	auto sum = hwy::HWY_NAMESPACE::Zero(d);
	const auto factor = hwy::HWY_NAMESPACE::Set(d, 2654435761u);

	for (size_t i = 0; i < n; i += lanes) {
		const auto v = hwy::HWY_NAMESPACE::LoadU(d, words + i);
		const auto mixed = hwy::HWY_NAMESPACE::Xor(v, hwy::HWY_NAMESPACE::ShiftRight<7>(v));

		sum = hwy::HWY_NAMESPACE::Add(sum, hwy::HWY_NAMESPACE::Mul(mixed, factor));
	}
	return hwy::HWY_NAMESPACE::GetLane(hwy::HWY_NAMESPACE::SumOfLanes(d, sum));
}

// What was called, as Highway numbers its targets.
int64_t Target()
{
	return HWY_TARGET;
}

} // namespace HWY_NAMESPACE
} // namespace hybrid
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include <poll.h>

#include <migrate-notify.h>

#include "../plain_libc.h"

namespace hybrid {
HWY_EXPORT(Sum);
HWY_EXPORT(Target);

// Targets that Highway may use, best first: what each needs, and all that are then allowed.
struct Allowed {
	int64_t targets;
};

#ifdef HWY_SSE2	// Highway 1.0.4
constexpr int64_t kBase = HWY_SSE2 | HWY_SCALAR | HWY_EMU128;
#else
constexpr int64_t kBase = HWY_SCALAR | HWY_EMU128;
#endif
const Allowed kAvx512 = { HWY_AVX3 | HWY_AVX2 | HWY_SSE4 | HWY_SSSE3 | kBase };
const Allowed kAvx2 = { HWY_AVX2 | HWY_SSE4 | HWY_SSSE3 | kBase };
const Allowed kSse4 = { HWY_SSE4 | HWY_SSSE3 | kBase };
const Allowed kSsse3 = { HWY_SSSE3 | kBase };
const Allowed kNone = { kBase };

const mn_variant kVariants[] = {
	{ "AVX3", &kAvx512, "avx512f avx512vl avx512bw avx512dq avx512cd avx2 bmi bmi2 fma f16c lzcnt "
	  "sse4.2 pclmul aes" },
	{ "AVX2", &kAvx2, "avx avx2 bmi bmi2 fma f16c lzcnt sse4.2 pclmul aes" },
	{ "SSE4", &kSse4, "sse4.1 sse4.2 ssse3 pclmul aes" },
	{ "SSSE3", &kSsse3, "ssse3 sse3" },
	{ "base", &kNone, nullptr },
};

// Follow an event. Calls that begin from now on take the new target, and when this returns
// 0, the old ones have ended.
int Follow(mn_dispatch *d, mn_ctx *ctx, const migrate_notify_event *ev)
{
	int ret = mn_dispatch_update(d, ctx, ev, 1000);
	auto now = static_cast<const Allowed *>(mn_dispatch_bound(d)->ops);

	hwy::GetChosenTarget().Update(now->targets);
	// A section that began before Update() may have called by the old target.
	return ret ? ret : mn_dispatch_update(d, ctx, ev, 1000);
}

std::atomic<bool> stop;
std::atomic<unsigned long> calls, wrong;

void Work(mn_dispatch *d, const std::vector<uint32_t> *words, uint32_t right)
{
	while (!stop) {
		mn_section s;

		mn_enter(d, &s);
		bool good = HWY_DYNAMIC_DISPATCH(Sum)(words->data(), words->size()) == right;

		mn_exit(&s);
		calls++;
		if (!good)
			wrong++;
	}
}

void Say(const char *why, mn_dispatch *d)
{
	std::printf("%s: %s, target 0x%llx\n", why, mn_dispatch_bound(d)->name,
		    static_cast<unsigned long long>(HWY_DYNAMIC_DISPATCH(Target)()));
	std::fflush(stdout);
}

} // namespace hybrid

int main(int argc, char **argv)
{
	plain_libc(argv);
	using namespace hybrid;
	std::vector<uint32_t> words(1 << 14);
	std::vector<std::thread> threads;
	migrate_notify_event ev;
	mn_dispatch *d;
	mn_ctx *ctx;
	uint32_t right = 0;

	for (size_t i = 0; i < words.size(); i++) {
		words[i] = i * 0x9e3779b9u;
		right += (words[i] ^ words[i] >> 7) * 2654435761u;
	}
	int ret = mn_open(&ctx, "highway", MN_OPEN_DELAY);

	if (ret == -EACCES || ret == -EPERM)
		ret = mn_open(&ctx, "highway", 0);
	if (!ret)
		ret = mn_dispatch_new(&d, ctx, kVariants, 5, 0);
	if (ret) {
		std::fprintf(stderr, "highway: %s\n", std::strerror(-ret));
		return 1;
	}
	Follow(d, ctx, nullptr);
	Say("start", d);
	for (int i = 0; i < 2; i++)
		threads.emplace_back(Work, d, &words, right);
	auto end = std::chrono::steady_clock::now() +
		   std::chrono::seconds(argc > 1 ? std::atoi(argv[1]) : 5);

	while (std::chrono::steady_clock::now() < end) {
		pollfd p = { mn_fd(ctx), POLLIN, 0 };

		poll(&p, 1, 50);
		while (mn_next(ctx, &ev) > 0) {
			// -ETIMEDOUT or -EAGAIN: the second update is still to be done.
			while (Follow(d, ctx, &ev))
				;
			Say(mn_type_name(ev.type), d);
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
#endif
