/* SPDX-License-Identifier: BSD-2-Clause */
/* CPU features, time base, CPU start-up, mitigations: what the kernel asks of the machine at boot.
 */
#ifndef ARCH_PLATFORM_H
#define ARCH_PLATFORM_H

#include "abi/kinfo.h"
#include "arch/x86_64/cpu_features.h"
#include "lib/types.h"

extern struct cpu_features features;
extern uint64_t tsc_khz;

/* A counter and the TSC at one instant; window: how long, in TSC ticks, the reading took. The best
 * of several readings. */
struct tsc_sample {
    uint64_t tsc, ticks, window;
};
struct tsc_sample tsc_sample(uint64_t (*read)(void));
uint64_t tsc_from_us(uint64_t us);
uint64_t tsc_to_us(uint64_t tsc);
void tsc_wait_us(uint64_t us);
/* CR0, CR4, EFER, PAT, SMEP/SMAP/UMIP/NX/FSGSBASE as found; FPU; speculation MSRs; each CPU. */
void cpu_init_registers(void);
/* Starts all enabled CPUs of the MADT (at most limit), each running entry() on its own stack with
 * its GDT, TSS and IDT loaded. Fills cpus[] and cpu_count; those that do not answer within 1 s are
 * logged and left out. The boot CPU is cpus[0]. */
struct bootinfo;
void smp_start(uint32_t limit, const struct bootinfo *info, void (*entry)(void));
/* Creates the structure, stacks, GDT and TSS of one CPU; NULL: no memory. Used by smp_start and for
 * the boot CPU. */
struct cpu *cpu_create(uint32_t id, uint32_t apic_id);
/* Loads GDT, TSS, IDT, syscall MSRs on the CPU itself. */
void cpu_load_tables(struct cpu *cpu);

_Noreturn void machine_reset(void);

/* Speculation: what this CPU needs, decided once, listed in the log. */
void mitigations_init(const struct mitigations *needed);
extern struct mitigations mitigations;
/* Ring-3 domain or guest changes on this CPU: IBPB where needed. */
void mitigate_switch(void);
/* Last thing before ring 3 or a guest runs: VERW-class buffers; l1d before a guest. */
void mitigate_exit(bool to_guest);
/* First thing after a #VMEXIT: RSB. */
void mitigate_vmexit(void);

/* Command line: value of "key=value", or "" for a bare word; NULL: absent. The value ends at a
 * space. */
const char *cmdline_get(const char *key);
bool cmdline_has(const char *word);
uint64_t cmdline_number(const char *key, uint64_t fallback); /* suffixes K, M, G */
extern char cmdline[];

#endif
