/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/definition/inet_value.h"

#include <string.h>
#include "manager/definition/ip_text.h"

#define LABEL_MAX 63u

bool inet_mac(const char *text, uint8_t out[6])
{
    static const uint8_t nobody[6];
    uint8_t mac[6];
    if (!mac_text_parse(text, mac) || (mac[0] & 1) || !memcmp(mac, nobody, sizeof(mac)))
        return false;
    memcpy(out, mac, sizeof(mac));
    return true;
}

bool inet_address(const char *text, struct ip_address *out)
{
    struct ip_address address = {0};
    address.family = (uint8_t)ip_text_parse(text, address.address);
    if (address.family)
        *out = address;
    return address.family != 0;
}

bool inet_is_host(const struct ip_address *address)
{
    static const uint8_t zero[16], loopback[16] = {[15] = 1};
    const uint8_t *a = address->address;
    if (address->family == 4)
        return a[0] && a[0] != 127 && a[0] < 224;
    return address->family == 6 && memcmp(a, zero, 12) && a[0] != 0xff && memcmp(a, loopback, 16);
}

bool inet_same_net(const struct ip_address *a, const struct ip_address *b, uint32_t prefix)
{
    for (uint32_t i = 0; i < prefix; i++) {
        if ((a->address[i / 8] ^ b->address[i / 8]) >> (7 - i % 8) & 1)
            return false;
    }
    return a->family == b->family;
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool inet_is_name(const char *text)
{
    uint32_t label = 0, length = 0;
    for (; text[length]; length++) {
        char c = text[length];
        if (c == '.' || c == '-') {
            if (!label || (c == '.' && text[length - 1] == '-'))
                return false;
            label = c == '.' ? 0 : label + 1;
        } else if (is_letter_or_digit(c)) {
            label++;
        } else {
            return false;
        }
        if (label > LABEL_MAX)
            return false;
    }
    return label && text[length - 1] != '-' && length < IP_NAME;
}

/* A name that consists of numbers would be taken for an address, a wrong one. */
static bool is_number_like(const char *text)
{
    return strspn(text, "0123456789.") == strlen(text);
}

bool inet_is_server(const char *text)
{
    struct ip_address address;
    if (strlen(text) >= IP_NAME)
        return false;
    if (inet_address(text, &address))
        return inet_is_host(&address);
    return inet_is_name(text) && !is_number_like(text);
}
