/* A host for header.cpp: it writes down what a plugin does, and does what it is told. One thread. */
#ifndef FAKE_HOST_HPP
#define FAKE_HOST_HPP

#include <nylon_ring.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

struct Sent {
  std::uint64_t sid;
  NrStatus status;
  std::string payload;
};

struct Watcher {
  NrCallback callback;
  void *user;
  std::uint64_t sid;
};

struct FakeHost {
  std::vector<Sent> sent;
  std::vector<std::string> logged;
  std::vector<Watcher> watchers;
  std::map<std::string, std::string> state;
  std::uint32_t watch = NR_WATCH_REGISTERED; /* what the next registration is told */
  std::uint32_t send = NR_SEND_SENT;         /* what try_send is told */
  std::uint64_t remaining = NR_NO_DEADLINE;
  std::uint32_t cancelled = 0;
  int buffers = 0; /* that are out */
  bool extensions = true;

  /* Calls the callbacks that are registered. */
  void fire(std::uint32_t event) {
    for (const Watcher &watcher : std::exchange(watchers, {})) {
      watcher.callback(watcher.user, watcher.sid, event);
    }
  }
};

inline FakeHost the_host;

namespace fake {

inline std::string text(const std::uint8_t *ptr, std::uint64_t len) {
  return len == 0 ? std::string() : std::string(reinterpret_cast<const char *>(ptr), static_cast<std::size_t>(len));
}

inline NrBytes bytes(const std::string &text) { return nr_bytes(text.data(), text.size()); }

inline void send_result(void *, std::uint64_t sid, NrStatus status, NrBytes payload) {
  the_host.sent.push_back({sid, status, text(payload.ptr, payload.len)});
}

inline NrBytes set_state(void *, std::uint64_t, NrStr key, NrBytes value) {
  if (key.len == 0) {
    return nr_bytes("no key", 6);
  }
  the_host.state[text(key.ptr, key.len)] = text(value.ptr, value.len);
  return nr_bytes(nullptr, 0);
}
inline NrBytes get_state(void *, std::uint64_t, NrStr key) {
  const auto found = the_host.state.find(text(key.ptr, key.len));
  return found == the_host.state.end() ? nr_bytes(nullptr, 0) : bytes(found->second);
}

inline std::uint32_t enabled(void *, std::uint32_t level) { return level <= NR_LOG_INFO ? 1 : 0; }
inline void log(void *, std::uint64_t, std::uint32_t, NrStr target, NrStr message) {
  the_host.logged.push_back(text(target.ptr, target.len) + ": " + text(message.ptr, message.len));
}

inline std::uint32_t watch(void *, std::uint64_t sid, NrCallback callback, void *user) {
  if (the_host.watch == NR_WATCH_REGISTERED) {
    the_host.watchers.push_back({callback, user, sid});
  }
  return the_host.watch;
}
inline std::uint32_t try_send(void *ctx, std::uint64_t sid, NrBytes payload) {
  if (the_host.send == NR_SEND_SENT) {
    send_result(ctx, sid, NR_STATUS_OK, payload);
  }
  return the_host.send;
}
inline std::uint64_t credits(void *, std::uint64_t) { return 7; }
inline std::uint32_t is_cancelled(void *, std::uint64_t) { return the_host.cancelled; }
inline std::uint64_t remaining(void *, std::uint64_t) { return the_host.remaining; }
inline NrBytes config(void *) { return nr_bytes("settings", 8); }

inline NrBuffer reserve(void *, std::uint64_t, std::uint64_t len) {
  if (len == 0 || len > 1000) {
    return {nullptr, 0, 0};
  }
  the_host.buffers++;
  return {static_cast<std::uint8_t *>(std::calloc(1, static_cast<std::size_t>(len))), len, 9};
}
inline void release(void *, NrBuffer buffer) {
  the_host.buffers--;
  std::free(buffer.ptr);
}
inline void commit(void *ctx, std::uint64_t sid, NrStatus status, NrBuffer buffer, std::uint64_t len) {
  send_result(ctx, sid, status, nr_bytes(buffer.ptr, static_cast<std::size_t>(len)));
  release(ctx, buffer);
}

inline const NrHostVTable vtable = {send_result};
inline const NrHostExt state_table = {set_state, get_state};
inline const NrLogExt log_table = {sizeof(NrLogExt), 0, enabled, log};
inline const NrStreamExt stream_table = {sizeof(NrStreamExt), 0, try_send, watch, credits};
inline const NrCancelExt cancel_table = {sizeof(NrCancelExt), 0, is_cancelled, watch};
inline const NrDeadlineExt deadline_table = {sizeof(NrDeadlineExt), 0, remaining};
inline const NrConfigExt config_table = {sizeof(NrConfigExt), 0, config};
inline const NrBufferExt buffer_table = {sizeof(NrBufferExt), 0, reserve, commit, release};

inline const void *get_extension(void *, const char *id) {
  const std::pair<const char *, const void *> tables[] = {
      {NR_EXT_STATE, &state_table},       {NR_EXT_LOG, &log_table},       {NR_EXT_STREAM, &stream_table},
      {NR_EXT_CANCEL, &cancel_table},     {NR_EXT_DEADLINE, &deadline_table}, {NR_EXT_CONFIG, &config_table},
      {NR_EXT_BUFFER, &buffer_table}};
  for (const auto &[name, table] : tables) {
    if (the_host.extensions && std::strcmp(id, name) == 0) {
      return table;
    }
  }
  return nullptr;
}

inline const NrHostApi api = {sizeof(NrHostApi), 0, &the_host, get_extension};

inline NrRequest request(const char *path) {
  return {nr_str(path), nr_str("GET"), nr_str("a=b"), nullptr, 0, 0, 0};
}

} /* namespace fake */

#endif
