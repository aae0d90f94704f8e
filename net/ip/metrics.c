/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ip/metrics.h"

#include <stdio.h>
#include <string.h>

#define SECTOR      512u
#define LABEL_BYTES 256u

enum scope { HOST, CPU, DOMAIN, VCPU, EXITS, DISK, INTERFACE };
enum unit { PLAIN, NANOSECONDS, SECTORS, ONE };

/* A family: one name, a sample for each row of its scope. Where a scope's rows are structures, the
 * value stands `offset` bytes into the row. */
struct family {
    const char *name, *help;
    bool counter;
    enum scope scope;
    enum unit unit;
    size_t offset;
};

#define F_HOST(field) HOST, PLAIN, offsetof(struct figures, field)
#define F_OWN(count)  HOST, PLAIN, offsetof(struct figures, own) + (count) * sizeof(uint64_t)
#define F_CPU(field)  CPU, PLAIN, offsetof(struct mgr_cpu, field)
#define F_DOM(u, m)   DOMAIN, u, offsetof(struct figures_domain, m)
#define F_VCPU(m)     VCPU, NANOSECONDS, offsetof(struct figures_vcpu, m)
#define F_DISK(u, i)  DISK, u, offsetof(struct figures_disk, stat) + (i) * sizeof(uint64_t)
#define F_PORT(i) \
    INTERFACE, PLAIN, offsetof(struct figures_interface, stat) + (i) * sizeof(uint64_t)

static const struct family families[] = {
    {"mullion_build_info", "Version of Mullion, how it was booted, the host's CPU.", false, HOST,
     ONE, 0},
    {"mullion_uptime_seconds", "Time since the kernel started.", false, HOST, NANOSECONDS,
     offsetof(struct figures, node.uptime_ns)},
    {"mullion_time_seconds", "The host's clock, seconds since 1970; 0: not known.", false, HOST,
     NANOSECONDS, offsetof(struct figures, unix_ns)},
    {"mullion_memory_bytes", "Memory for guests and programs.", false, F_HOST(node.memory)},
    {"mullion_memory_free_bytes", "Of it, free.", false, F_HOST(node.free)},
    {"mullion_kernel_memory_bytes", "Memory of the kernel.", false, F_HOST(node.kmem_total)},
    {"mullion_kernel_memory_free_bytes", "Of it, free.", false, F_HOST(node.kmem_free)},
    {"mullion_cpu_idle_seconds_total", "Time that a CPU had nothing to do.", true, CPU, NANOSECONDS,
     offsetof(struct mgr_cpu, idle_ns)},
    {"mullion_cpu_context_switches_total", "Switches between threads.", true, F_CPU(switches)},
    {"mullion_cpu_interrupts_total", "Interrupts of devices.", true, F_CPU(interrupts)},
    {"mullion_cpu_ipis_total", "Interrupts from other CPUs.", true, F_CPU(ipis)},
    {"mullion_cpu_timer_interrupts_total", "Interrupts of the CPU's timer.", true,
     F_CPU(timer_irqs)},
    {"mullion_cpu_syscalls_total", "System calls.", true, F_CPU(syscalls)},
    {"mullion_domain_info", "A domain and its state.", false, DOMAIN, ONE, 0},
    {"mullion_domain_memory_bytes", "Memory that the domain is defined with.", false,
     F_DOM(PLAIN, memory)},
    {"mullion_domain_overhead_bytes", "Memory beyond the guest's own.", false,
     F_DOM(PLAIN, overhead)},
    {"mullion_domain_cpu_seconds_total", "CPU time of all threads of the domain.", true,
     F_DOM(NANOSECONDS, cpu_ns)},
    {"mullion_domain_uptime_seconds", "Time since the domain was started; 0: it is off.", false,
     F_DOM(NANOSECONDS, uptime_ns)},
    {"mullion_vcpu_guest_seconds_total", "Time in the guest.", true, F_VCPU(guest_ns)},
    {"mullion_vcpu_cpu_seconds_total", "Time on a CPU.", true, F_VCPU(used_ns)},
    {"mullion_vcpu_wait_seconds_total", "Time that it could have run but others did.", true,
     F_VCPU(wait_ns)},
    {"mullion_vcpu_throttled_seconds_total", "Time that its limit kept it from running.", true,
     F_VCPU(throttled_ns)},
    {"mullion_vcpu_steal_seconds_total", "Stolen time, as the guest is told.", true,
     F_VCPU(steal_ns)},
    {"mullion_vcpu_exits_total", "Exits of the guest, by what they were for.", true, EXITS, PLAIN,
     0},
    {"mullion_disk_size_bytes", "Size of the disk.", false, DISK, SECTORS,
     offsetof(struct figures_disk, sectors)},
    {"mullion_disk_reads_total", "Read requests.", true, F_DISK(PLAIN, DISK_STAT_READS)},
    {"mullion_disk_read_bytes_total", "Bytes read.", true, F_DISK(PLAIN, DISK_STAT_READ_BYTES)},
    {"mullion_disk_read_seconds_total", "Sum of the times that reads took.", true,
     F_DISK(NANOSECONDS, DISK_STAT_READ_NS)},
    {"mullion_disk_writes_total", "Write requests.", true, F_DISK(PLAIN, DISK_STAT_WRITES)},
    {"mullion_disk_written_bytes_total", "Bytes written.", true,
     F_DISK(PLAIN, DISK_STAT_WRITTEN_BYTES)},
    {"mullion_disk_write_seconds_total", "Sum of the times that writes took.", true,
     F_DISK(NANOSECONDS, DISK_STAT_WRITE_NS)},
    {"mullion_disk_flushes_total", "Flush requests.", true, F_DISK(PLAIN, DISK_STAT_FLUSHES)},
    {"mullion_disk_flush_seconds_total", "Sum of the times that flushes took.", true,
     F_DISK(NANOSECONDS, DISK_STAT_FLUSH_NS)},
    {"mullion_disk_discards_total", "Discard and write-zeroes requests.", true,
     F_DISK(PLAIN, DISK_STAT_DISCARDS)},
    {"mullion_disk_errors_total", "Requests that ended with an error.", true,
     F_DISK(PLAIN, DISK_STAT_ERRORS)},
    {"mullion_disk_delayed_total", "Requests that waited for a limit.", true,
     F_DISK(PLAIN, DISK_STAT_DELAYED)},
    {"mullion_interface_up", "1: the link is up.", false, INTERFACE, PLAIN,
     offsetof(struct figures_interface, up)},
    {"mullion_interface_receive_frames_total", "Frames that came to the interface.", true,
     F_PORT(SWITCH_RX_FRAMES)},
    {"mullion_interface_receive_bytes_total", "Bytes of them.", true, F_PORT(SWITCH_RX_BYTES)},
    {"mullion_interface_receive_dropped_total", "Frames for which it had no room, or no share.",
     true, F_PORT(SWITCH_RX_DROPPED)},
    {"mullion_interface_receive_errors_total", "Frames that could not be delivered.", true,
     F_PORT(SWITCH_RX_ERRORS)},
    {"mullion_interface_transmit_frames_total", "Frames that the interface sent.", true,
     F_PORT(SWITCH_TX_FRAMES)},
    {"mullion_interface_transmit_bytes_total", "Bytes of them.", true, F_PORT(SWITCH_TX_BYTES)},
    {"mullion_interface_transmit_dropped_total", "Frames over a limit, or to nobody.", true,
     F_PORT(SWITCH_TX_DROPPED)},
    {"mullion_interface_transmit_errors_total", "Malformed frames.", true,
     F_PORT(SWITCH_TX_ERRORS)},
    {"mullion_interface_transmit_filtered_total", "Frames against the port's rules.", true,
     F_PORT(SWITCH_TX_FILTERED)},
    {"mullion_http_requests_total", "Requests that were understood.", true,
     F_OWN(IP_COUNT_REQUESTS)},
    {"mullion_http_refused_total", "Answers that said no.", true, F_OWN(IP_COUNT_REFUSED)},
    {"mullion_http_timeouts_total", "Clients that were too slow.", true, F_OWN(IP_COUNT_TIMEOUTS)},
    {"mullion_http_connections_total", "Connections accepted.", true, F_OWN(IP_COUNT_CONNECTIONS)},
    {"mullion_http_evicted_total", "Connections closed in favour of newer ones.", true,
     F_OWN(IP_COUNT_EVICTED)},
    {"mullion_tcp_half_open_dropped_total", "Half-open connections dropped for newer ones.", true,
     F_OWN(IP_COUNT_HALF_OPEN)},
    {"mullion_tcp_connections", "TCP connections in any state.", false, F_OWN(IP_COUNT_PCB_USED)},
    {"mullion_tcp_connections_refused_total", "Connections for which there was no memory.", true,
     F_OWN(IP_COUNT_PCB_FAILED)},
    {"mullion_stack_heap_used_bytes", "Memory of what is being sent.", false,
     F_OWN(IP_COUNT_HEAP_USED)},
    {"mullion_stack_heap_most_bytes", "The most that was ever used.", false,
     F_OWN(IP_COUNT_HEAP_MOST)},
    {"mullion_stack_heap_failures_total", "Times that there was none.", true,
     F_OWN(IP_COUNT_HEAP_FAILED)},
    {"mullion_stack_packets_used", "Received packets that are kept.", false,
     F_OWN(IP_COUNT_POOL_USED)},
    {"mullion_stack_packets_most", "The most that were ever kept.", false,
     F_OWN(IP_COUNT_POOL_MOST)},
    {"mullion_stack_packets_dropped_total", "Packets for which there was no memory.", true,
     F_OWN(IP_COUNT_RX_DROPPED)},
    {"mullion_syslog_messages_total", "Log lines that were sent.", true, F_OWN(IP_COUNT_SYSLOG)},
    {"mullion_syslog_lost_total", "Log lines that could not be sent.", true,
     F_OWN(IP_COUNT_SYSLOG_LOST)},
    {"mullion_ntp_settings_total", "Times that a time server set the clock.", true,
     F_OWN(IP_COUNT_NTP)},
};
#define FAMILIES (sizeof(families) / sizeof(families[0]))

static const struct {
    const char *name;
    uint32_t stat;
} reasons[] = {
    {"interrupt", STAT_INTR},
    {"pio", STAT_PIO},
    {"mmio", STAT_MMIO},
    {"cpuid", STAT_CPUID},
    {"rdmsr", STAT_RDMSR},
    {"wrmsr", STAT_WRMSR},
    {"hlt", STAT_HLT},
    {"pause", STAT_PAUSE},
    {"hypercall", STAT_HYPERCALL},
    {"eoi", STAT_EOI},
    {"doorbell", STAT_DOORBELL},
    {"icr", STAT_ICR},
    {"timer", STAT_TIMER},
    {"xsetbv", STAT_XSETBV},
    {"exception", STAT_EXC},
    {"npf", STAT_NPF},
    {"cr", STAT_CR},
};
#define REASONS (sizeof(reasons) / sizeof(reasons[0]))

static uint32_t rows(const struct figures *f, enum scope scope)
{
    switch (scope) {
    case CPU:
        return f->cpus;
    case DOMAIN:
        return f->domains;
    case VCPU:
        return f->vcpus;
    case EXITS:
        return f->vcpus * (uint32_t)REASONS;
    case DISK:
        return f->disks;
    case INTERFACE:
        return f->interfaces;
    default:
        return 1;
    }
}

static const void *row_of(const struct figures *f, enum scope scope, uint32_t row)
{
    switch (scope) {
    case CPU:
        return &f->cpu[row];
    case DOMAIN:
        return &f->domain[row];
    case VCPU:
        return &f->vcpu[row];
    case DISK:
        return &f->disk[row];
    case INTERFACE:
        return &f->interface[row];
    default:
        return f;
    }
}

/* A label's value: backslash, quote and newline are escaped; what is no UTF-8 becomes "?". */
static void escape(char *out, size_t size, const char *text)
{
    size_t used = 0;
    for (; *text && used + 3 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\\' || c == '"')
            out[used++] = '\\';
        out[used++] = c < ' ' || c >= 0x7f ? '?' : *text;
    }
    out[used] = 0;
}

static const char *state_name(uint32_t state)
{
    static const char *const names[VM_STATES] = {
        [VM_SHUTOFF] = "shut off", [VM_WAITING] = "waiting",  [VM_STARTING] = "running",
        [VM_RUNNING] = "running",  [VM_PAUSED] = "paused",    [VM_SHUTDOWN] = "in shutdown",
        [VM_CRASHED] = "crashed",  [VM_PRESERVED] = "paused",
    };
    return state < VM_STATES ? names[state] : "no state";
}

static const char *domain_name(const struct figures *f, uint32_t domain)
{
    return domain < f->domains ? f->domain[domain].name : "";
}

static void host_labels(const struct figures *f, const struct family *family, char *out)
{
    char version[2 * sizeof(f->node.version)], boot[2 * sizeof(f->node.boot_method)];
    char cpu[2 * sizeof(f->node.cpu_name)];
    out[0] = 0;
    if (family->unit != ONE)
        return;
    escape(version, sizeof(version), f->node.version);
    escape(boot, sizeof(boot), f->node.boot_method);
    escape(cpu, sizeof(cpu), f->node.cpu_name);
    snprintf(out, LABEL_BYTES, "{version=\"%s\",boot=\"%s\",cpu=\"%s\"}", version, boot, cpu);
}

static void labels(const struct figures *f, const struct family *family, uint32_t row, char *out)
{
    char name[2 * MGR_NAME], target[40];
    const void *at = row_of(f, family->scope, row);
    const struct figures_vcpu *vcpu = family->scope == EXITS ? &f->vcpu[row / REASONS] : at;
    const struct figures_disk *disk = at;
    const struct figures_interface *port = at;
    const struct figures_domain *domain = at;
    switch (family->scope) {
    case CPU:
        snprintf(out, LABEL_BYTES, "{cpu=\"%u\"}", (unsigned)row);
        break;
    case DOMAIN:
        escape(name, sizeof(name), domain->name);
        if (family->unit == ONE)
            snprintf(out, LABEL_BYTES, "{domain=\"%s\",state=\"%s\"}", name,
                     state_name(domain->state));
        else
            snprintf(out, LABEL_BYTES, "{domain=\"%s\"}", name);
        break;
    case VCPU:
        escape(name, sizeof(name), domain_name(f, vcpu->domain));
        snprintf(out, LABEL_BYTES, "{domain=\"%s\",vcpu=\"%u\"}", name, (unsigned)vcpu->vcpu);
        break;
    case EXITS:
        escape(name, sizeof(name), domain_name(f, vcpu->domain));
        snprintf(out, LABEL_BYTES, "{domain=\"%s\",vcpu=\"%u\",reason=\"%s\"}", name,
                 (unsigned)vcpu->vcpu, reasons[row % REASONS].name);
        break;
    case DISK:
        escape(name, sizeof(name), domain_name(f, disk->domain));
        escape(target, sizeof(target), disk->target);
        snprintf(out, LABEL_BYTES, "{domain=\"%s\",disk=\"%s\"}", name, target);
        break;
    case INTERFACE:
        escape(name, sizeof(name), domain_name(f, port->domain));
        escape(target, sizeof(target), port->target);
        snprintf(out, LABEL_BYTES, "{domain=\"%s\",interface=\"%s\"}", name, target);
        break;
    default:
        host_labels(f, family, out);
    }
}

static uint64_t value_of(const struct figures *f, const struct family *family, uint32_t row)
{
    uint64_t value;
    if (family->unit == ONE)
        return 1;
    if (family->scope == EXITS)
        return f->vcpu[row / REASONS].stat[reasons[row % REASONS].stat];
    memcpy(&value, (const char *)row_of(f, family->scope, row) + family->offset, sizeof(value));
    return family->unit == SECTORS ? value * SECTOR : value;
}

static int sample(const struct figures *f, const struct family *family, uint32_t row, char *line)
{
    char text[LABEL_BYTES];
    uint64_t value = value_of(f, family, row);
    labels(f, family, row, text);
    if (family->unit == NANOSECONDS)
        return snprintf(line, METRICS_LINE, "%s%s %llu.%09u\n", family->name, text,
                        (unsigned long long)(value / 1000000000u), (unsigned)(value % 1000000000u));
    return snprintf(line, METRICS_LINE, "%s%s %llu\n", family->name, text,
                    (unsigned long long)value);
}

size_t metrics_line(const struct figures *f, struct metrics_at *at, char line[METRICS_LINE])
{
    int length = 0;
    /* A family without samples is left out. */
    while (at->family < FAMILIES && at->row >= rows(f, families[at->family].scope)) {
        at->family++;
        at->part = at->row = 0;
    }
    if (at->family == FAMILIES)
        return 0;
    const struct family *family = &families[at->family];
    if (at->part == 0)
        length = snprintf(line, METRICS_LINE, "# HELP %s %s\n", family->name, family->help);
    else if (at->part == 1)
        length = snprintf(line, METRICS_LINE, "# TYPE %s %s\n", family->name,
                          family->counter ? "counter" : "gauge");
    else
        length = sample(f, family, at->row++, line);
    at->part = at->part < 2 ? at->part + 1 : 2;
    return (size_t)length;
}

uint64_t metrics_size(const struct figures *figures)
{
    struct metrics_at at = {0};
    char line[METRICS_LINE];
    uint64_t size = 0;
    for (size_t n; (n = metrics_line(figures, &at, line)) != 0;)
        size += n;
    return size;
}
