// SPDX-License-Identifier: GPL-2.0-or-later
// TLS against peers that are not ours: the openssl program, with certificates and options that our own ends would not
// start with. Each is refused by name at our side, and openssl is told by an alert.
#include "unit.h"

#include "base/chunk.h"
#include "link/tls/der.h"

#include "certs.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum { PATIENCE_MS = 5000, ARGS_MAX = 32 };

// ---------------------------------------------------------------------------------------------- the openssl program

struct openssl {
    pid_t pid;
    int input; // its standard input
};

// Runs "openssl COMMAND..." in the directory of the certificates, with its output in a log.
static struct openssl openssl_run(const char *command, const char *log)
{
    int fds[2];
    // Packets: openssl takes a command letter only at the head of what one read gives it.
    assert_int_equal(pipe2(fds, O_DIRECT), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int out = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        char line[1024];
        dup2(fds[0], 0);
        dup2(out, 1);
        dup2(out, 2);
        close(fds[1]);
        if (chdir(certs_dir) != 0)
            _exit(1);
        snprintf(line, sizeof(line), "exec openssl %s", command);
        execl("/bin/sh", "sh", "-c", line, NULL);
        _exit(1);
    }
    close(fds[0]);
    return (struct openssl){.pid = pid, .input = fds[1]};
}

static void openssl_stop(struct openssl *openssl)
{
    close(openssl->input);
    kill(openssl->pid, SIGTERM);
    waitpid(openssl->pid, NULL, 0);
}

static bool log_has(const char *log, const char *text)
{
    static char bytes[1 << 16];
    FILE *file = fopen(log, "r");
    size_t len = file ? fread(bytes, 1, sizeof(bytes) - 1, file) : 0;
    if (file)
        fclose(file);
    bytes[len] = '\0';
    return strstr(bytes, text) != NULL;
}

static int listen_somewhere(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

// openssl as the portal; it connects to us.
static int accept_openssl(struct openssl *openssl, const char *options, const char *log)
{
    char command[768];
    uint16_t port;
    int listener = listen_somewhere(&port);
    snprintf(command, sizeof(command), "s_client -connect 127.0.0.1:%u -CAfile pki/ca.crt %s", port, options);
    *openssl = openssl_run(command, log);
    struct pollfd wait = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    int fd = accept(listener, NULL, NULL);
    close(listener);
    return fd;
}

// openssl as the gate; we connect to it, as soon as it listens.
static int connect_openssl(struct openssl *openssl, const char *options, const char *log)
{
    char command[768];
    uint16_t port;
    close(listen_somewhere(&port));
    snprintf(command, sizeof(command), "s_server -accept 127.0.0.1:%u -CAfile pki/ca.crt -Verify 4 %s", port, options);
    *openssl = openssl_run(command, log);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < PATIENCE_MS / 10; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
            return fd;
        close(fd);
        usleep(10000);
    }
    fail_msg("openssl s_server %s does not listen", options);
    return -1;
}

// ----------------------------------------------------------------------------------------------------- our end of it

static void send_all(struct tls *tls, int fd)
{
    size_t len;
    const uint8_t *bytes = tls_output(tls, &len);
    if (len > 0 && send(fd, bytes, len, MSG_NOSIGNAL) > 0)
        tls_output_taken(tls, len);
}

// Drives until it has failed, or until `bytes` of plaintext have come, or nothing has for `quiet_ms`.
static enum tls_result drive(struct tls *tls, int fd, bool *established, size_t bytes, int quiet_ms)
{
    uint8_t room[CHUNK_SIZE];
    size_t len, got = 0, size;
    for (;;) {
        enum tls_result result = *established ? tls_read(tls, room, sizeof(room), &len) : tls_handshake(tls);
        send_all(tls, fd);
        if (result == TLS_FAILED || result == TLS_CLOSED)
            return result;
        if (result == TLS_OK && *established && (got += len) >= bytes && bytes > 0)
            return TLS_OK;
        *established |= result == TLS_OK;
        if (result == TLS_OK || tls_input_is_waiting(tls))
            continue;
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, quiet_ms) == 0)
            return TLS_AGAIN;
        uint8_t *at = tls_input_room(tls, &size);
        ssize_t received = recv(fd, at, size, 0);
        if (received <= 0)
            return TLS_CLOSED;
        tls_input_added(tls, (size_t)received);
    }
}

struct peer_case {
    const char *name;
    enum tls_role role;  // ours
    const char *options; // openssl's
    const char *says;    // ours; NULL: it is let in
    const char *alert;   // in openssl's log; NULL: not looked for
};

#define AS(stem)    "-cert " stem ".crt -key " stem ".key"
#define CHAIN(stem) AS(stem) " -cert_chain " stem ".crt"

static const struct peer_case cases[] = {
    {"good portal, no ALPN", TLS_GATE, AS("pki/branch"), NULL, NULL},
    {"good portal, ALPN among others", TLS_GATE, AS("pki/branch") " -alpn h2,usher/1", NULL, NULL},
    {"good portal, its certificate twice", TLS_GATE, CHAIN("pki/branch"), NULL, NULL},
    {"good gate", TLS_PORTAL, AS("pki/gate.example.net"), NULL, NULL},
    {"portal, P-256 only", TLS_GATE, AS("pki/branch") " -groups P-256", NULL, NULL},
    {"portal, ChaCha20 only", TLS_GATE, AS("pki/branch") " -ciphersuites TLS_CHACHA20_POLY1305_SHA256", NULL, NULL},
    {"portal without a certificate", TLS_GATE, "", "presented no certificate", "alert"},
    {"gate certificate at a portal", TLS_GATE, AS("pki/gate.example.net"), "clientAuth", "alert bad certificate"},
    {"portal certificate at a gate", TLS_PORTAL, AS("pki/branch"), "serverAuth", "alert bad certificate"},
    {"portal without EKU", TLS_GATE, AS("purposeless-portal"), "lacks the clientAuth extended key usage", "alert"},
    {"gate without EKU", TLS_PORTAL, AS("purposeless-gate"), "lacks the serverAuth extended key usage", "alert"},
    {"portal with any EKU", TLS_GATE, AS("any-portal"), "lacks the clientAuth extended key usage", "alert"},
    {"gate with any EKU", TLS_PORTAL, AS("any-gate"), "lacks the serverAuth extended key usage", "alert"},
    {"portal without digitalSignature", TLS_GATE, AS("keyless-portal"), "digitalSignature", "alert"},
    {"gate without digitalSignature", TLS_PORTAL, AS("keyless-gate"), "digitalSignature", "alert"},
    {"portal is a CA", TLS_GATE, AS("ca-portal"), "is a CA's own", "alert"},
    {"gate is a CA", TLS_PORTAL, AS("ca-gate"), "is a CA's own", "alert"},
    {"portal named by a wildcard", TLS_GATE, AS("nameless-portal"), "carries no host name", "alert"},
    {"portal with RSA 1024", TLS_GATE, AS("short-portal") " -cipher ALL:@SECLEVEL=0", "short", "alert"},
    {"gate with RSA 1024", TLS_PORTAL, AS("short-gate") " -cipher ALL:@SECLEVEL=0", "short", "alert"},
    {"portal signed with SHA-1", TLS_GATE, AS("sha1-portal") " -cipher ALL:@SECLEVEL=0", "not accepted", "alert"},
    {"portal signed by a leaf", TLS_GATE, CHAIN("grafted-portal"), "certificate", "alert"},
    {"gate signed by a leaf", TLS_PORTAL, CHAIN("grafted-gate"), "certificate", "alert"},
    {"clone of the CA as portal", TLS_GATE, "-certform DER -cert clone.der -key clone.key", "is forged", "alert"},
    {"clone of the CA as gate", TLS_PORTAL, "-certform DER -cert clone.der -key clone.key", "is forged", "alert"},
    {"portal with TLS 1.2", TLS_GATE, AS("pki/branch") " -tls1_2", "speaks no TLS 1.3", "alert protocol version"},
    {"gate with TLS 1.2", TLS_PORTAL, AS("pki/gate.example.net") " -tls1_2", "no TLS version in common", NULL},
    {"portal with NULL cipher", TLS_GATE, AS("pki/branch") " -tls1_2 -cipher eNULL:@SECLEVEL=0", "speaks no TLS 1.3",
     "alert"},
    {"portal with CCM only", TLS_GATE, AS("pki/branch") " -ciphersuites TLS_AES_128_CCM_SHA256",
     "offers no common cipher", "alert"},
    {"gate with CCM only", TLS_PORTAL, AS("pki/gate.example.net") " -ciphersuites TLS_AES_128_CCM_SHA256",
     "found no common cipher", NULL},
    {"portal with P-384 only", TLS_GATE, AS("pki/branch") " -groups P-384", "no key exchange in common", NULL},
    {"portal with other ALPN only", TLS_GATE, AS("pki/branch") " -alpn h2,http/1.1", "not usher/1", "alert"},
    {"gate with other ALPN only", TLS_PORTAL, AS("pki/gate.example.net") " -alpn h2", "does not speak usher/1", NULL},
};

// Other implementations take a gate's confirmation, and what follows it, well.
static void answer(const struct peer_case *c, struct tls *tls, int fd, const char *log)
{
    if (c->role == TLS_GATE)
        tls_confirm(tls);
    CASE(c->name, tls_write(tls, (const uint8_t *)"and a good day to you\n", 22) == TLS_OK);
    send_all(tls, fd);
    for (int i = 0; i < 100 && !log_has(log, "and a good day to you"); i++)
        usleep(10000);
    CASE(c->name, log_has(log, "and a good day to you"));
}

static void try_case(const struct peer_case *c)
{
    struct openssl openssl;
    struct fault fault;
    char log[128];
    bool gate = c->role == TLS_GATE, established = false;
    snprintf(log, sizeof(log), "%s/openssl.log", certs_dir);
    struct tls_identity *identity =
        certs_identity(c->role, (struct certs_case){.stem = gate ? "pki/gate.example.net" : "pki/branch"});
    struct tls *tls = tls_new(identity, gate ? NULL : "gate.example.net", &fault);
    int fd = gate ? accept_openssl(&openssl, c->options, log) : connect_openssl(&openssl, c->options, log);
    assert_true(fd >= 0);
    // A word from the other side shows that the tunnel carries data.
    if (!c->says)
        assert_int_equal(write(openssl.input, "hello\n", 6), 6);
    enum tls_result result = drive(tls, fd, &established, 6, PATIENCE_MS);
    if (c->says && (result != TLS_FAILED || !strstr(tls_reason(tls), c->says)))
        fail_msg("%s: %d, \"%s\"", c->name, result, tls_reason(tls));
    if (!c->says && result != TLS_OK)
        fail_msg("%s: %d, \"%s\"", c->name, result, tls_reason(tls));
    if (!c->says)
        answer(c, tls, fd, log);
    bool offered = strstr(c->options, "usher/1") != NULL;
    CASE(c->name, c->says || tls_alpn_agreed(tls) == offered);
    shutdown(fd, SHUT_WR);
    for (int i = 0; c->alert && i < 100 && !log_has(log, c->alert); i++)
        usleep(10000);
    if (c->alert && !log_has(log, c->alert))
        fail_msg("%s: openssl saw no alert, we said \"%s\"", c->name, tls_reason(tls));
    close(fd);
    openssl_stop(&openssl);
    tls_free(tls);
    tls_identity_free(identity);
}

static void test_peers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        try_case(&cases[i]);
}

// TLS 1.2 where a configuration asks for it; the checks of the peer are the same.
static void test_tls12(void **state)
{
    (void)state;
    static const struct {
        const char *options, *says;
    } rows[] = {{AS("pki/branch") " -tls1_2", NULL},
                {AS("purposeless-portal") " -tls1_2", "lacks the clientAuth"},
                {AS("pki/branch") " -tls1_2 -cipher eNULL:@SECLEVEL=0", "cipher"},
                {AS("pki/branch") " -tls1_2 -cipher AES128-SHA256:AES128-GCM-SHA256", "cipher"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct openssl openssl;
        struct fault fault;
        char log[128];
        bool established = false;
        snprintf(log, sizeof(log), "%s/openssl.log", certs_dir);
        struct tls_identity *identity =
            certs_identity(TLS_GATE, (struct certs_case){.stem = "pki/gate.example.net", .allow_tls12 = true});
        struct tls *tls = tls_new(identity, NULL, &fault);
        int fd = accept_openssl(&openssl, rows[i].options, log);
        assert_int_equal(write(openssl.input, "hello\n", 6), 6);
        enum tls_result result = drive(tls, fd, &established, 6, PATIENCE_MS);
        if (rows[i].says ? result != TLS_FAILED || !strstr(tls_reason(tls), rows[i].says) : result != TLS_OK)
            fail_msg("%s: %d, \"%s\"", rows[i].options, result, tls_reason(tls));
        close(fd);
        openssl_stop(&openssl);
        tls_free(tls);
        tls_identity_free(identity);
    }
}

// A session that was once established is never resumed: no ticket is given, and one that is asked for is refused.
static void test_no_resumption(void **state)
{
    (void)state;
    struct openssl openssl;
    struct fault fault;
    char log[128], session[128];
    bool established = false;
    snprintf(log, sizeof(log), "%s/openssl.log", certs_dir);
    snprintf(session, sizeof(session), "%s/session", certs_dir);
    struct tls_identity *identity = certs_identity(TLS_GATE, (struct certs_case){.stem = "pki/gate.example.net"});
    struct tls *tls = tls_new(identity, NULL, &fault);
    int fd = accept_openssl(&openssl, AS("pki/branch") " -sess_out session", log);
    assert_int_equal(write(openssl.input, "hello\n", 6), 6);
    assert_int_equal(drive(tls, fd, &established, 6, PATIENCE_MS), TLS_OK);
    assert_int_equal(drive(tls, fd, &established, 0, 100), TLS_AGAIN);
    assert_int_not_equal(access(session, F_OK), 0);
    close(fd);
    openssl_stop(&openssl);
    tls_free(tls);
    tls_identity_free(identity);
}

// An endless row of key updates is cut off, and until then each turn stays short.
static void test_key_update_flood(void **state)
{
    (void)state;
    struct openssl openssl;
    struct fault fault;
    char log[128];
    bool established = false;
    snprintf(log, sizeof(log), "%s/openssl.log", certs_dir);
    struct tls_identity *identity = certs_identity(TLS_GATE, (struct certs_case){.stem = "pki/gate.example.net"});
    struct tls *tls = tls_new(identity, NULL, &fault);
    int fd = accept_openssl(&openssl, AS("pki/branch"), log);
    assert_int_equal(write(openssl.input, "hello\n", 6), 6);
    assert_int_equal(drive(tls, fd, &established, 6, PATIENCE_MS), TLS_OK);
    pid_t pid = fork();
    if (pid == 0) {
        while (write(openssl.input, "k\n", 2) > 0)
            continue;
        _exit(0);
    }
    enum tls_result result = drive(tls, fd, &established, 0, PATIENCE_MS);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (result != TLS_FAILED || !strstr(tls_reason(tls), "bytes of records without data"))
        fail_msg("%d, \"%s\"", result, tls_reason(tls));
    close(fd);
    openssl_stop(&openssl);
    tls_free(tls);
    tls_identity_free(identity);
}

// Puts the authority's signature on a certificate that has its names and another key: a DER SEQUENCE of the body of the
// one, and algorithm and signature of the other.
static int forge_clone(void)
{
    struct blob own = certs_read("own.der"), ca = certs_read("ca.der");
    struct span own_in = {own.bytes, own.len}, ca_in = {ca.bytes, ca.len};
    struct der_element own_whole, ca_whole, body, skipped, algorithm, signature;
    if (!der_take(&own_in, DER_SEQUENCE, &own_whole) || !der_take(&own_whole.content, DER_SEQUENCE, &body) ||
        !der_take(&ca_in, DER_SEQUENCE, &ca_whole) || !der_take(&ca_whole.content, DER_SEQUENCE, &skipped) ||
        !der_take(&ca_whole.content, DER_SEQUENCE, &algorithm) ||
        !der_take(&ca_whole.content, DER_BIT_STRING, &signature))
        return -1;
    char path[128];
    snprintf(path, sizeof(path), "%s/clone.der", certs_dir);
    FILE *file = fopen(path, "w");
    size_t len = body.whole.len + algorithm.whole.len + signature.whole.len;
    const uint8_t head[] = {DER_SEQUENCE, 0x82, (uint8_t)(len >> 8), (uint8_t)len};
    fwrite(head, 1, sizeof(head), file);
    fwrite(body.whole.bytes, 1, body.whole.len, file);
    fwrite(algorithm.whole.bytes, 1, algorithm.whole.len, file);
    fwrite(signature.whole.bytes, 1, signature.whole.len, file);
    blob_wipe(&own);
    blob_wipe(&ca);
    return fclose(file);
}

static int set_up(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    return certs_make(state) != 0 || forge_clone() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_tls12),
        cmocka_unit_test(test_no_resumption),
        cmocka_unit_test(test_key_update_flood),
    };
    struct fault fault;
    if (!tls_library_start(&fault))
        return 1;
    return cmocka_run_group_tests(tests, set_up, certs_remove);
}
