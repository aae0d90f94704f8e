/* SPDX-License-Identifier: BSD-2-Clause */
/* Handlers of <interface>, for the table of rules in domain_devices.c. */
#ifndef MANAGER_DEFINITION_DOMAIN_INTERFACE_H
#define MANAGER_DEFINITION_DOMAIN_INTERFACE_H

#include "manager/definition/domain_xml.h"

void interface_begin(struct xml_reader *r, const char **attrs);
void interface_begin_mac(struct xml_reader *r, const char **attrs);
void interface_begin_source(struct xml_reader *r, const char **attrs);
void interface_begin_model(struct xml_reader *r, const char **attrs);
void interface_begin_target(struct xml_reader *r, const char **attrs);
void interface_begin_driver(struct xml_reader *r, const char **attrs);
void interface_begin_host(struct xml_reader *r, const char **attrs);
void interface_begin_guest(struct xml_reader *r, const char **attrs);
void interface_begin_vlan(struct xml_reader *r, const char **attrs);
void interface_begin_tag(struct xml_reader *r, const char **attrs);
void interface_begin_inbound(struct xml_reader *r, const char **attrs);
void interface_begin_outbound(struct xml_reader *r, const char **attrs);
void interface_begin_link(struct xml_reader *r, const char **attrs);
void interface_begin_filter(struct xml_reader *r, const char **attrs);
void interface_begin_parameter(struct xml_reader *r, const char **attrs);
void interface_end_filter(struct xml_reader *r);
void interface_begin_mtu(struct xml_reader *r, const char **attrs);
void interface_begin_boot(struct xml_reader *r, const char **attrs);
void interface_begin_port(struct xml_reader *r, const char **attrs);
void interface_begin_rom(struct xml_reader *r, const char **attrs);
void interface_end(struct xml_reader *r);

#endif
