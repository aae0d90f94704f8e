/* SPDX-License-Identifier: BSD-2-Clause */
/* Heads of HTTP requests: what RFC 9110 and RFC 9112 want of a server that only gives. */
#include "test.h"
#include <stdint.h>
#include "net/ip/http_parse.c"

static struct http_head head;
static struct http_request request;

/* In pieces of `step` bytes; the status, 0: it wants more. */
static uint32_t feed(const char *text, size_t step)
{
    size_t size = strlen(text);
    head.used = 0;
    for (size_t at = 0; at < size; at += step) {
        uint32_t status =
            http_head_add(&head, text + at, size - at < step ? size - at : step, &request);
        if (status)
            return status;
    }
    return 0;
}

#define HOST "Host: mullion\r\n"

TEST(a_request_in_pieces_of_any_size)
{
    const char *text = "GET /metrics?a=b HTTP/1.1\r\n" HOST "Accept: */*\r\n\r\n";
    for (size_t step = 1; step <= strlen(text); step++) {
        CHECK_EQ(feed(text, step), 200);
        CHECK(!strcmp(request.path, "/metrics") && request.method == HTTP_GET);
        CHECK_EQ(request.minor, 1);
    }
    CHECK_EQ(feed("GET /metrics HTTP/1.1\r\n" HOST, 7), 0);
}

static const struct {
    uint32_t status;
    const char *text;
} cases[] = {
    {200, "GET / HTTP/1.0\r\n\r\n"},
    {200, "HEAD / HTTP/1.1\r\n" HOST "\r\n"},
    {200, "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"},
    {200, "GET / HTTP/1.1\nHost:mullion\n\n"},
    {200, "GET http://mullion:9100/healthz HTTP/1.1\r\n" HOST "\r\n"},
    {200, "GET http://mullion HTTP/1.1\r\n" HOST "\r\n"},
    {200, "GET / HTTP/1.2\r\n" HOST "\r\n"},
    {200, "GET / HTTP/1.1\r\nhOST: \t x \t\r\nContent-Length: 5\r\n\r\n"},
    {200, "GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST HOST "\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST " folded\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost : x\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST "A: b\rc\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST ": empty\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, "GET  / HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET / HTTP/1.1 \r\n" HOST "\r\n"},
    {400, "GET / http/1.1\r\n" HOST "\r\n"},
    {400, "GET /\r\n" HOST "\r\n"},
    {400, "GET metrics HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET * HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /a#b HTTP/1.1\r\n" HOST "\r\n"},
    {400, "G(T / HTTP/1.1\r\n" HOST "\r\n"},
    {400, "POST / HTTP/1.1\r\n\r\n"},
    {400, "\x16\x03\x01"},
    {405, "POST / HTTP/1.1\r\n" HOST "\r\n"},
    {405, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"},
    {405, "CONNECT mullion:1 HTTP/1.1\r\n" HOST "\r\n"},
    {405, "DELETE /metrics HTTP/1.1\r\n" HOST "\r\n"},
    {411, "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"},
    {413, "GET / HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n"},
    {413, "GET / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n\r\n"},
    {501, "get / HTTP/1.1\r\n" HOST "\r\n"},
    {501, "BREW / HTTP/1.1\r\n" HOST "\r\n"},
    {501, "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"},
    {501,
     "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {505, "GET / HTTP/2.0\r\n" HOST "\r\n"},
};

TEST(every_request_has_its_status)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t status = feed(cases[i].text, SIZE_MAX);
        if (status != cases[i].status)
            printf("%s", cases[i].text);
        CHECK_EQ(status, cases[i].status);
        CHECK_EQ(feed(cases[i].text, 1), cases[i].status);
        CHECK(strcmp(http_reason(status), "Unknown"));
    }
}

TEST(what_does_not_fit)
{
    static char text[2 * HTTP_HEAD_MAX];
    memset(text, 'a', sizeof(text) - 1);
    memcpy(text, "GET /", 5);
    CHECK_EQ(feed(text, 100), 414);
    memcpy(text, "GET / HTTP/1.1\r\nA: ", 19);
    CHECK_EQ(feed(text, 100), 431);
    CHECK_EQ(feed(text, SIZE_MAX), 431);
    /* A name longer than any that is here. */
    snprintf(text, sizeof(text), "GET /%0300u HTTP/1.1\r\n" HOST "\r\n", 1u);
    CHECK_EQ(feed(text, SIZE_MAX), 404);
    /* The last byte that fits. */
    int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "A: ");
    memset(text + n, 'b', HTTP_HEAD_MAX);
    strcpy(text + HTTP_HEAD_MAX - 4, "\r\n\r\n");
    CHECK_EQ(feed(text, SIZE_MAX), 200);
    memset(text + n, 'b', HTTP_HEAD_MAX);
    strcpy(text + HTTP_HEAD_MAX - 3, "\r\n\r\n");
    CHECK_EQ(feed(text, SIZE_MAX), 431);
}

TEST(a_zero_byte_ends_nothing)
{
    const char text[] = "GET / HTTP/1.1\r\n" HOST "A: \0b\r\n\r\n";
    head.used = 0;
    CHECK_EQ(http_head_add(&head, text, sizeof(text) - 1, &request), 400);
}
