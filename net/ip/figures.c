/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ip/figures.h"

#include <string.h>
#include "net/ip/parent.h"
#include "user/program.h"

static uint32_t least(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

static void take_cpus(struct figures *f)
{
    while (f->cpus < FIGURES_CPUS && parent_call(MGR_OP_CPUS, f->cpus, 0, NULL)) {
        uint32_t n = least(least(parent_number(2), MGR_CPUS), FIGURES_CPUS - f->cpus);
        if (!n)
            break;
        memcpy(&f->cpu[f->cpus], parent_payload(), n * sizeof(f->cpu[0]));
        f->cpus += n;
    }
}

/* Names and states; what is more than the picture holds is counted. */
static bool take_list(struct figures *f)
{
    uint64_t first = 0, all = 1;
    while (first < all) {
        if (!parent_call(MGR_OP_LIST, first, 0, NULL))
            return false;
        const struct mgr_brief *briefs = parent_payload();
        uint32_t n = least(parent_number(2), MGR_BRIEFS);
        all = parent_number(1);
        for (uint32_t i = 0; i < n; i++) {
            if (f->domains == FIGURES_DOMAINS) {
                f->left_out++;
                continue;
            }
            struct figures_domain *d = &f->domain[f->domains++];
            *d = (struct figures_domain){.state = briefs[i].state};
            memcpy(d->name, briefs[i].name, sizeof(d->name) - 1);
        }
        first += n;
        if (!n)
            break;
    }
    return true;
}

static bool is_on(const struct figures_domain *d)
{
    return lifecycle_has_vmm((enum vm_state)d->state);
}

static void take_info(struct figures_domain *d)
{
    if (!parent_call(MGR_OP_INFO, 0, 0, d->name))
        return;
    const struct mgr_info *info = parent_payload();
    d->state = info->brief.state;
    d->vcpus = info->vcpus;
    d->restarts = info->restarts;
    d->memory = info->memory;
    d->overhead = info->overhead;
    d->cpu_ns = info->cpu_time_ns;
    d->uptime_ns = info->uptime_ns;
}

static void take_vcpu(struct figures *f, uint32_t domain, uint32_t index)
{
    if (f->vcpus == FIGURES_VCPUS) {
        f->left_out++;
        return;
    }
    if (!parent_call(MGR_OP_STATS, index, 0, f->domain[domain].name))
        return;
    const struct mgr_stats *stats = parent_payload();
    struct figures_vcpu *v = &f->vcpu[f->vcpus++];
    *v = (struct figures_vcpu){.domain = domain,
                               .vcpu = index,
                               .guest_ns = stats->guest_ns,
                               .steal_ns = stats->steal_ns,
                               .used_ns = stats->sched.used_ns,
                               .wait_ns = stats->sched.wait_ns,
                               .throttled_ns = stats->sched.throttled_ns};
    memcpy(v->stat, stats->stat, sizeof(v->stat));
}

static void take_disks(struct figures *f, uint32_t domain)
{
    if (!parent_call(MGR_OP_DISKS, 0, 0, f->domain[domain].name))
        return;
    const struct mgr_disk *disks = parent_payload();
    uint32_t n = least(parent_number(1), VMM_MAX_DISKS);
    for (uint32_t i = 0; i < n; i++) {
        if (f->disks == FIGURES_DISKS) {
            f->left_out++;
            continue;
        }
        struct figures_disk *d = &f->disk[f->disks++];
        *d = (struct figures_disk){.domain = domain, .sectors = disks[i].sectors};
        memcpy(d->target, disks[i].target, sizeof(d->target) - 1);
        memcpy(d->stat, disks[i].stat, sizeof(d->stat));
    }
}

static struct figures_interface *new_interface(struct figures *f, uint32_t domain,
                                               const char *target, bool up)
{
    if (f->interfaces == FIGURES_INTERFACES) {
        f->left_out++;
        return NULL;
    }
    struct figures_interface *i = &f->interface[f->interfaces++];
    *i = (struct figures_interface){.domain = domain, .up = up};
    strncpy(i->target, target, sizeof(i->target) - 1);
    return i;
}

static void take_nets(struct figures *f, uint32_t domain)
{
    if (!parent_call(MGR_OP_NETS, 0, 0, f->domain[domain].name))
        return;
    const struct mgr_net *nets = parent_payload();
    uint32_t n = least(parent_number(1), VMM_MAX_NETS);
    for (uint32_t i = 0; i < n; i++) {
        struct figures_interface *to = new_interface(f, domain, nets[i].target, nets[i].link != 0);
        if (to)
            memcpy(to->stat, nets[i].stat, sizeof(to->stat));
    }
}

/* The host's NICs; what they count is put under the switch's names. */
static void take_nic(struct figures *f, const struct mgr_iface *nic)
{
    struct figures_interface *to = new_interface(f, FIGURES_HOST, nic->name, nic->link != 0);
    const uint64_t *stat = nic->stat;
    if (!to)
        return;
    to->stat[SWITCH_RX_FRAMES] = stat[NIC_RX_FRAMES];
    to->stat[SWITCH_RX_BYTES] = stat[NIC_RX_BYTES];
    to->stat[SWITCH_RX_DROPPED] = stat[NIC_RX_DROPPED] + stat[NIC_RX_MISSED];
    to->stat[SWITCH_RX_ERRORS] = stat[NIC_RX_ERRORS];
    to->stat[SWITCH_TX_FRAMES] = stat[NIC_TX_FRAMES];
    to->stat[SWITCH_TX_BYTES] = stat[NIC_TX_BYTES];
    to->stat[SWITCH_TX_DROPPED] = stat[NIC_TX_DROPPED];
    to->stat[SWITCH_TX_ERRORS] = stat[NIC_TX_ERRORS];
}

static void take_nics(struct figures *f)
{
    uint64_t first = 0, all = 1;
    while (first < all && parent_call(MGR_OP_IFACES, first, 0, NULL)) {
        const struct mgr_iface *list = parent_payload();
        uint32_t n = least(parent_number(2), MGR_IFACES);
        all = parent_number(1);
        for (uint32_t i = 0; i < n; i++)
            take_nic(f, &list[i]);
        first += n;
        if (!n)
            break;
    }
}

/* The host's own port of the switch. */
static void take_own_port(struct figures *f)
{
    if (!parent_call(IP_EVENT_PORT, 0, 0, NULL))
        return;
    struct figures_interface *own = new_interface(f, FIGURES_HOST, "host", true);
    if (!own)
        return;
    memcpy(own->stat, parent_payload(), sizeof(own->stat));
}

void figures_refresh(void)
{
    struct mgr_brief briefs[MGR_BRIEFS];
    uint64_t first = 0, all = 1;
    while (first < all && parent_call(MGR_OP_LIST, first, 0, NULL)) {
        uint32_t n = least(parent_number(2), MGR_BRIEFS);
        all = parent_number(1);
        memcpy(briefs, parent_payload(), sizeof(briefs));
        for (uint32_t i = 0; i < n; i++) {
            briefs[i].name[MGR_NAME - 1] = 0;
            if (lifecycle_has_vmm((enum vm_state)briefs[i].state))
                parent_call(MGR_OP_REFRESH, 0, 0, briefs[i].name);
        }
        first += n;
        if (!n)
            break;
    }
}

bool figures_take(struct figures *f)
{
    f->cpus = f->domains = f->vcpus = f->disks = f->interfaces = f->left_out = 0;
    if (!parent_call(MGR_OP_NODE, 0, 0, NULL))
        return false;
    memcpy(&f->node, parent_payload(), sizeof(f->node));
    take_cpus(f);
    take_own_port(f);
    take_nics(f);
    if (!take_list(f))
        return false;
    for (uint32_t d = 0; d < f->domains; d++) {
        take_info(&f->domain[d]);
        if (!is_on(&f->domain[d]))
            continue;
        for (uint32_t i = 0; i < f->domain[d].vcpus && i < VMM_MAX_VCPUS; i++)
            take_vcpu(f, d, i);
        take_disks(f, d);
        take_nets(f, d);
    }
    f->taken_ns = time_ns();
    return true;
}
