/* SPDX-License-Identifier: BSD-2-Clause */
/* Host unit tests: each TEST runs in order; the last line is "NAME: N passed, N failed". */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit_test {
    const char *name;
    void (*run)(void);
    struct unit_test *next;
};
static struct unit_test *unit_first, **unit_last = &unit_first;
static int unit_failed_now;

#define TEST(id)                                                 \
    static void test_##id(void);                                 \
    static struct unit_test unit_##id = {#id, test_##id, NULL};  \
    __attribute__((constructor)) static void register_##id(void) \
    {                                                            \
        *unit_last = &unit_##id;                                 \
        unit_last = &unit_##id.next;                             \
    }                                                            \
    static void test_##id(void)

/* Reports and leaves the test. */
#define CHECK(condition)                                           \
    do {                                                           \
        if (!(condition)) {                                        \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            unit_failed_now = 1;                                   \
            return;                                                \
        }                                                          \
    } while (0)

#define CHECK_EQ(actual, expected)                                                               \
    do {                                                                                         \
        unsigned long long a_ = (unsigned long long)(actual);                                    \
        unsigned long long e_ = (unsigned long long)(expected);                                  \
        if (a_ != e_) {                                                                          \
            printf("%s:%d: %s is %#llx, expected %#llx\n", __FILE__, __LINE__, #actual, a_, e_); \
            unit_failed_now = 1;                                                                 \
            return;                                                                              \
        }                                                                                        \
    } while (0)

int main(void)
{
    int passed = 0, failed = 0;
    for (struct unit_test *t = unit_first; t; t = t->next) {
        unit_failed_now = 0;
        t->run();
        if (unit_failed_now) {
            printf("FAIL %s\n", t->name);
            failed++;
        } else {
            passed++;
        }
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
