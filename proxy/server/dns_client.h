#pragma once
// Questions to the DNS through c-ares, and the loop that carries them: one thread calls turn() again and again, and
// every answer comes as a call from within it. Whoever asks gets exactly one answer, also when the client goes.
//
// Addresses are looked up as the system does it: /etc/hosts, the search list, CNAMEs; a truncated answer is asked
// for again over TCP.

#include <ares.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/base/time.h"
#include "common/runtime/unique_fd.h"
#include "proxy/config_names.h"

namespace vipair::proxy {

class DnsClient {
 public:
  struct Error {
    std::string text;       // "Timeout while contacting DNS servers"
    bool is_empty = false;  // a good answer: the name exists, such records of it do not
  };
  struct Addresses {
    std::vector<IpAddress> list;
    Duration ttl{};
  };
  struct Service {
    std::string host;  // empty: the service is not offered (RFC 2782: a target of ".")
    std::uint16_t port = 0, priority = 0, weight = 0;
  };
  struct Services {
    std::vector<Service> list;
    Duration ttl{};
  };
  using OnAddresses = std::function<void(Expected<Addresses, Error>)>;
  using OnServices = std::function<void(Expected<Services, Error>)>;

  // The error says what c-ares or the kernel refuses.
  static Expected<std::unique_ptr<DnsClient>, std::string> create(const ResolverSettings& settings);
  ~DnsClient();
  DnsClient(const DnsClient&) = delete;
  DnsClient& operator=(const DnsClient&) = delete;

  void find_addresses(const std::string& host, IpFamily family, OnAddresses on_answer);
  void find_services(const std::string& name, OnServices on_answer);

  void turn(Duration longest);  // waits for answers, at most so long
  void wake();                  // from any thread: ends the turn that runs, or the next one

 private:
  explicit DnsClient(UniqueFd wake) : wake_(std::move(wake)) {}
  static void on_socket(void* self, ares_socket_t socket, int readable, int writable);

  ares_channel channel_ = nullptr;
  std::map<ares_socket_t, short> sockets_;  // what each is polled for
  UniqueFd wake_;
};

// The SRV records of a name server's message, which may be any bytes.
Expected<DnsClient::Services, DnsClient::Error> read_services(std::span<const unsigned char> message);

}  // namespace vipair::proxy
