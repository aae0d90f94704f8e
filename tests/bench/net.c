/* SPDX-License-Identifier: BSD-2-Clause */
/* Two guests talk to each other: `net server`, `net client ADDRESS [PREFIX]`. The client prints
 * what a round trip, a packet and a KiB of TCP cost all in all, in ticks of the TSC: instructions,
 * on the rigs; the figures' names begin with the prefix. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT        7000
#define WARM_UP     200
#define ROUNDS      2000
#define SMALL       64
#define PACKET      1400
#define BURST       32 /* packets, before the server says that it has them */
#define BURSTS      200
#define SEGMENT     65536
#define TCP_BYTES   (64u << 20)
#define ANSWER_MS   200
#define CONNECT_MS  100000
#define CONNECT_TRY 1000

static uint8_t buffer[4 * SEGMENT];
static const char *prefix = "";

static void figure(const char *name, uint64_t value)
{
    printf("bench %s%s %llu\n", prefix, name, (unsigned long long)value);
}

static uint64_t ticks(void)
{
    return __builtin_ia32_rdtsc();
}

static struct sockaddr_in address(const char *text)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    if (text)
        inet_pton(AF_INET, text, &a.sin_addr);
    return a;
}

static int fail(const char *what)
{
    perror(what);
    return 1;
}

/* Answers each datagram; of long ones, the last of each burst. */
static void serve_datagram(int udp, uint32_t *seen)
{
    struct sockaddr_in from;
    socklen_t size = sizeof(from);
    ssize_t n = recvfrom(udp, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &size);
    if (n == PACKET && ++*seen % BURST)
        return;
    sendto(udp, buffer, SMALL, 0, (struct sockaddr *)&from, size);
}

static void serve_stream(int listener)
{
    int c = accept(listener, NULL, NULL);
    uint64_t sum = 0;
    ssize_t n;
    while (sum < TCP_BYTES && (n = read(c, buffer, sizeof(buffer))) > 0)
        sum += (uint64_t)n;
    n = write(c, buffer, 1);
    close(c);
}

static int server(void)
{
    struct sockaddr_in any = address(NULL);
    int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0);
    uint32_t seen = 0;
    if (bind(udp, (struct sockaddr *)&any, sizeof(any)) ||
        bind(tcp, (struct sockaddr *)&any, sizeof(any)) || listen(tcp, 1))
        return fail("bind");
    for (;;) {
        struct pollfd p[2] = {{.fd = udp, .events = POLLIN}, {.fd = tcp, .events = POLLIN}};
        poll(p, 2, -1);
        if (p[0].revents)
            serve_datagram(udp, &seen);
        if (p[1].revents)
            serve_stream(tcp);
    }
}

/* False: no answer came in time. */
static int round_trip(int udp, uint32_t bytes, uint32_t count)
{
    struct pollfd p = {.fd = udp, .events = POLLIN};
    for (uint32_t i = 0; i < count; i++) {
        if (send(udp, buffer, bytes, 0) < 0)
            return 0;
    }
    return poll(&p, 1, ANSWER_MS) == 1 && recv(udp, buffer, sizeof(buffer), 0) == SMALL;
}

static int measure_udp(const char *to)
{
    struct sockaddr_in a = address(to);
    int udp = socket(AF_INET, SOCK_DGRAM, 0), tries = 0;
    uint64_t lost = 0;
    if (connect(udp, (struct sockaddr *)&a, sizeof(a)))
        return fail("connect");
    while (!round_trip(udp, SMALL, 1) && ++tries < CONNECT_MS / ANSWER_MS)
        usleep(CONNECT_TRY);
    for (int i = 0; i < WARM_UP; i++)
        lost += (uint64_t)!round_trip(udp, SMALL, 1);
    uint64_t begin = ticks();
    for (int i = 0; i < ROUNDS; i++)
        lost += (uint64_t)!round_trip(udp, SMALL, 1);
    uint64_t small = (ticks() - begin) / ROUNDS;
    for (int i = 0; i < BURSTS / 10; i++)
        lost += (uint64_t)!round_trip(udp, PACKET, BURST);
    begin = ticks();
    for (int i = 0; i < BURSTS; i++)
        lost += (uint64_t)!round_trip(udp, PACKET, BURST);
    uint64_t packet = (ticks() - begin) / (BURSTS * BURST);
    figure("udp_round_trip", small);
    figure("udp_packet", packet);
    figure("udp_lost", lost);
    return 0;
}

static int measure_tcp(const char *to)
{
    struct sockaddr_in a = address(to);
    int tcp = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(tcp, (struct sockaddr *)&a, sizeof(a)))
        return fail("connect");
    uint64_t begin = ticks();
    for (uint32_t sent = 0; sent < TCP_BYTES;) {
        ssize_t n = write(tcp, buffer, SEGMENT);
        if (n <= 0)
            return fail("write");
        sent += (uint32_t)n;
    }
    if (read(tcp, buffer, 1) != 1)
        return fail("read");
    figure("tcp_kib", (ticks() - begin) / (TCP_BYTES / 1024));
    return 0;
}

int main(int argc, char **argv)
{
    int status = 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && !strcmp(argv[1], "server"))
        status = server();
    if (argc == 4)
        prefix = argv[3];
    if (argc >= 3 && !strcmp(argv[1], "client"))
        status = measure_udp(argv[2]) || measure_tcp(argv[2]);
    figure("net_done", (uint64_t)status);
    return status;
}
