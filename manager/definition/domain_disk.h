/* SPDX-License-Identifier: BSD-2-Clause */
/* Handlers of <disk>, for the table of rules in domain_devices.c. */
#ifndef MANAGER_DEFINITION_DOMAIN_DISK_H
#define MANAGER_DEFINITION_DOMAIN_DISK_H

#include "manager/definition/domain_xml.h"

void disk_begin(struct xml_reader *r, const char **attrs);
void disk_begin_driver(struct xml_reader *r, const char **attrs);
void disk_begin_source(struct xml_reader *r, const char **attrs);
void disk_begin_base(struct xml_reader *r, const char **attrs);
void disk_begin_base_format(struct xml_reader *r, const char **attrs);
void disk_begin_base_source(struct xml_reader *r, const char **attrs);
void disk_begin_target(struct xml_reader *r, const char **attrs);
void disk_end_serial(struct xml_reader *r);
void disk_begin_readonly(struct xml_reader *r, const char **attrs);
void disk_begin_transient(struct xml_reader *r, const char **attrs);
void disk_begin_boot(struct xml_reader *r, const char **attrs);
void disk_begin_blockio(struct xml_reader *r, const char **attrs);
/* Any child of <iotune>. */
void disk_end_limit(struct xml_reader *r);
void disk_end_iotune(struct xml_reader *r);
void disk_end(struct xml_reader *r);
/* <mullion:overlay> in <metadata>. */
void disk_begin_overlay(struct xml_reader *r, const char **attrs);
/* When all is read: overlays, order. */
void disk_check_all(struct xml_reader *r);

#endif
