/* SPDX-License-Identifier: BSD-2-Clause */
/* Random instructions in a random CPU state over a small guest. Also what a task switch makes of it
 * and the crash text. Layout of the input: mode byte, 16 register bytes, then code. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "vmm/alu.c"
#include "vmm/crash.c"
#include "vmm/decode.c"
#include "vmm/emulate.c"
#include "vmm/emulate_bits.c"
#include "vmm/emulate_mem.c"
#include "vmm/emulate_stack.c"
#include "vmm/emulate_string.c"
#include "vmm/emulate_system.c"
#include "vmm/emulate_vector.c"
#include "vmm/guest_mem.c"
#include "vmm/paging_walk.c"
#include "vmm/task_switch.c"

#define RAM  0x10000u
#define CODE 0x4000u

static uint8_t *ram;
static uint8_t fpu[4096];
static struct vcpu_page page;

static uint64_t mmio_read(void *opaque, uint64_t gpa, uint32_t size)
{
    (void)opaque;
    if (size != 1 && size != 2 && size != 4 && size != 8)
        abort();
    return gpa * 0x9e3779b97f4a7c15ull;
}

static void mmio_write(void *opaque, uint64_t gpa, uint32_t size, uint64_t value)
{
    (void)opaque;
    (void)gpa;
    (void)value;
    if (size != 1 && size != 2 && size != 4 && size != 8)
        abort();
}

static uint32_t port_in(void *opaque, uint16_t port, uint32_t size)
{
    (void)opaque;
    if (size != 1 && size != 2 && size != 4)
        abort();
    return port * 0x01010101u;
}

static void port_out(void *opaque, uint16_t port, uint32_t size, uint32_t value)
{
    (void)opaque;
    (void)port;
    (void)value;
    if (size != 1 && size != 2 && size != 4)
        abort();
}

static void need(void *opaque, uint32_t groups)
{
    (void)opaque;
    page.valid |= groups;
}

static uint8_t *fpu_load(void *opaque)
{
    (void)opaque;
    return fpu;
}

static void fpu_store(void *opaque)
{
    (void)opaque;
}

static uint64_t tpr_read(void *opaque)
{
    (void)opaque;
    return 0;
}

static void tpr_write(void *opaque, uint64_t cr8)
{
    (void)opaque;
    if (cr8 > 15)
        abort();
}

static const struct emul_bus fuzz_bus = {mmio_read, mmio_write, port_in,  port_out, need,
                                         fpu_load,  fpu_store,  tpr_read, tpr_write};

static void set_mode(uint8_t mode)
{
    uint64_t tables[4] = {0x2000 | 7, 0, 0x83 | 7, 0x40000087};
    for (uint32_t i = 0; i < SEG_COUNT; i++)
        page.seg[i] = (struct vcpu_segment){.limit = mode & 8 ? 0xffff : 0xffffffff,
                                            .attr = (uint16_t)(i == SEG_CS ? 0xc9b : 0xc93)};
    page.rip = CODE;
    page.cr0 = mode & 1 ? CR0_PE : 0;
    page.seg[SEG_CS].attr = mode & 1 ? (mode & 4 ? 0x9b : 0xc9b) : 0x9b;
    if ((mode & 3) != 3)
        return;
    memcpy(ram + 0x1000, &tables[0], 8);
    memcpy(ram + 0x2000, &tables[2], 16);
    page.cr0 |= CR0_PG | CR0_WP;
    page.cr3 = 0x1000;
    page.cr4 = CR4_PAE;
    page.efer = EFER_LME | EFER_LMA | EFER_NXE;
    page.seg[SEG_CS].attr = 0xa9b;
    if (mode & 16)
        page.seg[SEG_SS].attr |= 0x60;
}

static void task(struct emul *emul, const uint8_t *data)
{
    page.exit.task.selector = (uint16_t)(data[1] | data[2] << 8);
    page.exit.task.source = data[3] & 3;
    page.exit.task.has_error = data[4] & 1;
    page.gdtr = (struct vcpu_table){.base = CODE, .limit = 0xffff};
    page.seg[SEG_TR].base = 0x8000;
    task_switch(emul);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct emul emul;
    char text[1024];
    struct guest_mem mem = {0};
    if (size < 18 || size > 256)
        return 0;
    if (!ram)
        ram = malloc(RAM);
    memset(ram, 0, RAM);
    memset(&page, 0, sizeof(page));
    guest_mem_add(&mem, 0, RAM, ram, true);
    emul_init(&emul, &page, &mem, &fuzz_bus, NULL, 40);
    set_mode(data[0]);
    for (uint32_t i = 0; i < GPR_COUNT; i++) /* near the edges of RAM, or anywhere */
        page.gpr[i] = data[1 + i] & 0x80 ? (uint64_t)data[1 + i] * 0x0101010101010101ull
                                         : (uint64_t)data[1 + i] << 10;
    page.rflags = 2 | (data[1] & 1 ? RFLAGS_DF : 0) | (data[2] & 1 ? RFLAGS_TF : 0);
    memcpy(ram + CODE, data + 17, size - 17);
    if (data[0] & 32) {
        task(&emul, data);
    } else {
        for (uint32_t i = 0; i < 4; i++) {
            page.exit.mmio.gpa = page.gpr[GPR_RSI];
            if (emulate_mmio(&emul) >= EMUL_FAULT)
                break;
        }
    }
    crash_text(text, 100 + data[0], "fuzz", 0, &emul);
    if (!memchr(text, 0, 100u + data[0]))
        abort();
    return 0;
}
