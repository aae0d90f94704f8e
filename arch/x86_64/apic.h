/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's local APIC, in xAPIC or x2APIC mode, and its timer. */
#ifndef ARCH_APIC_H
#define ARCH_APIC_H

#include "lib/types.h"

/* Boot CPU: picks the mode (x2APIC if there, unless the command line says nox2apic) and maps the
 * registers. */
void apic_init(uint32_t nmi_pin); /* LINT pin of NMI: 0, 1; 2: none */
/* Each CPU: enables its APIC, LINTs by MADT, spurious vector, timer in one-shot or TSC-deadline
 * mode. */
void apic_init_cpu(void);
uint32_t apic_id_self(void);
bool apic_is_x2apic(void);
void apic_eoi(void);
/* Makes the APIC decide anew what to deliver. Real ones need no such hint. */
void apic_look_again(void);
/* Sends a fixed IPI to one CPU (index into cpus[]). */
void apic_ipi(uint32_t cpu, uint8_t vector);
/* NMI to all others, for panic and post-mortem. */
void apic_nmi_others(void);
void apic_init_ipi(uint32_t apic_id);
void apic_startup_ipi(uint32_t apic_id, uint8_t page);
/* One VEC_TIMER interrupt at the absolute TSC value (at once if it has passed); UINT64_MAX: none.
 */
void apic_timer_set(uint64_t tsc);
/* MSI address and data that deliver `vector` to a CPU. */
void apic_msi(uint32_t cpu, uint8_t vector, uint64_t *address, uint32_t *data);

#endif
