/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/img/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "tools/img/image.h"
#include "tools/img/qcow2.h"

static uint8_t block[IMAGE_BLOCK];

static bool is_zero(const uint8_t *data, size_t size)
{
    return !data[0] && !memcmp(data, data + 1, size - 1);
}

static const char *open_image(struct image *image, int file, const char *format)
{
    static const uint8_t magic[4] = {'Q', 'F', 'I', 0xfb};
    uint8_t head[4];
    bool qcow2 =
        pread(file, head, sizeof(head), 0) == sizeof(head) && !memcmp(head, magic, sizeof(head));
    if (format && strcmp(format, "raw") != 0 && strcmp(format, "qcow2") != 0)
        return "there is no such format";
    if (format)
        qcow2 = !strcmp(format, "qcow2");
    return qcow2 ? qcow2_open_file(image, file) : raw_open(image, file);
}

static const char *fill(struct store *store, const char *volume, struct image *image)
{
    for (uint64_t at = 0; at < image->size; at += IMAGE_BLOCK) {
        uint64_t size = image->size - at < IMAGE_BLOCK ? image->size - at : IMAGE_BLOCK;
        bool hole;
        const char *why = image->read(image, at, block, &hole);
        if (!why && !hole && !is_zero(block, size))
            why = store_transfer(store, volume, BLK_WRITE, at, block, size);
        if (why)
            return why;
    }
    return NULL;
}

const char *copy_in(struct store *store, const char *path, const char *volume, const char *format)
{
    struct pool_order order = {.verb = POOL_CREATE, .names = 1};
    struct image image;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        die("%s: %s", path, strerror(errno));
    const char *why = open_image(&image, file, format);
    if (why) {
        close(file);
        return why;
    }
    if (strlen(volume) >= sizeof(order.name[0]))
        die("a name is too long: %s", volume);
    snprintf(order.name[0], sizeof(order.name[0]), "%s", volume);
    order.sectors = image.size / POOL_SECTOR;
    why = store_order(store, &order);
    if (!why) {
        why = fill(store, volume, &image);
        order.verb = POOL_DELETE;
        if (why)
            store_order(store, &order);
    }
    image.close(&image);
    close(file);
    return why;
}

/* Calls with each block that the volume maps, and that is not zero. */
static const char *each_block(struct store *store, const char *name, void *to,
                              const char *(*put)(void *to, uint64_t offset, uint64_t size))
{
    const struct pool_volume *volume = pool_find(store_pool(store), name);
    uint64_t bytes = pool_record(volume)->sectors * POOL_SECTOR;
    const char *why = NULL;
    for (uint64_t at = 0; !why && pool_next_block(volume, &at); at++) {
        uint64_t offset = at * POOL_BLOCK_BYTES;
        uint64_t size = bytes - offset < IMAGE_BLOCK ? bytes - offset : IMAGE_BLOCK;
        memset(block, 0, sizeof(block));
        why = store_transfer(store, name, BLK_READ, offset, block, size);
        if (!why && !is_zero(block, size))
            why = put(to, offset, size);
    }
    return why;
}

static const char *put_raw(void *to, uint64_t offset, uint64_t size)
{
    return raw_write(*(int *)to, offset, block, size);
}

static const char *put_qcow2(void *to, uint64_t offset, uint64_t size)
{
    (void)size;
    return qcow2_write(to, offset, block);
}

static const char *write_out(struct store *store, const char *name, int file, bool qcow2)
{
    uint64_t bytes = pool_record(pool_find(store_pool(store), name))->sectors * POOL_SECTOR;
    struct qcow2_writer *writer;
    const char *why;
    if (!qcow2) {
        why = raw_create(file, bytes);
        return why ? why : each_block(store, name, &file, put_raw);
    }
    why = qcow2_create(&writer, file, bytes);
    if (!why)
        why = each_block(store, name, writer, put_qcow2);
    return why ? why : qcow2_finish(writer);
}

const char *copy_out(struct store *store, const char *volume, const char *path, const char *format)
{
    if (format && strcmp(format, "raw") != 0 && strcmp(format, "qcow2") != 0)
        return "there is no such format";
    if (!pool_find(store_pool(store), volume))
        return "there is no such volume";
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0)
        die("%s: %s", path, strerror(errno));
    const char *why = write_out(store, volume, file, format && !strcmp(format, "qcow2"));
    if (!why && fsync(file))
        why = strerror(errno);
    close(file);
    return why;
}
