/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/definition/set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/sha256.h"
#include "manager/bootpkg.h"
#include "manager/host/cpupool.h"
#include "manager/host/cpus.h"
#include "manager/definition/domain_xml.h"
#include "manager/network/ip.h"
#include "manager/network/network.h"
#include "manager/guest/vm.h"
#include "user/program.h"

static const char *set_name(const struct package_file *file)
{
    size_t prefix = sizeof(BOOTPKG_SET) - 1;
    return strncmp(file->name, BOOTPKG_SET, prefix) ? NULL : file->name + prefix;
}

static bool is_definition(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && !strchr(name, '/') && !strcmp(name + length - 4, ".xml");
}

/* A definition without a UUID gets one that is the same at every boot: RFC 9562's version 8, from a
 * hash of its name. */
static void derive_uuid(const char *name, uint8_t uuid[16])
{
    uint8_t digest[SHA256_BYTES];
    struct sha256 hash;
    sha256_init(&hash);
    sha256_update(&hash, name, strlen(name));
    sha256_final(&hash, digest);
    memcpy(uuid, digest, 16);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x80);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

static bool is_unique(const struct domain *d)
{
    for (uint32_t i = 0; i < vm_count(); i++) {
        const struct domain *other = &vm_at(i)->def;
        if (!strcmp(other->name, d->name)) {
            log_line("%s:%u: <domain/name>: %s already has the name %s", d->file,
                     (unsigned)d->name_line, other->file, d->name);
            return false;
        }
        if (!memcmp(other->uuid, d->uuid, sizeof(d->uuid))) {
            log_line("%s:%u: <domain/uuid>: %s already has this UUID", d->file,
                     (unsigned)d->uuid_line, other->file);
            return false;
        }
    }
    return true;
}

static bool has_image(const struct domain *d, const struct domain_file *file, const char *element)
{
    char name[DOMAIN_PATH + sizeof(BOOTPKG_SET)];
    if (!file->path[0])
        return true;
    snprintf(name, sizeof(name), BOOTPKG_SET "%s", file->path);
    if (bootpkg_find(name))
        return true;
    log_line("%s:%u: <domain/os/%s>: %s is not in the VM set", d->file, (unsigned)file->line,
             element, file->path);
    return false;
}

static bool fits_host(const struct domain *d)
{
    uint64_t total = physmem_stats(PHYSMEM_ANY_NODE).total;
    if (d->memory <= total)
        return true;
    log_line("%s:%u: <domain/memory>: %llu KiB do not fit; this host has %llu KiB for guests",
             d->file, (unsigned)d->memory_line, (unsigned long long)(d->memory / 1024),
             (unsigned long long)(total / 1024));
    return false;
}

static bool fits_cpus(const struct domain *d)
{
    struct tune_fault fault;
    if (cpus_check(&d->tune, &fault))
        return true;
    log_line("%s:%u: <domain/%s>: %s", d->file, (unsigned)fault.line, fault.path, fault.why);
    return false;
}

static void load_one(const struct package_file *file, const char *name, struct domain *d)
{
    char error[DOMAIN_XML_ERROR];
    if (!domain_xml_read(name, bootpkg_data(file), file->size, d, error)) {
        log_line("%s", error);
        return;
    }
    if (!d->has_uuid)
        derive_uuid(d->name, d->uuid);
    if (!is_unique(d) || !has_image(d, &d->kernel, "kernel") ||
        !has_image(d, &d->initrd, "initrd") || !has_image(d, &d->loader, "loader") ||
        !fits_host(d) || !fits_cpus(d))
        return;
    if (!vm_add(d))
        log_line(vm_count() < VMS_MAX ? "%s: no memory for another guest, %u are the most"
                                      : "%s: a set has at most %u guests",
                 name, VMS_MAX);
}

static void load_network(const struct package_file *file, const char *name, struct network *n)
{
    char error[DOMAIN_XML_ERROR];
    if (!network_xml_read(name, bootpkg_data(file), file->size, n, error)) {
        log_line("%s", error);
        return;
    }
    if (!n->has_uuid)
        derive_uuid(n->name, n->uuid);
    const char *why = network_add(n);
    if (why)
        log_line("%s", why);
}

static void make_cpupools(const struct host_net *host)
{
    for (uint32_t i = 0; i < host->cpupools; i++) {
        const struct host_cpupool *pool = &host->cpupool[i];
        const char *why = cpupool_prepare(MGR_CPUPOOL_CREATE, pool->name, &pool->cpus);
        if (why)
            log_line("%s:%u: <host/cpupool>: %s", host->file, (unsigned)pool->line, why);
        else
            cpupool_swap();
    }
}

static void load_host(const struct package_file *file, const char *name)
{
    char error[DOMAIN_XML_ERROR];
    struct host_net host;
    const char *why = error;
    if (host_xml_read(name, bootpkg_data(file), file->size, &host, error))
        why = ip_define(&host);
    if (why)
        log_line("%s", why);
    else
        make_cpupools(&host);
}

static bool is_host(const struct package_file *file)
{
    const char *name = set_name(file);
    return name && is_definition(name) && xml_root_is(bootpkg_data(file), file->size, "host");
}

static void load_all(struct domain *domain, struct network *network)
{
    const struct package_file *file;
    /* The host first: guests are assigned to its CPU pools. */
    for (uint32_t i = 0; (file = bootpkg_at(i)); i++) {
        if (is_host(file))
            load_host(file, set_name(file));
    }
    for (uint32_t i = 0; (file = bootpkg_at(i)); i++) {
        const char *name = set_name(file);
        if (!name || !is_definition(name) || is_host(file))
            continue;
        if (network_xml_is(bootpkg_data(file), file->size))
            load_network(file, name, network);
        else
            load_one(file, name, domain);
    }
}

uint32_t set_count(void)
{
    uint32_t count = 0;
    const struct package_file *file;
    for (uint32_t i = 0; (file = bootpkg_at(i)); i++)
        count += set_name(file) && is_definition(set_name(file));
    return count;
}

void set_load(void)
{
    struct domain *domain = malloc(sizeof(*domain));
    struct network *network = malloc(sizeof(*network));
    if (domain && network)
        load_all(domain, network);
    else
        log_line("the VM set cannot be read: no memory");
    free(domain);
    free(network);
    log_line("%u guests are defined", (unsigned)vm_count());
    if (network_count())
        log_line("%u networks are defined", (unsigned)network_count());
}
