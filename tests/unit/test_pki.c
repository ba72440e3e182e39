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
        {"$PKI adopt $D/a", 1, "holds no authority"},
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
        {"{ flock 8; $PKI crl $D/a 8>&-; } 8>$D/a/books/lock", 1, "in use by another"},
        {"mkdir $D/a/books/scratch.x; $PKI crl $D/a; ls $D/a/books | grep -c scratch", 1,
         "0"}, // of one that was killed
        {"$PKI issue $D/a portal x.enrol.invalid", 2, "those of invitations"},
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

// What it is renewed as, by whom, and what is not.
static void test_renewing(void **state)
{
    static const struct {
        const char *command;
        int code;
        const char *says;
    } steps[] = {
        {"$PKI init $D/n && $PKI issue $D/n gate g.example.net 10.0.0.1 fd00::1 '*.g.example.net' && $PKI issue $D/n "
         "portal "
         "branch",
         0, "issued"},
        {"$PKI renew $D/n", 2, "usage:"},
        {"$PKI renew $D/n g.example.net 20s", 2, "usage:"},
        {"$PKI renew $D/n g.example.net --live 20s", 2, "unknown option --live"},
        {"$PKI renew $D/n g.example.net --life soon", 2, "is no time"},
        {"$PKI renew $D/n other", 1, "other.crt or .key is not there: usher-pki issue makes them"},
        {"$PKI renew $D/none g.example.net", 1, "holds no authority"},
        {"$PKI tend $D/n 71280000", 0, ""}, // nothing is due
        {"openssl x509 -in $D/n/g.example.net.crt -noout -subject -ext subjectAltName,extendedKeyUsage >$D/before; cp "
         "$D/n/g.example.net.key $D/key; $PKI renew $D/n g.example.net --life 300s",
         0, "whoever uses copies needs the new ones"},
        {"openssl x509 -in $D/n/g.example.net.crt -noout -subject -ext subjectAltName,extendedKeyUsage | cmp - "
         "$D/before",
         0, ""},
        {"cmp -s $D/n/g.example.net.key $D/key", 1, ""}, // another key
        {"openssl x509 -in $D/n/g.example.net.crt -noout -pubkey >$D/one; openssl pkey -in $D/n/g.example.net.key "
         "-pubout | "
         "cmp - $D/one",
         0, ""},
        {"openssl x509 -in $D/n/g.example.net.crt -noout -checkend 301", 1, "will expire"},
        {"stat -c %a $D/n/g.example.net.key $D/n/g.example.net.crt", 0, "600\n644\n"},
        {"$PKI list $D/n | grep -c '^g.example.net .* valid$'", 0, "2"}, // what is there is good until it runs out
        {"$PKI renew $D/n branch && $PKI list $D/n | grep -c '^branch *portal .* valid$'", 0, "2"},
        // By itself when a third is left, and gates alone.
        {"$PKI tend $D/n 300 2>&1 | wc -c", 0, "0"},
        {"$PKI renew $D/n g.example.net --life 4s; $PKI renew $D/n branch --life 4s; sleep 3; $PKI tend $D/n 300", 0,
         "usher-pki: renewed"},
        {"$PKI list $D/n | grep -c '^g.example.net '", 0, "4"},
        {"$PKI list $D/n | grep -c '^branch '", 0, "3"},
        {"openssl x509 -in $D/n/g.example.net.crt -noout -checkend 200", 0, "will not expire"},
        {"$PKI tend $D/n 300 2>&1 | wc -c", 0, "0"},
        // Not one whose key would be another's afterwards.
        {"$PKI renew $D/n g.example.net --life 3s; chown 65534 $D/n/g.example.net.key; sleep 2.5; $PKI tend $D/n 300",
         0, "of gate g.example.net runs out; as the owner of its key: usher-pki renew "},
        {"$PKI list $D/n | grep -c '^g.example.net '", 0, "5"},
        {"chown 0 $D/n/g.example.net.key; $PKI tend $D/n 300", 0, "renewed"},
        // Of one that was killed.
        {"mkdir $D/n/.g.example.net.renewed && mv $D/n/g.example.net.crt $D/n/.g.example.net.renewed/crt && cp "
         "$D/before "
         "$D/n/g.example.net.crt; $PKI tend $D/n 300; openssl x509 -in $D/n/g.example.net.crt -noout -checkend 200; ls "
         "-A $D/n "
         "| grep -c renewed",
         1, "will not expire"},
        {"$PKI revoke $D/n g.example.net; $PKI renew $D/n g.example.net", 1, "was withdrawn: move it and its key away"},
        {"cp $D/a/branch.crt $D/a/branch.key $D/n/; $PKI renew $D/n branch", 1, "do not know it"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(steps); i++) {
        char said[4096];
        int code = run(steps[i].command, said, sizeof(said));
        if (code != steps[i].code || !strstr(said, steps[i].says))
            fail_msg("%s: exit %d, \"%s\"", steps[i].command, code, said);
    }
}

// A key, a request for it (which is none of ours, and will do for openssl), and what invites them.
static void test_invitations(void **state)
{
    static const struct {
        const char *command;
        int code;
        const char *says;
    } steps[] = {
        {"$PKI init $D/c", 0, "made"},
        {"$PKI invite $D/c", 2, "usage:"},
        {"$PKI invite $D/c new --route 10.0.0.0/8", 2, "--gate HOST[:PORT] is missing"},
        {"$PKI invite $D/c new --gate g", 2, "--route NET,..."},
        {"$PKI invite $D/c new --gate", 2, "--gate needs a value"},
        {"$PKI invite $D/c new --gate g --root r", 2, "unknown option --root"},
        {"$PKI invite $D/c new --gate 'g;x' --route 10.0.0.0/8", 2, "is no value for --gate"},
        {"$PKI invite $D/c new --gate g --route \"10.0.0.0/8\nKey = x\"", 2, "is no value for --route"},
        {"$PKI invite $D/c new --gate g --route 10.0.0.0/8 --for 1y", 2, "is no time"},
        {"$PKI invite $D/c new --gate g --route 10.0.0.0/8 --for 0h", 2, "is no time"},
        {"$PKI invite $D/c 10.0.0.1 --gate g --route 10.0.0.0/8; $PKI invite $D/c fd::1 --gate g --route 10.0.0.0/8", 2,
         "is an address"},
        {"$PKI invite $D/c a23456789.123456789.123456789.123456789.1 --gate g --route 10.0.0.0/8", 2, "longer than 40"},
        {"$PKI invite $D/c new --gate g --route 10.0.0.0/8 | grep -c '^usher1-[A-Za-z0-9_-]*$'", 0, "1"},
        {"$PKI invite $D/c new --gate g --route 10.0.0.0/8 --for 1h", 0, "within 1h"}, // two are none too many
        {"$PKI list $D/c | grep -c '^new.enrol.invalid *invitation .* valid$'", 0, "2"},
        {"openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $D/k -subj /CN=gate/OU=gate "
         "-addext "
         "subjectAltName=DNS:gate -addext basicConstraints=CA:TRUE -outform DER -out $D/r",
         0, ""},
        {"$PKI grant $D/c new 0A aa \"$(openssl base64 -A -in $D/r)\" 3600 >$D/1; head -n 1 $D/1", 0,
         "BEGIN CERTIFICATE"},
        {"openssl x509 -in $D/1 -noout -subject -ext subjectAltName,basicConstraints,extendedKeyUsage | tr -d '\n'", 0,
         "subject=OU = portal, CN = newX509v3 Basic Constraints: critical    CA:FALSEX509v3 Extended Key Usage:     "
         "TLS Web "
         "Client AuthenticationX509v3 Subject Alternative Name:     DNS:new"},
        // The same key again, whatever has become of the answer; another one no more.
        {"$PKI grant $D/c new 0A aa \"$(openssl base64 -A -in $D/r)\" 3600 | cmp - $D/1", 0, ""},
        {"$PKI grant $D/c new 0A ab \"$(openssl base64 -A -in $D/r)\" 3600", 0,
         "refused: the invitation was used already"},
        {"$PKI grant $D/c new 0B ab \"$(openssl base64 -A -in $D/r)\" 3600", 0,
         "refused: new has a certificate already"},
        {"$PKI invite $D/c new --gate g --route 10.0.0.0/8", 1, "new has a certificate (serial "},
        {"$PKI grant $D/c new - ac \"$(openssl base64 -A -in $D/r)\" 3600", 0, "BEGIN CERTIFICATE"}, // renewal
        {"for i in 0 1 2 3 4 5 6 7 8 9 a b c d; do $PKI grant $D/c new - b$i \"$(openssl base64 -A -in $D/r)\" 3600; "
         "done | "
         "grep -c 'BEGIN CERT'",
         0, "14"},
        {"$PKI grant $D/c new - be \"$(openssl base64 -A -in $D/r)\" 3600", 0,
         "refused: new has 16 certificates that are good"},
        {"rm $D/c/books/keys/b?.crt; true", 0, ""},
        {"$PKI grant $D/c '../x' - ad \"$(openssl base64 -A -in $D/r)\" 3600", 2, "neither a host name"},
        {"$PKI grant $D/c new ../../x ad \"$(openssl base64 -A -in $D/r)\" 3600", 2, "usage:"},
        {"$PKI grant $D/c new 0C ../x \"$(openssl base64 -A -in $D/r)\" 3600", 2, "usage:"},
        {"$PKI grant $D/c other 0C ae AAAA 3600", 1, "cannot issue other"}, // which is no request
        {"ls $D/c/books/keys", 0, "aa.crt\nac.crt\n"},
        {"$PKI revoke $D/c new; $PKI list $D/c | grep -c revoked", 0, "18"}, // its invitations, too
        {"$PKI grant $D/c new 0A aa \"$(openssl base64 -A -in $D/r)\" 3600", 0,
         "refused: the certificate of new was withdrawn"},
        {"$PKI invite $D/c new --gate g --route 10.0.0.0/8", 0, "usher1-"},
        {"$PKI profile $D/c other --gate g --route 10.0.0.0/8", 1, "issue it first"},
        {"$PKI profile $D/c other --gate g --route 10.0.0.0/8 --for 1h", 2, "--for means nothing for a profile"},
        {"$PKI setup $D/c gate --deny x", 2, "unknown option --deny"},
        {"cd $D; $OLDPWD/$PKI setup c gate", 2, "from the root on"},
        {"$PKI tend $D/c 8640000; touch -d '8 days ago' $D/c/crl.pem; $PKI tend $D/c 8640000", 0, "renewed"},
        {"$PKI tend $D/c 8640000 2>&1 | wc -c", 0, "0"},
        {"$PKI serve $D/c --life x", 2, "is no time"},
        {"$PKI serve $D/c nowhere", 2, "no address with its port"},
        {"$PKI serve $D/none", 1, "holds no authority"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(steps); i++) {
        char said[8192];
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
        "! ls $D/a/books | grep scratch",
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
        cmocka_unit_test(test_invitations),
        cmocka_unit_test(test_renewing),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
