/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/proxy.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "service/model/config-value.h"
#include "service/model/config.h"
#include "service/model/device.h"
#include "service/util/cleanup.h"

static const char *const protocols[] = {
        [PROXY_TCP] = "tcp",
        [PROXY_UDP] = "udp",
        [PROXY_UNIX] = "unix",
};
G_STATIC_ASSERT(G_N_ELEMENTS(protocols) == _PROXY_PROTOCOL_MAX);

/* --- addresses --- */

void proxy_address_clear(ProxyAddress *address) {
        g_clear_pointer(&address->host, g_free);
        g_clear_pointer(&address->ports, g_array_unref);
}

int proxy_address_family(const ProxyAddress *address) {
        if (address->protocol == PROXY_UNIX)
                return AF_UNIX;
        return strchr(address->host, ':') ? AF_INET6 : AF_INET;
}

bool proxy_address_is_abstract(const ProxyAddress *address) {
        return address->protocol == PROXY_UNIX && address->host[0] == '@';
}

size_t proxy_address_count(const ProxyAddress *address) {
        return address->ports ? address->ports->len : 1;
}

static int parse_protocol(const char *text, ProxyProtocol *ret, const char **ret_rest,
                          Error *ret_error) {
        for (ProxyProtocol p = 0; p < _PROXY_PROTOCOL_MAX; p++) {
                size_t n = strlen(protocols[p]);

                if (strncmp(text, protocols[p], n) != 0 || text[n] != ':')
                        continue;
                *ret = p;
                *ret_rest = text + n + 1;
                return 0;
        }
        return error_set(ret_error, ERROR_INVALID_DEVICE,
                         "\"%.128s\" does not begin with \"tcp:\", \"udp:\" or \"unix:\"", text);
}

static int parse_unix(const char *text, ProxyAddress *address, Error *ret_error) {
        size_t n = strlen(text);

        if ((text[0] != '/' && text[0] != '@') || n < 2 || n > PROXY_PATH_MAX ||
            !g_utf8_validate(text, -1, NULL))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"%.128s\" is neither an absolute path nor @NAME, of at most %u "
                                 "bytes", text, PROXY_PATH_MAX);
        for (const char *p = text; *p; p++)
                if (g_ascii_iscntrl(*p))
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "the path holds a control character");
        address->host = g_strdup(text);
        return 0;
}

static int parse_host(const char *text, size_t n, ProxyAddress *address, Error *ret_error) {
        bool brackets = n > 1 && text[0] == '[' && text[n - 1] == ']';
        struct in6_addr unused;

        address->host = brackets ? g_strndup(text + 1, n - 2) : g_strndup(text, n);
        if (inet_pton(brackets ? AF_INET6 : AF_INET, address->host, &unused) == 1)
                return 0;
        return error_set(ret_error, ERROR_INVALID_DEVICE,
                         "\"%.64s\" is no address such as 127.0.0.1 or [::1] (names are not "
                         "looked up)", address->host);
}

static int parse_port(const char *text, uint16_t *ret) {
        guint64 port;

        if (!g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT16, &port, NULL))
                return -EINVAL;
        *ret = (uint16_t) port;
        return 0;
}

int proxy_ports_parse(const char *text, GArray *ports, Error *ret_error) {
        g_auto(GStrv) parts = g_strsplit(text, ",", -1);

        for (char **part = parts; *part; part++) {
                g_auto(GStrv) ends = g_strsplit(*part, "-", 2);
                uint16_t first, last;

                if (!ends[0] || parse_port(ends[0], &first) < 0 ||
                    parse_port(ends[1] ?: ends[0], &last) < 0 || last < first)
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "\"%.64s\" is no list of ports such as 80,8000-8009",
                                         text);
                for (unsigned port = first; port <= last; port++) {
                        uint16_t p = (uint16_t) port;

                        if (ports->len >= PROXY_PORTS_MAX)
                                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                                 "a proxy has at most %u ports", PROXY_PORTS_MAX);
                        g_array_append_val(ports, p);
                }
        }
        if (ports->len == 0)
                return error_set(ret_error, ERROR_INVALID_DEVICE, "it names no port");
        return 0;
}

static int parse_ports(const char *text, ProxyAddress *address, Error *ret_error) {
        address->ports = g_array_new(FALSE, FALSE, sizeof(uint16_t));
        return proxy_ports_parse(text, address->ports, ret_error);
}

int proxy_address_parse(const char *text, ProxyAddress *ret, Error *ret_error) {
        g_auto(ProxyAddress) address = { 0 };
        const char *rest = NULL, *colon;
        int r;

        r = parse_protocol(text, &address.protocol, &rest, ret_error);
        if (r < 0)
                return r;
        if (address.protocol == PROXY_UNIX) {
                r = parse_unix(rest, &address, ret_error);
        } else {
                colon = strrchr(rest, ':');
                if (!colon)
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "\"%.128s\" has no port: it is to be %s:ADDRESS:PORT",
                                         text, protocols[address.protocol]);
                r = parse_host(rest, (size_t) (colon - rest), &address, ret_error);
                if (r >= 0)
                        r = parse_ports(colon + 1, &address, ret_error);
        }
        if (r < 0)
                return r;
        *ret = address;
        address = (ProxyAddress) { 0 };
        return 0;
}

/* --- for the table --- */

int proxy_check_address(const char *value, Error *ret_error) {
        g_auto(ProxyAddress) address = { 0 };

        return proxy_address_parse(value, &address, ret_error);
}

int proxy_check_bind(const char *value, Error *ret_error) {
        static const char *const words[] = { "host", "instance", "container", "guest", NULL };

        if (g_strv_contains(words, value))
                return 0;
        return error_set(ret_error, ERROR_INVALID_DEVICE, "\"%.64s\" is none of host, instance",
                         value);
}

bool proxy_listens_inside(GVariant *options) {
        const char *bind = config_get(options, "bind");

        return bind && !g_str_equal(bind, "host");
}

static bool is_wildcard(const ProxyAddress *address) {
        return g_str_equal(address->host, "0.0.0.0") || g_str_equal(address->host, "::");
}

/* What the kernel does by itself it does for addresses, of one kind, of the host. */
static int check_nat(GVariant *options, const ProxyAddress *from, const ProxyAddress *to,
                     Error *ret_error) {
        if (proxy_listens_inside(options))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"nat\" is for a proxy that listens on the host");
        if (from->protocol == PROXY_UNIX || to->protocol != from->protocol ||
            proxy_address_family(from) != proxy_address_family(to))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "with \"nat\" both addresses are tcp or both udp, and of one "
                                 "family");
        if (is_wildcard(from) || is_wildcard(to))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "with \"nat\" it listens on one address of the host and connects "
                                 "to one of the container, not to all");
        if (device_get_boolean(options, "proxy_protocol", false))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"proxy_protocol\" does not go with \"nat\", which keeps the "
                                 "caller's address anyway");
        return 0;
}

static int check_socket_owner(GVariant *options, const ProxyAddress *from, Error *ret_error) {
        static const char *const names[] = { "uid", "gid", "mode" };

        if (from->protocol == PROXY_UNIX && !proxy_address_is_abstract(from))
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (config_get(options, names[i]))
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "\"%s\" is for a proxy that listens on the path of a Unix "
                                         "socket", names[i]);
        return 0;
}

static int check_pair(GVariant *options, const ProxyAddress *from, const ProxyAddress *to,
                      Error *ret_error) {
        size_t n = proxy_address_count(to);

        if ((from->protocol == PROXY_UDP) != (to->protocol == PROXY_UDP))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "datagrams cannot become a stream: udp goes with udp only");
        if (n != 1 && n != proxy_address_count(from))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "it has to connect to one port, or to as many as it listens on");
        if (to->protocol != PROXY_UNIX && is_wildcard(to))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "%s is no address that one can connect to", to->host);
        if (device_get_boolean(options, "proxy_protocol", false) && to->protocol == PROXY_UDP)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"proxy_protocol\" is for streams, not for udp");
        return 0;
}

int proxy_check(GVariant *options, Error *ret_error) {
        g_auto(ProxyAddress) from = { 0 }, to = { 0 };
        int r;

        r = proxy_address_parse(config_get(options, "listen"), &from, ret_error);
        if (r >= 0)
                r = proxy_address_parse(config_get(options, "connect"), &to, ret_error);
        if (r >= 0)
                r = check_pair(options, &from, &to, ret_error);
        if (r >= 0)
                r = check_socket_owner(options, &from, ret_error);
        if (r >= 0 && device_get_boolean(options, "nat", false))
                r = check_nat(options, &from, &to, ret_error);
        return r;
}

/* What listens inside connects to the host with the owner's credentials: no more than he could do
 * himself. Ports of the host are an administrator's to give, and so is being somebody else. */
Privilege proxy_privilege(GVariant *options) {
        if (!proxy_listens_inside(options) || config_get(options, "security.uid") ||
            config_get(options, "security.gid"))
                return PRIVILEGE_HOST;
        return PRIVILEGE_OWN_FILES;
}
