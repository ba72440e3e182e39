// SPDX-License-Identifier: GPL-2.0-or-later
// Both ends are the same program, so there is no version; but sizes are checked all the same.

#include "gate/briefing.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BRIEFING_MAX = 64 * 1024 * 1024, // bytes: four credentials of 4 MiB, and rules
    FIXED_ROOM = 4096,               // texts and numbers
};

static void put_blob(struct writer *w, const struct blob *blob)
{
    writer_u32(w, (uint32_t)blob->len);
    writer_bytes(w, blob->bytes, blob->len);
}

static void get_blob(struct reader *r, struct blob *out)
{
    uint32_t len = reader_u32(r);
    const uint8_t *bytes = reader_bytes(r, len);
    if (!bytes || !len)
        return; // no CRL
    out->bytes = memory_new((size_t)len + 1);
    out->len = len;
    memcpy(out->bytes, bytes, len);
}

static char *get_text(struct reader *r)
{
    const char *text = reader_text(r);
    return text ? memory_text(text) : NULL;
}

static void put_numbers(struct writer *w, const struct gate_conf *conf)
{
    const struct options_link *link = &conf->link;
    const uint64_t numbers[] = {
        link->max_sessions,      link->window_max,    link->window_budget,     link->batch,
        link->batch_interactive, link->notsent_lowat, link->handshake_timeout, conf->max_connecting,
        conf->opens_per_second,  conf->opens_burst,   conf->connect_timeout,   conf->udp_idle,
        conf->dns_idle,
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        writer_u64(w, numbers[i]);
}

// In the order of put_numbers.
static void get_numbers(struct reader *r, struct briefing *out)
{
    struct options_link *link = &out->link;
    uint64_t *const numbers[] = {
        &link->max_sessions,      &link->window_max,    &link->window_budget,     &link->batch,
        &link->batch_interactive, &link->notsent_lowat, &link->handshake_timeout, &out->max_connecting,
        &out->opens_per_second,   &out->opens_burst,    &out->connect_timeout,    &out->udp_idle,
        &out->dns_idle,
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        *numbers[i] = reader_u64(r);
}

static void encode(struct writer *w, const struct gate_conf *conf, const struct options_material *material,
                   const char *dns)
{
    put_blob(w, &material->ca);
    put_blob(w, &material->certificate);
    put_blob(w, &material->key);
    put_blob(w, &material->crl);
    writer_u8(w, options_allow_tls12(&conf->tls));
    writer_u8(w, (uint8_t)conf->log_level);
    writer_u8(w, conf->link.udp_offload);
    writer_text(w, conf->name);
    writer_text(w, conf->user);
    writer_text(w, dns);
    writer_text(w, conf->link.congestion);
    put_numbers(w, conf);
    access_encode(w, &conf->access);
}

int briefing_write(const struct gate_conf *conf, const struct options_material *material, const char *dns,
                   struct fault *fault)
{
    size_t size = FIXED_ROOM + strlen(dns) + material->ca.len + material->certificate.len + material->key.len +
                  material->crl.len + access_size(&conf->access);
    uint8_t *room = memory_new(size);
    struct writer w = writer_over(room, size);
    encode(&w, conf, material, dns);
    size_t len = size - writer_left(&w);

    int fd = memfd_create("usher-briefing", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool ok = !w.failed && fd >= 0 && write(fd, room, len) == (ssize_t)len &&
              fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0;
    if (!ok) {
        fault_errno(fault, errno, "memory file for the workers");
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    explicit_bzero(room, size);
    free(room);
    return fd;
}

static bool decode(struct briefing *out, struct reader *r)
{
    get_blob(r, &out->material.ca);
    get_blob(r, &out->material.certificate);
    get_blob(r, &out->material.key);
    get_blob(r, &out->material.crl);
    out->allow_tls12 = reader_u8(r);
    out->log_level = (enum log_level)reader_u8(r);
    out->link.udp_offload = reader_u8(r);
    out->name = get_text(r);
    out->user = get_text(r);
    out->dns = get_text(r);
    out->link.congestion = get_text(r);
    get_numbers(r, out);
    return access_decode(&out->access, r) && reader_left(r) == 0;
}

bool briefing_read(struct briefing *out, int fd, struct fault *fault)
{
    struct stat st;
    *out = (struct briefing){0};
    if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > BRIEFING_MAX)
        return fault_set(fault, "no briefing: a worker is started by usher-gate run only");
    // At offsets of our own: all workers share one file position.
    size_t len = (size_t)st.st_size;
    uint8_t *room = memory_new(len);
    struct reader r = reader_over(room, len);
    bool ok = pread(fd, room, len, 0) == (ssize_t)len && decode(out, &r);
    explicit_bzero(room, len);
    free(room);
    if (!ok) {
        briefing_fini(out);
        return fault_set(fault, "the briefing is not whole");
    }
    return true;
}

void briefing_fini(struct briefing *briefing)
{
    options_material_wipe(&briefing->material);
    options_link_fini(&briefing->link);
    access_fini(&briefing->access);
    free(briefing->name);
    free(briefing->user);
    free(briefing->dns);
    *briefing = (struct briefing){0};
}
