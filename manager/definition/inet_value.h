/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses as they stand in definitions. */
#ifndef MANAGER_DEFINITION_INET_VALUE_H
#define MANAGER_DEFINITION_INET_VALUE_H

#include <stdbool.h>
#include <stdint.h>
#include "net/ip/config.h"

/* All return false, and leave *out alone, if the text is not such a value. */
/* "52:54:00:12:34:56", of one station. */
bool inet_mac(const char *text, uint8_t out[6]);
/* "192.0.2.1" or "2001:db8::1" (RFC 4291); prefix 0. */
bool inet_address(const char *text, struct ip_address *out);
/* Of one host, that can be reached: not unspecified, loopback, multicast, broadcast. */
bool inet_is_host(const struct ip_address *address);
/* A name of RFC 1123, or an address. */
bool inet_is_server(const char *text);
bool inet_is_name(const char *text);
/* Both have the first `prefix` bits. */
bool inet_same_net(const struct ip_address *a, const struct ip_address *b, uint32_t prefix);

#endif
