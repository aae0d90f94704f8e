/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/prefix.h"

#include <string.h>

enum escape { PLAIN, AFTER_ESC, IN_CSI, IN_STRING, IN_STRING_ESC };

#define ESC 0x1b
#define BEL 0x07

static void emit_line(struct prefix *p, const char *name, prefix_emit *emit, void *context)
{
    emit(context, name, p->line, p->used);
    p->used = 0;
}

static void put(struct prefix *p, const char *name, const uint8_t *bytes, uint32_t length,
                uint64_t now_ns, prefix_emit *emit, void *context)
{
    if (p->used + length > PREFIX_LINE)
        emit_line(p, name, emit, context);
    p->since_ns = now_ns;
    memcpy(p->line + p->used, bytes, length);
    p->used += length;
}

/* Swallows escape sequences (ECMA-48: CSI ends with 0x40..0x7e, strings with BEL or ESC \). True:
 * the byte belonged to one. */
static int swallow(struct prefix *p, uint8_t byte)
{
    switch ((enum escape)p->escape) {
    case PLAIN:
        if (byte != ESC)
            return 0;
        p->escape = AFTER_ESC;
        return 1;
    case AFTER_ESC:
        if (byte == '[')
            p->escape = IN_CSI;
        else if (byte == ']' || byte == 'P' || byte == 'X' || byte == '^' || byte == '_')
            p->escape = IN_STRING;
        else if (byte < 0x20 || byte > 0x2f) /* 0x20..0x2f: an intermediate byte, one more comes */
            p->escape = PLAIN;
        return byte != '\n';
    case IN_CSI:
        if (byte >= 0x40 || byte == '\n')
            p->escape = PLAIN;
        return byte != '\n';
    case IN_STRING:
        if (byte == BEL || byte == '\n')
            p->escape = PLAIN;
        else if (byte == ESC)
            p->escape = IN_STRING_ESC;
        return byte != '\n';
    case IN_STRING_ESC:
        p->escape = byte == '\\' || byte == '\n' ? PLAIN : IN_STRING;
        return byte != '\n';
    }
    return 0;
}

/* How many bytes follow a lead byte of UTF-8; 0: it leads nothing. */
static uint32_t follow(uint8_t lead)
{
    if (lead >= 0xc2 && lead <= 0xdf)
        return 1;
    if (lead >= 0xe0 && lead <= 0xef)
        return 2;
    return lead >= 0xf0 && lead <= 0xf4 ? 3 : 0;
}

/* A whole character: C1 controls, surrogates and over-long forms are no text. */
static int is_text(const struct prefix *p)
{
    static const uint32_t least[5] = {0, 0, 0xa0, 0x800, 0x10000};
    return p->character >= least[p->sequence_used] && p->character <= 0x10ffff &&
           (p->character < 0xd800 || p->character > 0xdfff);
}

/* Bytes above ASCII. True: the byte has been dealt with. */
static int feed_utf8(struct prefix *p, const char *name, uint8_t byte, uint64_t now_ns,
                     prefix_emit *emit, void *context)
{
    if (p->pending && (byte & 0xc0) == 0x80) {
        p->sequence[p->sequence_used++] = byte;
        p->character = p->character << 6 | (byte & 0x3f);
        if (--p->pending)
            return 1;
        if (is_text(p))
            put(p, name, p->sequence, p->sequence_used, now_ns, emit, context);
        else
            put(p, name, (const uint8_t *)"?", 1, now_ns, emit, context);
        return 1;
    }
    if (p->pending)
        put(p, name, (const uint8_t *)"?", 1, now_ns, emit, context);
    p->pending = 0;
    if (byte < 0x80)
        return 0;
    p->pending = follow(byte);
    p->sequence[0] = byte;
    p->sequence_used = 1;
    p->character = byte & (0x3fu >> p->pending);
    if (!p->pending)
        put(p, name, (const uint8_t *)"?", 1, now_ns, emit, context);
    return 1;
}

void prefix_feed(struct prefix *p, const char *name, const uint8_t *bytes, size_t length,
                 uint64_t now_ns, prefix_emit *emit, void *context)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = bytes[i];
        if (swallow(p, byte) || feed_utf8(p, name, byte, now_ns, emit, context))
            continue;
        if (byte == '\n')
            emit_line(p, name, emit, context);
        else if (byte == '\t' || (byte >= 0x20 && byte < 0x7f))
            put(p, name, &byte, 1, now_ns, emit, context);
    }
}

uint64_t prefix_tick(struct prefix *p, const char *name, uint64_t now_ns, prefix_emit *emit,
                     void *context)
{
    if (!p->used)
        return 0;
    if (now_ns - p->since_ns < PREFIX_HOLD_NS)
        return p->since_ns + PREFIX_HOLD_NS;
    emit_line(p, name, emit, context);
    return 0;
}
