/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads libvirt's domain XML. docs/domain-xml.md lists every element. */
#ifndef MANAGER_DEFINITION_DOMAIN_XML_H
#define MANAGER_DEFINITION_DOMAIN_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "manager/definition/domain.h"

#define DOMAIN_XML_MAX_SIZE  (256u * 1024) /* bytes of one file */
#define DOMAIN_XML_MAX_DEPTH 12u           /* elements inside each other */
#define DOMAIN_XML_MAX_TEXT  4096u         /* bytes of text of one element */
#define DOMAIN_XML_ERROR     512u

/* Namespace of Mullion's own elements in <metadata>. */
#define DOMAIN_XML_NAMESPACE "urn:mullion:domain:1"

/* Reads one definition. file is its name, for messages. On failure returns false and `error` holds
 * "FILE:LINE: <path/of/element>: reason". */
bool domain_xml_read(const char *file, const char *text, size_t size, struct domain *domain,
                     char error[DOMAIN_XML_ERROR]);

struct element_rule;
struct network;
struct host_net;

struct xml_overlay {
    char target[16];
    uint64_t size; /* bytes */
    uint32_t line;
};

/* --- for the handlers of single elements (domain_elements.c, domain_cputune.c,
 * domain_devices.c, domain_disk.c) --- */
struct xml_reader {
    struct domain *domain;
    struct network *network;         /* if it is a <network> that is read (network_xml.c) */
    struct host_net *host;           /* if it is a <host> (host_xml.c) */
    const char *text;                /* of the element that ends: blanks at both ends removed */
    const struct element_rule *rule; /* of the element that ends */
    uint32_t line;                   /* where the element began */
    bool failed;
    /* What handlers of one element leave for another. */
    char memory_unit[16];
    char current_unit[16];
    uint64_t topology; /* product of the topology's counts; 0: none given */
    uint32_t topology_line, serials, consoles, rngs, balloons;
    bool console_has_target, clock_variable, has_vcpu, has_memory, has_current, has_type;
    bool vlan_trunk;
    uint32_t current_line;
    struct xml_overlay overlay[VMM_MAX_DISKS];
    uint32_t overlays;
    void *state; /* the parser's own */
};

/* Refuses the element that is being read. The first reason given wins. */
__attribute__((format(printf, 2, 3))) void xml_refuse(struct xml_reader *reader, const char *format,
                                                      ...);
/* Value of an attribute, or NULL. */
const char *xml_attr(const char **attrs, const char *name);
/* True if the attribute is missing or has one of the values ("a|b|c"); else refuses. */
bool xml_attr_in(struct xml_reader *reader, const char **attrs, const char *name,
                 const char *values);

struct element_rule {
    const char *path;  /* below the root: "os/kernel" */
    const char *attrs; /* names that are understood, "a|b"; "*": any; NULL: none */
    /* Called at the start tag with the attributes; at the end tag with the text. */
    void (*begin)(struct xml_reader *reader, const char **attrs);
    void (*end)(struct xml_reader *reader);
    /* Not NULL: the element and all in it is skipped, for this reason. */
    const char *ignored;
};
/* The tables of rules; each ends with a NULL path. */
extern const struct element_rule domain_rules[];
extern const struct element_rule tune_rules[];
extern const struct element_rule device_rules[];
/* Why a well-known element is refused; NULL: no better reason than that it is unknown. */
const char *domain_refusal(const char *path);

/* A kind of document. */
struct xml_dialect {
    const char *root;                         /* name of the root element */
    const char *name_uri;                     /* namespace of Mullion's own elements */
    const struct element_rule *const *tables; /* ends with NULL */
    const char *(*refusal)(const char *path);
    void (*begin_root)(struct xml_reader *reader, const char **attrs);
    void (*check)(struct xml_reader *reader); /* what can only be judged when all is read */
};
/* Reads a document into what `reader` points to; on failure `error` holds "FILE:LINE: <path>:
 * reason". */
bool xml_read(const struct xml_dialect *dialect, struct xml_reader *reader, const char *file,
              const char *text, size_t size, char error[DOMAIN_XML_ERROR]);
/* The document's root element has this name. */
bool xml_root_is(const char *text, size_t size, const char *name);
/* Refuses an element that was read before: path below the root, and its line. */
__attribute__((format(printf, 4, 5))) void xml_refuse_at(struct xml_reader *reader,
                                                         const char *path, uint32_t line,
                                                         const char *format, ...);

#endif
