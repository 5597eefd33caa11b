#pragma once
// Sticky sessions without state: a cookie carries the name under which a server is known to clients, made of its
// address with a key that both nodes have. This is the dictionary of one upstream; who makes the names is
// proxy/server/sticky. Immutable once built.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vipair::policy {

class Affinity {
 public:
  struct Entry {
    std::string token;
    std::size_t server;  // index in its upstream
  };
  Affinity() = default;
  // Several tokens may mean one server: of a key that goes and one that comes.
  explicit Affinity(std::vector<Entry> entries);

  std::optional<std::size_t> server_of(std::string_view token) const;

 private:
  std::vector<Entry> entries_;  // sorted by token
};

}  // namespace vipair::policy
