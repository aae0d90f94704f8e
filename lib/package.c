/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/package.h"
#include "lib/format.h"
#include "lib/sha256.h"

/* What is wrong, cut where the buffer ends. */
__attribute__((format(printf, 2, 3))) static int fail(struct package *package, const char *format,
                                                      ...)
{
    va_list args;
    size_t n = format_text(package->error, PACKAGE_ERROR, "boot package: ");
    va_start(args, format);
    format_args(package->error + n, PACKAGE_ERROR - n, format, args);
    va_end(args);
    return -1;
}

static int fail_file(struct package *package, const char *name, const char *text)
{
    return fail(package, "file '%s' %s", name, text);
}

/* --- header --- */
static uint64_t index_bytes(const struct package_header *header)
{
    return sizeof(*header) + (uint64_t)header->file_count * sizeof(struct package_file);
}

static int check_header(struct package *package, const struct package_header *header)
{
    uint64_t size = package->size;
    if (__builtin_memcmp(header->magic, PACKAGE_MAGIC, sizeof(header->magic)) != 0)
        return fail(package, "this is not a Mullion boot package (wrong magic number)");
    if (header->version != PACKAGE_VERSION)
        return fail(package, "it has version %u, this Mullion reads version %u", header->version,
                    PACKAGE_VERSION);
    if (size < header->total_size)
        return fail(package, "cut at %lu of %lu bytes", size, header->total_size);
    if (size > header->total_size)
        return fail(package, "%lu bytes follow its end at %lu", size - header->total_size,
                    header->total_size);
    if (header->file_count > PACKAGE_MAX_FILES)
        return fail(package, "%u files, at most %u are allowed", header->file_count,
                    PACKAGE_MAX_FILES);
    if (index_bytes(header) > size)
        return fail(package, "the index ends at %lu, the package at %lu", index_bytes(header),
                    size);
    return 0;
}

/* --- index --- */
static int name_is_good(const char *name)
{
    uint32_t n = 0;
    for (; n < PACKAGE_NAME && name[n]; n++)
        if ((unsigned char)name[n] < ' ' || name[n] == 127)
            return 0;
    if (n == 0 || n == PACKAGE_NAME)
        return 0;
    for (; n < PACKAGE_NAME; n++)
        if (name[n])
            return 0;
    return 1;
}

static int check_file(struct package *package, uint32_t number, uint64_t *end)
{
    const struct package_file *file = &package->file[number];
    if (!name_is_good(file->name))
        return fail(package, "index entry %u has an impossible name", number);
    if (number && __builtin_strcmp(file[-1].name, file->name) >= 0)
        return fail_file(package, file->name, "is not in alphabetical order in the index");
    if (file->offset % PACKAGE_ALIGN)
        return fail_file(package, file->name, "does not start on a page boundary");
    if (file->offset < *end)
        return fail_file(package, file->name, "overlaps what stands before it");
    if (file->offset > package->size || file->size > package->size - file->offset)
        return fail_file(package, file->name, "reaches past the end of the package");
    *end = file->offset + file->size;
    return 0;
}

int package_open(struct package *package, const void *base, uint64_t size)
{
    struct package_header header;
    struct sha256 hash;
    uint8_t digest[SHA256_BYTES];

    *package = (struct package){.base = base, .size = size};
    if (size < sizeof(header))
        return fail(package, "cut at %lu bytes, inside its header of %lu", size, sizeof(header));
    if ((uintptr_t)base % _Alignof(struct package_file))
        return fail(package, "it is not aligned in memory");
    __builtin_memcpy(&header, base, sizeof(header));
    if (check_header(package, &header))
        return -1;

    uint8_t stored[SHA256_BYTES];
    __builtin_memcpy(stored, header.sha256, sizeof(stored));
    __builtin_memset(header.sha256, 0, sizeof(header.sha256));
    sha256_init(&hash);
    sha256_update(&hash, &header, sizeof(header));
    sha256_update(&hash, package->base + sizeof(header), index_bytes(&header) - sizeof(header));
    sha256_final(&hash, digest);
    if (__builtin_memcmp(digest, stored, sizeof(digest)) != 0)
        return fail(package, "header and index: SHA-256 does not match");

    package->file = (const void *)(package->base + sizeof(header));
    uint64_t end = index_bytes(&header);
    for (uint32_t i = 0; i < header.file_count; i++)
        if (check_file(package, i, &end))
            return -1;
    package->count = header.file_count;
    return 0;
}

const struct package_file *package_find(struct package *package, const char *name)
{
    uint32_t low = 0, high = package->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = __builtin_strcmp(name, package->file[middle].name);
        if (order == 0)
            return &package->file[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    fail_file(package, name, "is missing");
    return NULL;
}

int package_verify(struct package *package, const struct package_file *file, const void *data)
{
    struct sha256 hash;
    uint8_t digest[SHA256_BYTES];
    sha256_init(&hash);
    sha256_update(&hash, data, file->size);
    sha256_final(&hash, digest);
    if (__builtin_memcmp(digest, file->sha256, sizeof(digest)) != 0)
        return fail(package, "file '%s': SHA-256 does not match", file->name);
    return 0;
}
