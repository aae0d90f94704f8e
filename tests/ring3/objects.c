/* SPDX-License-Identifier: BSD-2-Clause */
/* Capabilities, memory, domains. */
#include "tests/ring3/ktest.h"

#include <string.h>

#define TEST_VA 0x0000510000000000ull

static uint64_t type_of(uint32_t slot, uint64_t *rights)
{
    uint64_t type = 99;
    sys_cap_info(slot, &type, rights);
    return type;
}

void test_capabilities(void)
{
    uint64_t rights;
    uint32_t a = slot_alloc(), b = slot_alloc(), c = slot_alloc();
    CHECK_OK(sys_notif_create(a));
    CHECK(sys_notif_create(a) == ERR_EXISTS);
    CHECK(sys_notif_create(0) == ERR_ARG);
    CHECK(sys_notif_create(CAP_SLOTS) == ERR_ARG);
    CHECK(type_of(a, &rights) == OBJ_NOTIF && rights == RIGHT_ALL);
    /* Rights only shrink. */
    CHECK_OK(sys_cap_copy(SLOT_SELF_PD, b, a, RIGHT_COPY | RIGHT_READ, 0));
    CHECK_OK(sys_cap_copy(SLOT_SELF_PD, c, b, RIGHT_ALL, 0));
    CHECK(type_of(c, &rights) == OBJ_NOTIF && rights == (RIGHT_COPY | RIGHT_READ));
    CHECK(sys_notif_signal(c, 1) == ERR_RIGHTS);
    CHECK(sys_notif_signal(SLOT_SELF_PD, 1) == ERR_CAP);
    CHECK(sys_notif_signal(CAP_SLOTS + 5, 1) == ERR_CAP);
    /* Revocation takes the grandchild, too, and leaves the source. */
    CHECK_OK(sys_cap_revoke(a));
    CHECK(type_of(b, &rights) == OBJ_NONE && type_of(c, &rights) == OBJ_NONE);
    CHECK(type_of(a, &rights) == OBJ_NOTIF);
    /* Deleting the middle hands its children up. */
    CHECK_OK(sys_cap_copy(SLOT_SELF_PD, b, a, RIGHT_ALL, 0));
    CHECK_OK(sys_cap_copy(SLOT_SELF_PD, c, b, RIGHT_ALL, 0));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, b));
    CHECK(type_of(c, &rights) == OBJ_NOTIF);
    CHECK_OK(sys_cap_revoke(a));
    CHECK(type_of(c, &rights) == OBJ_NONE);
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, a));
    CHECK(sys_cap_delete(SLOT_SELF_PD, a) == ERR_CAP);
    slot_free(a);
    slot_free(b);
    slot_free(c);
}

void test_memory(void)
{
    const uint64_t size = 4 << 20;
    uint32_t mem = slot_alloc(), part = slot_alloc();
    volatile uint64_t *p = (volatile uint64_t *)TEST_VA;
    /* The heap uses the first 4 MiB of the range. */
    uint32_t ram = ktest_ram(64 << 20);
    CHECK_OK(sys_mem_derive(mem, ram, 16 << 20, size, RIGHT_ALL));
    CHECK(sys_mem_derive(part, mem, 0, size + 4096, RIGHT_ALL) == ERR_ARG);
    CHECK(sys_mem_derive(part, mem, 1, 4096, RIGHT_ALL) == ERR_ARG);
    CHECK_OK(sys_mem_map(SLOT_SELF_PD, mem, TEST_VA, 0, size, MAP_READ | MAP_WRITE));
    CHECK(sys_mem_map(SLOT_SELF_PD, mem, TEST_VA + 4096, 0, 4096, MAP_READ) == ERR_EXISTS);
    CHECK(sys_mem_map(SLOT_SELF_PD, mem, USER_TOP, 0, 4096, MAP_READ) == ERR_ARG);
    CHECK(sys_mem_map(SLOT_SELF_PD, mem, TEST_VA - 4096, 0, 4096,
                      MAP_READ | MAP_WRITE | MAP_EXEC) == ERR_ARG);
    for (uint64_t i = 0; i < size / 8; i += 512)
        p[i] = i;
    /* Cut a page out of the middle of a large page: the neighbours keep their content. */
    CHECK_OK(sys_mem_unmap(SLOT_SELF_PD, TEST_VA + 0x201000, 4096));
    CHECK(p[0x200000 / 8] == 0x200000 / 8 && p[0x202000 / 8] == 0x202000 / 8);
    CHECK_OK(sys_mem_map(SLOT_SELF_PD, mem, TEST_VA + 0x201000, 0x201000, 4096, MAP_READ));
    CHECK(p[0x201000 / 8] == 0x201000 / 8);
    /* A derived object sees the same bytes, and goes with its parent. */
    CHECK_OK(sys_mem_derive(part, mem, 0x3000, 0x1000, RIGHT_READ | RIGHT_WRITE));
    CHECK_OK(sys_mem_map(SLOT_SELF_PD, part, TEST_VA + size, 0, 0x1000, MAP_READ | MAP_WRITE));
    CHECK(p[size / 8] == 0x3000 / 8);
    CHECK_OK(sys_cap_revoke(mem));
    CHECK_OK(sys_mem_map(SLOT_SELF_PD, mem, TEST_VA + size, 0, 0x1000, MAP_READ));
    CHECK(p[size / 8] == 0);
    CHECK_OK(sys_mem_unmap(SLOT_SELF_PD, TEST_VA, size + 0x1000));
    CHECK(sys_mem_unmap(SLOT_SELF_PD, ROOT_UTCB_VA, 4096) == ERR_ARG);
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, mem));
    slot_free(mem);
    slot_free(part);
}

static uint64_t domain_memory(uint32_t pd)
{
    sys_pd_info(pd);
    return ((const struct pd_info *)utcb_self()->mr)->kmem_used;
}

void test_domains(void)
{
    uint32_t pd = slot_alloc(), thread = slot_alloc(), mem = slot_alloc();
    uint64_t before = domain_memory(SLOT_SELF_PD), rights;
    CHECK_OK(sys_mem_derive(mem, ktest_ram(64 << 20), 16 << 20, 1 << 20, RIGHT_ALL));
    for (int round = 0; round < 50; round++) {
        CHECK_OK(sys_pd_create(pd, 256 << 10));
        CHECK_OK(sys_thread_create(thread, pd, PROGRAM_UTCB_VA));
        /* Capabilities on itself, as every program has: they must not keep it alive. */
        CHECK_OK(sys_cap_copy(pd, SLOT_SELF_PD, pd, RIGHT_ALL, 0));
        CHECK_OK(sys_cap_copy(pd, SLOT_SELF_THREAD, thread, RIGHT_ALL, 0));
        CHECK_OK(sys_mem_map(pd, mem, TEST_VA, 0, 1 << 20, MAP_READ | MAP_WRITE));
        CHECK(sys_cap_copy(pd, SLOT_SELF_PD, mem, RIGHT_ALL, 0) == ERR_EXISTS);
        CHECK_OK(sys_cap_revoke(thread));
        CHECK_OK(sys_cap_delete(SLOT_SELF_PD, thread));
        CHECK_OK(sys_cap_revoke(pd));
        CHECK_OK(sys_cap_delete(SLOT_SELF_PD, pd));
        CHECK(type_of(pd, &rights) == OBJ_NONE);
    }
    /* A quota is a limit, and is not for free. */
    CHECK(sys_pd_create(pd, 1ull << 40) == ERR_QUOTA);
    CHECK_OK(sys_pd_create(pd, 64 << 10));
    int64_t status = OK;
    for (uint32_t i = 1; i < 4000 && status == OK; i += 32)
        status = sys_cap_copy(pd, i, mem, RIGHT_ALL, 0);
    CHECK(status == ERR_QUOTA);
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, pd));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, mem));
    CHECK(domain_memory(SLOT_SELF_PD) == before);
    slot_free(pd);
    slot_free(thread);
    slot_free(mem);
}
