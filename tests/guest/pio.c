/* SPDX-License-Identifier: BSD-2-Clause */
/* Port I/O: every width, both directions, the I/O permission of ring 3 aside. */
#include "lib/guest.h"

#define SCRATCH 0x3ffu /* the 16550's scratch register */

static void widths(void)
{
    outb(SCRATCH, 0x5a);
    check_eq("pio.scratch_byte", inb(SCRATCH), 0x5a);
    uint64_t rax;
    __asm__ volatile("inb %%dx, %%al" : "=a"(rax) : "a"(0x1122334455667788ull), "d"(SCRATCH));
    check_eq("pio.inb_keeps_upper_bits", rax, 0x112233445566775aull);
    __asm__ volatile("inl %%dx, %%eax" : "=a"(rax) : "a"(0x1122334455667788ull), "d"(0xcf8));
    check_eq("pio.inl_clears_upper_half", rax >> 32, 0);
    outl(0xcf8, 0x80000000u);
    check_eq("pio.cf8_dword", inl(0xcf8), 0x80000000u);
    uint32_t id = inl(0xcfc);
    check("pio.host_bridge_present", id != 0xffffffffu && id != 0);
    check_eq("pio.cfc_low_word", inw(0xcfc), id & 0xffff);
    check_eq("pio.cfc_high_word", inw(0xcfe), id >> 16);
    check_eq("pio.cfc_byte3", inb(0xcff), id >> 24);
}

static void immediate(void)
{
    uint8_t value;
    __asm__ volatile("outb %0, $0x71" : : "a"((uint8_t)0));
    __asm__ volatile("movb $0x0f, %%al; outb %%al, $0x70; inb $0x71, %%al" : "=a"(value));
    check("pio.immediate_port", true);
    say("info cmos shutdown byte 0x%x\n", value);
}

static void empty(void)
{
    check_eq("pio.empty_port_byte", inb(0x2e8 + 7), 0xff);
    check_eq("pio.empty_port_word", inw(0x1230), 0xffff);
    check_eq("pio.empty_port_dword", inl(0x1230), 0xffffffffu);
    outl(0x1230, 0);
    check("pio.write_to_empty_port", true);
}

static void flags_kept(void)
{
    uint64_t before, after;
    __asm__ volatile("stc; std; pushfq; popq %0; inb %%dx, %%al; pushfq; popq %1; cld"
                     : "=&r"(before), "=&r"(after)
                     : "d"(SCRATCH)
                     : "rax", "memory", "cc");
    check_eq("pio.flags_kept", after, before);
}

static void devices(void)
{
    outb(0x70, 0x0d);
    check_eq("pio.rtc_power_good", inb(0x71) & 0x80, 0x80);
    outb(0x21, 0xa5);
    check_eq("pio.pic_mask", inb(0x21), 0xa5);
    outb(0x21, 0xff);
    outb(0x3f8 + 7, 0);
    check_eq("pio.uart_idle", inb(0x3f8 + 5) & 0x20, 0x20);
    uint32_t a = pm_ticks();
    delay_us(100);
    check("pio.pm_timer_runs", ((pm_ticks() - a) & 0xffffff) >= 300);
}

void guest_main(void)
{
    widths();
    immediate();
    empty();
    flags_kept();
    devices();
}
