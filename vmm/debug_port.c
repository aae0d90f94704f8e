/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "vmm/debug_port.h"

#define SIGNATURE   0xe9u
#define LINES_PER_S 200u /* the log is shared: a guest may fill its part of it, not all */

static void flush(struct debug_port *port)
{
    uint64_t now = clock_ns(port->machine);
    if (now - port->window_ns >= NS_PER_S) {
        port->window_ns = now;
        port->lines = 0;
    }
    port->line[port->length] = 0;
    if (port->lines < LINES_PER_S)
        log_line("debug: %s", port->line);
    else
        port->suppressed++;
    port->lines++;
    port->length = 0;
}

static uint64_t port_read(void *dev, uint64_t offset, unsigned size)
{
    (void)dev, (void)offset, (void)size;
    return SIGNATURE;
}

static void port_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    (void)offset, (void)size;
    struct debug_port *port = dev;
    char byte = (char)value;
    port->bytes++;
    if (byte == '\n') {
        flush(port);
        return;
    }
    if (byte == '\r' || byte == 0)
        return;
    /* Escape sequences must not reach the terminal of whoever reads the log. */
    port->line[port->length++] = (byte >= ' ' && byte <= '~') || byte == '\t' ? byte : '?';
    if (port->length == DEBUG_PORT_LINE)
        flush(port);
}

void debug_port_init(struct debug_port *port, struct machine *machine)
{
    static const struct region_ops ops = {port_read, port_write};
    static const uint16_t base[2] = {0x402, 0xe9};
    memset(port, 0, sizeof *port);
    port->machine = machine;
    for (unsigned i = 0; i < 2; i++) {
        port->region[i] = (struct pio_region){.base = base[i],
                                              .count = 1,
                                              .max_size = 1,
                                              .ops = &ops,
                                              .dev = port,
                                              .name = "debug port"};
        pio_add(machine, &port->region[i]);
    }
}
