/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "lib/sha256.c"

static int digest_is(const void *data, size_t size, const char *hex)
{
    struct sha256 hash;
    uint8_t digest[SHA256_BYTES];
    char text[2 * SHA256_BYTES + 1];
    sha256_init(&hash);
    sha256_update(&hash, data, size);
    sha256_final(&hash, digest);
    for (unsigned i = 0; i < SHA256_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return strcmp(text, hex) == 0;
}

/* The examples that NIST publishes with FIPS 180-4. */
TEST(nist_examples)
{
    CHECK(digest_is("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    CHECK(digest_is("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    CHECK(digest_is(two, 56, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"));
    const char *four = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                       "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
    CHECK(digest_is(four, 112, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"));
}

TEST(million_times_a)
{
    char *data = malloc(1000000);
    CHECK(data);
    memset(data, 'a', 1000000);
    int same = digest_is(data, 1000000,
                         "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(data);
    CHECK(same);
}

/* Every way to cut a text of three blocks gives the digest of the whole. */
TEST(pieces)
{
    uint8_t data[200], whole[SHA256_BYTES], parts[SHA256_BYTES];
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7 + 3);
    for (size_t size = 0; size <= sizeof(data); size++) {
        struct sha256 hash;
        sha256_init(&hash);
        sha256_update(&hash, data, size);
        sha256_final(&hash, whole);
        for (size_t cut = 0; cut <= size; cut++) {
            sha256_init(&hash);
            sha256_update(&hash, data, cut);
            sha256_update(&hash, data + cut, size - cut);
            sha256_final(&hash, parts);
            CHECK(memcmp(whole, parts, sizeof(whole)) == 0);
        }
    }
}
