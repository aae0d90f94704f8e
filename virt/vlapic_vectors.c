/* SPDX-License-Identifier: BSD-2-Clause */
/* What is pending and in service: in words of struct vlapic or, while the CPU delivers interrupts
 * by itself, in its virtual-APIC page. */
#include "virt/vlapic.h"

/* Registers of the page, by their offset / 16. */
#define PAGE_ISR 0x10u
#define PAGE_IRR 0x20u

static uint32_t vector_word(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Two words at a time; those of struct vlapic are aligned for it. */
static int highest(const uint32_t *words)
{
#pragma GCC unroll 4
    for (int i = 3; i >= 0; i--) {
        uint64_t pair =
            __atomic_load_n((const uint64_t *)(const void *)&words[2 * i], __ATOMIC_ACQUIRE);
        if (pair)
            return i * 64 + 63 - __builtin_clzll(pair);
    }
    return -1;
}

/* Registers of the page are 16 bytes apart. */
static uint32_t *page_words(const struct vlapic *lapic, uint32_t reg)
{
    return &lapic->page[reg * 4];
}

static int page_highest(const struct vlapic *lapic, uint32_t reg)
{
    for (uint32_t i = 8; i-- > 0;) {
        uint32_t word = *page_words(lapic, reg + i);
        if (word)
            return (int)(i * 32 + 31) - __builtin_clz(word);
    }
    return -1;
}

static uint32_t *isr_word(struct vlapic *lapic, uint32_t i)
{
    return lapic->direct ? page_words(lapic, PAGE_ISR + i) : &lapic->isr[i];
}

uint32_t vlapic_in_service(const struct vlapic *lapic, uint32_t i)
{
    return lapic->direct ? *page_words(lapic, PAGE_ISR + i) : lapic->isr[i];
}

uint32_t vlapic_pending(const struct vlapic *lapic, uint32_t i)
{
    uint32_t word = vector_word(&lapic->irr[i]);
    if (lapic->direct)
        word |= *page_words(lapic, PAGE_IRR + i);
    if (lapic->lent && lapic->lent >> 5 == i)
        word |= 1u << (lapic->lent & 31);
    return word;
}

int vlapic_irr_highest(const struct vlapic *lapic)
{
    int posted = highest(lapic->irr);
    return lapic->direct ? MAX(posted, page_highest(lapic, PAGE_IRR)) : posted;
}

int vlapic_isr_highest(const struct vlapic *lapic)
{
    return lapic->direct ? page_highest(lapic, PAGE_ISR) : highest(lapic->isr);
}

uint16_t vlapic_page_status(const struct vlapic *lapic)
{
    int pending = page_highest(lapic, PAGE_IRR), served = page_highest(lapic, PAGE_ISR);
    return (uint16_t)(MAX(served, 0) << 8 | MAX(pending, 0));
}

static void move_to_page(struct vlapic *lapic)
{
    for (uint32_t i = 0; i < 8; i++) {
        *page_words(lapic, PAGE_ISR + i) = lapic->isr[i];
        *page_words(lapic, PAGE_IRR + i) = 0;
    }
}

static void move_from_page(struct vlapic *lapic)
{
    for (uint32_t i = 0; i < 8; i++) {
        lapic->isr[i] = *page_words(lapic, PAGE_ISR + i);
        __atomic_fetch_or(&lapic->irr[i], *page_words(lapic, PAGE_IRR + i), __ATOMIC_RELEASE);
    }
}

bool vlapic_delegate(struct vlapic *lapic)
{
    bool direct = lapic->page && vlapic_x2(lapic) && vlapic_enabled(lapic);
    bool changed = direct != lapic->direct;
    lapic->direct = direct;
    if (unlikely(changed) && direct)
        move_to_page(lapic);
    else if (unlikely(changed))
        move_from_page(lapic);
    /* Notification first: who posts later, notifies again. seq_cst partner: vcpu_post(). */
    if (vlapic_posts(lapic))
        __atomic_store_n(&lapic->irr[POSTED_NOTIFICATION], 0, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; direct && i < 8; i++)
        if (vector_word(&lapic->irr[i]))
            *page_words(lapic, PAGE_IRR + i) |=
                __atomic_exchange_n(&lapic->irr[i], 0, __ATOMIC_ACQ_REL);
    return changed;
}

uint8_t vlapic_ppr(const struct vlapic *lapic)
{
    int isrv = vlapic_isr_highest(lapic);
    uint8_t served = isrv < 0 ? 0 : (uint8_t)(isrv & 0xf0);
    return (lapic->tpr & 0xf0) >= served ? lapic->tpr : served;
}

int vlapic_highest(const struct vlapic *lapic)
{
    if (!vlapic_enabled(lapic))
        return -1;
    int irrv = vlapic_irr_highest(lapic);
    if (irrv < 0)
        return -1;
    int isrv = vlapic_isr_highest(lapic);
    return isrv < 0 || irrv >> 4 > isrv >> 4 ? irrv : -1;
}

void vlapic_post(struct vlapic *lapic, uint8_t vector, bool level)
{
    uint32_t bit = 1u << (vector & 31);
    uint32_t *tmr = &lapic->tmr[vector >> 5];
    /* Trigger mode first: the owner reads it after it has seen the IRR bit. */
    if (level)
        __atomic_fetch_or(tmr, bit, __ATOMIC_RELAXED);
    else if (unlikely(vector_word(tmr) & bit))
        __atomic_fetch_and(tmr, ~bit, __ATOMIC_RELAXED);
    __atomic_fetch_or(&lapic->irr[vector >> 5], bit, __ATOMIC_RELEASE);
}

void vlapic_lend(struct vlapic *lapic, uint8_t vector)
{
    __atomic_fetch_and(&lapic->irr[vector >> 5], ~(1u << (vector & 31)), __ATOMIC_ACQ_REL);
    lapic->lent = vector;
}

void vlapic_give_back(struct vlapic *lapic)
{
    if (!lapic->lent)
        return;
    __atomic_fetch_or(&lapic->irr[lapic->lent >> 5], 1u << (lapic->lent & 31), __ATOMIC_RELEASE);
    lapic->lent = 0;
}

void vlapic_accept(struct vlapic *lapic)
{
    lapic->isr[lapic->lent >> 5] |= 1u << (lapic->lent & 31);
    lapic->lent = 0;
}

int vlapic_eoi(struct vlapic *lapic)
{
    int vector = vlapic_isr_highest(lapic);
    if (vector < 0)
        return -1;
    uint32_t bit = 1u << (vector & 31);
    *isr_word(lapic, (uint32_t)vector >> 5) &= ~bit;
    return vector_word(&lapic->tmr[vector >> 5]) & bit ? vector : -1;
}
