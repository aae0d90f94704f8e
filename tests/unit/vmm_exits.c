/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits as the kernel reports them, over a fake kernel and a fake machine: what the vCPU looks like
 * afterwards, what the manager hears. */
#include "test.h"
#include <stdint.h>
#include <unistd.h>
#define USER_SYSCALL_STUBS_H /* the fakes below stand for the generated stubs */
#include "abi/object.h"
#include "abi/status.h"
#include "abi/vcpu.h"

static uint32_t lapic_op, lapic_reg, signals, gets;
static uint64_t lapic_value;

static int64_t sys_vcpu_lapic(uint32_t vcpu, uint32_t op, uint32_t reg, uint64_t value,
                              uint64_t *out)
{
    (void)vcpu;
    lapic_op = op;
    lapic_reg = reg;
    lapic_value = value;
    *out = 0x11223344;
    return OK;
}
static int64_t sys_vcpu_get(uint32_t vcpu, uint32_t groups)
{
    (void)vcpu;
    (void)groups;
    gets++;
    return OK;
}
static int64_t sys_vcpu_set(uint32_t vcpu, uint32_t groups)
{
    (void)vcpu;
    (void)groups;
    return OK;
}
static int64_t sys_notif_signal(uint32_t notif, uint64_t bits)
{
    (void)notif;
    (void)bits;
    signals++;
    return OK;
}

#include "vmm/alu.c"
#include "vmm/crash.c"
#include "vmm/decode.c"
#include "vmm/emulate.c"
#include "vmm/emulate_bits.c"
#include "vmm/emulate_mem.c"
#include "vmm/emulate_stack.c"
#include "vmm/emulate_string.c"
#include "vmm/emulate_system.c"
#include "vmm/emulate_vector.c"
#include "vmm/end.c"
#include "vmm/guest_mem.c"
#include "vmm/paging_walk.c"
#include "vmm/task_switch.c"
#include "abi/kinfo.h"
static struct kinfo fake_kinfo = {.virt = VIRT_VMX};
#undef KINFO_VA
#define KINFO_VA ((uintptr_t)&fake_kinfo)
#include "vmm/vcpu_exit.c"

/* What stands behind the exit page decides. */
const char *vmx_rule(const struct vmx_state *s)
{
    return s->cr3 == 0x1234 ? "CR3 is 1234" : NULL;
}

#define RAM  0x10000u
#define CODE 0x4000u

static uint8_t ram[RAM];
static struct vcpu_page page;
static struct vmm_config config = {.vcpus = 1};
static struct vmm vmm;
static struct vmm_vcpu vcpu;
static struct emul_bus bus;
static uint32_t port, size, eoi, port_value, wakes;
static uint64_t gpa, mmio_value;

uint32_t machine_pio_read(struct machine *machine, uint16_t at, unsigned bytes)
{
    (void)machine;
    port = at;
    size = bytes;
    return bytes == 4 ? 0xddccbbaa : bytes == 2 ? 0xbbaa : 0xaa;
}
void machine_pio_write(struct machine *machine, uint16_t at, unsigned bytes, uint32_t value)
{
    (void)machine;
    port = at;
    size = bytes;
    port_value = value & UINT32_MAX >> (32 - 8 * bytes);
}
uint64_t machine_mmio_read(struct machine *machine, uint64_t at, unsigned bytes)
{
    (void)machine;
    gpa = at;
    size = bytes;
    return 0x1122334455667788ull;
}
void machine_mmio_write(struct machine *machine, uint64_t at, unsigned bytes, uint64_t value)
{
    (void)machine;
    gpa = at;
    size = bytes;
    mmio_value = value;
}
uint8_t machine_pic_ack(struct machine *machine)
{
    (void)machine;
    return 0x31;
}
void machine_eoi(struct machine *machine, uint8_t vector)
{
    (void)machine;
    eoi = vector;
}
bool machine_kvmclock_write(struct machine *machine, unsigned index, uint32_t msr, uint64_t value)
{
    (void)machine;
    (void)index;
    return msr == 0x12 && value == 0x1001;
}
bool machine_kvmclock_read(struct machine *machine, unsigned index, uint32_t msr, uint64_t *value)
{
    (void)machine;
    (void)index;
    *value = 0xaabbccdd11223344ull;
    return msr == 0x12;
}
void vcpu_wake_all(struct vmm *all)
{
    (void)all;
    wakes++;
}
void vcpu_need(struct vmm_vcpu *one, uint32_t groups)
{
    one->page->valid |= groups;
}
static void need(void *opaque, uint32_t groups)
{
    vcpu_need(opaque, groups);
}
void log_line(const char *format, ...)
{
    (void)format;
}

/* Flat protected mode: every exit carries its groups. */
static void setup(uint32_t reason)
{
    memset(&page, 0, sizeof(page));
    memset(&vmm, 0, sizeof(vmm));
    memset(&vcpu, 0, sizeof(vcpu));
    memset(ram, 0, sizeof(ram));
    guest_mem_add(&vmm.mem, 0, RAM, ram, true);
    vmm.config = &config;
    vcpu.vmm = &vmm;
    vcpu.page = &page;
    bus = vcpu_bus;
    bus.need = need;
    emul_init(&vcpu.emul, &page, &vmm.mem, &bus, &vcpu, 40);
    for (uint32_t i = 0; i < SEG_COUNT; i++)
        page.seg[i] = (struct vcpu_segment){.limit = 0xffffffff, .attr = 0xc93};
    page.seg[SEG_CS].attr = 0xc9b;
    page.cr0 = CR0_PE;
    page.rip = CODE;
    page.rflags = 2;
    page.gpr[GPR_RAX] = 0xffffffff12345678ull;
    page.valid = VCPU_GROUP_ALL;
    page.reason = reason;
}

static void pio(uint8_t flags, uint8_t bytes)
{
    setup(VCPU_EXIT_PIO);
    page.exit.pio.port = 0x3f8;
    page.exit.pio.size = bytes;
    page.exit.pio.flags = flags;
    page.exit.pio.next_rip = CODE + 1;
    vcpu_exit(&vcpu);
}

TEST(port_reads_merge)
{
    pio(PIO_IN, 1);
    CHECK_EQ(page.gpr[GPR_RAX], 0xffffffff123456aaull);
    pio(PIO_IN, 2);
    CHECK_EQ(page.gpr[GPR_RAX], 0xffffffff1234bbaaull);
    pio(PIO_IN, 4);
    CHECK_EQ(page.gpr[GPR_RAX], 0xddccbbaaull); /* upper half cleared */
    CHECK_EQ(page.rip, CODE + 1);
    CHECK_EQ(page.dirty, VCPU_GROUP_CORE);
    CHECK_EQ(port, 0x3f8);
}

TEST(port_writes)
{
    pio(0, 1);
    CHECK_EQ(port_value, 0x78);
    pio(0, 2);
    CHECK_EQ(port_value, 0x5678);
    pio(0, 4);
    CHECK_EQ(port_value, 0x12345678);
    CHECK_EQ(page.rip, CODE + 1);
    CHECK_EQ(vcpu.exits[VCPU_EXIT_PIO], 1);
}

TEST(port_access_with_a_string)
{
    setup(VCPU_EXIT_PIO);
    memcpy(ram + CODE, "\xf3\x6e", 2); /* rep outsb */
    memcpy(ram + 0x800, "abc", 3);
    page.gpr[GPR_RSI] = 0x800;
    page.gpr[GPR_RCX] = 3;
    page.gpr[GPR_RDX] = 0x3f8;
    page.exit.pio.flags = PIO_STRING | PIO_REP;
    vcpu_exit(&vcpu);
    CHECK_EQ(port_value, 'c');
    CHECK_EQ(page.rip, CODE + 2);
}

TEST(port_access_single_stepped)
{
    setup(VCPU_EXIT_PIO);
    page.rflags |= RFLAGS_TF;
    page.exit.pio.size = 1;
    page.exit.pio.next_rip = CODE + 2;
    vcpu_exit(&vcpu);
    CHECK_EQ(page.rip, CODE + 2);
    CHECK_EQ(page.event.type, EVENT_EXC);
    CHECK_EQ(page.event.vector, VECTOR_DB);
}

TEST(device_memory)
{
    setup(VCPU_EXIT_MMIO);
    memcpy(ram + CODE, "\x89\x06", 2); /* mov [esi], eax */
    page.gpr[GPR_RSI] = 0xd0000010;
    page.exit.mmio.gpa = 0xd0000010;
    page.exit.mmio.flags = MMIO_WRITE;
    vcpu_exit(&vcpu);
    CHECK_EQ(gpa, 0xd0000010);
    CHECK_EQ(mmio_value, 0x12345678);
    CHECK_EQ(page.rip, CODE + 2);
    CHECK_EQ(vmm.ending, 0);
}

TEST(local_apic)
{
    setup(VCPU_EXIT_MMIO);
    memcpy(ram + CODE, "\x8b\x06", 2); /* mov eax, [esi] */
    page.gpr[GPR_RSI] = 0xfee00020;
    page.exit.mmio.gpa = 0xfee00020;
    page.exit.mmio.flags = MMIO_READ;
    vcpu_exit(&vcpu);
    CHECK_EQ(lapic_op, LAPIC_OP_READ);
    CHECK_EQ(lapic_reg, 0x20);
    CHECK_EQ(page.gpr[GPR_RAX], 0x11223344);
    page.rip = CODE;
    page.gpr[GPR_RSI] = 0xfee000b0;
    page.exit.mmio.gpa = 0xfee000b0;
    memcpy(ram + CODE, "\x89\x06", 2);
    vcpu_exit(&vcpu);
    CHECK_EQ(lapic_op, LAPIC_OP_WRITE);
    CHECK_EQ(lapic_reg, 0xb0);
}

TEST(clock_msrs)
{
    setup(VCPU_EXIT_RDMSR);
    page.exit.msr.index = 0x12;
    page.insn_len = 2;
    vcpu_exit(&vcpu);
    CHECK_EQ(page.gpr[GPR_RAX], 0x11223344);
    CHECK_EQ(page.gpr[GPR_RDX], 0xaabbccdd);
    CHECK_EQ(page.rip, CODE + 2);
    setup(VCPU_EXIT_WRMSR);
    page.exit.msr.index = 0x12;
    page.exit.msr.value = 7;
    vcpu_exit(&vcpu);
    CHECK_EQ(page.event.vector, VECTOR_GP);
    CHECK_EQ(page.rip, CODE);
}

TEST(skip_without_length)
{
    setup(VCPU_EXIT_INSN);
    page.exit.insn_exit.which = INSN_WBINVD;
    memcpy(ram + CODE, "\x66\x0f\x09", 3); /* a prefix that nobody needs */
    vcpu_exit(&vcpu);
    CHECK_EQ(page.rip, CODE + 3);
}

TEST(interrupts)
{
    setup(VCPU_EXIT_EXTINT);
    vcpu_exit(&vcpu);
    CHECK_EQ(page.event.type, EVENT_INTR);
    CHECK_EQ(page.event.vector, 0x31);
    CHECK(page.dirty & VCPU_GROUP_EVENTS);
    setup(VCPU_EXIT_EOI);
    page.exit.eoi.vector = 0x41;
    vcpu_exit(&vcpu);
    CHECK_EQ(eoi, 0x41);
}

TEST(instructions)
{
    setup(VCPU_EXIT_INSN);
    page.exit.insn_exit.which = INSN_MWAIT;
    vcpu_exit(&vcpu);
    CHECK_EQ(page.event.vector, VECTOR_UD);
    page.exit.insn_exit.which = INSN_RDPMC;
    vcpu_exit(&vcpu);
    CHECK_EQ(page.event.vector, VECTOR_GP);
    page.exit.insn_exit.which = INSN_WBINVD;
    page.insn_len = 2;
    vcpu_exit(&vcpu);
    CHECK_EQ(page.rip, CODE + 2);
}

TEST(crash_tells_all)
{
    setup(VCPU_EXIT_MMIO);
    memcpy(ram + CODE, "\xd9\x06", 2); /* fld [esi] */
    page.gpr[GPR_RSI] = 0xd0000000;
    page.gpr[GPR_RSP] = 0x1000;
    memcpy(ram + 0x1000, "\x21\x43\x65\x87", 4);
    vcpu_exit(&vcpu);
    CHECK_EQ(vmm.ending, 2);
    CHECK_EQ(vmm.end_event, VMM_EVENT_CRASH);
    CHECK_EQ(vmm.wish, VMM_STOP);
    CHECK(wakes > 0);
    CHECK(strstr(vmm.end_text, "cannot be emulated"));
    CHECK(strstr(vmm.end_text, "code d9 06"));
    CHECK(strstr(vmm.end_text, "rip 4000"));
    CHECK(strstr(vmm.end_text, "stack 87654321"));
    CHECK(strlen(vmm.end_text) < 1024);
}

TEST(first_end_counts)
{
    setup(VCPU_EXIT_SHUTDOWN);
    vmm_end(&vmm, VMM_EVENT_POWEROFF, "ACPI S5");
    vcpu_exit(&vcpu);
    CHECK_EQ(vmm.end_event, VMM_EVENT_POWEROFF);
    CHECK(strcmp(vmm.end_text, "ACPI S5") == 0);
    setup(VCPU_EXIT_INVALID);
    strcpy(page.exit.invalid.rule, "CR4.PAE with EFER.LMA");
    vcpu_exit(&vcpu);
    CHECK(strstr(vmm.end_text, "CR4.PAE with EFER.LMA"));
    static uint64_t room[512];
    struct vcpu_page *whole = (void *)room;
    setup(VCPU_EXIT_INVALID);
    whole[0] = page;
    struct vmx_state *state = (void *)((char *)whole + VMX_STATE_OFFSET);
    vcpu.page = whole;
    vcpu_exit(&vcpu);
    CHECK(strstr(vmm.end_text, "no known rule"));
    setup(VCPU_EXIT_INVALID);
    state->cr3 = 0x1234;
    vcpu.page = whole;
    vcpu_exit(&vcpu);
    CHECK(strstr(vmm.end_text, "CR3 is 1234"));
    setup(99);
    vcpu_exit(&vcpu);
    CHECK(strstr(vmm.end_text, "exit 99"));
}

TEST(fetch_from_a_device)
{
    setup(VCPU_EXIT_MMIO);
    page.exit.mmio.flags = MMIO_FETCH;
    page.exit.mmio.gpa = 0xc0000000;
    vcpu_exit(&vcpu);
    CHECK(strstr(vmm.end_text, "0xc0000000"));
}
