/* SPDX-License-Identifier: BSD-2-Clause */
/* Encodings: ACPI specification 6.4, "ACPI Machine Language (AML) Specification" and "Resource Data
 * Types for ACPI". */
#include "vmm/aml.h"

#include <string.h>

#define AML_NAME_OP      0x08u
#define AML_BYTE_PREFIX  0x0au
#define AML_WORD_PREFIX  0x0bu
#define AML_DWORD_PREFIX 0x0cu
#define AML_STRING       0x0du
#define AML_QWORD_PREFIX 0x0eu
#define AML_SCOPE_OP     0x10u
#define AML_BUFFER_OP    0x11u
#define AML_PACKAGE_OP   0x12u
#define AML_EXT_PREFIX   0x5bu
#define AML_DEVICE_OP    0x82u

void aml_init(struct aml *aml, void *bytes, uint32_t size)
{
    *aml = (struct aml){.bytes = bytes, .size = size};
}

static void put(struct aml *aml, const void *data, uint32_t size)
{
    if (aml->overflow || size > aml->size - aml->used) {
        aml->overflow = true;
        return;
    }
    memcpy(aml->bytes + aml->used, data, size);
    aml->used += size;
}

static void put_value(struct aml *aml, uint64_t value, uint32_t size)
{
    put(aml, &value, size); /* the VMM is little-endian, as AML is */
}

static void put_byte(struct aml *aml, uint8_t byte)
{
    put(aml, &byte, 1);
}

/* Package lengths always take three bytes, so that they can be filled in later. */
static void block(struct aml *aml)
{
    if (aml->depth == AML_DEPTH) {
        aml->overflow = true;
        return;
    }
    aml->open[aml->depth++] = aml->used;
    put_value(aml, 0, 3);
}

void aml_end(struct aml *aml)
{
    if (aml->overflow || aml->depth == 0)
        return;
    uint32_t at = aml->open[--aml->depth], length = aml->used - at;
    aml->bytes[at] = (uint8_t)(0x80 | (length & 15));
    aml->bytes[at + 1] = (uint8_t)(length >> 4);
    aml->bytes[at + 2] = (uint8_t)(length >> 12);
}

/* One optional root character and one segment, padded with underscores. */
static void put_path(struct aml *aml, const char *path)
{
    if (*path == '\\')
        put_byte(aml, (uint8_t)*path++);
    char segment[4] = {'_', '_', '_', '_'};
    for (uint32_t i = 0; i < 4 && path[i]; i++)
        segment[i] = path[i];
    put(aml, segment, 4);
}

void aml_scope(struct aml *aml, const char *path)
{
    put_byte(aml, AML_SCOPE_OP);
    block(aml);
    put_path(aml, path);
}

void aml_device(struct aml *aml, const char *name)
{
    put_byte(aml, AML_EXT_PREFIX);
    put_byte(aml, AML_DEVICE_OP);
    block(aml);
    put_path(aml, name);
}

void aml_package(struct aml *aml, uint8_t elements)
{
    put_byte(aml, AML_PACKAGE_OP);
    block(aml);
    put_byte(aml, elements);
}

void aml_name(struct aml *aml, const char *name)
{
    put_byte(aml, AML_NAME_OP);
    put_path(aml, name);
}

void aml_integer(struct aml *aml, uint64_t value)
{
    static const uint8_t prefixes[] = {AML_BYTE_PREFIX, AML_WORD_PREFIX, AML_DWORD_PREFIX,
                                       AML_QWORD_PREFIX};
    uint32_t width = value <= 0xff ? 0 : value <= 0xffff ? 1 : value <= 0xffffffff ? 2 : 3;
    if (value <= 1) { /* ZeroOp, OneOp */
        put_byte(aml, (uint8_t)value);
        return;
    }
    put_byte(aml, prefixes[width]);
    put_value(aml, value, 1u << width);
}

void aml_string(struct aml *aml, const char *text)
{
    put_byte(aml, AML_STRING);
    put(aml, text, (uint32_t)strlen(text) + 1);
}

static uint32_t hex_digit(char digit)
{
    return digit >= 'A' ? (uint32_t)(digit - 'A') + 10 : (uint32_t)(digit - '0');
}

void aml_eisa_id(struct aml *aml, const char *id)
{
    uint32_t letters = 0, number = 0;
    for (uint32_t i = 0; i < 3; i++)
        letters = letters << 5 | ((uint32_t)id[i] - 0x40);
    for (uint32_t i = 3; i < 7; i++)
        number = number << 4 | hex_digit(id[i]);
    put_byte(aml, AML_DWORD_PREFIX);
    put_value(aml, __builtin_bswap32(letters << 16 | number), 4);
}

void aml_name_integer(struct aml *aml, const char *name, uint64_t value)
{
    aml_name(aml, name);
    aml_integer(aml, value);
}

/* A buffer's length stands in front of its bytes, too: a word, filled in at the end. */
void aml_resources(struct aml *aml)
{
    aml_name(aml, "_CRS");
    put_byte(aml, AML_BUFFER_OP);
    block(aml);
    put_byte(aml, AML_WORD_PREFIX);
    put_value(aml, 0, 2);
}

void aml_resources_end(struct aml *aml)
{
    put_value(aml, 0x0079, 2); /* end tag; checksum 0: none */
    if (aml->overflow || aml->depth == 0)
        return;
    uint32_t length_at = aml->open[aml->depth - 1] + 4;
    uint16_t length = (uint16_t)(aml->used - length_at - 2);
    memcpy(aml->bytes + length_at, &length, 2);
    aml_end(aml);
}

void aml_resource_ports(struct aml *aml, uint16_t base, uint8_t count)
{
    put_byte(aml, 0x47);
    put_byte(aml, 1); /* decodes 16 bits */
    put_value(aml, base, 2);
    put_value(aml, base, 2);
    put_byte(aml, 1);
    put_byte(aml, count);
}

void aml_resource_irq(struct aml *aml, uint8_t irq)
{
    put_byte(aml, 0x22); /* edge, active high */
    put_value(aml, 1u << irq, 2);
}

void aml_resource_fixed_memory(struct aml *aml, uint32_t base, uint32_t size)
{
    put_byte(aml, 0x86);
    put_value(aml, 9, 2);
    put_byte(aml, 1); /* writable */
    put_value(aml, base, 4);
    put_value(aml, size, 4);
}

/* Address space descriptors: type 0 memory, 1 ports, 2 buses; both ends fixed, producer. */
static void window(struct aml *aml, uint8_t type, uint8_t type_flags, uint32_t first, uint32_t last,
                   uint32_t width)
{
    put_byte(aml, width == 2 ? 0x88 : 0x87);
    put_value(aml, 3 + 5 * width, 2);
    put_byte(aml, type);
    put_byte(aml, 0x0c);
    put_byte(aml, type_flags);
    put_value(aml, 0, width); /* granularity */
    put_value(aml, first, width);
    put_value(aml, last, width);
    put_value(aml, 0, width); /* translation */
    put_value(aml, last - first + 1, width);
}

void aml_resource_buses(struct aml *aml, uint16_t first, uint16_t last)
{
    window(aml, 2, 0, first, last, 2);
}

void aml_resource_port_window(struct aml *aml, uint16_t first, uint16_t last)
{
    window(aml, 1, 3, first, last, 2); /* entire range */
}

void aml_resource_memory_window(struct aml *aml, uint32_t first, uint32_t last)
{
    window(aml, 0, 1, first, last, 4); /* read-write, not cacheable */
}
