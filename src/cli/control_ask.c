// SPDX-License-Identifier: GPL-2.0-or-later
// The asking end of the control socket: blocking, for a command that has nothing else to do.

#include "cli/control.h"

#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_S = 10 }; // twice what the other end keeps a connection

static int dial(const char *path, unsigned seconds)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = seconds};
    if (strlen(path) >= sizeof at.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(at.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

// To its end, with a NUL behind; of the caller's.
static char *receive_all(int fd)
{
    size_t size = 0, len = 0;
    char *text = NULL;
    ssize_t got;
    do {
        if (size - len < 2) {
            size = size ? 2 * size : 4096;
            text = memory_resize(text, size);
        }
        got = recv(fd, text + len, size - len - 1, 0);
        len += got > 0 ? (size_t)got : 0;
    } while (got > 0 || (got < 0 && errno == EINTR));
    text[len] = '\0';
    return text;
}

static int begin(const char *path, const char *line, unsigned seconds, struct fault *fault)
{
    int fd = dial(path, seconds);
    if (fd < 0) {
        fault_errno(fault, errno, "%s", path);
        return -1;
    }
    size_t len = strlen(line);
    if (send(fd, line, len, MSG_NOSIGNAL) == (ssize_t)len && send(fd, "\n", 1, MSG_NOSIGNAL) == 1)
        return fd;
    close(fd);
    fault_set(fault, "%s: no answer", path);
    return -1;
}

int control_ask_begin(const char *path, const char *line, struct fault *fault)
{
    return begin(path, line, PATIENCE_S, fault);
}

char *control_ask_long(const char *path, const char *line, unsigned seconds, struct fault *fault)
{
    int fd = begin(path, line, seconds, fault);
    if (fd < 0)
        return NULL;
    char *answer = receive_all(fd);
    close(fd);
    if (*answer == '{' && answer[strlen(answer) - 1] == '}')
        return answer;
    free(answer);
    fault_set(fault, "%s: no answer", path);
    return NULL;
}

char *control_ask(const char *path, const char *line, struct fault *fault)
{
    return control_ask_long(path, line, PATIENCE_S, fault);
}
