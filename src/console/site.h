// SPDX-License-Identifier: GPL-2.0-or-later
// What stands behind each address, and who may see it.
#ifndef CONSOLE_SITE_H
#define CONSOLE_SITE_H

#include "console/conf.h"
#include "console/http_request.h"
#include "console/source.h"

struct site;

struct site *site_new(uv_loop_t *loop, const struct console_conf *conf, struct source *source);
void site_free(struct site *site);                         // after its http
void site_serve(void *site, struct http_request *request); // an http_handler
// By which names browsers may call us, once the port is known.
void site_opened(struct site *site, const struct endpoint *where);
void site_changed(void *site); // the source has something new
// A fresh link to log in by, which the one before gives way to; NULL: here certificates are shown.
const char *site_login_link(struct site *site);

#endif
