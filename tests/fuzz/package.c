/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot package reader. The hash of the index is made right first, or nothing behind it would
 * ever be reached. */
#include <stdlib.h>
#include <string.h>
#include "lib/format.c"
#include "lib/sha256.c"
#include "lib/package.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seal(uint8_t *image, size_t size)
{
    struct sha256 hash;
    uint64_t bytes = size < 64 ? 0 : index_bytes((const struct package_header *)image);
    if (bytes == 0 || bytes > size)
        return;
    memset(image + 32, 0, 32);
    sha256_init(&hash);
    sha256_update(&hash, image, bytes);
    sha256_final(&hash, image + 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct package package;
    uint8_t *image = malloc(size ? size : 1);
    if (!image)
        return 0;
    memcpy(image, data, size);
    seal(image, size);
    if (package_open(&package, image, size) == 0) {
        for (uint32_t i = 0; i < package.count; i++) {
            const struct package_file *file = &package.file[i];
            if (package_find(&package, file->name) != file)
                abort();
            package_verify(&package, file, package_data(&package, file));
        }
        package_find(&package, "manager");
    } else if (package.error[0] == 0) {
        abort();
    }
    free(image);
    return 0;
}
