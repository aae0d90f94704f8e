/* SPDX-License-Identifier: BSD-2-Clause */
/* The emulator against the CPU that runs the test: the same bytes, registers and memory on both
 * sides, then a comparison of everything. Faults and modes are checked by hand. */
#include "test.h"
#include "native.h"
#include "random.h"
#include <stdalign.h>
#include <stdint.h>
#include "vmm/alu.c"
#include "vmm/decode.c"
#include "vmm/emulate.c"
#include "vmm/emulate_bits.c"
#include "vmm/emulate_mem.c"
#include "vmm/emulate_stack.c"
#include "vmm/emulate_string.c"
#include "vmm/emulate_system.c"
#include "vmm/emulate_vector.c"
#include "vmm/guest_mem.c"
#include "vmm/paging_walk.c"

#define RAM      0x200000u
#define CODE     0x100000u
#define DATA     0x110000u
#define STACK    0x130000u
#define TABLES   0x1000u
#define DEVICE   0xd0000000ull
#define DEV_SIZE 0x2000u

static alignas(4096) uint8_t ram[RAM];
static alignas(4096) uint8_t device[DEV_SIZE], native_memory[DEV_SIZE];
static uint8_t fpu[4096];
static uint32_t reads, writes, last_size, last_port;
static uint64_t last_value;
static struct vcpu_page page;
static struct guest_mem mem;
static struct emul emul;

static uint64_t dev_read(void *opaque, uint64_t gpa, uint32_t size)
{
    uint64_t value = 0;
    (void)opaque;
    reads++;
    last_size = size;
    if (gpa >= DEVICE && gpa + size <= DEVICE + DEV_SIZE)
        memcpy(&value, device + (gpa - DEVICE), size);
    return value;
}

static void dev_write(void *opaque, uint64_t gpa, uint32_t size, uint64_t value)
{
    (void)opaque;
    writes++;
    last_size = size;
    if (gpa >= DEVICE && gpa + size <= DEVICE + DEV_SIZE)
        memcpy(device + (gpa - DEVICE), &value, size);
}

static uint32_t port_read(void *opaque, uint16_t port, uint32_t size)
{
    (void)opaque;
    last_port = port;
    last_size = size;
    return 0x44332211u + reads++;
}

static void port_write(void *opaque, uint16_t port, uint32_t size, uint32_t value)
{
    (void)opaque;
    last_port = port;
    last_size = size;
    last_value = value;
    writes++;
}

static void need(void *opaque, uint32_t groups)
{
    (void)opaque;
    page.valid |= groups;
}

static uint8_t *fpu_load(void *opaque)
{
    (void)opaque;
    return fpu;
}

static void fpu_store(void *opaque)
{
    (void)opaque;
}

static uint64_t tpr_read(void *opaque)
{
    (void)opaque;
    return 5;
}

static void tpr_write(void *opaque, uint64_t value)
{
    (void)opaque;
    last_value = value;
}

static const struct emul_bus test_bus = {dev_read, dev_write, port_read, port_write, need,
                                         fpu_load, fpu_store, tpr_read,  tpr_write};

static void put64(uint32_t gpa, uint64_t value)
{
    memcpy(ram + gpa, &value, 8);
}

/* 64-bit mode, first 4 GiB mapped 1:1 with 2 MiB pages, all permissions. */
static void setup(void)
{
    memset(ram, 0, sizeof(ram));
    memset(&page, 0, sizeof(page));
    memset(&mem, 0, sizeof(mem));
    memset(fpu, 0, sizeof(fpu));
    reads = writes = 0;
    guest_mem_add(&mem, 0, RAM, ram, true);
    put64(TABLES, (TABLES + 0x1000) | 7);
    for (uint32_t i = 0; i < 4; i++)
        put64(TABLES + 0x1000 + 8 * i, (TABLES + 0x2000 + 0x1000 * i) | 7);
    for (uint32_t i = 0; i < 2048; i++)
        put64(TABLES + 0x2000 + 8 * i, (uint64_t)i << 21 | 0x87);
    page.cr0 = CR0_PE | CR0_PG | CR0_WP;
    page.cr3 = TABLES;
    page.cr4 = CR4_PAE;
    page.efer = EFER_LME | EFER_LMA | EFER_NXE;
    page.rflags = 2;
    page.rip = CODE;
    page.gpr[GPR_RSP] = STACK;
    for (uint32_t i = 0; i < SEG_COUNT; i++)
        page.seg[i] = (struct vcpu_segment){.limit = 0xffffffff, .attr = 0xc93};
    page.seg[SEG_CS].attr = 0xa9b;
    page.valid = VCPU_GROUP_CORE | VCPU_GROUP_SEGS | VCPU_GROUP_CTRL;
    emul_init(&emul, &page, &mem, &test_bus, NULL, 40);
}

static void set_mode(bool protected, bool wide)
{
    page.cr0 = protected ? CR0_PE : 0;
    page.cr4 = page.efer = 0;
    page.seg[SEG_CS].attr = wide ? 0xc9b : 0x09b;
    for (uint32_t i = 0; i < SEG_COUNT; i++) {
        page.seg[i].limit = wide ? 0xffffffff : 0xffff;
        if (i != SEG_CS && !wide)
            page.seg[i].attr = 0x93;
    }
}

static enum emul_result run(const uint8_t *code, uint32_t size)
{
    memcpy(ram + page.rip, code, size);
    return emulate_insn(&emul);
}
#define RUN(...)                               \
    ({                                         \
        const uint8_t code_[] = {__VA_ARGS__}; \
        run(code_, sizeof(code_));             \
    })

/* --- against the CPU --- */

struct sample {
    const char *name;
    uint8_t size;
    uint8_t code[10];
    uint64_t undefined; /* flags that the manual leaves open */
};

#define AF         RFLAGS_AF
#define MULTIPLY   (RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF)
#define ALL_BUT_ZF (RFLAGS_ARITH & ~RFLAGS_ZF)
#define ALL_BUT_CF (RFLAGS_ARITH & ~(RFLAGS_CF | RFLAGS_ZF))

/* RSI (and RDI for string instructions) point to the device. */
static const struct sample samples[] = {
    {"mov [rsi],eax", 2, {0x89, 0x06}, 0},
    {"mov [rsi],rax", 3, {0x48, 0x89, 0x06}, 0},
    {"mov [rsi],ah", 2, {0x88, 0x26}, 0},
    {"mov bh,[rsi+1]", 3, {0x8a, 0x7e, 0x01}, 0},
    {"mov ax,[rsi+3]", 4, {0x66, 0x8b, 0x46, 0x03}, 0},
    {"mov eax,[rsi]", 2, {0x8b, 0x06}, 0},
    {"mov dword [rsi],imm", 6, {0xc7, 0x06, 1, 2, 3, 0x84}, 0},
    {"mov qword [rsi],imm", 7, {0x48, 0xc7, 0x06, 1, 2, 3, 0x84}, 0},
    {"movzx eax,byte [rsi]", 3, {0x0f, 0xb6, 0x06}, 0},
    {"movzx rax,word [rsi]", 4, {0x48, 0x0f, 0xb7, 0x06}, 0},
    {"movsx ax,byte [rsi]", 4, {0x66, 0x0f, 0xbe, 0x06}, 0},
    {"movsxd rax,[rsi]", 3, {0x48, 0x63, 0x06}, 0},
    {"movnti [rsi],eax", 3, {0x0f, 0xc3, 0x06}, 0},
    {"add [rsi],eax", 2, {0x01, 0x06}, 0},
    {"add al,[rsi]", 2, {0x02, 0x06}, 0},
    {"or [rsi],ax", 3, {0x66, 0x09, 0x06}, AF},
    {"adc rax,[rsi]", 3, {0x48, 0x13, 0x06}, 0},
    {"adc [rsi],bl", 2, {0x10, 0x1e}, 0},
    {"sbb [rsi],edx", 2, {0x19, 0x16}, 0},
    {"sbb cx,[rsi]", 3, {0x66, 0x1b, 0x0e}, 0},
    {"and [rsi],imm8", 4, {0x48, 0x83, 0x26, 0xf0}, AF},
    {"sub eax,[rsi]", 2, {0x2b, 0x06}, 0},
    {"xor [rsi],dl", 2, {0x30, 0x16}, AF},
    {"cmp [rsi],rax", 3, {0x48, 0x39, 0x06}, 0},
    {"cmp word [rsi],imm8", 4, {0x66, 0x83, 0x3e, 0x80}, 0},
    {"test [rsi],ecx", 2, {0x85, 0x0e}, AF},
    {"test byte [rsi],imm", 3, {0xf6, 0x06, 0x81}, AF},
    {"lock inc dword [rsi]", 3, {0xf0, 0xff, 0x06}, 0},
    {"dec byte [rsi]", 2, {0xfe, 0x0e}, 0},
    {"not qword [rsi]", 3, {0x48, 0xf7, 0x16}, 0},
    {"neg word [rsi]", 3, {0x66, 0xf7, 0x1e}, 0},
    {"xchg [rsi],eax", 2, {0x87, 0x06}, 0},
    {"xchg [rsi],dh", 2, {0x86, 0x36}, 0},
    {"lock cmpxchg [rsi],rcx", 5, {0xf0, 0x48, 0x0f, 0xb1, 0x0e}, 0},
    {"cmpxchg [rsi],cl", 3, {0x0f, 0xb0, 0x0e}, 0},
    {"lock cmpxchg8b [rsi]", 4, {0xf0, 0x0f, 0xc7, 0x0e}, 0},
    {"lock cmpxchg16b [rsi]", 5, {0xf0, 0x48, 0x0f, 0xc7, 0x0e}, 0},
    {"lock xadd [rsi],edx", 4, {0xf0, 0x0f, 0xc1, 0x16}, 0},
    {"bt dword [rsi],imm", 4, {0x0f, 0xba, 0x26, 0x2d}, ALL_BUT_CF},
    {"bts qword [rsi],imm", 5, {0x48, 0x0f, 0xba, 0x2e, 0x3f}, ALL_BUT_CF},
    {"btr word [rsi],imm", 5, {0x66, 0x0f, 0xba, 0x36, 0x07}, ALL_BUT_CF},
    {"btc dword [rsi],imm", 4, {0x0f, 0xba, 0x3e, 0x01}, ALL_BUT_CF},
    {"bsf eax,[rsi]", 3, {0x0f, 0xbc, 0x06}, ALL_BUT_ZF},
    {"bsr rax,[rsi]", 4, {0x48, 0x0f, 0xbd, 0x06}, ALL_BUT_ZF},
    {"shl dword [rsi],1", 2, {0xd1, 0x26}, AF},
    {"shr byte [rsi],1", 2, {0xd0, 0x2e}, AF},
    {"sar qword [rsi],cl", 3, {0x48, 0xd3, 0x3e}, AF | RFLAGS_OF},
    {"shl word [rsi],5", 4, {0x66, 0xc1, 0x26, 0x05}, AF | RFLAGS_OF},
    {"rol dword [rsi],cl", 2, {0xd3, 0x06}, RFLAGS_OF},
    {"ror word [rsi],1", 3, {0x66, 0xd1, 0x0e}, 0},
    {"rcl byte [rsi],1", 2, {0xd0, 0x16}, 0},
    {"rcr qword [rsi],cl", 3, {0x48, 0xd3, 0x1e}, RFLAGS_OF},
    {"shld [rsi],eax,4", 4, {0x0f, 0xa4, 0x06, 0x04}, AF | RFLAGS_OF},
    {"shrd [rsi],rax,cl", 4, {0x48, 0x0f, 0xad, 0x06}, AF | RFLAGS_OF},
    {"mul dword [rsi]", 2, {0xf7, 0x26}, MULTIPLY},
    {"mul byte [rsi]", 2, {0xf6, 0x26}, MULTIPLY},
    {"imul qword [rsi]", 3, {0x48, 0xf7, 0x2e}, MULTIPLY},
    {"imul ax,[rsi]", 4, {0x66, 0x0f, 0xaf, 0x06}, MULTIPLY},
    {"imul eax,[rsi],imm", 6, {0x69, 0x06, 0x11, 0x22, 0x33, 0x80}, MULTIPLY},
    {"setc [rsi]", 3, {0x0f, 0x92, 0x06}, 0},
    {"setg [rsi]", 3, {0x0f, 0x9f, 0x06}, 0},
    {"setp [rsi]", 3, {0x0f, 0x9a, 0x06}, 0},
    {"cmovl eax,[rsi]", 3, {0x0f, 0x4c, 0x06}, 0},
    {"cmovnz rax,[rsi]", 4, {0x48, 0x0f, 0x45, 0x06}, 0},
    {"movbe eax,[rsi]", 4, {0x0f, 0x38, 0xf0, 0x06}, 0},
    {"movbe [rsi],ax", 5, {0x66, 0x0f, 0x38, 0xf1, 0x06}, 0},
    {"movsb", 1, {0xa4}, 0},
    {"movsq", 2, {0x48, 0xa5}, 0},
    {"cmpsw", 2, {0x66, 0xa7}, 0},
    {"stosd", 1, {0xab}, 0},
    {"lodsb", 1, {0xac}, 0},
    {"scasd", 1, {0xaf}, 0},
};

static uint32_t operand_offset; /* of RSI and RDI in the device */

static bool same(const struct sample *sample, const struct native *native)
{
    uint64_t shift = (uint64_t)(uintptr_t)native_memory - DEVICE;
    uint64_t compared = RFLAGS_ARITH & ~sample->undefined;
    bool ok = page.gpr[GPR_RAX] == native->rax && page.gpr[GPR_RCX] == native->rcx &&
              page.gpr[GPR_RDX] == native->rdx && page.gpr[GPR_RBX] == native->rbx &&
              page.gpr[GPR_RSI] + shift == native->rsi &&
              page.gpr[GPR_RDI] + shift == native->rdi &&
              (page.rflags & compared) == (native->flags & compared) &&
              memcmp(device, native_memory, DEV_SIZE) == 0 && page.rip == CODE + sample->size;
    if (!ok)
        printf("%s: rax %llx/%llx flags %llx/%llx memory %d rip %llx\n", sample->name,
               (unsigned long long)page.gpr[GPR_RAX], (unsigned long long)native->rax,
               (unsigned long long)page.rflags, (unsigned long long)native->flags,
               memcmp(device, native_memory, DEV_SIZE), (unsigned long long)page.rip);
    return ok;
}

static bool compare(const struct sample *sample)
{
    struct native native = {.rax = random64(),
                            .rcx = random64(),
                            .rdx = random64(),
                            .rbx = random64(),
                            .flags = 2 | (random64() & RFLAGS_ARITH)};
    uint64_t word = random64(), other = random64();
    if (random64() & 1) /* lets compare-and-exchange succeed */
        word = native.rax;
    if (random64() & 1)
        other = native.rdx;
    memcpy(device + operand_offset, &word, 8);
    memcpy(device + operand_offset + 8, &other, 8);
    memcpy(native_memory, device, DEV_SIZE);
    native.rsi = (uintptr_t)native_memory + operand_offset;
    native.rdi = native.rsi + 16;
    page.gpr[GPR_RAX] = native.rax;
    page.gpr[GPR_RCX] = native.rcx;
    page.gpr[GPR_RDX] = native.rdx;
    page.gpr[GPR_RBX] = native.rbx;
    page.gpr[GPR_RSI] = DEVICE + operand_offset;
    page.gpr[GPR_RDI] = DEVICE + operand_offset + 16;
    page.rflags = native.flags;
    page.rip = CODE;
    run_native(&native, sample->code, sample->size);
    page.exit.mmio.gpa = DEVICE + operand_offset;
    page.exit.mmio.flags = MMIO_READ;
    memcpy(ram + CODE, sample->code, sample->size);
    return emulate_mmio(&emul) == EMUL_DONE && same(sample, &native);
}

TEST(as_the_cpu)
{
    setup();
    __builtin_cpu_init();
    for (uint32_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        bool movbe = strncmp(samples[i].name, "movbe", 5) == 0;
        if (movbe && !__builtin_cpu_supports("movbe"))
            continue;
        operand_offset = 0x40;
        for (uint32_t round = 0; round < 200; round++)
            CHECK(compare(&samples[i]));
        /* Once more across a page boundary; 16-byte operands must be aligned. */
        operand_offset = strstr(samples[i].name, "16b") ? 0xff0 : 0xffd;
        for (uint32_t round = 0; round < 20; round++)
            CHECK(compare(&samples[i]));
    }
}

/* --- repeated strings --- */

TEST(rep_movs_to_device)
{
    setup();
    for (uint32_t i = 0; i < 64; i++)
        ram[DATA + i] = (uint8_t)(i + 1);
    page.gpr[GPR_RSI] = DATA;
    page.gpr[GPR_RDI] = DEVICE + 0x100;
    page.gpr[GPR_RCX] = 16;
    CHECK_EQ(RUN(0xf3, 0xa5), EMUL_DONE);
    CHECK(memcmp(device + 0x100, ram + DATA, 64) == 0);
    CHECK_EQ(page.gpr[GPR_RCX], 0);
    CHECK_EQ(page.gpr[GPR_RSI], DATA + 64);
    CHECK_EQ(writes, 16);
    CHECK_EQ(page.rip, CODE + 2);
}

TEST(rep_goes_in_strides)
{
    setup();
    page.gpr[GPR_RDI] = DEVICE;
    page.gpr[GPR_RCX] = 1000;
    CHECK_EQ(RUN(0xf3, 0xaa), EMUL_AGAIN);
    CHECK_EQ(page.rip, CODE);
    CHECK_EQ(page.gpr[GPR_RCX], 1000 - STRING_STRIDE);
    uint32_t more = 0;
    while (emulate_insn(&emul) == EMUL_AGAIN)
        more++;
    CHECK_EQ(more, 2);
    CHECK_EQ(page.gpr[GPR_RDI], DEVICE + 1000);
    CHECK_EQ(page.rip, CODE + 2);
}

TEST(rep_backwards_and_conditions)
{
    setup();
    memset(device, 7, 32);
    device[5] = 9;
    page.gpr[GPR_RDI] = DEVICE + 31;
    page.gpr[GPR_RCX] = 32;
    page.gpr[GPR_RAX] = 9;
    page.rflags |= RFLAGS_DF;
    CHECK_EQ(RUN(0xf2, 0xae), EMUL_DONE); /* repne scasb */
    CHECK_EQ(page.gpr[GPR_RDI], DEVICE + 4);
    CHECK_EQ(page.gpr[GPR_RCX], 5);
    CHECK(page.rflags & RFLAGS_ZF);
    page.gpr[GPR_RCX] = 0; /* nothing to do, nothing changed */
    page.rip = CODE;
    CHECK_EQ(emulate_insn(&emul), EMUL_DONE);
    CHECK_EQ(page.gpr[GPR_RDI], DEVICE + 4);
}

TEST(string_ports)
{
    setup();
    page.gpr[GPR_RDX] = 0x1f0;
    page.gpr[GPR_RDI] = DATA;
    page.gpr[GPR_RCX] = 3;
    CHECK_EQ(RUN(0xf3, 0x66, 0x6d), EMUL_DONE); /* rep insw */
    CHECK_EQ(last_port, 0x1f0);
    CHECK_EQ(last_size, 2);
    CHECK_EQ(page.gpr[GPR_RDI], DATA + 6);
    CHECK_EQ(ram[DATA], 0x11);
    CHECK_EQ(ram[DATA + 2], 0x12);
    page.rip = CODE;
    page.gpr[GPR_RSI] = DATA + 4;
    CHECK_EQ(RUN(0x6e), EMUL_DONE); /* outsb */
    CHECK_EQ(last_value, 0x13);
}

/* --- faults --- */

static void small_page(uint32_t linear, uint64_t flags)
{
    /* One page table under the first 2 MiB. */
    put64(TABLES + 0x2000, 0x8000 | 7);
    for (uint32_t i = 0; i < 512; i++)
        if (!(ram[0x8000 + 8 * i] & 1))
            put64(0x8000 + 8 * i, (uint64_t)i << 12 | 7);
    put64(0x8000 + 8 * (linear >> 12), (linear & ~0xfffu) | flags);
}

TEST(page_fault_codes)
{
    setup();
    small_page(DATA, 0); /* not present */
    page.gpr[GPR_RSI] = DATA + 8;
    CHECK_EQ(RUN(0x89, 0x06), EMUL_FAULT);
    CHECK_EQ(page.event.vector, VECTOR_PF);
    CHECK_EQ(page.event.error, PF_WRITE);
    CHECK_EQ(page.cr2, DATA + 8);
    CHECK_EQ(page.rip, CODE);
    small_page(DATA, 1); /* read-only, supervisor */
    CHECK_EQ(emulate_insn(&emul), EMUL_FAULT);
    CHECK_EQ(page.event.error, PF_WRITE | PF_PRESENT);
    page.cr0 &= ~CR0_WP;
    CHECK_EQ(emulate_insn(&emul), EMUL_DONE);
    page.cr0 |= CR0_WP;
    page.rip = CODE;
    page.seg[SEG_SS].attr |= 0x60; /* CPL 3; the code page is a user page */
    CHECK_EQ(RUN(0x8b, 0x06), EMUL_FAULT);
    CHECK_EQ(page.event.error, PF_USER | PF_PRESENT);
    small_page(DATA, 7 | 1ull << 51); /* beyond the physical address width */
    CHECK_EQ(emulate_insn(&emul), EMUL_FAULT);
    CHECK_EQ(page.event.error, PF_USER | PF_PRESENT | PF_RSVD);
}

TEST(page_fault_on_second_page)
{
    setup();
    small_page(DATA + 0x1000, 0);
    memset(ram + DATA + 0xff0, 0xee, 0x20);
    page.gpr[GPR_RSI] = DATA + 0xffe;
    CHECK_EQ(RUN(0x89, 0x06), EMUL_FAULT);
    CHECK_EQ(page.cr2, DATA + 0x1000);
    CHECK_EQ(ram[DATA + 0xffe], 0xee); /* nothing was written */
}

TEST(accessed_and_dirty)
{
    setup();
    small_page(DATA, 7);
    page.gpr[GPR_RSI] = DATA;
    CHECK_EQ(RUN(0x8b, 0x06), EMUL_DONE);
    CHECK_EQ(ram[0x8000 + 8 * (DATA >> 12)], 0x27);
    page.rip = CODE;
    CHECK_EQ(RUN(0x89, 0x06), EMUL_DONE);
    CHECK_EQ(ram[0x8000 + 8 * (DATA >> 12)], 0x67);
}

TEST(non_canonical)
{
    setup();
    page.gpr[GPR_RSI] = 0x800000000000ull;
    CHECK_EQ(RUN(0x8b, 0x06), EMUL_FAULT);
    CHECK_EQ(page.event.vector, VECTOR_GP);
    page.gpr[GPR_RBP] = 0x800000000000ull;
    CHECK_EQ(RUN(0x8b, 0x45, 0x00), EMUL_FAULT); /* through SS */
    CHECK_EQ(page.event.vector, VECTOR_SS);
}

TEST(segments)
{
    setup();
    set_mode(true, true);
    page.seg[SEG_DS].limit = 0xfff;
    page.gpr[GPR_RSI] = 0xffd;
    CHECK_EQ(RUN(0x8b, 0x06), EMUL_FAULT); /* the last byte is beyond */
    CHECK_EQ(page.event.vector, VECTOR_GP);
    page.gpr[GPR_RSI] = 0xffc;
    page.seg[SEG_DS].base = DATA;
    memcpy(ram + DATA + 0xffc, "abcd", 4);
    CHECK_EQ(RUN(0x8b, 0x06), EMUL_DONE);
    CHECK_EQ(page.gpr[GPR_RAX], 0x64636261);
    page.seg[SEG_DS].attr = 0xc91; /* read-only */
    page.rip = CODE;
    CHECK_EQ(RUN(0x89, 0x06), EMUL_FAULT);
    page.seg[SEG_DS].attr = 0xc97; /* expand-down: valid above the limit */
    CHECK_EQ(RUN(0x8b, 0x06), EMUL_FAULT);
    page.gpr[GPR_RSI] = 0x1000;
    CHECK_EQ(RUN(0x8b, 0x06), EMUL_DONE);
    page.seg[SEG_DS].attr = SEG_ATTR_UNUSABLE;
    page.rip = CODE;
    CHECK_EQ(RUN(0x8b, 0x06), EMUL_FAULT);
}

TEST(real_mode)
{
    setup();
    set_mode(false, false);
    page.rip = 0x100;
    page.seg[SEG_DS].base = 0x1230;
    page.gpr[GPR_RBX] = 0x10;
    page.gpr[GPR_RSI] = 0xfff0; /* [bx+si] wraps at 64 KiB */
    memcpy(ram + 0x1230, "xy", 2);
    CHECK_EQ(RUN(0x8b, 0x00), EMUL_DONE);
    CHECK_EQ(page.gpr[GPR_RAX] & 0xffff, 0x7978);
    page.rip = 0x100;
    page.gpr[GPR_RSI] = 0xffef; /* word at 0xffff */
    CHECK_EQ(RUN(0x8b, 0x00), EMUL_FAULT);
    CHECK_EQ(page.event.vector, VECTOR_GP);
    CHECK_EQ(page.event.has_error, 0);
}

TEST(rip_relative_and_fs)
{
    setup();
    memcpy(ram + CODE + 0x107, "\1\2\3\4\5\6\7\10", 8);
    CHECK_EQ(RUN(0x48, 0x8b, 0x05, 0x00, 0x01, 0, 0), EMUL_DONE);
    CHECK_EQ(page.gpr[GPR_RAX], 0x0807060504030201ull);
    page.rip = CODE;
    page.seg[SEG_FS].base = DEVICE;
    page.gpr[GPR_RAX] = 0x77;
    CHECK_EQ(RUN(0x64, 0x88, 0x04, 0x25, 0x10, 0, 0, 0), EMUL_DONE); /* mov fs:[0x10], al */
    CHECK_EQ(device[0x10], 0x77);
}

TEST(push_pop)
{
    setup();
    memcpy(device + 8, "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
    page.gpr[GPR_RSI] = DEVICE + 8;
    CHECK_EQ(RUN(0xff, 0x36), EMUL_DONE); /* push qword [rsi] */
    CHECK_EQ(page.gpr[GPR_RSP], STACK - 8);
    CHECK(memcmp(ram + STACK - 8, device + 8, 8) == 0);
    page.gpr[GPR_RSI] = DEVICE + 0x20;
    CHECK_EQ(RUN(0x8f, 0x06), EMUL_DONE); /* pop qword [rsi] */
    CHECK_EQ(page.gpr[GPR_RSP], STACK);
    CHECK(memcmp(device + 0x20, device + 8, 8) == 0);
}

TEST(vector_moves)
{
    setup();
    for (uint32_t i = 0; i < 32; i++)
        device[0x40 + i] = (uint8_t)(i + 1);
    page.gpr[GPR_RSI] = DEVICE + 0x40;
    CHECK_EQ(RUN(0x0f, 0x28, 0x1e), EMUL_DONE); /* movaps xmm3, [rsi] */
    CHECK(memcmp(fpu + XSAVE_XMM + 48, device + 0x40, 16) == 0);
    CHECK_EQ(fpu[XSAVE_HEADER], 2);
    page.gpr[GPR_RSI] = DEVICE + 0x80;
    CHECK_EQ(RUN(0xf3, 0x0f, 0x7f, 0x1e), EMUL_DONE); /* movdqu [rsi], xmm3 */
    CHECK(memcmp(device + 0x80, device + 0x40, 16) == 0);
    page.gpr[GPR_RSI] = DEVICE + 0x40;
    CHECK_EQ(RUN(0xc5, 0xfe, 0x6f, 0x0e), EMUL_DONE); /* vmovdqu ymm1, [rsi] */
    CHECK(memcmp(fpu + XSAVE_YMM + 16, device + 0x50, 16) == 0);
    CHECK_EQ(fpu[XSAVE_HEADER], 6);
    page.cr0 |= CR0_TS;
    CHECK_EQ(RUN(0x0f, 0x28, 0x1e), EMUL_FAULT);
    CHECK_EQ(page.event.vector, VECTOR_NM);
}

TEST(control_registers)
{
    setup();
    page.gpr[GPR_RAX] = page.cr0 & ~CR0_WP;
    CHECK_EQ(RUN(0x0f, 0x22, 0xc0), EMUL_DONE); /* mov cr0, rax */
    CHECK(!(page.cr0 & CR0_WP));
    CHECK(page.dirty & VCPU_GROUP_CTRL);
    page.gpr[GPR_RAX] = 1ull << 40;
    CHECK_EQ(RUN(0x0f, 0x22, 0xc0), EMUL_FAULT);
    page.gpr[GPR_RAX] = 7;
    CHECK_EQ(RUN(0x44, 0x0f, 0x22, 0xc0), EMUL_DONE); /* mov cr8, rax */
    CHECK_EQ(last_value, 7);
    CHECK_EQ(RUN(0x44, 0x0f, 0x20, 0xc3), EMUL_DONE); /* mov rbx, cr8 */
    CHECK_EQ(page.gpr[GPR_RBX], 5);
    page.gpr[GPR_RAX] = page.cr4 & ~CR4_PAE; /* not while in long mode */
    CHECK_EQ(RUN(0x0f, 0x22, 0xe0), EMUL_FAULT);
    page.cr0 |= CR0_TS;
    CHECK_EQ(RUN(0x0f, 0x06), EMUL_DONE); /* clts */
    CHECK(!(page.cr0 & CR0_TS));
    page.gpr[GPR_RSI] = DATA;
    page.gdtr.base = 0xffff800000001000ull;
    page.gdtr.limit = 0x7f;
    CHECK_EQ(RUN(0x0f, 0x01, 0x06), EMUL_DONE); /* sgdt */
    page.gdtr.base = 0;
    CHECK_EQ(RUN(0x0f, 0x01, 0x16), EMUL_DONE); /* lgdt */
    CHECK_EQ(page.gdtr.base, 0xffff800000001000ull);
    CHECK_EQ(page.gdtr.limit, 0x7f);
}

/* --- fetch, cache, finish --- */

static void decoded_once(void)
{
    setup();
    page.gpr[GPR_RSI] = DEVICE;
    for (uint32_t i = 0; i < 10; i++) {
        page.rip = CODE;
        CHECK_EQ(RUN(0x89, 0x06), EMUL_DONE);
    }
    CHECK_EQ(emul.misses, 1);
    CHECK_EQ(emul.hits, 9);
    page.rip = CODE;
    page.gpr[GPR_RAX] = 0x1234;
    CHECK_EQ(RUN(0x66, 0x89, 0x06), EMUL_DONE); /* other bytes at the same place */
    CHECK_EQ(last_size, 2);
    CHECK_EQ(emul.misses, 2);
}

TEST(decoded_once)
{
    decoded_once();
}

TEST(known_code_goes)
{
    decoded_once(); /* 0x66, 0x89, 0x06 at CODE */
    page.rip = CODE;
    put64(TABLES + 0x2000, 0x86);
    CHECK_EQ(emulate_insn(&emul), EMUL_FAULT);
}

TEST(fetch_across_pages)
{
    setup();
    small_page(CODE + 0x1000, 7);
    page.rip = CODE + 0xffe;
    page.gpr[GPR_RSI] = DEVICE;
    CHECK_EQ(RUN(0xc7, 0x06, 1, 2, 3, 4), EMUL_DONE);
    CHECK_EQ(device[3], 4);
    page.rip = CODE + 0xffe;
    small_page(CODE + 0x1000, 0);
    CHECK_EQ(emulate_insn(&emul), EMUL_FAULT);
    CHECK_EQ(page.cr2, CODE + 0x1000);
    page.rip = CODE + 0xffe; /* an instruction that ends with the page needs no more */
    CHECK_EQ(RUN(0x89, 0x06), EMUL_DONE);
}

TEST(unknown_changes_nothing)
{
    setup();
    struct vcpu_page before = page;
    CHECK_EQ(RUN(0x0f, 0x0b), EMUL_UNKNOWN); /* ud2 */
    CHECK_EQ(RUN(0xd9, 0x06), EMUL_UNKNOWN); /* fld */
    CHECK(memcmp(&before, &page, sizeof(page)) == 0);
}

TEST(single_step_and_shadow)
{
    setup();
    page.gpr[GPR_RSI] = DEVICE;
    page.rflags |= RFLAGS_TF;
    page.block = VCPU_BLOCK_SHADOW | VCPU_BLOCK_NMI;
    CHECK_EQ(RUN(0x8b, 0x06), EMUL_FAULT);
    CHECK_EQ(page.event.vector, VECTOR_DB);
    CHECK_EQ(page.rip, CODE + 2);
    CHECK(page.dr6 & DR6_BS);
    CHECK_EQ(page.block, VCPU_BLOCK_NMI);
}

TEST(rom_ignores_writes)
{
    setup();
    static uint8_t rom[4096] = {0x5a};
    guest_mem_add(&mem, 0xfffff000, sizeof(rom), rom, false);
    page.gpr[GPR_RSI] = 0xfffff000;
    page.gpr[GPR_RAX] = 0x11;
    CHECK_EQ(RUN(0x88, 0x06), EMUL_DONE);
    CHECK_EQ(rom[0], 0x5a);
    CHECK_EQ(writes, 0);
}
