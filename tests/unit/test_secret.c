// SPDX-License-Identifier: GPL-2.0-or-later
// Files of every kind and mode, in a directory of our own.
#include "os/file/secret.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];

static int enter(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/usher-secret-XXXXXX");
    return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    unlink("file");
    unlink("link");
    return chdir("/") == 0 && rmdir(directory) == 0 ? 0 : -1;
}

static void put(const char *text, mode_t mode)
{
    unlink("file");
    int fd = open("file", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void assert_mentions(const struct fault *fault, const char *part)
{
    if (!strstr(fault->text, part))
        fail_msg("\"%s\" does not say \"%s\"", fault->text, part);
}

static void test_reads_whole_file(void **state)
{
    (void)state;
    struct fault fault;
    struct blob blob;
    put("certificate", 0644);
    assert_true(blob_read(&blob, "file", 11, &fault));
    assert_int_equal(blob.len, 11);
    assert_string_equal((char *)blob.bytes, "certificate"); // so with a NUL behind
    blob_wipe(&blob);
    assert_null(blob.bytes);
    assert_int_equal(blob.len, 0);
}

static void test_bound(void **state)
{
    (void)state;
    struct fault fault;
    struct blob blob;
    put("certificate", 0644);
    assert_false(blob_read(&blob, "file", 10, &fault));
    assert_mentions(&fault, "10 bytes");
    assert_null(blob.bytes);
}

static void test_what_is_no_file(void **state)
{
    (void)state;
    struct fault fault;
    struct blob blob;
    assert_false(blob_read(&blob, "absent", 10, &fault));
    assert_mentions(&fault, "absent: open: No such file");
    assert_false(blob_read(&blob, "/", 10, &fault));
    assert_mentions(&fault, "not a regular file");
    unlink("file");
    assert_int_equal(mkfifo("file", 0600), 0);
    assert_false(blob_read(&blob, "file", 10, &fault)); // and does not wait for a writer
    assert_mentions(&fault, "not a regular file");
}

static void test_modes_of_a_key(void **state)
{
    (void)state;
    static const struct {
        mode_t mode;
        bool ok;
    } cases[] = {{0600, true},  {0400, true},  {0700, true},  {0640, false}, {0604, false},
                 {0620, false}, {0602, false}, {0610, false}, {0601, false}, {0644, false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fault fault;
        struct blob blob;
        put("key", cases[i].mode);
        assert_int_equal(blob_read_private(&blob, "file", 100, &fault), cases[i].ok);
        if (!cases[i].ok)
            assert_mentions(&fault, "chmod 600 file");
        blob_wipe(&blob);
    }
}

static void test_link_to_a_key(void **state)
{
    (void)state;
    struct fault fault;
    struct blob blob;
    put("key", 0600);
    unlink("link");
    assert_int_equal(symlink("file", "link"), 0);
    assert_false(blob_read_private(&blob, "link", 100, &fault));
    assert_mentions(&fault, "symbolic link");
    assert_true(blob_read(&blob, "link", 100, &fault)); // a certificate may be one
    blob_wipe(&blob);
}

static void test_owner_of_a_key(void **state)
{
    (void)state;
    struct fault fault;
    struct blob blob;
    put("key", 0600);
    if (chown("file", 12345, (gid_t)-1) < 0) {
        print_message("only root can give a file away\n");
        skip();
    }
    assert_false(blob_read_private(&blob, "file", 100, &fault));
    assert_mentions(&fault, "chown root file");
    assert_null(blob.bytes);
    assert_true(blob_read(&blob, "file", 100, &fault)); // not judged when it is no key
    blob_wipe(&blob);
}

static void test_wipe_of_nothing(void **state)
{
    (void)state;
    struct blob blob = {0};
    blob_wipe(&blob);
    assert_null(blob.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_whole_file), cmocka_unit_test(test_bound),
        cmocka_unit_test(test_what_is_no_file),  cmocka_unit_test(test_modes_of_a_key),
        cmocka_unit_test(test_link_to_a_key),    cmocka_unit_test(test_owner_of_a_key),
        cmocka_unit_test(test_wipe_of_nothing),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
