/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's screen: VGA text memory or a linear framebuffer. */
#ifndef CONSOLE_DISPLAY_H
#define CONSOLE_DISPLAY_H

#include <stdbool.h>
#include "console/config.h"
#include "console/screen.h"

struct display {
    struct root_framebuffer fb;
    uint8_t *memory;
};

/* Maps the memory behind slot and prepares the screen. False: there is none. */
bool display_init(struct display *display, struct screen *screen,
                  const struct console_config *config, uint32_t slot);

#endif
