/*
 * Answers each request with what it was, inside handle. What the paths mean stands in examples/README.md.
 *
 *     g++ -std=c++17 -shared -fPIC -fvisibility=hidden -fno-gnu-unique -I abi/include \
 *         -I plugin-sdk/cpp/include -o libecho.so examples/cpp/echo.cpp
 */
#include <nylon_ring.hpp>

#include <stdexcept>
#include <string>
#include <string_view>

namespace {

/* METHOD PATH?QUERY, each header on a line of its own, an empty line, and the body. */
std::string echo(const nylon_ring::Request &request) {
  std::string text;
  text.append(request.method()).append(" ").append(request.path()).append("?").append(request.query()).append("\n");
  for (const auto [key, value] : request.headers()) {
    text.append(key).append(": ").append(value).append("\n");
  }
  return text.append("\n").append(request.body());
}

class Echo {
 public:
  explicit Echo(const nylon_ring::Host &host) : host_(host) {}

  void handle(const nylon_ring::Request &request, nylon_ring::Call call) {
    const std::string_view path = request.path();
    if (path == "/invalid") {
      call.fail(nylon_ring::Failure::Invalid, "this path is invalid");
    } else if (path == "/unsupported") {
      call.fail(nylon_ring::Failure::Unsupported, "this path is unsupported");
    } else if (path == "/err") {
      call.fail(nylon_ring::Failure::Err, "this path fails");
    } else if (path == "/panic") {
      throw std::runtime_error("an exception on purpose"); /* the call answers */
    } else if (path == "/drop") {
      return; /* the call answers */
    } else if (path == "/state") {
      state(request, call);
    } else if (path == "/config") {
      call.reply(host_.config());
    } else {
      call.reply(echo(request));
    }
  }

  bool quiescent() const { return true; } /* it has no threads */

 private:
  /* Stores the body, and answers with what is there then. */
  static void state(const nylon_ring::Request &request, nylon_ring::Call &call) {
    try {
      call.state().set("k", request.body());
      call.reply(call.state().get("k").value_or(std::string_view()));
    } catch (const nylon_ring::Error &error) {
      call.fail(nylon_ring::Failure::Err, error.what());
    }
  }

  nylon_ring::Host host_;
};

} /* namespace */

NYLON_RING_PLUGIN(Echo, "echo", "0.1.0");
