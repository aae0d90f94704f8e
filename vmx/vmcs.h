/* SPDX-License-Identifier: BSD-2-Clause */
/* Fields of the virtual-machine control structure. A field's type tells its width, so that neither
 * a wrong accessor nor a value in the place of a field compiles. (Intel SDM vol. 3, Appendix B
 * "Field Encoding in VMCS".) */
#ifndef VMX_VMCS_H
#define VMX_VMCS_H

#include "lib/types.h"

typedef struct {
    uint32_t encoding;
} vmcs16_t;
typedef struct {
    uint32_t encoding;
} vmcs32_t;
typedef struct {
    uint32_t encoding;
} vmcs64_t;
typedef struct {
    uint32_t encoding;
} vmcsn_t; /* natural width: 64 bits here */

#define VMCS16(e) ((vmcs16_t){e})
#define VMCS32(e) ((vmcs32_t){e})
#define VMCS64(e) ((vmcs64_t){e})
#define VMCSN(e)  ((vmcsn_t){e})

#define VMCS_VPID                   VMCS16(0x0000)
#define VMCS_POSTED_VECTOR          VMCS16(0x0002)
#define VMCS_GUEST_SELECTOR(seg)    VMCS16(0x0800 + 2 * (seg)) /* ES CS SS DS FS GS LDTR TR */
#define VMCS_GUEST_INTERRUPT_STATUS VMCS16(0x0810)
#define VMCS_PML_INDEX              VMCS16(0x0812)
#define VMCS_HOST_ES_SELECTOR       VMCS16(0x0c00)
#define VMCS_HOST_CS_SELECTOR       VMCS16(0x0c02)
#define VMCS_HOST_SS_SELECTOR       VMCS16(0x0c04)
#define VMCS_HOST_DS_SELECTOR       VMCS16(0x0c06)
#define VMCS_HOST_FS_SELECTOR       VMCS16(0x0c08)
#define VMCS_HOST_GS_SELECTOR       VMCS16(0x0c0a)
#define VMCS_HOST_TR_SELECTOR       VMCS16(0x0c0c)

#define VMCS_MSR_BITMAP             VMCS64(0x2004)
#define VMCS_PML_ADDRESS            VMCS64(0x200e)
#define VMCS_TSC_OFFSET             VMCS64(0x2010)
#define VMCS_VIRTUAL_APIC_ADDRESS   VMCS64(0x2012)
#define VMCS_POSTED_DESCRIPTOR      VMCS64(0x2016)
#define VMCS_EPT_POINTER            VMCS64(0x201a)
#define VMCS_EOI_EXIT(n)            VMCS64(0x201c + 2 * (n))
#define VMCS_TSC_MULTIPLIER         VMCS64(0x2032)
#define VMCS_GUEST_PHYSICAL_ADDRESS VMCS64(0x2400)
#define VMCS_LINK_POINTER           VMCS64(0x2800)
#define VMCS_GUEST_DEBUGCTL         VMCS64(0x2802)
#define VMCS_GUEST_PAT              VMCS64(0x2804)
#define VMCS_GUEST_EFER             VMCS64(0x2806)
#define VMCS_GUEST_PDPTE(n)         VMCS64(0x280a + 2 * (n))
#define VMCS_HOST_PAT               VMCS64(0x2c00)
#define VMCS_HOST_EFER              VMCS64(0x2c02)

#define VMCS_PIN_CONTROLS             VMCS32(0x4000)
#define VMCS_PRIMARY_CONTROLS         VMCS32(0x4002)
#define VMCS_EXCEPTION_BITMAP         VMCS32(0x4004)
#define VMCS_PAGE_FAULT_ERROR_MASK    VMCS32(0x4006)
#define VMCS_PAGE_FAULT_ERROR_MATCH   VMCS32(0x4008)
#define VMCS_CR3_TARGET_COUNT         VMCS32(0x400a)
#define VMCS_EXIT_CONTROLS            VMCS32(0x400c)
#define VMCS_EXIT_MSR_STORE_COUNT     VMCS32(0x400e)
#define VMCS_EXIT_MSR_LOAD_COUNT      VMCS32(0x4010)
#define VMCS_ENTRY_CONTROLS           VMCS32(0x4012)
#define VMCS_ENTRY_MSR_LOAD_COUNT     VMCS32(0x4014)
#define VMCS_ENTRY_INTERRUPTION_INFO  VMCS32(0x4016)
#define VMCS_ENTRY_EXCEPTION_ERROR    VMCS32(0x4018)
#define VMCS_ENTRY_INSTRUCTION_LENGTH VMCS32(0x401a)
#define VMCS_TPR_THRESHOLD            VMCS32(0x401c)
#define VMCS_SECONDARY_CONTROLS       VMCS32(0x401e)
#define VMCS_PLE_GAP                  VMCS32(0x4020)
#define VMCS_PLE_WINDOW               VMCS32(0x4022)
#define VMCS_INSTRUCTION_ERROR        VMCS32(0x4400)
#define VMCS_EXIT_REASON              VMCS32(0x4402)
#define VMCS_EXIT_INTERRUPTION_INFO   VMCS32(0x4404)
#define VMCS_EXIT_INTERRUPTION_ERROR  VMCS32(0x4406)
#define VMCS_IDT_VECTORING_INFO       VMCS32(0x4408)
#define VMCS_IDT_VECTORING_ERROR      VMCS32(0x440a)
#define VMCS_EXIT_INSTRUCTION_LENGTH  VMCS32(0x440c)
#define VMCS_GUEST_LIMIT(seg)         VMCS32(0x4800 + 2 * (seg))
#define VMCS_GUEST_GDTR_LIMIT         VMCS32(0x4810)
#define VMCS_GUEST_IDTR_LIMIT         VMCS32(0x4812)
#define VMCS_GUEST_ACCESS(seg)        VMCS32(0x4814 + 2 * (seg))
#define VMCS_GUEST_INTERRUPTIBILITY   VMCS32(0x4824)
#define VMCS_GUEST_ACTIVITY           VMCS32(0x4826)
#define VMCS_GUEST_SYSENTER_CS        VMCS32(0x482a)
#define VMCS_PREEMPTION_TIMER         VMCS32(0x482e)
#define VMCS_HOST_SYSENTER_CS         VMCS32(0x4c00)

#define VMCS_CR0_MASK             VMCSN(0x6000)
#define VMCS_CR4_MASK             VMCSN(0x6002)
#define VMCS_CR0_SHADOW           VMCSN(0x6004)
#define VMCS_CR4_SHADOW           VMCSN(0x6006)
#define VMCS_EXIT_QUALIFICATION   VMCSN(0x6400)
#define VMCS_GUEST_LINEAR_ADDRESS VMCSN(0x640a)
#define VMCS_GUEST_CR0            VMCSN(0x6800)
#define VMCS_GUEST_CR3            VMCSN(0x6802)
#define VMCS_GUEST_CR4            VMCSN(0x6804)
#define VMCS_GUEST_BASE(seg)      VMCSN(0x6806 + 2 * (seg))
#define VMCS_GUEST_GDTR_BASE      VMCSN(0x6816)
#define VMCS_GUEST_IDTR_BASE      VMCSN(0x6818)
#define VMCS_GUEST_DR7            VMCSN(0x681a)
#define VMCS_GUEST_RSP            VMCSN(0x681c)
#define VMCS_GUEST_RIP            VMCSN(0x681e)
#define VMCS_GUEST_RFLAGS         VMCSN(0x6820)
#define VMCS_GUEST_PENDING_DEBUG  VMCSN(0x6822)
#define VMCS_GUEST_SYSENTER_ESP   VMCSN(0x6824)
#define VMCS_GUEST_SYSENTER_EIP   VMCSN(0x6826)
#define VMCS_HOST_CR0             VMCSN(0x6c00)
#define VMCS_HOST_CR3             VMCSN(0x6c02)
#define VMCS_HOST_CR4             VMCSN(0x6c04)
#define VMCS_HOST_FS_BASE         VMCSN(0x6c06)
#define VMCS_HOST_GS_BASE         VMCSN(0x6c08)
#define VMCS_HOST_TR_BASE         VMCSN(0x6c0a)
#define VMCS_HOST_GDTR_BASE       VMCSN(0x6c0c)
#define VMCS_HOST_IDTR_BASE       VMCSN(0x6c0e)
#define VMCS_HOST_SYSENTER_ESP    VMCSN(0x6c10)
#define VMCS_HOST_SYSENTER_EIP    VMCSN(0x6c12)
#define VMCS_HOST_RIP             VMCSN(0x6c16)

/* Neither fails: a VMCS is current wherever they are used, and probe() has made sure that the CPU
 * has the controls to which a field belongs. */
static inline uint64_t vmcs_read_raw(uint32_t encoding)
{
    uint64_t value;
    __asm__ volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)encoding) : "cc");
    return value;
}
static inline void vmcs_write_raw(uint32_t encoding, uint64_t value)
{
    __asm__ volatile("vmwrite %0, %1" ::"r"(value), "r"((uint64_t)encoding) : "cc", "memory");
}
static inline uint16_t vmread16(vmcs16_t f)
{
    return (uint16_t)vmcs_read_raw(f.encoding);
}
static inline uint32_t vmread32(vmcs32_t f)
{
    return (uint32_t)vmcs_read_raw(f.encoding);
}
static inline uint64_t vmread64(vmcs64_t f)
{
    return vmcs_read_raw(f.encoding);
}
static inline uint64_t vmreadn(vmcsn_t f)
{
    return vmcs_read_raw(f.encoding);
}
static inline void vmwrite16(vmcs16_t f, uint16_t value)
{
    vmcs_write_raw(f.encoding, value);
}
static inline void vmwrite32(vmcs32_t f, uint32_t value)
{
    vmcs_write_raw(f.encoding, value);
}
static inline void vmwrite64(vmcs64_t f, uint64_t value)
{
    vmcs_write_raw(f.encoding, value);
}
static inline void vmwriten(vmcsn_t f, uint64_t value)
{
    vmcs_write_raw(f.encoding, value);
}

/* Pin-based controls. */
#define PIN_EXTINT       (1u << 0)
#define PIN_NMI          (1u << 3)
#define PIN_VIRTUAL_NMIS (1u << 5)
#define PIN_TIMER        (1u << 6) /* VMX-preemption timer */
#define PIN_POSTED       (1u << 7) /* process posted interrupts */

/* Primary processor-based controls. */
#define PRIMARY_INT_WINDOW  (1u << 2)
#define PRIMARY_TSC_OFFSET  (1u << 3)
#define PRIMARY_HLT         (1u << 7)
#define PRIMARY_MWAIT       (1u << 10)
#define PRIMARY_RDPMC       (1u << 11)
#define PRIMARY_CR3_LOAD    (1u << 15)
#define PRIMARY_CR3_STORE   (1u << 16)
#define PRIMARY_CR8_LOAD    (1u << 19)
#define PRIMARY_CR8_STORE   (1u << 20)
#define PRIMARY_TPR_SHADOW  (1u << 21)
#define PRIMARY_NMI_WINDOW  (1u << 22)
#define PRIMARY_MOV_DR      (1u << 23)
#define PRIMARY_IO          (1u << 24)
#define PRIMARY_MSR_BITMAPS (1u << 28)
#define PRIMARY_MONITOR     (1u << 29)
#define PRIMARY_PAUSE       (1u << 30)
#define PRIMARY_SECONDARY   (1u << 31)

/* Secondary processor-based controls. */
#define SECONDARY_EPT          (1u << 1)
#define SECONDARY_RDTSCP       (1u << 3)
#define SECONDARY_X2APIC       (1u << 4)
#define SECONDARY_VPID         (1u << 5)
#define SECONDARY_WBINVD       (1u << 6)
#define SECONDARY_UNRESTRICTED (1u << 7)
#define SECONDARY_APIC_REGS    (1u << 8)
#define SECONDARY_VIRT_INTR    (1u << 9)
#define SECONDARY_PAUSE_LOOP   (1u << 10)
#define SECONDARY_INVPCID      (1u << 12)
#define SECONDARY_PML          (1u << 17)
#define SECONDARY_TSC_SCALING  (1u << 25)

/* VM-exit controls. */
#define EXIT_SAVE_DEBUG  (1u << 2)
#define EXIT_HOST_64BIT  (1u << 9)
#define EXIT_ACKNOWLEDGE (1u << 15) /* an interrupt that ends the guest has been taken */
#define EXIT_SAVE_PAT    (1u << 18)
#define EXIT_LOAD_PAT    (1u << 19)
#define EXIT_SAVE_EFER   (1u << 20)
#define EXIT_LOAD_EFER   (1u << 21)

/* VM-entry controls. */
#define ENTRY_LOAD_DEBUG  (1u << 2)
#define ENTRY_GUEST_64BIT (1u << 9)
#define ENTRY_LOAD_PAT    (1u << 14)
#define ENTRY_LOAD_EFER   (1u << 15)

/* Interruption information, IDT-vectoring information. */
#define INTERRUPTION_VECTOR        0xffu
#define INTERRUPTION_TYPE(info)    ((info) >> 8 & 7u)
#define INTERRUPTION_OF_TYPE(type) ((uint32_t)(type) << 8)
#define INTERRUPTION_ERROR         (1u << 11)
#define INTERRUPTION_IRET_UNBLOCK  (1u << 12)
#define INTERRUPTION_VALID         (1u << 31)
enum interruption_type {
    TYPE_EXTINT = 0,
    TYPE_NMI = 2,
    TYPE_EXCEPTION = 3,
    TYPE_SOFT_INT = 4,
    TYPE_ICEBP = 5,
    TYPE_SOFT_EXCEPTION = 6
};

/* Guest interruptibility state. */
#define BLOCK_STI    (1u << 0)
#define BLOCK_MOV_SS (1u << 1)
#define BLOCK_SMI    (1u << 2)
#define BLOCK_NMI    (1u << 3)

/* Basic exit reasons. (Appendix C "VMX Basic Exit Reasons".) */
enum vmx_exit {
    VMX_EXIT_EXCEPTION_NMI = 0,
    VMX_EXIT_EXTINT = 1,
    VMX_EXIT_TRIPLE_FAULT = 2,
    VMX_EXIT_INIT = 3,
    VMX_EXIT_INT_WINDOW = 7,
    VMX_EXIT_NMI_WINDOW = 8,
    VMX_EXIT_TASK_SWITCH = 9,
    VMX_EXIT_CPUID = 10,
    VMX_EXIT_GETSEC = 11,
    VMX_EXIT_HLT = 12,
    VMX_EXIT_INVD = 13,
    VMX_EXIT_RDPMC = 15,
    VMX_EXIT_VMCALL = 18,
    VMX_EXIT_VMCLEAR = 19,
    VMX_EXIT_VMXON = 27,
    VMX_EXIT_CR = 28,
    VMX_EXIT_DR = 29,
    VMX_EXIT_IO = 30,
    VMX_EXIT_RDMSR = 31,
    VMX_EXIT_WRMSR = 32,
    VMX_EXIT_BAD_STATE = 33,
    VMX_EXIT_BAD_MSR = 34,
    VMX_EXIT_MWAIT = 36,
    VMX_EXIT_MONITOR = 39,
    VMX_EXIT_PAUSE = 40,
    VMX_EXIT_MACHINE_CHECK = 41,
    VMX_EXIT_TPR = 43,
    VMX_EXIT_EOI = 45,
    VMX_EXIT_EPT_VIOLATION = 48,
    VMX_EXIT_EPT_MISCONFIGURATION = 49,
    VMX_EXIT_INVEPT = 50,
    VMX_EXIT_PREEMPTION_TIMER = 52,
    VMX_EXIT_INVVPID = 53,
    VMX_EXIT_WBINVD = 54,
    VMX_EXIT_XSETBV = 55,
    VMX_EXIT_APIC_WRITE = 56,
    VMX_EXIT_VMFUNC = 59,
    VMX_EXIT_LOG_FULL = 62
};
#define VMX_EXIT_ENTRY_FAILED (1u << 31)

#endif
