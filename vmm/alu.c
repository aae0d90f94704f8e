/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/alu.h"

#include "vmm/x86.h"

static uint64_t sign_bit(uint32_t size)
{
    return 1ull << (8 * size - 1);
}

static uint64_t flag(bool set, uint64_t bit)
{
    return set ? bit : 0;
}

static uint64_t result_flags(uint32_t size, uint64_t result)
{
    return flag(!__builtin_parityll(result & 0xff), RFLAGS_PF) | flag(result == 0, RFLAGS_ZF) |
           flag(result & sign_bit(size), RFLAGS_SF);
}

static void set_arith(uint64_t *flags, uint64_t value)
{
    *flags = (*flags & ~RFLAGS_ARITH) | value;
}

static uint64_t add(uint32_t size, uint64_t a, uint64_t b, uint64_t carry, uint64_t *flags)
{
    uint64_t mask = alu_mask(size), result = (a + b + carry) & mask;
    a &= mask;
    b &= mask;
    bool out = result < a || (carry && result == a);
    set_arith(flags, result_flags(size, result) | flag(out, RFLAGS_CF) |
                         flag((a ^ b ^ result) & 0x10, RFLAGS_AF) |
                         flag((a ^ result) & (b ^ result) & sign_bit(size), RFLAGS_OF));
    return result;
}

static uint64_t sub(uint32_t size, uint64_t a, uint64_t b, uint64_t borrow, uint64_t *flags)
{
    uint64_t mask = alu_mask(size), result = (a - b - borrow) & mask;
    a &= mask;
    b &= mask;
    bool out = a < b || (borrow && a == b);
    set_arith(flags, result_flags(size, result) | flag(out, RFLAGS_CF) |
                         flag((a ^ b ^ result) & 0x10, RFLAGS_AF) |
                         flag((a ^ b) & (a ^ result) & sign_bit(size), RFLAGS_OF));
    return result;
}

static uint64_t logic(uint32_t size, uint64_t result, uint64_t *flags)
{
    result &= alu_mask(size);
    set_arith(flags, result_flags(size, result));
    return result;
}

uint64_t alu_binary(enum insn_op op, uint32_t size, uint64_t a, uint64_t b, uint64_t *flags)
{
    switch (op) {
    case OP_ADD:
        return add(size, a, b, 0, flags);
    case OP_ADC:
        return add(size, a, b, *flags & RFLAGS_CF, flags);
    case OP_SBB:
        return sub(size, a, b, *flags & RFLAGS_CF, flags);
    case OP_OR:
        return logic(size, a | b, flags);
    case OP_XOR:
        return logic(size, a ^ b, flags);
    case OP_AND:
    case OP_TEST:
        return logic(size, a & b, flags);
    default: /* SUB, CMP */
        return sub(size, a, b, 0, flags);
    }
}

uint64_t alu_unary(enum insn_op op, uint32_t size, uint64_t a, uint64_t *flags)
{
    uint64_t carry = *flags & RFLAGS_CF, result;
    switch (op) {
    case OP_INC:
        result = add(size, a, 1, 0, flags);
        break;
    case OP_DEC:
        result = sub(size, a, 1, 0, flags);
        break;
    case OP_NEG:
        return sub(size, 0, a, 0, flags);
    default:
        return ~a & alu_mask(size);
    }
    *flags = (*flags & ~RFLAGS_CF) | carry; /* INC and DEC leave CF */
    return result;
}

/* One step of a rotate; *carry is CF before and after. */
static uint64_t rotate_step(enum insn_op op, uint32_t size, uint64_t a, uint64_t *carry)
{
    uint64_t top = a & sign_bit(size) ? 1 : 0, low = a & 1, in = *carry;
    switch (op) {
    case OP_ROL:
        *carry = top;
        return (a << 1 | top) & alu_mask(size);
    case OP_RCL:
        *carry = top;
        return (a << 1 | in) & alu_mask(size);
    case OP_ROR:
        *carry = low;
        return a >> 1 | (low ? sign_bit(size) : 0);
    default:
        *carry = low;
        return a >> 1 | (in ? sign_bit(size) : 0);
    }
}

static uint64_t rotate(enum insn_op op, uint32_t size, uint64_t a, uint32_t count, uint64_t *flags)
{
    uint64_t carry = *flags & RFLAGS_CF;
    for (uint32_t i = 0; i < count; i++)
        a = rotate_step(op, size, a, &carry);
    bool top = a & sign_bit(size), next = a & (sign_bit(size) >> 1);
    bool left = op == OP_ROL || op == OP_RCL;
    bool overflow = left ? top != (carry != 0) : top != next;
    *flags = (*flags & ~(RFLAGS_CF | RFLAGS_OF)) | carry | flag(overflow, RFLAGS_OF);
    return a;
}

uint64_t alu_shift(enum insn_op op, uint32_t size, uint64_t a, uint32_t count, uint64_t *flags)
{
    count &= size == 8 ? 63 : 31;
    a &= alu_mask(size);
    if (count == 0)
        return a;
    if (op == OP_ROL || op == OP_ROR || op == OP_RCL || op == OP_RCR)
        return rotate(op, size, a, count, flags);
    uint64_t result, last; /* last: the bit shifted out last */
    bool overflow;
    if (op == OP_SHL) {
        result = a << count & alu_mask(size);
        last = count <= 8 * size ? a >> (8 * size - count) & 1 : 0;
        overflow = ((result & sign_bit(size)) != 0) != (last != 0);
    } else if (op == OP_SHR) {
        result = a >> count;
        last = a >> (count - 1) & 1;
        overflow = a & sign_bit(size);
    } else {
        int64_t wide = (int64_t)alu_sign_extend(a, size);
        result = (uint64_t)(wide >> count) & alu_mask(size);
        last = (uint64_t)(wide >> (count - 1)) & 1;
        overflow = false;
    }
    uint64_t adjust = *flags & RFLAGS_AF; /* undefined; left alone */
    set_arith(flags, result_flags(size, result) | adjust | flag(last, RFLAGS_CF) |
                         flag(overflow, RFLAGS_OF));
    return result;
}

uint64_t alu_double_shift(enum insn_op op, uint32_t size, uint64_t a, uint64_t b, uint32_t count,
                          uint64_t *flags)
{
    uint32_t bits = 8 * size;
    count &= size == 8 ? 63 : 31;
    a &= alu_mask(size);
    b &= alu_mask(size);
    if (count == 0 || count > bits) /* beyond the operand size: undefined, left alone */
        return a;
    uint64_t result, last;
    if (op == OP_SHLD) {
        result = count == bits ? b : (a << count | b >> (bits - count)) & alu_mask(size);
        last = a >> (bits - count) & 1;
    } else {
        result = count == bits ? b : (a >> count | b << (bits - count)) & alu_mask(size);
        last = a >> (count - 1) & 1;
    }
    set_arith(flags, result_flags(size, result) | flag(last, RFLAGS_CF) |
                         flag((a ^ result) & sign_bit(size), RFLAGS_OF));
    return result;
}

uint64_t alu_multiply(bool is_signed, uint32_t size, uint64_t a, uint64_t b, uint64_t *high,
                      uint64_t *flags)
{
    uint64_t mask = alu_mask(size), low;
    bool overflow;
    if (is_signed) {
        __int128 product =
            (__int128)(int64_t)alu_sign_extend(a, size) * (int64_t)alu_sign_extend(b, size);
        low = (uint64_t)product & mask;
        *high = (uint64_t)(product >> (8 * size)) & mask;
        overflow = product != (__int128)(int64_t)alu_sign_extend(low, size);
    } else {
        unsigned __int128 product = (unsigned __int128)(a & mask) * (b & mask);
        low = (uint64_t)product & mask;
        *high = (uint64_t)(product >> (8 * size)) & mask;
        overflow = *high != 0;
    }
    *flags &= ~(RFLAGS_CF | RFLAGS_OF);
    *flags |= flag(overflow, RFLAGS_CF | RFLAGS_OF);
    return low;
}

/* 128 by 64 bits, bit by bit: the compiler's helper for it is not in every runtime, and this is
 * rare. */
static bool divide_unsigned(unsigned __int128 dividend, uint64_t divisor, uint64_t mask,
                            uint64_t *quotient, uint64_t *remainder)
{
    unsigned __int128 rest = 0, result = 0;
    for (int bit = 127; bit >= 0; bit--) {
        rest = rest << 1 | (uint64_t)(dividend >> bit & 1);
        result <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            result |= 1;
        }
    }
    *quotient = (uint64_t)result;
    *remainder = (uint64_t)rest;
    return result <= mask;
}

bool alu_divide(bool is_signed, uint32_t size, uint64_t high, uint64_t low, uint64_t divisor,
                uint64_t *quotient, uint64_t *remainder)
{
    uint64_t mask = alu_mask(size);
    uint32_t bits = 8 * size;
    divisor &= mask;
    if (divisor == 0)
        return false;
    unsigned __int128 dividend = (unsigned __int128)(high & mask) << bits | (low & mask);
    if (!is_signed)
        return divide_unsigned(dividend, divisor, mask, quotient, remainder);
    bool negative = high & sign_bit(size), negative_divisor = divisor & sign_bit(size);
    if (negative) { /* the magnitude, as 2 * bits wide two's complement */
        dividend = -dividend;
        if (bits < 64)
            dividend &= ((unsigned __int128)1 << (2 * bits)) - 1;
    }
    if (negative_divisor)
        divisor = -divisor & mask;
    if (!divide_unsigned(dividend, divisor, mask, quotient, remainder))
        return false;
    bool negative_quotient = negative != negative_divisor;
    if (*quotient > sign_bit(size) - (negative_quotient ? 0 : 1))
        return false;
    if (negative_quotient)
        *quotient = -*quotient & mask;
    if (negative)
        *remainder = -*remainder & mask;
    return true;
}

bool alu_condition(uint32_t condition, uint64_t flags)
{
    bool sign = flags & RFLAGS_SF, overflow = flags & RFLAGS_OF, value;
    switch (condition >> 1 & 7) {
    case 0:
        value = overflow;
        break;
    case 1:
        value = flags & RFLAGS_CF;
        break;
    case 2:
        value = flags & RFLAGS_ZF;
        break;
    case 3:
        value = flags & (RFLAGS_CF | RFLAGS_ZF);
        break;
    case 4:
        value = sign;
        break;
    case 5:
        value = flags & RFLAGS_PF;
        break;
    case 6:
        value = sign != overflow;
        break;
    default:
        value = sign != overflow || (flags & RFLAGS_ZF);
        break;
    }
    return value != (condition & 1);
}
