/* SPDX-License-Identifier: BSD-2-Clause */
/* net-capture: virsh has no such verb. A pcap file goes over a serial line as base64 (RFC 4648). */
#include "console/verbs_capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "abi/status.h"
#include "console/client.h"

#define FRAMES      32u
#define FRAMES_MAX  256u
#define LOOK_NS     50000000ull
#define LOOKS       200u /* 10 s */
#define RECORD      16u
#define PCAP_HEADER 24u
#define BYTES_MAX   (PCAP_HEADER + FRAMES_MAX * (RECORD + MGR_CAPTURE_SNAP))
#define LINE        48u /* bytes, 64 characters */
#define PORT_NAME   64u

static uint8_t file[BYTES_MAX], came[MGR_PAYLOAD_BYTES];

static void add_base64(struct text *text, const uint8_t *p, uint32_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char line[LINE / 3 * 4 + 1];
    uint32_t used = 0;
    for (uint32_t at = 0; at < n; at += 3) {
        uint32_t have = n - at < 3 ? n - at : 3, bits = 0;
        for (uint32_t i = 0; i < 3; i++)
            bits = bits << 8 | (i < have ? p[at + i] : 0);
        for (uint32_t i = 0; i < 4; i++)
            line[used++] = i <= have ? digits[bits >> (18 - 6 * i) & 63] : '=';
    }
    line[used] = 0;
    text_add(text, "%s\n", line);
}

/* The format's head: nanoseconds, version 2.4, Ethernet. */
static uint32_t begin_file(void)
{
    const uint32_t words[PCAP_HEADER / 4] = {0xa1b23c4du, 2u | 4u << 16, 0, 0, MGR_CAPTURE_SNAP, 1};
    memcpy(file, words, sizeof(words));
    return PCAP_HEADER;
}

/* Whole records, until there are `frames` of them or the time is over. */
static uint32_t collect(uint32_t frames, uint32_t *count, uint64_t *lost)
{
    uint32_t used = begin_file(), n = 0;
    for (uint32_t look = 0; look < LOOKS && *count < frames; look++) {
        if (!n)
            verbs_sleep(LOOK_NS);
        if (client_capture_read(came, &n, lost) != OK)
            break;
        for (uint32_t at = 0, bytes; at + RECORD <= n && *count < frames; at += RECORD + bytes) {
            memcpy(&bytes, came + at + 8, sizeof(bytes));
            if (bytes > MGR_CAPTURE_SNAP || bytes > n - at - RECORD)
                break;
            memcpy(file + used, came + at, RECORD + bytes);
            used += RECORD + bytes;
            ++*count;
        }
    }
    return used;
}

/* A port's name may be two words ("alpha vnet0"); a number behind it is one of frames. */
static bool read_words(const struct command *c, char name[PORT_NAME], uint32_t *frames)
{
    uint32_t words = c->word_count;
    char *end = NULL;
    unsigned long number = words > 1 ? strtoul(c->word[words - 1], &end, 10) : 0;
    *frames = FRAMES;
    if (end && !*end) {
        *frames = number < FRAMES_MAX ? (uint32_t)number : FRAMES_MAX;
        words--;
    }
    name[0] = 0;
    for (uint32_t i = 0; i < words; i++) {
        size_t used = strlen(name);
        snprintf(name + used, PORT_NAME - used, "%s%s", i ? " " : "", c->word[i]);
    }
    return words && *frames;
}

void run_net_capture(const struct command *c, struct text *text)
{
    char name[PORT_NAME];
    uint32_t frames, count = 0;
    uint64_t lost = 0;
    if (!read_words(c, name, &frames)) {
        text_add(text, "error: net-capture <network> <port> [<frames>], at most %u frames\n\n",
                 FRAMES_MAX);
        return;
    }
    if (client_capture_begin(c->domain, name) != OK) {
        text_add(text, "error: %s\n\n", client_reason());
        return;
    }
    uint32_t used = collect(frames, &count, &lost);
    client_capture_end();
    text_add(text, "-----BEGIN PCAP-----\n");
    for (uint32_t at = 0; at < used; at += LINE)
        add_base64(text, file + at, used - at < LINE ? used - at : LINE);
    text_add(text, "-----END PCAP-----\n%u frames, %llu more had no room\n\n", (unsigned)count,
             (unsigned long long)lost);
}
