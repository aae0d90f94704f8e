/* SPDX-License-Identifier: BSD-2-Clause */
/* The process: what it is given, what the manager wants of it, the loop around lwIP. */
#include <lwip/init.h>
#include <string.h>
#include "net/ip/clock.h"
#include "net/ip/http.h"
#include "net/ip/netif.h"
#include "net/ip/ntp.h"
#include "net/ip/parent.h"
#include "net/ip/ping.h"
#include "net/ip/port.h"
#include "net/ip/stack.h"
#include "net/ip/syslog.h"
#include "net/ip/timers.h"
#include "user/program.h"

#define CHANNEL_VA 0x0000000010000000ull
#define AREA_VA    0x0000000020000000ull
#define STATUS_VA  0x0000000030000000ull

static const struct program_args *args;
static const struct ip_config *config;
static struct ip_status *shared, mine;

void ntp_on_time(uint64_t unix_ns, uint64_t tsc)
{
    parent_call(IP_EVENT_CLOCK, unix_ns, tsc, NULL);
}

static void take_job(void)
{
    char host[IP_NAME];
    if (!parent_call(IP_EVENT_NEXT, 0, 0, NULL) || !parent_number(1))
        return;
    uint64_t job = parent_number(1), count = parent_number(2);
    memcpy(host, parent_payload(), sizeof(host));
    host[sizeof(host) - 1] = 0;
    ping_begin(job, host, count < IP_PING_MAX ? (uint32_t)count : IP_PING_MAX);
}

/* The manager reads it whenever it likes: odd while it is written. */
static void publish(void)
{
    stack_status(&mine);
    mine.ping = *ping_state();
    mine.klog_position = syslog_position();
    uint64_t sequence = shared->sequence | 1;
    __atomic_store_n(&shared->sequence, sequence, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy((char *)shared + sizeof(shared->sequence), (char *)&mine + sizeof(mine.sequence),
           sizeof(mine) - sizeof(mine.sequence));
    __atomic_store_n(&shared->sequence, sequence + 1, __ATOMIC_RELEASE);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    if (!a || !b)
        return a ? a : b;
    return a < b ? a : b;
}

/* Works until there is nothing to be done at once; returns when to go on, ns. */
static uint64_t work(void)
{
    bool more;
    uint64_t next;
    do {
        more = hostif_poll();
        http_trim();
        uint64_t now = time_ns();
        next = timers_run(now);
        stack_run(now);
        bool is_up = stack_is_up();
        next = earlier(next, config->ntp_off ? 0 : ntp_run(now, is_up));
        next = earlier(next, syslog_run(now, is_up));
        next = earlier(next, ping_run(now));
        next = earlier(next, http_run(now));
        hostif_flush();
    } while (more || hostif_arm());
    publish();
    return next;
}

static void start(void)
{
    struct hostif_setup setup = {.bell = args->slot[IP_SLOT_BELL], .bell_bits = config->bell_bits};
    memcpy(setup.mac, config->mac, sizeof(setup.mac));
    setup.channel = parent_map(args->slot[IP_SLOT_CHANNEL], CHANNEL_VA, frame_channel_bytes(1),
                               "the channel to the switch");
    setup.area =
        parent_map(args->slot[IP_SLOT_AREA], AREA_VA, IP_AREA_BYTES, "the memory of frames");
    shared =
        parent_map(args->slot[IP_SLOT_STATUS], STATUS_VA, IP_STATUS_BYTES, "the status memory");
    clock_init(config->rtc_base, config->rtc_tsc);
    port_init();
    lwip_init();
    struct netif *netif = hostif_start(&setup);
    if (!netif)
        fatal("lwIP does not take its interface");
    stack_start(config, netif, shared);
    timers_init(time_ns());
    syslog_start(config, shared->klog_position);
    if (!config->ntp_off)
        ntp_start(config->ntp);
    if (config->http_port && !http_start(config->http_port))
        log_line("HTTP port %u cannot be opened", (unsigned)config->http_port);
    parent_call(IP_EVENT_UP, 0, 0, NULL);
}

int program_main(const struct program_args *program, const void *data)
{
    args = program;
    config = data;
    if (args->data_size < sizeof(*config) || config->magic != IP_CONFIG_MAGIC)
        fatal("this is no configuration of the IP stack");
    start();
    take_job();
    for (;;) {
        uint64_t next = work();
        if (parent_sleep(next) & IP_BIT_JOB)
            take_job();
    }
}
