/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ip/port.h"

#include <lwip/sys.h>
#include <lwip_hooks.h>
#include <string.h>
#include "lib/sha256.h"
#include "user/program.h"
#include "user/random.h"

#define NS_PER_MS         1000000ull
#define ISN_NS            4000ull /* RFC 6528: the clock of initial sequence numbers */
#define ADDRESS_BYTES_MAX 16u

static uint8_t isn_secret[32];

void port_init(void)
{
    random_bytes(isn_secret, sizeof(isn_secret));
}

uint32_t port_random(void)
{
    uint32_t value;
    random_bytes(&value, sizeof(value));
    return value;
}

_Noreturn void port_assert(const char *message, const char *file, int line)
{
    fatal("lwIP: %s (%s:%d)", message, file, line);
}

u32_t sys_now(void)
{
    return (u32_t)(time_ns() / NS_PER_MS);
}

static void hash_address(struct sha256 *hash, const ip_addr_t *address)
{
    uint8_t bytes[ADDRESS_BYTES_MAX] = {0};
    if (IP_IS_V6(address))
        memcpy(bytes, ip_2_ip6(address)->addr, sizeof(bytes));
    else
        memcpy(bytes, &ip_2_ip4(address)->addr, 4);
    sha256_update(hash, bytes, sizeof(bytes));
}

uint32_t port_tcp_isn(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote,
                      uint16_t remote_port)
{
    uint8_t digest[SHA256_BYTES];
    struct sha256 hash;
    uint32_t value;
    const uint16_t ports[2] = {local_port, remote_port};
    sha256_init(&hash);
    sha256_update(&hash, isn_secret, sizeof(isn_secret));
    hash_address(&hash, local);
    hash_address(&hash, remote);
    sha256_update(&hash, ports, sizeof(ports));
    sha256_final(&hash, digest);
    memcpy(&value, digest, sizeof(value));
    return value + (uint32_t)(time_ns() / ISN_NS);
}
