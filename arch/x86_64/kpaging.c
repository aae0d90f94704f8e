/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/kpaging.h"

#include "abi/status.h"
#include "abi/thread.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/spinlock.h"
#include "boot/bootinfo.h"
#include "lib/string.h"

#define PTE_P     0x001ull
#define PTE_W     0x002ull
#define PTE_U     0x004ull
#define PTE_PWT   0x008ull
#define PTE_PCD   0x010ull
#define PTE_A     0x020ull
#define PTE_D     0x040ull
#define PTE_PS    0x080ull
#define PTE_G     0x100ull
#define PTE_NX    (1ull << 63)
#define PTE_ADDR  0x000ffffffffff000ull
#define CHUNK     (2 * MIB)
#define PML4_SIZE (512 * GIB)

#define KSTACK_PAGES 2u /* of the four that the alignment reserves; the others are guards */

/* Supervisor or user tables: `bits` in every entry, `leaf_bits` in leaves too. */
#define HOST_PT_FORMAT(bits, leaf_bits)                                                        \
    {                                                                                          \
        .table = PTE_P | PTE_W | (bits), .leaf = PTE_P | PTE_A | PTE_D | (bits) | (leaf_bits), \
        .large = PTE_PS, .present = PTE_P, .write = PTE_W, .noexec = PTE_NX,                   \
        .uncached = PTE_PCD | PTE_PWT, .wc = PTE_PWT, .wc_large = PTE_PWT, .max_level = 2,     \
    }

static const struct pt_format kernel_pt_format = HOST_PT_FORMAT(0, PTE_G);
/* The boot program goes away again, so it must not be global. */
static const struct pt_format boot_pt_format = HOST_PT_FORMAT(0, 0);
const struct pt_format user_pt_format = HOST_PT_FORMAT(PTE_U, 0);

extern char __text_start[], __text_end[], __rodata_start[], __rodata_end[], __data_start[],
    __bss_end[], __symbols_start[], __symbols_end[], __kernel_start[], __boot_start[], __boot_end[];
void kmem_add_mapped(void *chunk);

static struct ptab kernel_ptab = {.format = &kernel_pt_format};
static spinlock_t kernel_ptab_lock;
static uint64_t mmio_next = MMIO_WINDOW;
static uint64_t image_base;

/* For the one chunk that must be reachable before there is an allocator. */
static uint64_t first_pdpt[512] __attribute__((aligned(4096)));
static uint64_t first_pd[512] __attribute__((aligned(4096)));

uint64_t kpaging_image_pa(const void *va)
{
    return (uint64_t)va - (uint64_t)__kernel_start + image_base;
}

/* The boot tables still run: hang the first chunk into their window slot. */
static void map_first_chunk(uint64_t base)
{
    uint64_t *pml4 = (uint64_t *)(read_cr3() & PTE_ADDR); /* identity-mapped */
    uint64_t va = PHYS_WINDOW + base;
    first_pd[(va >> 21) & 511] = base | PTE_P | PTE_W | PTE_PS;
    first_pdpt[(va >> 30) & 511] = kpaging_image_pa(first_pd) | PTE_P | PTE_W;
    pml4[(va >> 39) & 511] = kpaging_image_pa(first_pdpt) | PTE_P | PTE_W;
    kmem_add_mapped((void *)va);
}

static void must(int64_t status, const char *what)
{
    if (status != OK)
        panic("not enough memory for the kernel's tables: %s", what);
}

static void map_image(const char *start, const char *end, uint32_t flags)
{
    uint64_t size = align_up((uint64_t)(end - start), PAGE_SIZE);
    must(ptab_map(&kernel_ptab, (uint64_t)start, hpa(kpaging_image_pa(start)), size, flags),
         "image");
}

/* Every PML4 slot of the upper half that will ever be used exists from the start: address spaces
 * copy them. */
static void make_slots(uint64_t va, uint64_t size)
{
    for (uint64_t slot = va >> 39; slot <= (va + size - 1) >> 39; slot++) {
        uint64_t *entry = &kernel_ptab.root[slot & 511];
        if (*entry)
            continue;
        void *table = kmem_pages(0);
        must(table ? OK : ERR_NOMEM, "window");
        *entry = kva_to_hpa(table).v | kernel_pt_format.table;
    }
}

static uint64_t ram_end(const struct bootinfo *info)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < info->mem_count; i++)
        if (info->mem[i].type == BOOTINFO_MEM_RAM || info->mem[i].type == BOOTINFO_MEM_ACPI_RECLAIM)
            end = MAX(end, info->mem[i].base + info->mem[i].size);
    return end;
}

/* What the boot program has put together for the kernel, at its place in the window. */
static void map_table(const void *table, uint64_t bytes)
{
    uint64_t pa = (uint64_t)table; /* it lay one to one */
    if (pa)
        must(ptab_map(&kernel_ptab, PHYS_WINDOW + pa, hpa(pa), align_up(bytes, PAGE_SIZE),
                      MAP_READ | MAP_WRITE),
             "table");
}

void kpaging_init(const struct bootinfo *info)
{
    uint64_t pool = info->pool_base;
    image_base = info->kernel_base;
    map_first_chunk(pool);
    kernel_ptab.root = kmem_pages(0);
    make_slots(PHYS_WINDOW, MAX(ram_end(info), 4 * GIB));
    make_slots(MMIO_WINDOW, PML4_SIZE);
    map_image(__text_start, __text_end, MAP_READ | MAP_EXEC);
    map_image(__rodata_start, __rodata_end, MAP_READ);
    map_image(__data_start, __bss_end, MAP_READ | MAP_WRITE);
    map_image(__symbols_start, __symbols_end, MAP_READ);
    kernel_ptab.format = &boot_pt_format; /* its stack, and struct bootinfo */
    map_image(__boot_start, __boot_end, MAP_READ | MAP_WRITE);
    kernel_ptab.format = &kernel_pt_format;
    map_table((void *)pool, CHUNK);
    map_table(info->acpi.cpu, info->acpi.cpu_count * sizeof(struct acpi_cpu));
    map_table(info->acpi.ioapic, info->acpi.ioapic_count * sizeof(struct acpi_ioapic));
    kpaging_load_kernel();
    if (info->pool_size > CHUNK && !kmem_add(hpa(pool + CHUNK), info->pool_size - CHUNK))
        panic("not enough memory for the kernel's pool");
}

static int64_t map_kernel(uint64_t va, hpa_t pa, uint64_t size, uint32_t flags)
{
    spin_lock(&kernel_ptab_lock);
    int64_t status = ptab_map(&kernel_ptab, va, pa, size, flags);
    spin_unlock(&kernel_ptab_lock);
    return status;
}

bool kmem_add(hpa_t base, uint64_t size)
{
    if (map_kernel(PHYS_WINDOW + base.v, base, size, MAP_READ | MAP_WRITE) != OK)
        return false;
    for (uint64_t done = 0; done < size; done += CHUNK)
        kmem_add_mapped(hpa_to_kva(hpa(base.v + done)));
    return true;
}

volatile void *kmap_mmio(hpa_t pa, uint64_t size)
{
    uint64_t first = align_down(pa.v, PAGE_SIZE);
    uint64_t bytes = align_up(pa.v + size, PAGE_SIZE) - first;
    uint64_t va = __atomic_fetch_add(&mmio_next, bytes, __ATOMIC_RELAXED);
    if (map_kernel(va, hpa(first), bytes, MAP_READ | MAP_WRITE | MAP_UNCACHED) != OK)
        return NULL;
    return (volatile void *)(va + (pa.v - first));
}

bool kmap_foreign(hpa_t pa)
{
    spin_lock(&kernel_ptab_lock);
    hpa_t there;
    uint64_t leaf, leaf_size;
    int64_t status = ERR_EXISTS;
    if (!ptab_lookup(&kernel_ptab, PHYS_WINDOW + pa.v, &there, &leaf, &leaf_size))
        status = ptab_map(&kernel_ptab, PHYS_WINDOW + pa.v, hpa(align_down(pa.v, PAGE_SIZE)),
                          PAGE_SIZE, MAP_READ | MAP_WRITE);
    spin_unlock(&kernel_ptab_lock);
    return status == OK;
}

void kunmap_foreign(hpa_t pa)
{
    /* Other CPUs may keep a stale translation: harmless, because an address of the window only ever
     * means the one physical page, and nobody uses it until the page is mapped again. */
    spin_lock(&kernel_ptab_lock);
    ptab_clear(&kernel_ptab, PHYS_WINDOW + pa.v);
    spin_unlock(&kernel_ptab_lock);
    invlpg(PHYS_WINDOW + pa.v);
}

uint64_t kstack_create(void *cpu)
{
    /* Twice the size holds an aligned one. */
    uint64_t top = __atomic_fetch_add(&mmio_next, 2 * KSTACK_SIZE, __ATOMIC_RELAXED);
    top = align_up(top, KSTACK_SIZE) + KSTACK_SIZE;
    for (uint32_t i = 1; i <= KSTACK_PAGES; i++) {
        void *page = kmem_pages(0);
        if (!page || map_kernel(top - i * PAGE_SIZE, kva_to_hpa(page), PAGE_SIZE,
                                MAP_READ | MAP_WRITE) != OK)
            return 0;
    }
    *(void **)(top - 8) = cpu;
    return top - 16;
}

bool kpaging_mapped(uint64_t va)
{
    hpa_t pa;
    uint64_t leaf, size;
    return !kernel_ptab.root || ptab_lookup(&kernel_ptab, va, &pa, &leaf, &size);
}

void kpaging_end_boot(void)
{
    void *free_list = NULL;
    ptab_unmap(&kernel_ptab, (uint64_t)__boot_start, (uint64_t)(__boot_end - __boot_start),
               &free_list);
    kpaging_load_kernel();
    ptab_release(&kernel_ptab, free_list);
}

uint64_t *kpaging_new_root(void)
{
    uint64_t *root = kmem_pages(0);
    if (root)
        memcpy(root + 256, kernel_ptab.root + 256, 256 * sizeof(uint64_t));
    return root;
}

void kpaging_load_kernel(void)
{
    write_cr3(kva_to_hpa(kernel_ptab.root).v);
}
