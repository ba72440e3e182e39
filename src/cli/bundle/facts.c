// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/bundle/facts.h"

#include "base/memory.h"
#include "base/text.h"
#include "cli/moment.h"
#include "link/tls/certificate.h"
#include "link/tls/pem.h"
#include "link/tls/revocation.h"
#include "link/tls/sha256.h"
#include "os/process/helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 4 * 1024 * 1024, OUTPUT_MAX = 4 * 1024 * 1024, COMMAND_S = 10 };

static void write_moment(FILE *out, const char *what, usec_t at)
{
    char text[MOMENT_TEXT_SIZE];
    fprintf(out, "  %-12s %s\n", what, at == USEC_NEVER ? "never" : moment_text(text, (time_t)(at / USEC_PER_SEC)));
}

static void write_digest(FILE *out, const struct blob *der)
{
    uint8_t digest[SHA256_SIZE];
    tls_sha256(digest, der->bytes, der->len);
    fprintf(out, "  %-12s ", "sha256");
    for (size_t i = 0; i < sizeof digest; i++)
        fprintf(out, "%02x", digest[i]);
    putc('\n', out);
}

static void write_certificate(FILE *out, const struct blob *der)
{
    char names[CERTIFICATE_NAMES_SIZE], serial[CERTIFICATE_SERIAL_SIZE];
    struct certificate certificate;
    if (!certificate_parse(&certificate, der->bytes, der->len)) {
        fprintf(out, "  a certificate that cannot be parsed\n");
        return;
    }
    fprintf(out, "  %-12s %s%s\n", "certificate", certificate_names_text(&certificate, names),
            certificate.is_ca ? " (a CA)" : "");
    fprintf(out, "  %-12s %s\n", "serial", certificate_serial_text(&certificate, serial));
    write_moment(out, "from", certificate.not_before);
    write_moment(out, "until", certificate.not_after);
    fprintf(out, "  %-12s%s%s%s\n", "good for", certificate.authenticates_gates ? " gates" : "",
            certificate.authenticates_portals ? " portals" : "", certificate.signs_certificates ? " issuing" : "");
    write_digest(out, der);
}

static void write_list(FILE *out, const struct blob *der)
{
    struct revocation_list list;
    if (!revocation_list_parse(&list, der->bytes, der->len)) {
        fprintf(out, "  a revocation list that cannot be parsed\n");
        return;
    }
    write_moment(out, "list of", list.this_update);
    write_moment(out, "until", list.next_update);
    write_digest(out, der);
}

// Nothing but certificates and lists, whatever else is in the file.
static void write_blocks(FILE *out, const struct blob *text, bool lists)
{
    struct span left = {text->bytes, text->len};
    struct pem_block block;
    enum pem_result result;
    while ((result = pem_next(&left, &block)) == PEM_BLOCK) {
        bool bare = !block.label.len; // DER: what it is said to be
        if (pem_is(&block, "X509 CRL") || (bare && lists))
            write_list(out, &block.der);
        else if (pem_is(&block, "CERTIFICATE") || (bare && !lists))
            write_certificate(out, &block.der);
        else
            fprintf(out, "  a block that is neither certificate nor list\n");
        blob_wipe(&block.der);
    }
    if (result == PEM_BROKEN)
        fprintf(out, "  a block that is broken\n");
}

static void write_file(FILE *out, const char *key, const char *path, bool lists)
{
    struct blob text;
    struct fault fault;
    if (!path)
        return;
    fprintf(out, "%s: %s\n", key, path);
    if (blob_read(&text, path, FILE_MAX, &fault)) {
        write_blocks(out, &text, lists);
        blob_wipe(&text);
    } else {
        fprintf(out, "  %s\n", fault.text);
    }
}

// Never what is in it.
static void write_key(FILE *out, const char *path)
{
    struct stat st;
    if (!path)
        return;
    if (stat(path, &st) == 0)
        fprintf(out, "Key: %s\n  mode %04o, owner %u\n", path, (unsigned)st.st_mode & 07777, (unsigned)st.st_uid);
    else
        fprintf(out, "Key: %s\n  cannot be looked at\n", path);
}

char *bundle_credentials(const struct credential_keys *keys)
{
    char *room = NULL;
    size_t size;
    FILE *out = open_memstream(&room, &size);
    write_file(out, "CA", keys->ca, false);
    write_file(out, "Certificate", keys->certificate, false);
    write_file(out, "CRL", keys->crl, true);
    write_key(out, keys->key);
    fclose(out);
    return room;
}

char *bundle_command(const char *command)
{
    char line[512];
    struct fault fault;
    struct blob output = {0};
    snprintf(line, sizeof line, "exec </dev/null 2>&1; %s", command);
    const char *const argv[] = {"sh", "-c", line, NULL};
    const struct helper helper = {.name = command, .argv = argv, .max = OUTPUT_MAX, .seconds = COMMAND_S};
    enum helper_end end = helper_run(&helper, &output, &fault);
    char *text = end == HELPER_DONE && output.bytes ? memory_text((const char *)output.bytes) : memory_text(fault.text);
    blob_wipe(&output);
    return text;
}

char *bundle_tail(const char *path, size_t max)
{
    FILE *in = fopen(path, "re");
    char *text = memory_new(max + 1);
    if (!in)
        return text;
    if (fseek(in, -(long)max, SEEK_END) < 0)
        rewind(in);
    text[fread(text, 1, max, in)] = '\0';
    fclose(in);
    return text;
}
