/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "lib/format.c"
#include "lib/sha256.c"
#include "lib/package.c"

#define FILES  3u
#define BYTES  (3u * 4096u + 10u)
#define HEADER ((struct package_header *)image)
#define ENTRY  ((struct package_file *)(image + sizeof(struct package_header)))

static _Alignas(8) uint8_t image[BYTES];
static struct package package;

static void hash_of(const void *data, size_t size, uint8_t *digest)
{
    struct sha256 hash;
    sha256_init(&hash);
    sha256_update(&hash, data, size);
    sha256_final(&hash, digest);
}

/* After a change of the index that shall not be found by its hash. */
static void seal(void)
{
    memset(HEADER->sha256, 0, 32);
    uint64_t size =
        sizeof(struct package_header) + HEADER->file_count * sizeof(struct package_file);
    hash_of(image, size < BYTES ? size : BYTES, HEADER->sha256);
}

static void make(void)
{
    static const char *const names[FILES] = {"console", "manager", "set/alpha.xml"};
    static const uint64_t sizes[FILES] = {100, 4096, 10};
    memset(image, 0, sizeof(image));
    memcpy(HEADER->magic, "MULLION", 8);
    HEADER->version = 1;
    HEADER->file_count = FILES;
    HEADER->total_size = BYTES;
    for (unsigned i = 0; i < FILES; i++) {
        strcpy(ENTRY[i].name, names[i]);
        ENTRY[i].offset = (i + 1) * 4096ull;
        ENTRY[i].size = sizes[i];
        memset(image + ENTRY[i].offset, (int)('a' + i), sizes[i]);
        hash_of(image + ENTRY[i].offset, sizes[i], ENTRY[i].sha256);
    }
    seal();
}

static int refused(const char *message)
{
    int bad = package_open(&package, image, BYTES);
    if (bad && strcmp(package.error, message) != 0)
        printf("said: %s\n", package.error);
    return bad && strcmp(package.error, message) == 0 && package.count == 0;
}

TEST(good)
{
    make();
    CHECK_EQ(package_open(&package, image, BYTES), 0);
    CHECK_EQ(package.count, FILES);
    for (unsigned i = 0; i < FILES; i++) {
        CHECK(package_find(&package, ENTRY[i].name) == &package.file[i]);
        CHECK_EQ(
            package_verify(&package, &package.file[i], package_data(&package, &package.file[i])),
            0);
    }
    CHECK(package_find(&package, "set/beta.xml") == NULL);
    CHECK(strcmp(package.error, "boot package: file 'set/beta.xml' is missing") == 0);
    CHECK(package_find(&package, "") == NULL && package_find(&package, "manage") == NULL);
}

/* Cut anywhere, in a buffer of exactly that size so that ASan sees a read behind it. */
TEST(cut_at_every_byte)
{
    make();
    for (size_t size = 0; size < BYTES; size++) {
        uint8_t *copy = malloc(size ? size : 1);
        CHECK(copy);
        memcpy(copy, image, size);
        int status = package_open(&package, copy, size);
        free(copy);
        CHECK_EQ(status, -1);
        char message[100];
        snprintf(message, sizeof(message), "boot package: cut at %zu of %u bytes", size, BYTES);
        CHECK(size < 64 || strcmp(package.error, message) == 0);
    }
    CHECK(package_open(&package, image, 63) == -1 &&
          strcmp(package.error, "boot package: cut at 63 bytes, inside its header of 64") == 0);
}

TEST(every_bit_flip_is_found)
{
    make();
    uint32_t index = 64 + FILES * 176;
    for (uint32_t bit = 0; bit < BYTES * 8; bit += bit / 8 < index ? 1 : 3) {
        uint32_t at = bit / 8;
        image[at] ^= (uint8_t)(1u << bit % 8);
        int opened = package_open(&package, image, BYTES);
        if (at < index) {
            CHECK_EQ(opened, -1);
        } else {
            CHECK_EQ(opened, 0);
            for (unsigned i = 0; i < FILES; i++) {
                const struct package_file *file = &package.file[i];
                int inside = at >= file->offset && at < file->offset + file->size;
                CHECK_EQ(package_verify(&package, file, package_data(&package, file)),
                         inside ? -1 : 0);
            }
        }
        image[at] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK_EQ(package_open(&package, image, BYTES), 0);
}

TEST(messages_name_the_file)
{
    make();
    image[2 * 4096 + 5] ^= 1;
    CHECK_EQ(package_open(&package, image, BYTES), 0);
    CHECK_EQ(package_verify(&package, &package.file[1], image + 2 * 4096), -1);
    CHECK(!strcmp(package.error, "boot package: file 'manager': SHA-256 does not match"));
    make();
    ENTRY[1].name[0] = 'M';
    CHECK(refused("boot package: header and index: SHA-256 does not match"));
}

/* A package whose hash is right and whose index is hostile. */
TEST(hostile_index)
{
    make();
    ENTRY[1].offset = 4096 * 2 + 1;
    seal();
    CHECK(refused("boot package: file 'manager' does not start on a page boundary"));
    make();
    ENTRY[1].offset = 4096;
    seal();
    CHECK(refused("boot package: file 'manager' overlaps what stands before it"));
    make();
    ENTRY[0].offset = 0;
    seal();
    CHECK(refused("boot package: file 'console' overlaps what stands before it"));
    make();
    ENTRY[2].size = 11;
    seal();
    CHECK(refused("boot package: file 'set/alpha.xml' reaches past the end of the package"));
    make();
    ENTRY[2].size = ~0ull;
    seal();
    CHECK(refused("boot package: file 'set/alpha.xml' reaches past the end of the package"));
    make();
    ENTRY[2].offset = ~0xfffull;
    seal();
    CHECK(refused("boot package: file 'set/alpha.xml' reaches past the end of the package"));
    make();
    strcpy(ENTRY[1].name, "console");
    seal();
    CHECK(refused("boot package: file 'console' is not in alphabetical order in the index"));
    make();
    memset(ENTRY[1].name, 'x', PACKAGE_NAME);
    seal();
    CHECK(refused("boot package: index entry 1 has an impossible name"));
    make();
    ENTRY[1].name[PACKAGE_NAME - 1] = 'x';
    seal();
    CHECK(refused("boot package: index entry 1 has an impossible name"));
    make();
    ENTRY[0].name[0] = '\n';
    seal();
    CHECK(refused("boot package: index entry 0 has an impossible name"));
}

TEST(hostile_header)
{
    make();
    HEADER->file_count = 1000;
    seal();
    CHECK(refused("boot package: the index ends at 176064, the package at 12298"));
    make();
    HEADER->file_count = 0xffffffff;
    CHECK(refused("boot package: 4294967295 files, at most 8192 are allowed"));
    make();
    HEADER->total_size--;
    seal();
    CHECK(refused("boot package: 1 bytes follow its end at 12297"));
    make();
    HEADER->version = 2;
    seal();
    CHECK(refused("boot package: it has version 2, this Mullion reads version 1"));
    make();
    image[0] = 'm';
    CHECK(refused("boot package: this is not a Mullion boot package (wrong magic number)"));
}
