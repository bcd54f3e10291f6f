/* One small plugin for tests/load.rs. Each switch breaks one rule of loading, or stretches it:
 *
 *   NO_SYMBOL         does not export the entry function
 *   UNRESOLVED        needs a function that it does not define
 *   DEFINES           exports the function that UNRESOLVED needs
 *   NULL_INFO         the entry function returns null
 *   ABI_VERSION=n     states version n of the ABI
 *   STRUCT_SIZE=n     states an NrPluginInfo of n bytes
 *   SHORT_INFO        has the first two fields of an NrPluginInfo alone: what follows them cannot be read
 *   MISALIGNED        has its info and its table of functions at odd addresses
 *   NAME=s            with NAME_LEN=n: the bytes of its name; s may be NULL
 *   VERSION=s         with VERSION_LEN=n: the bytes of its version; s may be NULL
 *   NULL_VTABLE       has no table of functions
 *   NO_HANDLE, NO_INIT, NO_SHUTDOWN    has a table without that function
 *   INIT_RETURNS=n    `init` returns n
 *   HANDLE_RETURNS=n  `handle` returns n, and sends nothing
 *
 * `handle` answers before it returns, with the number of its calls so far in decimal.
 */
#if defined(SHORT_INFO)
#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#include <sys/mman.h>
#include <unistd.h>
#endif

#include <nylon_ring.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifndef ABI_VERSION
#define ABI_VERSION NR_ABI_VERSION
#endif
#ifndef STRUCT_SIZE
#define STRUCT_SIZE sizeof(NrPluginInfo)
#endif
#ifndef NAME
#define NAME "load_test"
#define NAME_LEN 9
#endif
#ifndef VERSION
#define VERSION "1.2.3"
#define VERSION_LEN 5
#endif
#ifndef INIT_RETURNS
#define INIT_RETURNS NR_STATUS_OK
#endif

#if defined(NO_INIT)
/* Nobody has told the plugin where to send its results. */
#define HANDLE_RETURNS NR_STATUS_UNSUPPORTED
#endif

static void *host_ctx;
static const NrHostVTable *host;
static unsigned calls;

static NrStatus init(void *plugin_ctx, void *ctx, const NrHostVTable *vtable) {
  (void)plugin_ctx;
  host_ctx = ctx;
  host = vtable;
  return INIT_RETURNS;
}

static NrStatus handle(void *plugin_ctx, uint64_t sid, const NrRequest *req, NrBytes payload) {
  (void)plugin_ctx;
  (void)req;
  (void)payload;
#if defined(HANDLE_RETURNS)
  (void)sid;
  calls++;
  return HANDLE_RETURNS;
#else
  char text[16];
  int len = snprintf(text, sizeof text, "%u", ++calls);
  host->send_result(host_ctx, sid, NR_STATUS_OK, nr_bytes(text, (size_t)len));
  return NR_STATUS_OK;
#endif
}

static void shut_down(void *plugin_ctx) { (void)plugin_ctx; }

static const NrPluginVTable vtable = {
    .init = init,
    .handle = handle,
    .shutdown = shut_down,
};

/* Fills the info at run time: it may lie at an odd address, and its table may be another than `vtable`. */
static NrPluginInfo make_info(const NrPluginVTable *table) {
  NrPluginInfo info;
  memset(&info, 0, sizeof info);
  info.abi_version = ABI_VERSION;
  info.struct_size = (uint32_t)STRUCT_SIZE;
  info.name.ptr = (const uint8_t *)NAME;
  info.name.len = NAME_LEN;
  info.version.ptr = (const uint8_t *)VERSION;
  info.version.len = VERSION_LEN;
  info.vtable = table;
  return info;
}

#if defined(NO_SYMBOL)
#define ENTRY some_other_name
#else
#define ENTRY nylon_ring_get_plugin_v1
#endif

#if defined(DEFINES)
NR_EXPORT int nr_load_test_elsewhere(void);
NR_EXPORT int nr_load_test_elsewhere(void) { return 1; }
#endif
#if defined(UNRESOLVED)
int nr_load_test_elsewhere(void);
#endif

NR_EXPORT const NrPluginInfo *ENTRY(void) {
#if defined(UNRESOLVED)
  /* Never called, so that only a loader that resolves every symbol at once finds it missing. */
  if (calls == UINT32_MAX) {
    calls = (unsigned)nr_load_test_elsewhere();
  }
#endif
#if defined(NULL_INFO)
  (void)make_info;
  (void)vtable;
  return NULL;
#elif defined(SHORT_INFO)
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  unsigned char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (pages == MAP_FAILED || mprotect(pages + page, page, PROT_NONE) != 0) {
    return NULL;
  }
  NrPluginInfo info = make_info(&vtable);
  const size_t visible = offsetof(NrPluginInfo, name);
  return memcpy(pages + page - visible, &info, visible);
#elif defined(MISALIGNED)
  static unsigned char table_bytes[sizeof(NrPluginVTable) + 1];
  static unsigned char info_bytes[sizeof(NrPluginInfo) + 1];
  memcpy(table_bytes + 1, &vtable, sizeof vtable);
  NrPluginInfo info = make_info((const NrPluginVTable *)(const void *)(table_bytes + 1));
  memcpy(info_bytes + 1, &info, sizeof info);
  return (const NrPluginInfo *)(const void *)(info_bytes + 1);
#elif defined(NULL_VTABLE)
  static NrPluginInfo info;
  (void)vtable;
  info = make_info(NULL);
  return &info;
#else
  static NrPluginInfo info;
  static NrPluginVTable table;
  table = vtable;
#if defined(NO_HANDLE)
  table.handle = NULL;
#endif
#if defined(NO_INIT)
  table.init = NULL;
#endif
#if defined(NO_SHUTDOWN)
  table.shutdown = NULL;
#endif
  info = make_info(&table);
  return &info;
#endif
}
