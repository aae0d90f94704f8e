/* SPDX-License-Identifier: BSD-2-Clause */
/* Division and conditions, against the CPU that runs the test; tests/unit/emulate.c has the rest.
 */
#include "test.h"
#include "random.h"
#include <stdint.h>
#include "vmm/alu.c"
#include "vmm/x86.h"

TEST(divide_as_the_cpu)
{
    for (uint32_t i = 0; i < 20000; i++) {
        uint64_t low = random64(), high = random64() >> (i % 64), divisor = random64() >> (i % 60);
        uint64_t q, r, nq, nr;
        if (divisor == 0 || high >= divisor)
            continue;
        __asm__("divq %4" : "=a"(nq), "=d"(nr) : "a"(low), "d"(high), "r"(divisor) : "cc");
        CHECK(alu_divide(false, 8, high, low, divisor, &q, &r));
        CHECK_EQ(q, nq);
        CHECK_EQ(r, nr);
        int32_t a = (int32_t)low, b = (int32_t)(divisor | 1), sq, sr;
        if (a == INT32_MIN && b == -1)
            continue;
        __asm__("cltd; idivl %3" : "=&a"(sq), "=&d"(sr) : "0"(a), "r"(b) : "cc");
        CHECK(alu_divide(true, 4, a < 0 ? 0xffffffff : 0, (uint32_t)a, (uint32_t)b, &q, &r));
        CHECK_EQ(q, (uint32_t)sq);
        CHECK_EQ(r, (uint32_t)sr);
    }
    uint64_t q, r;
    CHECK(!alu_divide(true, 4, 0xffffffff, 0x80000000, 0xffffffff, &q, &r));
    CHECK(!alu_divide(false, 1, 1, 0, 1, &q, &r));
    CHECK(!alu_divide(false, 8, 0, 5, 0, &q, &r));
    CHECK(alu_divide(true, 1, 0xff, 0x80, 1, &q, &r));
    CHECK_EQ(q, 0x80);
}

TEST(conditions)
{
    CHECK(alu_condition(4, RFLAGS_ZF) && !alu_condition(5, RFLAGS_ZF));               /* e, ne */
    CHECK(alu_condition(2, RFLAGS_CF) && alu_condition(6, RFLAGS_CF));                /* b, be */
    CHECK(alu_condition(12, RFLAGS_SF) && !alu_condition(12, RFLAGS_SF | RFLAGS_OF)); /* l */
    CHECK(alu_condition(15, RFLAGS_SF | RFLAGS_OF) && !alu_condition(15, RFLAGS_ZF)); /* g */
    CHECK(alu_condition(10, RFLAGS_PF) && !alu_condition(8, RFLAGS_PF));              /* p, s */
}
