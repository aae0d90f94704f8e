/* SPDX-License-Identifier: BSD-2-Clause */
/* Register states in which boot protocols hand over the boot processor. */
#include <string.h>

#include "vmm/loader.h"
#include "vmm/x86.h"

#define ATTR_CODE32 0x0c9bu /* G, D, P, code, readable, accessed */
#define ATTR_CODE64 0x0a9bu /* G, L, P, code */
#define ATTR_DATA   0x0c93u
#define ATTR_TSS32  0x008bu
#define ATTR_LDT    0x0082u

#define GROUPS \
    (VCPU_GROUP_CORE | VCPU_GROUP_SEGS | VCPU_GROUP_CTRL | VCPU_GROUP_DEBUG | VCPU_GROUP_SYSCALL)

/* GDT as Documentation/arch/x86/boot.rst asks: code at selector 0x10, data at 0x18. */
static void build_gdt(struct loader *loader, bool long_mode)
{
    const uint64_t gdt[5] = {0, 0, long_mode ? 0x00af9b000000ffffull : 0x00cf9b000000ffffull,
                             0x00cf93000000ffffull, 0x00008b0000000067ull};
    guest_mem_write(loader->mem, BOOT_GDT, gdt, sizeof(gdt));
    loader->page->gdtr = (struct vcpu_table){.base = BOOT_GDT, .limit = sizeof(gdt) - 1};
    loader->page->idtr = (struct vcpu_table){.base = 0, .limit = 0};
}

static void flat(struct vcpu_page *page, uint16_t code_attr)
{
    for (uint32_t i = SEG_ES; i <= SEG_GS; i++)
        page->seg[i] =
            (struct vcpu_segment){.limit = 0xffffffff, .selector = 0x18, .attr = ATTR_DATA};
    page->seg[SEG_CS] =
        (struct vcpu_segment){.limit = 0xffffffff, .selector = 0x10, .attr = code_attr};
    page->seg[SEG_TR] = (struct vcpu_segment){.limit = 0x67, .selector = 0x20, .attr = ATTR_TSS32};
    page->seg[SEG_LDTR] = (struct vcpu_segment){.attr = ATTR_LDT};
}

static void clear(struct vcpu_page *page)
{
    memset(page->gpr, 0, sizeof(page->gpr));
    page->rflags = RFLAGS_ONE;
    page->block = 0;
    page->cr2 = page->cr3 = page->cr4 = page->efer = 0;
    page->xcr0 = 1;
    memset(page->dr, 0, sizeof(page->dr));
    page->dr6 = 0xffff0ff0;
    page->dr7 = 0x400;
    page->star = page->lstar = page->cstar = page->sfmask = page->kernel_gs_base = 0;
    page->sysenter_cs = page->sysenter_esp = page->sysenter_eip = 0;
    page->dirty |= GROUPS;
}

void boot_state_protected(struct loader *loader, uint64_t eip)
{
    struct vcpu_page *page = loader->page;
    clear(page);
    build_gdt(loader, false);
    flat(page, ATTR_CODE32);
    page->cr0 = CR0_PE | CR0_ET;
    page->rip = eip;
    page->gpr[GPR_RSP] = BOOT_STACK;
}

/* Identity map of the first 4 GiB with 2 MiB pages. */
static void build_page_tables(struct loader *loader)
{
    uint64_t *tables = guest_mem_writable(loader->mem, BOOT_PAGE_TABLES, 6 * 4096);
    if (!tables)
        return;
    memset(tables, 0, 2 * 4096);
    tables[0] = (BOOT_PAGE_TABLES + 4096) | 3;
    for (uint64_t i = 0; i < 4; i++)
        tables[512 + i] = (BOOT_PAGE_TABLES + (2 + i) * 4096) | 3;
    for (uint64_t i = 0; i < 4 * 512; i++)
        tables[1024 + i] = i << 21 | 0x83;
}

void boot_state_long(struct loader *loader, uint64_t rip, uint64_t boot_params)
{
    struct vcpu_page *page = loader->page;
    clear(page);
    build_gdt(loader, true);
    build_page_tables(loader);
    flat(page, ATTR_CODE64);
    page->cr0 = CR0_PE | CR0_ET | CR0_PG;
    page->cr3 = BOOT_PAGE_TABLES;
    page->cr4 = CR4_PAE;
    page->efer = EFER_LME | EFER_LMA;
    page->rip = rip;
    page->gpr[GPR_RSP] = BOOT_STACK;
    page->gpr[GPR_RSI] = boot_params;
}

void boot_state_reset(struct vcpu_page *page)
{
    clear(page);
    for (uint32_t i = SEG_ES; i <= SEG_GS; i++)
        page->seg[i] = (struct vcpu_segment){.limit = 0xffff, .attr = 0x93};
    page->seg[SEG_CS] = (struct vcpu_segment){
        .base = 0xffff0000, .limit = 0xffff, .selector = 0xf000, .attr = 0x9b};
    page->seg[SEG_TR] = (struct vcpu_segment){.limit = 0xffff, .attr = ATTR_TSS32};
    page->seg[SEG_LDTR] = (struct vcpu_segment){.limit = 0xffff, .attr = ATTR_LDT};
    page->gdtr = page->idtr = (struct vcpu_table){.limit = 0xffff};
    page->cr0 = CR0_ET | CR0_CD | CR0_NW;
    page->rip = 0xfff0;
    page->gpr[GPR_RDX] = 0x600;
}
