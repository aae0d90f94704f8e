/* SPDX-License-Identifier: BSD-2-Clause */
/* The text of /metrics against the grammar of Prometheus' exposition format 0.0.4, with its rules:
 * a family's lines stand together, HELP and TYPE first, no sample twice, counters end with _total.
 */
#include "test.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include "net/ip/metrics.c"

static struct figures figures;
static char text[4u << 20];
static size_t size;

static void render(void)
{
    struct metrics_at at = {0};
    char line[METRICS_LINE];
    size = 0;
    for (size_t n; (n = metrics_line(&figures, &at, line)) != 0; size += n)
        memcpy(text + size, line, n);
    text[size] = 0;
}

static void fill(const char *domain)
{
    memset(&figures, 0, sizeof(figures));
    figures.cpus = 2;
    figures.domains = 2;
    figures.vcpus = 3;
    figures.disks = 1;
    figures.interfaces = 2;
    snprintf(figures.node.version, sizeof(figures.node.version), "1.0");
    snprintf(figures.domain[0].name, MGR_NAME, "%s", domain);
    snprintf(figures.domain[1].name, MGR_NAME, "second");
    figures.domain[0].state = VM_RUNNING;
    figures.domain[0].cpu_ns = 1234567890123456789u;
    figures.vcpu[1].vcpu = 1;
    figures.vcpu[2].domain = 1;
    figures.vcpu[2].stat[STAT_HLT] = UINT64_MAX;
    snprintf(figures.disk[0].target, 16, "vda");
    figures.disk[0].sectors = 2048;
    figures.interface[0].domain = FIGURES_HOST;
    snprintf(figures.interface[0].target, 16, "host");
    figures.interface[1].domain = 1;
    snprintf(figures.interface[1].target, 16, "vnet0");
}

static const char *name_end(const char *p)
{
    if (!isalpha((unsigned char)*p) && *p != '_' && *p != ':')
        return NULL;
    while (isalnum((unsigned char)*p) || *p == '_' || *p == ':')
        p++;
    return p;
}

/* {name="value",...}: behind it, or NULL. */
static const char *labels_end(const char *p)
{
    for (p++;; p++) {
        p = name_end(p);
        if (!p || p[0] != '=' || p[1] != '"')
            return NULL;
        for (p += 2; *p != '"'; p++) {
            if (!*p || *p == '\n' || (*p == '\\' && !strchr("\\\"n", *++p)))
                return NULL;
        }
        if (*++p == '}')
            return p + 1;
        if (*p != ',')
            return NULL;
    }
}

static bool is_sample(const char *p)
{
    p = name_end(p);
    if (p && *p == '{')
        p = labels_end(p);
    if (!p || *p++ != ' ' || !isdigit((unsigned char)*p))
        return false;
    while (isdigit((unsigned char)*p))
        p++;
    if (*p == '.') {
        for (p++; isdigit((unsigned char)*p); p++)
            ;
    }
    return !*p;
}

/* NULL, or the line that is wrong. */
static const char *check_text(void)
{
    static char seen[256][80], samples[8192][300];
    static char copy[sizeof(text)];
    uint32_t known = 0, count = 0;
    char family[80] = "", *rest = copy;
    bool has_type = false, counter = false;
    memcpy(copy, text, size + 1);
    for (char *line; (line = strsep(&rest, "\n")) && (rest || *line);) {
        char name[80], word[300];
        if (!rest)
            return "the last line does not end";
        if (sscanf(line, "# HELP %79s %299[^\n]", name, word) == 2) {
            for (uint32_t i = 0; i < known; i++) {
                if (!strcmp(seen[i], name))
                    return line;
            }
            strcpy(seen[known++], name);
            strcpy(family, name);
            has_type = false;
        } else if (sscanf(line, "# TYPE %79s %299s", name, word) == 2) {
            counter = !strcmp(word, "counter");
            size_t length = strlen(name);
            bool total = length > 6 && !strcmp(name + length - 6, "_total");
            if (strcmp(name, family) || has_type || (!counter && strcmp(word, "gauge")) ||
                counter != total)
                return line;
            has_type = true;
        } else {
            size_t length = strcspn(line, "{ ");
            if (!has_type || !is_sample(line) || strlen(family) != length ||
                strncmp(line, family, length))
                return line;
            snprintf(samples[count], sizeof(samples[0]), "%.*s", (int)(strrchr(line, ' ') - line),
                     line);
            for (uint32_t i = 0; i < count; i++) {
                if (!strcmp(samples[i], samples[count]))
                    return line;
            }
            count++;
        }
    }
    return count ? NULL : "nothing";
}

TEST(the_text_follows_the_grammar)
{
    fill("alpha");
    render();
    const char *wrong = check_text();
    if (wrong)
        printf("%s\n", wrong);
    CHECK(!wrong);
    CHECK_EQ(metrics_size(&figures), size);
}

TEST(values_are_in_base_units)
{
    fill("alpha");
    render();
    CHECK(strstr(text, "\nmullion_domain_cpu_seconds_total{domain=\"alpha\"} "
                       "1234567890.123456789\n"));
    CHECK(strstr(text, "\nmullion_disk_size_bytes{domain=\"alpha\",disk=\"vda\"} 1048576\n"));
    CHECK(strstr(text, "\nmullion_vcpu_exits_total{domain=\"second\",vcpu=\"0\",reason=\"hlt\"} "
                       "18446744073709551615\n"));
    CHECK(strstr(text, "{domain=\"\",interface=\"host\"}"));
    CHECK(strstr(text, "{domain=\"second\",interface=\"vnet0\"}"));
    CHECK(strstr(text, "mullion_domain_info{domain=\"second\",state=\"shut off\"} 1\n"));
}

TEST(names_cannot_break_out_of_their_label)
{
    fill("a\"} 1\nx\\\xff");
    render();
    CHECK(strstr(text, "domain=\"a\\\"} 1?x\\\\?\""));
    CHECK(!check_text());
    fill("\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\""
         "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"");
    render();
    CHECK(!check_text());
}

TEST(families_without_samples_are_left_out)
{
    memset(&figures, 0, sizeof(figures));
    render();
    CHECK(!check_text());
    CHECK(!strstr(text, "vcpu") && !strstr(text, "disk"));
}

TEST(the_largest_picture)
{
    fill("alpha");
    figures.cpus = FIGURES_CPUS;
    figures.domains = FIGURES_DOMAINS;
    figures.vcpus = FIGURES_VCPUS;
    figures.disks = FIGURES_DISKS;
    figures.interfaces = FIGURES_INTERFACES;
    for (uint32_t i = 0; i < FIGURES_VCPUS; i++)
        figures.vcpu[i].domain = UINT32_MAX - i; /* no such domain */
    render();
    CHECK_EQ(metrics_size(&figures), size);
    CHECK(size > 1000000);
}
