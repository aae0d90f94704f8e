/* SPDX-License-Identifier: BSD-2-Clause */
/* Plain SSE and AVX moves between a register and memory, through the vCPU's XSAVE image. */
#include "vmm/emulate.h"

#include <string.h>

#include "vmm/x86.h"

#define XSAVE_XMM    160u /* XMM0 in the legacy region, 16 bytes a register */
#define XSAVE_HEADER 512u /* XSTATE_BV */
#define XSAVE_YMM    576u /* high halves, standard format */

static bool vector_load(struct emul *emul, const struct insn_operand *to,
                        const struct insn_operand *from)
{
    uint8_t value[32] = {0};
    struct emul_ref ref;
    if (!emul_operand_ref(emul, from, from->size, 0, &ref))
        return false;
    emul_load(emul, &ref, value);
    uint8_t *image = emul->bus->fpu_load(emul->opaque);
    uint64_t present;
    memcpy(&present, image + XSAVE_HEADER, 8);
    present |= 2;                                         /* SSE state */
    memcpy(image + XSAVE_XMM + 16u * to->reg, value, 16); /* shorter loads clear the rest */
    if (emul->insn->flags & INSN_VEX) {
        if (!(present & 4)) {
            memset(image + XSAVE_YMM, 0, 256);
            present |= 4;
        }
        memcpy(image + XSAVE_YMM + 16u * to->reg, value + 16, 16);
    }
    memcpy(image + XSAVE_HEADER, &present, 8);
    emul->bus->fpu_store(emul->opaque);
    return true;
}

static bool vector_store(struct emul *emul, const struct insn_operand *to,
                         const struct insn_operand *from)
{
    uint8_t value[32] = {0};
    struct emul_ref ref;
    if (!emul_operand_ref(emul, to, to->size, EMUL_WRITE, &ref))
        return false;
    const uint8_t *image = emul->bus->fpu_load(emul->opaque);
    uint64_t present;
    memcpy(&present, image + XSAVE_HEADER, 8);
    if (present & 2)
        memcpy(value, image + XSAVE_XMM + 16u * from->reg, 16);
    if (present & 4)
        memcpy(value + 16, image + XSAVE_YMM + 16u * from->reg, 16);
    emul_store(emul, &ref, value);
    return true;
}

bool emul_vector(struct emul *emul)
{
    const struct insn_operand *to = &emul->insn->operand[0], *from = &emul->insn->operand[1];
    if (emul->insn->operand[2].kind != OPERAND_NONE)
        return emul_unknown(emul);
    if (emul->paging.cr0 & CR0_TS)
        return emul_fault_plain(emul, VECTOR_NM);
    if (to->kind == OPERAND_VEC && from->kind == OPERAND_MEM && from->size <= 32)
        return vector_load(emul, to, from);
    if (to->kind == OPERAND_MEM && from->kind == OPERAND_VEC && to->size <= 32)
        return vector_store(emul, to, from);
    return emul_unknown(emul);
}
