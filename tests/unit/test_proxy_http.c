// SPDX-License-Identifier: GPL-2.0-or-later
// HTTP proxies that lead on, refuse, lie, and speak something else; and their challenges.
#include "unit.h"

#include "talk.h"

#include <stdio.h>

static const struct proxy PLAIN = {.kind = PROXY_HTTP},
                          USER = {.kind = PROXY_HTTP, .user = "Mufasa", .password = "Circle of Life"},
                          ODD = {.kind = PROXY_HTTP, .user = "a\\\"b", .password = "p"};

#define DIGEST                                                                                                         \
    "Proxy-Authenticate: Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, "          \
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "                                                         \
    "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"\r\n"
#define CLOSE "Connection: close\r\n"
#define EMPTY "Content-Length: 0\r\n"

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const struct proxy *proxy;
        const char *says;
        enum proxy_verdict verdict;
        const char *why;
    } rows[] = {
        {&PLAIN, "HTTP/1.1 200 Connection established\r\n\r\n", PROXY_LEADS, ""},
        {&PLAIN, "HTTP/1.0 200\r\nServer: x\r\n\r\n", PROXY_LEADS, ""},
        {&PLAIN, "HTTP/1.1 200 OK\n\n", PROXY_LEADS, ""},
        {&PLAIN, "HTTP/1.1 299 Yes\r\nContent-Length: 7\r\n\r\n", PROXY_LEADS, ""},
        {&PLAIN, "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", PROXY_LEADS, ""},
        {&PLAIN, "HTTP/1.1 200 OK\r\n", PROXY_TALKS, ""},
        {&PLAIN, "HTTP/1.1 403 Forbidden \x1b[31m\r\n\r\n", PROXY_FAILED, "answered \"403 Forbidden \\x1b[31m\""},
        {&PLAIN, "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n\r\n", PROXY_FAILED, "\"502 Bad Gateway\""},
        {&PLAIN, "HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n", PROXY_FAILED, "\"302 Found\""},
        {&PLAIN, "<html>", PROXY_FAILED, "does not speak HTTP: it said \"<"},
        {&PLAIN, "SSH-2.0-OpenSSH", PROXY_FAILED, "does not speak HTTP"},
        {&PLAIN, "\5\xff", PROXY_FAILED, "does not speak HTTP: it said \"\\x05"},
        {&PLAIN, "HTTP/2 200\r\n", PROXY_FAILED, "another version of HTTP: \"HTTP/2"},
        {&PLAIN, "HTTP/1.1 20 OK\r\n\r\n", PROXY_FAILED, "no answer of HTTP"},
        {&PLAIN, "HTTP/1.1 2000 OK\r\n\r\n", PROXY_FAILED, "no answer of HTTP"},
        {&PLAIN, "HTTP/1.\n\n", PROXY_FAILED, "no answer of HTTP"},
        {&PLAIN, "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n\r\n", PROXY_REFUSED, "asks for a password"},
        {&USER, "HTTP/1.1 407 Who\r\n\r\n", PROXY_REFUSED, "but none at all"},
        {&USER, "HTTP/1.1 407 Who\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate abc==\r\n\r\n",
         PROXY_REFUSED, "but NTLM, Negotiate"},
        {&USER, "HTTP/1.1 407 Who\r\nProxy-Authenticate: Digest realm=\"x\", nonce=\"y\", qop=\"auth\"\r\n\r\n",
         PROXY_REFUSED, "but Digest with MD5"},
        {&USER,
         "HTTP/1.1 407 W\r\nProxy-Authenticate: Digest realm=\"x\", nonce=\"y\", algorithm=SHA-512-256, "
         "qop=\"auth\"\r\n\r\n",
         PROXY_REFUSED, "Digest with SHA-512-256"},
        {&USER, "HTTP/1.1 407 W\r\nProxy-Authenticate: Digest realm=\"x\", nonce=\"y\", algorithm=SHA-256\r\n\r\n",
         PROXY_REFUSED, "Digest without qop=auth"},
        {&USER, "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n" CLOSE EMPTY "\r\n", PROXY_ANEW, ""},
        {&USER, "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n\r\n", PROXY_ANEW, ""},
        {&USER, "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 65537\r\n\r\n", PROXY_ANEW,
         ""},
        {&USER, "HTTP/1.0 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n" EMPTY "\r\n", PROXY_ANEW, ""},
        {&USER, "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n" EMPTY "Transfer-Encoding: chunked\r\n\r\n",
         PROXY_ANEW, ""},
        {&USER,
         "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n",
         PROXY_LEADS, ""},
        {&USER, "HTTP/1.1 407 W\r\n" DIGEST EMPTY "\r\nHTTP/1.1 407 W\r\n" DIGEST "\r\n", PROXY_REFUSED,
         "refused the user and the password"},
        {&USER,
         "HTTP/1.1 407 W\r\n" DIGEST EMPTY "\r\nHTTP/1.1 407 W\r\nProxy-Authenticate: Digest realm=x, nonce=z, "
         "qop=auth, algorithm=SHA-256, stale=true\r\n\r\n",
         PROXY_FAILED, "challenge ran out"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t step = 1; step < 20; step += 18) {
            char text[1024];
            size_t len = (size_t)snprintf(text, sizeof text, "%s", rows[i].says);
            bool done = rows[i].verdict != PROXY_TALKS;
            if (done) // what follows the answer is left
                strcat(text, "TLS");
            struct proxy_talk *talk = talk_new(rows[i].proxy, "gate.example.net");
            size_t used = talk_hear(talk, text, strlen(text), step);
            CASE(rows[i].says, talk->verdict == rows[i].verdict);
            CASE(rows[i].says, rows[i].verdict != PROXY_LEADS || used == len);
            CASE(talk->why.text, strstr(talk->why.text, rows[i].why));
            free(talk);
        }
}

static void test_bounds(void **state)
{
    (void)state;
    static char long_head[PROXY_IN_SIZE + 100] = "HTTP/1.1 200 OK\r\nX: ";
    memset(long_head + strlen(long_head), 'a', sizeof long_head - strlen(long_head));
    struct proxy_talk *talk = talk_new(&PLAIN, "g");
    talk_hear(talk, long_head, sizeof long_head, 4096);
    assert_true(talk->verdict == PROXY_FAILED && strstr(talk->why.text, "sent a head of more than"));
    free(talk);
    char realm[1024], head[2048];
    memset(realm, 'r', sizeof realm);
    snprintf(
        head, sizeof head,
        "HTTP/1.1 407 W\r\nProxy-Authenticate: Digest realm=\"%.600s\", nonce=n, qop=auth, algorithm=SHA-256\r\n\r\n",
        realm);
    talk = talk_new(&USER, "g");
    talk_hear(talk, head, strlen(head), 4096);
    assert_true(talk->verdict == PROXY_FAILED && strstr(talk->why.text, "too long"));
    free(talk);
}

// What is asked, and what is answered to a challenge: the best of several.
static void test_requests(void **state)
{
    (void)state;
    static const struct {
        const struct proxy *proxy;
        const char *host, *fields, *out;
    } rows[] = {
        {&USER, "gate.example.net", NULL,
         "CONNECT gate.example.net:4433 HTTP/1.1\r\nHost: gate.example.net:4433\r\n\r\n"},
        {&USER, "fd03::2", NULL, "CONNECT [fd03::2]:4433 HTTP/1.1\r\nHost: [fd03::2]:4433\r\n\r\n"},
        {&USER, "g", "Proxy-Authenticate: Basic realm=\"x\"\r\n",
         "\r\nProxy-Authorization: Basic TXVmYXNhOkNpcmNsZSBvZiBMaWZl\r\n\r\n"},
        {&USER, "g", "Proxy-Authenticate: NTLM, Negotiate, Basic realm=\"a, Digest \\\" b\"\r\n",
         "Authorization: Basic TXVm"},
        {&USER, "g",
         "proxy-authenticate:   Basic realm=x , Digest realm=\"y\", nonce=\"n\", algorithm=sha-256, qop=\"auth\"\r\n",
         "Digest username=\"Mufasa\", realm=\"y\", nonce=\"n\", uri=\"g:4433\", algorithm=SHA-256, qop=auth, "
         "nc=00000001, "},
        {&USER, "g", DIGEST "Proxy-Authenticate: Basic realm=x\r\n",
         "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"\r\n\r\n"},
        {&ODD, "g", DIGEST, "username=\"a\\\\\\\"b\", "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char head[2048];
        struct proxy_talk *talk = talk_new(rows[i].proxy, rows[i].host);
        if (rows[i].fields) {
            snprintf(head, sizeof head, "HTTP/1.1 407 Who\r\n%s" EMPTY "\r\n", rows[i].fields);
            talk_hear(talk, head, strlen(head), 100);
        }
        talk->out[talk->out_len] = '\0';
        CASE(rows[i].out, talk->verdict == PROXY_TALKS && strstr((char *)talk->out, rows[i].out));
        free(talk);
    }
}

// By another implementation, with the values of RFC 7616 section 3.9.1 for all but method and URI:
// H(H("Mufasa:http-auth@example.org:Circle of Life") ":" nonce ":00000001:" cnonce ":auth:" H("CONNECT:g:4433"))
static void test_digest(void **state)
{
    (void)state;
    static const char says[] = "HTTP/1.1 407 Who\r\n" DIGEST EMPTY "\r\n";
    struct proxy_talk *talk = talk_new(&USER, "g");
    talk_hear(talk, says, strlen(says), 100);
    talk->out[talk->out_len] = '\0';
    CASE((char *)talk->out,
         strstr((char *)talk->out, "response=\"2fdad120c03112d4b96ba867ffb06b188f9b83310e8fe9890db89a0512f7efe7\""));
    free(talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
