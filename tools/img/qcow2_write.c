/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes a qcow2 image, version 3: the L1 table behind the header, then L2 tables, each before its
 * data, at last the reference counts, all of them 1. The header comes when all else is there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "tools/img/qcow2.h"

#define CLUSTER      65536ull
#define PER_L2       (CLUSTER / 8)
#define PER_REFBLOCK (CLUSTER / 2)
#define COPIED       (1ull << 63)
#define HEADER_BYTES 104u

struct qcow2_writer {
    int file;
    uint64_t size, l1_entries, next; /* next: free cluster */
    uint64_t *l1;                    /* as in the file */
    uint64_t l2_index, l2_cluster;   /* of the table in l2; cluster 0: none */
    uint64_t l2[PER_L2];
};

static uint64_t big64(uint64_t value)
{
    return __builtin_bswap64(value);
}

static uint64_t clusters_of(uint64_t bytes)
{
    return (bytes + CLUSTER - 1) / CLUSTER;
}

const char *qcow2_create(struct qcow2_writer **writer, int file, uint64_t size)
{
    struct qcow2_writer *w = calloc(1, sizeof(*w));
    const char *why = raw_create(file, 0);
    *writer = w;
    if (!w)
        return "out of memory";
    w->file = file;
    w->size = size;
    w->l1_entries = clusters_of(size) / PER_L2 + 1;
    w->l1 = calloc(w->l1_entries, 8);
    w->next = 1 + clusters_of(w->l1_entries * 8);
    return w->l1 ? why : "out of memory";
}

static const char *write_l2(struct qcow2_writer *w)
{
    if (!w->l2_cluster)
        return NULL;
    return raw_write(w->file, w->l2_cluster * CLUSTER, w->l2, CLUSTER);
}

const char *qcow2_write(struct qcow2_writer *w, uint64_t offset, const void *block)
{
    uint64_t index = offset / CLUSTER;
    if (!w->l2_cluster || w->l2_index != index / PER_L2) {
        const char *why = write_l2(w);
        if (why)
            return why;
        w->l2_index = index / PER_L2;
        w->l2_cluster = w->next++;
        memset(w->l2, 0, sizeof(w->l2));
        w->l1[w->l2_index] = big64(w->l2_cluster * CLUSTER | COPIED);
    }
    w->l2[index % PER_L2] = big64(w->next * CLUSTER | COPIED);
    return raw_write(w->file, w->next++ * CLUSTER, block, CLUSTER);
}

static void put32(uint8_t *at, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(at, &value, 4);
}

static void put64(uint8_t *at, uint64_t value)
{
    value = big64(value);
    memcpy(at, &value, 8);
}

static const char *write_refcounts(struct qcow2_writer *w, uint64_t *table,
                                   uint64_t *table_clusters)
{
    static uint8_t page[CLUSTER];
    uint64_t blocks = 1, total;
    do { /* they count themselves, too */
        *table_clusters = clusters_of(blocks * 8);
        total = w->next + blocks + *table_clusters;
    } while (blocks * PER_REFBLOCK < total && blocks++);
    const char *why = NULL;
    *table = w->next + blocks;
    for (uint64_t i = 0; i < blocks && !why; i++) {
        for (uint64_t k = 0; k < PER_REFBLOCK; k++) {
            page[2 * k] = 0;
            page[2 * k + 1] = i * PER_REFBLOCK + k < total;
        }
        why = raw_write(w->file, (w->next + i) * CLUSTER, page, CLUSTER);
    }
    for (uint64_t t = 0; t < *table_clusters && !why; t++) {
        memset(page, 0, sizeof(page));
        for (uint64_t k = 0; k < PER_L2 && t * PER_L2 + k < blocks; k++)
            put64(page + 8 * k, (w->next + t * PER_L2 + k) * CLUSTER);
        why = raw_write(w->file, (*table + t) * CLUSTER, page, CLUSTER);
    }
    return why;
}

const char *qcow2_finish(struct qcow2_writer *w)
{
    uint8_t header[HEADER_BYTES + 8] = {0};
    uint64_t table, table_clusters;
    const char *why = write_l2(w);
    if (!why)
        why = write_refcounts(w, &table, &table_clusters);
    if (!why)
        why = raw_write(w->file, CLUSTER, w->l1, w->l1_entries * 8);
    if (!why) {
        put32(header, QCOW2_MAGIC);
        put32(header + 4, 3);
        put32(header + 20, 16); /* cluster bits */
        put64(header + 24, w->size);
        put32(header + 36, (uint32_t)w->l1_entries);
        put64(header + 40, CLUSTER);
        put64(header + 48, table * CLUSTER);
        put32(header + 56, (uint32_t)table_clusters);
        put32(header + 96, 4); /* reference counts of 16 bits */
        put32(header + 100, HEADER_BYTES);
        why = raw_write(w->file, 0, header, sizeof(header));
    }
    free(w->l1);
    free(w);
    return why;
}
