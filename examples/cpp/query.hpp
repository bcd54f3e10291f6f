/* Numbers in a query, for the example plugins. */
#ifndef QUERY_HPP
#define QUERY_HPP

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

/* The number key=<number> in a query. */
inline std::optional<std::uint64_t> number(std::string_view query, std::string_view key) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(pair.size() < query.size() ? pair.size() + 1 : query.size());
    if (pair.size() <= key.size() || pair.substr(0, key.size()) != key || pair[key.size()] != '=') {
      continue;
    }
    std::uint64_t value = 0;
    const char *first = pair.data() + key.size() + 1;
    const char *last = pair.data() + pair.size();
    const auto [end, error] = std::from_chars(first, last, value);
    return error == std::errc() && end == last ? std::optional(value) : std::nullopt;
  }
  return std::nullopt;
}

#endif
