/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/watch.h"

#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "console/config.h"
#include "manager/bootpkg.h"
#include "manager/life.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define CONSOLE_HEAP     (64u << 10)
#define CONSOLE_QUOTA    (512u << 10)
#define CONSOLE_PRIORITY 24u
#define PAGE             4096ull

#define COM1_BASE       0x3f8u
#define COM1_PORTS      8u
#define COM1_IRQ        4u
#define KEYBOARD_DATA   0x60u
#define KEYBOARD_STATUS 0x64u
#define KEYBOARD_IRQ    1u
#define VGA_TEXT        0xb8000ull
#define VGA_TEXT_SIZE   0x8000ull

static struct watch_setup setup;
static struct life console;
static struct console_config config;
static uint32_t notif, uart_ports, uart_irq, keyboard_ports[2], keyboard_irq, screen;

static uint32_t take_ports(uint32_t base, uint32_t count)
{
    uint32_t slot = slot_alloc();
    if (slot && sys_ports_derive(slot, SLOT_PORTS, base, count) == OK)
        return slot;
    slot_free(slot);
    return 0;
}

static uint32_t take_irq(uint32_t number)
{
    uint32_t slot = slot_alloc();
    if (slot && sys_irq_create(slot, SLOT_MACHINE, number, IRQ_ISA, 0) == OK)
        return slot;
    slot_free(slot);
    return 0;
}

/* The memory object around the screen; its first page may begin before the framebuffer. */
static uint32_t take_screen(void)
{
    const struct root_framebuffer *fb = &setup.info->fb;
    uint64_t base = fb->base, size = (uint64_t)fb->pitch * fb->height;
    if (!base) {
        if (!fb->vga_text)
            return 0;
        base = VGA_TEXT;
        size = VGA_TEXT_SIZE;
    }
    config.screen_offset = base & (PAGE - 1);
    config.screen_size = (config.screen_offset + size + PAGE - 1) & ~(PAGE - 1);
    base -= config.screen_offset;
    for (uint32_t i = 0; i < setup.info->mem_count; i++) {
        const struct root_mem *mem = &setup.info->mem[i];
        bool inside = base >= mem->base && base - mem->base < mem->size &&
                      mem->size - (base - mem->base) >= config.screen_size;
        if (!inside || (mem->kind != ROOT_MEM_MMIO && mem->kind != ROOT_MEM_FIRMWARE))
            continue;
        uint32_t slot = slot_alloc();
        if (slot && sys_mem_derive(slot, SLOT_ROOT_MEM + i, base - mem->base, config.screen_size,
                                   RIGHT_COPY | RIGHT_READ | RIGHT_WRITE) == OK)
            return slot;
        slot_free(slot);
    }
    return 0;
}

static void take_devices(void)
{
    config.magic = CONSOLE_CONFIG_MAGIC;
    config.all = setup.all;
    config.fb = setup.info->fb;
    uart_ports = take_ports(COM1_BASE, COM1_PORTS);
    uart_irq = uart_ports ? take_irq(COM1_IRQ) : 0;
    screen = take_screen();
    if (!screen) {
        config.fb.base = 0;
        config.fb.vga_text = 0;
    }
    keyboard_ports[0] = take_ports(KEYBOARD_DATA, 1);
    keyboard_ports[1] = take_ports(KEYBOARD_STATUS, 1);
    keyboard_irq = keyboard_ports[0] && keyboard_ports[1] ? take_irq(KEYBOARD_IRQ) : 0;
    config.has_uart = uart_ports != 0;
    config.has_keyboard = keyboard_irq && screen;
}

static void enable_ports(void)
{
    if (uart_ports)
        sys_pd_ports(console.program.pd, uart_ports, 1);
    for (uint32_t i = 0; i < 2 && config.has_keyboard; i++)
        sys_pd_ports(console.program.pd, keyboard_ports[i], 1);
}

static uint64_t klog_head(void)
{
    struct machine_info info;
    if (sys_machine_info(SLOT_MACHINE) != OK)
        return 0;
    memcpy(&info, utcb_self()->mr, sizeof(info));
    return info.klog_head;
}

static uint32_t collect_caps(struct spawn_cap caps[3])
{
    const struct spawn_cap all[3] = {
        {CONSOLE_SLOT_UART_IRQ, uart_irq, RIGHT_ALL, 0},
        {CONSOLE_SLOT_KEYBOARD_IRQ, keyboard_irq, RIGHT_ALL, 0},
        {CONSOLE_SLOT_SCREEN, screen, RIGHT_READ | RIGHT_WRITE, 0},
    };
    uint32_t n = 0;
    for (uint32_t i = 0; i < 3; i++) {
        if (all[i].slot)
            caps[n++] = all[i];
    }
    return n;
}

static void start_console(void)
{
    struct spawn_cap caps[3];
    struct spawn_request request = {
        .file = bootpkg_find("console"),
        .name = "console",
        .heap_size = CONSOLE_HEAP,
        .quota = CONSOLE_QUOTA,
        .priority = CONSOLE_PRIORITY,
        .badge = CONSOLE_BADGE,
        .portal = setup.portal,
        .fault_notif = setup.notif,
        .fault_bits = CONSOLE_FAULT_BIT,
        .notif = notif,
        .data = &config,
        .data_size = sizeof(config),
        .caps = caps,
        .cap_count = collect_caps(caps),
    };
    /* From here on the kernel only logs: what comes now is the console's to show. */
    config.klog_position = klog_head();
    sys_machine_control(SLOT_MACHINE, MACHINE_CONSOLE, 1);
    const char *why = spawn_program(&console.program, &request);
    if (why)
        sys_machine_control(SLOT_MACHINE, MACHINE_CONSOLE, 0);
    else
        enable_ports();
    life_began(&console, "console", why, 0);
}

uint32_t watch_start(const struct watch_setup *with)
{
    setup = *with;
    if (!bootpkg_find("console")) {
        log_line("the boot package has no console: only the log will be seen");
        return 0;
    }
    take_devices();
    notif = slot_alloc();
    if (!notif || sys_notif_create(notif) != OK) {
        log_line("the console has no notification");
        slot_free(notif);
        notif = 0;
        return 0;
    }
    start_console();
    return notif;
}

uint64_t watch_tick(uint64_t now)
{
    if (!notif)
        return 0;
    enum life_state state = life_check(&console, now);
    if (state != LIFE_GOES_ON) {
        sys_machine_control(SLOT_MACHINE, MACHINE_CONSOLE, 0); /* so that the next lines are seen */
        life_tell(&console, "console", state);
        life_end(&console);
        config.restarts = console.restarts;
    }
    if (life_is_due(&console, now))
        start_console();
    return life_next(&console);
}

uint64_t watch_memory(void)
{
    return program_memory(&console.program);
}
