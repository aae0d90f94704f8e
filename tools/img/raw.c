/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tools/img/image.h"

static const char *read_raw(struct image *image, uint64_t offset, void *data, bool *hole)
{
    int file = (int)(intptr_t)image->state;
    size_t have = 0;
    *hole = false;
    while (have < IMAGE_BLOCK) {
        ssize_t n = pread(file, (uint8_t *)data + have, IMAGE_BLOCK - have, (off_t)(offset + have));
        if (n < 0 && errno != EINTR)
            return strerror(errno);
        if (!n)
            break;
        have += n > 0 ? (size_t)n : 0;
    }
    memset((uint8_t *)data + have, 0, IMAGE_BLOCK - have);
    return NULL;
}

static void close_raw(struct image *image)
{
    (void)image;
}

const char *raw_open(struct image *image, int file)
{
    off_t end = lseek(file, 0, SEEK_END);
    if (end <= 0)
        return end ? strerror(errno) : "the image is empty";
    *image = (struct image){.size = ((uint64_t)end + 511) & ~511ull,
                            .state = (void *)(intptr_t)file,
                            .read = read_raw,
                            .close = close_raw};
    return NULL;
}

const char *raw_create(int file, uint64_t size)
{
    return ftruncate(file, 0) || ftruncate(file, (off_t)size) ? strerror(errno) : NULL;
}

const char *raw_write(int file, uint64_t offset, const void *data, uint64_t size)
{
    const uint8_t *bytes = data;
    while (size) {
        ssize_t n = pwrite(file, bytes, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? strerror(errno) : "nothing is written";
        bytes += n;
        offset += (uint64_t)n;
        size -= (uint64_t)n;
    }
    return NULL;
}
