/* SPDX-License-Identifier: BSD-2-Clause */
/* The line editor: keys, history, completion. */
#include "test.h"
#include "console/line_editor.c"

static struct line_editor e;
static char shown[65536];

static void take(void *context, const char *bytes, size_t length)
{
    (void)context;
    size_t used = strlen(shown);
    if (used + length < sizeof(shown)) {
        memcpy(shown + used, bytes, length);
        shown[used + length] = 0;
    }
}

static const char *candidate(void *context, uint32_t index, const char *first, uint32_t i)
{
    static const char *const verbs[] = {"start", "suspend", "shutdown", "list", NULL};
    static const char *const names[] = {"alpha", "alps", "beta", NULL};
    (void)context;
    if (index == 0)
        return verbs[i];
    if (index == 1 && !strcmp(first, "set"))
        return i ? NULL : "name=";
    return index == 1 && !strcmp(first, "start") ? names[i] : NULL;
}

static const struct line_terminal terminal = {take, candidate, NULL};

static void setup(void)
{
    line_init(&e, &terminal, "> ");
    line_next(&e);
    shown[0] = 0;
}

static bool type(const char *keys)
{
    bool done = false;
    for (; *keys; keys++) {
        done = line_key(&e, (uint8_t)*keys);
        if (done && keys[1])
            line_next(&e);
    }
    return done;
}

TEST(typing)
{
    setup();
    CHECK(!type("list --all"));
    CHECK(!strcmp(shown, "list --all"));
    CHECK(type("\r"));
    CHECK(!strcmp(e.line, "list --all"));
}

TEST(editing_keys)
{
    setup();
    type("abc\x7f\x08x");
    CHECK(!strcmp(e.line, "ax"));
    type("\x01"
         "1\x05"
         "2");
    CHECK(!strcmp(e.line, "1ax2"));
    type("\x02\x02\x0b");
    CHECK(!strcmp(e.line, "1a"));
    type(" bb cc \x17");
    CHECK(!strcmp(e.line, "1a bb "));
    type("\x15");
    CHECK(!strcmp(e.line, ""));
    type("\x08\x7f\x17\x0b\x15\x04");
    CHECK_EQ(e.length, 0);
}

TEST(arrows_home_end_delete)
{
    setup();
    type("abcd\x1b[D\x1b[DX");
    CHECK(!strcmp(e.line, "abXcd"));
    type("\x1b[HY\x1b[FZ\x1b[1~1\x1b[4~2\x1bOH3");
    CHECK(!strcmp(e.line, "31YabXcdZ2"));
    type("\x1b[H\x1b[3~\x1b[3~");
    CHECK(!strcmp(e.line, "YabXcdZ2"));
    type("\x1b[C\x1b[C|");
    CHECK(!strcmp(e.line, "Ya|bXcdZ2"));
}

TEST(history)
{
    setup();
    type("one\rtwo\rtwo\r   \rthr");
    CHECK(!strcmp(e.line, "thr"));
    type("\x1b[A");
    CHECK(!strcmp(e.line, "two"));
    type("\x10");
    CHECK(!strcmp(e.line, "one"));
    type("\x1b[A\x1b[A");
    CHECK(!strcmp(e.line, "one"));
    type("\x1b[B\x0e");
    CHECK(!strcmp(e.line, "thr"));
    type("\x1b[B");
    CHECK(!strcmp(e.line, "thr"));
}

TEST(history_wraps)
{
    setup();
    char line[16];
    for (int i = 0; i < 50; i++) {
        snprintf(line, sizeof(line), "line%d\r ", i);
        type(line);
        type("\x15");
    }
    for (int i = 0; i < 60; i++)
        type("\x1b[A");
    CHECK(!strcmp(e.line, "line18"));
}

TEST(completion)
{
    setup();
    type("l\t");
    CHECK(!strcmp(e.line, "list "));
    type("\x15s\t");
    CHECK(!strcmp(e.line, "s"));
    CHECK(strstr(shown, "start  suspend  shutdown"));
    type("ta\ta\t");
    CHECK(!strcmp(e.line, "start alp"));
    type("h\t");
    CHECK(!strcmp(e.line, "start alpha "));
    type("\t\t");
    CHECK(!strcmp(e.line, "start alpha "));
    type("\x15set na\t");
    CHECK(!strcmp(e.line, "set name=")); /* a value follows: no blank */
    type("\x15q\t");
    CHECK(!strcmp(e.line, "q"));
}

TEST(line_is_bounded)
{
    setup();
    for (int i = 0; i < 1000; i++)
        type("x");
    CHECK_EQ(e.length, LINE_SIZE - 1);
    CHECK_EQ(strlen(e.line), LINE_SIZE - 1);
}

TEST(hide_and_show)
{
    setup();
    type("abc");
    shown[0] = 0;
    line_hide(&e);
    line_hide(&e);
    CHECK(!strcmp(shown, "\r\x1b[K"));
    shown[0] = 0;
    line_show(&e);
    CHECK(!strcmp(shown, "\r> abc\x1b[K"));
}

TEST(control_c_gives_a_new_line)
{
    setup();
    type("abc\x03");
    CHECK_EQ(e.length, 0);
    CHECK(strstr(shown, "^C\r\n\r> "));
}

TEST(any_keys)
{
    uint32_t seed = 3;
    setup();
    for (int i = 0; i < 200000; i++) {
        seed = seed * 1664525 + 1013904223;
        shown[0] = 0;
        if (line_key(&e, (uint8_t)(seed >> 24)))
            line_next(&e);
        CHECK(e.length < LINE_SIZE && e.cursor <= e.length && !e.line[e.length]);
    }
}
