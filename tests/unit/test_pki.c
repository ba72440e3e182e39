// SPDX-License-Identifier: GPL-2.0-or-later
// scripts/usher-pki from outside: what it makes, what it refuses, and with which exit code.
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/usher-pki-XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? setenv("D", dir, 1) : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return system("rm -rf \"$D\"");
}

// Runs it through the shell, where PKI is the script and D the directory; what it printed goes to `room`.
static int run(const char *command, char *room, size_t size)
{
    char line[1024];
    snprintf(line, sizeof(line), "PKI=scripts/usher-pki; { %s; } 2>&1", command);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    size_t len = fread(room, 1, size - 1, pipe);
    room[len] = '\0';
    return WEXITSTATUS(pclose(pipe));
}

// In order: each step builds upon those before.
static void test_steps(void **state)
{
    static const struct {
        const char *command;
        int code;
        const char *says;
    } steps[] = {
        {"$PKI", 2, "usage:"},
        {"$PKI init", 2, "usage:"},
        {"$PKI frobnicate $D/a", 2, "usage:"},
        {"$PKI init '$D/a;b'", 2, "DIR may hold"},
        {"$PKI issue $D/a portal branch", 1, "holds no authority"},
        {"$PKI list $D/a", 1, "holds no authority"},
        {"$PKI init $D/a 'Some CA'", 0, "made"},
        {"$PKI init $D/a", 1, "is there already"},
        {"$PKI init $D/b 'a/b'", 2, "CA-NAME"},
        {"$PKI issue $D/a gate gate.example.net 10.0.0.1 fd00::1 '*.example.net'", 0, "issued"},
        {"$PKI issue $D/a portal branch", 0, "issued"},
        {"$PKI issue $D/a portal branch", 1, "is there already"},
        {"$PKI issue $D/a portal lost", 0, "issued"},
        {"$PKI issue $D/a portal two names", 2, "one name only"},
        {"$PKI issue $D/a portal", 2, "usage:"},
        {"$PKI issue $D/a client x", 2, "role is gate or portal"},
        {"$PKI issue $D/a portal ../x", 2, "neither a host name nor an address"},
        {"$PKI issue $D/a portal -x", 2, "neither a host name nor an address"},
        {"$PKI issue $D/a portal 'a,DNS:b'", 2, "neither a host name nor an address"},
        {"$PKI issue $D/a gate '*.example.net'", 2, "wildcard"},
        {"$PKI issue $D/a gate g2 'x y'", 2, "neither a host name nor an address"},
        {"$PKI issue $D/a portal ca", 2, "uses itself"},
        {"$PKI issue $D/a gate 10.0.0.256.1.x; true", 0, "issued"},
        {"$PKI revoke $D/a nobody", 1, "no valid certificate named nobody"},
        {"$PKI revoke $D/a lost", 0, "revoked lost"},
        {"$PKI revoke $D/a lost", 1, "no valid certificate named lost"},
        {"$PKI crl $D/a 30", 0, "for 30 days"},
        {"$PKI crl $D/a 0", 2, "no number of days"},
        {"$PKI list $D/a", 0, "branch"},
        {"$PKI list $D/a | grep -c ' revoked$'", 0, "1"},
        {"$PKI list $D/a | grep -c ' valid$'", 0, "3"},
        {"$PKI list $D/a 2>/dev/null | grep gate.example.net | grep -q ' gate '", 0, ""},
        {"mkdir $D/a/books/lock; $PKI crl $D/a; code=$?; rmdir $D/a/books/lock; exit $code", 1, "in use by another"},
        {"mv $D/a/lost.crt $D/a/lost.key $D/a/books; $PKI issue $D/a portal lost", 0, "issued"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(steps); i++) {
        char said[4096];
        int code = run(steps[i].command, said, sizeof(said));
        if (code != steps[i].code || !strstr(said, steps[i].says))
            fail_msg("%s: exit %d, \"%s\"", steps[i].command, code, said);
    }
}

static void test_results(void **state)
{
    static const struct {
        const char *file;
        mode_t mode;
    } files[] = {{"a", 0700},        {"a/books", 0700},      {"a/ca.key", 0600}, {"a/branch.key", 0600},
                 {"a/ca.crt", 0644}, {"a/branch.crt", 0644}, {"a/crl.pem", 0644}};
    static const char *const checks[] = {
        ("openssl verify -CAfile $D/a/ca.crt -CRLfile $D/a/crl.pem -crl_check -purpose sslserver "
         "$D/a/gate.example.net.crt"),
        "openssl verify -CAfile $D/a/ca.crt -CRLfile $D/a/crl.pem -crl_check -purpose sslclient $D/a/branch.crt",
        "! openssl verify -CAfile $D/a/ca.crt -purpose sslclient $D/a/gate.example.net.crt",
        "! openssl verify -CAfile $D/a/ca.crt -purpose sslserver $D/a/branch.crt",
        "! openssl verify -CAfile $D/a/ca.crt -CRLfile $D/a/crl.pem -crl_check $D/a/books/lost.crt",
        "openssl verify -CAfile $D/a/ca.crt -CRLfile $D/a/crl.pem -crl_check $D/a/lost.crt",
        "openssl x509 -in $D/a/gate.example.net.crt -noout -checkhost gate.example.net | grep -q 'does match'",
        "openssl x509 -in $D/a/gate.example.net.crt -noout -checkip 10.0.0.1 | grep -q 'does match'",
        "openssl x509 -in $D/a/gate.example.net.crt -noout -checkip fd00::1 | grep -q 'does match'",
        "openssl x509 -in $D/a/ca.crt -noout -subject | grep -q 'Some CA'",
        "test ! -e $D/a/books/lock",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        char path[128];
        struct stat st;
        snprintf(path, sizeof(path), "%s/%s", dir, files[i].file);
        CASE(files[i].file, stat(path, &st) == 0 && (st.st_mode & 07777) == files[i].mode);
    }
    for (size_t i = 0; i < COUNT(checks); i++) {
        char said[4096];
        if (run(checks[i], said, sizeof(said)) != 0)
            fail_msg("%s: \"%s\"", checks[i], said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_results),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
