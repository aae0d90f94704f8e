/* SPDX-License-Identifier: BSD-2-Clause */
/* Floods the other CPU with INITs, start-up IPIs, NMIs and interrupts of all kinds, in any order
 * and whatever state it is in; it must come up as usual afterwards. With one CPU only the sender is
 * tried. */
#include "lib/guest.h"

#define ROUNDS 6000u
#define VECTOR 0x59u
#define PAGE   0x0fu

static uint64_t state = 0x9e3779b97f4a7c15ull;
static volatile uint32_t answered, nmis;

static void on_nmi(struct trap_frame *f)
{
    (void)f;
    nmis++;
}

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Where the other CPU starts, in real mode: it halts, and its NMIs return. */
static void prepare(void)
{
    static const uint8_t code[] = {0xf4, 0xeb, 0xfd, 0xcf}; /* 0: hlt; jmp 0; 3: iret */
    uint16_t *nmi_vector = (uint16_t *)(NMI * 4);
    __asm__ volatile("" : "+r"(nmi_vector));
    memcpy((void *)(PAGE << 12), code, sizeof(code));
    nmi_vector[0] = 3;
    nmi_vector[1] = PAGE << 8;
}

static void flood(uint32_t target)
{
    prepare();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint64_t r = next();
        switch (r & 7) {
        case 0:
        case 1:
            apic_icr(target, ICR_INIT);
            break;
        case 2:
        case 3:
            apic_icr(target, ICR_SIPI | PAGE);
            break;
        case 4:
            apic_icr(target, ICR_NMI | 0x4000);
            break;
        case 5:
            apic_icr(target, ICR_FIXED | (r >> 16 & 0xff));
            break;
        case 6: /* SMI, reserved, lowest priority with illegal vectors */
            apic_icr(target, (uint32_t)(r >> 16 & 0x300) | 0x4000u | (r >> 24 & 0x0f));
            break;
        default:
            apic_icr(0xfe, (uint32_t)(r >> 16) & 0xcfff);
            break;
        }
    }
    apic_icr(target, ICR_INIT);
    delay_us(10000);
}

static void answer(uint32_t cpu)
{
    (void)cpu;
    answered = 1;
}

/* What can be sent to oneself: not INIT, which ends the guest; start-up is ignored. */
static void self(void)
{
    uint32_t own = apic_id(), before = irq_count[VECTOR];
    trap_set(VECTOR, irq_counted);
    trap_set(NMI, on_nmi);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        apic_icr(own, ICR_SIPI | 0x90);
        apic_icr(own, ICR_NMI | 0x4000);
        apic_icr(own, ICR_FIXED | VECTOR);
        __asm__ volatile("sti; nop; nop; cli");
    }
    check_eq("hostile_ipis.each_interrupt_came", irq_count[VECTOR] - before, ROUNDS);
    check("hostile_ipis.nmis_came", nmis > 0);
}

void guest_main(void)
{
    pic_init(0xff, 0xff);
    apic_init(false);
    self();
    if (acpi.cpus < 2)
        return;
    flood(acpi.apic_id[1]);
    check("hostile_ipis.sender_lives", true);
    check_eq("hostile_ipis.comes_up_afterwards", smp_start(), acpi.cpus - 1);
    smp_run(1, answer);
    check("hostile_ipis.and_works", smp_done(1, 20000000) && answered);
}
