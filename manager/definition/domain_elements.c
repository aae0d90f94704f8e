/* SPDX-License-Identifier: BSD-2-Clause */
/* Elements of a domain outside <devices>. */
#include <stdio.h>
#include <string.h>
#include "manager/definition/domain_disk.h"
#include "manager/definition/domain_value.h"
#include "manager/definition/domain_xml.h"

static void end_name(struct xml_reader *r)
{
    struct domain *d = r->domain;
    size_t length = strlen(r->text);
    if (d->name[0]) {
        xml_refuse(r, "given twice");
        return;
    }
    if (!length || length >= DOMAIN_NAME)
        xml_refuse(r, "a name has 1 to %u bytes", DOMAIN_NAME - 1);
    for (const char *p = r->text; *p; p++) {
        /* Blanks would need quoting at the console, slashes mean folders to libvirt. */
        if ((unsigned char)*p <= 0x20 || *p == 0x7f || strchr("/[]\"'\\", *p))
            xml_refuse(r, "a name has no blanks, control characters, quotes, slashes or brackets");
    }
    if (!r->failed)
        memcpy(d->name, r->text, length + 1);
    d->name_line = r->line;
}

static void end_uuid(struct xml_reader *r)
{
    if (r->domain->has_uuid)
        xml_refuse(r, "given twice");
    else if (!value_uuid(r->text, r->domain->uuid))
        xml_refuse(r, "\"%.64s\" is not a UUID", r->text);
    r->domain->has_uuid = true;
    r->domain->uuid_line = r->line;
}

static void end_title(struct xml_reader *r)
{
    snprintf(r->domain->title, sizeof(r->domain->title), "%s", r->text);
}

static void begin_start(struct xml_reader *r, const char **attrs)
{
    struct domain *d = r->domain;
    const char *order = xml_attr(attrs, "order");
    const char *delay = xml_attr(attrs, "delay");
    const char *autostart = xml_attr(attrs, "auto");
    uint64_t value;
    if (order && !value_u64(order, 65535, &value))
        xml_refuse(r, "order=\"%.64s\" is not a number from 0 to 65535", order);
    else if (order)
        d->start_order = (uint32_t)value;
    if (delay && !value_seconds_ms(delay, &d->start_delay_ms))
        xml_refuse(r, "delay=\"%.64s\" is not a number of seconds up to 3600", delay);
    if (xml_attr_in(r, attrs, "auto", "yes|no") && autostart)
        d->autostart = !strcmp(autostart, "yes");
}

static void keep_unit(char *to, size_t size, const char **attrs)
{
    const char *unit = xml_attr(attrs, "unit");
    /* One that does not fit is no unit either: end_memory() refuses what is kept of it. */
    snprintf(to, size, "%s", unit ? unit : "KiB");
}

static void begin_memory(struct xml_reader *r, const char **attrs)
{
    keep_unit(r->memory_unit, sizeof(r->memory_unit), attrs);
    xml_attr_in(r, attrs, "dumpCore", "on|off");
}

static void end_memory(struct xml_reader *r)
{
    if (r->has_memory)
        xml_refuse(r, "given twice");
    else if (!value_memory(r->text, r->memory_unit, &r->domain->memory))
        xml_refuse(r, "\"%.64s\" %s is not an amount of memory", r->text, r->memory_unit);
    else if (r->domain->memory < 1ull << 20)
        xml_refuse(r, "a guest needs at least 1 MiB");
    else if (r->domain->memory > 1ull << 44)
        xml_refuse(r, "a guest has at most 16 TiB");
    r->has_memory = true;
    r->domain->memory_line = r->line;
}

static void begin_current(struct xml_reader *r, const char **attrs)
{
    keep_unit(r->current_unit, sizeof(r->current_unit), attrs);
}

static void end_current(struct xml_reader *r)
{
    if (!value_memory(r->text, r->current_unit, &r->domain->current_memory))
        xml_refuse(r, "\"%.64s\" %s is not an amount of memory", r->text, r->current_unit);
    r->has_current = true;
    r->current_line = r->line;
}

static void begin_vcpu(struct xml_reader *r, const char **attrs)
{
    struct tune *t = &r->domain->tune;
    const char *set = xml_attr(attrs, "cpuset");
    xml_attr_in(r, attrs, "placement", "static");
    if (xml_attr(attrs, "current"))
        xml_refuse(r, "attribute current: virtual CPUs are not added while a guest runs");
    if (set && !value_cpuset(set, t->cpuset.word, TUNE_WORDS))
        xml_refuse(r, "cpuset=\"%.64s\" is not a list of CPUs like \"0-3,^2\"", set);
    else if (set && !tune_set_count(&t->cpuset))
        xml_refuse(r, "cpuset=\"%.64s\" leaves no CPU", set);
    t->cpuset_line = set ? r->line : 0;
}

static void end_vcpu(struct xml_reader *r)
{
    uint64_t value;
    if (r->has_vcpu)
        xml_refuse(r, "given twice");
    else if (!value_u64(r->text, VMM_MAX_VCPUS, &value) || !value)
        xml_refuse(r, "\"%.64s\" is not a number from 1 to %u", r->text, VMM_MAX_VCPUS);
    else
        r->domain->vcpus = (uint32_t)value;
    r->has_vcpu = true;
}

static void begin_os(struct xml_reader *r, const char **attrs)
{
    if (xml_attr(attrs, "firmware"))
        xml_refuse(r, "attribute firmware: firmware is not chosen by itself; name the file in "
                      "<loader>");
}

static void begin_os_type(struct xml_reader *r, const char **attrs)
{
    const char *machine = xml_attr(attrs, "machine");
    xml_attr_in(r, attrs, "arch", "x86_64");
    if (machine && strcmp(machine, "q35") && strcmp(machine, "pc") &&
        strncmp(machine, "pc-q35-", 7) && strncmp(machine, "pc-i440fx-", 10))
        xml_refuse(r, "machine=\"%.64s\" is not a PC", machine);
}

static void end_os_type(struct xml_reader *r)
{
    if (strcmp(r->text, "hvm"))
        xml_refuse(r, "\"%.64s\"; only hvm guests can run here", r->text);
    r->has_type = true;
}

static void keep_file(struct xml_reader *r, struct domain_file *file)
{
    const char *why;
    if (file->line)
        xml_refuse(r, "given twice");
    else if (!value_path(r->text, file->path, sizeof(file->path), &why))
        xml_refuse(r, "\"%.128s\": %s", r->text, why);
    file->line = r->line;
}

static void end_kernel(struct xml_reader *r)
{
    keep_file(r, &r->domain->kernel);
}

static void end_initrd(struct xml_reader *r)
{
    keep_file(r, &r->domain->initrd);
}

static void begin_loader(struct xml_reader *r, const char **attrs)
{
    xml_attr_in(r, attrs, "readonly", "yes");
    xml_attr_in(r, attrs, "secure", "no");
    xml_attr_in(r, attrs, "stateless", "yes");
    xml_attr_in(r, attrs, "format", "raw");
    if (!strcmp(xml_attr(attrs, "type") ? xml_attr(attrs, "type") : "rom", "pflash"))
        xml_refuse(r, "type=\"pflash\": there is no flash that keeps what firmware writes; use "
                      "type=\"rom\"");
    xml_attr_in(r, attrs, "type", "rom");
}

static void end_loader(struct xml_reader *r)
{
    keep_file(r, &r->domain->loader);
}

static void end_cmdline(struct xml_reader *r)
{
    struct domain *d = r->domain;
    size_t length = strlen(r->text);
    if (d->cmdline[0])
        xml_refuse(r, "given twice");
    else if (length >= sizeof(d->cmdline))
        xml_refuse(r, "more than %zu bytes", sizeof(d->cmdline) - 1);
    else
        memcpy(d->cmdline, r->text, length + 1);
}

static void begin_off(struct xml_reader *r, const char **attrs)
{
    const char *state = xml_attr(attrs, "state");
    if (!state || strcmp(state, "off"))
        xml_refuse(r, "only state=\"off\" is possible");
}

static void begin_disabled(struct xml_reader *r, const char **attrs)
{
    const char *enabled = xml_attr(attrs, "enabled");
    if (!enabled || strcmp(enabled, "no"))
        xml_refuse(r, "only enabled=\"no\" is possible");
}

static void begin_kvm_hidden(struct xml_reader *r, const char **attrs)
{
    const char *state = xml_attr(attrs, "state");
    if (xml_attr_in(r, attrs, "state", "on|off") && state)
        r->domain->has_kvm_pv = strcmp(state, "on") != 0;
}

static void begin_cpu(struct xml_reader *r, const char **attrs)
{
    xml_attr_in(r, attrs, "mode", "host-passthrough|host-model|maximum|custom");
    xml_attr_in(r, attrs, "match", "minimum|exact");
    xml_attr_in(r, attrs, "check", "none|partial|full");
    xml_attr_in(r, attrs, "migratable", "on|off");
}

static void begin_cpu_model(struct xml_reader *r, const char **attrs)
{
    const char *fallback = xml_attr(attrs, "fallback");
    if (fallback && !strcmp(fallback, "forbid"))
        xml_refuse(r, "fallback=\"forbid\": the guest sees the host's own CPU model");
    xml_attr_in(r, attrs, "fallback", "allow");
}

static void end_any_text(struct xml_reader *r)
{
    (void)r;
}

static void begin_topology(struct xml_reader *r, const char **attrs)
{
    static const char *const counts[] = {"sockets", "dies", "clusters", "cores", "threads"};
    r->topology = 1;
    r->topology_line = r->line;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        const char *text = xml_attr(attrs, counts[i]);
        uint64_t value = 1;
        if (text && (!value_u64(text, VMM_MAX_VCPUS, &value) || !value))
            xml_refuse(r, "%s=\"%.64s\" is not a number from 1 to %u", counts[i], text,
                       VMM_MAX_VCPUS);
        r->topology *= value;
    }
}

static void begin_feature(struct xml_reader *r, const char **attrs)
{
    struct domain *d = r->domain;
    const char *name = xml_attr(attrs, "name");
    const char *policy = xml_attr(attrs, "policy");
    if (!name || !name[0] || strlen(name) >= sizeof(d->feature[0].name)) {
        xml_refuse(r, "attribute name is missing, or is no feature of a CPU");
        return;
    }
    if (!xml_attr_in(r, attrs, "policy", "force|require|optional|disable|forbid"))
        return;
    if (policy && !strcmp(policy, "optional"))
        return;
    if (d->feature_count == VMM_MAX_FEATURES) {
        xml_refuse(r, "more than %u features", VMM_MAX_FEATURES);
        return;
    }
    struct vmm_feature *feature = &d->feature[d->feature_count++];
    snprintf(feature->name, sizeof(feature->name), "%s", name);
    feature->require = !policy || !strcmp(policy, "force") || !strcmp(policy, "require");
}

static void begin_clock(struct xml_reader *r, const char **attrs)
{
    struct domain *d = r->domain;
    const char *offset = xml_attr(attrs, "offset");
    const char *adjustment = xml_attr(attrs, "adjustment");
    const char *basis = xml_attr(attrs, "basis");
    if (!xml_attr_in(r, attrs, "offset", "utc|localtime|variable"))
        return;
    d->clock_localtime =
        (offset && !strcmp(offset, "localtime")) || (basis && !strcmp(basis, "localtime"));
    bool variable = offset && !strcmp(offset, "variable");
    if (adjustment && !variable) {
        if (strcmp(adjustment, "reset"))
            xml_refuse(r, "adjustment=\"%.64s\" needs offset=\"variable\"", adjustment);
    } else if (adjustment && !value_s64(adjustment, &d->clock_offset_s)) {
        xml_refuse(r, "adjustment=\"%.64s\" is not a number of seconds", adjustment);
    }
    xml_attr_in(r, attrs, "basis", "utc|localtime");
}

#define TSC_HZ_MIN 1000000ull
#define TSC_HZ_MAX 1000000000000ull

/* A clock of the board is there (rtc, pit, tsc) or not (hpet, hypervclock); kvmclock can be both.
 */
static void begin_timer(struct xml_reader *r, const char **attrs)
{
    const char *name = xml_attr(attrs, "name");
    const char *present = xml_attr(attrs, "present");
    bool wanted = !present || strcmp(present, "no");
    if (!xml_attr_in(r, attrs, "present", "yes|no") || !name ||
        !xml_attr_in(r, attrs, "name", "rtc|pit|tsc|hpet|kvmclock|hypervclock")) {
        xml_refuse(r, "attribute name is missing");
        return;
    }
    if (!strcmp(name, "kvmclock"))
        r->domain->has_kvm_pv = r->domain->has_kvm_pv && wanted;
    else if (wanted && (!strcmp(name, "hpet") || !strcmp(name, "hypervclock")))
        xml_refuse(r, "the board has no %s; write present=\"no\"", name);
    else if (!wanted && strcmp(name, "hpet") && strcmp(name, "hypervclock"))
        xml_refuse(r, "every board has the %s clock", name);
    const char *hz = xml_attr(attrs, "frequency");
    if (hz && (strcmp(name, "tsc") || !value_u64(hz, TSC_HZ_MAX, &r->domain->tsc_hz) ||
               r->domain->tsc_hz < TSC_HZ_MIN))
        xml_refuse(r, "frequency=\"%.64s\" is not the tsc's, from 1 MHz to 1 THz", hz);
    xml_attr_in(r, attrs, "tickpolicy", "catchup|delay|discard|merge");
    xml_attr_in(r, attrs, "track", "guest");
    xml_attr_in(r, attrs, "mode", "auto|native|paravirt");
}

static void read_action(struct xml_reader *r, enum domain_action *action)
{
    if (!strcmp(r->text, "destroy"))
        *action = ACTION_DESTROY;
    else if (!strcmp(r->text, "restart"))
        *action = ACTION_RESTART;
    else if (!strcmp(r->text, "preserve"))
        *action = ACTION_PRESERVE;
    else
        xml_refuse(r, "\"%.64s\" cannot be honoured; possible: destroy, restart, preserve",
                   r->text);
}

static void end_on_poweroff(struct xml_reader *r)
{
    read_action(r, &r->domain->on_poweroff);
}

static void end_on_reboot(struct xml_reader *r)
{
    read_action(r, &r->domain->on_reboot);
}

static void end_on_crash(struct xml_reader *r)
{
    read_action(r, &r->domain->on_crash);
}

const struct element_rule domain_rules[] = {
    {"name", NULL, NULL, end_name, NULL},
    {"uuid", NULL, NULL, end_uuid, NULL},
    {"title", NULL, NULL, end_title, NULL},
    {"description", NULL, NULL, NULL, "a note for people"},
    {"metadata", NULL, NULL, NULL, NULL},
    {"metadata/mullion:start", "order|delay|auto", begin_start, NULL, NULL},
    {"metadata/mullion:overlay", "target|size|unit", disk_begin_overlay, NULL, NULL},
    {"metadata/mullion:domain", NULL, NULL, NULL, NULL},
    {"metadata/mullion:domain/mullion:start", "order|delay|auto", begin_start, NULL, NULL},
    {"memory", "unit|dumpCore", begin_memory, end_memory, NULL},
    {"currentMemory", "unit", begin_current, end_current, NULL},
    {"vcpu", "placement|cpuset|current", begin_vcpu, end_vcpu, NULL},
    {"os", "firmware", begin_os, NULL, NULL},
    {"os/type", "arch|machine", begin_os_type, end_os_type, NULL},
    {"os/kernel", NULL, NULL, end_kernel, NULL},
    {"os/initrd", NULL, NULL, end_initrd, NULL},
    {"os/cmdline", NULL, NULL, end_cmdline, NULL},
    {"os/loader", "readonly|secure|stateless|format|type", begin_loader, end_loader, NULL},
    {"os/boot", NULL, NULL, NULL, "there is one thing to boot: the kernel or the firmware"},
    {"os/bootmenu", NULL, NULL, NULL, "there is one thing to boot: the kernel or the firmware"},
    {"features", NULL, NULL, NULL, NULL},
    {"features/acpi", NULL, NULL, NULL, NULL},
    {"features/apic", "eoi", NULL, NULL, NULL},
    {"features/pae", NULL, NULL, NULL, NULL},
    {"features/hap", NULL, NULL, NULL, "nested paging is always used"},
    {"features/kvm", NULL, NULL, NULL, NULL},
    {"features/kvm/hidden", "state", begin_kvm_hidden, NULL, NULL},
    {"features/vmport", "state", begin_off, NULL, NULL},
    {"features/smm", "state", begin_off, NULL, NULL},
    {"features/pmu", "state", begin_off, NULL, NULL},
    {"features/vmcoreinfo", "state", begin_off, NULL, NULL},
    {"cpu", "mode|match|check|migratable", begin_cpu, NULL, NULL},
    {"cpu/model", "fallback", begin_cpu_model, end_any_text, NULL},
    {"cpu/vendor", NULL, NULL, NULL, "the guest sees the host's vendor"},
    {"cpu/topology", "sockets|dies|clusters|cores|threads", begin_topology, NULL, NULL},
    {"cpu/feature", "name|policy", begin_feature, NULL, NULL},
    {"clock", "offset|adjustment|basis", begin_clock, NULL, NULL},
    {"clock/timer", "name|present|tickpolicy|track|mode|frequency", begin_timer, NULL, NULL},
    {"on_poweroff", NULL, NULL, end_on_poweroff, NULL},
    {"on_reboot", NULL, NULL, end_on_reboot, NULL},
    {"on_crash", NULL, NULL, end_on_crash, NULL},
    {"on_lockfailure", NULL, NULL, NULL, "there is no lock manager"},
    {"pm", NULL, NULL, NULL, NULL},
    {"pm/suspend-to-mem", "enabled", begin_disabled, NULL, NULL},
    {"pm/suspend-to-disk", "enabled", begin_disabled, NULL, NULL},
    {"devices", NULL, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
