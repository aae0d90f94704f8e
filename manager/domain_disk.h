/* SPDX-License-Identifier: BSD-2-Clause */
/* Handlers of <disk>, for the table of rules in domain_devices.c. */
#ifndef MANAGER_DOMAIN_DISK_H
#define MANAGER_DOMAIN_DISK_H

#include "manager/domain_xml.h"

void disk_begin(struct xml_reader *r, const char **attrs);
void disk_begin_driver(struct xml_reader *r, const char **attrs);
void disk_begin_source(struct xml_reader *r, const char **attrs);
void disk_begin_target(struct xml_reader *r, const char **attrs);
void disk_end_serial(struct xml_reader *r);
void disk_begin_readonly(struct xml_reader *r, const char **attrs);
void disk_begin_transient(struct xml_reader *r, const char **attrs);
void disk_begin_boot(struct xml_reader *r, const char **attrs);
void disk_begin_blockio(struct xml_reader *r, const char **attrs);
void disk_end_total_bytes(struct xml_reader *r);
void disk_end_read_bytes(struct xml_reader *r);
void disk_end_write_bytes(struct xml_reader *r);
void disk_end_total_iops(struct xml_reader *r);
void disk_end_read_iops(struct xml_reader *r);
void disk_end_write_iops(struct xml_reader *r);
void disk_end_iotune(struct xml_reader *r);
void disk_end(struct xml_reader *r);
/* <mullion:overlay> in <metadata>. */
void disk_begin_overlay(struct xml_reader *r, const char **attrs);
/* When all is read: overlays, order. */
void disk_check_all(struct xml_reader *r);

#endif
