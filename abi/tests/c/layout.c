/* Prints what a C compiler makes of the header: one fact a line, a name and its value. */
#include <stdio.h>

#include "nylon_ring.h"

#define TYPE(type) printf(#type " size %zu align %zu\n", sizeof(type), _Alignof(type))
#define FIELD(type, field)                                                                               \
  printf(#type "." #field " offset %zu size %zu align %zu\n", offsetof(type, field), sizeof(((type *)0)->field), \
         _Alignof(__typeof__(((type *)0)->field)))
#define NUMBER(name) printf(#name " %u\n", name)
#define TEXT(name) printf(#name " %s\n", name)

int main(void) {
  TYPE(NrStatus);

  TYPE(NrStr);
  FIELD(NrStr, ptr);
  FIELD(NrStr, len);

  TYPE(NrBytes);
  FIELD(NrBytes, ptr);
  FIELD(NrBytes, len);

  TYPE(NrHeader);
  FIELD(NrHeader, key);
  FIELD(NrHeader, value);

  TYPE(NrRequest);
  FIELD(NrRequest, path);
  FIELD(NrRequest, method);
  FIELD(NrRequest, query);
  FIELD(NrRequest, headers);
  FIELD(NrRequest, headers_len);
  FIELD(NrRequest, _reserved0);
  FIELD(NrRequest, _reserved1);

  TYPE(NrHostVTable);
  FIELD(NrHostVTable, send_result);

  TYPE(NrPluginVTable);
  FIELD(NrPluginVTable, init);
  FIELD(NrPluginVTable, handle);
  FIELD(NrPluginVTable, shutdown);

  TYPE(NrPluginInfo);
  FIELD(NrPluginInfo, abi_version);
  FIELD(NrPluginInfo, struct_size);
  FIELD(NrPluginInfo, name);
  FIELD(NrPluginInfo, version);
  FIELD(NrPluginInfo, plugin_ctx);
  FIELD(NrPluginInfo, vtable);

  TYPE(NrHostExt);
  FIELD(NrHostExt, set_state);
  FIELD(NrHostExt, get_state);

  TYPE(NrHostApi);
  FIELD(NrHostApi, struct_size);
  FIELD(NrHostApi, flags);
  FIELD(NrHostApi, host_ctx);
  FIELD(NrHostApi, get_extension);

  NUMBER(NR_ABI_VERSION);
  NUMBER(NR_STATUS_OK);
  NUMBER(NR_STATUS_ERR);
  NUMBER(NR_STATUS_INVALID);
  NUMBER(NR_STATUS_UNSUPPORTED);
  NUMBER(NR_STATUS_STREAM_END);
  TEXT(NR_ENTRY_SYMBOL);
  TEXT(NR_ATTACH_HOST_SYMBOL);
  TEXT(NR_GET_EXTENSION_SYMBOL);
  TEXT(NR_EXT_STATE);
  return 0;
}
