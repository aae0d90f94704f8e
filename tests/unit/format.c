/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"

#include "lib/format.c"

static char out[64];

#define CHECK_TEXT(expected, ...)                               \
    do {                                                        \
        size_t n_ = format_text(out, sizeof(out), __VA_ARGS__); \
        CHECK(!strcmp(out, expected));                          \
        CHECK_EQ(n_, strlen(expected));                         \
    } while (0)

TEST(plain_and_percent)
{
    CHECK_TEXT("", "%s", "");
    CHECK_TEXT("50%", "%u%%", 50u);
}

TEST(numbers)
{
    CHECK_TEXT("0 -1 4294967295", "%d %d %u", 0, -1, 0xffffffffu);
    CHECK_TEXT("-9223372036854775808", "%ld", INT64_MIN);
    CHECK_TEXT("18446744073709551615", "%llu", ~0ull);
    CHECK_TEXT("deadbeef 0", "%x %x", 0xdeadbeefu, 0u);
}

TEST(widths)
{
    CHECK_TEXT("   7|007|  -7|-007", "%4d|%03d|%4d|%04d", 7, 7, -7, -7);
    CHECK_TEXT("  ab|abc", "%4s|%2s", "ab", "abc");
    CHECK_TEXT("0x1f|  0x1|0x01", "%#x|%#5x|%#04x", 0x1fu, 1u, 1u);
}

TEST(pointer_and_null)
{
    CHECK_TEXT("0000000000001000", "%p", (void *)0x1000);
    const char *volatile none = NULL;
    CHECK_TEXT("(null)", "%s", none);
}

TEST(cut_at_the_end)
{
    char small[8];
    memset(small, 'z', sizeof(small));
    CHECK_EQ(format_text(small, 5, "%s", "abcdefgh"), 4);
    CHECK(!strcmp(small, "abcd"));
    CHECK_EQ(small[5], 'z');
    CHECK_EQ(format_text(small, 1, "%08x", 1u), 0);
    CHECK_EQ(small[0], 0);
}

TEST(width_is_bounded)
{
    char big[128];
    CHECK_EQ(format_text(big, sizeof(big), "%099u", 1u), 64);
}

TEST(unknown_directive_stays_and_ends)
{
    const char *volatile odd = "%d %q %d %";
    char text[64];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    format_text(text, sizeof(text), odd, 5);
#pragma GCC diagnostic pop
    CHECK(!strcmp(text, "5 %q %d %"));
}
