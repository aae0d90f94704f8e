/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/panic.h"

#include "arch/x86_64/acpi.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/klog_panic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/platform.h"
#include "arch/x86_64/symbols.h"
#include "lib/format.h"
#include "lib/string.h"

#define NMI_REASON      0x61u /* system control port B */
#define NMI_REASON_NONE 0xffu /* no such port */
#define NMI_MEMORY      0x80u
#define NMI_IO_CHECK    0x40u
#define MESSAGE_MAX     256u
#define FRAMES_MAX      32u
#define STACK_MAPPED                                                            \
    (2 * PAGE_SIZE) /* a kernel stack is mapped at least this far below its top \
                     */
#define STOP_WAIT_US 20000u

static _Atomic uint32_t owner; /* initial APIC id + 1 of the CPU that panics, 0: none */

/* Good before and after cpu_self() is. */
static uint32_t own_mark(void)
{
    return (cpuid(1, 0).ebx >> 24) + 1;
}

__attribute__((noreturn)) static void halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

void nmi_interrupt(const struct regs *regs)
{
    uint32_t who = __atomic_load_n((uint32_t *)&owner, __ATOMIC_ACQUIRE);
    if (who == own_mark())
        return;
    if (who)
        halt();
    uint8_t reason = inb(NMI_REASON);
    if (reason != NMI_REASON_NONE && (reason & (NMI_MEMORY | NMI_IO_CHECK)))
        panic_regs(regs, "the chip set reports a %s error (NMI)",
                   reason & NMI_MEMORY ? "memory" : "bus");
    /* Servers have an NMI button, management controllers and emulators an NMI command: for a
     * machine that hangs, whose state is to be kept. */
    const char *action = cmdline_get("nmi");
    if (action && !strncmp(action, "panic", 5))
        panic_regs(regs, "NMI of unknown origin, and nmi=panic");
    trace("nmi", reason, regs->rip);
}

static void print_address(const char *what, uint64_t address)
{
    uint64_t distance;
    const char *name = symbol_name(address, &distance);
    if (name)
        kprintf("%s %p %s+0x%lx\n", what, (void *)address, name, distance);
    else
        kprintf("%s %p\n", what, (void *)address);
}

static void print_regs(const struct regs *r)
{
    kprintf("vector %lu error %lx cs %lx ss %lx rflags %lx\n", r->vector, r->error, r->cs, r->ss,
            r->rflags);
    print_address("rip", r->rip);
    kprintf("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
    kprintf("rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", r->rsi, r->rdi, r->rbp, r->rsp);
    kprintf("r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", r->r8, r->r9, r->r10, r->r11);
    kprintf("r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", r->r12, r->r13, r->r14, r->r15);
}

static void print_control(void)
{
    kprintf("cr0 %lx cr2 %lx cr3 %lx cr4 %lx\n", read_cr0(), read_cr2(), read_cr3(), read_cr4());
}

/* Top of the kernel stack that holds an address of its mapped part; 0: none does. */
static uint64_t stack_top(uint64_t address)
{
    uint64_t here = (uint64_t)__builtin_frame_address(0);
    if (address >= here && address <= (here | (KSTACK_SIZE - 1)))
        return (here | (KSTACK_SIZE - 1)) + 1;
    for (uint32_t i = 0; i < cpu_count; i++) {
        const struct cpu *cpu = cpus[i];
        if (!cpu)
            continue;
        uint64_t stacks[IST_COUNT + 1] = {cpu->kernel_stack};
        for (uint32_t k = 0; k < IST_COUNT; k++)
            stacks[k + 1] = cpu->tss->ist[k];
        for (uint32_t k = 0; k <= IST_COUNT; k++) {
            uint64_t top = align_up(stacks[k], KSTACK_SIZE);
            if (stacks[k] && address < top && top - address <= STACK_MAPPED)
                return top;
        }
    }
    return 0;
}

/* Follows frame pointers as long as they go up inside one stack and lead into the kernel's text. */
static void print_stack(uint64_t rbp)
{
    uint64_t top = stack_top(rbp);

    kprintf("stack:\n");
    for (uint32_t i = 0; i < FRAMES_MAX; i++) {
        if (!top || !aligned(rbp, 8) || rbp > top - 16)
            return;
        const uint64_t *frame = (const uint64_t *)rbp;
        if (!symbol_is_text(frame[1]))
            return;
        print_address(" ", frame[1]);
        if (frame[0] <= rbp)
            return;
        rbp = frame[0];
    }
}

static void report(const struct regs *regs, const char *message, uint64_t frame)
{
    bool from_ring0 = !regs || (regs->cs & 3) == 0;

    kprintf("PANIC: %s\n", message);
    if (regs)
        print_regs(regs);
    print_control();
    if (from_ring0)
        print_stack(regs ? regs->rbp : frame);
    trace_print();
}

/* The others are most likely stopped after this; a CPU that never answers must not keep us. */
static void stop_others(void)
{
    if (cpu_count < 2)
        return;
    apic_nmi_others();
    uint64_t start = rdtsc(), span = tsc_from_us(STOP_WAIT_US);
    while (rdtsc() - start < span)
        cpu_pause();
}

/* A fault while reporting: what has come out so far is all there will be. */
static void claim(const char *message)
{
    uint32_t none = 0, mine = own_mark();

    if (__atomic_compare_exchange_n((uint32_t *)&owner, &none, mine, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST))
        return;
    if (none == mine)
        kprintf("panic in a panic: %s\n", message);
    halt();
}

void panic_regs(const struct regs *regs, const char *format, ...)
{
    static char message[MESSAGE_MAX]; /* one CPU comes past claim() */
    char early[64];
    va_list args;

    irq_disable();
    va_start(args, format);
    va_list copy;
    va_copy(copy, args);
    format_args(early, sizeof(early), format, copy);
    va_end(copy);
    claim(early);
    format_args(message, sizeof(message), format, args);
    va_end(args);
    stop_others();
    uint64_t start = klog_enter_panic();
    report(regs, message, (uint64_t)__builtin_frame_address(0));
    const char *action = cmdline_get("panic");
    bool reboot = action && !strncmp(action, "reboot", 6);
    kprintf("%s\n", reboot ? "resetting" : "halted; a warm reset shows this in the log");
    klog_keep(start);
    if (reboot)
        acpi_reset();
    halt();
}
