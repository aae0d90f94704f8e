/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory-mapped registers through every common addressing form: the VMM decodes each. The I/O
 * APIC's index register is a plain byte; its data window is 32 bits. */
#include "lib/guest.h"

static volatile uint8_t *window;

static void select(uint32_t index)
{
    *(volatile uint32_t *)window = index;
}

static void forms(void)
{
    uint32_t value;
    uint64_t base = (uint64_t)window, four = 4;
    select(0);
    ioapic_write(0x10, 0x10000 | 0x31);
    __asm__ volatile("movl $0x10, (%1); movl 0x10(%1), %0" : "=r"(value) : "r"(base) : "memory");
    check_eq("mmio.immediate_and_displacement", value, 0x10031);
    __asm__ volatile("movl (%1,%2,4), %0" : "=r"(value) : "r"(base), "r"(four));
    check_eq("mmio.base_index_scale", value, 0x10031);
    __asm__ volatile("movl -0x70(%1), %0" : "=r"(value) : "r"(base + 0x80));
    check_eq("mmio.negative_displacement", value, 0x10031);
    __asm__ volatile("movabsl 0xfec00010, %%eax" : "=a"(value));
    check_eq("mmio.moffs", value, 0x10031);
    __asm__ volatile("movq %1, %%r12; movl 0x10(%%r12), %%r13d; movl %%r13d, %0"
                     : "=r"(value)
                     : "r"(base)
                     : "r12", "r13");
    check_eq("mmio.rex_registers", value, 0x10031);
    __asm__ volatile("cmpl $0x10031, 0x10(%1); sete %b0; movzbl %b0, %0"
                     : "=q"(value)
                     : "r"(base)
                     : "cc");
    check_eq("mmio.cmp_memory", value, 1);
    __asm__ volatile("testl $0x10000, 0x10(%1); setnz %b0; movzbl %b0, %0"
                     : "=q"(value)
                     : "r"(base)
                     : "cc");
    check_eq("mmio.test_memory", value, 1);
}

/* 16 bytes of configuration space into a register, by the extended state that the VMM sees; the
 * other registers stay. XCR0 is as after a reset: SSE does not need it. */
static void vector(void)
{
    static uint32_t kept[4]
        __attribute__((aligned(16))) = {0x11223344, 0x55667788, 0x99aabbcc, 0xddeeff00};
    static uint32_t loaded[4] __attribute__((aligned(16))), after[4] __attribute__((aligned(16)));
    if (!acpi.ecam)
        return;
    __asm__ volatile("movdqa %2, %%xmm9; movdqu (%3), %%xmm2; movdqa %%xmm2, %0; movdqa %%xmm9, %1"
                     : "=m"(loaded), "=m"(after)
                     : "m"(kept), "r"(acpi.ecam)
                     : "memory");
    bool same = true;
    for (uint32_t i = 0; i < 4; i++)
        same = same && loaded[i] == *(volatile uint32_t *)(acpi.ecam + 4 * (uint64_t)i);
    check("mmio.movdqu_from_device", same);
    check("mmio.movdqu_keeps_others", memcmp(kept, after, sizeof kept) == 0);
}

static void read_modify_write(void)
{
    uint64_t base = (uint64_t)window;
    uint32_t value;
    select(0x10);
    __asm__ volatile("orl $0x8000, 0x10(%0)" : : "r"(base) : "memory", "cc");
    check_eq("mmio.or_to_memory", ioapic_read(0x10) & ~0x1000u, 0x18031);
    select(0x10);
    __asm__ volatile("andl %1, 0x10(%0)" : : "r"(base), "r"(~0x8000u) : "memory", "cc");
    check_eq("mmio.and_to_memory", ioapic_read(0x10), 0x10031);
    select(0x10);
    __asm__ volatile("xorl $0x2000, 0x10(%0)" : : "r"(base) : "memory", "cc");
    check_eq("mmio.xor_to_memory", ioapic_read(0x10), 0x12031);
    select(0x10);
    value = 0x10032;
    __asm__ volatile("xchgl %0, 0x10(%1)" : "+r"(value) : "r"(base) : "memory");
    check_eq("mmio.xchg_old", value, 0x12031);
    check_eq("mmio.xchg_new", ioapic_read(0x10), 0x10032);
}

static void moves(void)
{
    uint64_t base = (uint64_t)window;
    uint32_t buffer[2] = {0, 0};
    select(0x10);
    void *to = buffer;
    uint64_t from = base + 0x10;
    __asm__ volatile("movsl" : "+D"(to), "+S"(from) : : "memory");
    check_eq("mmio.movs_from_device", buffer[0], 0x10032);
    buffer[1] = 0x10033;
    const void *source = &buffer[1];
    uint64_t target = base + 0x10;
    __asm__ volatile("movsl" : "+D"(target), "+S"(source) : : "memory");
    check_eq("mmio.movs_to_device", ioapic_read(0x10), 0x10033);
    select(0x10);
    target = base + 0x10;
    __asm__ volatile("stosl" : "+D"(target) : "a"(0x10034) : "memory");
    check_eq("mmio.stos", ioapic_read(0x10), 0x10034);
    select(0x10);
    uint64_t in = base + 0x10;
    uint32_t value;
    __asm__ volatile("lodsl" : "=a"(value), "+S"(in) : : "memory");
    check_eq("mmio.lods", value, 0x10034);
    uint64_t count = 3;
    target = base;
    __asm__ volatile("rep stosl" : "+D"(target), "+c"(count) : "a"(0x10) : "memory");
    check_eq("mmio.rep_stos_count", count, 0);
    check_eq("mmio.rep_stos_address", target, base + 12);
}

/* Bytes and words, with and without extension: PCI configuration space takes every width. */
static void narrow(void)
{
    uint64_t wide, base = acpi.ecam;
    uint32_t id = pci_read(0, 0);
    if (!base)
        return;
    __asm__ volatile("movzbl 1(%1), %k0" : "=r"(wide) : "r"(base));
    check_eq("mmio.movzx_byte", wide, id >> 8 & 0xff);
    __asm__ volatile("movswq 2(%1), %0" : "=r"(wide) : "r"(base));
    check_eq("mmio.movsx_word", wide, (uint64_t)(int64_t)(int16_t)(id >> 16));
    __asm__ volatile("movb (%1), %b0" : "=q"(wide) : "r"(base), "0"(0x1122334455667788ull));
    check_eq("mmio.byte_keeps_upper_bits", wide, 0x1122334455667700ull | (id & 0xff));
    __asm__ volatile("movb 1(%1), %%ah" : "=a"(wide) : "S"(base), "0"(0x1122334455667788ull));
    check_eq("mmio.high_byte_register", wide, 0x1122334455660088ull | (id & 0xff00));
    __asm__ volatile("movl (%1), %k0" : "=r"(wide) : "r"(base), "0"(~0ull));
    check_eq("mmio.dword_clears_upper_half", wide, id);
}

static void local_apic(void)
{
    apic_init(false);
    apic_write(APIC_TPR, 0x50);
    check_eq("mmio.apic_tpr", apic_read(APIC_TPR), 0x50);
    check_eq("mmio.apic_tpr_is_cr8", read_cr8(), 5);
    write_cr8(0);
    check_eq("mmio.cr8_is_apic_tpr", apic_read(APIC_TPR), 0);
    check_eq("mmio.apic_max_lvt", apic_read(APIC_VERSION) >> 16 & 0xff, 5);
}

/* Code that runs at another privilege of paging: the decoder must walk the guest's own tables. */
static void through_alias(void)
{
    static uint64_t alias_pd[512] __attribute__((aligned(4096)));
    alias_pd[0] = 0xfec00000ull | 0x9b; /* 2 MiB, present, writable, write-through, uncached */
    pdpt[8] = (uint64_t)alias_pd | 3;
    volatile uint32_t *alias = (volatile uint32_t *)(8ull << 30);
    alias[0] = 0x10;
    check_eq("mmio.through_another_mapping", alias[4], 0x10034);
    pdpt[8] = 0;
    write_cr3(read_cr3());
}

void guest_main(void)
{
    window = (volatile uint8_t *)(uint64_t)acpi.io_apic;
    check_eq("mmio.io_apic_in_madt", acpi.io_apic, 0xfec00000u);
    check("mmio.io_apic_version", (ioapic_read(1) & 0xff) != 0xff);
    check_eq("mmio.io_apic_pins", ioapic_read(1) >> 16 & 0xff, 23);
    forms();
    vector();
    read_modify_write();
    moves();
    through_alias();
    narrow();
    ioapic_mask(0);
    local_apic();
}
