/* SPDX-License-Identifier: BSD-2-Clause */
/* Domain XML: what virt-install writes is read, what cannot be honoured is refused by place. */
#include "test.h"
#include "manager/definition/domain_value.c"
#include "manager/definition/domain_xml.c"
#include "manager/definition/domain_elements.c"
#include "manager/definition/domain_cputune.c"
#include "manager/definition/tune.c"
#include "lib/cpulist.c"
#include "manager/definition/domain_devices.c"
#include "manager/definition/domain_disk.c"
#include "manager/definition/ip_text.c"
#include "manager/definition/network_value.c"
#include "manager/definition/domain_interface.c"

static struct domain domain;
static char error[DOMAIN_XML_ERROR];

static bool read_text(const char *text)
{
    return domain_xml_read("t.xml", text, strlen(text), &domain, error);
}

/* A valid definition with `extra` before </domain> and `devices` inside <devices>. */
static bool read_with(const char *extra, const char *devices)
{
    char text[8192];
    snprintf(text, sizeof(text),
             "<domain type='kvm'>\n<name>a</name>\n<memory>1024</memory>\n<os><type>hvm</type>"
             "<kernel>k</kernel></os>\n%s\n<devices>%s</devices>\n</domain>\n",
             extra, devices);
    return read_text(text);
}

static bool refused(const char *extra, const char *devices, const char *message)
{
    if (read_with(extra, devices) || !strstr(error, message)) {
        printf("  got \"%s\", expected \"%s\"\n", error, message);
        return false;
    }
    return true;
}

static bool read_file(const char *path)
{
    static char text[DOMAIN_XML_MAX_SIZE];
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    size_t size = fread(text, 1, sizeof(text), file);
    fclose(file);
    return domain_xml_read(path, text, size, &domain, error);
}

TEST(smallest_definition)
{
    CHECK(read_with("", ""));
    CHECK(!strcmp(domain.name, "a"));
    CHECK_EQ(domain.memory, 1 << 20);
    CHECK_EQ(domain.vcpus, 1);
    CHECK(!strcmp(domain.kernel.path, "k"));
    CHECK_EQ(domain.on_poweroff, ACTION_DESTROY);
    CHECK_EQ(domain.on_reboot, ACTION_RESTART);
    CHECK_EQ(domain.on_crash, ACTION_DESTROY);
    CHECK(domain.autostart && domain.has_kvm_pv);
    CHECK(!domain.has_serial && !domain.has_rng && !domain.has_balloon);
    CHECK_EQ(domain.start_order, DOMAIN_NO_ORDER);
}

TEST(virt_install_definition)
{
    CHECK(read_file("tests/fuzz/corpus/domain_xml/virt-install.xml"));
    CHECK(!strcmp(domain.name, "alpha"));
    CHECK_EQ(domain.memory, 256ull << 20);
    CHECK_EQ(domain.vcpus, 2);
    CHECK(domain.has_uuid && domain.uuid[0] == 0x4d && domain.uuid[15] == 0xde);
    CHECK(!strcmp(domain.kernel.path, "images/vmlinuz"));
    CHECK(!strcmp(domain.initrd.path, "images/initrd.img"));
    CHECK(!strcmp(domain.cmdline, "console=ttyS0 quiet"));
    CHECK(domain.has_serial && domain.has_rng && domain.has_balloon && !domain.has_virtio_console);
    CHECK_EQ(domain.start_order, 10);
    CHECK_EQ(domain.start_delay_ms, 2500);
}

TEST(dumpxml_definition)
{
    CHECK(read_file("tests/fuzz/corpus/domain_xml/dumpxml.xml"));
    CHECK(!strcmp(domain.name, "beta"));
    CHECK_EQ(domain.feature_count, 2);
    CHECK(!strcmp(domain.feature[0].name, "avx2") && domain.feature[0].require);
    CHECK(!strcmp(domain.feature[1].name, "rdrand") && !domain.feature[1].require);
    CHECK_EQ(domain.on_crash, ACTION_RESTART);
    CHECK(domain.has_virtio_console);
    CHECK(domain.tune.cpuset_line && domain.tune.cpuset.word[0] == 0xb);
}

TEST(refusal_names_file_line_element_and_reason)
{
    CHECK(!read_with("<on_poweroff>destroy</on_poweroff>", "\n<filesystem type='mount'/>"));
    CHECK(!strcmp(error, "t.xml:7: <domain/devices/filesystem>: a guest has no file system of the "
                         "host"));
}

/* --- disks --- */

#define FILE_DISK "<disk type='file'><source file='i'/><target dev='vda'/>"

TEST(disks_of_virt_install)
{
    CHECK(read_with("<metadata><m:overlay xmlns:m='urn:mullion:domain:1' target='vdb' size='3' "
                    "unit='MiB'/></metadata>",
                    "<disk type='block' device='disk'>"
                    "<driver name='qemu' type='raw' cache='none' io='native' discard='unmap'/>"
                    "<source dev='/dev/disk/by-partlabel/root'/><backingStore/>"
                    "<target dev='vdaa' bus='virtio'/><boot order='2'/>"
                    "<iotune><total_bytes_sec>1048576</total_bytes_sec>"
                    "<read_iops_sec>100</read_iops_sec><write_iops_sec>50</write_iops_sec>"
                    "</iotune><serial>AB-12</serial><alias name='x'/></disk>"
                    "<disk type='file' device='cdrom'><source file='./a.iso'/>"
                    "<target dev='vda' bus='virtio'/><boot order='1'/></disk>"
                    "<disk type='file'><driver cache='directsync'/><source file='b.img'/>"
                    "<target dev='vdb'/><transient/></disk>"));
    CHECK_EQ(domain.disk_count, 3);
    const struct domain_disk *disk = domain.disk;
    CHECK(!strcmp(disk[0].target, "vda") && disk[0].cdrom && disk[0].read_only);
    CHECK(!strcmp(disk[0].source.path, "a.iso"));
    CHECK(!strcmp(disk[1].target, "vdb") && disk[1].transient);
    CHECK_EQ(disk[1].overlay_size, 3 << 20);
    CHECK_EQ(disk[1].cache, VMM_CACHE_WRITETHROUGH);
    CHECK(!strcmp(disk[2].target, "vdaa") && !strcmp(disk[2].serial, "AB-12"));
    CHECK_EQ(disk[2].source_type, DISK_SOURCE_BLOCK);
    CHECK(!strcmp(disk[2].source.path, "/dev/disk/by-partlabel/root"));
    CHECK(disk[2].discard && !disk[0].discard);
    CHECK_EQ(disk[2].limit[VMM_LIMIT_TOTAL_BYTES], 1048576);
    CHECK_EQ(disk[2].limit[VMM_LIMIT_READ_IOPS], 100);
    CHECK_EQ(disk[2].limit[VMM_LIMIT_WRITE_IOPS], 50);
    CHECK_EQ(disk[2].boot_order, 2);
}

TEST(disks_on_the_sata_bus)
{
    CHECK(read_with("",
                    "<controller type='sata' index='0'><address type='pci'/></controller>"
                    "<disk type='file' device='cdrom'><source file='a.iso'/>"
                    "<target dev='sdb' bus='sata'/><boot order='1'/></disk>" FILE_DISK
                    "<readonly/><boot order='2'/></disk>"
                    "<disk type='file'><source file='b'/><target dev='sda'/><transient/></disk>"));
    CHECK_EQ(domain.disk_count, 3);
    CHECK(!strcmp(domain.disk[0].target, "sda") && domain.disk[0].bus == VMM_BUS_SATA);
    CHECK(!strcmp(domain.disk[1].target, "sdb") && domain.disk[1].bus == VMM_BUS_SATA);
    CHECK(domain.disk[1].cdrom && domain.disk[1].boot_order == 1);
    CHECK(!strcmp(domain.disk[2].target, "vda") && domain.disk[2].bus == VMM_BUS_VIRTIO);
}

TEST(disks_that_cannot_be)
{
    static const char *const cases[][2] = {
        {FILE_DISK "</disk>", "<domain/devices/disk>: a file of the VM set never changes"},
        {FILE_DISK "<readonly/><transient/></disk>", "excludes <transient>"},
        {"<disk type='network'/>",
         "type=\"network\" cannot be honoured; possible: file|block|volume"},
        {"<disk type='volume'><source file='x'/>", "its source in attributes pool and volume"},
        {"<disk device='floppy'/>", "device=\"floppy\" cannot be honoured"},
        {"<disk type='file'><driver type='qcow2'/></disk>", "type=\"qcow2\" cannot be"},
        {"<disk type='file'><driver queues='2'/></disk>", "attribute queues is not supported"},
        {"<disk type='file'><source dev='/x'/></disk>", "has its source in attribute file"},
        {"<disk type='block'><source file='x'/></disk>", "has its source in attribute dev"},
        {"<disk type='file'><source file='../x'/></disk>", "\"../x\": "},
        {"<disk type='block'><source dev='/dev/sda'/></disk>", "\"/dev/sda\" is no name below"},
        {"<disk type='block'><source dev='/dev/disk/by-id/'/></disk>", "is no name below"},
        {"<disk type='block'><source dev='/dev/disk/by-id/a/b'/></disk>", "is no name below"},
        {"<disk type='file'><target dev='sda' bus='usb'/></disk>", "bus=\"usb\" cannot be"},
        {"<disk type='file'><target dev='hda'/></disk>", "neither a virtio nor a SATA disk"},
        {"<disk type='file'><target dev='vd'/></disk>", "is not a name like \"vda\""},
        {"<disk type='file'><target dev='vd/'/></disk>", "is not a name like \"vda\""},
        {"<disk type='file'><target dev='vdaaaaaaaaaaaaaaaaa'/></disk>", "is not a name like"},
        {"<disk type='file'><target bus='virtio'/></disk>", "attribute dev is missing"},
        {"<disk type='file'><source file='i'/><readonly/></disk>", "<target> is missing"},
        {"<disk device='cdrom'><target dev='vda'/></disk>", "<source> is missing"},
        {FILE_DISK "<serial>123456789012345678901</serial></disk>", "has 1 to 20 bytes"},
        {FILE_DISK "<serial>a\"b</serial></disk>", "letters, digits"},
        {FILE_DISK "<boot order='0'/></disk>", "is not a number from 1"},
        {FILE_DISK "<iotune><total_iops_sec>x</total_iops_sec></iotune></disk>",
         "<domain/devices/disk/iotune/total_iops_sec>: \"x\" is not a number"},
        {FILE_DISK "<iotune><total_bytes_sec>1</total_bytes_sec><read_bytes_sec>1"
                   "</read_bytes_sec></iotune></disk>",
         "total_bytes_sec excludes"},
        {FILE_DISK "<iotune><group_name>x</group_name></iotune></disk>", "group_name>: this"},
        {FILE_DISK "<encryption/></disk>", "disks are not encrypted here"},
        {FILE_DISK "<readonly/></disk>\n" FILE_DISK "<readonly/></disk>",
         "t.xml:7: <domain/devices/disk/target>: the disk in line 6 has dev=\"vda\" already"},
        {FILE_DISK "<readonly/><boot order='3'/></disk>\n<disk type='file'><source file='i'/>"
                   "<target dev='vdb'/><readonly/><boot order='3'/></disk>",
         "the disk in line 6 has order=\"3\" already"},
        {FILE_DISK "<readonly/><backingStore type='file'><source file='a'/></backingStore></disk>",
         "<backingStore> is possible with"},
        {"<disk type='block'><source dev='/dev/disk/by-id/a'/><target dev='vda'/>"
         "<backingStore type='file'/></disk>",
         "<backingStore> has no <source>"},
        {"<disk type='block'><source dev='/dev/disk/by-id/a'/><target dev='vda'/>"
         "<backingStore type='file'><format type='qcow2'/><source file='a'/></backingStore></disk>",
         "type=\"qcow2\""},
        {"<disk type='block'><source dev='/dev/disk/by-id/a'/><target dev='vda'/>"
         "<backingStore type='file'><source file='../a'/></backingStore></disk>",
         "../a"},
        {"<disk type='block'><source dev='/dev/disk/by-id/a'/><target dev='vda'/>"
         "<backingStore type='block'/></disk>",
         "type=\"block\""},
        {"<disk type='block'><source dev='/dev/disk/by-id/a'/><target dev='vda'/><transient/>"
         "</disk>",
         "type=\"file\" only"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK(refused("", cases[i][0], cases[i][1]));
}

TEST(overlays_that_cannot_be)
{
#define OVERLAY(attrs) "<metadata><m:overlay xmlns:m='urn:mullion:domain:1' " attrs "/></metadata>"
    CHECK(refused(OVERLAY("target='vda' size='64'"), "", "there is no such <transient> disk"));
    CHECK(refused(OVERLAY("target='vda' size='1'"), "", "size=\"1\" KiB is not an amount"));
    CHECK(refused(OVERLAY("target='vda' size='2' unit='TiB'"), "", "is not an amount"));
    CHECK(refused(OVERLAY("size='64'"), "", "attribute target is missing"));
    CHECK(refused(OVERLAY("target='vda' size='64'"), FILE_DISK "<readonly/></disk>",
                  "there is no such <transient> disk"));
}

TEST(at_most_eight_disks)
{
    char text[2048] = "";
    for (unsigned i = 0; i < 9; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used,
                 "<disk type='file'><source file='i'/><target dev='vd%c'/><readonly/></disk>",
                 (char)('a' + i));
    }
    CHECK(refused("", text, "a guest has at most 8 disks"));
}

TEST(unknown_is_refused)
{
    CHECK(refused("<frobnicate/>", "", "t.xml:5: <domain/frobnicate>: this element is not"));
    CHECK(refused("<vcpu frob='1'>1</vcpu>", "", "attribute frob is not supported"));
    CHECK(refused("", "<serial type='tcp'/>", "type=\"tcp\" cannot be honoured; possible: pty"));
    CHECK(refused("<q:x xmlns:q='urn:q'/>", "", "<domain/*:x>: this element"));
    CHECK(refused("<features><acpi>x</acpi></features>", "", "text where none belongs"));
}

TEST(wrong_values)
{
    CHECK(refused("<vcpu>0</vcpu>", "", "<domain/vcpu>: \"0\" is not a number from 1 to 64"));
    CHECK(refused("<vcpu>65</vcpu>", "", "is not a number from 1 to 64"));
    CHECK(refused("<vcpu>1</vcpu><vcpu>1</vcpu>", "", "given twice"));
    CHECK(refused("<uuid>4dea</uuid>", "", "is not a UUID"));
    CHECK(refused("<on_crash>coredump-restart</on_crash>", "", "destroy, restart, preserve"));
    CHECK(refused("<clock offset='timezone'/>", "", "utc|localtime|variable"));
    CHECK(refused("<clock><timer name='hpet'/></clock>", "", "the board has no hpet"));
    CHECK(refused("<clock><timer name='tsc' frequency='999999'/></clock>", "", "from 1 MHz"));
    CHECK(refused("<clock><timer name='tsc' frequency='2 GHz'/></clock>", "", "from 1 MHz"));
    CHECK(refused("<clock><timer name='pit' frequency='2000000'/></clock>", "", "not the tsc's"));
    CHECK(refused("<cpu><topology sockets='2' cores='2'/></cpu>", "", "makes 4 CPUs"));
    CHECK(refused("<vcpu cpuset='0-'>1</vcpu>", "", "is not a list of CPUs"));
    CHECK(refused("<currentMemory>512</currentMemory>", "", "differs from <memory>"));
    CHECK(refused("<name>b</name>", "", "<domain/name>: given twice"));
}

TEST(amounts_of_memory)
{
    CHECK(!read_text("<domain type='kvm'><memory>1020</memory></domain>"));
    CHECK(strstr(error, "<domain/memory>: a guest needs at least 1 MiB"));
    CHECK(!read_text("<domain type='kvm'><memory unit='TiB'>17</memory></domain>"));
    CHECK(strstr(error, "at most 16 TiB"));
    CHECK(!read_text("<domain type='kvm'><memory unit='furlong'>17</memory></domain>"));
    CHECK(strstr(error, "\"17\" furlong is not an amount of memory"));
    CHECK(refused("<memory>4096</memory>", "", "<domain/memory>: given twice"));
}

TEST(missing_parts)
{
    CHECK(!read_text("<domain type='kvm'/>") && strstr(error, "<name> is missing"));
    CHECK(!read_text("<domain type='kvm'><name>a</name></domain>"));
    CHECK(strstr(error, "<memory> is missing"));
    CHECK(!read_text("<domain type='kvm'><name>a</name><memory>4096</memory></domain>"));
    CHECK(strstr(error, "<type>hvm</type> is missing"));
    CHECK(!read_text("<domain type='kvm'><name>a</name><memory>4096</memory><os><type>hvm</type>"
                     "</os></domain>"));
    CHECK(strstr(error, "nothing to boot"));
    CHECK(!read_text("<domain type='xen'/>") && strstr(error, "only type=\"kvm\""));
    CHECK(!read_text("<network/>") && strstr(error, "not <domain>"));
}

TEST(names)
{
    CHECK(!read_text("<domain type='kvm'><name>a b</name></domain>"));
    CHECK(strstr(error, "no blanks"));
    CHECK(!read_text("<domain type='kvm'><name>a[b</name></domain>"));
    CHECK(!read_text("<domain type='kvm'><name></name></domain>"));
    CHECK(strstr(error, "1 to 63 bytes"));
}

TEST(paths)
{
    char out[DOMAIN_PATH];
    const char *why;
    CHECK(value_path(" ./a//b/./c ", out, sizeof(out), &why) && !strcmp(out, "a/b/c"));
    CHECK(!value_path("/boot/vmlinuz", out, sizeof(out), &why) && strstr(why, "absolute"));
    CHECK(!value_path("a/../../b", out, sizeof(out), &why) && strstr(why, ".."));
    CHECK(!value_path("", out, sizeof(out), &why) && strstr(why, "empty"));
    CHECK(!value_path("./", out, sizeof(out), &why) && strstr(why, "empty"));
    CHECK(!value_path("abcd", out, 4, &why) && strstr(why, "too long"));
    CHECK(value_path("abc", out, 4 + 1, &why) && !strcmp(out, "abc"));
}

TEST(units)
{
    uint64_t bytes;
    CHECK(value_memory("1", "GiB", &bytes) && bytes == 1ull << 30);
    CHECK(value_memory("1", "GB", &bytes) && bytes == ((1000000000ull + 4095) & ~4095ull));
    CHECK(value_memory(" 4 ", NULL, &bytes) && bytes == 4096);
    CHECK(value_memory("5", "bytes", &bytes) && bytes == 4096);
    CHECK(!value_memory("1", "kib", &bytes));
    CHECK(!value_memory("1x", "KiB", &bytes));
    CHECK(!value_memory("-1", "KiB", &bytes));
    CHECK(!value_memory("99999999999", "TiB", &bytes));
    CHECK(!value_memory("18446744073709551615", "b", &bytes));
    CHECK(!value_memory("18446744073709551616", "b", &bytes));
}

TEST(cpu_sets)
{
    uint64_t set[4];
    CHECK(value_cpuset("0-3,^2,8", set, 4) && set[0] == 0x10b && !set[1]);
    CHECK(value_cpuset("64 , 65", set, 4) && set[1] == 3);
    CHECK(!value_cpuset("", set, 4) && !value_cpuset("3-1", set, 4) &&
          !value_cpuset("256", set, 4));
    CHECK(!value_cpuset("0-3,", set, 4) && !value_cpuset("0;1", set, 4));
}

TEST(seconds)
{
    uint32_t ms;
    CHECK(value_seconds_ms("2.5", &ms) && ms == 2500);
    CHECK(value_seconds_ms("3600", &ms) && ms == 3600000);
    CHECK(!value_seconds_ms("3600.1", &ms) && !value_seconds_ms("1.", &ms));
    CHECK(!value_seconds_ms("1.2345", &ms) && !value_seconds_ms("s", &ms));
}

TEST(uuids)
{
    uint8_t uuid[16];
    CHECK(value_uuid("4dea22b3-1d52-d8f3-2516-782e98ab3fa0", uuid));
    CHECK(uuid[0] == 0x4d && uuid[3] == 0xb3 && uuid[4] == 0x1d && uuid[15] == 0xa0);
    CHECK(value_uuid("4dea22b31d52d8f32516782e98ab3fa0", uuid));
    CHECK(!value_uuid("-4dea22b31d52d8f32516782e98ab3fa0", uuid));
    CHECK(!value_uuid("4dea22b31d52d8f32516782e98ab3fa00", uuid));
    CHECK(!value_uuid("4dea22b31d52d8f32516782e98ab3fag", uuid));
}

TEST(entities_are_refused)
{
    CHECK(!read_text(
        "<!DOCTYPE d [<!ENTITY a 'aaaa'>]><domain type='kvm'><name>&a;</name></domain>"));
    CHECK(strstr(error, "document type"));
    CHECK(!read_text("<!DOCTYPE d SYSTEM 'file:///etc/passwd'><domain type='kvm'/>"));
    CHECK(strstr(error, "document type"));
}

TEST(limits)
{
    static char text[DOMAIN_XML_MAX_SIZE + 64];
    size_t used = (size_t)sprintf(text, "<domain type='kvm'><metadata>");
    for (int i = 0; i < 1000; i++)
        used += (size_t)sprintf(text + used, "<x:a xmlns:x='urn:x'>");
    CHECK(!domain_xml_read("t.xml", text, used, &domain, error));
    CHECK(strstr(error, "more than 12 elements inside each other"));
    memset(text, ' ', sizeof(text));
    CHECK(!domain_xml_read("t.xml", text, sizeof(text), &domain, error));
    CHECK(strstr(error, "more than 262144 bytes"));
    memset(text, 'x', sizeof(text));
    memcpy(text, "<domain type='kvm'><name>", 25);
    CHECK(!domain_xml_read("t.xml", text, 20000, &domain, error));
    CHECK(strstr(error, "bytes of text"));
}

TEST(message_carries_no_control_characters)
{
    CHECK(!read_text("<domain type='kvm'><vcpu>&#x9;&#x7f;\xc2\x9b</vcpu></domain>"));
    for (const char *p = error; *p; p++)
        CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
}

TEST(malformed)
{
    CHECK(!read_text("") && strstr(error, "not well-formed"));
    CHECK(!read_text("<domain type='kvm'><name>a</domain>") && strstr(error, "mismatched tag"));
    CHECK(!read_text("<domain type='kvm'><name>\xff</name></domain>"));
}

TEST(metadata)
{
    CHECK(read_with("<metadata><x:y xmlns:x='urn:x'><x:z a='1'>t</x:z></x:y></metadata>", ""));
    CHECK(refused("<metadata><plain/></metadata>", "", "<domain/metadata/plain>"));
    CHECK(refused("<metadata><m:stop xmlns:m='" DOMAIN_XML_NAMESPACE "'/></metadata>", "",
                  "<domain/metadata/mullion:stop>"));
    CHECK(read_with("<metadata><m:start xmlns:m='" DOMAIN_XML_NAMESPACE
                    "' order='3' delay='0.25' auto='no'/></metadata>",
                    ""));
    CHECK_EQ(domain.start_order, 3);
    CHECK_EQ(domain.start_delay_ms, 250);
    CHECK(!domain.autostart);
}

TEST(devices)
{
    CHECK(read_with("", "<console type='pty'/>") && domain.has_serial);
    CHECK(read_with("", "<console type='pty'><target type='virtio'/></console>"));
    CHECK(domain.has_virtio_console && !domain.has_serial);
    CHECK(refused("", "<serial type='pty'/><serial type='pty'/>", "a guest has one serial port"));
    CHECK(refused("", "<rng model='virtio'><backend model='egd'/></rng>", "random|builtin"));
    CHECK(refused("", "<hostdev mode='subsystem'/>", "devices of the host are not passed on"));
    CHECK(read_with("", "<memballoon model='none'/>") && !domain.has_balloon);
}

#define NET(inside) "<interface type='network'><source network='lan'/>" inside "</interface>"

TEST(interfaces)
{
    CHECK(read_with("", NET("")));
    CHECK_EQ(domain.net_count, 1);
    const struct domain_net *net = &domain.net[0];
    CHECK(!strcmp(net->network, "lan") && !strcmp(net->target, "vnet0") && !net->has_mac);
    CHECK(net->model == VMM_NET_VIRTIO && net->pairs == 1 && net->port.link == 1);
    CHECK(read_with("",
                    "<interface type='bridge'>"
                    "<mac address='52:54:00:aB:cd:01'/>"
                    "<source bridge='br0' portgroup='red'/>"
                    "<model type='virtio'/><driver name='vhost' queues='4'>"
                    "<host gso='off' mrg_rxbuf='off'/><guest tso6='off' csum='on'/></driver>"
                    "<target dev='web'/><mtu size='9000'/><link state='down'/>"
                    "<vlan trunk='yes'><tag id='42'/><tag id='47' nativeMode='untagged'/></vlan>"
                    "<bandwidth><inbound average='1000' peak='5000' burst='1024'/>"
                    "<outbound average='128'/></bandwidth>"
                    "<filterref filter='clean-traffic'><parameter name='IP' value='10.0.0.1'/>"
                    "<parameter name='IPV6' value='2001:db8::7:1'/></filterref>"
                    "<port isolated='yes'/><boot order='2'/><alias name='net0'/>"
                    "<address type='pci' domain='0x0000' bus='0x01' slot='0x00'/>"
                    "</interface>" NET("<model type='e1000'/>")));
    CHECK_EQ(domain.net_count, 2);
    static const uint8_t mac[] = {0x52, 0x54, 0, 0xab, 0xcd, 1};
    CHECK(net->bridge && net->has_mac && !memcmp(net->port.mac, mac, 6));
    CHECK(!strcmp(net->network, "br0") && !strcmp(net->portgroup, "red"));
    CHECK(net->pairs == 4 && net->mtu == 9000 && !net->port.link && net->boot_order == 2);
    CHECK_EQ(net->without,
             (VMM_NET_HOST_ALL & ~VMM_NET_HOST_CSUM) | VMM_NET_MRG_RXBUF | VMM_NET_GUEST_TSO6);
    CHECK(net->port.vlan_mode == SWITCH_VLAN_TRUNK && net->port.vlan == 47);
    CHECK_EQ(net->port.trunk[0], 1ull << 42 | 1ull << 47);
    CHECK(net->port.inbound.average == 1000000 && net->port.inbound.peak == 5000000);
    CHECK(net->port.inbound.burst == 1 << 20 && net->port.outbound.average == 128000);
    CHECK_EQ(net->port.filters,
             SWITCH_FILTER_MAC | SWITCH_FILTER_ARP | SWITCH_FILTER_IP | SWITCH_FILTER_ISOLATED);
    CHECK(net->port.ip[0].family == 4 && net->port.ip[0].prefix == 32);
    CHECK(net->port.ip[0].address[0] == 10 && net->port.ip[0].address[3] == 1);
    CHECK(net->port.ip[1].family == 6 && net->port.ip[1].address[1] == 1);
    CHECK(net->port.ip[1].address[13] == 7 && net->port.ip[1].address[15] == 1);
    CHECK(domain.net[1].model == VMM_NET_E1000 && !strcmp(domain.net[1].target, "vnet0"));
    CHECK(read_with("", NET("<vlan><tag id='5'/></vlan>")));
    CHECK(net->port.vlan_mode == SWITCH_VLAN_ACCESS && net->port.vlan == 5);
}

TEST(interfaces_that_cannot_be)
{
    CHECK(refused("", "<interface/>", "attribute type is missing"));
    CHECK(refused("", "<interface type='user'/>", "network|bridge"));
    CHECK(refused("", "<interface type='network'/>", "<source> is missing"));
    CHECK(refused("", "<interface type='network'><source bridge='x'/></interface>",
                  "in attribute network"));
    CHECK(refused("", "<interface type='bridge'><source network='x'/></interface>",
                  "in attribute bridge"));
    CHECK(refused("", NET("<source network='b'/>"), "given twice"));
    CHECK(refused("", NET("<mac address='01:00:5e:00:00:01'/>"), "that of a group"));
    CHECK(refused("", NET("<mac address='00:00:00:00:00:00'/>"), "nobody's"));
    CHECK(refused("", NET("<mac address='52:54:00:00:00:1'/>"), "is not an address like"));
    CHECK(refused("", NET("<mac address='52:54:00:00:00:011'/>"), "is not an address like"));
    CHECK(refused("", NET("<model type='rtl8139'/>"), "virtio|virtio-non-transitional|e1000"));
    CHECK(refused("", NET("<driver queues='9'/>"), "from 1 to 8"));
    CHECK(refused("", NET("<model type='e1000'/><driver queues='2'/>"), "has one queue"));
    CHECK(refused("", NET("<model type='e1000'/><driver><host csum='off'/></driver>"),
                  "only virtio's"));
    CHECK(refused("", NET("<vlan><tag id='4095'/></vlan>"), "from 1 to 4094"));
    CHECK(refused("", NET("<vlan><tag id='1'/><tag id='2'/></vlan>"), "need trunk"));
    CHECK(refused("", NET("<bandwidth><inbound floor='1' average='1'/></bandwidth>"), "floor"));
    CHECK(refused("", NET("<bandwidth><inbound peak='1'/></bandwidth>"), "average is missing"));
    CHECK(refused("", NET("<link state='sideways'/>"), "up|down"));
    CHECK(refused("", NET("<filterref filter='clean-traffic'/>"), "addresses are not learned"));
    CHECK(refused("", NET("<filterref filter='qemu-announce-self'/>"), "none of libvirt's"));
    CHECK(refused("",
                  NET("<filterref filter='no-ip-spoofing'><parameter name='IP' "
                      "value='10.0.0.256'/></filterref>"),
                  "is not an IPv4 address"));
    CHECK(refused("",
                  NET("<filterref filter='no-ip-spoofing'><parameter name='IPV6' "
                      "value='1::2::3'/></filterref>"),
                  "is not an IPv6 address"));
    CHECK(refused("", NET("<mtu size='67'/>"), "from 68 to 65535"));
    CHECK(refused("", NET("<target dev='a b'/>"), "letters, digits"));
    CHECK(refused("", NET("<target dev='x'/>") NET("<target dev='x'/>"), "already"));
    CHECK(refused("", NET("<boot order='1'/>") NET("<boot order='1'/>"), "already"));
    CHECK(refused(
        "", NET("<mac address='52:54:00:00:00:01'/>") NET("<mac address='52:54:00:00:00:01'/>"),
        "the same address on the same network"));
    CHECK(refused("", NET("<rom file='x'/>"), "rom"));
    CHECK(refused("", NET("<virtualport type='openvswitch'/>"), "Open vSwitch"));
    CHECK(refused("", NET("") NET("") NET("") NET("") NET("") NET("") NET("") NET("") NET(""),
                  "at most 8 network interfaces"));
    CHECK(read_with("", NET("") NET("<target dev='vnet1'/>") NET("")));
    CHECK(!strcmp(domain.net[2].target, "vnet2"));
}

TEST(addresses_in_text)
{
    static const struct {
        const char *text;
        uint32_t family;
        uint8_t first, last;
    } cases[] = {{"10.1.2.3", 4, 10, 0},
                 {"255.255.255.255", 4, 255, 0},
                 {"01.2.3.4", 0, 0, 0},
                 {"1.2.3", 0, 0, 0},
                 {"1.2.3.4.5", 0, 0, 0},
                 {"::", 6, 0, 0},
                 {"::1", 6, 0, 1},
                 {"fe80::", 6, 0xfe, 0},
                 {"1:2:3:4:5:6:7:8", 6, 0, 8},
                 {"1:2:3:4:5:6:7", 0, 0, 0},
                 {"1:2:3:4:5:6:7:8:9", 0, 0, 0},
                 {"1:2:3:4:5:6:7::", 6, 0, 0},
                 {"1:2:3:4:5:6:7:8::", 0, 0, 0},
                 {"::ffff:10.0.0.9", 6, 0, 9},
                 {"1:2:3:4:5:6:7:1.2.3.4", 0, 0, 0},
                 {"12345::", 0, 0, 0},
                 {":1", 0, 0, 0},
                 {"1:", 0, 0, 0},
                 {"1::2::", 0, 0, 0},
                 {"", 0, 0, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t address[16] = {0xee, [15] = 0xee};
        uint32_t family = ip_text_parse(cases[i].text, address);
        if (family != cases[i].family)
            printf("  %s\n", cases[i].text);
        CHECK_EQ(family, cases[i].family);
        CHECK(!family || (address[0] == cases[i].first && address[15] == cases[i].last));
    }
}

/* docs/domain-xml.md speaks of every element that the tables know. */
TEST(every_element_is_documented)
{
    static char text[65536];
    FILE *file = fopen("docs/domain-xml.md", "r");
    CHECK(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    fclose(file);
    const struct element_rule *tables[] = {domain_rules, tune_rules, device_rules};
    for (int t = 0; t < 3; t++) {
        for (const struct element_rule *r = tables[t]; r->path; r++) {
            char mark[128];
            snprintf(mark, sizeof(mark), "| `%s` |", r->path);
            if (!strstr(text, mark))
                printf("  not in docs/domain-xml.md: %s\n", r->path);
            CHECK(strstr(text, mark));
        }
    }
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        char mark[128];
        snprintf(mark, sizeof(mark), "| `%s` |", refusals[i].path);
        CHECK(strstr(text, mark));
    }
}
