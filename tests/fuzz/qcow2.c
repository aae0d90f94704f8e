/* SPDX-License-Identifier: BSD-2-Clause */
/* An image that anyone may have written: what is read lies in it, and reading ends. */
#include <stdlib.h>
#include <string.h>
#include "tools/img/qcow2_read.c"

struct memory {
    const uint8_t *data;
    size_t size;
};

static bool read_memory(void *context, uint64_t offset, void *data, size_t size)
{
    const struct memory *m = context;
    if (offset > m->size || size > m->size - offset)
        abort();
    memcpy(data, m->data + offset, size);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t block[IMAGE_BLOCK];
    struct memory memory = {data, size};
    struct qcow2_source source = {.context = &memory, .size = size, .read = read_memory};
    struct image image;
    bool hole;
    if (qcow2_open(&image, &source))
        return 0;
    if (!image.size || image.size % 512)
        abort();
    uint64_t blocks = (image.size + IMAGE_BLOCK - 1) / IMAGE_BLOCK;
    for (uint64_t i = 0; i < blocks && i < 24; i++)
        image.read(&image, i * IMAGE_BLOCK, block, &hole);
    image.read(&image, (blocks - 1) * IMAGE_BLOCK, block, &hole);
    image.close(&image);
    return 0;
}
