/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a qcow2 image that anyone may have written: every number is bounded before it is used. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "tools/img/qcow2.h"

#define HEADER_MIN      72u
#define HEADER_V3       104u
#define L1_BYTES_MAX    (32u << 20)
#define SIZE_MAX_BYTES  (1ull << 43) /* what a volume can have */
#define OFFSET_MASK     0x00fffffffffffe00ull
#define FLAG_COMPRESSED (1ull << 62)
#define FLAG_ZERO       1ull
#define FEATURE_DIRTY   1ull /* reference counts are to be rebuilt: nobody reads them here */

struct reader {
    struct qcow2_source source;
    uint32_t version, cluster_bits;
    uint64_t cluster, l1_entries;
    uint64_t *l1, *l2;
    uint64_t l2_offset; /* of the one in l2; 0: none */
    uint8_t *unpacked, *packed;
    uint64_t unpacked_entry; /* whose content is in `unpacked`; 0: none */
};

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t get64(const uint8_t *p)
{
    return (uint64_t)get32(p) << 32 | get32(p + 4);
}

static bool fetch(const struct reader *r, uint64_t offset, void *data, uint64_t size)
{
    return offset <= r->source.size && size <= r->source.size - offset &&
           r->source.read(r->source.context, offset, data, (size_t)size);
}

static const char *check_features(const uint8_t *header)
{
    uint64_t features = get64(header + 72);
    if (features & 2)
        return "the image is marked as corrupt";
    if (features & 4)
        return "the image keeps its data in another file";
    if (features & 8)
        return "the image is compressed with something else than zlib";
    if (features & 16)
        return "the image has extended L2 entries";
    return features & ~FEATURE_DIRTY ? "the image has features that are unknown" : NULL;
}

static const char *check_header(struct reader *r, const uint8_t *header, uint64_t *size,
                                uint64_t *l1_offset)
{
    r->version = get32(header + 4);
    r->cluster_bits = get32(header + 20);
    *size = get64(header + 24);
    r->l1_entries = get32(header + 36);
    *l1_offset = get64(header + 40);
    if (get32(header) != QCOW2_MAGIC)
        return "this is no qcow2 image";
    if (r->version != 2 && r->version != 3)
        return "versions 2 and 3 of qcow2 are read";
    if (get64(header + 8))
        return "the image has a backing file: flatten it first (qemu-img convert)";
    if (get32(header + 32))
        return "the image is encrypted";
    if (r->cluster_bits < 9 || r->cluster_bits > 21)
        return "the image's clusters have an impossible size";
    if (!*size || *size > SIZE_MAX_BYTES)
        return "the image's disk is empty, or larger than 8 TiB";
    if (r->version == 3 && get32(header + 100) < HEADER_V3)
        return "the image's header is too short";
    r->cluster = 1ull << r->cluster_bits;
    uint64_t reach = r->cluster * (r->cluster / 8), need = (*size + reach - 1) / reach;
    if (r->l1_entries < need || need * 8 > L1_BYTES_MAX || *l1_offset % 512)
        return "the image's L1 table makes no sense";
    r->l1_entries = need;
    return r->version == 3 ? check_features(header) : NULL;
}

/* The L2 table at an offset, as numbers of this machine. */
static const char *load_l2(struct reader *r, uint64_t offset)
{
    if (r->l2_offset == offset)
        return NULL;
    r->l2_offset = 0;
    if (offset % r->cluster || !fetch(r, offset, r->l2, r->cluster))
        return "an L2 table lies outside the image";
    for (uint64_t i = 0; i < r->cluster / 8; i++)
        r->l2[i] = get64((const uint8_t *)&r->l2[i]);
    r->l2_offset = offset;
    return NULL;
}

static const char *unpack(struct reader *r, uint64_t entry)
{
    uint32_t bits = 62 - (r->cluster_bits - 8);
    uint64_t offset = entry & ((1ull << bits) - 1);
    uint64_t sectors = ((entry & (FLAG_COMPRESSED - 1)) >> bits) + 1;
    uint64_t size = sectors * 512 - offset % 512;
    if (r->unpacked_entry == entry)
        return NULL;
    r->unpacked_entry = 0;
    if (offset >= r->source.size)
        return "a compressed cluster lies outside the image";
    /* The last one may end with the file. */
    if (size > r->source.size - offset)
        size = r->source.size - offset;
    if (size > 2 * r->cluster + 512 || !fetch(r, offset, r->packed, size))
        return "a compressed cluster cannot be read";
    z_stream stream = {.next_in = r->packed,
                       .avail_in = (uInt)size,
                       .next_out = r->unpacked,
                       .avail_out = (uInt)r->cluster};
    if (inflateInit2(&stream, -15) != Z_OK)
        return "out of memory";
    int status = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    if ((status != Z_STREAM_END && status != Z_BUF_ERROR) || stream.avail_out)
        return "a compressed cluster is damaged";
    r->unpacked_entry = entry;
    return NULL;
}

/* A part of one cluster. */
static const char *read_part(struct reader *r, uint64_t at, uint8_t *data, uint64_t size,
                             bool *hole)
{
    uint64_t per_l2 = r->cluster / 8, cluster = at >> r->cluster_bits;
    uint64_t inside = at & (r->cluster - 1), l1 = cluster / per_l2;
    uint64_t table = l1 < r->l1_entries ? r->l1[l1] & OFFSET_MASK : 0;
    memset(data, 0, size);
    if (!table)
        return NULL;
    const char *why = load_l2(r, table);
    if (why)
        return why;
    uint64_t entry = r->l2[cluster % per_l2];
    if (entry & FLAG_COMPRESSED) {
        why = unpack(r, entry);
        if (!why)
            memcpy(data, r->unpacked + inside, size);
        *hole = false;
        return why;
    }
    uint64_t offset = entry & OFFSET_MASK;
    if (!offset || (r->version == 3 && entry & FLAG_ZERO))
        return NULL;
    *hole = false;
    /* The last cluster of a file may be cut short. */
    uint64_t have = offset + inside < r->source.size ? r->source.size - offset - inside : 0;
    if (offset % r->cluster || !have)
        return "a cluster lies outside the image";
    return fetch(r, offset + inside, data, size < have ? size : have) ? NULL
                                                                      : "a cluster cannot be read";
}

static const char *read_qcow2(struct image *image, uint64_t offset, void *data, bool *hole)
{
    struct reader *r = image->state;
    uint64_t step = r->cluster < IMAGE_BLOCK ? r->cluster : IMAGE_BLOCK;
    const char *why = NULL;
    *hole = true;
    for (uint64_t at = 0; at < IMAGE_BLOCK && !why; at += step) {
        memset((uint8_t *)data + at, 0, step);
        if (offset + at < image->size)
            why = read_part(r, offset + at, (uint8_t *)data + at, step, hole);
    }
    return why;
}

static void close_qcow2(struct image *image)
{
    struct reader *r = image->state;
    free(r->l1);
    free(r->l2);
    free(r->unpacked);
    free(r->packed);
    free(r);
}

static const char *load(struct reader *r, uint64_t *size)
{
    uint8_t header[HEADER_V3] = {0};
    uint64_t l1_offset;
    if (r->source.size < HEADER_MIN ||
        !fetch(r, 0, header, r->source.size < HEADER_V3 ? r->source.size : HEADER_V3))
        return "this is no qcow2 image";
    const char *why = check_header(r, header, size, &l1_offset);
    if (why)
        return why;
    r->l1 = calloc(r->l1_entries, 8);
    r->l2 = malloc(r->cluster);
    r->unpacked = malloc(r->cluster);
    r->packed = malloc(2 * r->cluster + 512);
    if (!r->l1 || !r->l2 || !r->unpacked || !r->packed)
        return "out of memory";
    if (!fetch(r, l1_offset, r->l1, r->l1_entries * 8))
        return "the image's L1 table lies outside it";
    for (uint64_t i = 0; i < r->l1_entries; i++)
        r->l1[i] = get64((const uint8_t *)&r->l1[i]);
    return NULL;
}

const char *qcow2_open(struct image *image, const struct qcow2_source *source)
{
    struct reader *r = calloc(1, sizeof(*r));
    uint64_t size;
    if (!r)
        return "out of memory";
    r->source = *source;
    *image = (struct image){.state = r, .read = read_qcow2, .close = close_qcow2};
    const char *why = load(r, &size);
    if (why) {
        close_qcow2(image);
        return why;
    }
    image->size = (size + 511) & ~511ull;
    return NULL;
}

static bool read_file(void *context, uint64_t offset, void *data, size_t size)
{
    int file = (int)(intptr_t)context;
    uint8_t *bytes = data;
    while (size) {
        ssize_t n = pread(file, bytes, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return true;
}

const char *qcow2_open_file(struct image *image, int file)
{
    off_t end = lseek(file, 0, SEEK_END);
    if (end < 0)
        return strerror(errno);
    struct qcow2_source source = {
        .context = (void *)(intptr_t)file, .size = (uint64_t)end, .read = read_file};
    return qcow2_open(image, &source);
}
