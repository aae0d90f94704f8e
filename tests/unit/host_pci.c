/* SPDX-License-Identifier: BSD-2-Clause */
/* Enumeration, BARs, capabilities, MSI and MSI-X over simulated configuration spaces, of honest and
 * of hostile devices. */
#include "fake/log.h"
#include "test.h"
#include "drivers/pci/bar.c"
#include "drivers/pci/capability.c"
#include "drivers/pci/class.c"
#include "drivers/pci/ecam.c"
#include "drivers/pci/enumerate.c"
#include "drivers/pci/function.c"
#include "drivers/pci/msi.c"
#include "drivers/pci/virtio.c"

/* A function: its words, and which bits of each can be written. */
struct function {
    pci_id_t id;
    uint32_t word[PCI_CONFIG_SIZE / 4], writable[PCI_CONFIG_SIZE / 4];
    uint32_t clearable[PCI_CONFIG_SIZE / 4]; /* by writing ones */
    bool decoded_while_sized;
    uint32_t resets;
};
static struct function functions[16];
static uint32_t function_count;

static struct function *find(pci_id_t id)
{
    for (uint32_t i = 0; i < function_count; i++) {
        if (functions[i].id.v == id.v)
            return &functions[i];
    }
    return NULL;
}

static uint32_t sim_read(const struct pci_access *access, pci_id_t id, uint32_t offset)
{
    const struct function *f = find(id);
    (void)access;
    return f ? f->word[offset / 4] : UINT32_MAX;
}

static void sim_write(const struct pci_access *access, pci_id_t id, uint32_t offset, uint32_t value)
{
    struct function *f = find(id);
    uint32_t i = offset / 4;
    (void)access;
    if (!f)
        return;
    if (i >= 4 && i < 10 && value == UINT32_MAX && (f->word[1] & 3))
        f->decoded_while_sized = true;
    f->word[i] =
        ((f->word[i] & ~f->writable[i]) | (value & f->writable[i])) & ~(value & f->clearable[i]);
    if (i == 0x48 / 4 && (value & EXPRESS_CONTROL_FLR)) {
        f->resets++;
        f->word[4] = f->word[5] = 0;
        f->word[1] &= 0xffff0000u;
        f->word[i] &= ~EXPRESS_CONTROL_FLR;
    }
}

static struct pci_access sim = {sim_read, sim_write, NULL, 0, 255};

static void begin(void)
{
    memset(functions, 0, sizeof(functions));
    function_count = 0;
    logged[0] = 0;
    sim.bus_first = 0;
    sim.bus_last = 255;
}

static struct function *add(pci_id_t id, uint32_t class_code)
{
    struct function *f = &functions[function_count++];
    f->id = id;
    f->word[0] = 0x29228086;
    f->word[1] = 0x00000007; /* decoding and bus mastering are on */
    f->writable[1] = 0x0000ffff;
    f->clearable[1] = 0xf9000000;
    f->word[2] = class_code << 8 | 2;
    f->word[0x2c / 4] = 0x11001af4;
    f->word[0x3c / 4] = 0x010a;
    f->writable[0x3c / 4] = 0xff;
    return f;
}

static void set_bar(struct function *f, uint32_t index, uint32_t value, uint32_t writable)
{
    f->word[4 + index] = value;
    f->writable[4 + index] = writable;
}

static struct function *add_bridge(pci_id_t id, uint32_t primary, uint32_t secondary,
                                   uint32_t subordinate)
{
    struct function *f = add(id, 0x060400);
    f->word[3] = 1 << 16;
    f->word[6] = subordinate << 16 | secondary << 8 | primary;
    return f;
}

static struct pci_device devices[16];

TEST(device_is_read)
{
    begin();
    struct function *f = add(PCI_ID(0, 0x1f, 0), 0x010601);
    f->word[3] = 0x80 << 16;
    f->word[1] |= 0xf9000000; /* error bits, cleared by ones */
    set_bar(f, 4, 0xc041, 0xffe0);
    set_bar(f, 5, 0xfebd1000, 0xfffff000);
    CHECK_EQ(pci_enumerate(&sim, devices, 16), 1);
    const struct pci_device *d = &devices[0];
    CHECK_EQ(d->id.v, 0xf8);
    CHECK_EQ(d->vendor, 0x8086);
    CHECK_EQ(d->device, 0x2922);
    CHECK_EQ(d->class_code, PCI_CLASS_AHCI);
    CHECK_EQ(d->revision, 2);
    CHECK_EQ(d->subsystem, 0x1100);
    CHECK_EQ(d->interrupt_line, 10);
    CHECK_EQ(d->interrupt_pin, 1);
    CHECK_EQ(d->bar[4].kind, PCI_BAR_IO);
    CHECK_EQ(d->bar[4].base, 0xc040);
    CHECK_EQ(d->bar[4].size, 32);
    CHECK_EQ(d->bar[5].kind, PCI_BAR_MEMORY);
    CHECK_EQ(d->bar[5].base, 0xfebd1000);
    CHECK_EQ(d->bar[5].size, 4096);
    CHECK_EQ(d->bar[0].kind, PCI_BAR_NONE);
    /* All is as before: BARs, decoding, and no error bit was cleared. */
    CHECK_EQ(f->word[9], 0xfebd1000);
    CHECK_EQ(f->word[1], 0xf9000007);
    CHECK(!f->decoded_while_sized);
    CHECK(!logged[0]);
}

TEST(bars_of_64_bits)
{
    begin();
    struct function *f = add(PCI_ID(0, 3, 0), 0x020000);
    set_bar(f, 0, 0x0000000c, 0xfffffff0); /* 8 GiB at 16 GiB, prefetchable */
    set_bar(f, 1, 0x00000004, 0xfffffffe);
    f->writable[4] = 0;
    set_bar(f, 2, 0xe000000c, 0xff000000); /* 16 MiB */
    set_bar(f, 3, 0, 0xffffffff);
    CHECK_EQ(pci_enumerate(&sim, devices, 16), 1);
    const struct pci_bar *bar = devices[0].bar;
    CHECK_EQ(bar[0].base, 0x400000000);
    CHECK_EQ(bar[0].size, 0x200000000);
    CHECK(bar[0].is_64 && bar[0].prefetchable);
    CHECK_EQ(bar[1].kind, PCI_BAR_NONE);
    CHECK_EQ(bar[2].base, 0xe0000000);
    CHECK_EQ(bar[2].size, 1 << 24);
    CHECK_EQ(f->word[5], 4);
}

/* Each is left out, and the log says which and why. */
static bool is_refused(const char *why)
{
    uint32_t count = pci_enumerate(&sim, devices, 16);
    if (count == 0 && strstr(logged, "pci_0000_00_03_0: left out: ") && strstr(logged, why))
        return true;
    printf("%u devices, log: %s\n", count, logged);
    return false;
}

TEST(bad_bars)
{
    begin();
    set_bar(add(PCI_ID(0, 3, 0), 0x020000), 5, 0xfe000004, 0xff000000);
    CHECK(is_refused("a 64-bit BAR has no second half"));
    begin();
    set_bar(add(PCI_ID(0, 3, 0), 0x020000), 0, 0xfe000006, 0xff000000);
    CHECK(is_refused("reserved type"));
    begin();
    set_bar(add(PCI_ID(0, 3, 0), 0x020000), 0, 0xfe000000, 0xff0f0000);
    CHECK(is_refused("no power of two"));
    begin();
    set_bar(add(PCI_ID(0, 3, 0), 0x020000), 0, 1, 0);
    CHECK(is_refused("decodes no address bits"));
    begin();
    set_bar(add(PCI_ID(0, 3, 0), 0x020000), 1, 0xd001, 0xf0fc);
    CHECK(is_refused("no power of two"));
    begin();
    struct function *f = add(PCI_ID(0, 3, 0), 0x020000);
    set_bar(f, 0, 0x0000000c, 0);
    CHECK(is_refused("decodes no address bits"));
    begin();
    add(PCI_ID(0, 3, 0), 0x020000)->word[3] = 2 << 16;
    CHECK(is_refused("unknown type"));
    begin();
    add(PCI_ID(0, 3, 0), 0x020000)->word[0x3c / 4] = 0x500;
    CHECK(is_refused("interrupt pin"));
}

TEST(functions_of_a_device)
{
    begin();
    add(PCI_ID(0, 3, 0), 0x020000);
    add(PCI_ID(0, 3, 1), 0x020000); /* not told of by function 0 */
    add(PCI_ID(0, 4, 0), 0x020000)->word[3] = 0x80 << 16;
    add(PCI_ID(0, 4, 7), 0x010601);
    /* Function 0 is malformed: the others still count. */
    struct function *bad = add(PCI_ID(0, 5, 0), 0x020000);
    bad->word[3] = 0x80 << 16;
    bad->word[0x3c / 4] = 0x900;
    add(PCI_ID(0, 5, 3), 0x020000);
    CHECK_EQ(pci_enumerate(&sim, devices, 16), 4);
    CHECK_EQ(devices[1].id.v, PCI_ID(0, 4, 0).v);
    CHECK_EQ(devices[2].id.v, PCI_ID(0, 4, 7).v);
    CHECK_EQ(devices[3].id.v, PCI_ID(0, 5, 3).v);
    CHECK_EQ(pci_enumerate(&sim, devices, 2), 2);
    CHECK(strstr(logged, "only the first 2 devices are used"));
}

TEST(bridges_lead_on)
{
    begin();
    add_bridge(PCI_ID(0, 1, 0), 0, 1, 3);
    add_bridge(PCI_ID(1, 0, 0), 1, 2, 2);
    add_bridge(PCI_ID(1, 1, 0), 1, 0, 0); /* firmware gave it no buses */
    add(PCI_ID(2, 0, 0), 0x010601);
    add(PCI_ID(0x80, 2, 0), 0x020000); /* behind a host bridge of its own */
    CHECK_EQ(pci_enumerate(&sim, devices, 16), 5);
    CHECK_EQ(devices[3].id.v, PCI_ID(2, 0, 0).v);
    CHECK_EQ(devices[4].id.v, PCI_ID(0x80, 2, 0).v);
    CHECK_EQ(devices[0].subordinate, 3);
    CHECK(!logged[0]);
}

TEST(hostile_bridges_end)
{
    begin();
    add_bridge(PCI_ID(0, 1, 0), 0, 1, 255);
    add_bridge(PCI_ID(1, 0, 0), 1, 1, 1); /* to itself */
    add_bridge(PCI_ID(1, 1, 0), 1, 0, 3); /* back */
    add_bridge(PCI_ID(1, 2, 0), 1, 5, 3); /* upside down */
    add_bridge(PCI_ID(0, 2, 0), 0, 1, 1); /* to where another leads */
    CHECK_EQ(pci_enumerate(&sim, devices, 16), 5);
    CHECK(
        strstr(logged, "pci_0000_01_00_0: left out: what is behind this bridge: its bus numbers"));
    CHECK(strstr(logged, "pci_0000_01_01_0: left out"));
    CHECK(strstr(logged, "pci_0000_01_02_0: left out"));
    CHECK(strstr(logged, "pci_0000_00_02_0: left out: what is behind this bridge: another bridge"));
    begin();
    sim.bus_last = 7;
    add_bridge(PCI_ID(0, 1, 0), 0, 9, 9);
    CHECK_EQ(pci_enumerate(&sim, devices, 16), 1);
    CHECK(strstr(logged, "make no sense"));
}

static struct function *with_caps(void)
{
    begin();
    struct function *f = add(PCI_ID(0, 3, 0), 0x010601);
    f->word[1] |= STATUS_CAPABILITIES;
    f->word[0x34 / 4] = 0x80;
    f->word[0x80 / 4] = 0x00807005; /* MSI, 64 bits */
    f->writable[0x80 / 4] = 0x00710000;
    f->writable[0x84 / 4] = 0xfffffffc;
    f->writable[0x88 / 4] = 0xffffffff;
    f->writable[0x8c / 4] = 0xffff;
    f->word[0x70 / 4] = 0x0003a011; /* MSI-X, 4 vectors */
    f->writable[0x70 / 4] = 0xc0000000;
    f->word[0x74 / 4] = 0x0005;
    f->word[0x78 / 4] = 0x0805;
    f->word[0xa0 / 4] = 0x00024010; /* PCI Express; the next is a second one */
    f->word[0x40 / 4] = 0x00020010;
    f->word[0x44 / 4] = EXPRESS_CAP_FLR;
    f->writable[0x48 / 4] = 0x7fff;
    set_bar(f, 5, 0xfebd1000, 0xfffff000);
    return f;
}

TEST(capabilities_are_found)
{
    with_caps();
    CHECK_EQ(pci_enumerate(&sim, devices, 16), 1);
    CHECK_EQ(devices[0].cap_msi, 0x80);
    CHECK_EQ(devices[0].cap_msix, 0x70);
    CHECK_EQ(devices[0].cap_express, 0xa0);
    CHECK_EQ(devices[0].cap_af, 0);
}

TEST(hostile_capabilities_end)
{
    with_caps()->word[0xa0 / 4] = 0x00028010; /* loop */
    CHECK(is_refused("a loop"));
    with_caps()->word[0xa0 / 4] = 0x00022010;
    CHECK(is_refused("inside the header"));
    with_caps()->word[0xa0 / 4] = UINT32_MAX;
    CHECK(is_refused("leads to nothing"));
    /* A capability that would reach into the extended space. */
    struct function *f = with_caps();
    f->word[0x34 / 4] = 0xfc;
    f->word[0xfc / 4] = 0x0005;
    CHECK_EQ(pci_enumerate(&sim, devices, 16), 1);
    CHECK_EQ(devices[0].cap_msi, 0);
}

TEST(extended_capabilities)
{
    struct function *f = with_caps();
    CHECK_EQ(pci_enumerate(&sim, devices, 16), 1);
    CHECK_EQ(pci_find_extended(&sim, &devices[0], 0x10), 0);
    f->word[0x100 / 4] = 0x14010001;
    f->word[0x140 / 4] = 0xffc10010;
    f->word[0xffc / 4] = 0x0001000d;
    CHECK_EQ(pci_find_extended(&sim, &devices[0], 0x10), 0x140);
    CHECK_EQ(pci_find_extended(&sim, &devices[0], 0x0d), 0xffc);
    CHECK_EQ(pci_find_extended(&sim, &devices[0], 0x33), 0);
    f->word[0xffc / 4] = 0x1401000d; /* loop */
    CHECK_EQ(pci_find_extended(&sim, &devices[0], 0x33), 0);
    f->word[0xffc / 4] = 0x0401000d; /* into the first 256 bytes */
    CHECK_EQ(pci_find_extended(&sim, &devices[0], 0x33), 0);
    f->word[0xffc / 4] = 0;
    CHECK_EQ(pci_find_extended(&sim, &devices[0], 0x33), 0);
}

TEST(msi)
{
    struct function *f = with_caps();
    CHECK_EQ(pci_enumerate(&sim, devices, 16), 1);
    CHECK(pci_msi_enable(&sim, &devices[0], 0x1fee01000, 0x4041));
    CHECK_EQ(f->word[0x84 / 4], 0xfee01000);
    CHECK_EQ(f->word[0x88 / 4], 1);
    CHECK_EQ(f->word[0x8c / 4], 0x4041);
    CHECK_EQ(f->word[0x80 / 4], 0x00817005);
    CHECK(f->word[1] & PCI_COMMAND_NO_INTX);
    pci_msi_disable(&sim, &devices[0]);
    CHECK_EQ(f->word[0x80 / 4], 0x00807005);
    pci_intx(&sim, &devices[0], true);
    CHECK(!(f->word[1] & PCI_COMMAND_NO_INTX));
    /* 32 bits only, maskable: the data is elsewhere. */
    f->word[0x80 / 4] = 0x01007005;
    f->writable[0x90 / 4] = f->word[0x90 / 4] = UINT32_MAX;
    f->writable[0x8c / 4] = UINT32_MAX;
    f->word[0x8c / 4] = UINT32_MAX;
    CHECK(!pci_msi_enable(&sim, &devices[0], 0x1fee01000, 0x4041));
    CHECK(pci_msi_enable(&sim, &devices[0], 0xfee02000, 0x42));
    CHECK_EQ(f->word[0x84 / 4], 0xfee02000);
    CHECK_EQ(f->word[0x88 / 4], 0x42);
    CHECK_EQ(f->word[0x8c / 4], 0);
}

TEST(msix)
{
    struct function *f = with_caps();
    struct pci_msix msix;
    uint32_t table[16];
    CHECK_EQ(pci_enumerate(&sim, devices, 16), 1);
    CHECK(!pci_msix_read(&sim, &devices[0], &msix));
    CHECK_EQ(msix.vectors, 4);
    CHECK_EQ(msix.table_bar, 5);
    CHECK_EQ(msix.pba_offset, 0x800);
    pci_msix_enable(&sim, &devices[0], true);
    CHECK_EQ(f->word[0x70 / 4], 0x8003a011);
    pci_msix_enable(&sim, &devices[0], false);
    CHECK_EQ(f->word[0x70 / 4], 0x0003a011);
    memset(table, 0xff, sizeof(table));
    pci_msix_set(table, 1, 0x1fee00000, 0x33, false);
    CHECK_EQ(table[4], 0xfee00000);
    CHECK_EQ(table[5], 1);
    CHECK_EQ(table[6], 0x33);
    CHECK_EQ(table[7], 0);
    CHECK_EQ(table[3], UINT32_MAX);
    CHECK_EQ(table[8], UINT32_MAX);
    pci_msix_set(table, 0, 0, 0, true);
    CHECK_EQ(table[3], 1);
    f->word[0x74 / 4] = 0x0fd5; /* the table would leave the BAR */
    CHECK(pci_msix_read(&sim, &devices[0], &msix));
    f->word[0x74 / 4] = 0x0004; /* no such BAR */
    CHECK(pci_msix_read(&sim, &devices[0], &msix));
    f->word[0x74 / 4] = 0x0007; /* a reserved number */
    CHECK(pci_msix_read(&sim, &devices[0], &msix));
    f->word[0x74 / 4] = 0x0005;
    f->word[0x78 / 4] = 0xfffffffd;
    CHECK(pci_msix_read(&sim, &devices[0], &msix));
}

/* A vendor-specific capability of virtio: type, BAR, offset, bytes. */
static void virtio_cap(struct function *f, uint32_t at, uint32_t next, uint32_t type,
                       uint32_t offset, uint32_t bytes)
{
    uint32_t length = type == PCI_VIRTIO_NOTIFY ? 20 : 16;
    f->word[at / 4] = type << 24 | length << 16 | next << 8 | 0x09;
    f->word[at / 4 + 1] = 5;
    f->word[at / 4 + 2] = offset;
    f->word[at / 4 + 3] = bytes;
    if (type == PCI_VIRTIO_NOTIFY)
        f->word[at / 4 + 4] = 4;
}

static struct function *with_virtio(void)
{
    struct function *f = with_caps();
    f->word[0x34 / 4] = 0x40;
    virtio_cap(f, 0x40, 0x50, PCI_VIRTIO_COMMON, 0, 0x38);
    virtio_cap(f, 0x50, 0x60, PCI_VIRTIO_ISR, 0x100, 1);
    virtio_cap(f, 0x60, 0x70, PCI_VIRTIO_DEVICE, 0x200, 17);
    virtio_cap(f, 0x70, 0x90, PCI_VIRTIO_NOTIFY, 0x400, 0x400);
    virtio_cap(f, 0x90, 0, PCI_VIRTIO_COMMON, 0x800, 0x38); /* the second one does not count */
    return f;
}

TEST(virtio_structures)
{
    struct function *f = with_virtio();
    struct pci_virtio v;
    CHECK_EQ(pci_enumerate(&sim, devices, 16), 1);
    CHECK(!pci_virtio_read(&sim, &devices[0], &v));
    CHECK_EQ(v.structure[PCI_VIRTIO_COMMON].offset, 0);
    CHECK_EQ(v.structure[PCI_VIRTIO_DEVICE].size, 17);
    CHECK_EQ(v.structure[PCI_VIRTIO_NOTIFY].bar, 5);
    CHECK_EQ(v.notify_multiplier, 4);
    f->word[0x68 / 4] = 0xffffff00; /* out of the BAR */
    CHECK(pci_virtio_read(&sim, &devices[0], &v));
    f = with_virtio();
    f->word[0x6c / 4] = UINT32_MAX;
    CHECK(pci_virtio_read(&sim, &devices[0], &v));
    f = with_virtio();
    f->word[0x64 / 4] = 4; /* another BAR */
    CHECK(pci_virtio_read(&sim, &devices[0], &v));
    f = with_virtio();
    f->word[0x50 / 4] = 0x04006009; /* too short, so that ISR is missing */
    CHECK(pci_virtio_read(&sim, &devices[0], &v));
}

static uint64_t waited;
static void wait_some(uint64_t ns)
{
    waited += ns;
}

TEST(reset)
{
    struct function *f = with_caps();
    f->word[0xa0 / 4] = 0x00020011;
    f->word[0x40 / 4] = 0x00020010;
    f->word[0x34 / 4] = 0x40;
    set_bar(f, 0, 0xfe000000, 0xff000000);
    CHECK_EQ(pci_enumerate(&sim, devices, 16), 1);
    CHECK(pci_reset_function(&sim, &devices[0], wait_some));
    CHECK_EQ(f->resets, 1);
    CHECK_EQ(f->word[4], 0xfe000000);
    CHECK_EQ(f->word[1] & 0xffff, 0x0403); /* decoding as before, bus mastering off */
    CHECK_EQ(waited, FLR_NS);
    f->word[0x44 / 4] = 0;
    CHECK(!pci_reset_function(&sim, &devices[0], wait_some));
    CHECK_EQ(f->resets, 1);
}

TEST(ecam_window)
{
    static uint32_t window[2 * 1024 * 1024 / 4];
    struct pci_access access = pci_ecam(window, 4, 5);
    memset(window, 0xff, sizeof(window));
    uint32_t *config = &window[(1 << 20 | 3 << 15 | 1 << 12) / 4];
    config[0] = 0x12345678;
    CHECK_EQ(access.read(&access, PCI_ID(5, 3, 1), 0), 0x12345678);
    access.write(&access, PCI_ID(5, 3, 1), 0x40, 7);
    CHECK_EQ(config[0x10], 7);
    CHECK_EQ(pci_enumerate(&access, devices, 16), 0); /* function 1 without function 0 */
}

TEST(names)
{
    char name[PCI_NAME];
    pci_name(PCI_ID(0, 0x1f, 2), name);
    CHECK(!strcmp(name, "pci_0000_00_1f_2"));
    CHECK(!strcmp(pci_class_name(0x010601), "SATA controller (AHCI)"));
    CHECK(!strcmp(pci_class_name(0x0106ff), "SATA controller"));
    CHECK(!strcmp(pci_class_name(0x0180ff), "mass storage controller"));
    CHECK(!strcmp(pci_class_name(0xff0000), "unknown device"));
}
