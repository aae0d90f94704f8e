/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"

#include "arch/x86_64/symbols.c"

const char __kernel_start[1], __text_start[1], __text_end[1];

TEST(finds_the_function_that_holds_it)
{
    static const struct symbol table[] = {{0x10, 0}, {0x20, 1}, {0x20 + 1, 2}, {0xfffffff0, 3}};
    CHECK(!symbol_find(table, 4, 0));
    CHECK(!symbol_find(table, 4, 0xf));
    CHECK_EQ(symbol_find(table, 4, 0x10)->name, 0);
    CHECK_EQ(symbol_find(table, 4, 0x1f)->name, 0);
    CHECK_EQ(symbol_find(table, 4, 0x20)->name, 1);
    CHECK_EQ(symbol_find(table, 4, 0x21)->name, 2);
    CHECK_EQ(symbol_find(table, 4, 0xffffffef)->name, 2);
    CHECK_EQ(symbol_find(table, 4, UINT64_MAX)->name, 3);
}

TEST(sizes_of_tables)
{
    static struct symbol table[64];
    CHECK(!symbol_find(table, 0, 5));
    for (uint32_t n = 1; n <= 64; n++) {
        for (uint32_t i = 0; i < n; i++)
            table[i] = (struct symbol){2 * i, i};
        for (uint32_t at = 0; at < 2 * n; at++)
            CHECK_EQ(symbol_find(table, n, at)->name, at / 2);
    }
}
