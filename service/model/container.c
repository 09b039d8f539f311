/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/container.h"

#include "service/model/config.h"
#include "service/model/image.h"
#include "service/model/record.h"
#include "service/util/cleanup.h"

static const char *const states[] = {
        [CONTAINER_CREATING] = "creating", [CONTAINER_STOPPED] = "stopped",
        [CONTAINER_STARTING] = "starting", [CONTAINER_RUNNING] = "running",
        [CONTAINER_FROZEN] = "frozen",     [CONTAINER_STOPPING] = "stopping",
        [CONTAINER_DELETING] = "deleting", [CONTAINER_ERROR] = "error",
};
G_STATIC_ASSERT(G_N_ELEMENTS(states) == _CONTAINER_STATE_MAX);

const char *container_state_to_string(ContainerState state) {
        return states[state];
}

bool container_is_up(const Container *c) {
        return c->facts.init_pid > 0;
}

static GVariant *addresses_empty(void) {
        return g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE("(sssus)"), NULL, 0));
}

Container *container_new(const char *name, uid_t owner) {
        Container *c = g_new0(Container, 1);

        object_init(&c->object, OBJECT_CONTAINER, name, owner);
        c->description = g_strdup("");
        c->config = config_empty();
        c->devices = devices_empty();
        c->templates = image_templates_empty();
        c->profiles = g_new0(char *, 1);
        c->addresses = addresses_empty();
        c->snapshots = g_ptr_array_new();
        c->init_fd = c->monitor_fd = -EBADF;
        return c;
}

void container_forget_run(Container *c) {
        c->init_fd = fd_close(c->init_fd);
        c->monitor_fd = fd_close(c->monitor_fd);
        g_free(c->facts.lxc_path);
        g_free(c->facts.cpus);
        idmap_free(c->facts.idmap);
        g_clear_pointer(&c->facts.going, g_variant_unref);
        g_clear_pointer(&c->facts.coming, g_variant_unref);
        g_clear_pointer(&c->facts.limits, g_variant_unref);
        c->facts = (ContainerFacts) { 0 };
        g_variant_unref(c->addresses);
        c->addresses = addresses_empty();
}

void container_set_shifted(Container *c, IdMap *map) {
        idmap_free(c->shifted);
        c->shifted = map;
}

Container *container_free(Container *c) {
        if (!c)
                return NULL;

        container_forget_run(c);
        container_set_shifted(c, NULL);
        g_variant_unref(c->addresses);
        object_done(&c->object);
        g_ptr_array_unref(c->snapshots);
        g_free(c->rename_to);
        g_free(c->restore_from);
        g_free(c->move_pool);
        g_free(c->description);
        g_free(c->image);
        g_free(c->architecture);
        g_free(c->pool);
        g_strfreev(c->profiles);
        g_variant_unref(c->config);
        g_variant_unref(c->devices);
        g_variant_unref(c->templates);
        g_free(c);
        return NULL;
}

GVariant *container_to_record(const Container *c) {
        g_autoptr(GVariant) snapshots = NULL;
        GVariantDict dict;
        ContainerState state = c->state;

        if (c->doomed)
                state = CONTAINER_DELETING;
        else if (c->incomplete && state != CONTAINER_DELETING)
                state = CONTAINER_CREATING;
        else if (state != CONTAINER_DELETING)
                state = CONTAINER_STOPPED; /* whether it runs is for the facts to say */
        g_variant_dict_init(&dict, NULL);
        record_put_object(&dict, &c->object);
        g_variant_dict_insert(&dict, "state", "s", states[state]);
        g_variant_dict_insert(&dict, "rename-to", "s", c->rename_to ?: "");
        g_variant_dict_insert(&dict, "move-pool", "s", c->move_pool ?: "");
        g_variant_dict_insert(&dict, "held", "b", c->held);
        g_variant_dict_insert(&dict, "refreshing", "b", c->refreshing);
        g_variant_dict_insert(&dict, "resizing", "b", c->resizing);
        g_variant_dict_insert(&dict, "restore-from", "s", c->restore_from ?: "");
        g_variant_dict_insert(&dict, "restore-stateful", "b", c->restore_stateful);
        g_variant_dict_insert(&dict, "interrupted", "b", c->interrupted);
        g_variant_dict_insert(&dict, "stateful", "b", c->stateful);
        g_variant_dict_insert(&dict, "state-in-use", "b", c->state_in_use);
        g_variant_dict_insert(&dict, "description", "s", c->description);
        g_variant_dict_insert(&dict, "image", "s", c->image);
        g_variant_dict_insert(&dict, "architecture", "s", c->architecture);
        g_variant_dict_insert(&dict, "pool", "s", c->pool);
        g_variant_dict_insert(&dict, "ephemeral", "b", c->ephemeral);
        g_variant_dict_insert(&dict, "profiles", "^as", c->profiles);
        g_variant_dict_insert_value(&dict, "config", c->config);
        g_variant_dict_insert_value(&dict, "devices", c->devices);
        record_put_privilege(&dict, c->granted);
        g_variant_dict_insert(&dict, "idmap-base", "u", c->ids.base);
        g_variant_dict_insert(&dict, "idmap-size", "u", c->ids.size);
        g_variant_dict_insert(&dict, "idmap-shared", "b", c->ids_shared);
        g_variant_dict_insert(&dict, "idmapped", "b", !c->shifted);
        if (c->shifted)
                g_variant_dict_insert_value(&dict, "shifted", idmap_to_variant(c->shifted));
        g_variant_dict_insert(&dict, "created", "t", c->created);
        g_variant_dict_insert(&dict, "last-started", "t", c->last_started);
        g_variant_dict_insert_value(&dict, "templates", c->templates);
        snapshots = snapshots_to_record(c->snapshots);
        g_variant_dict_insert_value(&dict, "snapshots", snapshots);
        return g_variant_ref_sink(g_variant_dict_end(&dict));
}

/* "" stands for "nothing of the kind is under way". */
static int get_plan(const Record *record, const char *key, char **value) {
        int r = record_get_string(record, key, value);

        if (r >= 0 && !**value)
                g_clear_pointer(value, g_free);
        return r;
}

static int snapshots_read(Container *c, const Record *record) {
        g_autoptr(GVariant) snapshots = NULL;

        if (record_get_variant(record, "snapshots", SNAPSHOTS_TYPE, &snapshots) < 0)
                return -EBADMSG;
        return snapshots_from_record(c->object.name, c->object.owner, snapshots, c->snapshots);
}

static int get_idmap(const Record *record, const char *key, IdMap **ret) {
        g_autoptr(GVariant) value = NULL;

        if (record_get_variant(record, key, IDMAP_TYPE, &value) < 0)
                return -EBADMSG;
        return idmap_from_variant(value, ret, NULL) < 0 ? -EBADMSG : 0;
}

static int ids_read(Container *c, const Record *record) {
        bool idmapped;

        if (record_get_uint32(record, "idmap-base", &c->ids.base) < 0 ||
            record_get_uint32(record, "idmap-size", &c->ids.size) < 0 ||
            record_get_boolean(record, "idmap-shared", &c->ids_shared) < 0 ||
            record_get_boolean(record, "idmapped", &idmapped) < 0 || !id_range_is_valid(&c->ids))
                return -EBADMSG;
        return idmapped ? 0 : get_idmap(record, "shifted", &c->shifted);
}

int container_from_record(const char *name, GVariant *value, Container **ret) {
        g_autoptr(Record) record = record_open(value);
        g_autoptr(Container) c = container_new(name, 0);
        int state;

        if (record_get_object(record, &c->object) < 0 ||
            record_get_enum(record, "state", states, _CONTAINER_STATE_MAX, &state) < 0 ||
            get_plan(record, "rename-to", &c->rename_to) < 0 ||
            get_plan(record, "restore-from", &c->restore_from) < 0 ||
            get_plan(record, "move-pool", &c->move_pool) < 0 ||
            record_get_boolean(record, "held", &c->held) < 0 ||
            record_get_string(record, "description", &c->description) < 0 ||
            record_get_string(record, "image", &c->image) < 0 ||
            record_get_string(record, "architecture", &c->architecture) < 0 ||
            record_get_string(record, "pool", &c->pool) < 0 ||
            record_get_boolean(record, "ephemeral", &c->ephemeral) < 0 ||
            record_get_strv(record, "profiles", &c->profiles) < 0 ||
            record_get_variant(record, "config", CONFIG_TYPE, &c->config) < 0 ||
            record_get_variant(record, "devices", DEVICES_TYPE, &c->devices) < 0 ||
            record_get_privilege(record, &c->granted) < 0 ||
            ids_read(c, record) < 0 ||
            record_get_uint64(record, "created", &c->created) < 0 ||
            record_get_uint64(record, "last-started", &c->last_started) < 0 ||
            record_get_templates(record, &c->templates) < 0)
                return -EBADMSG;
        /* The snapshots last: from then on they are the table's to free. */
        if (record_get_later(record, "stateful", &c->stateful) < 0 ||
            record_get_later(record, "state-in-use", &c->state_in_use) < 0 ||
            record_get_later(record, "restore-stateful", &c->restore_stateful) < 0 ||
            record_get_later(record, "interrupted", &c->interrupted) < 0 ||
            record_get_later(record, "refreshing", &c->refreshing) < 0 ||
            record_get_later(record, "resizing", &c->resizing) < 0 ||
            snapshots_read(c, record) < 0)
                return -EBADMSG;
        c->state = (ContainerState) state;
        c->incomplete = c->state == CONTAINER_CREATING;
        *ret = TAKE_PTR(c);
        return 0;
}

GVariant *container_facts_to_record(const ContainerFacts *facts) {
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "init-pid", "u", (guint32) facts->init_pid);
        g_variant_dict_insert(&dict, "init-start", "t", facts->init_start);
        g_variant_dict_insert(&dict, "monitor-pid", "u", (guint32) facts->monitor_pid);
        g_variant_dict_insert(&dict, "monitor-start", "t", facts->monitor_start);
        g_variant_dict_insert(&dict, "lxc-path", "s", facts->lxc_path);
        g_variant_dict_insert(&dict, "frozen", "b", facts->frozen);
        g_variant_dict_insert(&dict, "cpus", "s", facts->cpus ?: "");
        if (facts->idmap)
                g_variant_dict_insert_value(&dict, "idmap", idmap_to_variant(facts->idmap));
        if (facts->going)
                g_variant_dict_insert_value(&dict, "going", facts->going);
        if (facts->coming)
                g_variant_dict_insert_value(&dict, "coming", facts->coming);
        if (facts->limits)
                g_variant_dict_insert_value(&dict, "limits", facts->limits);
        return g_variant_ref_sink(g_variant_dict_end(&dict));
}

int container_facts_from_record(GVariant *value, ContainerFacts *ret) {
        g_autoptr(Record) record = record_open(value);
        g_autofree char *lxc_path = NULL;
        ContainerFacts facts = { 0 };
        uint32_t init_pid, monitor_pid;

        if (record_get_uint32(record, "init-pid", &init_pid) < 0 ||
            record_get_uint64(record, "init-start", &facts.init_start) < 0 ||
            record_get_uint32(record, "monitor-pid", &monitor_pid) < 0 ||
            record_get_uint64(record, "monitor-start", &facts.monitor_start) < 0 ||
            record_get_boolean(record, "frozen", &facts.frozen) < 0 ||
            record_get_string(record, "lxc-path", &lxc_path) < 0 ||
            get_idmap(record, "idmap", &facts.idmap) < 0)
                return -EBADMSG;
        facts.init_pid = (pid_t) init_pid;
        facts.monitor_pid = (pid_t) monitor_pid;
        facts.lxc_path = TAKE_PTR(lxc_path);
        (void) record_get_string(record, "cpus", &facts.cpus);
        (void) record_get_variant(record, "going", DEVICES_TYPE, &facts.going);
        (void) record_get_variant(record, "coming", DEVICES_TYPE, &facts.coming);
        (void) record_get_variant(record, "limits", G_VARIANT_TYPE("(a{ss}s)"), &facts.limits);
        *ret = facts;
        return 0;
}

const char *container_get_volatile(const Container *c, const char *device, const char *name) {
        g_autofree char *key = g_strdup_printf("volatile.%s.%s", device, name);

        return config_get(c->config, key);
}

void container_set_volatile(Container *c, const char *device, const char *name,
                            const char *value) {
        g_autofree char *key = g_strdup_printf("volatile.%s.%s", device, name);
        g_autoptr(GVariant) old = c->config;
        g_autoptr(GVariant) change = NULL;
        const char *const unset = key;

        if (!value) {
                change = g_variant_ref_sink(g_variant_new_strv(&unset, 1));
                c->config = config_merge(old, NULL, change);
                return;
        }
        change = g_variant_ref_sink(g_variant_new_parsed("{%s: %s}", key, value));
        c->config = config_merge(old, change, NULL);
}
