/* SPDX-License-Identifier: BSD-2-Clause */
/* Every processor mode that a guest boots through, entered from long mode and left again. The code
 * of the other modes is in lib/modes.S; each leaves what it saw in mode_result. */
#include "lib/guest.h"

struct mode_result {
    uint32_t unpaged_cr0, unpaged_sum;
    uint32_t real_marker, real_int, real_segment, real_big, real_string;
    uint32_t legacy_cr0, legacy_value;
    uint32_t pae_value;
    uint32_t v86_vector, v86_flags, v86_marker;
    uint32_t compat_value;
    uint32_t real_cpuid, real_port, unpaged_cpuid, real_hlt;
};
extern volatile struct mode_result mode_result;
extern uint8_t modes_low_start[], modes_low_end[];
extern uint32_t legacy_directory[], pae_directory[];
void run_modes(void);

static void tables(void)
{
    /* Legacy: 4 MiB pages, identity for 8 MiB; 0x40000000 maps the first 4 MiB. */
    for (uint32_t i = 0; i < 4; i++)
        legacy_directory[i] = i << 22 | 0x87;
    legacy_directory[0x40000000u >> 22] = 0x87;
    /* PAE: pointers at entry 0 and 1 of a 32-byte table, then the directories. */
    uint64_t *pointers = (uint64_t *)(void *)pae_directory;
    uint64_t *directory = pointers + 512;
    for (uint64_t i = 0; i < 4; i++)
        directory[i] = i << 21 | 0x87;
    pointers[0] = (uint64_t)directory | 1;
    pointers[1] = (uint64_t)directory | 1;
    pointers[2] = 0;
    pointers[3] = 0;
}

void guest_main(void)
{
    tables();
    memcpy((void *)MODES_LOW, modes_low_start, (size_t)(modes_low_end - modes_low_start));
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
    outb(0x3ff, 0x6b);
    run_modes();
    trap_load();
    check("modes.back_in_long_mode", (rdmsr(MSR_EFER) & 0x400) != 0);
    check_eq("modes.compatibility_value", mode_result.compat_value, 0x1337c0de);
    check_eq("modes.unpaged_cr0_pg", mode_result.unpaged_cr0 >> 31, 0);
    check_eq("modes.unpaged_runs", mode_result.unpaged_sum, 5050);
    check_eq("modes.unpaged_cpuid", mode_result.unpaged_cpuid, cpuid(0, 0).ebx);
    check_eq("modes.real_runs", mode_result.real_marker, 0x4ea1);
    check_eq("modes.real_int_through_ivt", mode_result.real_int, 0xbeef);
    check_eq("modes.real_segment_arithmetic", mode_result.real_segment, 0x7a5e);
    check_eq("modes.real_big_segment", mode_result.real_big, 0xfeedface);
    check_eq("modes.real_string_copy", mode_result.real_string, 0x6b6b6b6b);
    check_eq("modes.real_cpuid", mode_result.real_cpuid, cpuid(0, 0).ebx);
    check_eq("modes.real_port", mode_result.real_port, 0x6b);
    check_eq("modes.legacy_paging_on", mode_result.legacy_cr0 >> 31, 1);
    check_eq("modes.legacy_4m_page", mode_result.legacy_value, 0x1337c0de);
    check_eq("modes.pae_paging", mode_result.pae_value, 0x1337c0de);
    check_eq("modes.v8086_int_faults", mode_result.v86_vector, GP);
    check_eq("modes.v8086_flag_on_stack", mode_result.v86_flags >> 17 & 1, 1);
    check_eq("modes.v8086_runs", mode_result.v86_marker, 0x8086);
    uint64_t again = 0;
    __asm__ volatile("movq $-1, %0; shrq $4, %0" : "=r"(again));
    check_eq("modes.64_bit_registers_after", again, 0x0fffffffffffffffull);
}
