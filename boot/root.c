/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads the root task, so that the kernel only has to map it. */
#include "boot/program.h"
#include "boot/root_elf.h"
#include "boot/root_mem.h"
#include "lib/package.h"
#include "lib/string.h"

#define INDEX_MAX (sizeof(struct package_header) + PACKAGE_MAX_FILES * sizeof(struct package_file))

/* NULL and *error. The rest of the package is the root task's to verify. */
static const char *find_manager(const struct bootinfo *info, uint64_t *pa, uint64_t *size,
                                const char **error)
{
    static struct package package;
    if (!info->package_size) {
        *error = "boot package: missing; the loader brought no module (mullion.pkg)";
        return NULL;
    }
    const void *index = early_map(info->package_base, MIN(info->package_size, INDEX_MAX));
    const char *image = NULL;
    *error = "boot package: it cannot be reached";
    if (!index)
        return NULL;
    *error = package.error;
    if (package_open(&package, index, info->package_size) != 0)
        return NULL;
    const struct package_file *file = package_find(&package, "manager");
    if (!file)
        return NULL;
    *pa = info->package_base + file->offset;
    *size = file->size;
    image = early_map(*pa, MAX(*size, 1));
    if (!image)
        *error = "boot package: file 'manager' cannot be reached";
    return image && package_verify(&package, file, image) == 0 ? image : NULL;
}

static void add(struct root_task *root, uint64_t va, uint64_t pa, uint64_t size, uint32_t flags)
{
    root->part[root->count++] = (struct root_part){va, pa, size, flags, 0};
}

/* Text is mapped as it lies in the package; data are copied to `at`. The pages of either stay
 * visible whole, so a data page ends in zeros. */
static void load_segment(struct root_task *root, const struct root_segment *seg, const char *image,
                         uint64_t image_pa, uint64_t *at)
{
    uint64_t skip = seg->va & PAGE_MASK, size = align_up(skip + seg->memory_size, PAGE_SIZE);
    if (!(seg->flags & MAP_WRITE)) {
        add(root, seg->va - skip, image_pa + align_down(seg->file_offset, PAGE_SIZE), size,
            seg->flags);
        return;
    }
    memcpy((char *)*at + skip, image + seg->file_offset, seg->file_size);
    add(root, seg->va - skip, *at, size, seg->flags);
    *at += size;
}

const char *root_load(struct bootinfo *info)
{
    static struct root_image elf;
    struct root_task *root = &info->root;
    uint64_t pa, size, info_size = align_up(sizeof(struct root_info), PAGE_SIZE);
    const char *error, *image = find_manager(info, &pa, &size, &error);
    if (!image)
        return error;
    error = root_elf_parse(image, size, &elf);
    if (error)
        return boot_error("boot package: file 'manager': %s", error);
    uint64_t bytes = elf.data_size + ROOT_STACK_SIZE + info_size;
    uint64_t at = boot_take(info, 0, bytes, PAGE_SIZE, BOOTINFO_MEM_ROOT);
    if (!at)
        return "there is no RAM for the root task";
    memset((char *)at, 0, bytes); /* mapped one to one */
    for (uint32_t i = 0; i < elf.count; i++)
        load_segment(root, &elf.segment[i], image, pa, &at);
    add(root, ROOT_STACK_TOP - ROOT_STACK_SIZE, at, ROOT_STACK_SIZE, MAP_READ | MAP_WRITE);
    at += ROOT_STACK_SIZE;
    add(root, ROOT_INFO_VA, at, info_size, MAP_READ);
    root->entry = elf.entry;
    root_mem_describe(info, &root->info);
    memcpy((char *)at, &root->info, sizeof(root->info));
    return NULL;
}
