/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/decode.h"

#include <string.h>
#include <Zydis/Zydis.h>

#include "abi/vcpu.h"

struct op_name {
    uint16_t mnemonic;
    uint8_t op; /* enum insn_op */
};

static const struct op_name op_names[] = {
    {ZYDIS_MNEMONIC_MOV, OP_MOV},
    {ZYDIS_MNEMONIC_MOVZX, OP_MOVZX},
    {ZYDIS_MNEMONIC_MOVSX, OP_MOVSX},
    {ZYDIS_MNEMONIC_MOVSXD, OP_MOVSX},
    {ZYDIS_MNEMONIC_MOVBE, OP_MOVBE},
    {ZYDIS_MNEMONIC_LEA, OP_LEA},
    {ZYDIS_MNEMONIC_ADD, OP_ADD},
    {ZYDIS_MNEMONIC_OR, OP_OR},
    {ZYDIS_MNEMONIC_ADC, OP_ADC},
    {ZYDIS_MNEMONIC_SBB, OP_SBB},
    {ZYDIS_MNEMONIC_AND, OP_AND},
    {ZYDIS_MNEMONIC_SUB, OP_SUB},
    {ZYDIS_MNEMONIC_XOR, OP_XOR},
    {ZYDIS_MNEMONIC_CMP, OP_CMP},
    {ZYDIS_MNEMONIC_TEST, OP_TEST},
    {ZYDIS_MNEMONIC_INC, OP_INC},
    {ZYDIS_MNEMONIC_DEC, OP_DEC},
    {ZYDIS_MNEMONIC_NOT, OP_NOT},
    {ZYDIS_MNEMONIC_NEG, OP_NEG},
    {ZYDIS_MNEMONIC_XCHG, OP_XCHG},
    {ZYDIS_MNEMONIC_CMPXCHG, OP_CMPXCHG},
    {ZYDIS_MNEMONIC_CMPXCHG8B, OP_CMPXCHG8B},
    {ZYDIS_MNEMONIC_CMPXCHG16B, OP_CMPXCHG8B},
    {ZYDIS_MNEMONIC_XADD, OP_XADD},
    {ZYDIS_MNEMONIC_BT, OP_BT},
    {ZYDIS_MNEMONIC_BTS, OP_BTS},
    {ZYDIS_MNEMONIC_BTR, OP_BTR},
    {ZYDIS_MNEMONIC_BTC, OP_BTC},
    {ZYDIS_MNEMONIC_BSF, OP_BSF},
    {ZYDIS_MNEMONIC_BSR, OP_BSR},
    {ZYDIS_MNEMONIC_ROL, OP_ROL},
    {ZYDIS_MNEMONIC_ROR, OP_ROR},
    {ZYDIS_MNEMONIC_RCL, OP_RCL},
    {ZYDIS_MNEMONIC_RCR, OP_RCR},
    {ZYDIS_MNEMONIC_SHL, OP_SHL},
    {ZYDIS_MNEMONIC_SHR, OP_SHR},
    {ZYDIS_MNEMONIC_SAR, OP_SAR},
    {ZYDIS_MNEMONIC_SHLD, OP_SHLD},
    {ZYDIS_MNEMONIC_SHRD, OP_SHRD},
    {ZYDIS_MNEMONIC_MUL, OP_MUL},
    {ZYDIS_MNEMONIC_IMUL, OP_IMUL},
    {ZYDIS_MNEMONIC_DIV, OP_DIV},
    {ZYDIS_MNEMONIC_IDIV, OP_IDIV},
    {ZYDIS_MNEMONIC_PUSH, OP_PUSH},
    {ZYDIS_MNEMONIC_POP, OP_POP},
    {ZYDIS_MNEMONIC_CALL, OP_CALL},
    {ZYDIS_MNEMONIC_JMP, OP_JMP},
    {ZYDIS_MNEMONIC_MOVSB, OP_MOVS},
    {ZYDIS_MNEMONIC_MOVSW, OP_MOVS},
    {ZYDIS_MNEMONIC_MOVSQ, OP_MOVS},
    {ZYDIS_MNEMONIC_CMPSB, OP_CMPS},
    {ZYDIS_MNEMONIC_CMPSW, OP_CMPS},
    {ZYDIS_MNEMONIC_CMPSQ, OP_CMPS},
    {ZYDIS_MNEMONIC_STOSB, OP_STOS},
    {ZYDIS_MNEMONIC_STOSW, OP_STOS},
    {ZYDIS_MNEMONIC_STOSD, OP_STOS},
    {ZYDIS_MNEMONIC_STOSQ, OP_STOS},
    {ZYDIS_MNEMONIC_LODSB, OP_LODS},
    {ZYDIS_MNEMONIC_LODSW, OP_LODS},
    {ZYDIS_MNEMONIC_LODSD, OP_LODS},
    {ZYDIS_MNEMONIC_LODSQ, OP_LODS},
    {ZYDIS_MNEMONIC_SCASB, OP_SCAS},
    {ZYDIS_MNEMONIC_SCASW, OP_SCAS},
    {ZYDIS_MNEMONIC_SCASD, OP_SCAS},
    {ZYDIS_MNEMONIC_SCASQ, OP_SCAS},
    {ZYDIS_MNEMONIC_INSB, OP_INS},
    {ZYDIS_MNEMONIC_INSW, OP_INS},
    {ZYDIS_MNEMONIC_INSD, OP_INS},
    {ZYDIS_MNEMONIC_OUTSB, OP_OUTS},
    {ZYDIS_MNEMONIC_OUTSW, OP_OUTS},
    {ZYDIS_MNEMONIC_OUTSD, OP_OUTS},
    {ZYDIS_MNEMONIC_MOVAPS, OP_VMOV},
    {ZYDIS_MNEMONIC_MOVUPS, OP_VMOV},
    {ZYDIS_MNEMONIC_MOVAPD, OP_VMOV},
    {ZYDIS_MNEMONIC_MOVUPD, OP_VMOV},
    {ZYDIS_MNEMONIC_MOVDQA, OP_VMOV},
    {ZYDIS_MNEMONIC_MOVDQU, OP_VMOV},
    {ZYDIS_MNEMONIC_MOVNTDQ, OP_VMOV},
    {ZYDIS_MNEMONIC_MOVNTPS, OP_VMOV},
    {ZYDIS_MNEMONIC_MOVNTPD, OP_VMOV},
    {ZYDIS_MNEMONIC_MOVNTDQA, OP_VMOV},
    {ZYDIS_MNEMONIC_LDDQU, OP_VMOV},
    {ZYDIS_MNEMONIC_MOVQ, OP_VMOV},
    {ZYDIS_MNEMONIC_MOVD, OP_VMOV},
    {ZYDIS_MNEMONIC_MOVSS, OP_VMOV},
    {ZYDIS_MNEMONIC_VMOVAPS, OP_VMOV},
    {ZYDIS_MNEMONIC_VMOVUPS, OP_VMOV},
    {ZYDIS_MNEMONIC_VMOVAPD, OP_VMOV},
    {ZYDIS_MNEMONIC_VMOVUPD, OP_VMOV},
    {ZYDIS_MNEMONIC_VMOVDQA, OP_VMOV},
    {ZYDIS_MNEMONIC_VMOVDQU, OP_VMOV},
    {ZYDIS_MNEMONIC_VMOVNTDQ, OP_VMOV},
    {ZYDIS_MNEMONIC_VMOVNTPS, OP_VMOV},
    {ZYDIS_MNEMONIC_VMOVNTPD, OP_VMOV},
    {ZYDIS_MNEMONIC_VMOVNTDQA, OP_VMOV},
    {ZYDIS_MNEMONIC_VLDDQU, OP_VMOV},
    {ZYDIS_MNEMONIC_VMOVQ, OP_VMOV},
    {ZYDIS_MNEMONIC_VMOVD, OP_VMOV},
    {ZYDIS_MNEMONIC_MOVNTI, OP_MOV},
    {ZYDIS_MNEMONIC_CLTS, OP_CLTS},
    {ZYDIS_MNEMONIC_LMSW, OP_LMSW},
    {ZYDIS_MNEMONIC_SMSW, OP_SMSW},
    {ZYDIS_MNEMONIC_LGDT, OP_LGDT},
    {ZYDIS_MNEMONIC_LIDT, OP_LIDT},
    {ZYDIS_MNEMONIC_SGDT, OP_SGDT},
    {ZYDIS_MNEMONIC_SIDT, OP_SIDT},
    {ZYDIS_MNEMONIC_LLDT, OP_LLDT},
    {ZYDIS_MNEMONIC_LTR, OP_LTR},
    {ZYDIS_MNEMONIC_SLDT, OP_SLDT},
    {ZYDIS_MNEMONIC_STR, OP_STR},
    {ZYDIS_MNEMONIC_INVD, OP_INVALIDATE},
    {ZYDIS_MNEMONIC_WBINVD, OP_INVALIDATE},
    {ZYDIS_MNEMONIC_INVLPG, OP_INVALIDATE},
    {ZYDIS_MNEMONIC_CLFLUSH, OP_INVALIDATE},
    {ZYDIS_MNEMONIC_CLFLUSHOPT, OP_INVALIDATE},
    {ZYDIS_MNEMONIC_CLWB, OP_INVALIDATE},
    {ZYDIS_MNEMONIC_PREFETCHNTA, OP_INVALIDATE},
    {ZYDIS_MNEMONIC_PREFETCHT0, OP_INVALIDATE},
    {ZYDIS_MNEMONIC_PREFETCHT1, OP_INVALIDATE},
    {ZYDIS_MNEMONIC_PREFETCHT2, OP_INVALIDATE},
    {ZYDIS_MNEMONIC_PREFETCHW, OP_INVALIDATE},
    {ZYDIS_MNEMONIC_SETB, OP_SETCC},
    {ZYDIS_MNEMONIC_SETBE, OP_SETCC},
    {ZYDIS_MNEMONIC_SETL, OP_SETCC},
    {ZYDIS_MNEMONIC_SETLE, OP_SETCC},
    {ZYDIS_MNEMONIC_SETNB, OP_SETCC},
    {ZYDIS_MNEMONIC_SETNBE, OP_SETCC},
    {ZYDIS_MNEMONIC_SETNL, OP_SETCC},
    {ZYDIS_MNEMONIC_SETNLE, OP_SETCC},
    {ZYDIS_MNEMONIC_SETNO, OP_SETCC},
    {ZYDIS_MNEMONIC_SETNP, OP_SETCC},
    {ZYDIS_MNEMONIC_SETNS, OP_SETCC},
    {ZYDIS_MNEMONIC_SETNZ, OP_SETCC},
    {ZYDIS_MNEMONIC_SETO, OP_SETCC},
    {ZYDIS_MNEMONIC_SETP, OP_SETCC},
    {ZYDIS_MNEMONIC_SETS, OP_SETCC},
    {ZYDIS_MNEMONIC_SETZ, OP_SETCC},
    {ZYDIS_MNEMONIC_CMOVB, OP_CMOVCC},
    {ZYDIS_MNEMONIC_CMOVBE, OP_CMOVCC},
    {ZYDIS_MNEMONIC_CMOVL, OP_CMOVCC},
    {ZYDIS_MNEMONIC_CMOVLE, OP_CMOVCC},
    {ZYDIS_MNEMONIC_CMOVNB, OP_CMOVCC},
    {ZYDIS_MNEMONIC_CMOVNBE, OP_CMOVCC},
    {ZYDIS_MNEMONIC_CMOVNL, OP_CMOVCC},
    {ZYDIS_MNEMONIC_CMOVNLE, OP_CMOVCC},
    {ZYDIS_MNEMONIC_CMOVNO, OP_CMOVCC},
    {ZYDIS_MNEMONIC_CMOVNP, OP_CMOVCC},
    {ZYDIS_MNEMONIC_CMOVNS, OP_CMOVCC},
    {ZYDIS_MNEMONIC_CMOVNZ, OP_CMOVCC},
    {ZYDIS_MNEMONIC_CMOVO, OP_CMOVCC},
    {ZYDIS_MNEMONIC_CMOVP, OP_CMOVCC},
    {ZYDIS_MNEMONIC_CMOVS, OP_CMOVCC},
    {ZYDIS_MNEMONIC_CMOVZ, OP_CMOVCC},
};

static uint8_t op_of(const ZydisDecodedInstruction *zydis)
{
    bool string = zydis->meta.category == ZYDIS_CATEGORY_STRINGOP;
    if (zydis->mnemonic == ZYDIS_MNEMONIC_MOVSD) /* one name for two instructions */
        return string ? OP_MOVS : OP_VMOV;
    if (zydis->mnemonic == ZYDIS_MNEMONIC_CMPSD)
        return string ? OP_CMPS : OP_UNKNOWN;
    if (zydis->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX)
        return OP_UNKNOWN;
    for (size_t i = 0; i < sizeof(op_names) / sizeof(op_names[0]); i++)
        if (op_names[i].mnemonic == zydis->mnemonic)
            return op_names[i].op;
    return OP_UNKNOWN;
}

static uint8_t gpr_number(ZydisRegister reg)
{
    if (reg == ZYDIS_REGISTER_NONE)
        return REG_NONE;
    if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
        return REG_RIP;
    ZyanI8 id = ZydisRegisterGetId(reg);
    if (ZydisRegisterGetClass(reg) != ZYDIS_REGCLASS_GPR8)
        return (uint8_t)id;
    if (reg >= ZYDIS_REGISTER_SPL) /* numbered after AH..BH */
        return (uint8_t)(reg - ZYDIS_REGISTER_SPL + GPR_RSP);
    return (uint8_t)((reg - ZYDIS_REGISTER_AL) & 3);
}

static bool register_operand(ZydisRegister reg, struct insn_operand *operand)
{
    operand->reg = (uint8_t)ZydisRegisterGetId(reg);
    switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_GPR8:
        operand->high = reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH;
        operand->reg = gpr_number(reg);
        operand->kind = OPERAND_GPR;
        return true;
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
        operand->kind = OPERAND_GPR;
        return true;
    case ZYDIS_REGCLASS_XMM:
    case ZYDIS_REGCLASS_YMM:
        operand->kind = OPERAND_VEC;
        return operand->reg < 16;
    case ZYDIS_REGCLASS_SEGMENT:
        operand->kind = OPERAND_SEG;
        operand->reg = (uint8_t)(reg - ZYDIS_REGISTER_ES);
        return true;
    case ZYDIS_REGCLASS_CONTROL:
        operand->kind = OPERAND_CR;
        operand->reg = (uint8_t)(reg - ZYDIS_REGISTER_CR0);
        return true;
    case ZYDIS_REGCLASS_DEBUG:
        operand->kind = OPERAND_DR;
        operand->reg = (uint8_t)(reg - ZYDIS_REGISTER_DR0);
        return true;
    default:
        return false;
    }
}

static uint8_t segment_number(ZydisRegister segment)
{
    return segment >= ZYDIS_REGISTER_ES && segment <= ZYDIS_REGISTER_GS
               ? (uint8_t)(segment - ZYDIS_REGISTER_ES)
               : (uint8_t)SEG_DS;
}

static bool convert_operand(const ZydisDecodedOperand *from, struct insn_operand *to)
{
    to->size = (uint8_t)(from->size / 8);
    switch (from->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        return register_operand(from->reg.value, to);
    case ZYDIS_OPERAND_TYPE_MEMORY:
        to->kind = OPERAND_MEM;
        to->segment = segment_number(from->mem.segment);
        to->base = gpr_number(from->mem.base);
        to->index = gpr_number(from->mem.index);
        to->scale = from->mem.scale;
        to->value = from->mem.disp.has_displacement ? from->mem.disp.value : 0;
        return from->mem.type == ZYDIS_MEMOP_TYPE_MEM || from->mem.type == ZYDIS_MEMOP_TYPE_AGEN;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        to->kind = OPERAND_IMM;
        to->value = from->imm.is_signed ? from->imm.value.s : (int64_t)from->imm.value.u;
        return true;
    default:
        return false; /* far pointers */
    }
}

static uint8_t count_memory(const ZydisDecodedInstruction *zydis,
                            const ZydisDecodedOperand *operands)
{
    uint8_t count = 0;
    for (unsigned i = 0; i < zydis->operand_count; i++)
        count = (uint8_t)(count + (operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY));
    return count;
}

static void fill_prefixes(const ZydisDecodedInstruction *zydis, struct insn *insn)
{
    ZydisInstructionAttributes attributes = zydis->attributes;
    if (attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE))
        insn->flags |= INSN_REP;
    if (attributes & ZYDIS_ATTRIB_HAS_REPNE)
        insn->flags |= INSN_REPNE;
    if (attributes & ZYDIS_ATTRIB_HAS_LOCK)
        insn->flags |= INSN_LOCK;
    if (zydis->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX)
        insn->flags |= INSN_VEX;
}

/* String instructions keep their operands in fixed registers: only size and source segment vary. */
static void fill_string(const ZydisDecodedInstruction *zydis, const ZydisDecodedOperand *operands,
                        struct insn *insn)
{
    insn->segment = SEG_DS;
    for (unsigned i = 0; i < zydis->operand_count; i++) {
        if (operands[i].type != ZYDIS_OPERAND_TYPE_MEMORY)
            continue;
        insn->size = (uint8_t)(operands[i].size / 8);
        if (gpr_number(operands[i].mem.base) == GPR_RSI)
            insn->segment = segment_number(operands[i].mem.segment);
    }
}

static bool is_string(uint8_t op)
{
    return op >= OP_MOVS && op <= OP_OUTS;
}

static bool make_decoder(enum decode_mode mode, ZydisDecoder *decoder)
{
    static const ZydisMachineMode modes[] = {
        ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_MACHINE_MODE_LONG_64};
    static const ZydisStackWidth stacks[] = {ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32,
                                             ZYDIS_STACK_WIDTH_64};
    return ZYAN_SUCCESS(ZydisDecoderInit(decoder, modes[mode], stacks[mode]));
}

bool decode_insn(enum decode_mode mode, const uint8_t *bytes, size_t count, struct insn *insn)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction zydis;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

    memset(insn, 0, sizeof(*insn));
    if (!make_decoder(mode, &decoder) ||
        !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, count, &zydis, operands)))
        return false;
    insn->op = op_of(&zydis);
    insn->length = zydis.length;
    insn->size = (uint8_t)(zydis.operand_width / 8);
    insn->address_size = (uint8_t)(zydis.address_width / 8);
    insn->condition = zydis.opcode & 15;
    insn->memory_operands = count_memory(&zydis, operands);
    fill_prefixes(&zydis, insn);
    if (is_string(insn->op)) {
        fill_string(&zydis, operands, insn);
        return true;
    }
    unsigned used = 0;
    for (unsigned i = 0; i < zydis.operand_count_visible; i++) {
        if (operands[i].visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN)
            continue;
        if (used == 3 || !convert_operand(&operands[i], &insn->operand[used++])) {
            insn->op = OP_UNKNOWN;
            return true;
        }
    }
    return true;
}

bool decode_needs_more(enum decode_mode mode, const uint8_t *bytes, size_t count)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction zydis;
    return make_decoder(mode, &decoder) &&
           ZydisDecoderDecodeInstruction(&decoder, NULL, bytes, count, &zydis) ==
               ZYDIS_STATUS_NO_MORE_DATA;
}
