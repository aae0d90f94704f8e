/* SPDX-License-Identifier: BSD-2-Clause */
/* Command register and reset of one function. */
#include "drivers/pci/pci.h"

#include <stddef.h>

#define HEADER_WORDS        16u
#define FIRST_BAR_WORD      4u
#define EXPRESS_DEVICE_CAP  4u
#define EXPRESS_DEVICE      8u /* control 15:0, status 31:16 */
#define EXPRESS_CAP_FLR     (1u << 28)
#define EXPRESS_CONTROL_FLR (1u << 15)
#define EXPRESS_PENDING     (1u << 21)
#define AF_CAP              0u /* capabilities of the capability in 31:24 */
#define AF_CAP_TP           (1u << 24)
#define AF_CAP_FLR          (1u << 25)
#define AF_CONTROL          4u /* control 7:0, status 15:8 */
#define AF_PENDING          (1u << 8)
/* PCI Express Base Specification, "Function-Level Reset (FLR)". */
#define FLR_NS        100000000ull
#define PENDING_NS    10000000ull
#define PENDING_TRIES 10u

void pci_command(const struct pci_access *access, pci_id_t id, uint32_t set, uint32_t clear)
{
    uint32_t old = access->read(access, id, PCI_COMMAND) & 0xffffu;
    uint32_t new = (old & ~clear) | set;
    if (new != old)
        access->write(access, id, PCI_COMMAND, new);
}

void pci_intx(const struct pci_access *access, const struct pci_device *device, bool on)
{
    pci_command(access, device->id, on ? 0 : PCI_COMMAND_NO_INTX, on ? PCI_COMMAND_NO_INTX : 0);
}

/* Requests on their way end by themselves; one that never does is left to the reset. */
static void drain(const struct pci_access *access, pci_id_t id, uint32_t offset, uint32_t bit,
                  void (*wait)(uint64_t ns))
{
    for (uint32_t i = 0; i < PENDING_TRIES && (access->read(access, id, offset) & bit); i++)
        wait(PENDING_NS);
}

bool pci_reset_function(const struct pci_access *access, const struct pci_device *device,
                        void (*wait)(uint64_t ns))
{
    uint32_t header[HEADER_WORDS];
    uint32_t express = device->cap_express, af = device->cap_af;
    pci_id_t id = device->id;
    bool by_express =
        express && (access->read(access, id, express + EXPRESS_DEVICE_CAP) & EXPRESS_CAP_FLR);
    bool by_af = af && !(~access->read(access, id, af + AF_CAP) & (AF_CAP_TP | AF_CAP_FLR));
    if (!by_express && !by_af)
        return false;
    pci_command(access, id, PCI_COMMAND_NO_INTX, PCI_COMMAND_MASTER);
    for (uint32_t i = 0; i < HEADER_WORDS; i++)
        header[i] = access->read(access, id, i * 4);
    if (by_express) {
        uint32_t at = express + EXPRESS_DEVICE;
        drain(access, id, at, EXPRESS_PENDING, wait);
        uint32_t control = access->read(access, id, at) & 0xffffu;
        access->write(access, id, at, control | EXPRESS_CONTROL_FLR);
    } else {
        drain(access, id, af + AF_CONTROL, AF_PENDING, wait);
        access->write(access, id, af + AF_CONTROL, 1);
    }
    wait(FLR_NS);
    for (uint32_t i = FIRST_BAR_WORD; i < HEADER_WORDS; i++)
        access->write(access, id, i * 4, header[i]);
    access->write(access, id, 3 * 4, header[3]);
    access->write(access, id, PCI_COMMAND, header[1] & 0xffffu);
    return true;
}
