/* SPDX-License-Identifier: BSD-2-Clause */
/* Dates, lines of syslog, packets of time servers. */
#include "fake/time.h"
#include "test.h"
#include <stdbool.h>
#include <stdint.h>

#include "net/ip/clock.c"
#include "net/ip/ntp_packet.c"
#include "net/ip/syslog_line.c"

static const char *http_date(uint64_t s)
{
    static char out[CLOCK_HTTP];
    clock_http(s * 1000000000u, out);
    return out;
}

TEST(dates)
{
    CHECK(!strcmp(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT")); /* RFC 9110's */
    CHECK(!strcmp(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT"));
    CHECK(!strcmp(http_date(951782399), "Mon, 28 Feb 2000 23:59:59 GMT"));
    CHECK(!strcmp(http_date(951782400), "Tue, 29 Feb 2000 00:00:00 GMT"));
    CHECK(!strcmp(http_date(4107542400), "Mon, 01 Mar 2100 00:00:00 GMT"));
    CHECK(!strcmp(http_date(1798761599), "Thu, 31 Dec 2026 23:59:59 GMT"));
    CHECK(clock_unix_ns() == 0);
    now_tsc = 5;
    clock_init(100, 3);
    CHECK_EQ(clock_unix_ns(), 100000000002u);
}

static const char *message(const char *name, uint64_t boot_s, const char *line)
{
    static char out[SYSLOG_MESSAGE + 1];
    const struct syslog_host host = {name, boot_s * 1000000000u};
    out[syslog_format(&host, line, strlen(line), out)] = 0;
    return out;
}

TEST(lines_of_the_log_as_messages)
{
    CHECK(!strcmp(message("h1", 1000000000, "[    1.234567] manager: text: more"),
                  "<30>1 2001-09-09T01:46:41.234567Z h1 manager - - - text: more"));
    CHECK(!strcmp(message("h1", 1000000000, "[12345.000001] vmm:alpha: x"),
                  "<30>1 2001-09-09T05:12:25.000001Z h1 vmm:alpha - - - x"));
    CHECK(!strcmp(message("", 0, "[    0.000000] 4 CPUs"), "<6>1 - - kernel - - - 4 CPUs"));
    CHECK(!strcmp(message("", 5, "no time: here"), "<6>1 - - kernel - - - no time: here"));
    CHECK(!strcmp(message("", 5, "[ 1.23] a"), "<6>1 - - kernel - - - [ 1.23] a"));
    CHECK(!strcmp(message("", 0, "[    0.000000] a\tb\x1b[1m"), "<6>1 - - kernel - - - a b [1m"));
    CHECK(!*message("", 0, "[    0.000000] ") && !*message("", 0, ""));
    CHECK(!*message("", 0, "[    0.000000] a: "));
    static char longest[5000];
    memset(longest, 'a', sizeof(longest) - 1);
    CHECK_EQ(strlen(message("h", 0, longest)), SYSLOG_MESSAGE);
}

static uint8_t packet[NTP_BYTES];

static void put(uint32_t at, uint64_t seconds, uint32_t fraction)
{
    uint64_t value = seconds << 32 | fraction;
    for (int i = 0; i < 8; i++)
        packet[at + (uint32_t)i] = (uint8_t)(value >> (56 - 8 * i));
}

#define UNIX_2026 1798761600ull
static void good_answer(uint64_t unix_s)
{
    memset(packet, 0, sizeof(packet));
    packet[0] = 0x24;
    packet[1] = 2;
    put(AT_ORIGIN, 0x1122334455667788 >> 32, 0x55667788);
    put(AT_RECEIVE, unix_s + TO_UNIX_S, 0);
    put(AT_TRANSMIT, unix_s + TO_UNIX_S, 0x80000000);
}

TEST(an_answer_of_a_time_server)
{
    struct ntp_answer answer;
    uint8_t question[NTP_BYTES];
    const uint64_t nonce = 0x1122334455667788;
    ntp_question(question, nonce);
    CHECK_EQ(question[0], 0x23);
    good_answer(UNIX_2026);
    CHECK(!memcmp(question + AT_TRANSMIT, packet + AT_ORIGIN, 8));
    CHECK(ntp_is_ours(packet, NTP_BYTES, nonce));
    CHECK(!ntp_is_ours(packet, NTP_BYTES - 1, nonce) && !ntp_is_ours(packet, NTP_BYTES, 1));
    /* 0.7 s there and back, 0.5 s of it in the server. */
    CHECK(!ntp_read(packet, 1000000000, 1700000000, &answer));
    CHECK_EQ(answer.delay_ns, 200000000);
    CHECK_EQ(answer.unix_ns, UNIX_2026 * 1000000000 + 600000000);
}

TEST(the_era_after_2036)
{
    struct ntp_answer answer;
    good_answer(2085978497); /* just begun */
    CHECK(!ntp_read(packet, 0, 500000000, &answer));
    CHECK_EQ(answer.unix_ns, 2085978497500000000u);
}

TEST(answers_of_no_use)
{
    struct ntp_answer answer;
    good_answer(UNIX_2026);
    packet[0] = 0xe4; /* leap 3 */
    CHECK(ntp_read(packet, 0, 600000000, &answer));
    good_answer(UNIX_2026);
    packet[1] = 16;
    CHECK(ntp_read(packet, 0, 600000000, &answer));
    packet[1] = 0;
    CHECK(ntp_read(packet, 0, 600000000, &answer) == ntp_kiss);
    good_answer(UNIX_2026);
    CHECK(ntp_read(packet, 0, 400000000, &answer)); /* less than it says it took itself */
    CHECK(ntp_read(packet, 0, 2600000000, &answer));
    good_answer(0);
    CHECK(ntp_read(packet, 0, 600000000, &answer));
    good_answer(UNIX_2026);
    put(AT_TRANSMIT, 0, 0);
    CHECK(ntp_read(packet, 0, 600000000, &answer));
    good_answer(UNIX_2026);
    put(AT_TRANSMIT, UNIX_2026 + TO_UNIX_S - 1, 0); /* sent before it was received */
    CHECK(ntp_read(packet, 0, 600000000, &answer));
    good_answer(UNIX_2026);
    packet[0] = 0x23;
    CHECK(!ntp_is_ours(packet, NTP_BYTES, 0x1122334455667788));
}
