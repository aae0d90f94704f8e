/* SPDX-License-Identifier: BSD-2-Clause */
/* Elements of a domain inside <devices>, and why others are refused. */
#include <string.h>
#include "manager/definition/domain_disk.h"
#include "manager/definition/domain_interface.h"
#include "manager/definition/domain_value.h"
#include "manager/definition/domain_xml.h"

static void count_one(struct xml_reader *r, uint32_t *count, const char *what)
{
    if ((*count)++)
        xml_refuse(r, "a guest has one %s", what);
}

static void begin_serial(struct xml_reader *r, const char **attrs)
{
    count_one(r, &r->serials, "serial port");
    xml_attr_in(r, attrs, "type", "pty");
    r->domain->has_serial = true;
}

static void begin_serial_target(struct xml_reader *r, const char **attrs)
{
    xml_attr_in(r, attrs, "type", "isa-serial");
    xml_attr_in(r, attrs, "port", "0");
}

static void begin_isa_serial(struct xml_reader *r, const char **attrs)
{
    xml_attr_in(r, attrs, "name", "isa-serial");
}

static void begin_console(struct xml_reader *r, const char **attrs)
{
    xml_attr_in(r, attrs, "type", "pty");
    if (r->consoles++ > 1)
        xml_refuse(r, "a guest has at most two consoles: serial and virtio");
    r->console_has_target = false;
}

static void begin_console_target(struct xml_reader *r, const char **attrs)
{
    const char *type = xml_attr(attrs, "type");
    xml_attr_in(r, attrs, "type", "serial|virtio");
    xml_attr_in(r, attrs, "port", "0|1");
    r->console_has_target = true;
    if (type && !strcmp(type, "virtio"))
        r->domain->has_virtio_console = true;
    else
        r->domain->has_serial = true;
}

/* Without a target libvirt takes a console for the first serial port. */
static void end_console(struct xml_reader *r)
{
    if (r->text[0])
        xml_refuse(r, "text where none belongs");
    if (!r->console_has_target)
        r->domain->has_serial = true;
}

static void begin_rng(struct xml_reader *r, const char **attrs)
{
    count_one(r, &r->rngs, "random number generator");
    xml_attr_in(r, attrs, "model", "virtio|virtio-non-transitional");
    r->domain->has_rng = true;
}

static void begin_rng_backend(struct xml_reader *r, const char **attrs)
{
    xml_attr_in(r, attrs, "model", "random|builtin");
}

static void end_backend(struct xml_reader *r)
{
    (void)r;
}

static void begin_balloon(struct xml_reader *r, const char **attrs)
{
    const char *model = xml_attr(attrs, "model");
    count_one(r, &r->balloons, "memory balloon");
    xml_attr_in(r, attrs, "model", "virtio|virtio-non-transitional|none");
    xml_attr_in(r, attrs, "autodeflate", "off");
    xml_attr_in(r, attrs, "freePageReporting", "off");
    r->domain->has_balloon = !model || strcmp(model, "none") != 0;
}

static void begin_controller(struct xml_reader *r, const char **attrs)
{
    const char *type = xml_attr(attrs, "type");
    if (!type || !xml_attr_in(r, attrs, "type", "usb|pci|virtio-serial|isa|sata"))
        xml_refuse(r, "attribute type is missing");
}

static void begin_channel(struct xml_reader *r, const char **attrs)
{
    const char *type = xml_attr(attrs, "type");
    xml_attr_in(r, attrs, "type", "unix");
    if (!type)
        xml_refuse(r, "attribute type is missing");
}

static void begin_channel_target(struct xml_reader *r, const char **attrs)
{
    xml_attr_in(r, attrs, "type", "virtio");
    xml_attr_in(r, attrs, "name", "org.qemu.guest_agent.0");
    xml_attr_in(r, attrs, "state", "connected|disconnected");
    if (!xml_attr(attrs, "name"))
        xml_refuse(r, "attribute name is missing");
}

static void begin_audio(struct xml_reader *r, const char **attrs)
{
    xml_attr_in(r, attrs, "type", "none");
    if (!xml_attr(attrs, "type"))
        xml_refuse(r, "attribute type is missing");
}

static void begin_none(struct xml_reader *r, const char **attrs)
{
    const char *type = xml_attr(attrs, "type");
    const char *model = xml_attr(attrs, "model");
    if (strcmp(type ? type : (model ? model : ""), "none"))
        xml_refuse(r, "a guest has no such device here; only \"none\" is possible");
}

static void begin_video_model(struct xml_reader *r, const char **attrs)
{
    const char *type = xml_attr(attrs, "type");
    if (!type || strcmp(type, "none"))
        xml_refuse(r, "a guest has no screen here; only type=\"none\" is possible");
}

static void begin_panic(struct xml_reader *r, const char **attrs)
{
    xml_attr_in(r, attrs, "model", "isa|pvpanic");
}

static void begin_watchdog(struct xml_reader *r, const char **attrs)
{
    const char *model = xml_attr(attrs, "model");
    /* libvirt adds this one to every q35 by itself. */
    if (!model || strcmp(model, "itco"))
        xml_refuse(r, "a guest has no watchdog card here");
}

#define PLACED "a device's place on the bus is chosen by Mullion"
#define ALIAS  "a handle of libvirt's own"

const struct element_rule device_rules[] = {
    {"devices/emulator", NULL, NULL, NULL, "Mullion is the emulator"},
    {"devices/serial", "type", begin_serial, NULL, NULL},
    {"devices/serial/source", NULL, NULL, NULL, "the pty of another host"},
    {"devices/serial/target", "type|port", begin_serial_target, NULL, NULL},
    {"devices/serial/target/model", "name", begin_isa_serial, NULL, NULL},
    {"devices/serial/alias", NULL, NULL, NULL, ALIAS},
    {"devices/console", "type|tty", begin_console, end_console, NULL},
    {"devices/console/source", NULL, NULL, NULL, "the pty of another host"},
    {"devices/console/target", "type|port", begin_console_target, NULL, NULL},
    {"devices/console/alias", NULL, NULL, NULL, ALIAS},
    {"devices/console/address", NULL, NULL, NULL, PLACED},
    {"devices/disk", "type|device|model|snapshot", disk_begin, disk_end, NULL},
    {"devices/disk/driver",
     "name|type|cache|discard|io|error_policy|rerror_policy|detect_zeroes|copy_on_read",
     disk_begin_driver, NULL, NULL},
    {"devices/disk/source", "file|dev|pool|volume|startupPolicy|index", disk_begin_source, NULL,
     NULL},
    {"devices/disk/backingStore", "type|index", disk_begin_base, NULL, NULL},
    {"devices/disk/backingStore/format", "type", disk_begin_base_format, NULL, NULL},
    {"devices/disk/backingStore/source", "file|index", disk_begin_base_source, NULL, NULL},
    {"devices/disk/backingStore/backingStore", NULL, NULL, NULL, NULL},
    {"devices/disk/target", "dev|bus|removable|tray", disk_begin_target, NULL, NULL},
    {"devices/disk/serial", NULL, NULL, disk_end_serial, NULL},
    {"devices/disk/readonly", NULL, disk_begin_readonly, NULL, NULL},
    {"devices/disk/transient", "shareBacking", disk_begin_transient, NULL, NULL},
    {"devices/disk/boot", "order", disk_begin_boot, NULL, NULL},
    {"devices/disk/blockio", "logical_block_size|physical_block_size", disk_begin_blockio, NULL,
     NULL},
    {"devices/disk/iotune", NULL, NULL, disk_end_iotune, NULL},
    {"devices/disk/iotune/total_bytes_sec", NULL, NULL, disk_end_limit, NULL},
    {"devices/disk/iotune/read_bytes_sec", NULL, NULL, disk_end_limit, NULL},
    {"devices/disk/iotune/write_bytes_sec", NULL, NULL, disk_end_limit, NULL},
    {"devices/disk/iotune/total_iops_sec", NULL, NULL, disk_end_limit, NULL},
    {"devices/disk/iotune/read_iops_sec", NULL, NULL, disk_end_limit, NULL},
    {"devices/disk/iotune/write_iops_sec", NULL, NULL, disk_end_limit, NULL},
    {"devices/disk/alias", NULL, NULL, NULL, ALIAS},
    {"devices/disk/address", NULL, NULL, NULL, PLACED},
    {"devices/interface", "type|trustGuestRxFilters", interface_begin, interface_end, NULL},
    {"devices/interface/mac", "address|type|check", interface_begin_mac, NULL, NULL},
    {"devices/interface/source", "network|bridge|portgroup|portid", interface_begin_source, NULL,
     NULL},
    {"devices/interface/model", "type", interface_begin_model, NULL, NULL},
    {"devices/interface/target", "dev|managed", interface_begin_target, NULL, NULL},
    {"devices/interface/driver", "name|queues|iommu|packed", interface_begin_driver, NULL, NULL},
    {"devices/interface/driver/host", "csum|gso|tso4|tso6|ecn|ufo|mrg_rxbuf", interface_begin_host,
     NULL, NULL},
    {"devices/interface/driver/guest", "csum|tso4|tso6|ecn|ufo", interface_begin_guest, NULL, NULL},
    {"devices/interface/vlan", "trunk", interface_begin_vlan, NULL, NULL},
    {"devices/interface/vlan/tag", "id|nativeMode", interface_begin_tag, NULL, NULL},
    {"devices/interface/bandwidth", NULL, NULL, NULL, NULL},
    {"devices/interface/bandwidth/inbound", "average|peak|burst", interface_begin_inbound, NULL,
     NULL},
    {"devices/interface/bandwidth/outbound", "average|peak|burst", interface_begin_outbound, NULL,
     NULL},
    {"devices/interface/link", "state", interface_begin_link, NULL, NULL},
    {"devices/interface/filterref", "filter", interface_begin_filter, interface_end_filter, NULL},
    {"devices/interface/filterref/parameter", "name|value", interface_begin_parameter, NULL, NULL},
    {"devices/interface/mtu", "size", interface_begin_mtu, NULL, NULL},
    {"devices/interface/boot", "order", interface_begin_boot, NULL, NULL},
    {"devices/interface/port", "isolated", interface_begin_port, NULL, NULL},
    {"devices/interface/rom", "enabled|bar", interface_begin_rom, NULL, NULL},
    {"devices/interface/alias", NULL, NULL, NULL, ALIAS},
    {"devices/interface/address", NULL, NULL, NULL, PLACED},
    {"devices/rng", "model", begin_rng, NULL, NULL},
    {"devices/rng/backend", "model", begin_rng_backend, end_backend, NULL},
    {"devices/rng/alias", NULL, NULL, NULL, ALIAS},
    {"devices/rng/address", NULL, NULL, NULL, PLACED},
    {"devices/memballoon", "model|autodeflate|freePageReporting", begin_balloon, NULL, NULL},
    {"devices/memballoon/stats", NULL, NULL, NULL, "statistics are read when they are asked for"},
    {"devices/memballoon/alias", NULL, NULL, NULL, ALIAS},
    {"devices/memballoon/address", NULL, NULL, NULL, PLACED},
    {"devices/controller", "type|index|model|ports|vectors", begin_controller, NULL, NULL},
    {"devices/controller/model", NULL, NULL, NULL, PLACED},
    {"devices/controller/target", NULL, NULL, NULL, PLACED},
    {"devices/controller/master", NULL, NULL, NULL, PLACED},
    {"devices/controller/alias", NULL, NULL, NULL, ALIAS},
    {"devices/controller/address", NULL, NULL, NULL, PLACED},
    {"devices/channel", "type", begin_channel, NULL, NULL},
    {"devices/channel/source", NULL, NULL, NULL, "nothing on this host talks to a guest agent"},
    {"devices/channel/target", "type|name|state", begin_channel_target, NULL, NULL},
    {"devices/channel/alias", NULL, NULL, NULL, ALIAS},
    {"devices/channel/address", NULL, NULL, NULL, PLACED},
    {"devices/input", NULL, NULL, NULL, "a guest has no screen to use it with"},
    {"devices/audio", "id|type", begin_audio, NULL, NULL},
    {"devices/graphics", "type", begin_none, NULL, NULL},
    {"devices/video", NULL, NULL, NULL, NULL},
    {"devices/video/model", "type", begin_video_model, NULL, NULL},
    {"devices/panic", "model", begin_panic, NULL, NULL},
    {"devices/panic/alias", NULL, NULL, NULL, ALIAS},
    {"devices/panic/address", NULL, NULL, NULL, PLACED},
    {"devices/watchdog", "model|action", begin_watchdog, NULL, NULL},
    {"devices/watchdog/alias", NULL, NULL, NULL, ALIAS},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct {
    const char *path, *why;
} refusals[] = {
    {"bootloader", "only hvm guests can run here"},
    {"cputune/iothreadsched", "the I/O thread is the emulator's; <emulatorsched> is its"},
    {"cputune/cachetune", "caches and memory bandwidth are not divided"},
    {"cputune/memorytune", "caches and memory bandwidth are not divided"},
    {"numatune/memnode", "a guest has one memory node; <memory> places it"},
    {"memoryBacking", "guest memory is never shared, swapped or merged, and always in large pages"},
    {"maxMemory", "memory is not added while a guest runs"},
    {"memtune", "a guest's memory is all its own from the start"},
    {"blkiotune", "limits are set for each disk, in <iotune>"},
    {"iothreadids", "a guest has at most one I/O thread, number 1"},
    {"sysinfo", "SMBIOS tables are not taken from the definition"},
    {"os/smbios", "SMBIOS tables are not taken from the definition"},
    {"os/nvram", "there is no flash that keeps what firmware writes"},
    {"os/firmware", "firmware is not chosen by itself; name the file in <loader>"},
    {"os/dtb", "a PC has no device tree"},
    {"features/hyperv", "Hyper-V's enlightenments are not offered; KVM's are"},
    {"features/ioapic", "the I/O APIC is always the VMM's"},
    {"cpu/numa", "a guest has one memory node"},
    {"cpu/cache", "the guest sees the host's caches"},
    {"launchSecurity", "encrypted guests are not offered"},
    {"devices/disk/auth", "disks are files of the VM set, or of this machine"},
    {"devices/disk/encryption", "disks are not encrypted here; the guest can do that"},
    {"devices/disk/mirror", "disks are not copied while a guest runs"},
    {"devices/filesystem", "a guest has no file system of the host"},
    {"devices/interface/virtualport", "Open vSwitch and 802.1Qbg are not there to talk to"},
    {"devices/interface/script", "there is no shell to run it"},
    {"devices/interface/backend", "the virtual switch is the backend"},
    {"devices/interface/ip", "a guest's addresses are its own to choose"},
    {"devices/interface/route", "a guest's addresses are its own to choose"},
    {"devices/interface/coalesce", "interrupts are moderated by what the guest asks for"},
    {"devices/interface/tune", "there is no send buffer to limit"},
    {"devices/interface/teaming", "devices of the host are not passed on"},
    {"devices/hostdev", "devices of the host are not passed on"},
    {"devices/redirdev", "there is no USB"},
    {"devices/hub", "there is no USB"},
    {"devices/sound", "there is no sound"},
    {"devices/tpm", "there is no TPM"},
    {"devices/parallel", "there is no parallel port"},
    {"devices/vsock", "there is no host system to talk to"},
    {"devices/shmem", "guests share no memory"},
    {"devices/memory", "memory is not added while a guest runs"},
    {"devices/iommu", "there is no IOMMU for guests"},
    {"devices/nvram", "there is no flash that keeps what firmware writes"},
    {"devices/lease", "there is no lock manager"},
    {"devices/smartcard", "there is no smart card"},
};

const char *domain_refusal(const char *path)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (!strcmp(refusals[i].path, path))
            return refusals[i].why;
    }
    return NULL;
}
