/*
 * A whole plugin and a tiny host in one program, in the common subset of C11 and C++17. It is compiled as both, with
 * every warning an error, and run: it exits with 0, or with the line of the first check that failed.
 */
#include "nylon_ring.h"
#include "nylon_ring.h" /* a second time does no harm */

#define CHECK(condition)  \
  do {                    \
    if (!(condition)) {   \
      return __LINE__;    \
    }                     \
  } while (0)

static void *the_host_ctx;
static const NrHostVTable *the_host;
static const NrHostApi *the_api;

static NrStatus plugin_init(void *plugin_ctx, void *host_ctx, const NrHostVTable *host_vtable) {
  (void)plugin_ctx;
  the_host_ctx = host_ctx;
  the_host = host_vtable;
  return NR_STATUS_OK;
}

static NrStatus plugin_handle(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes payload) {
  (void)plugin_ctx;
  if (req == NULL) {
    return NR_STATUS_INVALID;
  }
  if (!nr_str_eq(req->path, "/echo")) {
    return NR_STATUS_UNSUPPORTED;
  }
  the_host->send_result(the_host_ctx, sid, NR_STATUS_OK, payload);
  return NR_STATUS_OK;
}

static void plugin_shutdown(void *plugin_ctx) { (void)plugin_ctx; }

static const NrPluginVTable plugin_vtable = {plugin_init, plugin_handle, plugin_shutdown};

const NrPluginInfo *nylon_ring_get_plugin_v1(void) {
  static NrPluginInfo info;
  info.abi_version = NR_ABI_VERSION;
  info.struct_size = sizeof(NrPluginInfo);
  info.name = nr_str("header-test");
  info.version = nr_str("0.1.0");
  info.plugin_ctx = NULL;
  info.vtable = &plugin_vtable;
  return &info;
}

void nylon_ring_attach_host_v1(void *plugin_ctx, const NrHostApi *api) {
  (void)plugin_ctx;
  the_api = api;
}

const void *nylon_ring_get_extension_v1(void *plugin_ctx, const char *id) {
  (void)plugin_ctx;
  (void)id;
  return NULL;
}

static uint64_t seen_sid;
static NrStatus seen_status;
static uint64_t seen_len;

static void host_send_result(void *host_ctx, uint64_t sid, NrStatus status, NrBytes payload) {
  (void)host_ctx;
  seen_sid = sid;
  seen_status = status;
  seen_len = payload.len;
}

static NrBytes host_set_state(void *host_ctx, uint64_t sid, NrStr key, NrBytes value) {
  (void)host_ctx;
  (void)sid;
  (void)key;
  (void)value;
  return nr_bytes(NULL, 0);
}

static NrBytes host_get_state(void *host_ctx, uint64_t sid, NrStr key) {
  (void)host_ctx;
  (void)sid;
  (void)key;
  return nr_bytes("kept", 4);
}

static const NrHostVTable host_vtable = {host_send_result};
static const NrHostExt state_table = {host_set_state, host_get_state};

static NrBytes host_config(void *host_ctx) {
  (void)host_ctx;
  return nr_bytes("{}", 2);
}

static const NrConfigExt config_table = {sizeof(NrConfigExt), 0, host_config};
static const NrDeadlineExt small_table = {sizeof(NrDeadlineExt) - 1, 0, NULL};

static const void *host_get_extension(void *host_ctx, const char *id) {
  (void)host_ctx;
  if (strcmp(id, NR_EXT_CONFIG) == 0) {
    return &config_table;
  }
  if (strcmp(id, NR_EXT_DEADLINE) == 0) {
    return &small_table;
  }
  return strcmp(id, NR_EXT_STATE) == 0 ? &state_table : NULL;
}

static const NrHostApi host_api = {sizeof(NrHostApi), 0, NULL, host_get_extension};

int main(void) {
  static const unsigned char cut_short[] = {'/', 'e', 'c', 'h', 'o', '!'};
  NrGetPluginFn get_plugin = nylon_ring_get_plugin_v1;
  NrAttachHostFn attach_host = nylon_ring_attach_host_v1;
  NrGetExtensionFn get_extension = nylon_ring_get_extension_v1;
  const NrPluginInfo *info = get_plugin();
  const NrHostExt *state;
  NrRequest req;
  NrStr view;

  /* helpers */
  CHECK(nr_str(NULL).len == 0 && nr_str(NULL).ptr == NULL);
  CHECK(nr_str("").len == 0);
  CHECK(nr_str("abc").len == 3 && nr_str("abc").ptr[2] == 'c');
  CHECK(nr_bytes(cut_short, 5).len == 5 && nr_bytes(cut_short, 5).ptr == cut_short);
  view.ptr = cut_short;
  view.len = 5;
  CHECK(nr_str_eq(view, "/echo"));
  CHECK(!nr_str_eq(view, "/ech"));
  CHECK(!nr_str_eq(view, "/echo!"));
  CHECK(!nr_str_eq(view, NULL));
  CHECK(nr_str_eq(nr_str(NULL), NULL) && nr_str_eq(nr_str(NULL), "") && nr_str_eq(nr_str(""), NULL));
  view.ptr = NULL;
  CHECK(!nr_str_eq(view, "/echo")); /* null with a length: never read */
  CHECK(!nr_status_is_terminal(NR_STATUS_OK) && nr_status_is_terminal(NR_STATUS_STREAM_END));
  CHECK(nr_status_is_terminal(NR_STATUS_ERR) && nr_status_is_terminal(77u));

  /* the life of a plugin */
  CHECK(info->abi_version == NR_ABI_VERSION && info->struct_size >= sizeof(NrPluginInfo));
  attach_host(info->plugin_ctx, &host_api);
  CHECK(get_extension(info->plugin_ctx, "nylon.health/1") == NULL);
  CHECK(info->vtable->init(info->plugin_ctx, NULL, &host_vtable) == NR_STATUS_OK);
  state = (const NrHostExt *)the_api->get_extension(the_api->host_ctx, NR_EXT_STATE);
  CHECK(state != NULL && state->set_state(NULL, 1, nr_str("k"), nr_bytes("v", 1)).len == 0);
  CHECK(state->get_state(NULL, 1, nr_str("k")).len == 4);
  CHECK(the_api->get_extension(the_api->host_ctx, "nylon.none/1") == NULL);
  CHECK(nr_host_extension(the_api, NR_EXT_CONFIG, sizeof(NrConfigExt)) == &config_table);
  CHECK(nr_host_extension(the_api, NR_EXT_DEADLINE, sizeof(NrDeadlineExt)) == NULL); /* smaller than the table */
  CHECK(nr_host_extension(the_api, NR_EXT_LOG, sizeof(NrLogExt)) == NULL);
  CHECK(nr_host_extension(NULL, NR_EXT_CONFIG, sizeof(NrConfigExt)) == NULL);

  memset(&req, 0, sizeof(req));
  req.path = nr_str("/echo");
  CHECK(info->vtable->handle(info->plugin_ctx, 42, &req, nr_bytes(cut_short, 6)) == NR_STATUS_OK);
  CHECK(seen_sid == 42 && seen_status == NR_STATUS_OK && seen_len == 6);
  req.path = nr_str("/other");
  CHECK(info->vtable->handle(info->plugin_ctx, 43, &req, nr_bytes(NULL, 0)) == NR_STATUS_UNSUPPORTED);
  CHECK(info->vtable->handle(info->plugin_ctx, 44, NULL, nr_bytes(NULL, 0)) == NR_STATUS_INVALID);
  CHECK(seen_sid == 42);
  info->vtable->shutdown(info->plugin_ctx);
  return 0;
}
