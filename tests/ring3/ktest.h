/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel tests that run as the root task, in place of the manager. */
#ifndef TESTS_RING3_KTEST_H
#define TESTS_RING3_KTEST_H

#include "user/program.h"
#include "user/root.h"
#include "user/syscall_stubs.h"
#include "abi/object.h"
#include "abi/status.h"
#include "abi/syscall_numbers.h"
#include "abi/thread.h"

#include <stdbool.h>

extern const struct root_info *ktest_info;
extern unsigned ktest_passed, ktest_failed;

/* Reports one check; goes on in any case. */
void ktest_check(bool good, const char *file, int line, const char *text);
#define CHECK(condition) ktest_check((condition), __FILE__, __LINE__, #condition)
#define CHECK_OK(call)   ktest_check((call) == OK, __FILE__, __LINE__, #call)

/* First RAM capability of at least `size` bytes; 0: none. */
uint32_t ktest_ram(uint64_t size);

void test_capabilities(void);
void test_memory(void);
void test_threads(void);
void test_supervision(void);
void test_ipc(void);
void test_turns(void);
void test_kill_while_preempted(void);
void test_notifications(void);
void test_domains(void);
void test_dma(void);
void test_scheduling(void);
void test_weights(void);
void test_wandering(void);
void test_cap(void);
void test_reservation(void);
void test_admission(void);
void test_affinity(void);
void test_payers(void);
void test_vcpu(void);
void test_huge_pages(void);
struct vcpu_page;
/* A part of test_vcpu(). */
void check_refusals(uint32_t vcpu, struct vcpu_page *page, void (*set_state)(void));
void test_random_calls(void);

#endif
