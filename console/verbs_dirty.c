/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/verbs_dirty.h"

#include <stdlib.h>

#include "abi/status.h"
#include "abi/vcpu.h"
#include "console/client.h"

#define DIRTY_SECONDS 60u /* as in libvirt */
#define DIRTY_NS      1000000000ull
#define COUNT_NS      20000000ull
#define COUNT_LOOKS   250u /* a large guest's pages take their time */

/* Pages of 4 KiB in that time as libvirt tells them: MiB a second. */
static unsigned rate(uint64_t pages, uint64_t ns)
{
    return ns ? (unsigned)(pages * (DIRTY_NS / 1000000) / (ns / 1000000 + 1) / 256) : 0;
}

static void add_rates(struct text *text, const char *domain, const uint64_t *before)
{
    struct mgr_stats stats = {.vcpus = 1};
    for (uint32_t i = 0; i < stats.vcpus && i < VMM_MAX_VCPUS; i++) {
        if (client_stats(domain, i, &stats) != OK)
            return;
        const struct vmm_dirty *dirty = &stats.dirty;
        if (!i)
            text_add(text,
                     "Domain: '%s'\n"
                     "  dirtyrate.calc_status=2\n"
                     "  dirtyrate.calc_period=%llu\n"
                     "  dirtyrate.calc_mode=%s\n"
                     "  dirtyrate.megabytes_per_second=%u\n"
                     "  dirtyrate.pages=%llu\n",
                     domain, (unsigned long long)((dirty->ns + DIRTY_NS / 2) / DIRTY_NS),
                     dirty->logged ? "dirty-ring" : "dirty-bitmap", rate(dirty->pages, dirty->ns),
                     (unsigned long long)dirty->pages);
        if (dirty->logged)
            text_add(text,
                     "  dirtyrate.vcpu.%u.megabytes_per_second=%u\n"
                     "  dirtyrate.vcpu.%u.pages=%llu\n",
                     (unsigned)i, rate(stats.stat[STAT_DIRTY] - before[i], dirty->ns), (unsigned)i,
                     (unsigned long long)(stats.stat[STAT_DIRTY] - before[i]));
    }
    text_add(text, "\n");
}

/* The status that the count ends with, ERR_STATE if it does not. */
static int64_t wait_end(const char *domain)
{
    struct mgr_stats stats = {.dirty.status = ERR_STATE};
    for (uint32_t i = 0; i < COUNT_LOOKS && stats.dirty.status == ERR_STATE; i++) {
        verbs_sleep(COUNT_NS);
        if (client_stats(domain, 0, &stats) != OK)
            return ERR_STATE;
    }
    return stats.dirty.status;
}

/* virsh's asks for its result by another command; here it is waited for. */
void run_domdirtyrate_calc(const struct command *c, struct text *text)
{
    uint64_t before[VMM_MAX_VCPUS] = {0};
    struct mgr_stats stats = {.vcpus = 1};
    char *end = NULL;
    unsigned long seconds = c->word[0] ? strtoul(c->word[0], &end, 10) : 1;
    if ((end && *end) || !seconds || seconds > DIRTY_SECONDS) {
        text_add(text, "error: invalid argument: seconds from 1 to %u\n\n", DIRTY_SECONDS);
        return;
    }
    client_refresh(c->domain);
    verbs_sleep(COUNT_NS);
    for (uint32_t i = 0; i < stats.vcpus && i < VMM_MAX_VCPUS; i++)
        before[i] = client_stats(c->domain, i, &stats) == OK ? stats.stat[STAT_DIRTY] : 0;
    if (client_dirty(c->domain, true) != OK) {
        text_add(text, "error: %s\n\n", client_reason());
        return;
    }
    verbs_sleep(seconds * DIRTY_NS);
    if (client_dirty(c->domain, false) != OK) {
        text_add(text, "error: %s\n\n", client_reason());
        return;
    }
    int64_t status = wait_end(c->domain);
    if (status == OK)
        add_rates(text, c->domain, before);
    else if (status == ERR_CPU)
        text_add(text, "error: this host's CPUs do not tell which pages were written\n\n");
    else
        text_add(text, "error: the domain's writes cannot be counted: status %lld\n\n",
                 (long long)status);
}
