/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/package.h"
#include "lib/sha256.h"

/* --- messages: text, numbers, names, cut where the buffer ends --- */
static void say(struct package *package, const char *text)
{
    uint32_t n = 0;
    while (package->error[n])
        n++;
    for (; *text && n + 1 < PACKAGE_ERROR; text++)
        package->error[n++] = *text;
    package->error[n] = 0;
}

static void say_number(struct package *package, uint64_t value)
{
    char digits[21];
    uint32_t at = sizeof(digits) - 1;
    digits[at] = 0;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    say(package, digits + at);
}

static int fail(struct package *package, const char *text)
{
    package->error[0] = 0;
    say(package, "boot package: ");
    say(package, text);
    return -1;
}

static int fail_pair(struct package *package, const char *before, uint64_t a, const char *middle,
                     uint64_t b, const char *after)
{
    fail(package, before);
    say_number(package, a);
    say(package, middle);
    say_number(package, b);
    say(package, after);
    return -1;
}

static int fail_file(struct package *package, const char *name, const char *text)
{
    fail(package, "file '");
    say(package, name);
    say(package, "' ");
    say(package, text);
    return -1;
}

static int fail_entry(struct package *package, uint32_t number, const char *text)
{
    fail(package, "index entry ");
    say_number(package, number);
    say(package, " ");
    say(package, text);
    return -1;
}

/* --- header --- */
static int is_header(const struct package_header *header)
{
    return __builtin_memcmp(header->magic, PACKAGE_MAGIC, sizeof(header->magic)) == 0;
}

static uint64_t index_bytes(const struct package_header *header)
{
    return sizeof(*header) + (uint64_t)header->file_count * sizeof(struct package_file);
}

uint64_t package_index_bytes(const void *base, uint64_t reachable)
{
    struct package_header header;
    if (reachable < sizeof(header))
        return 0;
    __builtin_memcpy(&header, base, sizeof(header));
    return is_header(&header) && header.file_count <= PACKAGE_MAX_FILES ? index_bytes(&header) : 0;
}

static int check_header(struct package *package, const struct package_header *header)
{
    uint64_t size = package->size;
    if (!is_header(header))
        return fail(package, "this is not a Mullion boot package (wrong magic number)");
    if (header->version != PACKAGE_VERSION)
        return fail_pair(package, "it has version ", header->version,
                         ", this Mullion reads version ", PACKAGE_VERSION, "");
    if (size < header->total_size)
        return fail_pair(package, "cut at ", size, " of ", header->total_size, " bytes");
    if (size > header->total_size)
        return fail_pair(package, "", size - header->total_size, " bytes follow its end at ",
                         header->total_size, "");
    if (header->file_count > PACKAGE_MAX_FILES)
        return fail_pair(package, "", header->file_count, " files, at most ", PACKAGE_MAX_FILES,
                         " are allowed");
    if (index_bytes(header) > size)
        return fail_pair(package, "the index ends at ", index_bytes(header), ", the package at ",
                         size, "");
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

static int compare(const char *a, const char *b)
{
    for (; *a && *a == *b; a++, b++)
        ;
    return (unsigned char)*a - (unsigned char)*b;
}

static int check_file(struct package *package, uint32_t number, uint64_t *end)
{
    const struct package_file *file = &package->file[number];
    if (!name_is_good(file->name))
        return fail_entry(package, number, "has an impossible name");
    if (number && compare(file[-1].name, file->name) >= 0)
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
        return fail_pair(package, "cut at ", size, " bytes, inside its header of ", sizeof(header),
                         "");
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
        int order = compare(name, package->file[middle].name);
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
    if (__builtin_memcmp(digest, file->sha256, sizeof(digest)) != 0) {
        fail(package, "file '");
        say(package, file->name);
        say(package, "': SHA-256 does not match");
        return -1;
    }
    return 0;
}
