/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses as people write them: RFC 791's dotted form, RFC 4291, six bytes with colons. */
#ifndef MANAGER_DEFINITION_IP_TEXT_H
#define MANAGER_DEFINITION_IP_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* 4 or 6, and the address in network order; 0: it is none. */
uint32_t ip_text_parse(const char *text, uint8_t address[16]);
/* "52:54:00:12:34:56"; false, and some of `mac` written, if the text is none. */
bool mac_text_parse(const char *text, uint8_t mac[6]);

#endif
