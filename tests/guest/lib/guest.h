/* SPDX-License-Identifier: BSD-2-Clause */
/* What a test guest has: a serial line, checks, faults as values, interrupts, ACPI, APICs, other
 * CPUs. A guest is one file with guest_main(); it runs on CPU 0 with interrupts off. */
#ifndef GUEST_H
#define GUEST_H

#include "cpu.h"
#include "layout.h"

void guest_main(void);

/* report.c: the serial line. say() knows %s %c %d %u %x %lu %lx (l: 64 bit) and %%. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void check(const char *name, bool good);
void check_eq(const char *name, uint64_t actual, uint64_t expected);
void check_range(const char *name, uint64_t actual, uint64_t low, uint64_t high);
/* Prints the totals and switches the machine off. */
_Noreturn void finish(void);
_Noreturn void power_off(void);
void serial_init(void);

/* trap.c */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};
typedef void (*trap_handler)(struct trap_frame *frame);
void trap_init(void);
void trap_load(void); /* IDT of this CPU */
void trap_set(unsigned vector, trap_handler handler);
void trap_gate(unsigned vector, unsigned dpl, unsigned ist);
void isr_dispatch(struct trap_frame *frame);

struct fault {
    int vector; /* NO_FAULT: none happened */
    uint32_t pad;
    uint64_t error, rip, cr2, dr6;
};
extern volatile struct fault fault;
extern volatile uint64_t fault_resume;
#define NO_FAULT (-1)
#define DE       0
#define DB       1
#define NMI      2
#define BP       3
#define OF       4
#define BR       5
#define UD       6
#define NM       7
#define DF       8
#define TS       10
#define NP       11
#define SS       12
#define GP       13
#define PF       14
#define MF       16
#define AC       17
#define XM       19

/* Runs one instruction (operands as in asm) and gives the vector of the fault that it raised. */
#define TRY(insn, ...)                                                                   \
    (__extension__({                                                                     \
        fault.vector = NO_FAULT;                                                         \
        __asm__ volatile("movq $1f, fault_resume\n\t" insn "\n1:\tmovq $0, fault_resume" \
                         : __VA_ARGS__);                                                 \
        fault.vector;                                                                    \
    }))

struct tss {
    uint32_t reserved0;
    uint32_t stack[6]; /* RSP0..RSP2, low and high */
    uint32_t reserved1[2];
    uint32_t ist[14];
    uint32_t reserved2[2];
    uint16_t reserved3, io_map;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "the 64-bit TSS of the manuals");
extern struct tss boot_tss;

/* acpi.c */
struct acpi {
    uint16_t pm1a_event, pm1a_control, pm_timer;
    uint8_t s5_type, s5_found, reset_value;
    uint8_t pm_timer_32;
    uint16_t sci;
    uint16_t reset_port;
    uint32_t io_apic, local_apic;
    uint64_t ecam;
    uint32_t ecam_buses;
    uint32_t cpus;
    uint32_t apic_id[AP_MAX];
    uint8_t isa_gsi[16];
    uint16_t isa_flags[16];
    uint32_t hpet;
};
extern struct acpi acpi;
void acpi_init(void);
void delay_us(uint32_t us); /* by the PM timer */
uint32_t pm_ticks(void);    /* 3.579545 MHz, 24 bits */

/* apic.c */
#define APIC_ID          0x020u
#define APIC_VERSION     0x030u
#define APIC_TPR         0x080u
#define APIC_PPR         0x0a0u
#define APIC_EOI         0x0b0u
#define APIC_LDR         0x0d0u
#define APIC_DFR         0x0e0u
#define APIC_SVR         0x0f0u
#define APIC_ISR         0x100u
#define APIC_TMR         0x180u
#define APIC_IRR         0x200u
#define APIC_ESR         0x280u
#define APIC_LVT_TIMER   0x320u
#define APIC_LVT_LINT0   0x350u
#define APIC_LVT_LINT1   0x360u
#define APIC_LVT_ERROR   0x370u
#define APIC_TIMER_INIT  0x380u
#define APIC_TIMER_COUNT 0x390u
#define APIC_TIMER_DIV   0x3e0u
#define ICR_NMI          0x00400u
#define ICR_INIT         0x04500u
#define ICR_SIPI         0x04600u
#define ICR_FIXED        0x04000u
#define ICR_SELF         0x40000u
#define ICR_ALL          0x80000u
#define ICR_OTHERS       0xc0000u
#define LVT_MASKED       0x10000u
#define LVT_PERIODIC     0x20000u
#define LVT_DEADLINE     0x40000u
extern bool apic_x2;
bool apic_has_x2(void);
void apic_init(bool x2);
uint32_t apic_read(uint32_t reg);
void apic_write(uint32_t reg, uint32_t value);
void apic_icr(uint32_t destination, uint32_t command);
uint32_t apic_id(void);
void apic_eoi(void);
void pic_init(uint8_t mask1, uint8_t mask2); /* vectors 0x20..0x2f */
uint32_t ioapic_read(uint32_t index);
void ioapic_write(uint32_t index, uint32_t value);
/* Routes a GSI to `vector` of this CPU; flags are those of an interrupt source override. */
void ioapic_route(uint32_t gsi, uint32_t vector, uint16_t flags);
void ioapic_mask(uint32_t gsi);

/* Counts interrupts of a vector: the handler acknowledges at the local APIC and adds one. */
extern volatile uint32_t irq_count[256];
void irq_counted(struct trap_frame *frame);
/* Interrupts on until irq_count[vector] reaches `count` or `us` microseconds pass. */
bool irq_wait(unsigned vector, uint32_t count, uint32_t us);

/* smp.c */
typedef void (*cpu_work)(uint32_t cpu);
/* Starts every other CPU of the MADT; gives how many came up. */
uint32_t smp_start(void);
void smp_run(uint32_t cpu, cpu_work work); /* cpu 1.. in order of arrival; returns at once */
bool smp_done(uint32_t cpu, uint32_t us);
uint32_t smp_apic_id(uint32_t cpu);
void ap_entered(uint32_t cpu);
void guest_start(void);

/* cmdline.c */
const char *guest_command_line(void);
bool guest_has_word(const char *word);

/* pci.c */
uint32_t pci_read(uint32_t bdf, uint32_t offset);
void pci_write(uint32_t bdf, uint32_t offset, uint32_t value);

/* Assembly and linker symbols */
extern uint8_t isr_entries[], ap_trampoline[], ap_trampoline_end[], image_end[], ap_stacks[];
extern uint64_t pml4[512], pdpt[512], page_directories[2048], gdt[];
extern uint32_t boot_magic, boot_info;
extern volatile uint32_t ap_arrivals;
void *memset(void *to, int value, size_t size);
void *memcpy(void *to, const void *from, size_t size);
int memcmp(const void *a, const void *b, size_t size);

#endif
