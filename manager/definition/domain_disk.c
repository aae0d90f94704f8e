/* SPDX-License-Identifier: BSD-2-Clause */
/* <disk> of a domain, and what is inside. */
#include "manager/definition/domain_disk.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "drivers/pool/protocol.h"
#include "manager/definition/domain_value.h"

#define SERIAL_MAX 20u /* what a virtio disk can show */

static struct domain_disk *current(struct xml_reader *r)
{
    return &r->domain->disk[r->domain->disk_count];
}

void disk_begin(struct xml_reader *r, const char **attrs)
{
    const char *type = xml_attr(attrs, "type"), *device = xml_attr(attrs, "device");
    if (r->domain->disk_count == VMM_MAX_DISKS) {
        xml_refuse(r, "a guest has at most %u disks", VMM_MAX_DISKS);
        return;
    }
    struct domain_disk *disk = current(r);
    *disk = (struct domain_disk){.line = r->line, .source_type = DISK_SOURCE_FILE};
    xml_attr_in(r, attrs, "type", "file|block|volume");
    xml_attr_in(r, attrs, "device", "disk|cdrom");
    xml_attr_in(r, attrs, "model", "virtio|virtio-non-transitional");
    xml_attr_in(r, attrs, "snapshot", "no");
    if (type && !strcmp(type, "block"))
        disk->source_type = DISK_SOURCE_BLOCK;
    if (type && !strcmp(type, "volume"))
        disk->source_type = DISK_SOURCE_VOLUME;
    disk->cdrom = disk->read_only = device && !strcmp(device, "cdrom");
}

void disk_begin_driver(struct xml_reader *r, const char **attrs)
{
    struct domain_disk *disk = current(r);
    const char *cache = xml_attr(attrs, "cache"), *discard = xml_attr(attrs, "discard");
    xml_attr_in(r, attrs, "name", "qemu");
    xml_attr_in(r, attrs, "type", "raw");
    xml_attr_in(r, attrs, "cache", "default|none|writeback|writethrough|directsync|unsafe");
    xml_attr_in(r, attrs, "discard", "ignore|unmap");
    xml_attr_in(r, attrs, "io", "threads|native|io_uring");
    xml_attr_in(r, attrs, "error_policy", "report");
    xml_attr_in(r, attrs, "rerror_policy", "report");
    xml_attr_in(r, attrs, "detect_zeroes", "off");
    xml_attr_in(r, attrs, "copy_on_read", "off");
    if (cache && (!strcmp(cache, "writethrough") || !strcmp(cache, "directsync")))
        disk->cache = VMM_CACHE_WRITETHROUGH;
    else if (cache && !strcmp(cache, "unsafe"))
        disk->cache = VMM_CACHE_UNSAFE;
    disk->discard = discard && !strcmp(discard, "unmap");
}

/* A name that udev gives, so that it stays the same whatever else is plugged in. */
static bool is_disk_name(const char *path)
{
    static const char *const folders[] = {"by-id/", "by-partlabel/", "by-partuuid/"};
    static const char root[] = "/dev/disk/";
    if (strncmp(path, root, sizeof(root) - 1))
        return false;
    path += sizeof(root) - 1;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        size_t length = strlen(folders[i]);
        if (!strncmp(path, folders[i], length))
            return path[length] && !strchr(path + length, '/');
    }
    return false;
}

/* The pool is the label of a partition; a snapshot of a volume is named "volume@snapshot". */
static void volume_source(struct xml_reader *r, struct domain_disk *disk, const char **attrs)
{
    const char *pool = xml_attr(attrs, "pool"), *volume = xml_attr(attrs, "volume");
    if (!pool || !volume || xml_attr(attrs, "file") || xml_attr(attrs, "dev"))
        xml_refuse(r, "a disk of type=\"volume\" has its source in attributes pool and volume");
    else if (!*pool || strlen(pool) >= sizeof(disk->pool))
        xml_refuse(r, "\"%.64s\" is no pool's name", pool);
    else if (!*volume || strlen(volume) >= 2 * POOL_NAMES)
        xml_refuse(r, "\"%.64s\" is no volume's name", volume);
    if (r->failed)
        return;
    snprintf(disk->pool, sizeof(disk->pool), "%s", pool);
    snprintf(disk->source.path, sizeof(disk->source.path), "%s", volume);
}

void disk_begin_source(struct xml_reader *r, const char **attrs)
{
    struct domain_disk *disk = current(r);
    if (disk->source_type == DISK_SOURCE_VOLUME && !disk->source.line) {
        disk->source.line = r->line;
        volume_source(r, disk, attrs);
        return;
    }
    const char *file = xml_attr(attrs, "file"), *dev = xml_attr(attrs, "dev"), *why;
    bool block = disk->source_type == DISK_SOURCE_BLOCK;
    const char *name = block ? dev : file;
    if (disk->source.line)
        xml_refuse(r, "given twice");
    else if (!name || (block ? file : dev))
        xml_refuse(r, "a disk of type=\"%s\" has its source in attribute %s",
                   block ? "block" : "file", block ? "dev" : "file");
    else if (!block && !value_path(name, disk->source.path, sizeof(disk->source.path), &why))
        xml_refuse(r, "\"%.128s\": %s", name, why);
    else if (block && (!is_disk_name(name) || strlen(name) >= sizeof(disk->source.path)))
        xml_refuse(r,
                   "\"%.128s\" is no name below /dev/disk/by-id, /dev/disk/by-partlabel or "
                   "/dev/disk/by-partuuid",
                   name);
    else if (block)
        snprintf(disk->source.path, sizeof(disk->source.path), "%s", name);
    disk->source.line = r->line;
}

void disk_begin_base(struct xml_reader *r, const char **attrs)
{
    xml_attr_in(r, attrs, "type", "file");
    if (xml_attr(attrs, "type"))
        current(r)->base.line = r->line;
}

void disk_begin_base_format(struct xml_reader *r, const char **attrs)
{
    xml_attr_in(r, attrs, "type", "raw");
}

void disk_begin_base_source(struct xml_reader *r, const char **attrs)
{
    struct domain_disk *disk = current(r);
    const char *name = xml_attr(attrs, "file"), *why;
    if (!name)
        xml_refuse(r, "attribute file is missing");
    else if (!value_path(name, disk->base.path, sizeof(disk->base.path), &why))
        xml_refuse(r, "\"%.128s\": %s", name, why);
    disk->base.line = r->line;
}

static bool is_target(const char *dev)
{
    size_t length = strlen(dev);
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)dev[i]))
            return false;
    }
    return length >= 3 && length < sizeof(((struct domain_disk *)NULL)->target);
}

void disk_begin_target(struct xml_reader *r, const char **attrs)
{
    struct domain_disk *disk = current(r);
    const char *dev = xml_attr(attrs, "dev"), *bus = xml_attr(attrs, "bus");
    xml_attr_in(r, attrs, "bus", "virtio|sata");
    xml_attr_in(r, attrs, "removable", "off");
    xml_attr_in(r, attrs, "tray", "closed");
    if (!dev) {
        xml_refuse(r, "attribute dev is missing");
        return;
    }
    if (disk->target[0])
        xml_refuse(r, "given twice");
    else if (!bus && strncmp(dev, "vd", 2) && strncmp(dev, "sd", 2))
        xml_refuse(r, "dev=\"%.15s\" without bus is neither a virtio nor a SATA disk", dev);
    else if (!is_target(dev))
        xml_refuse(r, "dev=\"%.64s\" is not a name like \"vda\"", dev);
    for (uint32_t i = 0; i < r->domain->disk_count && !r->failed; i++) {
        if (!strcmp(r->domain->disk[i].target, dev))
            xml_refuse(r, "the disk in line %u has dev=\"%s\" already",
                       (unsigned)r->domain->disk[i].line, dev);
    }
    if (r->failed)
        return;
    snprintf(disk->target, sizeof(disk->target), "%s", dev);
    bool sata = bus ? !strcmp(bus, "sata") : !strncmp(dev, "sd", 2);
    disk->bus = sata ? VMM_BUS_SATA : VMM_BUS_VIRTIO;
}

void disk_end_serial(struct xml_reader *r)
{
    struct domain_disk *disk = current(r);
    size_t length = strlen(r->text);
    if (disk->serial[0])
        xml_refuse(r, "given twice");
    else if (!length || length > SERIAL_MAX)
        xml_refuse(r, "a serial number has 1 to %u bytes", SERIAL_MAX);
    for (const char *p = r->text; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("_-.+ ", *p))
            xml_refuse(r, "a serial number has letters, digits, blanks and any of _-.+");
    }
    if (!r->failed)
        memcpy(disk->serial, r->text, length + 1);
}

void disk_begin_readonly(struct xml_reader *r, const char **attrs)
{
    (void)attrs;
    current(r)->read_only = true;
}

void disk_begin_transient(struct xml_reader *r, const char **attrs)
{
    xml_attr_in(r, attrs, "shareBacking", "yes|no"); /* they always do */
    current(r)->transient = true;
}

void disk_begin_boot(struct xml_reader *r, const char **attrs)
{
    const char *order = xml_attr(attrs, "order");
    uint64_t value;
    if (!order || !value_u64(order, 65535, &value) || !value) {
        xml_refuse(r, "order=\"%.64s\" is not a number from 1 to 65535", order ? order : "");
        return;
    }
    for (uint32_t i = 0; i < r->domain->disk_count; i++) {
        if (r->domain->disk[i].boot_order == value)
            xml_refuse(r, "the disk in line %u has order=\"%u\" already",
                       (unsigned)r->domain->disk[i].line, (unsigned)value);
    }
    current(r)->boot_order = (uint32_t)value;
}

void disk_begin_blockio(struct xml_reader *r, const char **attrs)
{
    xml_attr_in(r, attrs, "logical_block_size", "512");
    xml_attr_in(r, attrs, "physical_block_size", "512|4096");
}

/* --- limits --- */

void disk_end_limit(struct xml_reader *r)
{
    static const char *const names[VMM_LIMITS] = {
        [VMM_LIMIT_TOTAL_BYTES] = "total_bytes_sec", [VMM_LIMIT_READ_BYTES] = "read_bytes_sec",
        [VMM_LIMIT_WRITE_BYTES] = "write_bytes_sec", [VMM_LIMIT_TOTAL_IOPS] = "total_iops_sec",
        [VMM_LIMIT_READ_IOPS] = "read_iops_sec",     [VMM_LIMIT_WRITE_IOPS] = "write_iops_sec"};
    const char *name = strrchr(r->rule->path, '/') + 1;
    for (uint32_t i = 0; i < VMM_LIMITS; i++) {
        if (!strcmp(name, names[i]) && !value_u64(r->text, UINT64_MAX / 2, &current(r)->limit[i]))
            xml_refuse(r, "\"%.64s\" is not a number", r->text);
    }
}

void disk_end_iotune(struct xml_reader *r)
{
    const uint64_t *limit = current(r)->limit;
    if (r->text[0])
        xml_refuse(r, "text where none belongs");
    if (limit[VMM_LIMIT_TOTAL_BYTES] &&
        (limit[VMM_LIMIT_READ_BYTES] || limit[VMM_LIMIT_WRITE_BYTES]))
        xml_refuse(r, "total_bytes_sec excludes read_bytes_sec and write_bytes_sec");
    if (limit[VMM_LIMIT_TOTAL_IOPS] && (limit[VMM_LIMIT_READ_IOPS] || limit[VMM_LIMIT_WRITE_IOPS]))
        xml_refuse(r, "total_iops_sec excludes read_iops_sec and write_iops_sec");
}

/* --- the whole --- */

void disk_end(struct xml_reader *r)
{
    const struct domain_disk *disk = current(r);
    bool block = disk->source_type != DISK_SOURCE_FILE;
    if (r->text[0])
        xml_refuse(r, "text where none belongs");
    else if (!disk->target[0])
        xml_refuse(r, "<target> is missing");
    else if (!disk->source.path[0])
        xml_refuse(r, "<source> is missing: an empty drive cannot be filled later");
    else if (disk->read_only && disk->transient)
        xml_refuse(r, "<readonly> excludes <transient>");
    else if (!block && !disk->read_only && !disk->transient)
        xml_refuse(r, "a file of the VM set never changes; say <readonly/>, or <transient/> for "
                      "an overlay in memory that ends with the guest");
    else if (disk->base.line && !disk->base.path[0])
        xml_refuse(r, "<backingStore> has no <source>");
    else if (disk->base.path[0] && (!block || disk->read_only))
        xml_refuse(r, "<backingStore> is possible with type=\"block\" or \"volume\" only, which "
                      "holds what the guest writes");
    else if (block && disk->transient)
        xml_refuse(r, "<transient> is possible with type=\"file\" only");
    if (!r->failed)
        r->domain->disk_count++;
}

void disk_begin_overlay(struct xml_reader *r, const char **attrs)
{
    const char *target = xml_attr(attrs, "target"), *size = xml_attr(attrs, "size");
    const char *unit = xml_attr(attrs, "unit");
    if (r->overlays == VMM_MAX_DISKS) {
        xml_refuse(r, "a guest has at most %u disks", VMM_MAX_DISKS);
        return;
    }
    struct xml_overlay *overlay = &r->overlay[r->overlays];
    if (!target || !target[0] || strlen(target) >= sizeof(overlay->target))
        xml_refuse(r, "attribute target is missing, or no name like \"vda\"");
    else if (!size || !value_memory(size, unit ? unit : "KiB", &overlay->size) ||
             overlay->size < DOMAIN_OVERLAY_MIN || overlay->size > DOMAIN_OVERLAY_MAX)
        xml_refuse(r, "size=\"%.64s\" %.16s is not an amount of memory from 64 KiB to 1 TiB",
                   size ? size : "", unit ? unit : "KiB");
    if (r->failed)
        return;
    snprintf(overlay->target, sizeof(overlay->target), "%s", target);
    overlay->line = r->line;
    r->overlays++;
}

static struct domain_disk *find(struct domain *domain, const char *target)
{
    for (uint32_t i = 0; i < domain->disk_count; i++) {
        if (!strcmp(domain->disk[i].target, target))
            return &domain->disk[i];
    }
    return NULL;
}

/* "vdb" goes before "vdaa", as it does in Linux. */
static bool is_before(const struct domain_disk *a, const struct domain_disk *b)
{
    size_t x = strlen(a->target), y = strlen(b->target);
    return x != y ? x < y : strcmp(a->target, b->target) < 0;
}

static void sort(struct domain *domain)
{
    for (uint32_t i = 1; i < domain->disk_count; i++) {
        struct domain_disk disk = domain->disk[i];
        uint32_t at = i;
        for (; at && is_before(&disk, &domain->disk[at - 1]); at--)
            domain->disk[at] = domain->disk[at - 1];
        domain->disk[at] = disk;
    }
}

void disk_check_all(struct xml_reader *r)
{
    struct domain *domain = r->domain;
    for (uint32_t i = 0; i < r->overlays && !r->failed; i++) {
        struct domain_disk *disk = find(domain, r->overlay[i].target);
        r->line = r->overlay[i].line;
        if (!disk || !disk->transient)
            xml_refuse(r, "<mullion:overlay target=\"%s\">: there is no such <transient> disk",
                       r->overlay[i].target);
        else
            disk->overlay_size = r->overlay[i].size;
    }
    sort(domain);
}
