/* SPDX-License-Identifier: BSD-2-Clause */
/* What each exit costs, in ticks of the TSC: under -icount one tick is one instruction. Each line
 * is "bench NAME VALUE": the cheapest of BATCHES averages over TIMES runs, minus the empty loop, so
 * that a timer tick of the host in one batch does not count. */
#include "../guest/lib/guest.h"

#define TIMES         200u
#define BATCHES       8u
#define VECTOR        0x51u
#define UART_SCRATCH  0x3ffu
#define PIC_MASK      0x21u
#define TOUCH_BASE    (48u << 20)
#define TOUCH_PAGES   4096u
#define TEST_DEVICE   0x00051b36u
#define VIRTIO_VENDOR 0x1af4u

static uint64_t overhead;
static bool intel; /* the hypercall instruction is the vendor's own */

static uint64_t batch(void (*work)(void))
{
    uint64_t start = rdtsc();
    for (uint32_t i = 0; i < TIMES; i++)
        work();
    return (rdtsc() - start) / TIMES;
}

static uint64_t cheapest(void (*work)(void))
{
    uint64_t best = ~0ull;
    (void)batch(work);
    for (uint32_t i = 0; i < BATCHES; i++) {
        uint64_t cost = batch(work);
        best = cost < best ? cost : best;
    }
    return best;
}

static void bench(const char *name, void (*work)(void))
{
    uint64_t cost = cheapest(work);
    say("bench %s %lu\n", name, cost > overhead ? cost - overhead : 0);
}

static void b_empty(void)
{
    __asm__ volatile("");
}

static void b_cpuid(void)
{
    (void)cpuid(0, 0);
}

static void b_hypercall(void)
{
    uint64_t rax = 0x7fff;
    if (intel)
        __asm__ volatile("vmcall" : "+a"(rax) : : "memory");
    else
        __asm__ volatile("vmmcall" : "+a"(rax) : : "memory");
}

static void b_pio_out(void)
{
    outb(UART_SCRATCH, 0);
}

static void b_pio_in(void)
{
    (void)inb(UART_SCRATCH);
}

static void b_pic(void)
{
    (void)inb(PIC_MASK);
}

static void b_mmio_read(void)
{
    (void)*(volatile uint32_t *)acpi.ecam;
}

/* The vendor ID is read-only: the write goes all the way and changes nothing. */
static void b_mmio_write(void)
{
    *(volatile uint32_t *)acpi.ecam = 0;
}

static void b_rdmsr(void)
{
    (void)rdmsr(MSR_APIC_BASE);
}

static uint64_t apic_base;

static void b_wrmsr(void)
{
    wrmsr(MSR_APIC_BASE, apic_base);
}

static void b_eoi(void)
{
    apic_eoi();
}

static void self_ipi(void)
{
    if (apic_x2)
        wrmsr(0x83f, VECTOR);
    else
        apic_icr(0, ICR_SELF | ICR_FIXED | VECTOR);
}

static void b_self_ipi(void)
{
    uint32_t before = irq_count[VECTOR];
    self_ipi();
    while (irq_count[VECTOR] == before)
        __asm__ volatile("" : : : "memory");
}

static void b_self_ipi_hlt(void)
{
    interrupts_off();
    self_ipi();
    __asm__ volatile("sti; hlt" : : : "memory");
}

static void b_deadline_write(void)
{
    wrmsr(MSR_TSC_DEADLINE, ~0ull >> 8);
}

static void b_deadline_taken(void)
{
    uint32_t before = irq_count[VECTOR];
    wrmsr(MSR_TSC_DEADLINE, rdtsc());
    while (irq_count[VECTOR] == before)
        __asm__ volatile("" : : : "memory");
}

static void b_cr0(void)
{
    uint64_t cr0 = read_cr0();
    write_cr0(cr0 ^ 0x10000);
    write_cr0(cr0);
}

static void b_cr4(void)
{
    uint64_t cr4 = read_cr4();
    write_cr4(cr4 ^ 0x80);
    write_cr4(cr4);
}

/* Not the TPR: for that one QEMU has a special way under KVM, dearer than an exit. */
static void b_xapic_read(void)
{
    (void)apic_read(APIC_SVR);
}

static void b_io_apic(void)
{
    *(volatile uint32_t *)(uint64_t)acpi.io_apic = 1;
}

/* Each page once: 4 KiB steps through memory that nothing has touched yet. */
static void first_touch(void)
{
    volatile uint8_t *p = (volatile uint8_t *)(uint64_t)TOUCH_BASE;
    uint64_t start = rdtsc();
    for (uint32_t i = 0; i < TOUCH_PAGES; i++)
        p[(uint64_t)i * 4096] = 1;
    say("bench first_touch %lu\n", (rdtsc() - start) / TOUCH_PAGES);
}

static uint16_t doorbell_port, doorbell_value;
static volatile uint8_t *doorbell_mmio;
static uint8_t doorbell_data;

static void b_doorbell_pio(void)
{
    if (doorbell_value)
        outb(doorbell_port, doorbell_data);
    else
        outw(doorbell_port, 0);
}

static void b_doorbell_mmio(void)
{
    *doorbell_mmio = doorbell_data;
}

/* QEMU's pci-testdev: its test 2 of each BAR is an ioeventfd that nobody waits for: the bare exit.
 */
static void test_device(uint32_t bdf)
{
    pci_write(bdf, 4, 3);
    volatile uint8_t *bar0 = (volatile uint8_t *)(uint64_t)(pci_read(bdf, 0x10) & ~0xfu);
    uint16_t bar1 = (uint16_t)(pci_read(bdf, 0x14) & 0xfffcu);
    outb(bar1, 2);
    doorbell_port = (uint16_t)(bar1 + inl((uint16_t)(bar1 + 4)));
    doorbell_data = inb((uint16_t)(bar1 + 8));
    doorbell_value = 1;
    bench("doorbell_pio", b_doorbell_pio);
    outb(bar1, 0xff);
    bar0[0] = 2;
    doorbell_mmio = bar0 + *(volatile uint32_t *)(bar0 + 4);
    doorbell_data = bar0[8];
    bench("doorbell_mmio", b_doorbell_mmio);
    bar0[0] = 0xff;
}

/* A virtio device's queue 0, set up and empty; its notify register in an I/O BAR. */
static bool virtio_device(uint32_t bdf)
{
    static uint8_t ring[3][4096] __attribute__((aligned(4096)));
    uint64_t common = 0;
    uint32_t port = 0;
    for (uint32_t p = pci_read(bdf, 0x34) & 0xfc; p; p = pci_read(bdf, p) >> 8 & 0xfc) {
        uint32_t head = pci_read(bdf, p), bar = pci_read(bdf, p + 4) & 7;
        if ((head & 0xff) != 9 || bar > 5)
            continue;
        uint32_t base = pci_read(bdf, 0x10 + 4 * bar), offset = pci_read(bdf, p + 8);
        if (head >> 24 == 1 && !(base & 1))
            common = (base & ~0xfu) + (uint64_t)offset;
        if (head >> 24 == 2 && (base & 1))
            port = (base & 0xfffcu) + offset;
    }
    if (!common || !port)
        return false;
    pci_write(bdf, 4, 7);
    volatile uint8_t *c = (volatile uint8_t *)common;
    c[0x14] = 0;
    c[0x14] = 3;
    *(volatile uint32_t *)(c + 8) = 1;
    *(volatile uint32_t *)(c + 12) = 1;
    c[0x14] = 11;
    *(volatile uint16_t *)(c + 0x16) = 0;
    *(volatile uint16_t *)(c + 0x18) = 8;
    for (uint32_t i = 0; i < 3; i++) {
        *(volatile uint32_t *)(c + 0x20 + 8 * i) = (uint32_t)(uint64_t)ring[i];
        *(volatile uint32_t *)(c + 0x24 + 8 * i) = 0;
    }
    *(volatile uint16_t *)(c + 0x1c) = 1;
    c[0x14] = 15;
    doorbell_port = (uint16_t)port;
    doorbell_value = 0;
    /* Until who is woken has had the time that it was owed, and finds several rings at once. */
    for (uint32_t i = 0; i < 100; i++)
        (void)batch(b_doorbell_pio);
    bench("doorbell_pio", b_doorbell_pio);
    c[0x14] = 0;
    return true;
}

static void doorbells(void)
{
    for (uint32_t bdf = 0; bdf < 256; bdf += 8)
        if (pci_read(bdf, 0) == TEST_DEVICE) {
            test_device(bdf);
            return;
        }
    for (uint32_t bdf = 0; bdf < 256; bdf += 8)
        if ((pci_read(bdf, 0) & 0xffff) == VIRTIO_VENDOR && virtio_device(bdf))
            return;
}

static volatile uint32_t peer_up;

static void peer_answers(struct trap_frame *f)
{
    (void)f;
    irq_count[VECTOR + 1]++;
    apic_eoi();
    if (apic_id() != acpi.apic_id[0])
        apic_icr(acpi.apic_id[0], ICR_FIXED | (VECTOR + 1));
}

static void peer(uint32_t cpu)
{
    (void)cpu;
    peer_up = 1;
    for (;;)
        wait_for_interrupt();
}

static void b_ipi(void)
{
    apic_icr(smp_apic_id(1), ICR_FIXED | (VECTOR + 1));
    wait_for_interrupt();
}

static void two_cpus(void)
{
    if (acpi.cpus < 2 || smp_start() == 0)
        return;
    trap_set(VECTOR + 1, peer_answers);
    smp_run(1, peer);
    while (!peer_up)
        pause_cpu();
    bench("ipi_halted_round_trip", b_ipi);
}

static bool accelerated(void)
{
    return (cpuid(1, 0).ecx >> 31 & 1) && cpuid(0x40000000u, 0).ebx != 0x54474354; /* "TCGT" */
}

static void interrupts(void)
{
    interrupts_on();
    bench("self_ipi", b_self_ipi);
    bench("self_ipi_hlt", b_self_ipi_hlt);
    if (cpuid(1, 0).ecx >> 24 & 1) {
        apic_write(APIC_LVT_TIMER, LVT_DEADLINE | VECTOR);
        bench("deadline_write", b_deadline_write);
        wrmsr(MSR_TSC_DEADLINE, 0);
        bench("deadline_taken", b_deadline_taken);
        apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR);
    }
    interrupts_off();
}

void guest_main(void)
{
    uint64_t entered = rdtsc();
    pic_init(0xff, 0xff);
    trap_set(VECTOR, irq_counted);
    apic_init(false);
    apic_base = rdmsr(MSR_APIC_BASE);
    overhead = cheapest(b_empty);
    intel = cpuid(0, 0).ebx == 0x756e6547; /* "Genu" */
    say("info entered at %lu, empty loop %lu\n", entered, overhead);
    first_touch();
    bench("cpuid", b_cpuid);
    if (accelerated())
        bench("hypercall", b_hypercall);
    bench("pio_vmm_out", b_pio_out);
    bench("pio_vmm_in", b_pio_in);
    bench("pio_pic", b_pic);
    if (acpi.ecam) {
        bench("mmio_vmm_read", b_mmio_read);
        bench("mmio_vmm_write", b_mmio_write);
    }
    bench("xapic_read", b_xapic_read);
    bench("io_apic_write", b_io_apic);
    bench("cr0_wp_twice", b_cr0);
    bench("cr4_pge_twice", b_cr4);
    doorbells();
    apic_init(apic_has_x2());
    say("info x2apic %u\n", apic_x2);
    apic_base = rdmsr(MSR_APIC_BASE);
    bench("rdmsr", b_rdmsr);
    bench("wrmsr", b_wrmsr);
    bench("apic_eoi", b_eoi);
    interrupts();
    two_cpus();
    check("exits.all_measured", true);
}
