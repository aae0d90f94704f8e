/* SPDX-License-Identifier: BSD-2-Clause */
/* Every instruction of both virtualisation extensions, and garbage in the control registers, EFER,
 * XCR0 and the debug registers: each takes it or faults, and keeps what it took. */
#include "lib/guest.h"

#define ROUNDS 4000u

#define CR0_PE  (1ull << 0)
#define CR0_ET  (1ull << 4)
#define CR0_PG  (1ull << 31)
#define CR4_PAE (1ull << 5)
/* CET: with CR0.WP clear it cannot stay. */
#define CR4_CET      (1ull << 23)
#define CR4_OSXSAVE  (1ull << 18)
#define EFER_SCE     (1ull << 0)
#define EFER_LMA     (3ull << 8)
#define EFER_NXE     (1ull << 11)
#define DR7_GD       (1ull << 13)
#define DR7_FIXED    0x400ull
#define MEMORY_WORDS 4

static uint64_t state = 0x2545f4914f6cdd1dull;

/* Often with few bits, so that some are taken. */
static uint64_t garbage(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    uint64_t one = 1ull << (state >> 58);
    switch (state >> 20 & 3) {
    case 0:
        return one;
    case 1:
        return one | 1ull << (state >> 40 & 63);
    case 2:
        return state & 0xffffffff;
    default:
        return state;
    }
}

#define UNDEFINED(name, insn, ...)                      \
    do {                                                \
        uint64_t a_ = 0, c_ = 0, d_ = 0;                \
        (void)d_;                                       \
        check_eq("hostile_control." name,               \
                 (uint64_t)TRY(insn, "+a"(a_), "+c"(c_) \
                               : __VA_ARGS__            \
                               : "memory", "cc"),       \
                 UD);                                   \
    } while (0)

static void vmx_instructions(void)
{
    static uint64_t memory[MEMORY_WORDS] __attribute__((aligned(4096)));
    UNDEFINED("vmxon", "vmxon %2", "m"(memory[0]));
    UNDEFINED("vmxoff", "vmxoff", );
    UNDEFINED("vmclear", "vmclear %2", "m"(memory[0]));
    UNDEFINED("vmptrld", "vmptrld %2", "m"(memory[0]));
    UNDEFINED("vmptrst", "vmptrst %2", "m"(memory[0]));
    UNDEFINED("vmread", "vmread %%rax, %%rcx", );
    UNDEFINED("vmwrite", "vmwrite %%rax, %%rcx", );
    UNDEFINED("vmlaunch", "vmlaunch", );
    UNDEFINED("vmresume", "vmresume", );
    UNDEFINED("invept", "invept %2, %%rax", "m"(memory[0]));
    UNDEFINED("invvpid", "invvpid %2, %%rax", "m"(memory[0]));
    UNDEFINED("vmfunc", "vmfunc", );
    UNDEFINED("getsec", "getsec", );
}

/* Hidden by CPUID, so not there: supervisor state is no guest's. */
static void supervisor_state(void)
{
    static uint8_t area[4096] __attribute__((aligned(64)));
    static const uint32_t msrs[] = {0xda0, 0x6a2, 0x6a4, 0x6e1}; /* XSS, S_CET, PL0_SSP, PKRS */
    bool known = cpuid(0, 0).eax >= 0xd && (cpuid(0xd, 1).eax & 1u << 3);
    if (!(cpuid(1, 0).ecx >> 26 & 1) || known)
        return;
    uint64_t cr4 = read_cr4();
    write_cr4(cr4 | CR4_OSXSAVE);
    UNDEFINED("xsaves", "xsaves %2", "m"(area[0]));
    UNDEFINED("xrstors", "xrstors %2", "m"(area[0]));
    write_cr4(cr4);
    /* QEMU's CPU has any MSR. */
    bool bare = cpuid(0x40000000u, 0).ebx != 0x4b4d564b; /* "KVMK" */
    for (uint32_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]) && !bare; i++)
        check_eq("hostile_control.supervisor_msr",
                 (uint64_t)TRY("rdmsr",
                               : "c"(msrs[i])
                               : "rax", "rdx"),
                 GP);
}

static void svm_instructions(void)
{
    UNDEFINED("vmrun", "vmrun %%rax", );
    UNDEFINED("vmload", "vmload %%rax", );
    UNDEFINED("vmsave", "vmsave %%rax", );
    UNDEFINED("stgi", "stgi", );
    UNDEFINED("clgi", "clgi", );
    UNDEFINED("skinit", "skinit %%eax", );
    UNDEFINED("invlpga", "invlpga %%rax, %%ecx", );
}

/* QEMU's CPU takes values that no CPU takes, and hangs or refuses to run with some. */
static bool strict(void)
{
    uint64_t good = read_cr0();
    int nw = TRY("movq %0, %%cr0", : "r"((good & ~(1ull << 30)) | 1ull << 29) : "memory");
    int pg = TRY("movq %0, %%cr0", : "r"(good & ~CR0_PE) : "memory");
    write_cr0(good);
    say("info NW without CD: fault %d, PG without PE: fault %d\n", nw, pg);
    return nw == GP && pg == GP;
}

static void cr0(void)
{
    uint64_t good = read_cr0();
    uint32_t taken = 0, wrong = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t value = garbage() | CR0_PE | CR0_PG;
        if (TRY("movq %0, %%cr0", : "r"(value) : "memory") == NO_FAULT) {
            taken++;
            /* Reserved bits of the lower half are ignored. */
            wrong += ((read_cr0() ^ value) & 0xe005000full & ~CR0_ET) != 0;
        }
        write_cr0(good);
    }
    check("hostile_control.cr0_some_taken", taken > 0 && taken < ROUNDS);
    check_eq("hostile_control.cr0_reads_back", wrong, 0);
}

static void cr4(void)
{
    uint64_t good = read_cr4();
    uint32_t taken = 0, wrong = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t value = (garbage() & ~CR4_CET) | CR4_PAE;
        if (TRY("movq %0, %%cr4", : "r"(value) : "memory") == NO_FAULT) {
            taken++;
            wrong += read_cr4() != value;
        }
        write_cr4(good);
    }
    check("hostile_control.cr4_some_taken", taken > 0 && taken < ROUNDS);
    check_eq("hostile_control.cr4_reads_back", wrong, 0);
    check_eq("hostile_control.cr4_reserved",
             (uint64_t)TRY("movq %0, %%cr4",
                           : "r"(good | 1ull << 40)
                           : "memory"),
             GP);
}

static int write_msr(uint32_t index, uint64_t value)
{
    return TRY("wrmsr",
               : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
               : "memory");
}

static void efer(bool real)
{
    uint64_t good = rdmsr(MSR_EFER);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t value = (garbage() & ~(EFER_LMA | EFER_NXE)) | (good & (EFER_LMA | EFER_NXE));
        if (write_msr(MSR_EFER, value) == NO_FAULT)
            wrong += ((rdmsr(MSR_EFER) ^ value) & EFER_SCE) != 0;
        wrmsr(MSR_EFER, good);
    }
    check_eq("hostile_control.efer_reads_back", wrong, 0);
    if (!real)
        return;
    check_eq("hostile_control.efer_reserved", (uint64_t)write_msr(MSR_EFER, good | 1ull << 50), GP);
    check_eq("hostile_control.efer_lme_under_paging",
             (uint64_t)write_msr(MSR_EFER, good & ~(1ull << 8)), GP);
}

static int write_xcr0(uint64_t value, uint32_t index)
{
    return TRY("xsetbv",
               : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
               : "memory");
}

static uint64_t read_xcr0(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static void xcr0(bool real)
{
    uint64_t before = read_cr4();
    if (!(cpuid(1, 0).ecx >> 26 & 1)) {
        say("info no XSAVE\n");
        return;
    }
    write_cr4(before & ~CR4_OSXSAVE);
    check_eq("hostile_control.xsetbv_without_osxsave", (uint64_t)write_xcr0(1, 0), UD);
    write_cr4(before | CR4_OSXSAVE);
    uint64_t good = read_xcr0();
    uint32_t wrong = 0, taken = 0, offered = cpuid(0xd, 0).eax;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t value = i < 1024 ? i : garbage();
        if (write_xcr0(value, 0) == NO_FAULT) {
            taken++;
            /* x87 always; AVX never without SSE; nothing that CPUID does not offer (QEMU lets
             * guests take what is the host's). */
            wrong += read_xcr0() != value || !(value & 1) || (value & 6) == 4 ||
                     (real && ((uint32_t)value & ~offered) != 0);
        }
        wrong += write_xcr0(1, 1 + (uint32_t)(value & 0xffff)) != GP;
        (void)write_xcr0(good, 0);
    }
    check("hostile_control.xcr0_some_taken", taken > 0);
    check_eq("hostile_control.xcr0_rules", wrong, 0);
    write_cr4(before);
}

static void debug_registers(void)
{
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t value = garbage() & ~DR7_GD;
        uint64_t address = garbage() & 0x00007ffffffff000ull;
        address |= 1ull << 46; /* where this guest has nothing */
        __asm__ volatile("movq %0, %%db0; movq %0, %%db1; movq %0, %%db2; movq %0, %%db3"
                         :
                         : "r"(address));
        int seven = TRY("movq %0, %%db7", : "r"(value) : "memory");
        wrong += (seven == GP) != (value >> 32 != 0);
        if (seven == NO_FAULT) {
            uint64_t now;
            __asm__ volatile("movq %%db7, %0" : "=r"(now));
            wrong += ((now ^ value) & 0xffff03ffull) != 0 || !(now & DR7_FIXED);
        }
        __asm__ volatile("movq %0, %%db7" : : "r"(DR7_FIXED));
        int six = TRY("movq %0, %%db6", : "r"(value) : "memory");
        wrong += (six == GP) != (value >> 32 != 0);
    }
    check_eq("hostile_control.debug_registers", wrong, 0);
}

void guest_main(void)
{
    pic_init(0xff, 0xff);
    vmx_instructions();
    svm_instructions();
    supervisor_state();
    bool real = strict();
    if (real) {
        cr0();
        cr4();
    }
    efer(real);
    xcr0(real);
    debug_registers();
}
