/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine whose configuration space answers with whatever the input says: every walk ends, and
 * nothing is read outside. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "drivers/pci/bar.c"
#include "drivers/pci/capability.c"
#include "drivers/pci/class.c"
#include "drivers/pci/enumerate.c"
#include "drivers/pci/function.c"
#include "drivers/pci/msi.c"

void log_line(const char *format, ...)
{
    (void)format;
}

#define FUNCTIONS_MAX 64u
static const uint8_t *input;
static size_t input_size;
static uint32_t written[0x400][2]; /* the last offset and value written to a function */

/* The input is a pool of words, chosen by function and offset: few bytes make a whole machine. */
static uint32_t fuzz_read(const struct pci_access *access, pci_id_t id, uint32_t offset)
{
    uint32_t value;
    (void)access;
    if (offset % 4 || offset >= PCI_CONFIG_SIZE)
        abort();
    if (written[id.v][0] == offset + 1)
        return written[id.v][1];
    size_t functions = input_size / 256 + 1;
    size_t at = (size_t)(id.v % FUNCTIONS_MAX) % functions * 256 + offset % 256;
    if (id.v / FUNCTIONS_MAX % 8 || at + 4 > input_size)
        return UINT32_MAX;
    memcpy(&value, input + at, 4);
    return value;
}

static void fuzz_write(const struct pci_access *access, pci_id_t id, uint32_t offset,
                       uint32_t value)
{
    (void)access;
    if (offset % 4 || offset >= PCI_CONFIG_SIZE)
        abort();
    if (input_size && input[0] & 1) {
        written[id.v][0] = offset + 1;
        written[id.v][1] = value & 0xfffff00fu;
    }
}

static void no_wait(uint64_t ns)
{
    (void)ns;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pci_device devices[64];
    struct pci_access access = {fuzz_read, fuzz_write, NULL, 0, 3};
    struct pci_msix msix;
    input = data;
    input_size = size;
    memset(written, 0, sizeof(written));
    uint32_t count = pci_enumerate(&access, devices, 64);
    if (count > 64)
        abort();
    for (uint32_t i = 0; i < count; i++) {
        const struct pci_device *d = &devices[i];
        for (uint32_t b = 0; b < PCI_BARS; b++) {
            const struct pci_bar *bar = &d->bar[b];
            if (bar->kind && (bar->base + bar->size - 1 < bar->base || !bar->size))
                abort();
        }
        pci_find_extended(&access, d, 0x10);
        if (!pci_msix_read(&access, d, &msix) &&
            msix.table_offset + msix.vectors * 16ull > d->bar[msix.table_bar].size)
            abort();
        pci_msi_enable(&access, d, 0xfee00000, 0x40);
        pci_reset_function(&access, d, no_wait);
        pci_class_name(d->class_code);
    }
    return 0;
}
