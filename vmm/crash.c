/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/crash.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/x86.h"

struct writer {
    char *text;
    size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void say(struct writer *writer, const char *format,
                                                      ...)
{
    va_list args;
    if (writer->used + 1 >= writer->size)
        return;
    va_start(args, format);
    int length = vsnprintf(writer->text + writer->used, writer->size - writer->used, format, args);
    va_end(args);
    if (length > 0)
        writer->used += (size_t)length;
    if (writer->used >= writer->size)
        writer->used = writer->size - 1;
}

#define HEX(value) ((unsigned long long)(value))

static void add_registers(struct writer *writer, const struct vcpu_page *page)
{
    static const char names[GPR_COUNT][4] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                             "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                             "r12", "r13", "r14", "r15"};
    say(writer, "rip %llx rflags %llx\n", HEX(page->rip), HEX(page->rflags));
    for (uint32_t i = 0; i < GPR_COUNT; i++)
        say(writer, "%s %llx%s", names[i], HEX(page->gpr[i]), i % 4 == 3 ? "\n" : " ");
    say(writer, "cr0 %llx cr2 %llx cr3 %llx cr4 %llx efer %llx\n", HEX(page->cr0), HEX(page->cr2),
        HEX(page->cr3), HEX(page->cr4), HEX(page->efer));
}

static void add_segments(struct writer *writer, const struct vcpu_page *page)
{
    static const char names[SEG_COUNT][5] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
    for (uint32_t i = 0; i < SEG_COUNT; i++) {
        const struct vcpu_segment *seg = &page->seg[i];
        say(writer, "%s %x:%llx/%x/%x%s", names[i], seg->selector, HEX(seg->base), seg->limit,
            seg->attr, i % 4 == 3 ? "\n" : " ");
    }
    say(writer, "gdtr %llx/%x idtr %llx/%x\n", HEX(page->gdtr.base), page->gdtr.limit,
        HEX(page->idtr.base), page->idtr.limit);
}

static void add_code(struct writer *writer, struct emul *emul)
{
    uint8_t bytes[INSN_MAX_BYTES];
    uint32_t count = emul_peek(emul, bytes);
    say(writer, count ? "code" : "code not readable");
    for (uint32_t i = 0; i < count; i++)
        say(writer, " %02x", bytes[i]);
    say(writer, "\n");
}

static void add_stack(struct writer *writer, const struct emul *emul)
{
    const struct vcpu_page *page = emul->page;
    uint64_t linear = page->gpr[GPR_RSP], gpa, word;
    uint32_t error;
    if (emul->mode != DECODE_64)
        linear = (page->seg[SEG_SS].base + linear) & 0xffffffffull;
    say(writer, "stack");
    for (uint32_t i = 0; i < 6; i++, linear += 8) {
        if (!paging_walk(emul->mem, &emul->paging, linear, WALK_PEEK, &gpa, &error) ||
            !guest_mem_read(emul->mem, gpa, &word, sizeof(word)))
            break;
        say(writer, " %llx", HEX(word));
    }
    say(writer, "\n");
}

void crash_text(char *text, size_t size, const char *reason, uint32_t vcpu, struct emul *emul)
{
    struct writer writer = {.text = text, .size = size};
    if (size == 0)
        return;
    text[0] = 0;
    say(&writer, "%s (vCPU %u)\n", reason, vcpu);
    add_registers(&writer, emul->page);
    add_code(&writer, emul); /* also finds out the mode */
    add_segments(&writer, emul->page);
    add_stack(&writer, emul);
}
