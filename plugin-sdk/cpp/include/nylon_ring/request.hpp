/* Requests: a view for handle, and a copy for work that goes on after it. Part of nylon_ring.hpp. */
#ifndef NYLON_RING_REQUEST_HPP
#define NYLON_RING_REQUEST_HPP

#include "host.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nylon_ring {

namespace detail {

inline bool is_continuation(std::uint8_t byte) noexcept { return (byte & 0xC0u) == 0x80u; }

/* The length of the UTF-8 character at the front of text, 0 if there is none (RFC 3629, the table in section 4). */
inline std::size_t character(const std::uint8_t *text, std::size_t len) noexcept {
  const std::uint8_t first = text[0];
  if (first < 0x80u) {
    return 1;
  }
  const std::size_t wanted = first >= 0xF0u ? 4 : first >= 0xE0u ? 3 : 2;
  if (first < 0xC2u || first > 0xF4u || len < wanted || !is_continuation(text[1])) {
    return 0;
  }
  for (std::size_t i = 2; i < wanted; i++) {
    if (!is_continuation(text[i])) {
      return 0;
    }
  }
  const bool overlong = (first == 0xE0u && text[1] < 0xA0u) || (first == 0xF0u && text[1] < 0x90u);
  const bool surrogate = first == 0xEDu && text[1] >= 0xA0u;
  const bool too_large = first == 0xF4u && text[1] >= 0x90u;
  return overlong || surrogate || too_large ? 0 : wanted;
}

inline bool is_utf8(const std::uint8_t *text, std::size_t len) noexcept {
  while (len > 0) {
    std::uint64_t eight = 0;
    std::size_t step = sizeof eight;
    if (len < step || (std::memcpy(&eight, text, step), (eight & 0x8080808080808080u) != 0)) {
      step = character(text, len);
    }
    if (step == 0) {
      return false;
    }
    text += step;
    len -= step;
  }
  return true;
}

/* Whether a view may be read, and holds what the contract says. */
inline bool is_sound(NrStr text) noexcept { return text.len == 0 || (text.ptr != nullptr && is_utf8(text.ptr, text.len)); }
inline bool is_sound(NrBytes bytes) noexcept {
  return bytes.len == 0 || (bytes.ptr != nullptr && bytes.len <= static_cast<std::uint64_t>(INT64_MAX));
}
inline bool is_sound(const NrRequest &request) noexcept {
  if (!is_sound(request.path) || !is_sound(request.method) || !is_sound(request.query) ||
      (request.headers == nullptr && request.headers_len > 0)) {
    return false;
  }
  for (std::uint32_t i = 0; i < request.headers_len; i++) {
    if (!is_sound(request.headers[i].key) || !is_sound(request.headers[i].value)) {
      return false;
    }
  }
  return true;
}

inline std::string_view view(NrStr text) noexcept {
  return text.len == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char *>(text.ptr), text.len);
}

/* Whether two names of headers are the same; ASCII letters match in either case. */
inline bool same_name(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  if (a.size() != b.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.size(); i++) {
    if (lower(a[i]) != lower(b[i])) {
      return false;
    }
  }
  return true;
}

} /* namespace detail */

struct Header {
  std::string_view key; /* as the caller wrote it */
  std::string_view value;
};

/* The headers of a request, in the caller's order: for (auto [key, value] : request.headers()). */
class Headers {
 public:
  class Iterator {
   public:
    explicit Iterator(const NrHeader *at) noexcept : at_(at) {}
    Header operator*() const noexcept { return {detail::view(at_->key), detail::view(at_->value)}; }
    Iterator &operator++() noexcept {
      ++at_;
      return *this;
    }
    bool operator!=(const Iterator &other) const noexcept { return at_ != other.at_; }

   private:
    const NrHeader *at_;
  };

  Headers(const NrHeader *first, std::uint32_t size) noexcept : first_(first), size_(size) {}
  Iterator begin() const noexcept { return Iterator(first_); }
  Iterator end() const noexcept { return Iterator(size_ == 0 ? first_ : first_ + size_); }
  std::size_t size() const noexcept { return size_; }

 private:
  const NrHeader *first_;
  std::uint32_t size_;
};

/* A copy of a request, for work that goes on when handle has returned. */
struct OwnedRequest {
  std::string method, path, query, body;
  std::vector<std::pair<std::string, std::string>> headers;

  /* The value of the first header of this name; ASCII letters match in either case. Valid as long as headers is. */
  std::optional<std::string_view> header(std::string_view name) const noexcept {
    for (const auto &[key, value] : headers) {
      if (detail::same_name(key, name)) {
        return std::string_view(value);
      }
    }
    return std::nullopt;
  }
};

/*
 * A request in the host's memory. It and every view that it gives out end when handle returns: work that goes on takes
 * to_owned(), or copies what it needs.
 */
class Request {
 public:
  Request(const NrRequest &request, NrBytes body) noexcept : request_(request), body_(body) {}
  Request(const Request &) = delete;
  Request &operator=(const Request &) = delete;

  std::string_view method() const noexcept { return detail::view(request_.method); }
  std::string_view path() const noexcept { return detail::view(request_.path); }
  /* Without the question mark; empty when there is none. */
  std::string_view query() const noexcept { return detail::view(request_.query); }
  /* Bytes of no particular format; empty when there is none. */
  std::string_view body() const noexcept { return detail::view(body_); }
  Headers headers() const noexcept { return Headers(request_.headers, request_.headers_len); }

  /* The value of the first header of this name; ASCII letters match in either case. */
  std::optional<std::string_view> header(std::string_view name) const noexcept {
    for (const Header header : headers()) {
      if (detail::same_name(header.key, name)) {
        return header.value;
      }
    }
    return std::nullopt;
  }

  OwnedRequest to_owned() const {
    OwnedRequest owned{std::string(method()), std::string(path()), std::string(query()), std::string(body()), {}};
    owned.headers.reserve(headers().size());
    for (const auto [key, value] : headers()) {
      owned.headers.emplace_back(key, value);
    }
    return owned;
  }

 private:
  const NrRequest &request_;
  NrBytes body_;
};

} /* namespace nylon_ring */

#endif /* NYLON_RING_REQUEST_HPP */
