/* SPDX-License-Identifier: BSD-2-Clause */
/* Loaders: good images, then each with every length and many corruptions. */
#include "test.h"
#include <stdint.h>
#include "vmm/boot_state.c"
#include "vmm/e820.c"
#include "vmm/guest_mem.c"
#include "vmm/loader.c"
#include "vmm/loader_elf.c"
#include "vmm/loader_linux.c"
#include "vmm/loader_multiboot.c"
#include "vmm/loader_pvh.c"

#define RAM      0x1000000u /* 16 MiB */
#define FILE_MAX 0x6000u

static uint8_t ram[RAM], file[FILE_MAX], initrd[5000];
static struct guest_mem mem;
static struct vcpu_page page;
static struct loader loader;

static void setup(uint64_t size)
{
    memset(&mem, 0, sizeof(mem));
    memset(&page, 0, sizeof(page));
    memset(ram, 0xcc, sizeof(ram));
    memset(file, 0, sizeof(file));
    for (uint32_t i = 0; i < sizeof(initrd); i++)
        initrd[i] = (uint8_t)(i * 7);
    guest_mem_add(&mem, 0, RAM, ram, true);
    mem.low_size = RAM;
    loader = (struct loader){.mem = &mem,
                             .kernel = {file, size, "kernel.img"},
                             .initrd = {initrd, sizeof(initrd), "initrd.img"},
                             .cmdline = "console=ttyS0 quiet",
                             .page = &page,
                             .rsdp = 0xe0000};
}

static void put(uint32_t at, uint64_t value, uint32_t size)
{
    memcpy(file + at, &value, size);
}

static uint64_t get(uint64_t gpa, uint32_t size)
{
    uint64_t value = 0;
    memcpy(&value, ram + gpa, size);
    return value;
}

static bool says(const char *text)
{
    if (!strstr(loader.error, text) || strncmp(loader.error, "kernel.img: ", 12) != 0) {
        printf("error is: %s\n", loader.error);
        return false;
    }
    return true;
}

/* --- bzImage --- */

#define LINUX_SIZE (2048u + 0x2000u)

static void make_linux(void)
{
    setup(LINUX_SIZE);
    put(HDR_SETUP_SECTS, 3, 1);
    put(HDR_SYSSIZE, 0x2000 / 16, 4);
    put(HDR_BOOT_FLAG, 0xaa55, 2);
    put(HDR_JUMP, 0x6aeb, 2);
    memcpy(file + HDR_MAGIC, "HdrS", 4);
    put(HDR_VERSION, 0x020f, 2);
    put(HDR_LOADFLAGS, 1, 1);
    put(HDR_CODE32_START, 0x100000, 4);
    put(HDR_INITRD_ADDR_MAX, 0x7fffffff, 4);
    put(HDR_KERNEL_ALIGNMENT, 0x200000, 4);
    put(HDR_RELOCATABLE, 1, 1);
    put(HDR_XLOADFLAGS, 1, 2);
    put(HDR_CMDLINE_SIZE, 2047, 4);
    put(HDR_PREF_ADDRESS, 0x400000, 8);
    put(HDR_INIT_SIZE, 0x300000, 4);
    memset(file + 2048, 0x90, 0x2000);
}

TEST(linux_boots)
{
    make_linux();
    CHECK(loader_linux(&loader));
    CHECK_EQ(page.rip, 0x400200);
    CHECK_EQ(page.gpr[GPR_RSI], BOOT_INFO);
    CHECK_EQ(page.seg[SEG_CS].selector, 0x10);
    CHECK_EQ(page.seg[SEG_DS].selector, 0x18);
    CHECK_EQ(page.efer, EFER_LME | EFER_LMA);
    CHECK_EQ(ram[0x400000], 0x90);
    uint64_t at = get(BOOT_INFO + HDR_RAMDISK_IMAGE, 4);
    CHECK_EQ(at, (RAM - sizeof(initrd)) & ~0xfffull);
    CHECK(memcmp(ram + at, initrd, sizeof(initrd)) == 0);
    CHECK_EQ(get(BOOT_INFO + HDR_RAMDISK_SIZE, 4), sizeof(initrd));
    CHECK(strcmp((char *)ram + get(BOOT_INFO + HDR_CMD_LINE_PTR, 4), "console=ttyS0 quiet") == 0);
    CHECK_EQ(get(BOOT_INFO + ZP_ACPI_RSDP, 8), 0xe0000);
    CHECK_EQ(ram[BOOT_INFO + HDR_TYPE_OF_LOADER], 0xff);
    CHECK_EQ(get(BOOT_INFO + HDR_MAGIC, 4), 0x53726448);
    CHECK_EQ(get(BOOT_INFO + ZP_E820_TABLE + 8, 8), E820_LOW_END);
    /* The identity map covers 4 GiB. */
    CHECK_EQ(get(BOOT_PAGE_TABLES + 5 * 4096 + 511 * 8, 8), 0xffe00083);
}

TEST(linux_relocates)
{
    make_linux();
    put(HDR_PREF_ADDRESS, 0x1000000, 8);
    CHECK(loader_auto(&loader));
    CHECK_EQ(page.rip, 0x200200);
}

TEST(linux_32_bit_entry)
{
    make_linux();
    put(HDR_XLOADFLAGS, 0, 2);
    CHECK(loader_linux(&loader));
    CHECK_EQ(page.rip, 0x400000);
    CHECK_EQ(page.cr0, CR0_PE | CR0_ET);
    CHECK_EQ(page.gpr[GPR_RSI], BOOT_INFO);
}

TEST(linux_refused)
{
    make_linux();
    put(HDR_BOOT_FLAG, 0xaa54, 2);
    CHECK(!loader_linux(&loader) && says("boot_flag"));
    make_linux();
    put(HDR_VERSION, 0x0203, 2);
    CHECK(!loader_linux(&loader) && says("boot protocol 2.03"));
    make_linux();
    put(HDR_LOADFLAGS, 0, 1);
    CHECK(!loader_linux(&loader) && says("loadflags"));
    make_linux();
    loader.kernel.size -= 64;
    CHECK(!loader_linux(&loader) && says("syssize"));
    make_linux();
    put(HDR_SETUP_SECTS, 200, 1);
    CHECK(!loader_linux(&loader) && says("setup_sects"));
    make_linux();
    put(HDR_INIT_SIZE, 0x2000000, 4);
    CHECK(!loader_linux(&loader) && says("init_size"));
    make_linux();
    put(HDR_KERNEL_ALIGNMENT, 0x300000, 4);
    put(HDR_PREF_ADDRESS, 0x1000000, 8);
    CHECK(!loader_linux(&loader) && says("kernel_alignment"));
    make_linux();
    put(HDR_CMDLINE_SIZE, 10, 4);
    CHECK(!loader_linux(&loader) && says("command line"));
    make_linux();
    put(HDR_INITRD_ADDR_MAX, 0x700000, 4);
    CHECK(!loader_linux(&loader) && says("initrd.img"));
}

/* --- ELF --- */

static uint32_t make_elf64(uint64_t load)
{
    setup(0x3000);
    memcpy(file, "\177ELF\2\1\1", 7);
    put(16, 2, 2);
    put(18, 62, 2);
    put(24, load + 0x10, 8);
    put(32, 64, 8);
    put(54, 56, 2);
    put(56, 2, 2);
    uint32_t at = 64;
    put(at, PT_LOAD, 4);
    put(at + 8, 0x1000, 8);
    put(at + 24, load, 8);
    put(at + 32, 0x1000, 8);
    put(at + 40, 0x3000, 8);
    at += 56;
    put(at, PT_NOTE, 4);
    put(at + 8, 0x200, 8);
    put(at + 32, 20, 8);
    put(0x200, 4, 4);
    put(0x204, 4, 4);
    put(0x208, NOTE_PHYS32, 4);
    memcpy(file + 0x20c, "Xen", 4);
    put(0x210, load + 0x20, 4);
    memset(file + 0x1000, 0xab, 0x1000);
    return 64;
}

TEST(pvh_boots)
{
    make_elf64(0x200000);
    CHECK(loader_auto(&loader));
    CHECK_EQ(page.rip, 0x200020);
    CHECK_EQ(page.gpr[GPR_RBX], BOOT_INFO);
    CHECK_EQ(page.cr0, CR0_PE | CR0_ET);
    CHECK_EQ(page.seg[SEG_CS].attr, 0xc9b);
    CHECK_EQ(ram[0x200fff], 0xab);
    CHECK_EQ(ram[0x201000], 0);
    CHECK_EQ(ram[0x202fff], 0);
    CHECK_EQ(ram[0x203000], 0xcc);
    struct hvm_start_info info;
    memcpy(&info, ram + BOOT_INFO, sizeof(info));
    CHECK_EQ(info.magic, HVM_START_MAGIC);
    CHECK_EQ(info.nr_modules, 1);
    CHECK_EQ(info.rsdp_paddr, 0xe0000);
    CHECK(info.memmap_entries >= 4);
    uint64_t module = get(info.modlist_paddr, 8);
    CHECK(memcmp(ram + module, initrd, sizeof(initrd)) == 0);
    CHECK_EQ(get(info.modlist_paddr + 8, 8), sizeof(initrd));
}

TEST(pvh_refused)
{
    uint32_t header = make_elf64(0x200000);
    put(header, 0, 4);
    CHECK(!loader_pvh(&loader) && says("PT_LOAD"));
    header = make_elf64(0x200000);
    put(header + 8, 0x2800, 8);
    CHECK(!loader_pvh(&loader) && says("p_paddr"));
    header = make_elf64(0x200000);
    put(header + 32, 0x4000, 8);
    CHECK(!loader_pvh(&loader));
    header = make_elf64(0x200000);
    put(header + 40, 0x10, 8);
    CHECK(!loader_pvh(&loader) && says("larger in the file"));
    header = make_elf64(0x200000);
    put(header + 40, ~0ull, 8);
    CHECK(!loader_pvh(&loader) && says("does not fit"));
    make_elf64(0x7f000);
    CHECK(!loader_pvh(&loader) && says("overlaps"));
    make_elf64(0x200000);
    put(32, ~0ull - 10, 8);
    CHECK(!loader_pvh(&loader) && says("e_phoff"));
    make_elf64(0x200000);
    put(56, 0xffff, 2);
    CHECK(!loader_pvh(&loader) && says("e_phnum"));
    make_elf64(0x200000);
    put(18, 40, 2);
    CHECK(!loader_pvh(&loader) && says("e_machine"));
    make_elf64(0x200000);
    put(0x204, 0xfffffff0, 4);
    CHECK(!loader_pvh(&loader) && says("note"));
    make_elf64(0x200000);
    put(0x210, 0x900000, 4);
    CHECK(!loader_pvh(&loader) && says("entry point"));
    make_elf64(0x200000);
    put(0x208, 17, 4);
    CHECK(!loader_pvh(&loader) && says("no PVH entry"));
}

/* --- multiboot --- */

static void make_multiboot_elf32(void)
{
    setup(0x3000);
    memcpy(file, "\177ELF\1\1\1", 7);
    put(16, 2, 2);
    put(18, 3, 2);
    put(24, 0x400010, 4);
    put(28, 52, 4);
    put(42, 32, 2);
    put(44, 1, 2);
    put(52, PT_LOAD, 4);
    put(52 + 4, 0x1000, 4);
    put(52 + 12, 0x400000, 4);
    put(52 + 16, 0x1000, 4);
    put(52 + 20, 0x5000, 4);
    put(0x1000, MULTIBOOT_MAGIC, 4);
    put(0x1004, 3, 4);
    put(0x1008, 0u - MULTIBOOT_MAGIC - 3, 4);
}

TEST(multiboot_elf_boots)
{
    make_multiboot_elf32();
    CHECK(loader_auto(&loader));
    CHECK_EQ(page.rip, 0x400010);
    CHECK_EQ(page.gpr[GPR_RAX], MULTIBOOT_BOOT_MAGIC);
    struct multiboot_info info;
    memcpy(&info, ram + page.gpr[GPR_RBX], sizeof(info));
    CHECK(info.flags & INFO_MODS);
    CHECK(strcmp((char *)ram + info.cmdline, "kernel.img console=ttyS0 quiet") == 0);
    CHECK_EQ(info.mem_upper, (RAM >> 10) - 1024);
    uint64_t module = get(info.mods_addr, 4);
    CHECK_EQ(module, 0x405000);
    CHECK_EQ(get(info.mods_addr + 4, 4), module + sizeof(initrd));
    CHECK(memcmp(ram + module, initrd, sizeof(initrd)) == 0);
    CHECK(strcmp((char *)ram + get(info.mods_addr + 8, 4), "initrd.img") == 0);
    CHECK_EQ(get(info.mmap_addr, 4), 20);
    CHECK_EQ(info.mmap_length % 24, 0);
}

static void make_multiboot_flat(void)
{
    setup(0x2000);
    put(0x40, MULTIBOOT_MAGIC, 4);
    put(0x44, MULTIBOOT_ADDRESSES, 4);
    put(0x48, 0u - MULTIBOOT_MAGIC - MULTIBOOT_ADDRESSES, 4);
    put(0x4c, 0x100040, 4); /* header_addr */
    put(0x50, 0x100000, 4); /* load_addr */
    put(0x54, 0, 4);        /* all of the file */
    put(0x58, 0x104000, 4); /* bss_end_addr */
    put(0x5c, 0x100080, 4); /* entry_addr */
    file[0x1fff] = 0xee;
}

TEST(multiboot_flat_boots)
{
    make_multiboot_flat();
    CHECK(loader_auto(&loader));
    CHECK_EQ(page.rip, 0x100080);
    CHECK_EQ(ram[0x101fff], 0xee);
    CHECK_EQ(ram[0x103fff], 0);
    CHECK_EQ(ram[0x104000], initrd[0]);
}

TEST(multiboot_refused)
{
    make_multiboot_flat();
    put(0x50, 0x100080, 4);
    CHECK(!loader_multiboot(&loader) && says("load_addr"));
    make_multiboot_flat();
    put(0x54, 0x103000, 4);
    CHECK(!loader_multiboot(&loader) && says("beyond the end"));
    make_multiboot_flat();
    put(0x5c, 0x200000, 4);
    CHECK(!loader_multiboot(&loader) && says("entry point"));
    make_multiboot_flat();
    put(0x44, MULTIBOOT_ADDRESSES | 0x80, 4);
    put(0x48, 0u - MULTIBOOT_MAGIC - (MULTIBOOT_ADDRESSES | 0x80), 4);
    CHECK(!loader_multiboot(&loader) && says("features"));
    make_multiboot_flat();
    put(0x48, 1, 4);
    CHECK(!loader_multiboot(&loader) && says("no multiboot header"));
    setup(100);
    CHECK(!loader_auto(&loader) && says("no bzImage"));
}

/* --- truncation and corruption: never more than an error --- */

static uint8_t *tight; /* exactly as long as the file claims, for ASan */

static void try_damaged(uint64_t size)
{
    tight = malloc(size ? size : 1);
    memcpy(tight, file, size);
    loader.kernel.bytes = tight;
    loader.kernel.size = size;
    loader.error[0] = 0;
    if (!loader_auto(&loader) && loader.error[0] == 0)
        abort(); /* a refusal must say why */
    free(tight);
}

static uint32_t rng = 1;
static uint32_t next(void)
{
    rng = rng * 1664525u + 1013904223u;
    return rng >> 8;
}

static void make(uint32_t which)
{
    if (which == 0)
        make_linux();
    else if (which == 1)
        make_elf64(0x200000);
    else if (which == 2)
        make_multiboot_elf32();
    else
        make_multiboot_flat();
}

TEST(truncated)
{
    for (uint32_t which = 0; which < 4; which++) {
        make(which);
        uint64_t whole = loader.kernel.size;
        for (uint64_t size = 0; size < whole; size += size < 0x300 ? 1 : 97)
            try_damaged(size);
    }
}

TEST(corrupted)
{
    for (uint32_t round = 0; round < 400; round++) {
        make(round % 4);
        uint64_t size = loader.kernel.size;
        for (uint32_t i = 0; i < 1 + round % 5; i++)
            file[next() % (round % 4 == 2 ? 0x80 : 0x270)] = (uint8_t)next();
        try_damaged(size);
    }
}

TEST(little_memory)
{
    for (uint32_t which = 0; which < 4; which++) {
        for (uint32_t size = 0x1000; size < 0x600000; size += 0x7f000) {
            make(which);
            mem.count = 0;
            mem.low_size = size;
            guest_mem_add(&mem, 0, size, ram, true);
            try_damaged(loader.kernel.size);
        }
    }
}
