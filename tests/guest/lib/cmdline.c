/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of the command line. */
#include "guest.h"

#define PVH_MAGIC       0x336ec578u
#define MULTIBOOT_MAGIC 0x2badb002u

static uint64_t at(uint64_t address, uint32_t size)
{
    uint64_t value = 0;
    memcpy(&value, (const void *)address, size);
    return value;
}

const char *guest_command_line(void)
{
    uint64_t text = 0;
    if (boot_magic == MULTIBOOT_MAGIC)
        text = at(boot_info, 4) & 4 ? at(boot_info + 16, 4) : 0;
    else if (at(boot_info, 4) == PVH_MAGIC)
        text = at(boot_info + 24, 8);
    return text ? (const char *)text : "";
}

bool guest_has_word(const char *word)
{
    const char *text = guest_command_line();
    for (size_t length = 0;; length++)
        if (!word[length])
            for (;; text++) {
                if (!memcmp(text, word, length) && (text[length] <= ' '))
                    return true;
                if (!*text)
                    return false;
            }
}
