/* SPDX-License-Identifier: BSD-2-Clause */
/* Sums and segments against a slow and plain reckoning. */
#include "test.h"
#include "switch_world.h"

static uint8_t sent[FRAME_BYTES_MAX], bytes[FRAME_BYTES_MAX];
static struct frame_entry first;

static uint32_t plain_sum(const uint8_t *p, uint32_t n, uint32_t sum)
{
    for (uint32_t i = 0; i < n; i++)
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* 0: right. */
static uint32_t check_ip(const uint8_t *ip)
{
    return plain_sum(ip, (ip[0] & 15u) * 4u, 0) ^ 0xffff;
}

static uint32_t pseudo(const uint8_t *ip, uint32_t l4_bytes, uint8_t protocol)
{
    bool v6 = ip[0] >> 4 == 6;
    return plain_sum(ip + (v6 ? 8 : 12), v6 ? 32 : 8, l4_bytes + protocol);
}

static uint32_t check_l4(const uint8_t *ip, const uint8_t *l4, uint32_t n, uint8_t protocol)
{
    return plain_sum(l4, n, pseudo(ip, n, protocol)) ^ 0xffff;
}

struct kind {
    bool v6, udp;
    uint32_t options; /* bytes of TCP options */
    uint32_t tag;
};

static struct frame_entry entry;

/* A frame for the others to finish: the sum field holds the pseudo header's sum. */
static uint32_t build(struct kind k, uint32_t payload, uint16_t gso)
{
    uint8_t dst[6] = {0x52, 0, 0, 0, 0, 1}, src[6] = {0x52, 0, 0, 0, 0, 0};
    uint32_t l3 = k.tag ? 18 : 14, l4 = l3 + (k.v6 ? 40 : 20);
    uint32_t header = k.udp ? 8 : 20 + k.options, n = l4 + header + payload;
    make_frame(sent, dst, src, k.v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4, n);
    if (k.tag) {
        write16(sent + 12, ETHERTYPE_VLAN), write16(sent + 14, k.tag);
        write16(sent + 16, k.v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
    }
    uint8_t *ip = sent + l3, *t = sent + l4;
    uint8_t protocol = k.udp ? UDP : TCP;
    if (k.v6) {
        ip[0] = 0x60;
        write16(ip + 4, header + payload);
        ip[6] = protocol;
    } else {
        ip[0] = 0x45;
        write16(ip + 2, 20 + header + payload);
        write16(ip + 4, 0xfffe), write16(ip + 6, 0x4000), write16(ip + 10, 0);
        ip[9] = protocol;
        write16(ip + 10, plain_sum(ip, 20, 0) ^ 0xffff);
    }
    if (k.udp) {
        write16(t + 4, 8 + payload);
    } else {
        write32(t + 4, 0xfffff000);
        t[12] = (uint8_t)((header / 4) << 4);
        t[13] = TCP_CWR | TCP_PSH | TCP_FIN | 0x10;
    }
    uint32_t at = k.udp ? UDP_SUM : TCP_SUM;
    write16(t + at, pseudo(ip, header + payload, protocol));
    uint32_t kind = k.udp ? FRAME_GSO_UDP : k.v6 ? FRAME_GSO_TCP6 : FRAME_GSO_TCP4;
    entry = (struct frame_entry){.flags = (uint16_t)(FRAME_NEEDS_CSUM | (gso ? kind : 0)),
                                 .gso_size = gso,
                                 .csum_start = (uint16_t)l4,
                                 .csum_offset = (uint16_t)at};
    return n;
}

static bool make(uint32_t takes)
{
    world_reset();
    struct switch_port a = guest(0), b = guest(1);
    return end_make(0, &a, 0, 0) && end_make(1, &b, takes, 300);
}

static bool send(uint32_t n)
{
    bool posted = end_send_as(0, sent, n, entry);
    world_run();
    return posted;
}

/* Takes all pieces and compares what they carry with what was sent. */
static bool pieces_are_right(struct kind k, uint32_t payload, uint32_t gso)
{
    uint32_t l3 = k.tag ? 18 : 14, l4 = l3 + (k.v6 ? 40 : 20);
    uint32_t header = k.udp ? 8 : 20 + k.options, seen = 0, i = 0;
    uint8_t protocol = k.udp ? UDP : TCP;
    for (; seen < payload; i++) {
        uint32_t n = end_receive(1, bytes, sizeof(bytes), &first);
        uint32_t expected = payload - seen < gso ? payload - seen : gso;
        bool last = seen + expected == payload;
        const uint8_t *ip = bytes + l3, *t = bytes + l4;
        if (n != l4 + header + expected || memcmp(t + header, sent + l4 + header + seen, expected))
            return false;
        if (check_l4(ip, t, header + expected, protocol))
            return false;
        if (k.v6 ? read16(ip + 4) != header + expected
                 : check_ip(ip) || read16(ip + 2) != 20 + header + expected ||
                       read16(ip + 4) != ((0xfffe + i) & 0xffff))
            return false;
        if (k.udp && read16(t + 4) != 8 + expected)
            return false;
        if (!k.udp && (read32(t + 4) != 0xfffff000 + seen || !(t[13] & TCP_CWR) != (i != 0) ||
                       !(t[13] & TCP_FIN) != !last || !(t[13] & TCP_PSH) != !last))
            return false;
        seen += expected;
    }
    return end_drain(1) == 0;
}

TEST(sums_of_pieces_of_memory)
{
    static uint8_t data[300];
    for (uint32_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 37 + 11);
    for (uint32_t a = 0; a < 70; a++) {
        for (uint32_t b = 0; b < 70; b++) {
            struct sum s = {0};
            sum_add(&s, data, a);
            sum_add(&s, data + a, b);
            sum_add(&s, data + a + b, 9);
            uint16_t value = sum_fold(&s);
            CHECK_EQ(read16((uint8_t *)&value), plain_sum(data, a + b + 9, 0));
        }
    }
    memset(data, 0xff, sizeof(data));
    struct sum s = {0};
    sum_add(&s, data, 300);
    CHECK_EQ(sum_fold(&s), 0xffff);
}

TEST(a_sum_is_put_in_for_those_who_cannot)
{
    static const struct kind kinds[] = {
        {0}, {.v6 = true}, {.udp = true}, {.v6 = true, .udp = true}};
    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t payload = 0; payload < 1300; payload += 131) {
            CHECK(make(0));
            uint32_t n = build(kinds[i], payload, 0);
            CHECK(send(n));
            CHECK_EQ(end_receive(1, bytes, sizeof(bytes), &first), n);
            CHECK_EQ(first.flags, FRAME_CSUM_GOOD);
            uint32_t l4 = kinds[i].v6 ? 54 : 34;
            CHECK_EQ(check_l4(bytes + 14, bytes + l4, n - l4, kinds[i].udp ? UDP : TCP), 0);
        }
    }
}

TEST(who_can_gets_it_unfinished)
{
    CHECK(make(FRAME_TAKES_CSUM));
    uint32_t n = build((struct kind){0}, 500, 0);
    CHECK(send(n));
    CHECK_EQ(end_receive(1, bytes, sizeof(bytes), &first), n);
    CHECK_EQ(first.flags, FRAME_NEEDS_CSUM);
    CHECK_EQ(first.csum_start, 34);
    CHECK_EQ(first.csum_offset, 16);
    CHECK(!memcmp(bytes, sent, n));
}

TEST(a_guest_does_not_vouch_for_sums)
{
    CHECK(make(0));
    CHECK(end_send_as(0, sent, build((struct kind){0}, 100, 0),
                      (struct frame_entry){.flags = FRAME_CSUM_GOOD}));
    world_run();
    CHECK(end_receive(1, bytes, sizeof(bytes), &first));
    CHECK_EQ(first.flags, 0);
}

TEST(segments_are_cut)
{
    static const struct kind kinds[] = {{.options = 12},
                                        {.v6 = true},
                                        {.udp = true},
                                        {.v6 = true, .udp = true},
                                        {.options = 40},
                                        {.tag = 7},
                                        {.v6 = true, .options = 12, .tag = 7}};
    static const uint32_t payloads[] = {1, 150, 1448, 1449, 5000, 60000};
    for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        for (uint32_t p = 0; p < 6; p++) {
            CHECK(make(0));
            uint32_t n = build(kinds[i], payloads[p], 1400);
            CHECK(send(n));
            CHECK(pieces_are_right(kinds[i], payloads[p], 1400));
            CHECK_EQ(status.port_stat[1][SWITCH_RX_DROPPED], 0);
        }
    }
}

TEST(long_segments_stay_whole_for_those_who_can)
{
    CHECK(make(FRAME_TAKES_CSUM | FRAME_TAKES_TCP4 | FRAME_TAKES_MERGE));
    uint32_t n = build((struct kind){.options = 12}, 65000, 1448);
    CHECK(send(n));
    CHECK_EQ(end_receive(1, bytes, sizeof(bytes), &first), n);
    CHECK_EQ(first.flags & ~FRAME_MORE, FRAME_NEEDS_CSUM | FRAME_GSO_TCP4);
    CHECK_EQ(first.gso_size, 1448);
    CHECK_EQ(first.header_length, 66);
    CHECK_EQ(first.buffers, 32);
    CHECK(!memcmp(bytes, sent, n));
    struct kind six = {.v6 = true};
    n = build(six, 3000, 1000); /* that one it cannot */
    CHECK(send(n));
    CHECK(pieces_are_right(six, 3000, 1000));
}

TEST(ecn_is_kept_for_those_who_know_it)
{
    CHECK(make(FRAME_TAKES_CSUM | FRAME_TAKES_TCP4 | FRAME_TAKES_MERGE));
    struct kind k = {0};
    uint32_t n = build(k, 3000, 1000);
    entry.flags |= FRAME_GSO_ECN;
    CHECK(send(n));
    CHECK(pieces_are_right(k, 3000, 1000));
    CHECK(make(FRAME_TAKES_CSUM | FRAME_TAKES_TCP4 | FRAME_TAKES_MERGE | FRAME_TAKES_ECN));
    CHECK(send(n));
    CHECK_EQ(end_receive(1, bytes, sizeof(bytes), &first), n);
    CHECK_EQ(first.flags & ~FRAME_MORE, FRAME_NEEDS_CSUM | FRAME_GSO_TCP4 | FRAME_GSO_ECN);
}

TEST(a_tag_moves_the_offsets)
{
    CHECK(make(FRAME_TAKES_CSUM | FRAME_TAKES_TCP4 | FRAME_TAKES_MERGE));
    struct switch_port access = guest(0), trunk = guest(1);
    access.vlan_mode = SWITCH_VLAN_ACCESS, access.vlan = 7;
    CHECK_EQ(fabric_change(&fabric, 0, &access), SWITCH_REFUSED_NOT);
    trunk.vlan_mode = SWITCH_VLAN_TRUNK, trunk.trunk[0] = 1 << 7;
    CHECK_EQ(fabric_change(&fabric, 1, &trunk), SWITCH_REFUSED_NOT);
    uint32_t n = build((struct kind){0}, 5000, 1000);
    CHECK(send(n));
    CHECK_EQ(end_receive(1, bytes, sizeof(bytes), &first), n + 4);
    CHECK_EQ(first.csum_start, 38);
    CHECK_EQ(first.header_length, 58);
    CHECK(end_offer(1, 0, 0));
    end_buffers(1, 100);
    CHECK(send(n));
    uint32_t count = 0;
    while ((n = end_receive(1, bytes, sizeof(bytes), &first))) {
        CHECK_EQ(read32(bytes + 12), 0x81000007);
        CHECK_EQ(check_ip(bytes + 18), 0);
        CHECK_EQ(check_l4(bytes + 18, bytes + 38, n - 38, TCP), 0);
        count++;
    }
    CHECK_EQ(count, 5);
}

static uint32_t errors_after(uint32_t n)
{
    uint32_t errors = 0;
    end_sent(0, &errors);
    errors = 0;
    send(n);
    end_sent(0, &errors);
    return errors;
}

TEST(what_does_not_agree_with_the_frame_is_refused)
{
    struct kind k = {0};
    CHECK(make(0));
    uint32_t n = build(k, 3000, 0); /* longer than the network's MTU */
    CHECK_EQ(errors_after(n), 1);
    n = build(k, 3000, 1000);
    entry.flags = FRAME_GSO_TCP4; /* without a sum to put in */
    CHECK_EQ(errors_after(n), 1);
    n = build(k, 3000, 1000);
    entry.gso_size = 0;
    CHECK_EQ(errors_after(n), 1);
    entry.gso_size = 4; /* 750 pieces */
    CHECK_EQ(errors_after(n), 1);
    n = build(k, 3000, 1000);
    entry.flags = FRAME_NEEDS_CSUM | FRAME_GSO_TCP6;
    CHECK_EQ(errors_after(n), 1);
    entry.flags = FRAME_NEEDS_CSUM | FRAME_GSO_TCP4 | FRAME_GSO_UDP;
    CHECK_EQ(errors_after(n), 1);
    n = build(k, 3000, 1000);
    entry.csum_start++;
    CHECK_EQ(errors_after(n), 1);
    n = build(k, 3000, 1000);
    sent[14] = 0x46; /* options that shift TCP */
    CHECK_EQ(errors_after(n), 1);
    n = build(k, 3000, 1000);
    sent[20] = 0x20; /* a fragment */
    CHECK_EQ(errors_after(n), 1);
    n = build(k, 3000, 1000);
    sent[34 + 12] = 0x40; /* a TCP header of 16 bytes */
    CHECK_EQ(errors_after(n), 1);
    n = build(k, 100, 0);
    entry.csum_start = (uint16_t)(n - 1);
    CHECK_EQ(errors_after(n), 1);
    entry.csum_start = 4;
    CHECK_EQ(errors_after(n), 1);
    n = build(k, 1000, 0);
    CHECK_EQ(errors_after(n), 0);
    CHECK_EQ(end_drain(1), 1);
}
