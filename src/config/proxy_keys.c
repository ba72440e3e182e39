// SPDX-License-Identifier: GPL-2.0-or-later

#include "config/proxy_keys.h"

#include "base/host_name.h"
#include "base/memory.h"
#include "config/secret_file.h"
#include "config/value.h"
#include "link/path/command.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *scheme;
    enum proxy_kind kind;
    uint16_t port; // where none is named: 1080 by RFC 1928, 8080 by custom
} SCHEMES[] = {{"socks5://", PROXY_SOCKS5, 1080}, {"socks4a://", PROXY_SOCKS4A, 1080}, {"http://", PROXY_HTTP, 8080}};

enum { SCHEME_COUNT = sizeof SCHEMES / sizeof SCHEMES[0] };

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    return isxdigit((unsigned char)c) ? (int)(strchr(digits, tolower((unsigned char)c)) - digits) : -1;
}

// %40 for what a URL cannot hold. No NUL.
static bool decode(char *text)
{
    char *to = text;
    for (; *text; text++) {
        if (*text != '%') {
            *to++ = *text;
            continue;
        }
        int high = hex_digit(text[1]), low = high < 0 ? -1 : hex_digit(text[2]);
        if (low < 0 || high + low == 0)
            return false;
        *to++ = (char)(high << 4 | low);
        text += 2;
    }
    *to = '\0';
    return true;
}

static bool take_user(struct proxy *proxy, const char *text, size_t len, struct fault *fault)
{
    if (memchr(text, ':', len))
        return fault_set(fault, "has a password in it, where others may read it: it belongs into ProxyPasswordFile");
    char *user = strndup(text, len);
    if (!user || !decode(user) || !*user || strlen(user) > PROXY_SECRET_MAX || strpbrk(user, ":\r\n")) {
        free(user);
        return fault_set(fault, "has no user that can be used before the @");
    }
    proxy->user = user;
    return true;
}

// "proxy:1080", "proxy", "[2001:db8::1]:1080", "[2001:db8::1]"
static bool take_host(struct proxy *proxy, const char *text, uint16_t port, struct fault *fault)
{
    struct address addr;
    const char *host = text, *behind = text + strcspn(text, ":");
    size_t len = (size_t)(behind - text);
    if (*text == '[' && strchr(text, ']')) {
        host = text + 1;
        behind = strchr(text, ']') + 1;
        len = (size_t)(behind - 1 - host);
    }
    proxy->host = strndup(host, len);
    proxy->port = port;
    bool is_address = address_parse(&addr, proxy->host);
    bool is_known = host == text ? (is_address && addr.version == 4) || host_name_is_valid(proxy->host)
                                 : is_address && addr.version == 6;
    if (!is_known || (*behind && *behind != ':') || (*behind && !address_port_parse(&proxy->port, behind + 1)))
        return fault_set(fault, "has no host and port behind its scheme, such as proxy.example:1080");
    return true;
}

static void forget(struct proxy *proxy)
{
    if (proxy->password)
        explicit_bzero(proxy->password, strlen(proxy->password));
    free(proxy->password);
    free(proxy->host);
    free(proxy->user);
    *proxy = (struct proxy){.kind = PROXY_NONE};
}

bool proxy_keys_url(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    struct proxy *proxy = field;
    size_t i = 0;
    (void)key;
    while (i < SCHEME_COUNT && strncasecmp(entry->value, SCHEMES[i].scheme, strlen(SCHEMES[i].scheme)))
        i++;
    if (i == SCHEME_COUNT)
        return fault_set(fault, "does not begin with socks5://, socks4a:// or http://");
    char *rest = memory_text(entry->value + strlen(SCHEMES[i].scheme));
    size_t len = strlen(rest);
    if (len > 0 && rest[len - 1] == '/') // as people copy them
        rest[len - 1] = '\0';
    const char *at = strrchr(rest, '@');
    proxy->kind = SCHEMES[i].kind;
    bool ok = (!at || take_user(proxy, rest, (size_t)(at - rest), fault)) &&
              take_host(proxy, at ? at + 1 : rest, SCHEMES[i].port, fault);
    if (!ok)
        forget(proxy);
    free(rest);
    return ok;
}

bool proxy_keys_command(void *field, const struct config_entry *entry, const struct config_key *key,
                        struct fault *fault)
{
    char **command = field;
    (void)key;
    char *expanded = command_expand(entry->value, "gate", 1);
    if (!expanded)
        return fault_set(fault, "has a %% that is none of %%h (the gate's host), %%p (its port) and %%%%");
    free(expanded);
    free(*command);
    *command = memory_text(entry->value);
    return true;
}

static void check_gates(struct config *config, const char *section, const struct value_targets *gates)
{
    struct address addr;
    for (size_t i = 0; i < gates->count; i++)
        if (address_parse(&addr, gates->items[i].host) && addr.version == 6)
            config_mistake(config, section, "Proxy", "Proxy: SOCKS 4a cannot be asked for the IPv6 address %s",
                           gates->items[i].host);
}

void proxy_keys_check(const struct proxy_keys *keys, struct config *config, const char *section,
                      const struct value_targets *gates)
{
    bool wants_password = keys->proxy.kind == PROXY_SOCKS5 || keys->proxy.kind == PROXY_HTTP;
    if (config_has(config, section, "Proxy") && keys->command)
        config_mistake(config, section, "ProxyCommand", "ProxyCommand and Proxy: only one of them can make the way");
    if (keys->proxy.user && wants_password && !keys->password_file)
        config_mistake(config, section, "Proxy", "Proxy names a user, whose password ProxyPasswordFile must hold");
    if (keys->password_file && !config_has(config, section, "Proxy"))
        config_mistake(config, section, "ProxyPasswordFile", "ProxyPasswordFile is of use only with Proxy");
    else if (keys->password_file && keys->proxy.kind == PROXY_SOCKS4A)
        config_mistake(config, section, "ProxyPasswordFile", "ProxyPasswordFile: SOCKS 4a knows no passwords");
    else if (keys->password_file && keys->proxy.kind != PROXY_NONE && !keys->proxy.user)
        config_mistake(config, section, "ProxyPasswordFile", "ProxyPasswordFile needs a user: Proxy = %s",
                       keys->proxy.kind == PROXY_HTTP ? "http://USER@..." : "socks5://USER@...");
    if (keys->proxy.kind == PROXY_SOCKS4A)
        check_gates(config, section, gates);
}

bool proxy_keys_read(struct proxy_keys *keys, struct config *config, const char *section)
{
    if (!keys->password_file || keys->proxy.kind == PROXY_NONE)
        return true;
    keys->proxy.password =
        secret_file_line(config, section, "ProxyPasswordFile", keys->password_file, PROXY_SECRET_MAX);
    return keys->proxy.password;
}

void proxy_keys_fini(struct proxy_keys *keys)
{
    forget(&keys->proxy);
    free(keys->password_file);
    free(keys->command);
}
