/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments, rings and system calls in long mode; LDT and TSS. */
#include "lib/guest.h"

#define FREE (SEL_FREE / 8)

static void set_free(uint64_t low, uint64_t high)
{
    gdt[FREE] = low;
    gdt[FREE + 1] = high;
}

static int load_ds(uint32_t selector)
{
    int r = TRY("movl %0, %%ds", : "r"(selector) : "memory");
    __asm__ volatile("movl %0, %%ds" : : "r"(SEL_DATA));
    return r;
}

static void loads(void)
{
    check_eq("segmentation.null_ds_in_long_mode", (uint64_t)load_ds(0), (uint64_t)NO_FAULT);
    check_eq("segmentation.beyond_limit", (uint64_t)load_ds(0xff8), GP);
    check_eq("segmentation.beyond_limit_code", fault.error, 0xff8);
    set_free(0x00cf13000000ffffull, 0);
    check_eq("segmentation.not_present", (uint64_t)load_ds(SEL_FREE), NP);
    check_eq("segmentation.not_present_code", fault.error, SEL_FREE);
    set_free(0x00af99000000ffffull, 0);
    check_eq("segmentation.execute_only_to_ds", (uint64_t)load_ds(SEL_FREE), GP);
    set_free(0x00cf92000000ffffull, 0);
    (void)load_ds(SEL_FREE);
    check_eq("segmentation.accessed_bit_set", gdt[FREE] >> 40 & 1, 1);
    int r = TRY("movl %0, %%ss", : "r"(0x1000u) : "memory");
    check_eq("segmentation.bad_ss", (uint64_t)r, GP);
}

static void tables(void)
{
    static uint64_t ldt[2];
    ldt[1] = 0x00cf93000000ffffull;
    uint64_t base = (uint64_t)ldt;
    set_free(15 | (base & 0xffffff) << 16 | 0x82ull << 40 | (base >> 24 & 0xff) << 56, base >> 32);
    __asm__ volatile("lldt %w0" : : "r"(SEL_FREE));
    (void)cpuid(0, 0);
    uint16_t selector;
    __asm__ volatile("sldt %0" : "=r"(selector));
    check_eq("segmentation.ldtr_kept", selector, SEL_FREE);
    check_eq("segmentation.load_from_ldt", (uint64_t)load_ds(0xc), (uint64_t)NO_FAULT);
    __asm__ volatile("lldt %w0" : : "r"(0));
    check_eq("segmentation.null_ldt", (uint64_t)load_ds(0xc), GP);
    __asm__ volatile("str %0" : "=r"(selector));
    check_eq("segmentation.task_register", selector, SEL_TSS);
    check_eq("segmentation.tss_busy", gdt[SEL_TSS / 8] >> 40 & 0xf, 0xb);
    int r = TRY("ltr %w0", : "r"(SEL_TSS) : "memory");
    check_eq("segmentation.ltr_of_busy", (uint64_t)r, GP);
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer;
    __asm__ volatile("sgdt %0" : "=m"(pointer));
    check_eq("segmentation.gdt_base", pointer.base, (uint64_t)gdt);
    __asm__ volatile("sidt %0" : "=m"(pointer));
    check_eq("segmentation.idt_limit", pointer.limit, 4095);
    uint32_t limit;
    __asm__ volatile("lsl %1, %0" : "=r"(limit) : "r"(SEL_DATA));
    check_eq("segmentation.lsl", limit, 0xffffffffu);
}

static volatile uint64_t user_cs, user_result;

static void from_user(struct trap_frame *f)
{
    user_cs = f->cs;
    user_result = f->rax;
    f->cs = SEL_CODE64;
    f->ss = SEL_DATA;
    f->rip = f->r12;
    f->rsp = f->r13;
}

static void open_pages(void)
{
    pml4[0] |= 4;
    pdpt[0] |= 4;
    page_directories[0] |= 4;
    write_cr3(read_cr3());
}

/* Runs the bytes at `code` in ring 3; they end with int $0x80. Gives RAX. */
static uint64_t in_user_mode(const void *code, uint64_t flags)
{
    static uint8_t user_stack[1024] __attribute__((aligned(16)));
    static uint8_t kernel_stack[4096] __attribute__((aligned(16)));
    uint64_t top = (uint64_t)(kernel_stack + sizeof kernel_stack);
    boot_tss.stack[0] = (uint32_t)top;
    boot_tss.stack[1] = (uint32_t)(top >> 32);
    trap_set(0x80, from_user);
    trap_gate(0x80, 3, 0);
    __asm__ volatile("leaq 1f(%%rip), %%r12; movq %%rsp, %%r13\n\t"
                     "pushq %[ss]; pushq %[stack]; pushq %[flags]; pushq %[cs]; pushq %[code]\n\t"
                     "iretq\n1:"
                     :
                     : [ss] "i"(SEL_USER_DATA | 3), [cs] "i"(SEL_USER_CODE | 3),
                       [stack] "r"((uint64_t)(user_stack + sizeof user_stack)), [flags] "r"(flags),
                       [code] "r"(code)
                     : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r11", "r12", "r13", "memory",
                       "cc");
    return user_result;
}

static void on_user_fault(struct trap_frame *f)
{
    f->rax = 0x1000 + f->vector;
    from_user(f);
}

static void rings(void)
{
    static const uint8_t plain[] = {0xb8, 0x39, 0x05, 0, 0, 0xcd, 0x80};
    static const uint8_t hlt[] = {0xf4, 0xcd, 0x80};
    static const uint8_t in[] = {0x31, 0xc0, 0xe4, 0x80, 0xcd, 0x80};
    static const uint8_t ask_cpuid[] = {0x31, 0xc0, 0x0f, 0xa2, 0xb8, 7, 0, 0, 0, 0xcd, 0x80};
    open_pages();
    check_eq("segmentation.ring3_runs", in_user_mode(plain, 2), 0x539);
    check_eq("segmentation.ring3_cs", user_cs, SEL_USER_CODE | 3);
    check_eq("segmentation.cpuid_in_ring3", in_user_mode(ask_cpuid, 2), 7);
    trap_set(GP, on_user_fault);
    check_eq("segmentation.hlt_in_ring3", in_user_mode(hlt, 2), 0x1000 + GP);
    check_eq("segmentation.in_in_ring3", in_user_mode(in, 2), 0x1000 + GP);
    check_eq("segmentation.in_with_iopl3", in_user_mode(in, 0x3002) >> 12 & 1, 0);
    trap_set(GP, NULL);
}

static void syscall(void)
{
    uint64_t rcx, r11;
    wrmsr(MSR_STAR, (uint64_t)SEL_CODE64 << 32 | (uint64_t)(SEL_USER_DATA - 8) << 48);
    wrmsr(MSR_SFMASK, 0x400);
    /* SYSCALL from ring 0 is allowed; RCX is the return address, R11 the flags before masking. */
    __asm__ volatile("leaq 1f(%%rip), %%rax; movl $0xc0000082, %%ecx; movq %%rax, %%rdx\n\t"
                     "shrq $32, %%rdx; wrmsr; std; syscall\n\tud2\n1:\tmovq %%r11, %0\n\t"
                     "movq %%rcx, %1; pushfq; popq %%rax; cld"
                     : "=&r"(r11), "=&r"(rcx)
                     :
                     : "rax", "rcx", "rdx", "r11", "memory", "cc");
    check_eq("segmentation.syscall_saves_flags", r11 >> 10 & 1, 1);
    check("segmentation.syscall_saves_rip", *(uint16_t *)rcx == 0x0b0f);
}

void guest_main(void)
{
    loads();
    tables();
    rings();
    syscall();
}
