/* SPDX-License-Identifier: BSD-2-Clause */
/* The packets of NTP, as a client sees them. */
#include <string.h>
#include "net/ip/ntp.h"

#define VERSION_CLIENT 0x23u /* version 4, mode 3 */
#define LEAP(b)        ((b) >> 6)
#define VERSION(b)     ((b) >> 3 & 7)
#define MODE(b)        ((b)&7)
#define MODE_SERVER    4u
#define LEAP_UNKNOWN   3u
#define STRATUM_MAX    15u
#define AT_ORIGIN      24u
#define AT_RECEIVE     32u
#define AT_TRANSMIT    40u
#define NS_PER_S       1000000000ull
#define DELAY_MAX_NS   (2 * NS_PER_S)
/* Seconds from 1900 to 1970. A time whose highest bit is clear is after 2036-02-07. */
#define TO_UNIX_S 2208988800ull
#define ERA_S     (1ull << 32)

static uint64_t be64(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | at[i];
    return value;
}

static uint64_t ns_of(uint64_t timestamp)
{
    uint64_t seconds = timestamp >> 32, fraction = timestamp & 0xffffffffu;
    if (!(seconds >> 31))
        seconds += ERA_S;
    return (seconds - TO_UNIX_S) * NS_PER_S + (fraction * NS_PER_S >> 32);
}

/* The time that is sent is random: the server repeats it, and nobody else knows it (RFC 9109 has
 * the same thought for ports). */
void ntp_question(uint8_t packet[NTP_BYTES], uint64_t nonce)
{
    memset(packet, 0, NTP_BYTES);
    packet[0] = VERSION_CLIENT;
    for (uint32_t i = 0; i < 8; i++)
        packet[AT_TRANSMIT + i] = (uint8_t)(nonce >> (56 - 8 * i));
}

const char ntp_kiss[] = "it asks to be left alone";

bool ntp_is_ours(const uint8_t *packet, uint32_t size, uint64_t nonce)
{
    return size >= NTP_BYTES && MODE(packet[0]) == MODE_SERVER && VERSION(packet[0]) >= 3 &&
           VERSION(packet[0]) <= 4 && be64(packet + AT_ORIGIN) == nonce;
}

const char *ntp_read(const uint8_t packet[NTP_BYTES], uint64_t asked_ns, uint64_t came_ns,
                     struct ntp_answer *answer)
{
    if (!packet[1])
        return ntp_kiss;
    if (LEAP(packet[0]) == LEAP_UNKNOWN || packet[1] > STRATUM_MAX)
        return "its clock is not set";
    if (!be64(packet + AT_TRANSMIT) || !be64(packet + AT_RECEIVE))
        return "it tells no time";
    uint64_t received = ns_of(be64(packet + AT_RECEIVE));
    uint64_t sent = ns_of(be64(packet + AT_TRANSMIT));
    uint64_t whole = came_ns - asked_ns;
    if (sent < received || sent - received > whole)
        return "it says that it took longer than it did";
    answer->delay_ns = whole - (sent - received);
    answer->unix_ns = sent + answer->delay_ns / 2;
    if (answer->delay_ns > DELAY_MAX_NS)
        return "it is too far away";
    if (answer->unix_ns < IP_CLOCK_FIRST_S * NS_PER_S ||
        answer->unix_ns > IP_CLOCK_LAST_S * NS_PER_S)
        return "its time cannot be";
    return NULL;
}
