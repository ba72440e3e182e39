// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

void job_open(struct job *job)
{
    job->fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    job->group = job->fd >= 0 && tcgetpgrp(job->fd) == getpgrp() ? getpgrp() : 0;
}

void job_close(struct job *job)
{
    if (job->fd >= 0)
        close(job->fd);
    job->fd = -1;
}

void job_stop(int number)
{
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, number);
    kill(getpid(), number); // one that waits already is the same
    sigprocmask(SIG_UNBLOCK, &set, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

void job_restore(struct job *job)
{
    if (job->fd < 0)
        return;
    pid_t now = tcgetpgrp(job->fd);
    bool is_abandoned = now > 0 && kill(-now, 0) < 0 && errno == ESRCH;
    if (job->group && is_abandoned)
        tcsetpgrp(job->fd, job->group);
    job_close(job);
}
