/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's IP stack as a whole: lwIP, HTTP, clock, syslog, ping, over a simulated channel. The
 * tests follow each other on one stack, as there is one. */
#include "test.h"
#include <stdint.h>
#define USER_SYSCALL_STUBS_H
static int64_t sys_notif_signal(uint32_t notif, uint64_t bits)
{
    (void)notif, (void)bits;
    return 0;
}
#include "lib/sha256.c"
#include "manager/protocol.h"
#include "net/ip/parent.h"
#include "user/frame_owner.c"
#include "user/program.h"
#include "user/random.h"
#include "fake/station.h"
#include "fake/time.h"

void fatal(const char *format, ...)
{
    printf("fatal: %s\n", format);
    abort();
}
void random_bytes(void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)data)[i] = (uint8_t)rand();
}

/* --- the manager --- */
static uint64_t mr[UTCB_WORDS], told_clock, refreshes;
static const char *klog = "";
static struct {
    uint64_t number;
    char host[IP_NAME];
} wanted;
static void list_domain(void)
{
    struct mgr_brief *b = (struct mgr_brief *)&mr[MGR_PAYLOAD];
    memset(b, 0, sizeof(*b));
    b->state = VM_RUNNING;
    strcpy(b->name, "alpha");
    mr[1] = mr[2] = 1;
}
bool parent_call(uint32_t op, uint64_t a, uint64_t b, const char *name)
{
    (void)b;
    memset(mr, 0, sizeof(mr));
    if (name && strcmp(name, "alpha") != 0)
        return false;
    refreshes += op == MGR_OP_REFRESH;
    if (op == MGR_OP_LIST)
        list_domain();
    else if (op == MGR_OP_CPUS)
        mr[2] = a < 2 ? 2 : 0;
    else if (op == MGR_OP_INFO)
        ((struct mgr_info *)&mr[MGR_PAYLOAD])->brief.state = VM_RUNNING,
                          ((struct mgr_info *)&mr[MGR_PAYLOAD])->vcpus = 4;
    else if (op == MGR_OP_KLOG) {
        size_t length = strlen(klog);
        mr[1] = a < length ? length - a : 0;
        mr[2] = length;
        memcpy(&mr[MGR_PAYLOAD], klog + (a < length ? a : length), mr[1]);
    } else if (op == IP_EVENT_NEXT) {
        mr[1] = wanted.number;
        mr[2] = 3;
        memcpy(&mr[IP_PAYLOAD], wanted.host, sizeof(wanted.host));
        wanted.number = 0;
    } else if (op == IP_EVENT_CLOCK)
        told_clock = a;
    return true;
}
uint64_t parent_number(uint32_t i)
{
    return mr[i];
}
const void *parent_payload(void)
{
    return &mr[IP_PAYLOAD];
}
static struct ip_status status_memory;
void *parent_map(uint32_t slot, uint64_t va, uint64_t size, const char *what)
{
    static void *const all[] = {NULL, area_memory, &status_memory};
    (void)va, (void)size, (void)what;
    return slot == IP_SLOT_CHANNEL ? (void *)channel : all[slot];
}
uint64_t parent_sleep(uint64_t ns)
{
    (void)ns;
    return 0;
}

#include "net/ip/main.c"

static struct ip_config ip_config = {.magic = IP_CONFIG_MAGIC,
                                     .boot_tsc = 1,
                                     .mode4 = IP_MODE_AUTO,
                                     .mode6 = IP_MODE_AUTO,
                                     .ntp = {"10.0.2.3"},
                                     .syslog = "10.0.2.4",
                                     .syslog_port = 514,
                                     .hostname = "mullion1",
                                     .http_port = 9100,
                                     .mac = {2, 0, 0, 0, 0, 1}};
static struct program_args fake_args = {.slot = {0, 1, 2, 3}};
static struct client *clients[64];
static uint32_t client_count;
static uint64_t heap_at_rest;

/* One round: the stack works, the switch takes its frames, the station answers. */
static void turn(void)
{
    uint32_t first = sent_count;
    work();
    switch_take();
    for (uint32_t i = first; i < sent_count; i++) {
        answer_arp(&sent[i]);
        for (uint32_t c = 0; c < client_count; c++)
            tcp_in(clients[c], &sent[i]);
    }
}

static void pass(uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += 10) {
        now_tsc += 10000000;
        turn();
    }
    if (sent_count > FRAMES / 2)
        sent_count = 0;
}

static void begin(void)
{
    static struct frame_channel memory;
    channel = &memory;
    channel->link = 1;
    channel->mtu = 1500;
    args = &fake_args;
    config = &ip_config;
    start();
    channel->switch_epoch = channel->epoch;
    channel->generation = 1;
}

static struct client *client(void)
{
    static uint16_t port = 2000;
    struct client *c = calloc(1, sizeof(*c));
    c->ip = station_ip;
    c->port = port++;
    c->window = 60000;
    c->seq = (uint32_t)rand();
    clients[client_count++] = c;
    tcp_out(c, TCP_SYN, NULL, 0);
    pass(20);
    return c;
}

static void forget_clients(void)
{
    for (uint32_t i = 0; i < client_count; i++)
        free(clients[i]);
    client_count = 0;
    pass(70000);
}

static void say(struct client *c, const char *text)
{
    tcp_out(c, TCP_ACK, text, (uint32_t)strlen(text));
    pass(20);
}

#define GET_HEALTH "GET /healthz HTTP/1.1\r\nHost: m\r\n\r\n"
static bool is_healthy(void)
{
    struct client *c = client();
    say(c, GET_HEALTH);
    return c->open && c->ended && !c->reset && !strncmp(c->text, "HTTP/1.1 200 OK\r\n", 17) &&
           strstr(c->text, "\r\n\r\nok\n");
}

static uint64_t count_of(enum ip_count which)
{
    work();
    return status_memory.count[which];
}

/* --- DHCP --- */
static void dhcp_answer(const uint8_t *question, uint8_t type)
{
    static uint8_t m[300];
    static const uint8_t options[] = {1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 2,  2, 6, 4, 10, 0,
                                      2, 3, 51,  4,   0,   1, 0, 0, 54, 4, 10, 0, 2, 2, 255};
    memset(m, 0, sizeof(m));
    memcpy(m, question, 44);
    m[0] = 2;
    put32(m + 16, host_ip);
    put32(m + 236, 0x63825363);
    m[240] = 53;
    m[241] = 1;
    m[242] = type;
    memcpy(m + 243, options, sizeof(options));
    uint32_t real = host_ip;
    host_ip = 0xffffffff;
    send_udp(67, 68, m, sizeof(m));
    host_ip = real;
}

static uint8_t dhcp_type(const uint8_t *m, uint32_t size)
{
    for (uint32_t i = 240; i + 2 < size && m[i] != 255; i += m[i] ? 2u + m[i + 1] : 1u) {
        if (m[i] == 53)
            return m[i + 2];
    }
    return 0;
}

TEST(dhcp_that_answers_late)
{
    uint32_t size, seen = 0;
    uint16_t from;
    begin();
    pass(20000); /* nobody answers */
    CHECK_EQ(status_memory.dhcp, IP_DHCP_ASKING);
    CHECK(strstr(logged, "no DHCP server answers"));
    for (uint32_t i = 0; i < 6000 && status_memory.dhcp != IP_DHCP_BOUND; i++) {
        uint32_t first = sent_count;
        pass(10);
        for (uint32_t f = first; f < sent_count; f++) {
            const uint8_t *m = udp_to(&sent[f], 67, &size, &from);
            if (!m)
                continue;
            dhcp_answer(m, dhcp_type(m, size) == 1 ? 2 : 5);
            seen |= 1u << dhcp_type(m, size);
        }
    }
    CHECK_EQ(status_memory.dhcp, IP_DHCP_BOUND);
    CHECK(seen & 2 && seen & 8); /* DISCOVER, REQUEST */
    pass(3000);
    CHECK(strstr(logged, "address 10.0.2.15, gateway 10.0.2.2, by DHCP"));
    heap_at_rest = count_of(IP_COUNT_HEAP_USED); /* what DHCP keeps */
    CHECK(status_memory.address[0].family == 4 && status_memory.address[0].prefix == 24);
    CHECK_EQ(get32(status_memory.address[0].address), host_ip);
    CHECK_EQ(get32(status_memory.gateway4.address), 0x0a000202);
    CHECK_EQ(status_memory.dns_servers, 1);
    CHECK_EQ(status_memory.address[1].family, 6); /* link-local */
}

TEST(http)
{
    CHECK(is_healthy());
    struct client *c = client();
    say(c, "GET /nothing HTTP/1.0\r\n\r\n");
    CHECK(!strncmp(c->text, "HTTP/1.1 404 Not Found\r\n", 24) && c->ended);
    c = client();
    say(c, "POST /metrics HTTP/1.1\r\nHost: m\r\nContent-Length: 3\r\n\r\nabc");
    CHECK(!strncmp(c->text, "HTTP/1.1 405 ", 13) && strstr(c->text, "Allow: GET, HEAD\r\n"));
    c = client();
    say(c, "HEAD /healthz HTTP/1.1\r\nHost: m\r\n\r\n");
    CHECK(strstr(c->text, "Content-Length: 3\r\n") && !strstr(c->text, "\r\n\r\nok"));
    forget_clients();
    CHECK_EQ(count_of(IP_COUNT_PCB_USED), 0);
    CHECK_EQ(count_of(IP_COUNT_POOL_USED), 0);
    CHECK_EQ(count_of(IP_COUNT_HEAP_USED), heap_at_rest);
}

TEST(metrics_over_many_segments)
{
    struct client *c = client();
    uint64_t before = refreshes;
    say(c, "GET /metrics HTTP/1.1\r\nHost: m\r\n\r\n");
    pass(2000);
    CHECK(c->ended && refreshes == before + 1);
    const char *length = strstr(c->text, "Content-Length: "), *body = strstr(c->text, "\r\n\r\n");
    CHECK(length && body);
    CHECK_EQ(strtoul(length + 16, NULL, 10), strlen(body + 4));
    CHECK(c->got > 10000 && strstr(body, "mullion_vcpu_exits_total{domain=\"alpha\",vcpu=\"3\""));
    CHECK(c->text[c->got - 1] == '\n');
    forget_clients();
}

TEST(clients_that_are_slow_to_ask)
{
    struct client *c = client();
    uint64_t before = count_of(IP_COUNT_TIMEOUTS);
    for (uint32_t i = 0; i < 7 && !c->ended; i++) {
        say(c, "G");
        pass(1000);
        CHECK(is_healthy());
    }
    CHECK(c->ended && !strncmp(c->text, "HTTP/1.1 408 ", 13));
    CHECK_EQ(count_of(IP_COUNT_TIMEOUTS), before + 1);
    forget_clients();
    c = client(); /* says nothing at all */
    pass(6000);
    CHECK(c->reset);
    forget_clients();
}

TEST(a_client_that_does_not_read)
{
    struct client *c = client();
    c->window = 0;
    say(c, "GET /metrics HTTP/1.1\r\nHost: m\r\n\r\n");
    CHECK(is_healthy());
    pass(12000);
    CHECK(c->reset);
    forget_clients();
    c = client();
    c->silent = true;
    say(c, "GET /metrics HTTP/1.1\r\nHost: m\r\n\r\n");
    pass(12000);
    CHECK(c->reset);
    forget_clients();
    CHECK_EQ(count_of(IP_COUNT_HEAP_USED), heap_at_rest);
}

TEST(idle_connections_keep_nobody_out)
{
    for (uint32_t i = 0; i < 30; i++)
        CHECK(client()->open);
    CHECK(is_healthy());
    CHECK(count_of(IP_COUNT_EVICTED) >= 20);
    CHECK(clients[0]->reset && !clients[29]->reset);
    forget_clients();
}

TEST(oversized_requests)
{
    static char big[1400];
    struct client *c = client();
    memset(big, 'a', sizeof(big) - 1);
    say(c, "GET / HTTP/1.1\r\nA: ");
    for (uint32_t i = 0; i < 4; i++)
        say(c, big);
    CHECK(!strncmp(c->text, "HTTP/1.1 431 ", 13) && !c->reset);
    for (uint32_t i = 0; i < 40; i++) /* it goes on talking */
        say(c, big);
    CHECK(c->ended && strstr(c->text, "\r\n\r\n431 "));
    c = client();
    say(c, "GET / HTTP/1.1\r\nHost: m\r\nContent-Length: 1000000\r\n\r\n");
    CHECK(!strncmp(c->text, "HTTP/1.1 413 ", 13));
    CHECK(is_healthy());
    forget_clients();
}

TEST(a_flood_of_syns)
{
    struct client ghost = {.window = 1000};
    for (uint32_t i = 0; i < 5000; i++) {
        ghost.ip = 0x0a000300 + i % 200;
        ghost.port = (uint16_t)(1000 + i);
        tcp_out(&ghost, TCP_SYN, NULL, 0);
        if (i % 50 == 0) {
            CHECK(client_count < 60 || (forget_clients(), true));
            turn();
            sent_count = 0;
        }
        if (i % 500 == 0)
            CHECK(is_healthy());
    }
    CHECK(count_of(IP_COUNT_PCB_MOST) <= 320);
    CHECK(count_of(IP_COUNT_HALF_OPEN) > 1000);
    CHECK(is_healthy());
    forget_clients();
    CHECK_EQ(count_of(IP_COUNT_PCB_USED), 0);
}

static bool answers_ping(void)
{
    uint8_t echo[40] = {8, 0, 0, 0, 1, 2, 3, 4};
    sent_count = 0;
    send_ip(station_ip, 1, echo, sizeof(echo), 2, 0);
    pass(20);
    for (uint32_t i = 0; i < sent_count; i++) {
        const uint8_t *ip = sent[i].byte + 14;
        if (get16(sent[i].byte + 12) == 0x0800 && ip[9] == 1 && ip[20] == 0 &&
            get32(ip + 24) == 0x01020304)
            return true;
    }
    return false;
}

TEST(fragments_that_never_become_whole)
{
    uint8_t part[1400] = {0};
    for (uint32_t i = 0; i < 4000; i++) {
        send_ip(station_ip + i % 7, 17, part, sizeof(part), UINT32_MAX,
                (i + 1) << 16 | 0x2000 | i % 40 * 175);
        if (i % 16 == 0)
            turn();
        if (i % 500 == 0)
            CHECK(answers_ping() && is_healthy());
    }
    CHECK(count_of(IP_COUNT_POOL_MOST) < 192);
    CHECK_EQ(count_of(IP_COUNT_POOL_FAILED), 0);
    forget_clients();
    CHECK_EQ(count_of(IP_COUNT_POOL_USED), 0);
}

static void ntp_answer(const uint8_t *question, uint16_t port, uint64_t unix_s)
{
    uint8_t m[48] = {0x24, 2};
    memcpy(m + 24, question + 40, 8);
    put32(m + 32, (uint32_t)(unix_s + 2208988800u));
    put32(m + 40, (uint32_t)(unix_s + 2208988800u));
    uint32_t real = station_ip;
    station_ip = 0x0a000203;
    send_udp(123, port, m, sizeof(m));
    station_ip = real;
}

TEST(a_time_server_sets_the_clock)
{
    uint32_t size;
    uint16_t from;
    bool is_wrong_told = false;
    for (uint32_t i = 0; i < 60000 && !told_clock; i++) {
        uint32_t first = sent_count;
        pass(10);
        for (uint32_t f = first < sent_count ? first : 0; f < sent_count; f++) {
            const uint8_t *m = udp_to(&sent[f], 123, &size, &from);
            uint8_t other[48] = {0};
            if (!m || size != 48)
                continue;
            ntp_answer(other, from, 1900000000); /* to a question that was not asked */
            pass(10);
            is_wrong_told |= told_clock / 1000000000 == 1900000000;
            ntp_answer(m, from, 1800000000);
        }
    }
    CHECK(!is_wrong_told);
    CHECK_EQ(told_clock / 1000000000, 1800000000);
    CHECK(status_memory.ntp_synced && !strcmp(status_memory.ntp_server, "10.0.2.3"));
    CHECK(is_healthy());
    CHECK(strstr(clients[client_count - 1]->text, "\r\nDate: Fri, 15 Jan 2027 08:"));
    forget_clients();
}

TEST(the_log_goes_out)
{
    uint32_t size, seen = 0;
    uint16_t from;
    static char out[8][1100];
    klog = "[    0.500000] manager: one\n[    1.000000] alone\n";
    sent_count = 0;
    for (uint32_t i = 0; i < 500; i++) {
        now_tsc += 10000000;
        turn();
    }
    for (uint32_t f = 0; f < sent_count; f++) {
        const uint8_t *m = udp_to(&sent[f], 514, &size, &from);
        if (m && seen < 8)
            snprintf(out[seen++], sizeof(out[0]), "%.*s", (int)size, m);
    }
    CHECK_EQ(seen, 2);
    CHECK(!strncmp(out[0], "<30>1 2027-01-15T0", 18));
    CHECK(strstr(out[0], "Z mullion1 manager - - - one") && strstr(out[1], " kernel - - - alone"));
    CHECK_EQ(status_memory.klog_position, strlen(klog));
    CHECK_EQ(count_of(IP_COUNT_SYSLOG), 2);
}

TEST(ping)
{
    wanted.number = 5;
    strcpy(wanted.host, "10.0.2.2");
    take_job();
    for (uint32_t i = 0; i < 600; i++) {
        uint32_t first = sent_count = 0;
        pass(10);
        for (uint32_t f = first; f < sent_count; f++) {
            const uint8_t *ip = sent[f].byte + 14;
            uint8_t echo[64];
            if (get16(sent[f].byte + 12) != 0x0800 || ip[9] != 1 || ip[20] != 8 || ip[27] == 1)
                continue; /* the second one is lost */
            memcpy(echo, ip + 20, 64);
            echo[0] = 0;
            send_ip(station_ip, 1, echo, 64, 2, 0);
        }
    }
    const struct ip_ping *p = &status_memory.ping;
    CHECK_EQ(p->job, 5);
    CHECK_EQ(p->state, IP_PING_DONE);
    CHECK(p->sent == 3 && p->received == 2);
    CHECK(p->reply[0].state == 2 && p->reply[1].state == 3 && p->reply[2].state == 2);
    CHECK(p->reply[0].ttl == 64 && p->reply[0].ns == 10000000);
}

TEST(random_frames)
{
    uint8_t f[1514];
    for (uint32_t i = 0; i < 200000; i++) {
        uint32_t size = (uint32_t)rand() % (i % 4 ? 100 : (uint32_t)sizeof(f));
        random_bytes(f, size < 14 ? 14 : size);
        memcpy(f, host_mac, 6);
        f[12] = i % 8 ? (i % 2 ? 0x08 : 0x86) : f[12];
        f[13] = i % 8 ? (i % 2 ? (i % 6 == 1 ? 6 : 0) : 0xdd) : f[13];
        if (size > 34 && i % 2) {
            f[14] = 0x45;
            put16(f + 16, size - 14);
            put16(f + 20, i % 3 ? 0 : get16(f + 20));
            f[23] = (uint8_t[]){1, 6, 17, 58}[i / 2 % 4];
            put32(f + 30, host_ip);
            put16(f + 24, 0);
            put16(f + 24, ~sum_of(f + 14, 20, 0));
        }
        deliver(f, size);
        if (i % 16 == 0)
            turn();
        if (sent_count > FRAMES / 2)
            sent_count = 0;
    }
    CHECK(is_healthy());
    forget_clients();
    CHECK_EQ(count_of(IP_COUNT_POOL_USED), 0);
    CHECK_EQ(count_of(IP_COUNT_HEAP_USED), heap_at_rest);
    CHECK_EQ(count_of(IP_COUNT_PCB_USED), 0);
}

TEST(a_switch_that_lies)
{
    struct frame_ring *r = ring_of(true);
    uint32_t before = r->ended;
    r->entry[r->ended % FRAME_ENTRIES].length = UINT32_MAX; /* longer than the buffer */
    r->entry[r->ended % FRAME_ENTRIES].offset = UINT64_MAX;
    r->ended++;
    turn();
    CHECK(count_of(IP_COUNT_RX_DROPPED) > 0);
    r->ended = before + 5000; /* more than was posted */
    turn();
    r->ended = before + 1;
    CHECK(is_healthy());
    channel->link = 0;
    channel->generation++;
    pass(20);
    CHECK_EQ(status_memory.link, 0);
    channel->link = 1;
    channel->generation++;
    pass(100);
    CHECK_EQ(status_memory.link, 1);
}
