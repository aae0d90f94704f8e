/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ip/ntp.h"

#include <lwip/dhcp.h>
#include <lwip/udp.h>
#include <stdio.h>
#include <string.h>
#include "net/ip/clock.h"
#include "net/ip/lookup.h"
#include "user/program.h"
#include "user/random.h"

#define NTP_PORT  123u
#define NS_PER_S  1000000000ull
#define ANSWER_NS (3 * NS_PER_S)
#define LOOKUP_NS (15 * NS_PER_S)
/* Between questions after success, and after failure; each doubles up to its end. */
#define POLL_FIRST_NS  (64 * NS_PER_S)
#define POLL_LAST_NS   (1024 * NS_PER_S)
#define RETRY_FIRST_NS (2 * NS_PER_S)
#define RETRY_LAST_NS  (128 * NS_PER_S)
#define STEP_NS        500000000ull /* a move of the clock that is worth a line in the log */

enum state { IDLE, LOOKING, ASKED };

static char names[IP_NTP_SERVERS][IP_NAME], from_dhcp[LWIP_DHCP_MAX_NTP_SERVERS][IP_NAME];
static bool is_on;
static uint32_t server;
static enum state state;
static struct lookup lookup;
static struct udp_pcb *pcb;
static uint64_t nonce, asked_ns, deadline, poll_ns, retry_ns;
static const char *last_complaint;
static struct {
    bool synced;
    char server[IP_NAME];
    int64_t offset_ns;
    uint64_t delay_ns, at_ns, count;
} result;

/* lwIP: DHCP has named time servers. */
void dhcp_set_ntp_servers(u8_t count, const ip4_addr_t *servers)
{
    memset(from_dhcp, 0, sizeof(from_dhcp));
    for (u8_t i = 0; i < count && i < LWIP_DHCP_MAX_NTP_SERVERS; i++)
        ip4addr_ntoa_r(&servers[i], from_dhcp[i], sizeof(from_dhcp[i]));
    if (state == IDLE && !names[0][0] && from_dhcp[0][0])
        deadline = time_ns();
}

/* The next server by turns; NULL: there is none. */
static const char *next_name(void)
{
    for (uint32_t tries = 0; tries < IP_NTP_SERVERS; tries++) {
        const char *name = names[server % IP_NTP_SERVERS];
        if (!names[0][0])
            name = from_dhcp[server % LWIP_DHCP_MAX_NTP_SERVERS];
        if (name[0])
            return name;
        server++;
    }
    return NULL;
}

static void again_in(uint64_t now, uint64_t ns)
{
    state = IDLE;
    deadline = now + ns;
}

/* Another server, later and later; each reason is told once. */
static void fail(uint64_t now, const char *why)
{
    if (why != last_complaint)
        log_line("time server %s: %s", result.server, why);
    last_complaint = why;
    server++;
    again_in(now, why == ntp_kiss ? POLL_LAST_NS : retry_ns);
    retry_ns = retry_ns * 2 < RETRY_LAST_NS ? retry_ns * 2 : RETRY_LAST_NS;
}

static void take(const struct ntp_answer *answer, uint64_t tsc)
{
    uint64_t before = clock_unix_ns(), now = time_ns();
    int64_t offset = (int64_t)(answer->unix_ns - before);
    char text[CLOCK_SYSLOG];
    clock_set(answer->unix_ns, tsc);
    clock_syslog(answer->unix_ns, text);
    if (!result.synced || offset > (int64_t)STEP_NS || offset < -(int64_t)STEP_NS)
        log_line("the clock is set to %s by %s", text, result.server);
    poll_ns = result.synced && poll_ns * 2 < POLL_LAST_NS ? poll_ns * 2
              : result.synced                             ? POLL_LAST_NS
                                                          : POLL_FIRST_NS;
    result.synced = true;
    result.offset_ns = before ? offset : 0;
    result.delay_ns = answer->delay_ns;
    result.at_ns = now;
    result.count++;
    last_complaint = NULL;
    retry_ns = RETRY_FIRST_NS;
    ntp_on_time(answer->unix_ns, tsc);
    again_in(now, poll_ns);
}

static void on_packet(void *arg, struct udp_pcb *from, struct pbuf *p, const ip_addr_t *address,
                      u16_t port)
{
    uint8_t packet[NTP_BYTES];
    struct ntp_answer answer;
    uint64_t tsc = time_tsc(), now = time_tsc_to_ns(tsc);
    (void)arg, (void)from;
    u16_t size = pbuf_copy_partial(p, packet, sizeof(packet), 0);
    pbuf_free(p);
    if (state != ASKED || port != NTP_PORT || !ip_addr_cmp(address, &lookup.address))
        return;
    if (!ntp_is_ours(packet, size, nonce))
        return;
    const char *why = ntp_read(packet, asked_ns, now, &answer);
    if (why)
        fail(now, why);
    else
        take(&answer, tsc);
}

static void ask(uint64_t now)
{
    uint8_t packet[NTP_BYTES];
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, NTP_BYTES, PBUF_RAM);
    random_bytes(&nonce, sizeof(nonce));
    ntp_question(packet, nonce);
    state = ASKED;
    deadline = now + ANSWER_NS;
    asked_ns = time_ns();
    if (!p)
        return; /* as if it had been lost */
    pbuf_take(p, packet, NTP_BYTES);
    udp_sendto(pcb, p, &lookup.address, NTP_PORT);
    pbuf_free(p);
}

static void begin(uint64_t now)
{
    const char *name = next_name();
    if (!name) {
        deadline = 0; /* until DHCP names one */
        return;
    }
    snprintf(result.server, sizeof(result.server), "%s", name);
    state = LOOKING;
    deadline = now + LOOKUP_NS;
    lookup_start(&lookup, name);
}

void ntp_start(const char name[IP_NTP_SERVERS][IP_NAME])
{
    memcpy(names, name, sizeof(names));
    pcb = udp_new_ip_type(IPADDR_TYPE_ANY);
    if (!pcb || udp_bind(pcb, IP_ANY_TYPE, 0) != ERR_OK) {
        log_line("there is no UDP port for time servers");
        return;
    }
    udp_recv(pcb, on_packet, NULL);
    is_on = true;
    retry_ns = RETRY_FIRST_NS;
    again_in(time_ns(), 0);
}

uint64_t ntp_run(uint64_t now, bool is_up)
{
    if (!is_on || !is_up)
        return 0;
    if (state == IDLE && deadline && now >= deadline)
        begin(now);
    if (state == LOOKING && lookup.state == LOOKUP_FOUND)
        ask(now);
    else if (state == LOOKING && (lookup.state == LOOKUP_FAILED || now >= deadline))
        fail(now, "the name has no address");
    else if (state == ASKED && now >= deadline)
        fail(now, "no answer");
    return deadline;
}

void ntp_status(struct ip_status *status)
{
    status->ntp_synced = result.synced;
    memcpy(status->ntp_server, result.server, sizeof(status->ntp_server));
    status->ntp_offset_ns = result.offset_ns;
    status->ntp_delay_ns = result.delay_ns;
    status->ntp_at_ns = result.at_ns;
    status->count[IP_COUNT_NTP] = result.count;
}
