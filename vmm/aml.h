/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes ACPI Machine Language: just the terms that the guest's DSDT needs. Once the buffer is full
 * everything is dropped and `overflow` set, so only the end needs a check. */
#ifndef VMM_AML_H
#define VMM_AML_H

#include <stdbool.h>
#include <stdint.h>

#define AML_DEPTH 12u

struct aml {
    uint8_t *bytes;
    uint32_t size, used;
    uint32_t open[AML_DEPTH]; /* where the package lengths of open blocks stand */
    uint32_t depth;
    bool overflow;
};

void aml_init(struct aml *aml, void *bytes, uint32_t size);

/* Blocks: each begin needs its aml_end(). Names are paths such as "\\_SB_" or one 4-letter segment.
 */
void aml_scope(struct aml *aml, const char *path);
void aml_device(struct aml *aml, const char *name);
void aml_package(struct aml *aml, uint8_t elements);
void aml_end(struct aml *aml);

void aml_name(struct aml *aml, const char *name); /* Name (name, the next term) */
void aml_integer(struct aml *aml, uint64_t value);
void aml_string(struct aml *aml, const char *text);
void aml_eisa_id(struct aml *aml, const char *id); /* "PNP0A08" */
void aml_name_integer(struct aml *aml, const char *name, uint64_t value);

/* Name (_CRS, ResourceTemplate { ... }) */
void aml_resources(struct aml *aml);
void aml_resources_end(struct aml *aml);
void aml_resource_ports(struct aml *aml, uint16_t base, uint8_t count);
void aml_resource_irq(struct aml *aml, uint8_t irq);
void aml_resource_fixed_memory(struct aml *aml, uint32_t base, uint32_t size);
void aml_resource_buses(struct aml *aml, uint16_t first, uint16_t last);
/* Windows that a bridge passes down. */
void aml_resource_port_window(struct aml *aml, uint16_t first, uint16_t last);
void aml_resource_memory_window(struct aml *aml, uint32_t first, uint32_t last);

#endif
