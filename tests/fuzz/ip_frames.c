/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames from the wire into the host's IP stack, after it has an address: nothing it receives may
 * break it, or use up its memory. Input: frames, each led by two bytes of length; the stack's
 * clock moves on between them. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define USER_SYSCALL_STUBS_H
static int64_t sys_notif_signal(uint32_t notif, uint64_t bits)
{
    (void)notif, (void)bits;
    return 0;
}
#include "lib/sha256.c"
#include "net/ip/parent.h"
#include "net/ip/protocol.h"
#include "user/frame_owner.c"
#include "user/program.h"
#include "user/random.h"
#include "tests/unit/fake/station.h"
#include "tests/unit/fake/time.h"

void fatal(const char *format, ...)
{
    fputs(format, stderr);
    abort();
}
void random_bytes(void *data, size_t size)
{
    memset(data, 0x5a, size);
}
bool parent_call(uint32_t op, uint64_t a, uint64_t b, const char *name)
{
    (void)op, (void)a, (void)b, (void)name;
    return false;
}
uint64_t parent_number(uint32_t i)
{
    return i ? 0 : 1;
}
const void *parent_payload(void)
{
    static const char nothing[4096];
    return nothing;
}
static struct ip_status status_memory;
static struct frame_channel channel_memory;
void *parent_map(uint32_t slot, uint64_t va, uint64_t size, const char *what)
{
    (void)va, (void)size, (void)what;
    return slot == 0   ? (void *)&channel_memory
           : slot == 1 ? (void *)area_memory
                       : (void *)&status_memory;
}
uint64_t parent_sleep(uint64_t ns)
{
    (void)ns;
    return 0;
}

#include "net/ip/main.c"

static struct ip_config the_config = {
    .magic = IP_CONFIG_MAGIC,
    .mode4 = IP_MODE_STATIC,
    .mode6 = IP_MODE_AUTO,
    .address4 = {.family = 4, .prefix = 24, .address = {10, 0, 2, 15}},
    .gateway4 = {.family = 4, .address = {10, 0, 2, 2}},
    .dns = {{.family = 4, .address = {10, 0, 2, 3}}},
    .ntp = {"time.example"},
    .http_port = 9100,
    .mac = {2, 0, 0, 0, 0, 1}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void turn(uint64_t ns)
{
    now_tsc += ns;
    work();
    switch_take();
    sent_count = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct program_args fake_args = {.slot = {0, 1, 2, 3}};
    if (!channel) {
        channel = &channel_memory;
        channel->link = 1;
        channel->mtu = 1500;
        args = &fake_args;
        config = &the_config;
        start();
        channel->switch_epoch = channel->epoch;
        for (uint32_t i = 0; i < 10; i++)
            turn(1000000000);
    }
    while (size > 2) {
        uint8_t frame[1514] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
        size_t n = get16(data) % sizeof(frame);
        n = n < size - 2 ? n : size - 2;
        memcpy(frame + 12, data + 2, n < sizeof(frame) - 12 ? n : sizeof(frame) - 12);
        deliver(frame, n < 2 ? 14 : (uint32_t)(n < sizeof(frame) - 12 ? n + 12 : sizeof(frame)));
        turn(data[0] & 0x80 ? 300000000 : 1000000);
        data += 2 + n;
        size -= 2 + n;
    }
    for (uint32_t i = 0; i < 30; i++)
        turn(1000000000);
    if (status_memory.count[IP_COUNT_POOL_USED] > 64)
        abort();
    return 0;
}
