/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame of the domain XML reader: expat, limits, the stack of open elements, messages. What an
 * element means stands in the tables of domain_elements.c, domain_cputune.c and domain_devices.c.
 */
#include "manager/definition/domain_xml.h"
#include "manager/definition/domain_disk.h"

#include <expat.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATH_SIZE 160u

struct open_element {
    const struct element_rule *rule;
    uint32_t line;
    uint32_t path_length; /* of the path without this element */
};

struct xml_state {
    XML_Parser parser;
    const struct xml_dialect *dialect;
    const char *file;
    char *error;
    char path[PATH_SIZE]; /* of the innermost open element, without the root */
    struct open_element open[DOMAIN_XML_MAX_DEPTH];
    uint32_t depth;
    uint32_t skip_depth; /* 0: not inside an ignored element */
    size_t text_length;
    char text[DOMAIN_XML_MAX_TEXT];
};

/* expat marks names in a namespace with "URI|name". */
#define NAMESPACE_SEPARATOR '|'

static struct xml_state *state_of(struct xml_reader *reader)
{
    return reader->state;
}

static void report(struct xml_reader *reader, uint32_t line, const char *format, va_list args)
{
    struct xml_state *state = state_of(reader);
    if (reader->failed)
        return;
    reader->failed = true;
    int used =
        snprintf(state->error, DOMAIN_XML_ERROR, "%s:%u: <%s%s%s>: ", state->file, (unsigned)line,
                 state->dialect->root, state->path[0] ? "/" : "", state->path);
    if (used > 0 && (size_t)used < DOMAIN_XML_ERROR)
        vsnprintf(state->error + used, DOMAIN_XML_ERROR - (size_t)used, format, args);
    /* The text comes from the file and goes to a terminal. */
    for (char *p = state->error; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
    XML_StopParser(state->parser, XML_FALSE);
}

void xml_refuse(struct xml_reader *reader, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(reader, reader->line, format, args);
    va_end(args);
}

void xml_refuse_at(struct xml_reader *reader, const char *path, uint32_t line, const char *format,
                   ...)
{
    va_list args;
    if (!reader->failed)
        snprintf(state_of(reader)->path, PATH_SIZE, "%s", path);
    va_start(args, format);
    report(reader, line, format, args);
    va_end(args);
}

const char *xml_attr(const char **attrs, const char *name)
{
    for (; attrs[0]; attrs += 2) {
        if (!strcmp(attrs[0], name))
            return attrs[1];
    }
    return NULL;
}

/* True if `word` is one of those in "a|b|c". */
static bool in_list(const char *list, const char *word)
{
    size_t length = strlen(word);
    while (list) {
        const char *bar = strchr(list, '|');
        size_t item = bar ? (size_t)(bar - list) : strlen(list);
        if (item == length && !strncmp(list, word, length))
            return true;
        list = bar ? bar + 1 : NULL;
    }
    return false;
}

bool xml_attr_in(struct xml_reader *reader, const char **attrs, const char *name,
                 const char *values)
{
    const char *value = xml_attr(attrs, name);
    if (!value || in_list(values, value))
        return true;
    xml_refuse(reader, "%s=\"%.64s\" cannot be honoured; possible: %s", name, value, values);
    return false;
}

static const struct element_rule *find_rule(const struct xml_dialect *dialect, const char *path)
{
    for (const struct element_rule *const *table = dialect->tables; *table; table++) {
        for (const struct element_rule *r = *table; r->path; r++) {
            if (!strcmp(r->path, path))
                return r;
        }
    }
    return NULL;
}

/* Appends an element's name to the path; false if it does not fit. */
static bool push_path(struct xml_state *state, const char *name)
{
    size_t used = strlen(state->path);
    const char *local = strrchr(name, NAMESPACE_SEPARATOR);
    size_t uri = local ? (size_t)(local - name) : 0;
    const char *prefix = "";
    if (local) {
        const char *own_uri = state->dialect->name_uri;
        bool own = uri == strlen(own_uri) && !strncmp(name, own_uri, uri);
        prefix = own ? "mullion:" : "*:";
        name = local + 1;
    }
    int length =
        snprintf(state->path + used, PATH_SIZE - used, "%s%s%s", used ? "/" : "", prefix, name);
    if (length < 0 || (size_t)length >= PATH_SIZE - used) {
        state->path[used] = 0;
        return false;
    }
    return true;
}

static void check_attributes(struct xml_reader *reader, const struct element_rule *rule,
                             const char **attrs)
{
    if (rule->ignored || (rule->attrs && !strcmp(rule->attrs, "*")))
        return;
    for (; attrs[0]; attrs += 2) {
        if (!rule->attrs || !in_list(rule->attrs, attrs[0]))
            xml_refuse(reader, "attribute %.64s is not supported", attrs[0]);
    }
}

static void begin_root(struct xml_reader *reader, const char *name, const char **attrs)
{
    const struct xml_dialect *dialect = state_of(reader)->dialect;
    if (strcmp(name, dialect->root))
        xml_refuse(reader, "the root element is <%.64s>, not <%s>", name, dialect->root);
    else
        dialect->begin_root(reader, attrs);
}

static void begin_domain(struct xml_reader *reader, const char **attrs)
{
    const char *type = xml_attr(attrs, "type");
    if (!type || strcmp(type, "kvm"))
        xml_refuse(reader, "type=\"%.64s\"; only type=\"kvm\" definitions can run here",
                   type ? type : "");
    for (; attrs[0]; attrs += 2) {
        if (strcmp(attrs[0], "type") && strcmp(attrs[0], "id"))
            xml_refuse(reader, "attribute %.64s is not supported", attrs[0]);
    }
}

static void begin_element(struct xml_reader *reader, const char *name, const char **attrs)
{
    struct xml_state *state = state_of(reader);
    struct open_element *element = &state->open[state->depth];
    if (!push_path(state, name)) {
        xml_refuse(reader, "the name of an element in it is too long");
        return;
    }
    const struct element_rule *rule = find_rule(state->dialect, state->path);
    element->rule = rule;
    /* Other programs keep notes of their own here, each in its own namespace. */
    if (!rule && !strncmp(state->path, "metadata/*:", 11)) {
        state->skip_depth = state->depth + 1;
        return;
    }
    if (!rule) {
        const char *why = state->dialect->refusal(state->path);
        xml_refuse(reader, "%s", why ? why : "this element is not supported");
        return;
    }
    if (rule->ignored)
        state->skip_depth = state->depth + 1;
    check_attributes(reader, rule, attrs);
    if (rule->begin && !reader->failed)
        rule->begin(reader, attrs);
}

static void XMLCALL on_start(void *user, const char *name, const char **attrs)
{
    struct xml_reader *reader = user;
    struct xml_state *state = state_of(reader);
    if (reader->failed)
        return;
    reader->line = (uint32_t)XML_GetCurrentLineNumber(state->parser);
    if (state->depth == DOMAIN_XML_MAX_DEPTH) {
        xml_refuse(reader, "more than %u elements inside each other", DOMAIN_XML_MAX_DEPTH);
        return;
    }
    struct open_element *element = &state->open[state->depth];
    element->path_length = (uint32_t)strlen(state->path);
    element->line = reader->line;
    element->rule = NULL;
    if (!state->depth)
        begin_root(reader, name, attrs);
    else if (!state->skip_depth)
        begin_element(reader, name, attrs);
    state->depth++;
    state->text_length = 0;
}

/* The element's text without the blanks at both ends. */
static const char *trimmed_text(struct xml_state *state)
{
    static const char blanks[] = " \t\r\n";
    state->text[state->text_length] = 0;
    while (state->text_length && strchr(blanks, state->text[state->text_length - 1]))
        state->text[--state->text_length] = 0;
    return state->text + strspn(state->text, blanks);
}

static void XMLCALL on_end(void *user, const char *name)
{
    struct xml_reader *reader = user;
    struct xml_state *state = state_of(reader);
    (void)name;
    if (reader->failed)
        return;
    struct open_element *element = &state->open[--state->depth];
    reader->line = element->line;
    if (element->rule && !state->skip_depth) {
        reader->text = trimmed_text(state);
        reader->rule = element->rule;
        if (element->rule->end)
            element->rule->end(reader);
        else if (reader->text[0])
            xml_refuse(reader, "text where none belongs");
    }
    if (state->skip_depth > state->depth)
        state->skip_depth = 0;
    /* A refusal above keeps its path for the message, which is already written. */
    state->path[element->path_length] = 0;
    state->text_length = 0;
}

static void XMLCALL on_text(void *user, const char *text, int length)
{
    struct xml_reader *reader = user;
    struct xml_state *state = state_of(reader);
    if (reader->failed || state->skip_depth || length <= 0)
        return;
    if ((size_t)length >= DOMAIN_XML_MAX_TEXT - state->text_length) {
        xml_refuse(reader, "more than %u bytes of text", DOMAIN_XML_MAX_TEXT - 1);
        return;
    }
    memcpy(state->text + state->text_length, text, (size_t)length);
    state->text_length += (size_t)length;
}

/* A document type is where entities are declared, and with them every trick of expansion and
 * inclusion. A definition needs none. */
static void XMLCALL on_doctype(void *user, const char *name, const char *system, const char *public,
                               int internal)
{
    struct xml_reader *reader = user;
    (void)name, (void)system, (void)public, (void)internal;
    reader->line = (uint32_t)XML_GetCurrentLineNumber(state_of(reader)->parser);
    xml_refuse(reader, "a document type declaration is not allowed");
}

/* Settings that only contradict each other when all are known. */
static void check_tuning(struct xml_reader *reader)
{
    struct tune_fault fault;
    struct tune *tune = &reader->domain->tune;
    tune->vcpus = reader->domain->vcpus;
    if (reader->failed || tune_check(tune, NULL, &fault))
        return;
    snprintf(state_of(reader)->path, PATH_SIZE, "%s", fault.path);
    reader->line = fault.line;
    xml_refuse(reader, "%s", fault.why);
}

static void check_whole(struct xml_reader *reader)
{
    struct domain *d = reader->domain;
    state_of(reader)->path[0] = 0;
    reader->line = 1;
    if (!d->name[0])
        xml_refuse(reader, "<name> is missing");
    else if (!reader->has_memory)
        xml_refuse(reader, "<memory> is missing");
    else if (!reader->has_type)
        xml_refuse(reader, "<os> with <type>hvm</type> is missing");
    else if (!d->kernel.path[0] && !d->loader.path[0])
        xml_refuse(reader, "<os> names neither a <kernel> nor a <loader>: nothing to boot");
    else if (d->initrd.path[0] && !d->kernel.path[0])
        xml_refuse(reader, "<os> has an <initrd> but no <kernel>");
    else if (d->cmdline[0] && !d->kernel.path[0])
        xml_refuse(reader, "<os> has a <cmdline> but no <kernel>");
    if (reader->has_current && d->current_memory != d->memory && !reader->failed) {
        reader->line = reader->current_line;
        xml_refuse(reader, "<currentMemory> differs from <memory>; a guest starts with all of it");
    }
    if (reader->topology && reader->topology != d->vcpus && !reader->failed) {
        reader->line = reader->topology_line;
        xml_refuse(reader, "<cpu/topology> makes %llu CPUs, <vcpu> says %u",
                   (unsigned long long)reader->topology, (unsigned)d->vcpus);
    }
    d->current_memory = d->memory;
    check_tuning(reader);
    if (!reader->failed)
        disk_check_all(reader);
}

static void set_defaults(struct domain *domain, const char *file)
{
    memset(domain, 0, sizeof(*domain));
    snprintf(domain->file, sizeof(domain->file), "%s", file);
    domain->vcpus = 1;
    domain->on_poweroff = ACTION_DESTROY;
    domain->on_reboot = ACTION_RESTART;
    domain->on_crash = ACTION_DESTROY;
    domain->autostart = true;
    domain->start_order = DOMAIN_NO_ORDER;
    domain->has_kvm_pv = true;
}

bool xml_read(const struct xml_dialect *dialect, struct xml_reader *reader, const char *file,
              const char *text, size_t size, char error[DOMAIN_XML_ERROR])
{
    struct xml_state state = {.dialect = dialect, .file = file, .error = error};
    error[0] = 0;
    if (size > DOMAIN_XML_MAX_SIZE) {
        snprintf(error, DOMAIN_XML_ERROR, "%s:1: <%s>: the file has more than %u bytes", file,
                 dialect->root, DOMAIN_XML_MAX_SIZE);
        return false;
    }
    state.parser = XML_ParserCreateNS(NULL, NAMESPACE_SEPARATOR);
    if (!state.parser) {
        snprintf(error, DOMAIN_XML_ERROR, "%s:1: <%s>: out of memory", file, dialect->root);
        return false;
    }
    reader->state = &state;
    XML_SetUserData(state.parser, reader);
    XML_SetElementHandler(state.parser, on_start, on_end);
    XML_SetCharacterDataHandler(state.parser, on_text);
    XML_SetStartDoctypeDeclHandler(state.parser, on_doctype);
    XML_SetParamEntityParsing(state.parser, XML_PARAM_ENTITY_PARSING_NEVER);
    if (XML_Parse(state.parser, text, (int)size, 1) == XML_STATUS_ERROR && !reader->failed) {
        reader->line = (uint32_t)XML_GetCurrentLineNumber(state.parser);
        xml_refuse(reader, "not well-formed: %s", XML_ErrorString(XML_GetErrorCode(state.parser)));
    }
    if (!reader->failed)
        dialect->check(reader);
    XML_ParserFree(state.parser);
    reader->state = NULL;
    return !reader->failed;
}

struct look {
    XML_Parser parser;
    const char *name;
    bool is_it;
};

static void XMLCALL on_root(void *user, const char *name, const char **attrs)
{
    struct look *look = user;
    (void)attrs;
    look->is_it = !strcmp(name, look->name);
    XML_StopParser(look->parser, XML_FALSE);
}

bool xml_root_is(const char *text, size_t size, const char *name)
{
    struct look look = {.parser = XML_ParserCreate(NULL), .name = name};
    if (look.parser && size <= DOMAIN_XML_MAX_SIZE) {
        XML_SetUserData(look.parser, &look);
        XML_SetStartElementHandler(look.parser, on_root);
        XML_SetParamEntityParsing(look.parser, XML_PARAM_ENTITY_PARSING_NEVER);
        XML_Parse(look.parser, text, (int)size, 1);
    }
    XML_ParserFree(look.parser);
    return look.is_it;
}

bool domain_xml_read(const char *file, const char *text, size_t size, struct domain *domain,
                     char error[DOMAIN_XML_ERROR])
{
    static const struct element_rule *const tables[] = {domain_rules, tune_rules, device_rules,
                                                        NULL};
    static const struct xml_dialect dialect = {"domain",       DOMAIN_XML_NAMESPACE, tables,
                                               domain_refusal, begin_domain,         check_whole};
    struct xml_reader reader = {.domain = domain};
    set_defaults(domain, file);
    return xml_read(&dialect, &reader, file, text, size, error);
}
