/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ip/syslog.h"

#include <lwip/udp.h>
#include <stdio.h>
#include <string.h>
#include "manager/protocol.h"
#include "net/ip/clock.h"
#include "net/ip/lookup.h"
#include "net/ip/parent.h"
#include "user/program.h"

#define NS_PER_MS  1000000ull
#define POLL_NS    (1000 * NS_PER_MS) /* for new lines */
#define BUSY_NS    (50 * NS_PER_MS)   /* between bursts */
#define LOOKUP_NS  (30000 * NS_PER_MS)
#define FRESH_NS   (600000 * NS_PER_MS) /* a name's address is asked for again */
#define BURST      16u                  /* messages */
#define QUIET_NS   (60000 * NS_PER_MS)  /* the receiver's hardware address may be forgotten then */
#define LINE_BYTES 512u

static const struct ip_config *config;
static struct udp_pcb *pcb;
static struct lookup lookup;
static uint64_t position, next_ns, looked_ns, burst_ns, sent, lost;
static bool told;
static char line[LINE_BYTES];
static size_t used;
/* What the manager gave and is not cut into lines yet. */
static char chunk[MGR_PAYLOAD_BYTES];
static size_t chunk_size, chunk_at;

void syslog_start(const struct ip_config *with, uint64_t from)
{
    config = with;
    position = from;
    if (!config->syslog[0])
        return;
    pcb = udp_new_ip_type(IPADDR_TYPE_ANY);
    if (!pcb || udp_bind(pcb, IP_ANY_TYPE, 0) != ERR_OK) {
        log_line("there is no UDP port for syslog");
        pcb = NULL;
    }
}

static void send(void)
{
    char message[SYSLOG_MESSAGE];
    uint64_t now = clock_unix_ns(), up = time_tsc_to_ns(time_tsc() - config->boot_tsc);
    const struct syslog_host host = {config->hostname, now > up ? now - up : 0};
    size_t size = syslog_format(&host, line, used, message);
    used = 0;
    if (!size)
        return;
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)size, PBUF_RAM);
    err_t error = p ? pbuf_take(p, message, (u16_t)size) : ERR_MEM;
    if (error == ERR_OK)
        error = udp_sendto(pcb, p, &lookup.address, config->syslog_port);
    if (p)
        pbuf_free(p);
    if (error == ERR_OK)
        sent++;
    else
        lost++;
}

/* More of the log. False: there is none now. */
static bool fetch(void)
{
    chunk_size = chunk_at = 0;
    if (!parent_call(MGR_OP_KLOG, position, 0, NULL))
        return false;
    uint64_t size = parent_number(1), next = parent_number(2);
    if (!size || size > sizeof(chunk))
        return false;
    if (next - size != position && position) /* overwritten before it was read */
        lost++;
    memcpy(chunk, parent_payload(), size);
    chunk_size = size;
    position = next;
    return true;
}

/* Sends at most a burst of lines. True: there may be more. After a silence the first goes alone:
 * lwIP keeps one packet only while it asks for the receiver's hardware address. */
static bool send_some(uint64_t now)
{
    uint32_t most = burst_ns && now - burst_ns < QUIET_NS ? BURST : 1;
    for (uint32_t n = 0; n < most;) {
        if (chunk_at == chunk_size && !fetch())
            return false;
        char c = chunk[chunk_at++];
        if (c != '\n' && used < sizeof(line)) {
            line[used++] = c;
        } else if (c == '\n') {
            burst_ns = now;
            send();
            n++;
        }
    }
    return true;
}

/* The server's address, looked up now and then. */
static bool has_address(uint64_t now)
{
    bool stale = !looked_ns || now - looked_ns > FRESH_NS ||
                 (lookup.state == LOOKUP_FAILED && now - looked_ns > LOOKUP_NS);
    if (stale) {
        looked_ns = now;
        lookup_start(&lookup, config->syslog);
    }
    if (lookup.state == LOOKUP_FAILED && !told)
        log_line("syslog server %s: the name has no address", config->syslog);
    told = lookup.state == LOOKUP_FAILED;
    return lookup.state == LOOKUP_FOUND;
}

uint64_t syslog_run(uint64_t now, bool is_up)
{
    if (!pcb || !is_up)
        return 0;
    if (now < next_ns)
        return next_ns;
    if (!has_address(now))
        next_ns = now + POLL_NS;
    else
        next_ns = now + (send_some(now) ? BUSY_NS : POLL_NS);
    return next_ns;
}

uint64_t syslog_position(void)
{
    return position - (chunk_size - chunk_at) - used;
}

void syslog_counts(uint64_t count[IP_COUNTS])
{
    count[IP_COUNT_SYSLOG] = sent;
    count[IP_COUNT_SYSLOG_LOST] = lost;
}
