// SPDX-License-Identifier: GPL-2.0-or-later
// A line is one datagram of "KEY=value" lines. Values have no line ends: what had some has spaces.
#include "os/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { VALUE_SIZE = 320, RECORD_SIZE = 4096 };

static const char SOCKET[] = "/run/systemd/journal/socket";

static const char *const KEYS[LOG_FIELDS] = {
    [LOG_PORTAL] = "PORTAL", [LOG_GATE] = "GATE", [LOG_PEER] = "PEER", [LOG_CERT_SERIAL] = "CERT_SERIAL"};

static const char *const IDS[LOG_EVENTS] = {
    [LOG_EVENT_UP] = "3b728ab1c19740db8d64a9395a7508d9",      [LOG_EVENT_LOST] = "88b547068c4f4f75aecf1e3a7217e73e",
    [LOG_EVENT_LOGIN] = "85dcee7003654b9ab6b01aef5d7d733a",   [LOG_EVENT_LOGOUT] = "22e29945547e40aebe1c2f3e45f5611b",
    [LOG_EVENT_REFUSED] = "b9c2e5e17e4a4c3099e9d5c7aa75c9f2", [LOG_EVENT_DENIED] = "7800a9b7490543bf8b75f80e7af894a8",
};

static int journal = -1;
static char values[LOG_FIELDS][VALUE_SIZE];

// A child may close what it does not know, and then the number is another's.
static void forget(void)
{
    journal = -1;
}

// The service manager names the stream it gave us as "device:inode" (systemd.exec(5), JOURNAL_STREAM). The variable
// alone proves nothing: a child inherits it after its stderr was turned elsewhere. A process that has its socket has seen to
// that, and may not look any more when it is sealed.
bool journal_is_stderr(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    uintmax_t device, inode;
    return journal >= 0 ||
           (stream && fstat(STDERR_FILENO, &st) == 0 && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
            device == (uintmax_t)st.st_dev && inode == (uintmax_t)st.st_ino);
}

void journal_open(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (journal >= 0 || !journal_is_stderr())
        return;
    memcpy(at.sun_path, SOCKET, sizeof SOCKET);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)&at, sizeof at) < 0 || pthread_atfork(NULL, NULL, forget)) {
        close(fd);
        return;
    }
    journal = fd;
}

void journal_set(enum log_field field, const char *value)
{
    snprintf(values[field], VALUE_SIZE, "%s", value ? value : "");
}

static size_t put(char record[RECORD_SIZE], size_t used, const char *key, const char *value, size_t len)
{
    size_t name = strlen(key);
    if (!len || RECORD_SIZE - used < name + len + 2)
        return used;
    memcpy(record + used, key, name);
    record[used + name] = '=';
    used += name + 1;
    for (size_t i = 0; i < len; i++)
        record[used++] = value[i] == '\n' ? ' ' : value[i];
    record[used++] = '\n';
    return used;
}

bool journal_send(int priority, enum log_event event, const char *message, size_t len)
{
    char record[RECORD_SIZE], digit[2] = {(char)('0' + priority), '\0'};
    if (journal < 0)
        return false;
    size_t used = put(record, 0, "PRIORITY", digit, 1);
    used = put(record, used, "SYSLOG_IDENTIFIER", program_invocation_short_name, strlen(program_invocation_short_name));
    for (size_t i = 0; i < LOG_FIELDS; i++)
        used = put(record, used, KEYS[i], values[i], strlen(values[i]));
    if (IDS[event])
        used = put(record, used, "MESSAGE_ID", IDS[event], strlen(IDS[event]));
    used = put(record, used, "MESSAGE", message, len);
    return send(journal, record, used, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)used;
}
