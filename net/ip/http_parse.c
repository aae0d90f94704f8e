/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ip/http_parse.h"

#include <string.h>
#include <strings.h>

struct span {
    const char *at;
    size_t size;
};

struct fields {
    uint32_t hosts;
    bool has_length, has_coding, is_chunked;
    uint64_t length;
};

/* RFC 9110, "Tokens". */
static bool is_token_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c && strchr("!#$%&'*+-.^_`|~", c);
}

static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.size; i++) {
        if (!is_token_char(s.at[i]))
            return false;
    }
    return s.size > 0;
}

static bool equals(struct span s, const char *text)
{
    return s.size == strlen(text) && !memcmp(s.at, text, s.size);
}

static bool is_name(struct span s, const char *text)
{
    return s.size == strlen(text) && !strncasecmp(s.at, text, s.size);
}

/* The next line, without its end; a lone LF ends one, too (RFC 9112, "Message Parsing"). */
static struct span next_line(struct span *rest)
{
    const char *end = memchr(rest->at, '\n', rest->size);
    struct span line = {rest->at, end ? (size_t)(end - rest->at) : rest->size};
    size_t eaten = line.size + (end != NULL);
    rest->at += eaten;
    rest->size -= eaten;
    if (line.size && line.at[line.size - 1] == '\r')
        line.size--;
    return line;
}

/* The part before `stop`; the rest begins behind it. */
static struct span cut(struct span *rest, char stop)
{
    const char *end = memchr(rest->at, stop, rest->size);
    struct span part = {rest->at, end ? (size_t)(end - rest->at) : rest->size};
    size_t eaten = part.size + (end != NULL);
    rest->at += eaten;
    rest->size -= eaten;
    return part;
}

static struct span trimmed(struct span s)
{
    while (s.size && (s.at[0] == ' ' || s.at[0] == '\t')) {
        s.at++;
        s.size--;
    }
    while (s.size && (s.at[s.size - 1] == ' ' || s.at[s.size - 1] == '\t'))
        s.size--;
    return s;
}

static uint32_t read_method(struct span s, struct http_request *request)
{
    static const char *const others[] = {"POST",    "PUT",   "DELETE", "CONNECT",
                                         "OPTIONS", "TRACE", "PATCH"};
    if (!is_token(s))
        return 400;
    request->method = HTTP_OTHER;
    if (equals(s, "GET"))
        request->method = HTTP_GET;
    else if (equals(s, "HEAD"))
        request->method = HTTP_HEAD;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (equals(s, others[i]))
            return 405;
    }
    return request->method == HTTP_OTHER ? 501 : 200;
}

/* Origin form, or the absolute form that is meant for proxies but is to be understood. */
static uint32_t read_target(struct span s, struct http_request *request)
{
    static const char scheme[] = "http://";
    for (size_t i = 0; i < s.size; i++) {
        if (s.at[i] <= ' ' || s.at[i] == 0x7f || s.at[i] == '#')
            return 400;
    }
    if (s.size > sizeof(scheme) - 1 && !strncasecmp(s.at, scheme, sizeof(scheme) - 1)) {
        s.at += sizeof(scheme) - 1;
        s.size -= sizeof(scheme) - 1;
        const char *slash = memchr(s.at, '/', s.size);
        if (!slash) {
            s.at = "/";
            s.size = 1;
        } else {
            s.size -= (size_t)(slash - s.at);
            s.at = slash;
        }
    }
    if (!s.size || s.at[0] != '/')
        return 400;
    s = cut(&s, '?');
    if (s.size >= sizeof(request->path))
        return 404; /* nothing here has such a name */
    memcpy(request->path, s.at, s.size);
    request->path[s.size] = 0;
    return 200;
}

static uint32_t read_version(struct span s, struct http_request *request)
{
    if (s.size != 8 || memcmp(s.at, "HTTP/", 5) || s.at[6] != '.' || s.at[5] < '0' ||
        s.at[5] > '9' || s.at[7] < '0' || s.at[7] > '9')
        return 400;
    request->minor = s.at[7] != '0';
    return s.at[5] == '1' ? 200 : 505;
}

static uint32_t read_length(struct span s, struct fields *fields)
{
    uint64_t length = 0;
    for (size_t i = 0; i < s.size; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return 400;
        if (length <= UINT32_MAX) /* more is too much anyway */
            length = length * 10 + (uint64_t)(s.at[i] - '0');
    }
    if (!s.size || (fields->has_length && length != fields->length))
        return 400;
    fields->has_length = true;
    fields->length = length;
    return 200;
}

static uint32_t read_field(struct span line, struct fields *fields)
{
    struct span value = line;
    struct span name = cut(&value, ':');
    /* Neither folded lines nor blanks before the colon (RFC 9112, "Field Line Parsing"). */
    if (!is_token(name) || name.size == line.size)
        return 400;
    value = trimmed(value);
    for (size_t i = 0; i < value.size; i++) {
        if (((unsigned char)value.at[i] < ' ' && value.at[i] != '\t') || value.at[i] == 0x7f)
            return 400;
    }
    if (is_name(name, "Host")) {
        fields->hosts++;
    } else if (is_name(name, "Content-Length")) {
        return read_length(value, fields);
    } else if (is_name(name, "Transfer-Encoding")) {
        fields->is_chunked = !fields->has_coding && is_name(value, "chunked");
        fields->has_coding = true;
    }
    return 200;
}

static uint32_t check_fields(const struct fields *fields, const struct http_request *request)
{
    if (fields->hosts > 1 || (request->minor && !fields->hosts))
        return 400;
    if (fields->has_coding && (fields->has_length || !request->minor))
        return 400;
    if (fields->has_coding)
        return fields->is_chunked ? 411 : 501;
    return fields->length > HTTP_BODY_MAX ? 413 : 200;
}

/* Bad syntax goes before what is only not wanted. */
static uint32_t worse(uint32_t a, uint32_t b)
{
    if (a == 400 || b == 400)
        return 400;
    return a != 200 ? a : b;
}

static uint32_t parse(struct span rest, struct http_request *request)
{
    struct fields fields = {0};
    struct span line = next_line(&rest);
    while (!line.size) /* blank lines before the request */
        line = next_line(&rest);
    if (memchr(line.at, '\r', line.size))
        return 400;
    struct span method = cut(&line, ' ');
    struct span target = cut(&line, ' ');
    uint32_t is = read_version(line, request);
    if (is == 400)
        return is;
    uint32_t status = worse(is, read_method(method, request));
    is = equals(target, "*") || equals(method, "CONNECT") ? (status == 200 ? 400u : status)
                                                          : read_target(target, request);
    status = worse(status, is);
    for (line = next_line(&rest); line.size; line = next_line(&rest))
        status = worse(status, read_field(line, &fields));
    return worse(status, check_fields(&fields, request));
}

/* Bytes up to the end of the empty line that ends the head; 0: it is not there yet. */
static size_t head_size(const struct http_head *head)
{
    size_t start = 0;
    while (start < head->used && (head->bytes[start] == '\r' || head->bytes[start] == '\n'))
        start++;
    for (size_t i = start; i + 1 < head->used; i++) {
        if (head->bytes[i] != '\n')
            continue;
        if (head->bytes[i + 1] == '\n')
            return i + 2;
        if (head->bytes[i + 1] == '\r' && i + 2 < head->used && head->bytes[i + 2] == '\n')
            return i + 3;
    }
    return 0;
}

/* The request line alone is too long, or the fields are too many. */
static uint32_t too_long(const struct http_head *head)
{
    size_t start = 0;
    while (start < head->used && (head->bytes[start] == '\r' || head->bytes[start] == '\n'))
        start++;
    return memchr(head->bytes + start, '\n', head->used - start) ? 431 : 414;
}

uint32_t http_head_add(struct http_head *head, const char *bytes, size_t size,
                       struct http_request *request)
{
    size_t room = HTTP_HEAD_MAX - head->used;
    size_t taken = size < room ? size : room;
    memset(request, 0, sizeof(*request));
    memcpy(head->bytes + head->used, bytes, taken);
    head->used += taken;
    size_t whole = head_size(head);
    if (whole)
        return parse((struct span){head->bytes, whole}, request);
    /* Another protocol is told at once: TLS begins with byte 22. */
    for (size_t i = 0; i < head->used; i++) {
        if (head->bytes[i] == '\r' || head->bytes[i] == '\n')
            continue;
        if (!is_token_char(head->bytes[i]))
            return 400;
        break;
    }
    return head->used == HTTP_HEAD_MAX ? too_long(head) : 0;
}

const char *http_reason(uint32_t status)
{
    static const struct {
        uint32_t status;
        const char *reason;
    } all[] = {{200, "OK"},
               {400, "Bad Request"},
               {404, "Not Found"},
               {405, "Method Not Allowed"},
               {408, "Request Timeout"},
               {411, "Length Required"},
               {413, "Content Too Large"},
               {414, "URI Too Long"},
               {431, "Request Header Fields Too Large"},
               {501, "Not Implemented"},
               {503, "Service Unavailable"},
               {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i].status == status)
            return all[i].reason;
    }
    return "Unknown";
}
