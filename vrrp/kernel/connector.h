#pragma once
// Connects to a TCP port of a host, without blocking. A name is looked up in a child process, since name servers
// take their time, and remembered for kNameLifetime; when looking it up fails later on, the addresses known before
// go on. The addresses of a name are tried one after the other.

#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>
#include <vector>

#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "vrrp/kernel/child_process.h"
#include "vrrp/kernel/watch.h"

namespace vipair::vrrp {

class Connector {
 public:
  static constexpr Duration kNameLifetime = std::chrono::seconds(30);
  static constexpr std::size_t kAddressesMax = 8;  // of a name; the rest is not tried

  struct Connected {
    WatchedFd socket;
    IpEndpoint peer;
  };
  using Done = std::function<void(Expected<Connected, std::string>)>;

  Connector(boost::asio::io_context& io, std::string host, std::uint16_t port);

  // Gives up a connect that is under way, without a word. The error of a failure names the address.
  void connect(Done done);
  // Returns what has been missing.
  std::string give_up();

 private:
  void look_up();
  void try_next(std::string failure);
  void finish(Expected<Connected, std::string> result);

  boost::asio::io_context& io_;
  std::string host_;
  std::uint16_t port_;
  bool is_numeric_ = false;
  std::vector<IpAddress> addresses_;
  TimePoint known_at_{};
  ChildProcess lookup_;
  std::size_t next_ = 0;  // of addresses_
  WatchedFd socket_;
  Done done_;
};

// The body of a child that writes the addresses of a name to standard output, one per line.
std::function<int()> look_up_name(std::string host);
std::vector<IpAddress> parse_addresses(std::string_view lines);

}  // namespace vipair::vrrp
