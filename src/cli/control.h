// SPDX-License-Identifier: GPL-2.0-or-later
// The control socket: one request line, one JSON object, end of file. Only root and the user who started the program
// are heard, and a group that may be let in; of a service its user's other processes, as far as a service manager's commands
// go (reload, upgrade). A connection lives 5 s at most unless its answer is known to take longer, and their number is bounded.
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include "base/facts.h"
#include "base/fault.h"
#include "config/control_group.h"

#include <uv.h>

struct control;
struct control_request;

// `line` without its end. Answer by control_reply or control_refuse, now or later, exactly once.
typedef void control_handler(void *owner, const char *line, struct control_request *request);

// The socket is made with mode 0600; `path` belongs to the caller, who removes it.
struct control *control_new(uv_loop_t *loop, const char *path, control_handler *handler, void *owner,
                            struct fault *fault);
// Lets the members of a group in as well; while root still is root.
bool control_admit(struct control *control, const struct control_group *group, struct fault *fault);
// The same for a process that the program has started, by its number; the user is its own.
void control_trust(struct control *control, pid_t companion);
// One that listens already, of an earlier program in this process; its descriptor is the control socket's from now on.
struct control *control_adopt(uv_loop_t *loop, int fd, control_handler *handler, void *owner, struct fault *fault);
int control_fd(const struct control *control);
// The connection of who asked, -1 when it has gone; and the answer to one who asked an earlier program, whose descriptor is
// closed here.
int control_request_fd(const struct control_request *request);
void control_answer(int fd, facts_describe *describe, const void *part);
// Closes every connection. A request that is not answered yet must not be answered any more.
void control_free(struct control *control);
void control_reply(struct control_request *request, facts_describe *describe, const void *part);
// The same with a descriptor beside it (SCM_RIGHTS), which is closed here.
void control_hand_over(struct control_request *request, int fd, facts_describe *describe, const void *part);
// Who asked has gone. The request is still to be answered.
typedef void control_deserted(void *owner);
// From within the handler, whose line is void from here on: the answer may take so long, and is of no use if the one who
// asked goes before.
void control_expect(struct control_request *request, uint64_t ms, control_deserted *deserted, void *owner);
// {"error": WHY}
void control_refuse(struct control_request *request, const char *why);

// The other end, blocking for 10 s at most: sends `line` and returns the object as text, to be freed, or NULL with a
// fault.
char *control_ask(const char *path, const char *line, struct fault *fault);
// Only asks: the descriptor from which the answer is to be read, to its end, or -1.
int control_ask_begin(const char *path, const char *line, struct fault *fault);
// The same for what takes so many seconds at most.
char *control_ask_long(const char *path, const char *line, unsigned seconds, struct fault *fault);

#endif
