/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"

#include "arch/x86_64/cmdline.c"
#include "boot/cmdline_number.c"

static void set(const char *text)
{
    memset(cmdline, 0, sizeof(cmdline));
    memcpy(cmdline, text, strlen(text));
}

TEST(words)
{
    set("  quiet console=all nox2apic");
    CHECK(cmdline_has("quiet"));
    CHECK(cmdline_has("nox2apic"));
    CHECK(cmdline_has("console"));
    CHECK(!cmdline_has("con"));
    CHECK(!cmdline_has("x2apic"));
    CHECK(!cmdline_has("all"));
    CHECK(!cmdline_has("quietly"));
}

TEST(values)
{
    set("a= console=all panic=reboot");
    CHECK_EQ(*cmdline_get("a"), ' ');
    CHECK(!strncmp(cmdline_get("console"), "all ", 4));
    CHECK(!strcmp(cmdline_get("panic"), "reboot"));
    CHECK(!cmdline_get("b"));
    set("panic");
    CHECK(!strcmp(cmdline_get("panic"), ""));
    set("");
    CHECK(!cmdline_get("panic"));
}

TEST(prefix_of_another_key)
{
    set("mem mem2=5 memory=7");
    CHECK_EQ(cmdline_number("memory", 1), 7);
    CHECK_EQ(cmdline_number("mem2", 1), 5);
    CHECK_EQ(cmdline_number("mem", 9), 9);
}

TEST(numbers)
{
    set("a=12 b=0x1F c=3K d=2m e=1G f=0");
    CHECK_EQ(cmdline_number("a", 1), 12);
    CHECK_EQ(cmdline_number("b", 1), 31);
    CHECK_EQ(cmdline_number("c", 1), 3072);
    CHECK_EQ(cmdline_number("d", 1), 2097152);
    CHECK_EQ(cmdline_number("e", 1), 1ull << 30);
    CHECK_EQ(cmdline_number("f", 1), 0);
}

TEST(what_is_no_number)
{
    set("a=x b=12z c=0x d= e=-1 f=99999999999999999999 g=17179869184G h=1KK");
    for (char key[2] = "a"; key[0] <= 'h'; key[0]++)
        CHECK_EQ(cmdline_number(key, 77), 77);
}

TEST(full_line)
{
    memset(cmdline, 'x', sizeof(cmdline));
    cmdline[sizeof(cmdline) - 1] = 0;
    CHECK(!cmdline_has("y"));
    cmdline[sizeof(cmdline) - 3] = ' ';
    cmdline[sizeof(cmdline) - 2] = 'y';
    CHECK(cmdline_has("y"));
}
