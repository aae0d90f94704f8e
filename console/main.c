/* SPDX-License-Identifier: BSD-2-Clause */
/* The console: a prompt with virsh's verbs, the guests' consoles, the kernel log. It keeps nothing
 * that cannot be had again: killed at any instant, it is started anew and goes on. */
#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "console/client.h"
#include "console/config.h"
#include "console/guest.h"
#include "console/line_editor.h"
#include "console/terminal.h"
#include "console/top.h"
#include "console/verbs.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define PROMPT         "mullion # "
#define LEAVE_KEY      0x1d /* Ctrl-], as in virsh */
#define KLOG_BOOT_NS   100000000ull
#define KLOG_NS        1000000000ull
#define BOOT_NS        20000000000ull
#define DRAIN_BYTES    2048u
#define PROMPT_REST_NS 1000000000ull /* console=all: the prompt comes back after such a silence */
/* console=all: other lines wait while one is being typed, or while the attached guest is writing
 * one, until that rests for so long. */
#define TOP_LINES   24u
#define TYPING_NS   1000000000ull
#define MID_LINE_NS 300000000ull
#define HELD_SIZE   (16u << 10)
#define TEXT_SIZE   (256u << 10)

static const struct console_config *config;
static struct guest guests[CLIENT_DOMAINS];
static uint32_t guest_count;
static struct line_editor editor;
static struct guest *attached; /* NULL: at the prompt */
static enum mgr_channel attached_channel;
static uint64_t klog_position, klog_next_ns, started_ns, prefix_next_ns;
static uint64_t output_ns, prompt_next_ns, key_ns, attached_ns;
static uint64_t top_next_ns; /* 0: no picture of top is shown */
static bool mid_line;        /* the attached guest has left its line unfinished */
static char text_bytes[TEXT_SIZE], held[HELD_SIZE];
static size_t held_used;

static void editor_write(void *context, const char *bytes, size_t length)
{
    (void)context;
    terminal_write(bytes, length);
}

/* Makes room for output. For a person the prompt is taken away; a script that follows console=all
 * wants every line to begin at its first column, so there it is left above. */
static void clear_prompt(void)
{
    output_ns = time_ns();
    if (attached && mid_line)
        terminal_write("\r\n", 2);
    mid_line = false;
    if (config->all)
        line_leave(&editor);
    else
        line_hide(&editor);
}

/* Whole lines between what is being typed or a guest writes. */
static void print_line(const char *line, size_t length)
{
    clear_prompt();
    terminal_text(line, length);
    terminal_write("\r\n", 2);
}

/* Until when other lines wait; 0: they need not. */
static uint64_t hold_until(void)
{
    uint64_t until = 0;
    if (!config->all)
        return 0;
    if (top_next_ns)
        until = time_ns() + TOP_NS; /* lines wait until it is left */
    else if (attached)
        until = mid_line ? attached_ns + MID_LINE_NS : 0;
    else if (editor.length)
        until = key_ns + TYPING_NS;
    return until > time_ns() ? until : 0;
}

static void flush_held(void)
{
    if (!held_used)
        return;
    clear_prompt();
    terminal_text(held, held_used);
    held_used = 0;
}

static void emit_prefixed(void *context, const char *name, const char *line, size_t length)
{
    char bytes[PREFIX_LINE + MGR_NAME + 8];
    (void)context;
    int n = snprintf(bytes, sizeof(bytes), "[%s] %.*s\n", name, (int)length, line);
    if (held_used + (size_t)n > sizeof(held))
        flush_held();
    memcpy(held + held_used, bytes, (size_t)n);
    held_used += (size_t)n;
    if (!hold_until())
        flush_held();
}

static void show_attached(const uint8_t *bytes, size_t length)
{
    terminal_write(bytes, length);
    attached_ns = time_ns();
    if (length)
        mid_line = bytes[length - 1] != '\n';
}

static void on_output(void *context, struct guest *guest, enum mgr_channel channel,
                      const uint8_t *bytes, size_t length)
{
    (void)context;
    if (guest == attached && channel == attached_channel)
        show_attached(bytes, length);
    else if (config->all)
        prefix_feed(&guest->channel[channel].prefix, guest->brief.name, bytes, length, time_ns(),
                    emit_prefixed, NULL);
}

static void show_prompt(void)
{
    uint64_t now = time_ns();
    prompt_next_ns = 0;
    if (attached || editor.shown || top_next_ns)
        return;
    if (config->all && now - output_ns < PROMPT_REST_NS)
        prompt_next_ns = output_ns + PROMPT_REST_NS;
    else
        line_show(&editor);
}

static void detach(const char *why)
{
    attached = NULL;
    mid_line = false;
    /* Whatever colours and modes the guest has left are undone. */
    static const char reset[] = "\x1b[0m\x1b[?25h\x1b[r\r\n";
    terminal_write(reset, sizeof(reset) - 1);
    if (why)
        print_line(why, strlen(why));
    line_next(&editor);
}

static void sync_guests(void)
{
    static struct mgr_brief briefs[CLIENT_DOMAINS];
    uint32_t count;
    if (client_list(briefs, &count) != OK)
        return;
    for (uint32_t i = 0; i < count; i++) {
        if (guest_sync(&guests[i], &briefs[i], on_output, NULL) != OK)
            log_line("%s: its console cannot be reached: %s", briefs[i].name, client_reason());
    }
    guest_count = count;
    if (attached && attached->brief.state == VM_SHUTOFF) {
        while (guest_drain(attached, DRAIN_BYTES, on_output, NULL) != GUEST_EMPTY)
            ;
        detach("The domain is shut off.");
    }
}

/* Guests whose output waits in their rings until the line has sent what it has. */
static uint64_t held_back;

/* Guests that have just printed: looked at again when they have gathered some more. */
static uint64_t resting, rest_next_ns;

static void drain_guests(uint64_t bits)
{
    uint64_t now = time_ns();
    bits |= held_back;
    held_back = 0;
    if (now >= rest_next_ns) {
        bits |= resting;
        resting = 0;
    }
    for (uint32_t i = 0; i < guest_count; i++) {
        uint64_t bit = 1ull << i % CONSOLE_GUEST_BITS;
        if (!(bits & bit) && !guests[i].unread)
            continue;
        if (terminal_busy()) {
            held_back |= bit;
            continue;
        }
        enum guest_drained drained = guest_drain(&guests[i], DRAIN_BYTES, on_output, NULL);
        if (guests[i].has_notif)
            sys_sc_bill(guests[i].notif_slot); /* who prints pays for it */
        if (drained == GUEST_MORE)
            sys_notif_signal(SLOT_NOTIF, bit); /* comes back after the others had their turn */
        if (drained != GUEST_RESTING)
            continue;
        if (!resting)
            rest_next_ns = now + GUEST_GATHER_NS;
        resting |= bit;
    }
}

static void tick_prefixes(void)
{
    uint64_t now = time_ns();
    prefix_next_ns = 0;
    for (uint32_t i = 0; i < guest_count && config->all; i++) {
        for (uint32_t c = 0; c < MGR_CHANNELS; c++) {
            uint64_t next = prefix_tick(&guests[i].channel[c].prefix, guests[i].brief.name, now,
                                        emit_prefixed, NULL);
            if (next && (!prefix_next_ns || next < prefix_next_ns))
                prefix_next_ns = next;
        }
    }
}

/* Log lines would tear a guest's screen apart: they wait until it is left, and stay in dmesg. */
static void show_klog(void)
{
    char bytes[1024];
    uint32_t length;
    uint64_t now = time_ns();
    if (now < klog_next_ns || attached || top_next_ns || hold_until())
        return;
    klog_next_ns = now + (now - started_ns < BOOT_NS ? KLOG_BOOT_NS : KLOG_NS);
    while (client_klog(&klog_position, bytes, sizeof(bytes), &length) == OK && length) {
        clear_prompt();
        terminal_text(bytes, length);
    }
}

static void attach(void)
{
    static uint8_t last[GUEST_SCROLLBACK];
    char line[160];
    struct guest *guest = NULL;
    verbs_attach.wanted = false;
    sync_guests();
    for (uint32_t i = 0; i < guest_count; i++) {
        if (!strcmp(guests[i].brief.name, verbs_attach.name))
            guest = &guests[i];
    }
    enum mgr_channel channel;
    const char *why = NULL;
    if (!guest)
        why = "failed to get domain";
    else if (!lifecycle_has_vmm((enum vm_state)guest->brief.state))
        why = "The domain is not running: domain";
    else if (!guest_default_channel(guest, &channel) ||
             (verbs_attach.virtio && !guest->layout.has_virtio))
        why = "cannot find console device of domain";
    if (why) {
        int n = snprintf(line, sizeof(line), "error: %s '%s'\n", why, verbs_attach.name);
        print_line(line, (size_t)n);
        return;
    }
    int n =
        snprintf(line, sizeof(line), "Connected to domain '%s'\nEscape character is ^] (Ctrl + ])",
                 guest->brief.name);
    print_line(line, (size_t)n);
    attached = guest;
    attached_channel = verbs_attach.virtio ? MGR_CHANNEL_VIRTIO : channel;
    show_attached(last, guest_scrollback(guest, attached_channel, last));
}

/* A picture of top in place of the one before. */
static void show_top(void)
{
    static const char home[] = "\x1b[H\x1b[2J";
    struct text text = {text_bytes, sizeof(text_bytes), 0};
    uint64_t now = time_ns();
    if (!top_next_ns || now < top_next_ns)
        return;
    text.bytes[0] = 0;
    top_look(now, TOP_LINES - 1, &text);
    text_add(&text, "any key ends\n");
    terminal_write(home, sizeof(home) - 1);
    terminal_text(text.bytes, text.used);
    top_next_ns = now + TOP_NS;
}

static void start_top(void)
{
    verbs_top = false;
    top_begin();
    top_look(time_ns(), 0, NULL);
    top_next_ns = time_ns() + TOP_NS / 4;
}

static void end_top(void)
{
    top_next_ns = 0;
    line_next(&editor);
}

static void run_line(void)
{
    struct text text = {text_bytes, sizeof(text_bytes), 0};
    text.bytes[0] = 0;
    verbs_run(editor.line, &text);
    terminal_text(text.bytes, text.used);
    if (verbs_attach.wanted)
        attach();
    klog_next_ns = 0;
    if (verbs_top)
        start_top();
    else if (!attached)
        line_next(&editor);
}

/* Input to a guest that does not read is dropped with a bell, not kept for ever. */
static void type(const uint8_t *bytes, size_t length)
{
    key_ns = time_ns();
    for (size_t i = 0; i < length; i++) {
        if (top_next_ns) {
            end_top();
        } else if (!attached) {
            line_show(&editor);
            if (line_key(&editor, bytes[i]))
                run_line();
        } else if (bytes[i] == LEAVE_KEY) {
            detach(NULL);
        } else if (!guest_send(attached, attached_channel, &bytes[i], 1)) {
            terminal_write("\a", 1);
        }
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    if (!a || !b)
        return a ? a : b;
    return a < b ? a : b;
}

static void wait_for_events(uint64_t *bits)
{
    uint64_t now = time_ns(), poll = terminal_poll_ns();
    uint64_t hold = hold_until();
    uint64_t next =
        hold ? hold : earlier(attached || top_next_ns ? 0 : klog_next_ns, prefix_next_ns);
    next = earlier(next, prompt_next_ns);
    next = earlier(next, top_next_ns);
    next = earlier(next, resting ? rest_next_ns : 0);
    next = earlier(next, terminal_refresh(now));
    next = earlier(next, poll ? now + poll : 0);
    uint64_t deadline = 0;
    if (next)
        deadline = time_tsc() + time_ns_to_tsc(next > now ? next - now : 0) + 1;
    if (sys_notif_wait(SLOT_NOTIF, deadline, bits) != OK)
        *bits = 0;
}

int program_main(const struct program_args *args, const void *data)
{
    static const struct line_terminal line_terminal = {editor_write, verbs_candidate, NULL};
    uint8_t typed[256];
    /* A console that was restarted looks at everything, whatever was signalled to the one before.
     */
    uint64_t bits = UINT64_MAX;
    config = data;
    if (!config || config->magic != CONSOLE_CONFIG_MAGIC)
        fatal("started without a configuration");
    terminal_init(args, config);
    verbs_init();
    klog_position = config->klog_position;
    started_ns = time_ns();
    line_init(&editor, &line_terminal, PROMPT);
    if (config->restarts)
        log_line("started again (%u)", (unsigned)config->restarts);
    for (;;) {
        if (bits & CONSOLE_BIT_CHANGED) {
            klog_next_ns = 0; /* what changed has left a line there */
            sync_guests();
        }
        size_t n;
        while ((n = terminal_read(typed, sizeof(typed))))
            type(typed, n);
        show_top();
        show_klog();
        drain_guests(bits);
        tick_prefixes();
        if (!hold_until())
            flush_held();
        show_prompt();
        wait_for_events(&bits);
    }
}
