/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/sha256.h"
#include "manager/bootpkg.h"
#include "manager/cpus.h"
#include "manager/domain_xml.h"
#include "manager/vm.h"
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
static void derive_uuid(struct domain *domain)
{
    uint8_t digest[SHA256_BYTES];
    struct sha256 hash;
    sha256_init(&hash);
    sha256_update(&hash, domain->name, strlen(domain->name));
    sha256_final(&hash, digest);
    memcpy(domain->uuid, digest, sizeof(domain->uuid));
    domain->uuid[6] = (uint8_t)((domain->uuid[6] & 0x0f) | 0x80);
    domain->uuid[8] = (uint8_t)((domain->uuid[8] & 0x3f) | 0x80);
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
    struct tune_set host = cpus_host();
    struct tune_fault fault;
    if (tune_check(&d->tune, &host, &fault))
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
        derive_uuid(d);
    if (!is_unique(d) || !has_image(d, &d->kernel, "kernel") ||
        !has_image(d, &d->initrd, "initrd") || !has_image(d, &d->loader, "loader") ||
        !fits_host(d) || !fits_cpus(d))
        return;
    if (!vm_add(d))
        log_line("%s: a set has at most %u guests", name, VMS_MAX);
}

void set_load(void)
{
    struct domain *domain = malloc(sizeof(*domain));
    const struct package_file *file;
    if (!domain) {
        log_line("the VM set cannot be read: no memory");
        return;
    }
    for (uint32_t i = 0; (file = bootpkg_at(i)); i++) {
        const char *name = set_name(file);
        if (name && is_definition(name))
            load_one(file, name, domain);
    }
    free(domain);
    log_line("%u guests are defined", (unsigned)vm_count());
}
