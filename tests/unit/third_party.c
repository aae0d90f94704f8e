/* SPDX-License-Identifier: BSD-2-Clause */
/* The libraries as we build them give what their users need. */
#include "test.h"
#include <Zydis/Zydis.h>
#include <expat.h>

static ZydisDecodedInstruction insn;
static ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];

static ZyanStatus decode(ZydisMachineMode mode, ZydisStackWidth width, const char *bytes,
                         size_t size)
{
    ZydisDecoder decoder;
    ZydisDecoderInit(&decoder, mode, width);
    return ZydisDecoderDecodeFull(&decoder, bytes, size, &insn, operand);
}

TEST(decoder_gives_operands)
{
    /* mov dword ptr [rax + rcx*4 + 0x10], 0x12345678 */
    CHECK(ZYAN_SUCCESS(decode(ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64,
                              "\xc7\x44\x88\x10\x78\x56\x34\x12", 8)));
    CHECK_EQ(insn.mnemonic, ZYDIS_MNEMONIC_MOV);
    CHECK_EQ(insn.length, 8);
    CHECK_EQ(insn.operand_count_visible, 2);
    CHECK_EQ(operand[0].type, ZYDIS_OPERAND_TYPE_MEMORY);
    CHECK_EQ(operand[0].size, 32);
    CHECK_EQ(operand[0].mem.base, ZYDIS_REGISTER_RAX);
    CHECK_EQ(operand[0].mem.index, ZYDIS_REGISTER_RCX);
    CHECK_EQ(operand[0].mem.scale, 4);
    CHECK_EQ(operand[0].mem.disp.value, 0x10);
    CHECK_EQ(operand[1].imm.value.u, 0x12345678);
}

TEST(decoder_gives_hidden_operands)
{
    CHECK(
        ZYAN_SUCCESS(decode(ZYDIS_MACHINE_MODE_REAL_16, ZYDIS_STACK_WIDTH_16, "\xf3\x66\xa5", 3)));
    CHECK_EQ(insn.mnemonic, ZYDIS_MNEMONIC_MOVSD);
    CHECK(insn.attributes & ZYDIS_ATTRIB_HAS_REP);
    CHECK(insn.operand_count >= 2);
    CHECK_EQ(operand[0].visibility, ZYDIS_OPERAND_VISIBILITY_HIDDEN);
    CHECK_EQ(operand[0].mem.base, ZYDIS_REGISTER_DI);
    CHECK_EQ(operand[0].mem.segment, ZYDIS_REGISTER_ES);
}

TEST(decoder_knows_vector_moves)
{
    /* vmovdqu ymm1, [rdi] */
    CHECK(ZYAN_SUCCESS(
        decode(ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64, "\xc5\xfe\x6f\x0f", 4)));
    CHECK_EQ(insn.mnemonic, ZYDIS_MNEMONIC_VMOVDQU);
    CHECK_EQ(operand[1].size, 256);
}

TEST(decoder_wants_more_bytes)
{
    CHECK_EQ(decode(ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64, "\xc7\x44", 2),
             ZYDIS_STATUS_NO_MORE_DATA);
    CHECK(!ZYAN_SUCCESS(decode(ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64, "\x06", 1)));
}

static unsigned int elements;

static void XMLCALL count_element(void *data, const XML_Char *name, const XML_Char **attributes)
{
    (void)data;
    (void)name;
    (void)attributes;
    elements++;
}

static enum XML_Error parse(const char *text, unsigned long *line)
{
    XML_Parser parser = XML_ParserCreateNS(NULL, ' ');
    XML_SetElementHandler(parser, count_element, NULL);
    elements = 0;
    enum XML_Error error = XML_ERROR_NONE;
    if (XML_Parse(parser, text, (int)strlen(text), 1) == XML_STATUS_ERROR)
        error = XML_GetErrorCode(parser);
    *line = XML_GetCurrentLineNumber(parser);
    XML_ParserFree(parser);
    return error;
}

TEST(xml_parses_and_names_the_line)
{
    unsigned long line;
    CHECK_EQ(parse("<domain type='kvm'>\n<vcpu>2</vcpu>\n</domain>", &line), XML_ERROR_NONE);
    CHECK_EQ(elements, 2);
    CHECK_EQ(parse("<domain>\n<vcpu></memory>\n</domain>", &line), XML_ERROR_TAG_MISMATCH);
    CHECK_EQ(line, 2);
}

/* Ten entities, each ten times the one before: 10^10 times "ha" must not be expanded. */
TEST(xml_limits_entity_expansion)
{
    static char text[8192];
    unsigned long line;
    size_t used = (size_t)sprintf(text, "<!DOCTYPE d [<!ENTITY a0 \"%0100d\">", 0);
    for (int i = 1; i <= 10; i++) {
        used += (size_t)sprintf(text + used, "<!ENTITY a%d \"", i);
        for (int k = 0; k < 10; k++)
            used += (size_t)sprintf(text + used, "&a%d;", i - 1);
        used += (size_t)sprintf(text + used, "\">");
    }
    sprintf(text + used, "]><d>&a10;</d>");
    CHECK_EQ(parse(text, &line), XML_ERROR_AMPLIFICATION_LIMIT_BREACH);
}
