/* SPDX-License-Identifier: BSD-2-Clause */
/* "[    1.234567] manager: text" to "<30>1 2026-11-20T17:40:00.123456Z host manager - - - text". */
#include <stdio.h>
#include <string.h>
#include "net/ip/clock.h"
#include "net/ip/syslog.h"

#define FACILITY_KERNEL 0u
#define FACILITY_DAEMON 3u
#define SEVERITY_INFO   6u
#define APP_NAME_MAX    48u /* RFC 5424, "APP-NAME" */
#define HOST_NAME_MAX   255u

struct line {
    const char *at;
    size_t length;
};

static bool number(struct line *line, uint64_t *value, uint32_t *digits)
{
    *value = 0;
    for (*digits = 0; line->length && *line->at >= '0' && *line->at <= '9' && *digits < 18;
         (*digits)++) {
        *value = *value * 10 + (uint64_t)(*line->at - '0');
        line->at++;
        line->length--;
    }
    return *digits > 0;
}

static bool skip(struct line *line, char c)
{
    if (!line->length || *line->at != c)
        return false;
    line->at++;
    line->length--;
    return true;
}

/* "[ seconds.micros] " in front; false, and nothing is taken: there is none. */
static bool take_time(struct line *line, uint64_t *ns)
{
    struct line rest = *line;
    uint64_t seconds, micros;
    uint32_t digits;
    if (!skip(&rest, '['))
        return false;
    while (skip(&rest, ' '))
        ;
    if (!number(&rest, &seconds, &digits) || digits > 10 || !skip(&rest, '.') ||
        !number(&rest, &micros, &digits) || digits != 6 || !skip(&rest, ']'))
        return false;
    skip(&rest, ' ');
    *ns = seconds * 1000000000u + micros * 1000;
    *line = rest;
    return true;
}

/* "vmm:alpha: " in front: printable and without a blank, as APP-NAME must be. */
static struct line take_name(struct line *line)
{
    struct line name = {line->at, 0};
    for (size_t i = 0; i + 1 < line->length && i <= APP_NAME_MAX; i++) {
        char c = line->at[i];
        if (c <= ' ' || c > '~')
            break;
        if (c != ':' || line->at[i + 1] != ' ' || !i)
            continue;
        name.length = i;
        line->at += i + 2;
        line->length -= i + 2;
        break;
    }
    return name;
}

size_t syslog_format(const struct syslog_host *host, const char *text, size_t length,
                     char out[SYSLOG_MESSAGE])
{
    struct line line = {text, length};
    char time[CLOCK_SYSLOG] = "-";
    uint64_t ns = 0;
    bool has_time = take_time(&line, &ns);
    struct line name = take_name(&line);
    if (!line.length)
        return 0;
    if (has_time && host->boot_ns)
        clock_syslog(host->boot_ns + ns, time);
    uint32_t facility = name.length ? FACILITY_DAEMON : FACILITY_KERNEL;
    int head = snprintf(out, SYSLOG_MESSAGE, "<%u>1 %s %.*s %.*s - - - ",
                        (unsigned)(facility * 8 + SEVERITY_INFO), time, (int)HOST_NAME_MAX,
                        host->name[0] ? host->name : "-", (int)(name.length ? name.length : 6),
                        name.length ? name.at : "kernel");
    size_t used = (size_t)head, room = SYSLOG_MESSAGE - used;
    if (line.length > room)
        line.length = room;
    for (size_t i = 0; i < line.length; i++) {
        char c = line.at[i];
        out[used++] = c < ' ' || c > '~' ? ' ' : c;
    }
    return used;
}
