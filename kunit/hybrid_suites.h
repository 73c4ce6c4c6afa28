/* SPDX-License-Identifier: GPL-2.0-only */
/* Every suite, for both runners: hybrid_kunit.c (kernel) and user/runner.c. */
#ifndef HYBRID_SUITES_H
#define HYBRID_SUITES_H

#include <kunit/test.h>

extern struct kunit_suite hybrid_snapshot_suite;
extern struct kunit_suite hybrid_detect_suite;
extern struct kunit_suite hybrid_host_suite;
extern struct kunit_suite hybrid_level_suite;
extern struct kunit_suite hybrid_policy_suite;
extern struct kunit_suite hybrid_poll_suite;
extern struct kunit_suite migrate_phase_suite;
extern struct kunit_suite migrate_featdiff_suite;
extern struct kunit_suite migrate_page_suite;
extern struct kunit_suite migrate_parse_suite;
extern struct kunit_suite migrate_answer_suite;
extern struct kunit_suite pvirq_mask_suite;
extern struct kunit_suite pvirq_message_suite;
extern struct kunit_suite pvirq_judge_suite;
extern struct kunit_suite pvirq_word_suite;
extern struct kunit_suite pvirq_event_suite;
extern struct kunit_suite pvirq_xenstore_suite;

#define HYBRID_SUITES	&hybrid_snapshot_suite, &hybrid_detect_suite, \
			&hybrid_host_suite, &hybrid_level_suite, &hybrid_policy_suite, \
			&hybrid_poll_suite, \
			&migrate_phase_suite, &migrate_featdiff_suite, \
			&migrate_page_suite, &migrate_parse_suite, \
			&migrate_answer_suite, \
			&pvirq_mask_suite, &pvirq_message_suite, &pvirq_judge_suite, \
			&pvirq_word_suite, &pvirq_event_suite, &pvirq_xenstore_suite

#endif
