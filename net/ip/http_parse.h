/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the head of an HTTP/1.x request (RFC 9110, RFC 9112). */
#ifndef NET_IP_HTTP_PARSE_H
#define NET_IP_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX 4096u /* bytes of request line and fields */
#define HTTP_PATH_MAX 128u
#define HTTP_BODY_MAX 65536u /* that is read and thrown away */

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_OTHER };

struct http_request {
    enum http_method method;
    uint32_t minor;           /* of the version: 0 or 1 */
    char path[HTTP_PATH_MAX]; /* without query; percent signs as they came */
};

struct http_head {
    size_t used;
    char bytes[HTTP_HEAD_MAX];
};

/* Takes bytes. 0: the head goes on; 200: it is complete, *request is valid; else the status of the
 * answer, after which nothing more is read. */
uint32_t http_head_add(struct http_head *head, const char *bytes, size_t size,
                       struct http_request *request);
/* The reason phrase of a status that this server sends. */
const char *http_reason(uint32_t status);

#endif
