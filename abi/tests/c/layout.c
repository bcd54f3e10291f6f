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

  TYPE(NrLogExt);
  FIELD(NrLogExt, struct_size);
  FIELD(NrLogExt, _reserved0);
  FIELD(NrLogExt, enabled);
  FIELD(NrLogExt, log);

  TYPE(NrStreamExt);
  FIELD(NrStreamExt, struct_size);
  FIELD(NrStreamExt, _reserved0);
  FIELD(NrStreamExt, try_send);
  FIELD(NrStreamExt, on_writable);
  FIELD(NrStreamExt, credits);

  TYPE(NrCancelExt);
  FIELD(NrCancelExt, struct_size);
  FIELD(NrCancelExt, _reserved0);
  FIELD(NrCancelExt, is_cancelled);
  FIELD(NrCancelExt, on_cancel);

  TYPE(NrDeadlineExt);
  FIELD(NrDeadlineExt, struct_size);
  FIELD(NrDeadlineExt, _reserved0);
  FIELD(NrDeadlineExt, remaining);

  TYPE(NrConfigExt);
  FIELD(NrConfigExt, struct_size);
  FIELD(NrConfigExt, _reserved0);
  FIELD(NrConfigExt, get);

  TYPE(NrBuffer);
  FIELD(NrBuffer, ptr);
  FIELD(NrBuffer, capacity);
  FIELD(NrBuffer, _lease);

  TYPE(NrBufferExt);
  FIELD(NrBufferExt, struct_size);
  FIELD(NrBufferExt, _reserved0);
  FIELD(NrBufferExt, reserve);
  FIELD(NrBufferExt, commit);
  FIELD(NrBufferExt, release);

  TYPE(NrInstanceExt);
  FIELD(NrInstanceExt, struct_size);
  FIELD(NrInstanceExt, _reserved0);
  FIELD(NrInstanceExt, create);
  FIELD(NrInstanceExt, destroy);

  TYPE(NrQuiesceExt);
  FIELD(NrQuiesceExt, struct_size);
  FIELD(NrQuiesceExt, _reserved0);
  FIELD(NrQuiesceExt, is_quiescent);

  TYPE(NrHealthExt);
  FIELD(NrHealthExt, struct_size);
  FIELD(NrHealthExt, _reserved0);
  FIELD(NrHealthExt, check);

  NUMBER(NR_ABI_VERSION);
  NUMBER(NR_STATUS_OK);
  NUMBER(NR_STATUS_ERR);
  NUMBER(NR_STATUS_INVALID);
  NUMBER(NR_STATUS_UNSUPPORTED);
  NUMBER(NR_STATUS_STREAM_END);
  NUMBER(NR_EVENT_OVER);
  NUMBER(NR_EVENT_CANCELLED);
  NUMBER(NR_EVENT_WRITABLE);
  NUMBER(NR_WATCH_REGISTERED);
  NUMBER(NR_WATCH_ALREADY);
  NUMBER(NR_WATCH_CLOSED);
  NUMBER(NR_WATCH_REFUSED);
  NUMBER(NR_LOG_ERROR);
  NUMBER(NR_LOG_WARN);
  NUMBER(NR_LOG_INFO);
  NUMBER(NR_LOG_DEBUG);
  NUMBER(NR_LOG_TRACE);
  NUMBER(NR_SEND_SENT);
  NUMBER(NR_SEND_FULL);
  NUMBER(NR_SEND_CLOSED);
  NUMBER(NR_SEND_INVALID);
  TEXT(NR_ENTRY_SYMBOL);
  TEXT(NR_ATTACH_HOST_SYMBOL);
  TEXT(NR_GET_EXTENSION_SYMBOL);
  TEXT(NR_EXT_STATE);
  TEXT(NR_EXT_LOG);
  TEXT(NR_EXT_STREAM);
  TEXT(NR_EXT_CANCEL);
  TEXT(NR_EXT_DEADLINE);
  TEXT(NR_EXT_CONFIG);
  TEXT(NR_EXT_BUFFER);
  TEXT(NR_EXT_INSTANCE);
  TEXT(NR_EXT_QUIESCE);
  TEXT(NR_EXT_HEALTH);
  return 0;
}
