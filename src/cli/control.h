// SPDX-License-Identifier: GPL-2.0-or-later
// The control socket: one request line, one JSON object, end of file. Only root and the user who started the program
// are heard, a connection lives 5 s at most, and there are few at a time.
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include "base/facts.h"
#include "base/fault.h"

#include <uv.h>

struct control;
struct control_request;

// `line` without its end. Answer by control_reply or control_refuse, now or later, exactly once.
typedef void control_handler(void *owner, const char *line, struct control_request *request);

// The socket is made with mode 0600; `path` belongs to the caller, who removes it.
struct control *control_new(uv_loop_t *loop, const char *path, control_handler *handler, void *owner,
                            struct fault *fault);
// Closes every connection. A request that is not answered yet must not be answered any more.
void control_free(struct control *control);
void control_reply(struct control_request *request, facts_describe *describe, const void *part);
// {"error": WHY}
void control_refuse(struct control_request *request, const char *why);

// The other end, blocking for 10 s at most: sends `line` and returns the object as text, to be freed, or NULL with a
// fault.
char *control_ask(const char *path, const char *line, struct fault *fault);

#endif
