/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ip/http.h"

#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <stdio.h>
#include <string.h>
#include "net/ip/clock.h"
#include "net/ip/http_parse.h"
#include "net/ip/metrics.h"
#include "user/program.h"

#define NS_PER_MS   1000000ull
#define HEAD_NS     (5000 * NS_PER_MS)  /* for the whole head of a request */
#define FIGURES_NS  (20 * NS_PER_MS)    /* for VMMs to bring their counters up to date */
#define FRESH_NS    (250 * NS_PER_MS)   /* a picture that is younger is shown again */
#define PROGRESS_NS (10000 * NS_PER_MS) /* without a byte acknowledged */
#define WHOLE_NS    (60000 * NS_PER_MS)
#define LINGER_NS   (2000 * NS_PER_MS)
#define PICTURES    2u
#define ANSWER_HEAD 512u
#define PLAIN_TEXT  "text/plain; charset=utf-8"

enum state {
    CONN_FREE,
    CONN_HEAD,  /* the request comes in */
    CONN_WAIT,  /* for figures */
    CONN_SEND,  /* the answer goes out */
    CONN_LINGER /* it has arrived; what the client still sends is thrown away (RFC 9112,
                   "Tear-down") */
};

struct conn {
    enum state state;
    struct tcp_pcb *pcb;
    uint64_t since, deadline;
    bool only_head;
    struct http_request request;
    struct http_head head;
    struct figures *figures; /* what the rest of the body is made of; NULL: `text` is all */
    struct metrics_at at;
    char text[METRICS_LINE + ANSWER_HEAD]; /* made, but not taken by lwIP yet */
    size_t size, sent;
    uint32_t unacked;
};

static uint64_t counts[IP_COUNTS];
static struct conn conns[HTTP_CONNECTIONS];
static struct figures pictures[PICTURES];

static void leave_figures(struct conn *c)
{
    if (c->figures)
        c->figures->users--;
    c->figures = NULL;
}

static void release(struct conn *c)
{
    leave_figures(c);
    if (c->pcb) {
        tcp_arg(c->pcb, NULL);
        tcp_recv(c->pcb, NULL);
        tcp_sent(c->pcb, NULL);
        tcp_err(c->pcb, NULL);
    }
    c->pcb = NULL;
    c->state = CONN_FREE;
}

/* Ends it with a reset; from its own callback ERR_ABRT must be returned then. */
static void drop(struct conn *c)
{
    struct tcp_pcb *pcb = c->pcb;
    release(c);
    if (pcb)
        tcp_abort(pcb);
}

/* Ends it in order. */
static err_t finish(struct conn *c)
{
    struct tcp_pcb *pcb = c->pcb;
    release(c);
    if (!pcb || tcp_close(pcb) == ERR_OK)
        return ERR_OK;
    tcp_abort(pcb);
    return ERR_ABRT;
}

/* The head of the answer, and all of a short body. */
static void answer(struct conn *c, uint32_t status, const char *type, const char *body,
                   uint64_t length)
{
    char date[CLOCK_HTTP + 10] = "";
    uint64_t unix_ns = clock_unix_ns();
    if (unix_ns) { /* without a clock there is no such field (RFC 9110, "Date") */
        char text[CLOCK_HTTP];
        clock_http(unix_ns, text);
        snprintf(date, sizeof(date), "Date: %s\r\n", text);
    }
    int n = snprintf(c->text, sizeof(c->text),
                     "HTTP/1.1 %u %s\r\n%s%sContent-Type: %s\r\nContent-Length: %llu\r\n"
                     "Cache-Control: no-store\r\nConnection: close\r\n\r\n%s",
                     (unsigned)status, http_reason(status), date,
                     status == 405 ? "Allow: GET, HEAD\r\n" : "", type, (unsigned long long)length,
                     c->only_head ? "" : body);
    c->size = (size_t)n < sizeof(c->text) ? (size_t)n : sizeof(c->text) - 1;
    c->sent = 0;
    c->state = CONN_SEND;
    c->deadline = time_ns() + PROGRESS_NS;
    counts[IP_COUNT_REFUSED] += status >= 400;
}

static void answer_short(struct conn *c, uint32_t status, const char *body)
{
    answer(c, status, PLAIN_TEXT, body, strlen(body));
}

static void refuse(struct conn *c, uint32_t status)
{
    char body[64];
    snprintf(body, sizeof(body), "%u %s\n", (unsigned)status, http_reason(status));
    answer_short(c, status, body);
}

/* A picture that is fresh; else one that nobody uses, taken now; else the youngest. */
static struct figures *picture(bool take)
{
    struct figures *idle = NULL, *youngest = &pictures[0];
    for (uint32_t i = 0; i < PICTURES; i++) {
        struct figures *f = &pictures[i];
        if (f->taken_ns && time_ns() - f->taken_ns < FRESH_NS)
            return f;
        if (!f->users)
            idle = f;
        if (f->taken_ns > youngest->taken_ns)
            youngest = f;
    }
    if (!idle)
        return youngest;
    if (!take)
        return NULL;
    if (!figures_take(idle)) {
        idle->taken_ns = 0;
        return NULL;
    }
    http_own_figures(idle);
    return idle;
}

static void begin_metrics(struct conn *c, struct figures *figures)
{
    figures->users++;
    answer(c, 200, METRICS_TYPE, "", metrics_size(figures));
    memset(&c->at, 0, sizeof(c->at));
    c->figures = figures;
    if (c->only_head)
        leave_figures(c);
}

static void serve(struct conn *c)
{
    counts[IP_COUNT_REQUESTS]++;
    c->only_head = c->request.method == HTTP_HEAD;
    if (!strcmp(c->request.path, "/healthz")) {
        answer_short(c, 200, "ok\n");
    } else if (!strcmp(c->request.path, "/metrics")) {
        struct figures *figures = picture(false);
        if (figures) {
            begin_metrics(c, figures);
            return;
        }
        figures_refresh();
        c->state = CONN_WAIT;
        c->deadline = time_ns() + FIGURES_NS;
    } else {
        refuse(c, 404);
    }
}

/* Makes the next part of the answer. False: there is none. */
static bool refill(struct conn *c)
{
    char line[METRICS_LINE];
    if (c->sent < c->size)
        return true;
    if (!c->figures)
        return false;
    c->size = c->sent = 0;
    while (c->size + METRICS_LINE <= sizeof(c->text)) {
        size_t n = metrics_line(c->figures, &c->at, line);
        if (!n) {
            leave_figures(c);
            break;
        }
        memcpy(c->text + c->size, line, n);
        c->size += n;
    }
    return c->size > 0;
}

/* Gives lwIP what it takes. */
static void pump(struct conn *c)
{
    while (refill(c)) {
        size_t n = c->size - c->sent, room = tcp_sndbuf(c->pcb);
        n = n < room ? n : room;
        if (!n || tcp_write(c->pcb, c->text + c->sent, (u16_t)n, TCP_WRITE_FLAG_COPY) != ERR_OK)
            break;
        c->sent += n;
        c->unacked += (uint32_t)n;
    }
    tcp_output(c->pcb);
    if (c->unacked || c->sent < c->size || c->figures)
        return;
    c->state = CONN_LINGER;
    c->deadline = time_ns() + LINGER_NS;
    if (tcp_shutdown(c->pcb, 0, 1) != ERR_OK)
        c->deadline = time_ns();
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t length)
{
    struct conn *c = arg;
    (void)pcb;
    c->unacked -= length < c->unacked ? length : c->unacked;
    c->deadline = time_ns() + PROGRESS_NS;
    if (c->state == CONN_SEND)
        pump(c);
    return ERR_OK;
}

static void take_head(struct conn *c, const struct pbuf *p)
{
    for (; p && c->state == CONN_HEAD; p = p->next) {
        uint32_t status = http_head_add(&c->head, p->payload, p->len, &c->request);
        if (status == 200)
            serve(c);
        else if (status)
            refuse(c, status);
    }
    if (c->state == CONN_SEND)
        pump(c);
}

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    struct conn *c = arg;
    (void)error;
    if (!p) /* the client has no more to say; an answer still goes out */
        return c->state == CONN_HEAD || c->state == CONN_LINGER ? finish(c) : ERR_OK;
    tcp_recved(pcb, p->tot_len);
    if (c->state == CONN_HEAD)
        take_head(c, p);
    pbuf_free(p);
    return ERR_OK;
}

/* The connection is gone already. */
static void on_error(void *arg, err_t error)
{
    struct conn *c = arg;
    (void)error;
    c->pcb = NULL;
    release(c);
}

/* A free place, or that of the client which has been heard out, or has not asked, for longest. */
static struct conn *place(void)
{
    struct conn *oldest = NULL;
    for (uint32_t i = 0; i < HTTP_CONNECTIONS; i++) {
        struct conn *c = &conns[i];
        if (c->state == CONN_FREE)
            return c;
        if ((c->state == CONN_HEAD || c->state == CONN_LINGER) &&
            (!oldest || c->since < oldest->since))
            oldest = c;
    }
    if (oldest) {
        counts[IP_COUNT_EVICTED]++;
        drop(oldest);
    }
    return oldest;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
    (void)arg;
    if (error != ERR_OK || !pcb)
        return ERR_VAL;
    struct conn *c = place();
    if (!c) {
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    counts[IP_COUNT_CONNECTIONS]++;
    c->pcb = pcb;
    c->state = CONN_HEAD;
    c->since = time_ns();
    c->deadline = c->since + HEAD_NS;
    c->only_head = false;
    c->head.used = 0;
    c->size = c->sent = 0;
    c->unacked = 0;
    tcp_arg(pcb, c);
    tcp_recv(pcb, on_recv);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_error);
    return ERR_OK;
}

bool http_start(uint16_t port)
{
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    if (!pcb)
        return false;
    if (tcp_bind(pcb, IP_ANY_TYPE, port) != ERR_OK) {
        tcp_close(pcb);
        return false;
    }
    struct tcp_pcb *listener = tcp_listen(pcb);
    if (!listener)
        return false;
    tcp_accept(listener, on_accept);
    return true;
}

void http_trim(void)
{
    for (;;) {
        struct tcp_pcb *oldest = NULL;
        uint32_t n = 0;
        for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
            if (pcb->state != SYN_RCVD)
                continue;
            n++;
            if (!oldest || tcp_ticks - pcb->tmr >= tcp_ticks - oldest->tmr)
                oldest = pcb;
        }
        if (n <= HTTP_HALF_OPEN)
            return;
        counts[IP_COUNT_HALF_OPEN]++;
        tcp_abandon(oldest, 0);
    }
}

static void expire(struct conn *c)
{
    if (c->state != CONN_LINGER)
        counts[IP_COUNT_TIMEOUTS]++;
    if (c->state == CONN_HEAD && c->head.used) {
        refuse(c, 408);
        pump(c);
    } else {
        drop(c);
    }
}

static void run_one(struct conn *c, uint64_t now)
{
    if (c->state == CONN_WAIT && now >= c->deadline) {
        struct figures *figures = picture(true);
        if (figures)
            begin_metrics(c, figures);
        else
            refuse(c, 503);
        pump(c);
    } else if (now >= c->deadline || now >= c->since + WHOLE_NS) {
        expire(c);
    } else if (c->state == CONN_SEND) {
        pump(c); /* lwIP may have had no memory before */
    }
}

uint64_t http_run(uint64_t now)
{
    uint64_t next = 0;
    for (uint32_t i = 0; i < HTTP_CONNECTIONS; i++) {
        struct conn *c = &conns[i];
        if (c->state != CONN_FREE)
            run_one(c, now);
        if (c->state != CONN_FREE && (!next || c->deadline < next))
            next = c->deadline;
    }
    return next;
}

void http_counts(uint64_t count[IP_COUNTS])
{
    memcpy(count, counts, (IP_COUNT_HALF_OPEN + 1) * sizeof(count[0]));
}
