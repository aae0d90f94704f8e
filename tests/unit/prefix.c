/* SPDX-License-Identifier: BSD-2-Clause */
/* console=all: whole lines, each with its name, and nothing that a terminal would obey. */
#include "test.h"
#include "console/prefix.c"

static char out[65536];
static struct prefix p;

static void emit(void *context, const char *name, const char *line, size_t length)
{
    (void)context;
    snprintf(out + strlen(out), sizeof(out) - strlen(out), "[%s] %.*s\n", name, (int)length, line);
}

static const char *feed(const char *text)
{
    memset(&p, 0, sizeof(p));
    out[0] = 0;
    prefix_feed(&p, "alpha", (const uint8_t *)text, strlen(text), 1, emit, NULL);
    return out;
}

TEST(whole_lines)
{
    CHECK(!strcmp(feed("one\r\ntwo\nthr"), "[alpha] one\n[alpha] two\n"));
    prefix_feed(&p, "alpha", (const uint8_t *)"ee\n", 3, 2, emit, NULL);
    CHECK(!strcmp(out, "[alpha] one\n[alpha] two\n[alpha] three\n"));
}

TEST(empty_lines_stay)
{
    CHECK(!strcmp(feed("\n\r\n"), "[alpha] \n[alpha] \n"));
}

TEST(held_line_is_shown_after_its_time)
{
    feed("login: ");
    CHECK_EQ(prefix_tick(&p, "alpha", 1 + PREFIX_HOLD_NS - 1, emit, NULL), 1 + PREFIX_HOLD_NS);
    CHECK(!out[0]);
    prefix_feed(&p, "alpha", (const uint8_t *)"", 0, 50, emit, NULL);
    CHECK_EQ(prefix_tick(&p, "alpha", 1 + PREFIX_HOLD_NS, emit, NULL), 0);
    CHECK(!strcmp(out, "[alpha] login: \n"));
    CHECK_EQ(prefix_tick(&p, "alpha", 9 * PREFIX_HOLD_NS, emit, NULL), 0);
}

TEST(controls_are_dropped)
{
    CHECK(!strcmp(feed("a\x07\x08\x7f\x0e\tb\rc\n"), "[alpha] a\tbc\n"));
}

TEST(escape_sequences_are_dropped)
{
    CHECK(!strcmp(feed("\x1b[31mred\x1b[0m\x1b[2J\x1b[1;1H!\n"), "[alpha] red!\n"));
    CHECK(!strcmp(feed("\x1b]0;title\x07x\x1b]0;t\x1b\\y\x1bPq\x1b\\z\n"), "[alpha] xyz\n"));
    CHECK(!strcmp(feed("\x1b(Ba\x1b"
                       "7b\x1b"
                       "Mc\n"),
                  "[alpha] abc\n"));
}

/* A sequence that is never ended does not swallow the lines after it. */
TEST(newline_ends_everything)
{
    CHECK(!strcmp(feed("a\x1b]0;x\nb\n"), "[alpha] a\n[alpha] b\n"));
    CHECK(!strcmp(feed("a\x1b[12\nb\n"), "[alpha] a\n[alpha] b\n"));
    CHECK(!strcmp(feed("a\x1b\nb\n"), "[alpha] a\n[alpha] b\n"));
    CHECK(!strcmp(feed("a\xe2\x82\nb\n"), "[alpha] a?\n[alpha] b\n"));
}

TEST(utf8)
{
    CHECK(!strcmp(feed("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\n"),
                  "[alpha] \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\n"));
    CHECK(!strcmp(feed("\xc2\x9b"
                       "31m\n"),
                  "[alpha] ?31m\n")); /* C1 CSI */
    CHECK(!strcmp(feed("\x9b"
                       "2J\n"),
                  "[alpha] ?2J\n"));
    CHECK(!strcmp(feed("\xc0\x9b\n"), "[alpha] ??\n")); /* over-long */
    CHECK(!strcmp(feed("\xe0\x82\x9b\n"), "[alpha] ?\n"));
    CHECK(!strcmp(feed("\xed\xa0\x80\n"), "[alpha] ?\n")); /* surrogate */
}

TEST(long_lines_are_cut)
{
    static char text[1200];
    memset(text, 'x', 1000);
    text[1000] = '\n';
    text[1001] = 0;
    feed(text);
    int lines = 0;
    for (char *c = out; (c = strstr(c, "[alpha] ")); c++)
        lines++;
    CHECK_EQ(lines, 3);
}

TEST(any_bytes_leave_only_text)
{
    uint32_t seed = 7;
    static char text[4096];
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < sizeof(text) - 1; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = (char)(seed >> 24 ? seed >> 24 : 1);
        }
        feed(text);
        for (const unsigned char *c = (const unsigned char *)out; *c; c++) {
            CHECK(*c >= 0x20 || *c == '\n' || *c == '\t');
            CHECK(*c != 0x7f);
            CHECK(!(*c == 0xc2 && c[1] < 0xa0));
        }
    }
}
