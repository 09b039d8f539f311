/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bus/authorization.h"

#include <string.h>

#include "service/util/cleanup.h"
#include "tests/bus/world.h"

/* How each method is called here. A "@" in a path stands for the running program's job, "%" for
 * the image of alice; an argument of type h is an fd of an archive. Methods that take away what
 * others need come last. */
static const struct {
        const char *method, *path, *args;
} calls[] = {
        { "Manager.GetContainer", PATH_ROOT, "('c1',)" },
        { "Manager.GetImage", PATH_ROOT, "('fake',)" },
        { "Manager.GetProfile", PATH_ROOT, "('default',)" },
        { "Manager.GetNetwork", PATH_ROOT, "('net0',)" },
        { "Manager.GetStoragePool", PATH_ROOT, "('default',)" },
        { "Manager.GetConfigKeys", PATH_ROOT, "(@a{sv} {},)" },
        { "Manager.GetDeviceTypes", PATH_ROOT, "(@a{sv} {},)" },
        { "Manager.GetConfig", PATH_ROOT, "(@a{sv} {},)" },
        { "Manager.GetImageServers", PATH_ROOT, "(@a{sv} {},)" },
        { "Manager.GetServerImages", PATH_ROOT, "('images', @a{sv} {})" },
        { "Manager.DownloadImage", PATH_ROOT, "('images', 'debian/12', @a{sv} {})" },
        { "Manager.FetchImage", PATH_ROOT, "('https://example.com/pool/x.tar', @a{sv} {})" },
        { "Manager.UpdateConfig", PATH_ROOT,
          "({'images.remote_cache_expiry': '3'}, @as [], @a{sv} {})" },
        { "Manager.AddImageServer", PATH_ROOT, "('new', 'https://example.com', @a{sv} {})" },
        { "Manager.ChangeImageServer", PATH_ROOT, "('new', {'name': <'newer'>})" },
        { "Manager.RemoveImageServer", PATH_ROOT, "('newer', @a{sv} {})" },
        { "Manager.CheckAccess", PATH_ROOT, "('use', objectpath '/org/berth1')" },
        { "Manager.CreateContainer", PATH_ROOT, "('new', 'fake', @a{sv} {})" },
        { "Manager.ImportImage", PATH_ROOT, "(handle 0, @a{sv} {})" },
        { "Manager.OpenImageImport", PATH_ROOT, "(@a{sv} {},)" },
        { "Manager.ImportContainer", PATH_ROOT, "(handle 0, 'new', @a{sv} {})" },
        { "Manager.OpenContainerImport", PATH_ROOT, "('new', @a{sv} {})" },
        { "Manager.CreateProfile", PATH_ROOT, "('new', @a{sv} {})" },
        { "Manager.CreateNetwork", PATH_ROOT, "('new', 'bridge', @a{ss} {}, @a{sv} {})" },
        { "Manager.Initialize", PATH_ROOT,
          "(@aa{sv} [], @aa{sv} [], [{'name': <'new'>}], @a{sv} {})" },
        { "Manager.CreateStoragePool", PATH_ROOT, "('new', 'dir', @a{ss} {}, @a{sv} {})" },
        { "Container.GetConfig", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Container.GetDevices", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Container.ListTemplates", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Container.ReadTemplate", "/org/berth1/container/c1", "('there.tpl', @a{sv} {})" },
        { "Container.WriteTemplate", "/org/berth1/container/c1",
          "('new.tpl', 'text', {'create': <true>})" },
        { "Container.DeleteTemplate", "/org/berth1/container/c1", "('there.tpl', @a{sv} {})" },
        { "Container.GetMetadata", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Container.UpdateMetadata", "/org/berth1/container/c1",
          "({'properties': <{'os': 'x'}>},)" },
        { "Container.GetDiskUsage", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Container.GetState", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Container.Exec", "/org/berth1/container/c1", "(['true'], @a{sv} {})" },
        { "Container.ExecPipes", "/org/berth1/container/c1", "(['true'], @a{sv} {})" },
        { "Container.ExecTerminal", "/org/berth1/container/c1", "(['true'], @a{sv} {})" },
        { "Container.GetConsole", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Container.GetConsoleLog", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Container.GetLog", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Container.PullFile", "/org/berth1/container/c1", "('/x', @a{sv} {})" },
        { "Container.PullFileTo", "/org/berth1/container/c1", "('/x', handle 0, @a{sv} {})" },
        { "Container.PullTree", "/org/berth1/container/c1", "('/x', @a{sv} {})" },
        { "Container.PushFile", "/org/berth1/container/c1", "('/x', handle 0, @a{sv} {})" },
        { "Container.PushFilePipe", "/org/berth1/container/c1", "('/x', @a{sv} {})" },
        { "Container.PushTree", "/org/berth1/container/c1", "('/x', handle 0, @a{sv} {})" },
        { "Container.PushTreePipe", "/org/berth1/container/c1", "('/x', @a{sv} {})" },
        { "Container.MountFiles", "/org/berth1/container/c1", "('/x', handle 0, @a{sv} {})" },
        { "Container.StatPath", "/org/berth1/container/c1", "('/x', @a{sv} {})" },
        { "Container.ListDirectory", "/org/berth1/container/c1", "('/x', @a{sv} {})" },
        { "Container.MakeDirectory", "/org/berth1/container/c1", "('/x', @a{sv} {})" },
        { "Container.DeletePath", "/org/berth1/container/c1", "('/x', @a{sv} {})" },
        { "Container.Update", "/org/berth1/container/c1", "(@a{ss} {}, @as [], @a{sv} {})" },
        { "Container.Copy", "/org/berth1/container/c1", "('copy1', @a{sv} {})" },
        { "Container.Publish", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Container.Export", "/org/berth1/container/c1", "(handle 0, @a{sv} {})" },
        { "Container.SendState", "/org/berth1/container/c1", "(handle 0, @a{sv} {})" },
        { "Container.ReceiveState", "/org/berth1/container/c1", "(handle 0, @a{sv} {})" },
        { "Container.OpenExport", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Snapshot.Publish", "/org/berth1/container/c1/snapshot/s1", "(@a{sv} {},)" },
        { "Container.Move", "/org/berth1/container/c1", "('plain', @a{sv} {})" },
        { "Snapshot.Copy", "/org/berth1/container/c1/snapshot/s1", "('copy2', @a{sv} {})" },
        { "Container.CreateSnapshot", "/org/berth1/container/c1", "('s2', @a{sv} {})" },
        { "Snapshot.GetConfig", "/org/berth1/container/c1/snapshot/s1", "(@a{sv} {},)" },
        { "Snapshot.GetDevices", "/org/berth1/container/c1/snapshot/s1", "(@a{sv} {},)" },
        { "Snapshot.Update", "/org/berth1/container/c1/snapshot/s1", "(@a{sv} {},)" },
        { "Container.RestoreSnapshot", "/org/berth1/container/c1", "('s1', @a{sv} {})" },
        { "Snapshot.Rename", "/org/berth1/container/c1/snapshot/s0", "('s3', @a{sv} {})" },
        { "Snapshot.Delete", "/org/berth1/container/c1/snapshot/s1", "(@a{sv} {},)" },
        { "Container.WaitFor", "/org/berth1/container/c1", "('running', @a{sv} {})" },
        { "Container.WaitUntilReady", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Container.Freeze", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Container.Unfreeze", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Container.Start", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Container.Stop", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Container.Restart", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Container.Rename", "/org/berth1/container/c1", "('c9', @a{sv} {})" },
        { "Container.Delete", "/org/berth1/container/c1", "(@a{sv} {},)" },
        { "Job.Wait", "@", "(@a{sv} {},)" },
        { "Job.Resize", "@", "(uint32 80, uint32 24, @a{sv} {})" },
        { "Job.Kill", "@", "(1, @a{sv} {})" },
        { "Job.Cancel", "@", "(@a{sv} {},)" },
        { "Image.Export", "%", "(handle 0, @a{sv} {})" },
        { "Image.OpenExport", "%", "(@a{sv} {},)" },
        { "Image.AddAlias", "%", "('other', @a{sv} {})" },
        { "Image.RemoveAlias", "%", "('other', @a{sv} {})" },
        { "Image.Update", "%", "(@a{ss} {}, @as [], @a{sv} {})" },
        { "Image.Refresh", "%", "(@a{sv} {},)" },
        { "Image.Delete", "%", "(@a{sv} {},)" },
        { "Profile.GetConfig", PATH_PROFILE, "({'secrets': <true>},)" },
        { "Profile.GetDevices", PATH_PROFILE, "(@a{sv} {},)" },
        { "Profile.Update", PATH_PROFILE, "(@a{ss} {}, @as [], @a{sv} {})" },
        { "Profile.Rename", "/org/berth1/profile/p1", "('p3', @a{sv} {})" },
        { "Profile.Delete", "/org/berth1/profile/p2", "(@a{sv} {},)" },
        { "Network.GetConfig", "/org/berth1/network/net0", "(@a{sv} {},)" },
        { "Network.GetLeases", "/org/berth1/network/net0", "(@a{sv} {},)" },
        { "Network.GetState", "/org/berth1/network/net0", "(@a{sv} {},)" },
        { "Network.Update", "/org/berth1/network/net0",
          "({'user.a': 'b'}, @as [], @a{sv} {})" },
        { "Network.SetForward", "/org/berth1/network/net0",
          "('198.51.100.1', '', @a{ss} {}, @a(sssss) [], {'create': <true>})" },
        { "Network.DeleteForward", "/org/berth1/network/net0", "('198.51.100.1', @a{sv} {})" },
        { "Network.Rename", "/org/berth1/network/net1", "('net2', @a{sv} {})" },
        { "Network.Delete", "/org/berth1/network/net0", "(@a{sv} {},)" },
        { "StoragePool.GetConfig", PATH_POOL, "(@a{sv} {},)" },
        { "StoragePool.GetSpace", PATH_POOL, "(@a{sv} {},)" },
        { "StoragePool.Update", PATH_POOL, "(@a{ss} {}, @as [], @a{sv} {})" },
        { "StoragePool.GetVolume", PATH_POOL, "('v1',)" },
        { "StoragePool.CreateVolume", PATH_POOL, "('new', @a{ss} {}, @a{sv} {})" },
        { "Volume.GetConfig", PATH_POOL "/volume/v1", "(@a{sv} {},)" },
        { "Volume.GetDiskUsage", PATH_POOL "/volume/v1", "(@a{sv} {},)" },
        { "Volume.Update", PATH_POOL "/volume/v1", "(@a{ss} {}, @as [], @a{sv} {})" },
        { "Volume.Copy", PATH_POOL "/volume/v1", "('v2', @a{sv} {})" },
        { "Volume.Export", PATH_POOL "/volume/v1", "(handle 0, @a{sv} {})" },
        { "Volume.OpenExport", PATH_POOL "/volume/v1", "(@a{sv} {},)" },
        { "StoragePool.ImportVolume", PATH_POOL, "(handle 0, 'new', @a{sv} {})" },
        { "StoragePool.OpenVolumeImport", PATH_POOL, "('new', @a{sv} {})" },
        { "Volume.CreateSnapshot", PATH_POOL "/volume/v1", "('s2', @a{sv} {})" },
        { "Volume.UpdateSnapshot", PATH_POOL "/volume/v1", "('s1', @a{sv} {})" },
        { "Volume.RestoreSnapshot", PATH_POOL "/volume/v1", "('s1', @a{sv} {})" },
        { "Volume.RenameSnapshot", PATH_POOL "/volume/v1", "('s0', 's3', @a{sv} {})" },
        { "Volume.DeleteSnapshot", PATH_POOL "/volume/v1", "('s1', @a{sv} {})" },
        { "Volume.Rename", PATH_POOL "/volume/v0", "('v3', @a{sv} {})" },
        { "Volume.Delete", PATH_POOL "/volume/v1", "(@a{sv} {},)" },
        { "Manager.Recover", PATH_ROOT, "(@aa{sv} [], @a{sv} {})" },
        { "Manager.Shutdown", PATH_ROOT, "(@a{sv} {},)" },
        { "StoragePool.Delete", PATH_POOL, "(@a{sv} {},)" },
};

Stage stage_new(Harness *h, Client *alice) {
        static const char *const snapshots[] = { "s0", "s1" };
        Stage stage = { .h = h };
        g_autoptr(Call) p1 = NULL, p2 = NULL, network = NULL, other = NULL;

        world_make_image(h);
        stage.image = world_import_image(alice, "alice's image", NULL);
        stage.archive = world_new_archive("archive");
        p1 = client_call(h->root, PATH_ROOT, "Manager.CreateProfile",
                         g_variant_new_parsed("('p1', @a{sv} {})"));
        call_assert_ok(p1);
        p2 = client_call(h->root, PATH_ROOT, "Manager.CreateProfile",
                         g_variant_new_parsed("('p2', @a{sv} {})"));
        call_assert_ok(p2);
        network = client_run_job(h->root, PATH_ROOT, "Manager.CreateNetwork",
                                 g_variant_new_parsed("('net0', 'bridge', @a{ss} {}, @a{sv} {})"));
        call_assert_ok(network);
        other = client_run_job(h->root, PATH_ROOT, "Manager.CreateNetwork",
                               g_variant_new_parsed("('net1', 'bridge', @a{ss} {}, @a{sv} {})"));
        call_assert_ok(other);
        g_free(world_start_container(alice, "c1"));
        /* What is renamed is not what others need. */
        world_make_volume(alice, "v0");
        world_make_volume(alice, "v1");
        for (size_t i = 0; i < ELEMENTSOF(snapshots); i++) {
                g_autoptr(Call) of_container = client_run_job(
                        alice, "/org/berth1/container/c1", "Container.CreateSnapshot",
                        g_variant_new("(s@a{sv})", snapshots[i], no_options()));
                g_autoptr(Call) of_volume = client_run_job(
                        alice, PATH_POOL "/volume/v1", "Volume.CreateSnapshot",
                        g_variant_new("(s@a{sv})", snapshots[i], no_options()));

                call_assert_ok(of_container);
                call_assert_ok(of_volume);
        }
        harness_plan(h, "runtime.exec", "progress 0.5 Serving\nset serve yes");
        stage.job = client_start_job(alice, "/org/berth1/container/c1", "Container.Exec",
                                     g_variant_new_parsed("(['cat'], @a{sv} {})"));
        world_wait_for(h, 0, stage.job, "Stage", "Serving");
        return stage;
}

void stage_done(Stage *stage) {
        g_free(stage->job);
        g_free(stage->image);
        fd_close(stage->archive);
}

static const char *stage_path(const Stage *stage, const char *path) {
        return g_str_equal(path, "@") ? stage->job : g_str_equal(path, "%") ? stage->image : path;
}

Call *stage_begin(const Stage *stage, Client *client, size_t i) {
        return client_begin_fds(client, stage_path(stage, calls[i].path), calls[i].method,
                                g_variant_ref_sink(g_variant_new_parsed(calls[i].args)),
                                &stage->archive);
}

static bool is_alices(const char *path) {
        return g_str_equal(path, "@") || g_str_equal(path, "%") || strstr(path, "/container/") ||
               strstr(path, "/volume/");
}

const char *stage_get_method(size_t i) {
        return i < ELEMENTSOF(calls) ? calls[i].method : NULL;
}

bool stage_is_alices(size_t i) {
        return is_alices(calls[i].path);
}

const char *stage_get_path(size_t i) {
        return calls[i].path;
}
