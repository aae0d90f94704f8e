/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest of one vCPU, driven exit by exit, without a VMM. vcpu_guest.inc is its program. */
#include "tests/ring3/ktest.h"

#include "abi/kinfo.h"
#include "abi/vcpu.h"
#include <string.h>

__asm__(".include \"tests/ring3/vcpu_guest.inc\"\n\t.text");

extern const char vcpu_guest_start[], vcpu_guest_end[], vcpu_isr_gp[], vcpu_isr_self[],
    vcpu_isr_timer[], vcpu_isr_nmi[], vcpu_isr_extint[];

#define RAM_VA   0x0000510000000000ull
#define PAGE_VA  0x0000520000000000ull
#define RAM_SIZE 0x200000ull
#define CODE     0x10000u
#define IDT      0x4000u
#define GDT      0x5000u
#define TABLES   0x1000u
#define PORTS    0x80u
#define DOORBELL 0x50u
#define DATA     0x0093u
#define CODE64   0x029bu
#define TSS      0x008bu

static uint32_t guest, vcpu, bell, memory;
static struct vcpu_page *const page = (struct vcpu_page *)PAGE_VA;
static uint32_t seen[PORTS], reported[PORTS];
static uint32_t exits[VCPU_EXITS];
static uint32_t mmio_written;

static uint64_t *at(uint32_t gpa)
{
    return (uint64_t *)(RAM_VA + gpa);
}

static void gate(uint32_t vector, const char *handler)
{
    uint64_t address = CODE + (uint64_t)(handler - vcpu_guest_start);
    at(IDT)[vector * 2] = (address & 0xffff) | 8ull << 16 | 0x8e00ull << 32 | (address >> 16) << 48;
    at(IDT)[vector * 2 + 1] = 0;
}

static void fill_memory(void)
{
    memcpy(at(CODE), vcpu_guest_start, (size_t)(vcpu_guest_end - vcpu_guest_start));
    at(TABLES)[0] = (TABLES + 0x1000) | 3;
    at(TABLES + 0x1000)[0] = (TABLES + 0x2000) | 3;
    at(TABLES + 0x2000)[0] = 0x83;
    at(TABLES + 0x2000)[1] = 0x200083;
    at(GDT)[1] = 0x00209b0000000000ull;
    at(GDT)[2] = 0x00cf93000000ffffull;
    gate(2, vcpu_isr_nmi);
    gate(13, vcpu_isr_gp);
    gate(0x40, vcpu_isr_self);
    gate(0x41, vcpu_isr_timer);
    gate(0x42, vcpu_isr_extint);
}

static void set_state(void)
{
    for (uint32_t i = 0; i < SEG_COUNT; i++)
        page->seg[i] =
            (struct vcpu_segment){.limit = 0xffffffff, .selector = 0x10, .attr = DATA | 0xc00};
    page->seg[SEG_CS] =
        (struct vcpu_segment){.limit = 0xffffffff, .selector = 8, .attr = CODE64 | 0x800};
    page->seg[SEG_LDTR] = (struct vcpu_segment){.attr = SEG_ATTR_UNUSABLE};
    page->seg[SEG_TR] = (struct vcpu_segment){.limit = 0x67, .attr = TSS};
    page->gdtr = (struct vcpu_table){.base = GDT, .limit = 23};
    page->idtr = (struct vcpu_table){.base = IDT, .limit = 0xfff};
    page->cr0 = 0x80000033;
    page->cr3 = TABLES;
    page->cr4 = 0x620;
    page->efer = 0x500;
    page->xcr0 = 1;
    page->rip = CODE;
    page->gpr[GPR_RSP] = 0x80000;
    page->rflags = 2;
    CHECK_OK(sys_vcpu_set(vcpu, VCPU_GROUP_CORE | VCPU_GROUP_SEGS | VCPU_GROUP_CTRL));
}

static bool make_guest(void)
{
    memory = slot_alloc();
    guest = slot_alloc();
    vcpu = slot_alloc();
    bell = slot_alloc();
    int64_t status = sys_guest_create(guest);
    if (status == ERR_CPU)
        return false;
    CHECK_OK(status);
    CHECK_OK(sys_notif_create(bell));
    CHECK_OK(sys_mem_derive(memory, ktest_ram(0x2000000), 0x1000000, RAM_SIZE, RIGHT_ALL));
    CHECK_OK(sys_mem_map(SLOT_SELF_PD, memory, RAM_VA, 0, RAM_SIZE, MAP_READ | MAP_WRITE));
    CHECK_OK(sys_mem_map(guest, memory, 0, 0, RAM_SIZE, MAP_READ | MAP_WRITE | MAP_EXEC));
    CHECK_OK(sys_guest_cpuid(guest, 0x1234, 0, 0x2222222211111111ull, 0x4444444433333333ull));
    CHECK_OK(sys_guest_msr(guest, 0x5000, 1, MSR_RULE_CONSTANT, 0xabcd));
    CHECK_OK(sys_guest_msr(guest, 0x5010, 4, MSR_RULE_SHADOW, 5));
    CHECK_OK(sys_guest_msr(guest, 0x5020, 1, MSR_RULE_VMM, 0));
    CHECK(sys_guest_msr(guest, 0x5012, 8, MSR_RULE_VMM, 0) == ERR_ARG);
    CHECK(sys_guest_msr(guest, 0xc0000080, 1, MSR_RULE_VMM, 0) == ERR_ARG);
    CHECK_OK(sys_guest_doorbell(guest, DOORBELL_PIO, DOORBELL, 0, bell, 4));
    CHECK(sys_guest_doorbell(guest, DOORBELL_PIO, DOORBELL, 0, bell, 4) == ERR_EXISTS);
    CHECK_OK(sys_vcpu_create(vcpu, guest, 0, PAGE_VA));
    CHECK(sys_vcpu_create(slot_alloc(), guest, 0, PAGE_VA + 0x4000) == ERR_EXISTS);
    return true;
}

static void serve_pio(void)
{
    uint64_t ignored;
    uint32_t port = page->exit.pio.port;
    if (port < PORTS) {
        seen[port]++;
        reported[port] = (uint32_t)page->gpr[GPR_RAX];
    }
    if (page->exit.pio.flags & PIO_IN)
        page->gpr[GPR_RAX] = 0x5a;
    if (port == 0x30)
        CHECK_OK(sys_vcpu_lapic(vcpu, LAPIC_OP_NMI, 0, 0, &ignored));
    if (port == 0x31)
        CHECK_OK(sys_vcpu_lapic(vcpu, LAPIC_OP_EXTINT, 0, 1, &ignored));
    page->rip = page->exit.pio.next_rip;
    page->dirty = VCPU_GROUP_CORE;
}

static void serve_mmio(void)
{
    CHECK(page->exit.mmio.gpa == 0x300010);
    if (page->exit.mmio.flags & MMIO_WRITE)
        mmio_written = (uint32_t)page->gpr[GPR_RAX];
    else
        page->gpr[GPR_RAX] = 0xbeef;
    page->rip += 2;
    page->dirty = VCPU_GROUP_CORE;
}

/* false: the run is over. */
static bool serve(void)
{
    uint64_t ignored;
    exits[page->reason % VCPU_EXITS]++;
    switch (page->reason) {
    case VCPU_EXIT_PIO:
        serve_pio();
        return true;
    case VCPU_EXIT_MMIO:
        serve_mmio();
        return true;
    case VCPU_EXIT_INSN: /* MOV CR8, RAX */
        CHECK(page->exit.insn_exit.which == INSN_CR && page->exit.insn_exit.number == 8);
        CHECK_OK(sys_vcpu_lapic(vcpu, LAPIC_OP_TPR_WRITE, 0, page->gpr[GPR_RAX] << 4, &ignored));
        page->rip += 4;
        page->dirty = VCPU_GROUP_CORE;
        return true;
    case VCPU_EXIT_RDMSR:
        CHECK(page->exit.msr.index == 0x5020 && page->insn_len == 2);
        page->gpr[GPR_RAX] = 0x1357;
        page->gpr[GPR_RDX] = 0;
        page->rip += page->insn_len;
        page->dirty = VCPU_GROUP_CORE;
        return true;
    case VCPU_EXIT_EXTINT:
        CHECK_OK(sys_vcpu_lapic(vcpu, LAPIC_OP_EXTINT, 0, 0, &ignored));
        page->event = (struct vcpu_event){.type = EVENT_INTR, .vector = 0x42};
        page->dirty = VCPU_GROUP_EVENTS;
        return true;
    default:
        return false;
    }
}

static void check_reports(void)
{
    static const struct {
        uint32_t port, value;
    } expected[] = {
        {0x10, 0x11111111}, {0x11, 0x22222222}, {0x12, 0},    {0x13, 0x5a},   {0x14, 0x12345678},
        {0x15, 0xbeef},     {0x16, 0xabcd},     {0x17, 0x77}, {0x18, 0x1357}, {0x19, 1},
        {0x1a, 1},          {0x1b, 1},          {0x1c, 2},    {0x1d, 1},      {0x1e, 2},
        {0x1f, 1},          {0x22, 1},          {0x23, 2},    {0x24, 1},
    };
    for (uint32_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        uint32_t port = expected[i].port;
        CHECK(seen[port] == 1 && reported[port] == expected[i].value);
        if (seen[port] != 1 || reported[port] != expected[i].value)
            log_line("port %#x: %u times, %#x, expected %#x", port, seen[port], reported[port],
                     expected[i].value);
    }
    CHECK(mmio_written == 0xcafe);
}

static void show_figures(void)
{
    static const struct {
        uint32_t port, count;
        const char *name;
    } figures[] = {{0x60, 1000, "CPUID"},       {0x61, 1000, "RDMSR"},
                   {0x62, 1000, "doorbell"},    {0x63, 1000, "port to VMM"},
                   {0x64, 1000, "self-IPI"},    {0x65, 200, "deadline out of HLT"},
                   {0x66, 200, "self-IPI, HLT"}};
    for (uint32_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
        log_line("info %s: %u TSC cycles", figures[i].name,
                 reported[figures[i].port] / figures[i].count);
}

void test_vcpu(void)
{
    uint64_t bits = 0;
    if (!make_guest()) {
        log_line("info this machine cannot run guests");
        return;
    }
    CHECK(page->valid == VCPU_GROUP_ALL && page->rip == 0xfff0);
    CHECK(page->seg[SEG_CS].base == 0xffff0000);
    fill_memory();
    set_state();
    page->dirty = 0x8000;
    CHECK(sys_vcpu_run(vcpu, &bits) == ERR_ARG);
    page->dirty = 0;
    CHECK_OK(sys_vcpu_kick(vcpu));
    CHECK(sys_vcpu_run(vcpu, &bits) == OK && page->reason == VCPU_EXIT_NONE);
    CHECK(page->rip == CODE);
    uint32_t runs = 0;
    int64_t status;
    do {
        status = sys_vcpu_run(vcpu, &bits);
    } while (status == OK && serve() && runs++ < 100000);
    CHECK_OK(status);
    CHECK(page->reason == VCPU_EXIT_SHUTDOWN);
    if (page->reason != VCPU_EXIT_SHUTDOWN)
        log_line("exit %u at %#llx after %u runs", page->reason, (unsigned long long)page->rip,
                 runs);
    check_reports();
    CHECK(sys_notif_poll(bell, &bits) == OK && bits == 4);
    show_figures();
    check_refusals(vcpu, page, set_state);
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, vcpu));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, guest));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, bell));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, memory));
    CHECK_OK(sys_vcpu_get(vcpu, VCPU_GROUP_CORE) == ERR_CAP ? OK : ERR_STATE);
}
