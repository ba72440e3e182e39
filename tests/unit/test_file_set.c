// SPDX-License-Identifier: GPL-2.0-or-later
// What was read, and why something was not, arrives at the other end as it was.
#include "os/watch/file_set.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/usher-files-XXXXXX";

static const char *in(const char *name)
{
    static char rooms[16][64];
    static unsigned at;
    char *room = rooms[at++ % COUNT(rooms)];
    snprintf(room, sizeof rooms[0], "%s/%s", directory, name);
    return room;
}

static void put(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(in(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(in(name), mode);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
    char line[64];
    (void)state;
    snprintf(line, sizeof line, "rm -rf %s", directory);
    return system(line);
}

static struct file_set read_all(void)
{
    const struct file_wish wishes[] = {
        {in("plain"), 100, false}, {in("empty"), 100, false},  {in("secret"), 100, true},
        {in("open"), 100, true},   {in("absent"), 100, false}, {in("large"), 4, false},
    };
    struct file_set set;
    put("plain", "text", 0644);
    put("empty", "", 0644);
    put("secret", "word", 0600);
    put("open", "word", 0644);
    put("large", "12345", 0644);
    file_set_read(&set, wishes, COUNT(wishes));
    return set;
}

static const struct {
    const char *name, *holds, *says; // one of the two
} rows[] = {
    {"plain", "text", NULL},
    {"empty", "", NULL},
    {"secret", "word", NULL},
    {"open", NULL, "others can read or change this secret (mode 0644)"},
    {"absent", NULL, "No such file or directory"},
    {"large", NULL, "longer than the 4 bytes"},
    {"stranger", NULL, "was not among the files at the start"},
};

static void judge(const struct file_set *set)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct blob bytes;
        struct fault fault = {""};
        bool is_there = file_set_take(set, in(rows[i].name), &bytes, &fault);
        CASE(rows[i].name, is_there == (rows[i].holds != NULL));
        if (is_there)
            CASE(rows[i].name, bytes.len == strlen(rows[i].holds) && !memcmp(bytes.bytes, rows[i].holds, bytes.len));
        else
            CASE(fault.text, strstr(fault.text, rows[i].says) && strstr(fault.text, in(rows[i].name)) && !bytes.bytes);
        blob_wipe(&bytes);
    }
}

static void test_read(void **state)
{
    (void)state;
    struct file_set set = read_all();
    judge(&set);
    file_set_fini(&set);
    assert_int_equal(set.count, 0);
}

static void test_handed_over(void **state)
{
    (void)state;
    struct file_set set = read_all(), got;
    struct fault fault;
    int fd = file_set_write(&set, &fault);
    assert_true(fd >= 0);
    file_set_fini(&set);
    off_t size = lseek(fd, 0, SEEK_END);
    assert_true(file_set_from(&got, fd, (size_t)size));
    judge(&got);
    file_set_fini(&got);
    assert_true(write(fd, "x", 1) < 0 && errno == EPERM); // sealed
    close(fd);
}

// What is cut off anywhere, or longer, is not whole; nor is one of more files than there may be.
static void test_not_whole(void **state)
{
    (void)state;
    struct file_set set = read_all(), got;
    struct fault fault;
    int fd = file_set_write(&set, &fault), torn = memfd_create("torn", 0);
    file_set_fini(&set);
    size_t size = (size_t)lseek(fd, 0, SEEK_END);
    char *bytes = malloc(size + 1);
    assert_int_equal(pread(fd, bytes, size, 0), size);
    bytes[size] = 0;
    assert_int_equal(pwrite(torn, bytes, size + 1, 0), size + 1);
    for (size_t len = 0; len <= size + 1; len++)
        CASE("cut off", file_set_from(&got, torn, len) == (len == size) && (file_set_fini(&got), true));
    assert_int_equal(pwrite(torn, "\0\0\0\377", 4, 0), 4);
    assert_false(file_set_from(&got, torn, size));
    assert_false(file_set_from(&got, -1, size));
    free(bytes);
    close(fd);
    close(torn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_handed_over),
        cmocka_unit_test(test_not_whole),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
