/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/img/store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "drivers/gpt/gpt.h"

struct store {
    const char *path;
    int file;
    bool write;
    uint64_t offset, sectors;
    struct pool *pool;
    struct pool_io *first, *last; /* submitted */
    bool opened, good, ordered;
    char why[POOL_REASON];
    bool has_why;
    uint32_t errors;
    bool request_ended;
    enum blk_status request_status;
    uint8_t *data; /* of the one request */
    uint8_t *own;
};

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("error: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(8);
}

/* --- the file --- */

static bool transfer(int file, bool write, void *data, uint64_t size, uint64_t at)
{
    uint8_t *bytes = data;
    while (size) {
        ssize_t n =
            write ? pwrite(file, bytes, size, (off_t)at) : pread(file, bytes, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        at += (uint64_t)n;
        size -= (uint64_t)n;
    }
    return true;
}

static enum blk_status carry_out(struct store *s, const struct pool_io *io)
{
    uint64_t at = s->offset + io->sector * POOL_SECTOR, size = io->sectors * POOL_SECTOR;
    uint8_t *data = io->buffer ? io->buffer : s->data + io->skip;
    bool write = io->op == BLK_WRITE;
    if (io->op == BLK_FLUSH)
        return fdatasync(s->file) ? BLK_IO_ERROR : BLK_OK;
    if (write && !s->write)
        return BLK_READ_ONLY;
    if (!transfer(s->file, write, data, size, at))
        return BLK_IO_ERROR;
    return io->fua && fdatasync(s->file) ? BLK_IO_ERROR : BLK_OK;
}

static void run(struct store *s)
{
    while (s->first) {
        struct pool_io *io = s->first;
        s->first = io->next;
        pool_io_ended(s->pool, io, carry_out(s, io));
        while (pool_work(s->pool))
            continue;
    }
}

static void submit(void *context, struct pool_io *io)
{
    struct store *s = context;
    io->next = NULL;
    if (s->first)
        s->last->next = io;
    else
        s->first = io;
    s->last = io;
}

static void ended(void *context, struct pool_request *request, enum blk_status status)
{
    struct store *s = context;
    (void)request;
    s->request_ended = true;
    s->request_status = status;
}

static void opened(void *context, bool good)
{
    struct store *s = context;
    s->opened = true;
    s->good = good;
}

static void ordered(void *context, uint64_t job, const char *why)
{
    struct store *s = context;
    (void)job;
    s->ordered = true;
    s->has_why = why;
    if (why)
        snprintf(s->why, sizeof(s->why), "%s", why);
}

static void report(void *context, bool bad, const char *text)
{
    struct store *s = context;
    s->errors += bad;
    fprintf(stderr, "%s: %s%s\n", s->path, bad ? "" : "note: ", text);
}

static uint64_t file_size(const struct place *place, int file)
{
    struct stat stat;
    uint64_t size;
    if (fstat(file, &stat))
        die("%s: %s", place->path, strerror(errno));
    if (S_ISBLK(stat.st_mode)) {
        if (ioctl(file, BLKGETSIZE64, &size))
            die("%s: its size is unknown: %s", place->path, strerror(errno));
        return size;
    }
    return (uint64_t)stat.st_size;
}

static void find_partition(struct store *s, const struct place *place, uint64_t size)
{
    static uint8_t buffer[GPT_READ_BYTES];
    static struct gpt gpt;
    char uuid[GPT_UUID_TEXT];
    gpt_begin(&gpt, POOL_SECTOR, size / POOL_SECTOR);
    while (gpt.step != GPT_DONE) {
        bool good = transfer(s->file, false, buffer, (uint64_t)gpt.want_blocks * POOL_SECTOR,
                             gpt.want_block * POOL_SECTOR);
        gpt_feed(&gpt, good ? buffer : NULL);
    }
    for (uint32_t i = 0; i < gpt.count; i++) {
        const struct gpt_partition *p = &gpt.partition[i];
        gpt_uuid_text(p->uuid, uuid);
        if (strcmp(p->name, place->partition) != 0 && strcasecmp(uuid, place->partition) != 0)
            continue;
        s->offset = p->first * POOL_SECTOR;
        s->sectors = p->blocks;
        return;
    }
    die("%s: there is no partition '%s'%s%s", place->path, place->partition,
        gpt.reason[0] ? ": " : "", gpt.reason);
}

struct store *store_open_file(const struct place *place, bool write)
{
    struct store *s = calloc(1, sizeof(*s));
    if (!s || posix_memalign((void **)&s->own, 4096, POOL_OWN_BYTES))
        die("out of memory");
    s->path = place->path;
    s->write = write;
    s->file = open(place->path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (s->file < 0)
        die("%s: %s", place->path, strerror(errno));
    if (flock(s->file, (write ? LOCK_EX : LOCK_SH) | LOCK_NB))
        die("%s is in use", place->path);
    uint64_t size = file_size(place, s->file);
    s->offset = place->offset;
    if (place->offset > size || place->size > size - place->offset)
        die("%s has %llu bytes only", place->path, (unsigned long long)size);
    s->sectors = (place->size ? place->size : size - place->offset) / POOL_SECTOR;
    if (place->partition)
        find_partition(s, place, size);
    return s;
}

bool store_open_pool(struct store *s, bool check)
{
    struct pool_environment environment = {.context = s,
                                           .submit = submit,
                                           .ended = ended,
                                           .opened = opened,
                                           .ordered = ordered,
                                           .report = report,
                                           .own = s->own,
                                           .sectors = s->sectors,
                                           .read_only = !s->write};
    s->pool = pool_new(&environment);
    if (!s->pool)
        die("out of memory");
    pool_open(s->pool, check);
    run(s);
    return s->good;
}

const char *store_format(struct store *s, bool force)
{
    static uint8_t zero[1 << 20];
    struct pool_super super, old;
    uint8_t uuid[16];
    for (uint32_t i = 0; i < 2 && !force; i++) {
        if (!transfer(s->file, false, &old, sizeof(old),
                      s->offset + POOL_SUPER_SECTOR(i) * POOL_SECTOR))
            return "it is too small for a pool, or cannot be read";
        for (uint32_t k = 0; k < sizeof(old); k++) {
            if (((const uint8_t *)&old)[k])
                return "something is there already; --force overwrites it";
        }
    }
    if (getrandom(uuid, sizeof(uuid), 0) != sizeof(uuid))
        return "the host has no random numbers";
    if (!pool_format(&super, s->sectors, uuid, (uint64_t)time(NULL)))
        return "it is too small for a pool: 6 MiB is the least";
    /* The superblock last: until then it is no pool. */
    for (uint32_t i = 0; i < 2; i++) {
        if (!transfer(s->file, true, zero, sizeof(super),
                      s->offset + POOL_SUPER_SECTOR(i) * POOL_SECTOR))
            return "it cannot be written";
    }
    if (!transfer(s->file, true, zero, sizeof(zero), s->offset + POOL_ZERO_SECTOR * POOL_SECTOR) ||
        fdatasync(s->file) ||
        !transfer(s->file, true, &super, sizeof(super),
                  s->offset + POOL_SUPER_SECTOR(super.generation & 1) * POOL_SECTOR) ||
        fdatasync(s->file))
        return "it cannot be written";
    return NULL;
}

struct pool *store_pool(struct store *s)
{
    return s->pool;
}

const char *store_reason(const struct store *s)
{
    return pool_reason(s->pool);
}

uint32_t store_errors(const struct store *s)
{
    return s->errors;
}

const char *store_order(struct store *s, struct pool_order *order)
{
    s->ordered = false;
    order->now = (uint64_t)time(NULL);
    pool_order(s->pool, order);
    run(s);
    if (!s->ordered)
        return "the order was not carried out";
    return s->has_why ? s->why : NULL;
}

static const char *request(struct store *s, struct pool_request *r)
{
    s->request_ended = false;
    pool_submit(s->pool, r);
    run(s);
    if (!s->request_ended)
        return "a request did not end";
    switch (s->request_status) {
    case BLK_OK:
        return NULL;
    case BLK_NO_SPACE:
        return "the pool is full";
    case BLK_RANGE:
        return "beyond the end of the volume";
    case BLK_READ_ONLY:
        return "a snapshot is never written";
    default:
        return "input or output error";
    }
}

const char *store_transfer(struct store *s, const char *volume, uint32_t op, uint64_t offset,
                           void *data, uint64_t size)
{
    struct blk_segment segment = {.length = (uint32_t)size};
    struct pool_request r = {.volume = pool_find(s->pool, volume),
                             .op = op,
                             .sector = offset / POOL_SECTOR,
                             .sectors = size / POOL_SECTOR,
                             .segment = &segment,
                             .segments = 1};
    if (!r.volume)
        return "there is no such volume";
    s->data = data;
    return request(s, &r);
}

const char *store_close(struct store *s)
{
    struct pool_request r = {.op = BLK_FLUSH};
    const char *why = NULL;
    for (uint32_t i = 0; i < POOL_VOLUMES && !r.volume; i++)
        r.volume = pool_at(s->pool, i);
    if (s->write && r.volume && s->good)
        why = request(s, &r);
    pool_free(s->pool);
    close(s->file);
    free(s->own);
    free(s);
    return why;
}
