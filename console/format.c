/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/format.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "abi/kinfo.h"
#include "abi/object.h"
#include "abi/thread.h"
#include "abi/vcpu.h"
#include "lib/cpulist.h"

void text_add(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text->bytes + text->used, text->size - text->used, format, args);
    va_end(args);
    if (n > 0)
        text->used += (size_t)n < text->size - text->used ? (size_t)n : text->size - text->used - 1;
}

const char *format_state(uint32_t state)
{
    static const char *const names[VM_STATES] = {
        [VM_SHUTOFF] = "shut off", [VM_WAITING] = "waiting",  [VM_STARTING] = "running",
        [VM_RUNNING] = "running",  [VM_PAUSED] = "paused",    [VM_SHUTDOWN] = "in shutdown",
        [VM_CRASHED] = "crashed",  [VM_PRESERVED] = "paused",
    };
    return state < VM_STATES ? names[state] : "no state";
}

/* Writes 36 characters and a zero byte. */
static void uuid_text(const uint8_t uuid[16], char out[37])
{
    static const char hex[] = "0123456789abcdef";
    for (uint32_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = hex[uuid[i] >> 4];
        *out++ = hex[uuid[i] & 15];
    }
    *out = 0;
}

static bool is_active(const struct mgr_brief *b)
{
    return lifecycle_has_vmm((enum vm_state)b->state);
}

static bool is_listed(const struct mgr_brief *b, bool all, bool inactive)
{
    return all || is_active(b) != inactive;
}

static void id_text(const struct mgr_brief *b, char out[24])
{
    if (is_active(b))
        snprintf(out, 24, "%llu", (unsigned long long)b->id);
    else
        snprintf(out, 24, "-");
}

static int wider(int width, const char *word)
{
    return (int)strlen(word) > width ? (int)strlen(word) : width;
}

void format_list(struct text *text, const struct mgr_brief *briefs, uint32_t count, bool all,
                 bool inactive)
{
    int id_width = 2, name_width = 4, state_width = 5;
    char id[24];
    for (uint32_t i = 0; i < count; i++) {
        if (!is_listed(&briefs[i], all, inactive))
            continue;
        id_text(&briefs[i], id);
        id_width = wider(id_width, id);
        name_width = wider(name_width, briefs[i].name);
        state_width = wider(state_width, format_state(briefs[i].state));
    }
    text_add(text, " %-*s   %-*s   State\n", id_width, "Id", name_width, "Name");
    for (int i = 0; i < id_width + name_width + state_width + 9; i++)
        text_add(text, "-");
    text_add(text, "\n");
    for (uint32_t i = 0; i < count; i++) {
        if (!is_listed(&briefs[i], all, inactive))
            continue;
        id_text(&briefs[i], id);
        text_add(text, " %-*s   %-*s   %s\n", id_width, id, name_width, briefs[i].name,
                 format_state(briefs[i].state));
    }
    text_add(text, "\n");
}

static void add_seconds(struct text *text, const char *label, uint64_t ns)
{
    text_add(text, "%-16s%llu.%llus\n", label, (unsigned long long)(ns / 1000000000),
             (unsigned long long)(ns / 100000000 % 10));
}

static void add_reason(struct text *text, const char *reason)
{
    const char *label = "Last end:";
    for (const char *line = reason; *line;) {
        size_t length = strcspn(line, "\n");
        text_add(text, "%-16s%.*s\n", label, (int)length, line);
        line += length + (line[length] != 0);
        label = "";
    }
}

void format_info(struct text *text, const struct mgr_info *info)
{
    char uuid[37], id[24];
    uuid_text(info->uuid, uuid);
    id_text(&info->brief, id);
    text_add(text, "%-16s%s\n", "Id:", id);
    text_add(text, "%-16s%s\n", "Name:", info->brief.name);
    text_add(text, "%-16s%s\n", "UUID:", uuid);
    if (info->title[0])
        text_add(text, "%-16s%s\n", "Title:", info->title);
    text_add(text, "%-16s%s\n", "OS Type:", "hvm");
    text_add(text, "%-16s%s\n", "State:", format_state(info->brief.state));
    text_add(text, "%-16s%u\n", "CPU(s):", (unsigned)info->vcpus);
    if (info->cpupool[0])
        text_add(text, "%-16s%.31s\n", "CPU pool:", info->cpupool);
    add_seconds(text, "CPU time:", info->cpu_time_ns);
    text_add(text, "%-16s%llu KiB\n", "Max memory:", (unsigned long long)(info->memory / 1024));
    text_add(text, "%-16s%llu KiB\n",
             "Used memory:", (unsigned long long)(info->used_memory / 1024));
    text_add(text, "%-16s%s\n", "Persistent:", "yes");
    text_add(text, "%-16s%s\n", "Autostart:", info->brief.autostart ? "enable" : "disable");
    text_add(text, "%-16s%s\n", "Managed save:", "no");
    text_add(text, "%-16s%llu KiB\n", "Overhead:", (unsigned long long)(info->overhead / 1024));
    add_seconds(text, "Uptime:", info->uptime_ns);
    text_add(text, "%-16s%u\n", "Restarts:", (unsigned)info->restarts);
    add_reason(text, info->reason);
    text_add(text, "\n");
}

/* libvirt's numbers of states (virDomainState). */
static unsigned state_number(uint32_t state)
{
    static const unsigned char numbers[VM_STATES] = {
        [VM_SHUTOFF] = 5, [VM_WAITING] = 5,  [VM_STARTING] = 1, [VM_RUNNING] = 1,
        [VM_PAUSED] = 3,  [VM_SHUTDOWN] = 4, [VM_CRASHED] = 6,  [VM_PRESERVED] = 3,
    };
    return state < VM_STATES ? numbers[state] : 0;
}

void format_stats_head(struct text *text, const char *name, const struct mgr_stats *stats)
{
    uint64_t balloon = stats->balloon_pages * 4;
    uint64_t memory = stats->memory / 1024;
    text_add(text, "Domain: '%s'\n", name);
    text_add(text, "  state.state=%u\n", state_number(stats->vm_state));
    text_add(text, "  cpu.time=%llu\n", (unsigned long long)stats->domain_ns);
    text_add(text, "  balloon.current=%llu\n",
             (unsigned long long)(balloon < memory ? memory - balloon : 0));
    text_add(text, "  balloon.maximum=%llu\n", (unsigned long long)memory);
    text_add(text, "  vcpu.current=%u\n", (unsigned)stats->vcpus);
    text_add(text, "  vcpu.maximum=%u\n", (unsigned)stats->vcpus);
}

static const char *const stat_name[VCPU_STATS] = {
    [STAT_EXITS] = "exits",
    [STAT_INTR] = "intr",
    [STAT_PIO] = "pio",
    [STAT_MMIO] = "mmio",
    [STAT_CPUID] = "cpuid",
    [STAT_RDMSR] = "rdmsr",
    [STAT_WRMSR] = "wrmsr",
    [STAT_HLT] = "hlt",
    [STAT_PAUSE] = "pause",
    [STAT_HYPERCALL] = "hypercall",
    [STAT_DOORBELL] = "doorbell",
    [STAT_EOI] = "eoi",
    [STAT_ICR] = "icr",
    [STAT_TIMER] = "timer",
    [STAT_XSETBV] = "xsetbv",
    [STAT_EXC] = "exception",
    [STAT_NPF] = "npf",
    [STAT_CR] = "cr",
    [STAT_INJECT_INTR] = "inject_intr",
    [STAT_INJECT_NMI] = "inject_nmi",
    [STAT_INJECT_EXC] = "inject_exception",
    [STAT_MSR_FAULT] = "msr_fault",
    [STAT_TO_VMM] = "to_vmm",
    [STAT_RUN_TSC] = "run_tsc",
    [STAT_STEAL_TSC] = "steal_tsc",
    [STAT_LAST_CPU] = "last_cpu",
    [STAT_PV_EOI] = "pv_eoi",
    [STAT_DIRTY] = "dirty_pages",
};

static const char *const exit_name[VCPU_EXITS] = {
    [VCPU_EXIT_NONE] = "none",
    [VCPU_EXIT_PIO] = "pio",
    [VCPU_EXIT_MMIO] = "mmio",
    [VCPU_EXIT_RDMSR] = "rdmsr",
    [VCPU_EXIT_WRMSR] = "wrmsr",
    [VCPU_EXIT_EXTINT] = "extint",
    [VCPU_EXIT_EOI] = "eoi",
    [VCPU_EXIT_INSN] = "insn",
    [VCPU_EXIT_SHUTDOWN] = "shutdown",
    [VCPU_EXIT_INVALID] = "invalid",
    [VCPU_EXIT_TASK_SWITCH] = "task_switch",
    [VCPU_EXIT_RESET] = "reset",
    [VCPU_EXIT_HLT_IF0] = "hlt_if0",
    [VCPU_EXIT_DEBUG] = "debug",
};

/* libvirt's names first; it has none for the others. */
static void add_sched(struct text *text, uint32_t vcpu, const struct mgr_stats *stats)
{
    const struct mgr_sched *s = &stats->sched;
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {
        {"time", s->used_ns},
        {"wait", s->wait_ns},
        {"delay", s->wait_ns},
        {"guest_time", stats->guest_ns},
        {"steal", stats->steal_ns},
        {"throttled", s->throttled_ns},
        {"switches.sum", s->switches},
        {"migrations.sum", s->migrations},
        {"deadline_misses.sum", s->deadline_misses},
        {"host_cpu", s->cpu},
    };
    text_add(text, "  vcpu.%u.halted=%s\n", (unsigned)vcpu,
             stats->state == VCPU_RUN_HALTED ? "yes" : "no");
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        text_add(text, "  vcpu.%u.%s=%llu\n", (unsigned)vcpu, fields[i].name,
                 (unsigned long long)fields[i].value);
}

void format_stats_emulator(struct text *text, const struct mgr_stats *stats)
{
    const struct mgr_sched *s = &stats->emulator;
    text_add(text, "  emulator.time=%llu\n  emulator.wait=%llu\n", (unsigned long long)s->used_ns,
             (unsigned long long)s->wait_ns);
    text_add(text, "  emulator.throttled=%llu\n  emulator.migrations.sum=%llu\n",
             (unsigned long long)s->throttled_ns, (unsigned long long)s->migrations);
    text_add(text, "  emulator.host_cpu=%u\n", (unsigned)s->cpu);
}

void format_stats_vcpu(struct text *text, uint32_t vcpu, const struct mgr_stats *stats)
{
    text_add(text, "  vcpu.%u.state=%u\n", (unsigned)vcpu, stats->state == 1 ? 2u : 1u);
    add_sched(text, vcpu, stats);
    for (uint32_t i = 0; i < VCPU_STATS; i++) {
        if (stat_name[i])
            text_add(text, "  vcpu.%u.%s.sum=%llu\n", (unsigned)vcpu, stat_name[i],
                     (unsigned long long)stats->stat[i]);
    }
    for (uint32_t i = 0; i < VCPU_EXITS; i++)
        text_add(text, "  vcpu.%u.vmm_%s.sum=%llu\n", (unsigned)vcpu, exit_name[i],
                 (unsigned long long)stats->exits[i]);
}

static void add_affinity(struct text *text, const struct tune_set *set, uint32_t host_cpus,
                         bool pretty)
{
    char list[CPULIST_TEXT];
    if (host_cpus > TUNE_CPUS)
        host_cpus = TUNE_CPUS;
    text_add(text, "%-16s", "CPU Affinity:");
    if (pretty) {
        cpulist_format(set->word, host_cpus, list, sizeof(list));
        text_add(text, "%s (out of %u)\n", list, (unsigned)host_cpus);
        return;
    }
    for (uint32_t i = 0; i < host_cpus; i++)
        text_add(text, "%c", set->word[i / 64] >> i % 64 & 1 ? 'y' : '-');
    text_add(text, "\n");
}

static void add_class(struct text *text, const struct mgr_sched *s)
{
    static const char *const names[] = {
        [SC_SHARED] = "shared", [SC_RESERVED] = "reserved", [SC_FIXED] = "fixed"};
    text_add(text, "%-16s%s", "Scheduling:", s->class <= SC_FIXED ? names[s->class] : "unknown");
    if (s->class == SC_SHARED)
        text_add(text, ", weight %u", (unsigned)s->weight);
    if (s->class == SC_FIXED)
        text_add(text, ", priority %u", (unsigned)s->priority);
    if (s->budget_us)
        text_add(text, ", %s%llu us of %llu us", s->class == SC_RESERVED ? "" : "at most ",
                 (unsigned long long)s->budget_us, (unsigned long long)s->period_us);
    text_add(text, "\n");
}

/* virsh's lines, then our own. */
void format_vcpuinfo(struct text *text, uint32_t vcpu, const struct mgr_stats *stats,
                     uint32_t host_cpus, bool pretty)
{
    const struct mgr_sched *s = &stats->sched;
    bool on = lifecycle_has_vmm((enum vm_state)stats->vm_state);
    bool halted = on && stats->state == VCPU_RUN_HALTED;
    text_add(text, "%-16s%u\n", "VCPU:", (unsigned)vcpu);
    if (on)
        text_add(text, "%-16s%u\n", "CPU:", (unsigned)s->cpu);
    else
        text_add(text, "%-16sN/A\n", "CPU:");
    if (on)
        text_add(text, "%-16s%s\n",
                 "State:", stats->state == 3 ? "paused" : (halted ? "idle" : "running"));
    else
        text_add(text, "%-16sN/A\n", "State:");
    add_seconds(text, "CPU time:", s->used_ns);
    add_affinity(text, &stats->cpuset, host_cpus, pretty);
    if (on) {
        add_class(text, s);
        add_seconds(text, "Wait time:", s->wait_ns);
        add_seconds(text, "Steal time:", stats->steal_ns);
        add_seconds(text, "Throttled:", s->throttled_ns);
        text_add(text, "%-16s%llu\n", "Migrations:", (unsigned long long)s->migrations);
        text_add(text, "%-16s%llu\n", "Missed:", (unsigned long long)s->deadline_misses);
    }
    text_add(text, "\n");
}

static void add_kib(struct text *text, const char *label, uint64_t bytes)
{
    text_add(text, "%-21s%llu KiB\n", label, (unsigned long long)(bytes / 1024));
}

static const char *const object_name[OBJ_TYPES] = {
    [OBJ_PD] = "domains",        [OBJ_THREAD] = "threads",      [OBJ_SC] = "contexts",
    [OBJ_PORTAL] = "portals",    [OBJ_NOTIF] = "notifications", [OBJ_MEM] = "memories",
    [OBJ_PORTS] = "port ranges", [OBJ_IRQ] = "interrupts",      [OBJ_GUEST] = "guests",
    [OBJ_VCPU] = "vCPUs",
};

void format_node(struct text *text, const struct mgr_node *node)
{
    static const char *const virt[] = {"none", "SVM", "VMX"};
    text_add(text, "%-21s%s\n", "CPU model:", "x86_64");
    text_add(text, "%-21s%u\n", "CPU(s):", (unsigned)node->cpus);
    text_add(text, "%-21s%llu MHz\n", "CPU frequency:", (unsigned long long)(node->tsc_khz / 1000));
    text_add(text, "%-21s%u\n", "NUMA cell(s):", (unsigned)node->nodes);
    add_kib(text, "Memory size:", node->memory);
    add_kib(text, "Memory free:", node->free);
    add_kib(text, "Largest free piece:", node->largest);
    add_kib(text, "Kernel memory:", node->kmem_total);
    add_kib(text, "Kernel memory free:", node->kmem_free);
    text_add(text, "%-21s", "Kernel objects:");
    for (uint32_t i = 0; i < OBJ_TYPES; i++) {
        if (object_name[i])
            text_add(text, "%s%llu %s", i == OBJ_PD ? "" : ", ",
                     (unsigned long long)node->objects[i], object_name[i]);
    }
    text_add(text, "\n%-21s%.48s\n", "CPU name:", node->cpu_name);
    text_add(text, "%-21s%s\n", "Virtualisation:",
             node->virt < sizeof(virt) / sizeof(virt[0]) ? virt[node->virt] : "none");
    text_add(text, "%-21s%u of %u\n", "Active domains:", (unsigned)node->running,
             (unsigned)node->domains);
    text_add(text, "%-21sMullion %.32s, booted by %.16s\n", "Hypervisor:", node->version,
             node->boot_method);
    text_add(text, "%-21s%llus\n\n", "Uptime:", (unsigned long long)(node->uptime_ns / 1000000000));
}

void format_disks(struct text *text, const struct mgr_disk *disks, uint32_t count)
{
    size_t width = strlen("Source");
    for (uint32_t i = 0; i < count; i++) {
        if (strlen(disks[i].source) > width)
            width = strlen(disks[i].source);
    }
    text_add(text, " Target   Source\n");
    for (size_t i = 0; i < width + 11; i++)
        text_add(text, "-");
    text_add(text, "\n");
    for (uint32_t i = 0; i < count; i++)
        text_add(text, " %-8s %s\n", disks[i].target, disks[i].source);
    text_add(text, "\n");
}

void format_disk_stats(struct text *text, const struct mgr_disk *disk)
{
    static const struct {
        const char *name;
        enum vmm_disk_stat stat;
    } lines[] = {
        {"rd_req", DISK_STAT_READS},
        {"rd_bytes", DISK_STAT_READ_BYTES},
        {"wr_req", DISK_STAT_WRITES},
        {"wr_bytes", DISK_STAT_WRITTEN_BYTES},
        {"flush_operations", DISK_STAT_FLUSHES},
        {"rd_total_times", DISK_STAT_READ_NS},
        {"wr_total_times", DISK_STAT_WRITE_NS},
        {"flush_total_times", DISK_STAT_FLUSH_NS},
        {"discard_operations", DISK_STAT_DISCARDS},
        {"delayed_operations", DISK_STAT_DELAYED},
        {"errs", DISK_STAT_ERRORS},
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        text_add(text, "%s %s %llu\n", disk->target, lines[i].name,
                 (unsigned long long)disk->stat[lines[i].stat]);
    text_add(text, "\n");
}
