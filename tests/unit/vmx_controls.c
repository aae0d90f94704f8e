/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"

#include "vmx/controls.c"
#include "vmx/qualification.c"
#include "vmx/segment.c"

#define CAP(must, may) ((uint64_t)(may) << 32 | (must))

TEST(wanted_what_the_cpu_has)
{
    uint32_t c = 0;
    CHECK_EQ(controls_compute(CAP(0x16, 0x7f), 0x1, 0x108, 0, &c), 0);
    CHECK_EQ(c, 0x1f); /* needed, wanted where there, must */
}

TEST(needed_but_missing)
{
    uint32_t c = 0;
    CHECK_EQ(controls_compute(CAP(0x16, 0x3f), 0x41, 0, 0, &c), 0x40);
}

TEST(refused_but_fixed)
{
    uint32_t c = 0;
    CHECK_EQ(controls_compute(CAP(0x0401e172u, 0xfff9fffeu), 0x80, 0, 0x18000u, &c), 0x18000u);
    CHECK_EQ(controls_compute(CAP(0x04006172u, 0xfff9fffeu), 0x80, 0, 0x18000u, &c), 0);
    CHECK_EQ(c, 0x040061f2u);
}

TEST(guest_owned_bits)
{
    /* fixed0 80000021, fixed1 ffffffff: PE, NE, PG are fixed to 1. */
    CHECK_EQ(controls_free_bits(0x80000021, 0xffffffff, 0), 0x7fffffde);
    CHECK_EQ(controls_free_bits(0x80000021, 0xffffffff, 0x80000001), 0xffffffdf);
    CHECK_EQ(controls_free_bits(0x2000, 0x1727ff, 0), 0x1707ff);
}

TEST(access_rights_of_code_and_data)
{
    uint32_t limit = 0xffffffff;
    CHECK_EQ(segment_access(SEG_CS, 0xa9b, &limit), 0xa09b); /* 64-bit code */
    limit = 0xffffffff;
    CHECK_EQ(segment_access(SEG_DS, 0xc92, &limit), 0xc093); /* accessed is set */
    limit = 0xffff;
    CHECK_EQ(segment_access(SEG_SS, 0x093, &limit), 0x93);
    CHECK_EQ(limit, 0xffff);
}

TEST(granularity_follows_the_limit)
{
    uint32_t limit = 0x12345678;
    CHECK_EQ(segment_access(SEG_DS, 0x493, &limit), 0xc093);
    CHECK_EQ(limit, 0x12345fff);
    limit = 0x1234;
    CHECK_EQ(segment_access(SEG_DS, 0xc93, &limit), 0x4093); /* G cannot stay */
    CHECK_EQ(limit, 0x1234);
    limit = 0x1fff;
    CHECK_EQ(segment_access(SEG_DS, 0xc93, &limit), 0xc093);
}

TEST(unusable_segments)
{
    uint32_t limit = 0;
    CHECK(segment_access(SEG_FS, SEG_ATTR_UNUSABLE | 0x93, &limit) & ACCESS_UNUSABLE);
    CHECK(segment_access(SEG_LDTR, 0x002, &limit) & ACCESS_UNUSABLE); /* not present */
    CHECK_EQ(segment_attr(ACCESS_UNUSABLE | 0x93) & (SEG_ATTR_UNUSABLE | SEG_ATTR_P),
             SEG_ATTR_UNUSABLE);
    CHECK_EQ(segment_attr(0xa09b), 0xa9b);
}

TEST(task_register_is_busy_and_usable)
{
    uint32_t limit = 0x67;
    CHECK_EQ(segment_access(SEG_TR, 0x089, &limit), 0x8b);
    CHECK_EQ(segment_access(SEG_TR, 0x083, &limit), 0x83);
    CHECK_EQ(segment_access(SEG_TR, SEG_ATTR_UNUSABLE, &limit), 0x8b);
}

TEST(qualification_of_cr_access)
{
    struct cr_access a = qualification_cr(0x00000304);
    CHECK_EQ(a.number, 4);
    CHECK_EQ(a.type, CR_MOV_TO);
    CHECK_EQ(a.gpr, 3);
    a = qualification_cr(0xabcd0030);
    CHECK_EQ(a.number, 0);
    CHECK_EQ(a.type, CR_LMSW);
    CHECK_EQ(a.source, 0xabcd);
    a = qualification_cr(0xf18);
    CHECK_EQ(a.number, 8);
    CHECK_EQ(a.type, CR_MOV_FROM);
    CHECK_EQ(a.gpr, 15);
}

TEST(qualification_of_io)
{
    struct vexit_info x = {0};
    qualification_io(0x03f80000, &x);
    CHECK_EQ(x.port, 0x3f8);
    CHECK_EQ(x.size, 1);
    CHECK_EQ(x.flags, 0);
    qualification_io(0x0cfc000b, &x);
    CHECK_EQ(x.port, 0xcfc);
    CHECK_EQ(x.size, 4);
    CHECK_EQ(x.flags, PIO_IN);
    qualification_io(0x01f00039, &x);
    CHECK_EQ(x.size, 2);
    CHECK_EQ(x.flags, PIO_IN | PIO_STRING | PIO_REP);
}

TEST(qualification_of_ept_violation)
{
    struct vexit_info x = {0};
    qualification_ept(0x181, &x);
    CHECK_EQ(x.flags, MMIO_READ);
    CHECK(x.gla_valid);
    qualification_ept(0x182, &x);
    CHECK_EQ(x.flags, MMIO_WRITE);
    qualification_ept(0x184, &x);
    CHECK_EQ(x.flags, MMIO_FETCH);
    qualification_ept(0x081, &x);
    CHECK_EQ(x.flags, MMIO_READ | MMIO_PAGEWALK);
    qualification_ept(0x001, &x);
    CHECK_EQ(x.flags, MMIO_READ);
    CHECK(!x.gla_valid);
}

TEST(qualification_of_task_switch)
{
    struct vexit_info x = {0};
    qualification_task(0xc0000028, &x);
    CHECK_EQ(x.task.selector, 0x28);
    CHECK_EQ(x.task.source, 3);
    qualification_task(0x40000030, &x);
    CHECK_EQ(x.task.source, 1);
}

TEST(qualification_of_debug_exception)
{
    CHECK_EQ(qualification_dr6(0x4000, 0xffff0ff0), 0xffff4ff0);
    CHECK_EQ(qualification_dr6(0x1, 0xffff0ff8), 0xffff0ff1); /* B bits are set anew */
    CHECK_EQ(qualification_dr6(0x2, 0xffff4ff0),
             0xffff4ff2); /* BS stays until software clears it */
}
