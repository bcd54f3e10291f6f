/*
 * A whole plugin and a tiny host in one program, compiled in several ways with every warning an error, and run: it exits with 0,
 * or says which check failed.
 */
#include <nylon_ring.hpp>
#include <nylon_ring.hpp> /* a second time does no harm */

#include "fake_host.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace nylon_ring;

#define CHECK(condition)                                               \
  do {                                                                 \
    if (!(condition)) {                                                \
      std::fprintf(stderr, "line %d: %s\n", __LINE__, #condition);     \
      std::exit(1);                                                    \
    }                                                                  \
  } while (0)

#define FAIL(text)                                                     \
  do {                                                                 \
    std::fprintf(stderr, "line %d: not true: %s\n", __LINE__, text);   \
    std::exit(1);                                                      \
  } while (0)

/* What the plugin does with the next request. */
static std::function<void(const Request &, Call)> next;
static int alive;
static bool threads_have_stopped;

class Probe {
 public:
  explicit Probe(const Host &with) : host_(with) {
    if (next) {
      throw std::runtime_error("not today");
    }
    alive++;
  }
  Probe(const Probe &) = delete;
  Probe &operator=(const Probe &) = delete;
  ~Probe() { alive--; }

  void handle(const Request &request, Call call) { next(request, std::move(call)); }
  void shutdown() { throw 1; }
  bool quiescent() const { return threads_have_stopped; }
  Health health() { return {false, "config is " + std::string(host_.config())}; }

 private:
  Host host_;
};

NYLON_RING_PLUGIN(Probe, "probe", "1.2.3");

static const NrPluginInfo &info() { return *nylon_ring_get_plugin_v1(); }

/* Asks for /path; returns what handle does. */
static NrStatus ask(void *ctx, std::function<void(const Request &, Call)> handler) {
  next = std::move(handler);
  const NrRequest request = fake::request("/path");
  return info().vtable->handle(ctx, 5, &request, nr_bytes("body", 4));
}

/* The one result that was sent since the last time. */
static Sent one() {
  CHECK(the_host.sent.size() == 1);
  const Sent sent = the_host.sent[0];
  the_host.sent.clear();
  CHECK(sent.sid == 5);
  return sent;
}

static void one_is(NrStatus status, const std::string &payload) {
  const Sent sent = one();
  CHECK(sent.status == status);
  CHECK(sent.payload == payload);
}

template <typename Table>
static const Table &plugin_extension(const char *id) {
  const void *table = nylon_ring_get_extension_v1(nullptr, id);
  CHECK(table != nullptr);
  CHECK(static_cast<const Table *>(table)->struct_size == sizeof(Table));
  return *static_cast<const Table *>(table);
}

static void starts() {
  void *ctx = info().plugin_ctx;
  CHECK(nr_str_eq(info().name, "probe") && nr_str_eq(info().version, "1.2.3"));
  CHECK(ask(ctx, [](const Request &, Call) {}) == NR_STATUS_INVALID); /* before init */
  next = nullptr;
  nylon_ring_attach_host_v1(ctx, &fake::api);
  CHECK(info().vtable->init(ctx, &the_host, nullptr) == NR_STATUS_INVALID);
  CHECK(info().vtable->init(ctx, &the_host, &fake::vtable) == NR_STATUS_OK);
  CHECK(info().vtable->init(ctx, &the_host, &fake::vtable) == NR_STATUS_INVALID);
  CHECK(alive == 1 && the_host.sent.empty());
}

static void every_call_is_answered_once(void *ctx) {
  CHECK(ask(ctx, [](const Request &, Call) {}) == NR_STATUS_OK);
  one_is(NR_STATUS_ERR, "the plugin dropped the call without an answer");
  CHECK(ask(ctx, [](const Request &, Call) { throw std::runtime_error("thrown"); }) == NR_STATUS_OK);
  one_is(NR_STATUS_ERR, "the plugin threw an exception before it answered");
  CHECK(the_host.logged.back() == "nylon_ring: handle: thrown");
  ask(ctx, [](const Request &, Call) { throw 1; });
  CHECK(one().status == NR_STATUS_ERR);

  ask(ctx, [](const Request &, Call call) {
    call.reply("first");
    call.reply("second");
    call.fail(Failure::Invalid, "third");
    CHECK(!call && call.is_cancelled() && call.sid() == 5);
  });
  one_is(NR_STATUS_OK, "first");
  ask(ctx, [](const Request &, Call call) {
    Call moved = std::move(call);
    moved.fail(Failure::Unsupported, std::string("no"));
  });
  one_is(NR_STATUS_UNSUPPORTED, "no");

  std::optional<Call> kept;
  ask(ctx, [&](const Request &, Call call) { kept.emplace(std::move(call)); });
  CHECK(the_host.sent.empty());
  ask(ctx, [&](const Request &, Call call) { *kept = std::move(call); });
  CHECK(one().status == NR_STATUS_ERR); /* the first of the two */
  kept->reply(std::vector<unsigned char>{'o', 'k'});
  one_is(NR_STATUS_OK, "ok");
}

static void requests_are_checked(void *ctx) {
  const auto refused = [&](const NrRequest &request, NrBytes body) {
    next = [](const Request &, Call) { FAIL("the plugin sees it"); };
    return info().vtable->handle(ctx, 5, &request, body) == NR_STATUS_INVALID && the_host.sent.empty();
  };
  const NrRequest good = fake::request("/p");
  CHECK(refused(good, {nullptr, 1}));
  CHECK(refused(good, {reinterpret_cast<const std::uint8_t *>("x"), std::uint64_t{1} << 63}));
  for (const char *bad : {"\x80", "\xC3", "\xC0\xAF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
                          "12345678\xFF", "\xF0\x8F\xBF\xBF", "\xE2\x82", "\xE2\x28\xA1"}) {
    CHECK(refused(fake::request(bad), {nullptr, 0}));
  }
  NrRequest request = good;
  request.query = {reinterpret_cast<const std::uint8_t *>("\xE2\x82\xAC"), 2}; /* the third byte is not part of it */
  CHECK(refused(request, {nullptr, 0}));
  request = good;
  request.headers_len = 1;
  CHECK(refused(request, {nullptr, 0}));
  const NrHeader header = {nr_str("k"), {nullptr, 1}};
  request.headers = &header;
  CHECK(refused(request, {nullptr, 0}));
  CHECK(info().vtable->handle(ctx, 5, nullptr, {nullptr, 0}) == NR_STATUS_INVALID);
  CHECK(info().vtable->handle(nullptr, 5, &good, {nullptr, 0}) == NR_STATUS_INVALID);

  for (const char *text : {"", "z\xC3\x9F\xE2\x82\xAC\xF0\x9F\x94\x91", "\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF", "\xF0\x90\x80\x80"}) {
    next = [&](const Request &seen, Call call) { call.reply(seen.path()); };
    const NrRequest valid = fake::request(text);
    CHECK(info().vtable->handle(ctx, 5, &valid, {nullptr, 0}) == NR_STATUS_OK);
    one_is(NR_STATUS_OK, text);
  }
}

static void requests_are_read(void *ctx) {
  OwnedRequest owned;
  NrRequest request = fake::request("/p");
  const NrHeader headers[] = {{nr_str("Host"), nr_str("a")}, {nr_str("x"), nr_str("")}, {nr_str("host"), nr_str("b")}};
  request.headers = headers;
  request.headers_len = 3;
  next = [&](const Request &seen, Call call) {
    CHECK(seen.method() == "GET" && seen.path() == "/p" && seen.query() == "a=b" && seen.body() == "body");
    CHECK(seen.header("HOST") == "a" && seen.header("X") == "" && !seen.header("hos") && seen.headers().size() == 3);
    std::string all;
    for (auto [key, value] : seen.headers()) {
      all.append(key).append("=").append(value).append(";");
    }
    call.reply(all);
    owned = seen.to_owned();
  };
  CHECK(info().vtable->handle(ctx, 5, &request, nr_bytes("body", 4)) == NR_STATUS_OK);
  one_is(NR_STATUS_OK, "Host=a;x=;host=b;");
  CHECK(owned.method == "GET" && owned.path == "/p" && owned.query == "a=b" && owned.body == "body");
  CHECK(owned.headers.size() == 3 && owned.header("hOsT") == "a" && !owned.header("y"));
}

static void state_and_log(void *ctx) {
  ask(ctx, [](const Request &, Call call) {
    call.log(Level::Info, "part", "said");
    CHECK(the_host.logged.back() == "part: said");
    CHECK(!call.state().get("k"));
    call.state().set("k", std::array<std::byte, 2>{std::byte{'h'}, std::byte{'i'}});
    CHECK(call.state().get("k") == "hi");
    try {
      call.state().set("", "value");
      FAIL("it was refused");
    } catch (const Error &error) {
      CHECK(std::string(error.what()) == "no key");
    }
    call.reply("");
    try {
      call.state().get("k");
      FAIL("it is over");
    } catch (const Error &) {
    }
  });
  one_is(NR_STATUS_OK, "");
}

static void cancellation(void *ctx) {
  std::vector<Event> events;
  const auto counted = std::make_shared<int>();
  const auto watch = [&](Call &call) {
    return call.on_cancel([&events, counted](Event event) {
      events.push_back(event);
      throw 1;
    });
  };
  ask(ctx, [&](const Request &, Call call) {
    CHECK(!call.is_cancelled());
    the_host.cancelled = 1;
    CHECK(call.is_cancelled());
    the_host.cancelled = 0;
    CHECK(watch(call) == Watch::Registered && watch(call) == Watch::Registered);
    CHECK(counted.use_count() == 3); /* this one, and two callbacks */
    the_host.fire(NR_EVENT_CANCELLED);
    CHECK((events == std::vector<Event>{Event::Cancelled, Event::Cancelled}));
    CHECK(counted.use_count() == 1);
    for (const std::uint32_t refusal : {NR_WATCH_CLOSED, NR_WATCH_REFUSED, NR_WATCH_ALREADY}) {
      the_host.watch = refusal;
      CHECK(static_cast<std::uint32_t>(watch(call)) == refusal);
    }
    the_host.watch = NR_WATCH_REGISTERED;
    CHECK(call.on_cancel(nullptr) == Watch::Refused);
    CHECK(counted.use_count() == 1 && events.size() == 2 && the_host.watchers.empty());

    CHECK(!call.deadline());
    the_host.remaining = 1500;
    CHECK(call.deadline() == std::chrono::nanoseconds(1500));
    the_host.remaining = NR_NO_DEADLINE - 1;
    CHECK(call.deadline() == std::chrono::nanoseconds::max());
    the_host.remaining = NR_NO_DEADLINE;
    call.reply("");
    CHECK(watch(call) == Watch::Closed && !call.deadline());
  });
  one_is(NR_STATUS_OK, "");
}

static void buffers(void *ctx) {
  std::optional<Call> other;
  ask(ctx, [&](const Request &, Call call) { other.emplace(std::move(call)); });
  ask(ctx, [](const Request &, Call call) {
    CHECK(!call.reserve(0) && !call.reserve(5000) && call.reserve(5000).data() == nullptr);
    Buffer unused = call.reserve(3);
    Buffer buffer = call.reserve(8);
    CHECK(buffer && buffer.capacity() == 8 && buffer.data()[7] == 0 && the_host.buffers == 2);
    unused = std::move(buffer); /* gives the first one back */
    CHECK(!buffer && the_host.buffers == 1);
    std::memcpy(unused.data(), "in place", 8);
    call.reply(std::move(unused), 5);
    CHECK(the_host.buffers == 0 && !call.reserve(1));
  });
  one_is(NR_STATUS_OK, "in pl");
  const NrRequest request = fake::request("/");
  next = [&](const Request &, Call call) { other->reply(call.reserve(4), 4); call.reply("mine"); };
  info().vtable->handle(ctx, 6, &request, {nullptr, 0});
  CHECK(the_host.sent.size() == 2 && the_host.sent[0].sid == 5 && the_host.sent[0].status == NR_STATUS_ERR && the_host.buffers == 0);
  the_host.sent.clear();
}

static void streams(void *ctx) {
  ask(ctx, [](const Request &, Call call) {
    StreamSender stream = call.stream();
    CHECK(!call && stream && stream.credits() == 7);
    call.reply("not any more");
    stream.send("1");
    CHECK(stream.try_send("2") == TrySend::Sent);
    the_host.send = NR_SEND_FULL;
    CHECK(stream.try_send("no") == TrySend::Full);
    the_host.send = NR_SEND_SENT;
    int called = 0;
    CHECK(stream.on_writable([&](Event event) { called += event == Event::Writable ? 1 : 100; }) == Watch::Registered);
    the_host.fire(NR_EVENT_WRITABLE);
    CHECK(called == 1);
    Buffer frame = stream.reserve(1);
    frame.data()[0] = '3';
    stream.send(std::move(frame), 1);
    stream.end();
    stream.end();
    stream.send("late");
    CHECK(stream.try_send("late") == TrySend::Closed && stream.credits() == 0);
  });
  CHECK(the_host.sent.size() == 4 && the_host.sent[0].payload == "1" && the_host.sent[1].payload == "2" && the_host.sent[2].payload == "3");
  CHECK(the_host.sent[2].status == NR_STATUS_OK && the_host.sent[3].status == NR_STATUS_STREAM_END);
  the_host.sent.clear();
  ask(ctx, [](const Request &, Call call) { static_cast<void>(call.stream()); });
  CHECK(one().status == NR_STATUS_ERR);
  ask(ctx, [](const Request &, Call call) { call.stream().fail(Failure::Err, "failed"); });
  one_is(NR_STATUS_ERR, "failed");
}

static void without_extensions() {
  const auto &instance = plugin_extension<NrInstanceExt>(NR_EXT_INSTANCE);
  void *ctx = nullptr;
  CHECK(instance.create(info().plugin_ctx, &ctx) == NR_STATUS_OK && ctx != info().plugin_ctx);
  next = nullptr; /* and no attach: the oldest of hosts */
  CHECK(info().vtable->init(ctx, &the_host, &fake::vtable) == NR_STATUS_OK);
  CHECK(alive == 2);
  ask(ctx, [](const Request &, Call call) {
    CHECK(!call.is_cancelled() && !call.deadline() && !call.reserve(1));
    CHECK(call.on_cancel([](Event) {}) == Watch::Unsupported);
    call.log(Level::Error, "nobody", "listens");
    StreamSender stream = call.stream();
    CHECK(stream.try_send("x") == TrySend::Unsupported && stream.credits() == 0);
    CHECK(stream.on_writable([](Event) {}) == Watch::Unsupported);
    try {
      stream.state().get("k");
      FAIL("there is no state");
    } catch (const Error &) {
    }
    stream.end("end");
  });
  one_is(NR_STATUS_STREAM_END, "end");
  info().vtable->shutdown(ctx);
  CHECK(ask(ctx, [](const Request &, Call) {}) == NR_STATUS_INVALID);
  instance.destroy(info().plugin_ctx, ctx);
  CHECK(alive == 1);

  CHECK(instance.create(info().plugin_ctx, &ctx) == NR_STATUS_OK);
  nylon_ring_attach_host_v1(ctx, &fake::api);
  CHECK(info().vtable->init(ctx, &the_host, &fake::vtable) == NR_STATUS_ERR); /* `next` is set: it throws */
  CHECK(the_host.logged.back() == "nylon_ring: start: not today");
  CHECK(ask(ctx, [](const Request &, Call) {}) == NR_STATUS_INVALID);
  instance.destroy(info().plugin_ctx, ctx);
  CHECK(alive == 1);
}

static void ends(void *ctx) {
  NrStr detail = {nullptr, 0};
  CHECK(plugin_extension<NrHealthExt>(NR_EXT_HEALTH).check(ctx, &detail) == NR_STATUS_ERR);
  CHECK(nr_str_eq(detail, "config is settings"));
  CHECK(nylon_ring_get_extension_v1(ctx, "nylon.other/1") == nullptr);

  const auto quiescent = plugin_extension<NrQuiesceExt>(NR_EXT_QUIESCE).is_quiescent;
  std::optional<Call> open;
  std::optional<Buffer> buffer;
  threads_have_stopped = true;
  CHECK(quiescent(ctx) == 0); /* it runs */
  ask(ctx, [&](const Request &, Call call) {
    CHECK(call.on_cancel([](Event) {}) == Watch::Registered);
    buffer.emplace(call.reserve(1));
    open.emplace(std::move(call));
  });
  info().vtable->shutdown(ctx);
  info().vtable->shutdown(ctx);
  CHECK(the_host.logged.back().find("nylon_ring: shutdown") == 0);
  CHECK(quiescent(ctx) == 0);
  open.reset();
  CHECK(one().status == NR_STATUS_ERR && quiescent(ctx) == 0);
  buffer.reset();
  CHECK(quiescent(ctx) == 0);
  the_host.fire(NR_EVENT_OVER);
  threads_have_stopped = false;
  CHECK(quiescent(ctx) == 0 && alive == 1);
  threads_have_stopped = true;
  CHECK(quiescent(ctx) == 1 && alive == 0);
  threads_have_stopped = false;
  CHECK(quiescent(ctx) == 1);
  CHECK(ask(ctx, [](const Request &, Call) {}) == NR_STATUS_INVALID);
}

int main() {
  void *ctx = info().plugin_ctx;
  starts();
  every_call_is_answered_once(ctx);
  requests_are_checked(ctx);
  requests_are_read(ctx);
  state_and_log(ctx);
  cancellation(ctx);
  buffers(ctx);
  streams(ctx);
  without_extensions();
  ends(ctx);
  return 0;
}
