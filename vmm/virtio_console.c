/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/virtio_console.h"

#define F_SIZE        (1ull << 0)
#define F_EMERG_WRITE (1ull << 2)

#define CONFIG_COLS         0u
#define CONFIG_ROWS         2u
#define CONFIG_PORTS        4u
#define CONFIG_EMERG_WRITE  8u
#define CONSOLE_CONFIG_SIZE 12u

#define QUEUE_RX 0u
#define QUEUE_TX 1u

/* A console that takes nothing for so long is gone; its guest must not stand for it. */
#define CONSOLE_STALL_NS NS_PER_S

/* --- guest to channel --- */

/* Bytes of the chain from `sent` on that the channel took. */
static void send_part(struct virtio_console *console)
{
    const struct vq_chain *chain = &console->sending;
    uint64_t skip = console->sent;
    for (uint32_t i = 0; i < chain->out_count; i++) {
        const struct vq_buffer *buffer = &chain->buffer[i];
        if (skip >= buffer->len) {
            skip -= buffer->len;
            continue;
        }
        size_t want = buffer->len - (size_t)skip, done = want;
        if (console->channel)
            done = console->channel->write(console->channel->ctx, buffer->data + skip, want);
        console->sent += done;
        console->bytes_out += done;
        skip = 0;
        if (done < want)
            return;
    }
}

static void console_transmit(struct virtio_console *console)
{
    struct virtio_pci *virtio = &console->virtio;
    for (;;) {
        if (!console->sending_valid) {
            if (!virtio_pop(virtio, QUEUE_TX, &console->sending))
                break;
            console->sending_valid = true;
            console->sent = 0;
        }
        send_part(console);
        if (console->sent < console->sending.out_len) {
            if (console->stalled.place == 0)
                timer_arm(virtio->machine, &console->stalled,
                          clock_ns(virtio->machine) + CONSOLE_STALL_NS);
            break;
        }
        timer_cancel(virtio->machine, &console->stalled);
        console->sending_valid = false;
        virtio_push(virtio, QUEUE_TX, &console->sending, 0);
    }
    virtio_interrupt(virtio, QUEUE_TX);
}

static void console_stalled(void *dev)
{
    struct virtio_console *console = dev;
    if (!console->sending_valid)
        return;
    console->dropped += console->sending.out_len - console->sent;
    console->sent = console->sending.out_len;
    console_transmit(console);
}

/* --- channel to guest --- */

static size_t fill_from_channel(struct virtio_console *console)
{
    const struct vq_chain *chain = &console->receiving;
    size_t done = 0;
    for (uint32_t i = 0; i < chain->in_count; i++) {
        const struct vq_buffer *buffer = &chain->buffer[chain->out_count + i];
        size_t count = console->channel->read(console->channel->ctx, buffer->data, buffer->len);
        done += count;
        if (count < buffer->len)
            break;
    }
    return done;
}

static void console_receive(struct virtio_console *console)
{
    struct virtio_pci *virtio = &console->virtio;
    while (console->channel) {
        if (!console->receiving_valid && !virtio_pop(virtio, QUEUE_RX, &console->receiving))
            break;
        console->receiving_valid = true;
        size_t count = fill_from_channel(console);
        if (count == 0 && console->receiving.in_len)
            break; /* kept until something is typed */
        console->bytes_in += count;
        console->receiving_valid = false;
        virtio_push(virtio, QUEUE_RX, &console->receiving, (uint32_t)count);
    }
    virtio_interrupt(virtio, QUEUE_RX);
}

static void console_notify(void *dev, unsigned queue)
{
    if (queue == QUEUE_TX)
        console_transmit(dev);
    else
        console_receive(dev);
}

void virtio_console_channel_event(struct virtio_console *console)
{
    if (console->sending_valid)
        console_transmit(console);
    console_receive(console);
}

/* --- configuration --- */

static void console_config_written(void *dev, unsigned offset, unsigned size)
{
    struct virtio_console *console = dev;
    if (offset > CONFIG_EMERG_WRITE || offset + size <= CONFIG_EMERG_WRITE)
        return;
    uint8_t byte = console->virtio.config[CONFIG_EMERG_WRITE];
    if (console->channel)
        console->dropped += console->channel->write(console->channel->ctx, &byte, 1) == 0;
    console->bytes_out++;
}

void virtio_console_resize(struct virtio_console *console, uint16_t columns, uint16_t rows)
{
    virtio_set_config(&console->virtio, CONFIG_COLS, 4, (uint32_t)rows << 16 | columns);
}

static void console_reset(void *dev)
{
    struct virtio_console *console = dev;
    console->sending_valid = console->receiving_valid = false;
    timer_cancel(console->virtio.machine, &console->stalled);
}

void virtio_console_init(struct virtio_console *console, struct pci_bus *bus, unsigned slot,
                         uint8_t interrupt_line, struct byte_channel *channel)
{
    static const struct virtio_type type = {.name = "virtio-console",
                                            .id = 3,
                                            .class_code = 0x078000,
                                            .queues = 2,
                                            .queue_size = 64,
                                            .features = F_SIZE | F_EMERG_WRITE,
                                            .config_size = CONSOLE_CONFIG_SIZE,
                                            .queue_notify = console_notify,
                                            .config_written = console_config_written,
                                            .reset = console_reset};
    memset(console, 0, sizeof *console);
    console->channel = channel;
    console->stalled = (struct dev_timer){.fire = console_stalled, .dev = console};
    virtio_pci_init(&console->virtio, bus, slot, interrupt_line, &type, console);
    memset(console->virtio.config_writable + CONFIG_EMERG_WRITE, 0xff, 4);
    virtio_set_config(&console->virtio, CONFIG_COLS, 4, 24u << 16 | 80);
    virtio_set_config(&console->virtio, CONFIG_PORTS, 4, 1);
}
