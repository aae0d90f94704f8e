/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes to a guest's CPU settings that the console asks for: schedinfo, vcpupin, emulatorpin. */
#ifndef MANAGER_GUEST_TUNE_EDIT_H
#define MANAGER_GUEST_TUNE_EDIT_H

#include "manager/protocol.h"
#include "manager/definition/tune.h"

/* Both change *tune, or return why not, in libvirt's words, and have then changed part of it. */
const char *tune_edit_values(struct tune *tune, const struct mgr_tune_set *set);
const char *tune_edit_pin(struct tune *tune, const struct mgr_pin_set *set);
/* What schedinfo shows. */
void tune_values(const struct tune *tune, struct mgr_tune *out);

#endif
