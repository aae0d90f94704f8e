/* SPDX-License-Identifier: BSD-2-Clause */
/* Guests' disks: who gets a volume, and when its memory comes back, over a fake driver. */
#include "tests/unit/fake/manager.h"

static struct vm *add_disk(struct vm *vm, const char *path, bool read_only)
{
    struct domain_disk *disk = &vm->def.disk[vm->def.disk_count++];
    *disk = (struct domain_disk){.line = 30, .read_only = read_only};
    disk->source_type = *path == '/' ? DISK_SOURCE_BLOCK : DISK_SOURCE_FILE;
    snprintf(disk->source.path, sizeof(disk->source.path), "%s", path);
    snprintf(disk->target, sizeof(disk->target), "vd%c", 'a' + (char)vm->def.disk_count - 1);
    disk->source.line = 31;
    return vm;
}

/* The driver asks what there is to do, and says that it is done. */
static uint64_t driver_works(void)
{
    uint64_t done = 0, words;
    for (;;) {
        the_utcb.mr[0] = AHCI_EVENT_NEXT;
        words = ahci_serve(&controller, &the_utcb, 1);
        if (the_utcb.mr[1] == AHCI_JOB_NONE)
            return done;
        if (the_utcb.mr[1] == AHCI_JOB_ATTACH && words >> 32 != 2)
            return 1000;
        the_utcb.mr[0] = AHCI_EVENT_DONE;
        the_utcb.mr[3] = AHCI_REFUSED_NOT;
        ahci_serve(&controller, &the_utcb, 4);
        if (the_utcb.mr[0] != OK)
            return 2000;
        done++;
    }
}

TEST(disk_is_attached_and_given_back)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 64 * MIB), "/first", false);
    for (int i = 0; i < 100; i++) {
        CHECK(!vm_input(vm, VM_IN_START));
        CHECK_EQ(vm->state, VM_STARTING);
        CHECK_EQ(last_config.disk_count, 1);
        CHECK_EQ(last_config.disk[0].backing, VMM_DISK_CHANNEL);
        CHECK_EQ(last_config.disk[0].driver_bits, AHCI_BIT_CHANNEL(0));
        CHECK_EQ(last_cap_count, 9); /* kernel, ring, statistics, console, RAM, 2 vCPUs, disk: 2 */
        CHECK_EQ(driver_works(), 1);
        CHECK_EQ(controller.channel[0].state, CHANNEL_ATTACHED);
        CHECK_EQ(controller.channel[0].attach.memory[0].size, 64 * MIB);
        vm_input(vm, VM_IN_DESTROY);
        /* The driver may still be writing into it. */
        CHECK(vm->draining && physmem_free_bytes() < 448 * MIB && vm_active() == 1);
        CHECK(!vm_input(vm, VM_IN_START));
        CHECK_EQ(vm->state, VM_WAITING);
        CHECK_EQ(driver_works(), 1);
        vm_tick(now_tsc);
        CHECK_EQ(vm->state, VM_STARTING);
        CHECK_EQ(driver_works(), 1);
        vm_input(vm, VM_IN_DESTROY);
        CHECK_EQ(driver_works(), 1);
        vm_tick(now_tsc);
        CHECK(balanced(vm) && !vm_active());
    }
}

TEST(disk_of_a_guest_that_ends_before_its_driver_heard_of_it)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 64 * MIB), "/first", false);
    vm_input(vm, VM_IN_START);
    vm_input(vm, VM_IN_DESTROY);
    CHECK(balanced(vm) && !vm->draining);
    vm_input(vm, VM_IN_START);
    the_utcb.mr[0] = AHCI_EVENT_NEXT;
    ahci_serve(&controller, &the_utcb, 1);
    vm_input(vm, VM_IN_DESTROY); /* between being told and being done */
    CHECK(vm->draining);
    the_utcb.mr[0] = AHCI_EVENT_DONE;
    the_utcb.mr[1] = AHCI_JOB_ATTACH;
    the_utcb.mr[2] = the_utcb.mr[3] = 0;
    ahci_serve(&controller, &the_utcb, 4);
    CHECK_EQ(the_utcb.mr[0], OK);
    CHECK_EQ(driver_works(), 1);
    vm_tick(now_tsc);
    CHECK(balanced(vm));
}

TEST(driver_dies)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 64 * MIB), "/first", false);
    struct vm *other = add_disk(add("beta", 64 * MIB), "/second", false);
    vm_input(vm, VM_IN_START);
    vm_input(other, VM_IN_START);
    CHECK_EQ(driver_works(), 2);
    vm_input(other, VM_IN_DESTROY);
    for (uint32_t i = 0; i < AHCI_CHANNELS; i++)
        channel_driver_died(&controller.channel[i]);
    vm_tick(now_tsc);
    CHECK(!other->draining && vm->state == VM_STARTING);
    CHECK_EQ(driver_works(), 1); /* alpha's, again */
    /* Another disk in the port does not get its channel; when the disk is back, it does. */
    channel_driver_died(&controller.channel[0]);
    disk_status.disk[1].geometry.serial[0] = 'X';
    CHECK_EQ(driver_works(), 0);
    disk_status.disk[1].geometry.serial[0] = 'Q';
    the_utcb.mr[0] = AHCI_EVENT_DISKS;
    jobs_told = 0;
    ahci_serve(&controller, &the_utcb, 1);
    CHECK_EQ(jobs_told, 1);
    CHECK_EQ(driver_works(), 1);
    vm_input(vm, VM_IN_DESTROY);
    driver_works();
    vm_tick(now_tsc);
}

TEST(volume_that_grows)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 64 * MIB), "/first", false);
    struct channel *c = &controller.channel[0];
    vm_input(vm, VM_IN_START);
    channel_resize(c, 1200); /* before the driver has heard of it */
    CHECK(channel_has_size(c));
    CHECK_EQ(driver_works(), 1);
    CHECK_EQ(((struct ahci_attach *)&the_utcb.mr[AHCI_PAYLOAD])->sectors, 1200);
    channel_resize(c, 1200);
    CHECK(channel_has_size(c));
    channel_resize(c, 1500);
    CHECK(!channel_has_size(c));
    the_utcb.mr[0] = AHCI_EVENT_NEXT;
    CHECK_EQ(ahci_serve(&controller, &the_utcb, 1) >> 32, 0);
    CHECK(the_utcb.mr[1] == AHCI_JOB_RESIZE && the_utcb.mr[2] == 0 && !channel_has_size(c));
    channel_resize(c, 1600); /* again, while the driver is at it */
    the_utcb.mr[0] = AHCI_EVENT_DONE;
    the_utcb.mr[3] = AHCI_REFUSED_NOT;
    ahci_serve(&controller, &the_utcb, 4);
    CHECK(the_utcb.mr[0] == OK && c->state == CHANNEL_ATTACHED && !channel_has_size(c));
    channel_driver_died(c); /* the next one hears of nothing else */
    CHECK(channel_has_size(c) && c->attach.sectors == 1600);
    CHECK_EQ(driver_works(), 1);
    channel_resize(c, 1700);
    the_utcb.mr[0] = AHCI_EVENT_NEXT;
    ahci_serve(&controller, &the_utcb, 1);
    vm_input(vm, VM_IN_DESTROY); /* between being told and being done */
    the_utcb.mr[0] = AHCI_EVENT_DONE;
    the_utcb.mr[1] = AHCI_JOB_RESIZE;
    ahci_serve(&controller, &the_utcb, 4);
    CHECK(the_utcb.mr[0] == OK && vm->draining);
    CHECK_EQ(driver_works(), 1);
    vm_tick(now_tsc);
    CHECK(balanced(vm));
}

TEST(volumes_have_one_writer)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 16 * MIB), "/first", false);
    struct vm *same = add_disk(add("same", 16 * MIB), "/first", false);
    struct vm *all = add_disk(add("all", 16 * MIB), "/disk", true);
    struct vm *second = add_disk(add("second", 16 * MIB), "/second", false);
    vm_input(vm, VM_IN_START);
    const char *why = vm_input(same, VM_IN_START);
    CHECK(why && strstr(why, "same.xml:31: <domain/devices/disk/source>: /first, or a part of it, "
                             "is in use by alpha vda"));
    CHECK(strstr(vm_input(all, VM_IN_START), "in use by alpha vda"));
    CHECK(!vm_input(second, VM_IN_START));
    CHECK_EQ(same->state, VM_SHUTOFF);
    vm_input(vm, VM_IN_DESTROY);
    vm_input(second, VM_IN_DESTROY);
    /* Readers share. */
    vm->def.disk[0].read_only = same->def.disk[0].read_only = true;
    CHECK(!vm_input(vm, VM_IN_START));
    CHECK(!vm_input(same, VM_IN_START));
    CHECK(!vm_input(all, VM_IN_START));
    CHECK(last_config.disk[0].read_only);
    CHECK(strstr(vm_input(second, VM_IN_START), "in use by"));
    vm_input(vm, VM_IN_DESTROY);
    vm_input(same, VM_IN_DESTROY);
    vm_input(all, VM_IN_DESTROY);
    /* Nor does one guest get a volume twice. */
    add_disk(second, "/second", false);
    CHECK(strstr(vm_input(second, VM_IN_START), "in use by second vda"));
    CHECK(balanced(vm));
}

TEST(volume_of_a_guest_that_has_just_ended)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 16 * MIB), "/first", false);
    struct vm *next = add_disk(add("beta", 16 * MIB), "/first", false);
    CHECK(!vm_input(vm, VM_IN_START));
    CHECK_EQ(driver_works(), 1);
    vm_input(vm, VM_IN_DESTROY);
    CHECK(!vm_input(next, VM_IN_START));
    CHECK_EQ(next->state, VM_WAITING);
    vm_tick(now_tsc);
    CHECK_EQ(next->state, VM_WAITING);
    CHECK_EQ(driver_works(), 1);
    vm_tick(now_tsc);
    CHECK_EQ(next->state, VM_STARTING);
    vm_input(next, VM_IN_DESTROY);
    CHECK(balanced(next));
}

TEST(volumes_that_cannot_be_had)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 16 * MIB), "/none", false);
    struct vm *rom = add_disk(add("rom", 16 * MIB), "/rom", false);
    CHECK(strstr(vm_input(vm, VM_IN_START), "alpha.xml:31: <domain/devices/disk/source>: /none: "
                                            "there is none"));
    CHECK(strstr(vm_input(rom, VM_IN_START), "cannot be written"));
    searching = true; /* it may yet come */
    CHECK(!vm_input(vm, VM_IN_START));
    CHECK_EQ(vm->state, VM_WAITING);
    vm_tick(now_tsc);
    CHECK_EQ(vm->state, VM_WAITING);
    searching = false;
    vm_tick(now_tsc);
    CHECK_EQ(vm->state, VM_SHUTOFF);
    CHECK(balanced(vm));
}

TEST(lies_of_a_driver)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 64 * MIB), "/first", false);
    struct ahci_disk disk;
    vm_input(vm, VM_IN_START);
    the_utcb.mr[0] = AHCI_EVENT_DONE;
    the_utcb.mr[1] = AHCI_JOB_DETACH; /* it was never attached */
    the_utcb.mr[2] = the_utcb.mr[3] = 0;
    ahci_serve(&controller, &the_utcb, 4);
    CHECK_EQ((int64_t)the_utcb.mr[0], ERR_ARG);
    the_utcb.mr[0] = AHCI_EVENT_DONE;
    the_utcb.mr[2] = UINT64_MAX;
    ahci_serve(&controller, &the_utcb, 4);
    CHECK_EQ((int64_t)the_utcb.mr[0], ERR_ARG);
    the_utcb.mr[0] = AHCI_EVENT_FAILED;
    memset(&the_utcb.mr[AHCI_PAYLOAD], 0x1b, 2000);
    ahci_serve(&controller, &the_utcb, 300);
    CHECK(strstr(logged, "????") && !strchr(logged, 0x1b));
    CHECK(ahci_read_disk(&controller, 1, &disk));
    disk_status.disk[1].geometry.block_size = 3;
    CHECK(!ahci_read_disk(&controller, 1, &disk));
    disk_status.disk[1].geometry.block_size = 4096;
    disk_status.disk[1].geometry.sectors = 2001;
    CHECK(!ahci_read_disk(&controller, 1, &disk));
    disk_status.disk[1].geometry.sectors = 2000;
    memset(disk_status.disk[1].geometry.model, 'x', sizeof(disk.geometry.model));
    CHECK(ahci_read_disk(&controller, 1, &disk));
    CHECK_EQ(strlen(disk.geometry.model), sizeof(disk.geometry.model) - 1);
    disk_status.sequence = 1; /* for ever being written */
    CHECK(!ahci_read_disk(&controller, 1, &disk));
    CHECK(!ahci_read_disk(&controller, 99, &disk));
    vm_input(vm, VM_IN_DESTROY);
    CHECK(balanced(vm));
}

TEST(volume_above_an_image)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 64 * MIB), "/first", false);
    snprintf(vm->def.disk[0].base.path, DOMAIN_PATH, "k");
    CHECK(!vm_input(vm, VM_IN_START));
    CHECK_EQ(last_config.disk[0].backing, VMM_DISK_LAYER);
    CHECK_EQ(last_config.disk[0].image.size, 5000);
    CHECK_EQ(last_config.disk[0].overlay_size, 4 * 4096); /* two pages, the map twice */
    CHECK_EQ(last_cap_count, 11);
    CHECK_EQ(driver_works(), 1);
    /* The driver reaches the map's memory behind the guest's. */
    CHECK_EQ(controller.channel[0].attach.memory[0].size, 64 * MIB);
    CHECK_EQ(controller.channel[0].attach.memory[1].size, 4 * 4096);
    uint64_t base = vm->disk[0].overlay.base;
    CHECK_EQ(controller.channel[0].attach.memory[1].base, base);
    vm_input(vm, VM_IN_RUNNING);
    vm_input(vm, VM_IN_REBOOT);
    CHECK_EQ(driver_works(), 1);
    vm_tick(now_tsc);
    CHECK_EQ(driver_works(), 1);
    CHECK_EQ(vm->disk[0].overlay.base, base); /* the next run goes on with it */
    vm_input(vm, VM_IN_DESTROY);
    CHECK_EQ(vm->disk[0].overlay.base, base); /* the driver may still be writing it */
    CHECK(vm->draining && vm->disk[0].overlay.slot);
    CHECK_EQ(driver_works(), 1);
    vm_tick(now_tsc);
    CHECK_EQ(vm->disk[0].overlay.slot, 0);
    CHECK(balanced(vm));
    snprintf(vm->def.disk[0].base.path, DOMAIN_PATH, "gone");
    CHECK(strstr(vm_input(vm, VM_IN_START), "gone is not in the VM set"));
    vm_tick(now_tsc);
    CHECK(balanced(vm));
}

TEST(image_with_an_overlay)
{
    setup();
    struct vm *vm = add_disk(add("alpha", 64 * MIB), "k", false);
    CHECK(!vm_input(vm, VM_IN_START));
    CHECK_EQ(last_config.disk[0].backing, VMM_DISK_IMAGE);
    CHECK_EQ(last_config.disk[0].image.size, 5000);
    CHECK_EQ(last_config.disk[0].overlay_size, 4 * 4096); /* header, map, two pages */
    uint64_t base = vm->disk[0].overlay.base;
    vm_input(vm, VM_IN_RUNNING);
    vm_input(vm, VM_IN_REBOOT);
    CHECK_EQ(vm->disk[0].overlay.size, 4 * 4096); /* the next run goes on with it */
    CHECK_EQ(vm->disk[0].overlay.base, base);
    vm_input(vm, VM_IN_DESTROY);
    CHECK_EQ(vm->disk[0].overlay.slot, 0); /* and ends with the guest */
    CHECK(balanced(vm));
    snprintf(vm->def.disk[0].source.path, DOMAIN_PATH, "gone");
    CHECK(strstr(vm_input(vm, VM_IN_START), "gone is not in the VM set"));
    CHECK(balanced(vm));
}
