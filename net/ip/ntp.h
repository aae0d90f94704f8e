/* SPDX-License-Identifier: BSD-2-Clause */
/* SNTP (RFC 4330, RFC 5905): sets the host's clock by one server after the other. */
#ifndef NET_IP_NTP_H
#define NET_IP_NTP_H

#include <lwip/ip_addr.h>
#include <stdbool.h>
#include <stdint.h>
#include "net/ip/protocol.h"

#define NTP_BYTES 48u

/* What an answer says. */
struct ntp_answer {
    uint64_t unix_ns;  /* the time when it came in */
    uint64_t delay_ns; /* of the way there and back */
};

/* Makes a question; nonce is what the answer must repeat. */
void ntp_question(uint8_t packet[NTP_BYTES], uint64_t nonce);
/* A server's answer to the question with this nonce; anything else is to be dropped unheard. */
bool ntp_is_ours(const uint8_t *packet, uint32_t size, uint64_t nonce);
/* asked_ns, came_ns: time_ns() of question and answer. NULL, or why the answer is of no use. */
const char *ntp_read(const uint8_t packet[NTP_BYTES], uint64_t asked_ns, uint64_t came_ns,
                     struct ntp_answer *answer);
extern const char ntp_kiss[]; /* one of these reasons: the server asks to be left alone */

/* name: servers of the configuration; none: those that DHCP names. */
void ntp_start(const char name[IP_NTP_SERVERS][IP_NAME]);
/* Returns when to be called again, ns; 0: never. is_up: there is an address to send from. */
uint64_t ntp_run(uint64_t now_ns, bool is_up);
/* The fields that begin with ntp_, and IP_COUNT_NTP. */
void ntp_status(struct ip_status *status);
/* The clock was set; main.c tells the manager. */
void ntp_on_time(uint64_t unix_ns, uint64_t tsc);

#endif
