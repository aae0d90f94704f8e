/* SPDX-License-Identifier: BSD-2-Clause */
/* Not a guest: the smallest hypervisor, bare in Bochs, for what its VMX does wrong or seemed to.
 * Its own guest shares its page tables and descriptor tables.
 *
 * nmi_blocking_ends: a VM entry whose interruptibility state has no "blocking by NMI" ends such
 * blocking, which an earlier entry had loaded. Bochs 2.7 keeps it, 3.0 is right.
 * interrupt_ends_guest_with_if_clear: with external-interrupt exiting an interrupt ends the guest
 * whatever its IF is. In 2.7 and 3.0 none does if IF was clear before the entry and stays so.
 * masked_virtual_interrupt_waits, pending_virtual_interrupt_waits: with virtual-interrupt delivery
 * and IF clear an interrupt of the host delivers nothing in the guest, be it pending at the entry
 * or since. Both are right here. */
#include "lib/guest.h"

#define FEATURE_CONTROL  0x3au
#define VMX_BASIC        0x480u
#define VMX_PIN          0x481u /* then primary, exit, entry */
#define VMX_SECONDARY    0x48bu
#define PIN_EXTINT       0x01u
#define PIN_NMIS         0x28u /* NMI exiting, virtual NMIs */
#define TPR_SHADOW       (1u << 21)
#define SECONDARY        (1u << 31)
#define MSR_BITMAPS      (1u << 28)
#define VIRT_INTR        ((1u << 4) | (1u << 9)) /* virtualise x2APIC mode, deliver interrupts */
#define LONG_MODE        (1u << 9)
#define EXIT_EXTINT      1u
#define EXIT_VMCALL      18u
#define BLOCKING_BY_NMI  8u
#define INTERRUPTIBILITY 0x4824u
#define VECTOR           0x51u

static uint8_t vmxon_region[4096] __attribute__((aligned(4096)));
static uint8_t vmcs[4096] __attribute__((aligned(4096)));
static uint8_t virtual_apic[4096] __attribute__((aligned(4096)));
static uint8_t guest_stack[4096] __attribute__((aligned(16)));

static void put(uint64_t field, uint64_t value)
{
    __asm__ volatile("vmwrite %0, %1" : : "r"(value), "r"(field) : "cc", "memory");
}

static uint64_t get(uint64_t field)
{
    uint64_t value;
    __asm__ volatile("vmread %1, %0" : "=r"(value) : "r"(field) : "cc");
    return value;
}

static uint32_t control(uint32_t msr, uint32_t wanted)
{
    uint64_t capability = rdmsr(msr);
    return (wanted | (uint32_t)capability) & (uint32_t)(capability >> 32);
}

/* The guest. */
static void calls(void)
{
    for (;;)
        __asm__ volatile("vmcall");
}

/* Long enough for the host's timer to run out. */
static __attribute__((used)) void spins(void)
{
    for (volatile uint32_t i = 0; i < 3000000; i++)
        __asm__ volatile("nop");
    calls();
}

/* The same, but IF is set at its entry, where STI's shadow covers this CLI. */
static __attribute__((naked)) void clears_if(void)
{
    __asm__("cli; call spins");
}

/* With IF clear it sends itself an interrupt, which the CPU keeps pending. */
static __attribute__((naked)) void sends_itself_one(void)
{
    __asm__("cli; movl $0x83f, %ecx; movl $0x51, %eax; xorl %edx, %edx; wrmsr; call spins");
}

static volatile bool handled;

static void handler(struct trap_frame *f)
{
    (void)f;
    handled = true;
    calls();
}

/* Enters it; gives the exit reason. All general registers are the guest's then. */
static uint32_t enter(void)
{
    uint8_t failed;
    __asm__ volatile("pushq %%rbp; pushq %%rbx\n\t"
                     "movq $0x6c14, %%rax; vmwrite %%rsp, %%rax\n\t" /* host RSP and RIP */
                     "movq $0x6c16, %%rax; movq $1f, %%rbx; vmwrite %%rbx, %%rax\n\t"
                     "vmlaunch; vmresume\n"
                     "1:\tpopq %%rbx; popq %%rbp; setbe %0"
                     : "=a"(failed)
                     :
                     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "cc", "memory");
    return (uint32_t)get(0x4402);
}

struct table {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static void same_tables(void)
{
    struct table gdtr, idtr;
    __asm__ volatile("sgdt %0; sidt %1" : "=m"(gdtr), "=m"(idtr));
    put(0x6816, gdtr.base);
    put(0x6818, idtr.base);
    put(0x4810, gdtr.limit);
    put(0x4812, idtr.limit);
    put(0x6c0c, gdtr.base);
    put(0x6c0e, idtr.base);
    for (uint64_t i = 0; i < 8; i++) { /* ES CS SS DS FS GS LDTR TR */
        static const uint32_t access[] = {0x10000, 0xa09b,  0xc093,  0x10000,
                                          0x10000, 0x10000, 0x10000, 0x8b};
        static const uint16_t selector[] = {0, SEL_CODE64, SEL_DATA, 0, 0, 0, 0, SEL_TSS};
        bool tss = i == 7;
        put(0x800 + 2 * i, selector[i]);
        put(0xc00 + 2 * (i == 7 ? 6 : i), i == 6 ? 0 : selector[i]);
        put(0x4800 + 2 * i, tss ? sizeof(boot_tss) - 1 : 0xffffffff);
        put(0x4814 + 2 * i, access[i]);
        put(0x6806 + 2 * i, tss ? (uint64_t)&boot_tss : 0);
    }
    put(0x6c0a, (uint64_t)&boot_tss);
    for (uint64_t i = 0; i < 3; i++) { /* CR0, CR3, CR4 */
        uint64_t value = i == 0 ? read_cr0() : i == 1 ? read_cr3() : read_cr4();
        put(0x6800 + 2 * i, value);
        put(0x6c00 + 2 * i, value);
    }
    put(0x2800, UINT64_MAX);
    put(0x681a, 0x400);
}

static bool start(void)
{
    uint64_t pa = (uint64_t)vmxon_region;
    uint8_t failed;
    if (!(cpuid(1, 0).ecx >> 5 & 1))
        return false;
    if (!(rdmsr(FEATURE_CONTROL) & 1))
        wrmsr(FEATURE_CONTROL, 5);
    write_cr0(read_cr0() | 0x20);
    write_cr4(read_cr4() | 1 << 13);
    *(uint32_t *)(void *)vmxon_region = (uint32_t)rdmsr(VMX_BASIC);
    *(uint32_t *)(void *)vmcs = (uint32_t)rdmsr(VMX_BASIC);
    __asm__ volatile("vmxon %1; setbe %0" : "=r"(failed) : "m"(pa) : "cc", "memory");
    return !failed;
}

/* A fresh VMCS for a guest that runs `code` with IF clear. */
static void prepare(void (*code)(void), uint32_t primary, uint32_t secondary)
{
    uint64_t pa = (uint64_t)vmcs;
    __asm__ volatile("vmclear %0; vmptrld %0" : : "m"(pa) : "cc", "memory");
    same_tables();
    put(0x4000, control(VMX_PIN, PIN_EXTINT | PIN_NMIS));
    put(0x4002, control(VMX_PIN + 1, primary));
    put(0x400c, control(VMX_PIN + 2, LONG_MODE));
    put(0x4012, control(VMX_PIN + 3, LONG_MODE));
    if (primary & SECONDARY)
        put(0x401e, control(VMX_SECONDARY, secondary));
    put(0x2012, (uint64_t)virtual_apic);
    put(0x6820, 2);
    put(0x681c, (uint64_t)guest_stack + sizeof(guest_stack) - 8);
    put(0x681e, (uint64_t)code);
}

static void nmi_blocking(void)
{
    prepare(calls, 0, 0);
    put(INTERRUPTIBILITY, BLOCKING_BY_NMI);
    check_eq("bochs_vmx.first_exit", enter(), EXIT_VMCALL);
    check_eq("bochs_vmx.blocking_kept", get(INTERRUPTIBILITY), BLOCKING_BY_NMI);
    put(INTERRUPTIBILITY, 0);
    check_eq("bochs_vmx.second_exit", enter(), EXIT_VMCALL);
    check_eq("bochs_vmx.nmi_blocking_ends", get(INTERRUPTIBILITY), 0);
}

static void start_timer(void)
{
    apic_write(APIC_TIMER_DIV, 0xb);
    apic_write(APIC_LVT_TIMER, 0x60);
    apic_write(APIC_TIMER_INIT, 100000); /* while the guest runs */
}

static void interrupt_with_if_clear(void)
{
    apic_init(false);
    prepare(spins, 0, 0);
    start_timer();
    check_eq("bochs_vmx.interrupt_ends_guest_with_if_clear", enter(), EXIT_EXTINT);
    __asm__ volatile("sti; nop; cli");
}

static void pending_virtual_interrupt(void)
{
    static uint8_t passes_all[4096] __attribute__((aligned(4096)));
    handled = false;
    memset(virtual_apic, 0, sizeof(virtual_apic));
    prepare(sends_itself_one, TPR_SHADOW | SECONDARY | MSR_BITMAPS, VIRT_INTR);
    put(0x2004, (uint64_t)passes_all);
    put(0x6820, 0x202);
    put(INTERRUPTIBILITY, 1);
    put(0x810, 0);
    start_timer();
    uint32_t reason = enter();
    check("bochs_vmx.pending_virtual_interrupt_waits", !handled);
    check_eq("bochs_vmx.interrupt_ends_guest_beside_pending_one", reason, EXIT_EXTINT);
}

static void masked_virtual_interrupt(void)
{
    trap_set(VECTOR, handler);
    prepare(clears_if, TPR_SHADOW | SECONDARY, VIRT_INTR);
    put(0x6820, 0x202);
    put(INTERRUPTIBILITY, 1);
    put(0x810, VECTOR); /* requested, nothing in service */
    ((uint32_t *)(void *)virtual_apic)[(0x200 + VECTOR / 32 * 16) / 4] = 1u << VECTOR % 32;
    start_timer();
    uint32_t reason = enter();
    check("bochs_vmx.masked_virtual_interrupt_waits", !handled);
    check_eq("bochs_vmx.interrupt_ends_guest_beside_it", reason, EXIT_EXTINT);
}

void guest_main(void)
{
    pic_init(0xff, 0xff);
    if (!start()) {
        say("info no VMX\n");
        return;
    }
    trap_set(0x60, irq_counted);
    nmi_blocking();
    interrupt_with_if_clear();
    masked_virtual_interrupt();
    __asm__ volatile("sti; nop; cli");
    pending_virtual_interrupt();
}
