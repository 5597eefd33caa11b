#define CARES_NO_DEPRECATED  // newer versions have newer functions, older ones only these
#include "proxy/server/dns_client.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

namespace vipair::proxy {

namespace {

constexpr int kClassInternet = 1, kTypeSrv = 33;

// Once per process; what it holds is small and used until the end.
int init_library() {
  static const int result = ares_library_init(ARES_LIB_INIT_ALL);
  return result;
}

std::string servers_text(const std::vector<IpEndpoint>& servers) {
  std::string text;
  for (const IpEndpoint& server : servers) text += (text.empty() ? "" : ",") + server.to_string();
  return text;
}

DnsClient::Error error_of(int status) { return {ares_strerror(status), status == ARES_ENODATA}; }

std::optional<IpAddress> address_of(const sockaddr* address) {
  if (address == nullptr) return std::nullopt;
  if (address->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof v4);
    return IpAddress::v4(ntohl(v4.sin_addr.s_addr));
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof v6);
    return IpAddress::from_bytes({v6.sin6_addr.s6_addr, 16});
  }
  return std::nullopt;
}

Duration seconds_of(std::int64_t ttl) { return std::chrono::seconds(std::max<std::int64_t>(ttl, 0)); }

void on_addresses(void* argument, int status, int, ares_addrinfo* result) {
  const std::unique_ptr<DnsClient::OnAddresses> on_answer(static_cast<DnsClient::OnAddresses*>(argument));
  const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> owner(result, &ares_freeaddrinfo);
  if (status != ARES_SUCCESS || result == nullptr) return (*on_answer)(Unexpected{error_of(status)});
  DnsClient::Addresses addresses;
  std::int64_t ttl = INT32_MAX;
  for (const ares_addrinfo_node* node = result->nodes; node != nullptr; node = node->ai_next) {
    if (const auto address = address_of(node->ai_addr)) {
      addresses.list.push_back(*address);
      ttl = std::min<std::int64_t>(ttl, node->ai_ttl);
    }
  }
  for (const ares_addrinfo_cname* alias = result->cnames; alias != nullptr; alias = alias->next)
    ttl = std::min<std::int64_t>(ttl, alias->ttl);
  if (addresses.list.empty()) return (*on_answer)(Unexpected{error_of(ARES_ENODATA)});
  addresses.ttl = seconds_of(ttl);
  (*on_answer)(std::move(addresses));
}

// A cursor over the message; every step checks that it stays inside.
class Message {
 public:
  explicit Message(std::span<const unsigned char> bytes) : bytes_(bytes) {}

  bool skip(std::size_t count) {
    if (bytes_.size() - at_ < count) return false;
    at_ += count;
    return true;
  }
  bool skip_name() {
    if (at_ >= bytes_.size()) return false;
    char* name = nullptr;
    long encoded = 0;
    const auto size = static_cast<int>(bytes_.size());
    if (ares_expand_name(bytes_.data() + at_, bytes_.data(), size, &name, &encoded) != ARES_SUCCESS) return false;
    ares_free_string(name);
    return encoded > 0 && skip(static_cast<std::size_t>(encoded));
  }
  std::optional<std::uint32_t> number(std::size_t width) {
    if (bytes_.size() - at_ < width) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < width; ++i) value = value << 8 | bytes_[at_ + i];
    at_ += width;
    return value;
  }

 private:
  std::span<const unsigned char> bytes_;
  std::size_t at_ = 0;
};

// c-ares does not tell the times to live of SRV records: the least of them (RFC 1035 section 4.1).
Duration ttl_of_services(std::span<const unsigned char> bytes) {
  Message message(bytes);
  Duration least = std::chrono::seconds(INT32_MAX);
  if (!message.skip(4)) return {};
  const auto questions = message.number(2), answers = message.number(2);
  if (!questions || !answers || !message.skip(4)) return {};
  for (std::uint32_t i = 0; i < *questions; ++i) {
    if (!message.skip_name() || !message.skip(4)) return {};
  }
  for (std::uint32_t i = 0; i < *answers; ++i) {
    if (!message.skip_name()) return {};
    const auto type = message.number(2), its_class = message.number(2), ttl = message.number(4);
    const auto length = message.number(2);
    if (!type || !its_class || !ttl || !length || !message.skip(*length)) return {};
    // RFC 2181 section 8: the first bit set means zero
    if (*type == kTypeSrv) least = std::min(least, seconds_of(static_cast<std::int32_t>(*ttl)));
  }
  return least;
}

void on_services(void* argument, int status, int, unsigned char* bytes, int size) {
  const std::unique_ptr<DnsClient::OnServices> on_answer(static_cast<DnsClient::OnServices*>(argument));
  if (status != ARES_SUCCESS) return (*on_answer)(Unexpected{error_of(status)});
  (*on_answer)(read_services({bytes, static_cast<std::size_t>(size)}));
}

}  // namespace

Expected<DnsClient::Services, DnsClient::Error> read_services(std::span<const unsigned char> message) {
  ares_srv_reply* records = nullptr;
  const int parsed = ares_parse_srv_reply(message.data(), static_cast<int>(message.size()), &records);
  const std::unique_ptr<ares_srv_reply, decltype(&ares_free_data)> owner(records, &ares_free_data);
  if (parsed != ARES_SUCCESS) return Unexpected{error_of(parsed)};
  DnsClient::Services services;
  for (const ares_srv_reply* record = records; record != nullptr; record = record->next) {
    services.list.push_back({record->host, record->port, record->priority, record->weight});
  }
  services.ttl = ttl_of_services(message);
  return services;
}

Expected<std::unique_ptr<DnsClient>, std::string> DnsClient::create(const ResolverSettings& settings) {
  if (const int result = init_library(); result != ARES_SUCCESS)
    return Unexpected{std::string(ares_strerror(result))};
  UniqueFd wake(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake) return Unexpected{std::string("eventfd: ") + std::strerror(errno)};
  std::unique_ptr<DnsClient> client(new DnsClient(std::move(wake)));
  ares_options options{};
  options.sock_state_cb = &DnsClient::on_socket;
  options.sock_state_cb_data = client.get();
  options.timeout = static_cast<int>(settings.timeout / std::chrono::milliseconds(1));
  options.tries = settings.attempts;
  const int mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
  if (const int result = ares_init_options(&client->channel_, &options, mask); result != ARES_SUCCESS)
    return Unexpected{std::string(ares_strerror(result))};
  if (!settings.servers.empty()) {
    const int result = ares_set_servers_ports_csv(client->channel_, servers_text(settings.servers).c_str());
    if (result != ARES_SUCCESS) return Unexpected{std::string("resolver.servers: ") + ares_strerror(result)};
  }
  return client;
}

DnsClient::~DnsClient() {
  if (channel_ != nullptr) ares_destroy(channel_);
}

void DnsClient::on_socket(void* self, ares_socket_t socket, int readable, int writable) {
  auto& sockets = static_cast<DnsClient*>(self)->sockets_;
  if (readable == 0 && writable == 0) {
    sockets.erase(socket);
  } else {
    sockets[socket] = static_cast<short>((readable != 0 ? POLLIN : 0) | (writable != 0 ? POLLOUT : 0));
  }
}

void DnsClient::find_addresses(const std::string& host, IpFamily family, OnAddresses on_answer) {
  ares_addrinfo_hints hints{};
  hints.ai_family = family == IpFamily::ipv4 ? AF_INET : AF_INET6;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = ARES_AI_NOSORT;
  auto owned = std::make_unique<OnAddresses>(std::move(on_answer));
  ares_getaddrinfo(channel_, host.c_str(), nullptr, &hints, &on_addresses, owned.release());
}

void DnsClient::find_services(const std::string& name, OnServices on_answer) {
  auto owned = std::make_unique<OnServices>(std::move(on_answer));
  ares_query(channel_, name.c_str(), kClassInternet, kTypeSrv, &on_services, owned.release());
}

void DnsClient::turn(Duration longest) {
  std::vector<pollfd> polled{{wake_.get(), POLLIN, 0}};
  for (const auto& [socket, events] : sockets_) polled.push_back({socket, events, 0});
  timeval most{};
  const auto microseconds = std::chrono::ceil<std::chrono::microseconds>(longest).count();
  most.tv_sec = microseconds / 1'000'000;
  most.tv_usec = microseconds % 1'000'000;
  timeval scratch{};
  const timeval* until = ares_timeout(channel_, &most, &scratch);
  const auto milliseconds = until->tv_sec * 1000 + (until->tv_usec + 999) / 1000;
  if (::poll(polled.data(), polled.size(), static_cast<int>(milliseconds)) > 0 && polled[0].revents != 0) {
    std::uint64_t count = 0;
    (void)!::read(wake_.get(), &count, sizeof count);
  }
  for (std::size_t i = 1; i < polled.size(); ++i) {
    const pollfd& each = polled[i];
    if (each.revents == 0 || !sockets_.contains(each.fd)) continue;
    const bool may_write = (each.revents & POLLOUT) != 0;
    const bool may_read = (each.revents & ~POLLOUT) != 0;
    ares_process_fd(channel_, may_read ? each.fd : ARES_SOCKET_BAD, may_write ? each.fd : ARES_SOCKET_BAD);
  }
  ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // whose time is over
}

void DnsClient::wake() {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

}  // namespace vipair::proxy
