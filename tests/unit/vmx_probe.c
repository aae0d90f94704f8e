/* SPDX-License-Identifier: BSD-2-Clause */
/* What a CPU offers by its capability MSRs, bit by bit, and what is made of it: refused by a
 * sentence, used, or left alone because the command line says so. */
#include "test.h"
#include <stdarg.h>
#include <stdio.h>

#define ARCH_INSN_H
#include "lib/types.h"
static uint64_t msr_value[0x500];
static uint64_t rdmsr(uint32_t index)
{
    return msr_value[index % 0x500];
}
static uint64_t written;
static void wrmsr(uint32_t index, uint64_t value)
{
    CHECK_EQ(index, 0x3a);
    written = value;
    msr_value[0x3a] = value;
}
static void cpu_pause(void)
{
}
struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};
static uint32_t cpuid_ecx;
static struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)leaf;
    (void)subleaf;
    return (struct cpuid_regs){.ecx = cpuid_ecx};
}

#include "vmx/vmx.c"
#include "vmx/controls.c"

struct cpu_features features;
struct mitigations mitigations;
uint64_t virt_assists;
static char said[2000];
static const char *switches;
static bool turned_on;

void kprintf(const char *format, ...)
{
    size_t used = strlen(said);
    va_list args;
    va_start(args, format);
    vsnprintf(said + used, sizeof(said) - used, format, args);
    va_end(args);
}
bool cmdline_has(const char *word)
{
    return strstr(switches, word) != NULL;
}
bool vmx_bitmap_init(void)
{
    return true;
}
bool vmx_on(struct cpu *cpu)
{
    (void)cpu;
    return turned_on = true;
}
/* The table of operations names them. */
int64_t vmx_vcpu_init(struct vcpu *vcpu)
{
    return vcpu ? 0 : -1;
}
enum vexit vmx_run(struct vcpu *vcpu)
{
    return vcpu ? VEXIT_AGAIN : VEXIT_INTR;
}
void vmx_save(struct vcpu *vcpu, struct vcpu_page *to, uint32_t groups)
{
    (void)vcpu;
    (void)to;
    (void)groups;
}
int64_t vmx_load(struct vcpu *vcpu, const struct vcpu_page *from, uint32_t groups)
{
    return vcpu && from ? groups : 0;
}
uint64_t vmx_get(struct vcpu *vcpu, enum vreg which)
{
    return vcpu ? which : 0;
}
void vmx_set(struct vcpu *vcpu, enum vreg which, uint64_t value)
{
    (void)vcpu;
    (void)which;
    (void)value;
}
#define NOTHING(name)            \
    void name(struct vcpu *vcpu) \
    {                            \
        (void)vcpu;              \
    }
NOTHING(vmx_vcpu_fini)
NOTHING(vmx_enter)
NOTHING(vmx_leave)
NOTHING(vmx_offer)
NOTHING(vmx_put)

#define MAY(bits) ((uint64_t)(uint32_t)(bits) << 32)

/* A recent CPU: all that is known here and more. */
static void all(void)
{
    memset(msr_value, 0, sizeof(msr_value));
    features = (struct cpu_features){.vmx = true, .vendor = VENDOR_INTEL};
    mitigations = (struct mitigations){0};
    msr_value[0x3a] = 5;
    msr_value[0x1a0] = 1;
    msr_value[0x480] = 1ull << 55 | 0x4711;
    msr_value[0x481] = msr_value[0x48d] = MAY(0xff) | 0x16;
    msr_value[0x482] = MAY(~0u) | 0x0401e172;
    msr_value[0x48e] = MAY(~0u) | 0x04006172;
    msr_value[0x483] = msr_value[0x48f] = MAY(~0u) | 0x00036dfb;
    msr_value[0x484] = msr_value[0x490] = MAY(~0u) | 0x000011fb;
    msr_value[0x485] = 5;
    msr_value[0x486] = 0x80000021;
    msr_value[0x487] = 0xffffffff;
    msr_value[0x488] = 0x2000;
    msr_value[0x489] = 0x7727ff;
    msr_value[0x48b] = MAY(~0u);
    msr_value[0x48c] = 0x00000f0106734141ull;
    cpuid_ecx = 1u << 5;
    switches = "";
    virt_assists = 0;
    said[0] = 0;
    turned_on = false;
    memset(&vmx_caps, 0, sizeof(vmx_caps));
}

static bool refused(const char *sentence)
{
    bool is = !vmx_probe() && strstr(said, sentence);
    if (!is)
        printf("said: %s\n", said);
    return is;
}

TEST(everything)
{
    all();
    CHECK(vmx_probe());
    CHECK_EQ(vmx_caps.revision, 0x4711);
    uint64_t assists = ASSIST_NEXT_RIP | ASSIST_UNRESTRICTED | ASSIST_FLUSH_ASID |
                       ASSIST_PAUSE_FILTER | ASSIST_PREEMPT_TIMER | ASSIST_VIRT_INTR |
                       ASSIST_APIC_REGS | ASSIST_POSTED_INTR | ASSIST_TSC_SCALING | ASSIST_DIRTY |
                       ASSIST_PML | ASSIST_FAST_STRINGS;
    CHECK_EQ(virt_assists, assists);
    CHECK_EQ(ept_format.max_level, 3);
    CHECK_EQ(vmx_caps.timer_idle, UINT32_MAX);
    CHECK_EQ(vmx_caps.cr0_fixed0, 0x20); /* PE and PG are free */
    CHECK(vmx_caps.cr0_guest & 1);
}

TEST(slow_strings)
{
    all();
    msr_value[0x1a0] = 0x1800;
    CHECK(vmx_probe());
    CHECK(!(virt_assists & ASSIST_FAST_STRINGS));
}

/* VMFUNC, #VE, XSAVES, mode-based execute control, sub-page permissions, PASID translation, user
 * wait, encryption of this and that: off, though the CPU has them. */
TEST(what_guests_do_not_get_stays_off)
{
    all();
    CHECK(vmx_probe());
    uint32_t known = SECONDARY_EPT | SECONDARY_RDTSCP | SECONDARY_VPID | SECONDARY_WBINVD |
                     SECONDARY_UNRESTRICTED | SECONDARY_PAUSE_LOOP | SECONDARY_INVPCID |
                     SECONDARY_TSC_SCALING;
    CHECK_EQ(vmx_caps.secondary, known); /* delivery, posting, log: a vCPU's own */
    CHECK_EQ(vmx_caps.pin, 0x16u | PIN_EXTINT | PIN_NMI | PIN_VIRTUAL_NMIS | PIN_TIMER);
    CHECK_EQ(vmx_caps.exit, 0x36dfbu | EXIT_NEEDED); /* no PKRS, no CET */
    CHECK_EQ(vmx_caps.entry, 0x11fbu | ENTRY_NEEDED);
}

TEST(each_assist_switched_off)
{
    static const struct {
        const char *word;
        uint64_t gone;
    } table[] = {
        {"nounrestricted", ASSIST_UNRESTRICTED},
        {"novpid", ASSIST_FLUSH_ASID},
        {"nopausefilter", ASSIST_PAUSE_FILTER},
        {"nopreempttimer", ASSIST_PREEMPT_TIMER},
        {"novirtintr", ASSIST_VIRT_INTR | ASSIST_APIC_REGS | ASSIST_POSTED_INTR},
        {"noapicregs", ASSIST_APIC_REGS},
        {"nopostedintr", ASSIST_POSTED_INTR},
        {"notscscaling", ASSIST_TSC_SCALING},
        {"nopml", ASSIST_PML},
        {"noeptdirty", ASSIST_PML | ASSIST_DIRTY},
        {"notprshadow", ASSIST_VIRT_INTR | ASSIST_APIC_REGS | ASSIST_POSTED_INTR},
        {"nomsrbitmap", ASSIST_VIRT_INTR | ASSIST_APIC_REGS | ASSIST_POSTED_INTR},
    };
    all();
    CHECK(vmx_probe());
    uint64_t with = virt_assists;
    for (uint32_t i = 0; i < ARRAY_LEN(table); i++) {
        all();
        switches = table[i].word;
        CHECK(vmx_probe());
        CHECK_EQ(virt_assists, with & ~table[i].gone);
    }
}

/* The bit of each assist in its MSR, taken away. */
TEST(each_assist_missing)
{
    static const struct {
        uint32_t msr, bit;
        uint64_t gone;
    } table[] = {
        {0x48b, 7, ASSIST_UNRESTRICTED},
        {0x48b, 5, ASSIST_FLUSH_ASID},
        {0x48b, 10, ASSIST_PAUSE_FILTER},
        {0x48d, 6, ASSIST_PREEMPT_TIMER},
        {0x48b, 4, ASSIST_VIRT_INTR | ASSIST_APIC_REGS | ASSIST_POSTED_INTR},
        {0x48b, 9, ASSIST_VIRT_INTR | ASSIST_APIC_REGS | ASSIST_POSTED_INTR},
        {0x48b, 8, ASSIST_APIC_REGS},
        {0x48d, 7, ASSIST_POSTED_INTR},
        {0x48f, 15, ASSIST_POSTED_INTR},
        {0x48b, 25, ASSIST_TSC_SCALING},
        {0x48b, 17, ASSIST_PML},
    };
    all();
    CHECK(vmx_probe());
    uint64_t with = virt_assists;
    for (uint32_t i = 0; i < ARRAY_LEN(table); i++) {
        all();
        msr_value[table[i].msr] &= ~(1ull << (32 + table[i].bit));
        CHECK(vmx_probe());
        CHECK_EQ(virt_assists, with & ~table[i].gone);
    }
    all();
    msr_value[0x48c] &= ~(1ull << 21);
    CHECK(vmx_probe());
    CHECK_EQ(virt_assists, with & ~(ASSIST_DIRTY | ASSIST_PML));
}

TEST(feature_control_msr)
{
    all();
    msr_value[0x3a] = 0; /* unlocked: this is the firmware then */
    written = 0;
    CHECK(vmx_probe());
    CHECK_EQ(written, 5);
    all();
    msr_value[0x3a] = 4;
    CHECK(vmx_probe());
    CHECK_EQ(msr_value[0x3a], 5);
    all();
    msr_value[0x3a] = 1;
    CHECK(refused("switched off by the firmware on CPU 0"));
    all();
    msr_value[0x3a] = 3; /* inside SMX only */
    CHECK(refused("switched off by the firmware"));
}

TEST(each_cpu_is_asked)
{
    struct cpu cpu = {.id = 7};
    all();
    CHECK(vmx_probe());
    CHECK(vmx_cpu_enable(&cpu));
    CHECK(turned_on);
    turned_on = false;
    cpuid_ecx = 0;
    CHECK(!vmx_cpu_enable(&cpu));
    CHECK(strstr(said, "CPU 7 cannot run guests"));
    cpuid_ecx = 1u << 5;
    msr_value[0x3a] = 1;
    CHECK(!vmx_cpu_enable(&cpu));
    CHECK(strstr(said, "firmware on CPU 7"));
    CHECK(!turned_on);
}

TEST(too_little)
{
    all();
    features.vmx = false;
    CHECK(refused("this CPU has no VMX"));
    all();
    features = (struct cpu_features){.vendor = VENDOR_AMD};
    CHECK(!vmx_probe());
    CHECK(!said[0]); /* not this CPU's maker's */
    all();
    msr_value[0x482] &= ~(1ull << 63);
    CHECK(refused("no extended page tables"));
    all();
    msr_value[0x48b] &= ~(1ull << 33);
    CHECK(refused("no extended page tables"));
    all();
    msr_value[0x48c] &= ~(1ull << 20);
    CHECK(refused("lacks four levels, write-back tables or INVEPT"));
    all();
    msr_value[0x48c] &= ~(3ull << 25);
    CHECK(refused("INVEPT"));
    all();
    msr_value[0x48d] &= ~(1ull << (32 + 5));
    CHECK(refused("pin-based controls 0x20 cannot be set"));
    all();
    msr_value[0x48e] |= 1u << 15; /* CR3 accesses would always exit */
    CHECK(refused("primary controls 0x8000"));
    all();
    msr_value[0x490] &= ~(1ull << (32 + 15));
    CHECK(refused("VM-entry controls 0x8000"));
}

TEST(page_sizes)
{
    all();
    msr_value[0x48c] &= ~(1ull << 17);
    CHECK(vmx_probe());
    CHECK_EQ(ept_format.max_level, 2);
    msr_value[0x48c] &= ~(1ull << 16);
    CHECK(vmx_probe());
    CHECK_EQ(ept_format.max_level, 1);
    all();
    msr_value[0x48c] &= ~(1ull << 25);
    CHECK(vmx_probe());
    CHECK(!vmx_caps.invept_single);
}

TEST(without_true_controls)
{
    all();
    msr_value[0x480] &= ~(1ull << 55);
    CHECK(refused("primary controls 0x18000")); /* CR3 accesses exit there */
    all();
    msr_value[0x480] &= ~(1ull << 55);
    msr_value[0x482] &= ~0x18000ull;
    msr_value[0x48e] = 0; /* never looked at */
    CHECK(vmx_probe());
}

TEST(bochs)
{
    all();
    features.bochs = true;
    CHECK(vmx_probe());
    CHECK(!(virt_assists & (ASSIST_VIRT_INTR | ASSIST_POSTED_INTR)));
    CHECK_EQ(vmx_caps.timer_idle, 50000u >> 5);
    all();
    features.bochs = true;
    switches = "virtintr";
    CHECK(vmx_probe());
    CHECK(virt_assists & ASSIST_VIRT_INTR);
}
