#include "vrrp/kernel/connector.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/runtime/clock.h"
#include "vrrp/kernel/socket_address.h"

namespace vipair::vrrp {

Connector::Connector(boost::asio::io_context& io, std::string host, std::uint16_t port)
    : io_(io), host_(std::move(host)), port_(port) {
  if (const auto address = IpAddress::parse(host_)) {
    is_numeric_ = true;
    addresses_ = {*address};
  }
}

void Connector::connect(Done done) {
  (void)give_up();
  done_ = std::move(done);
  next_ = 0;
  const bool is_known = !addresses_.empty() && monotonic_now() - known_at_ < kNameLifetime;
  if (is_numeric_ || is_known) {
    try_next("");
  } else {
    look_up();
  }
}

std::string Connector::give_up() {
  done_ = nullptr;
  const bool was_looking_up = lookup_.is_running();
  lookup_ = ChildProcess();
  socket_.reset();
  return was_looking_up ? "the name " + host_ + " is not resolved" : "no connection";
}

void Connector::look_up() {
  auto child = ChildProcess::start(io_, look_up_name(host_), "", [this](const ChildEnd& end) {
    if (end.succeeded()) {
      addresses_ = parse_addresses(end.output);
      known_at_ = monotonic_now();
    }
    const std::string problem = end.succeeded() ? "has no address" : last_line(end.output);
    if (addresses_.empty()) return finish(Unexpected{"the name " + host_ + ": " + problem});
    try_next("");
  });
  if (!child) return finish(Unexpected{child.error()});
  lookup_ = std::move(*child);
}

void Connector::try_next(std::string failure) {
  for (; next_ < addresses_.size(); ++next_) {
    const IpEndpoint endpoint{addresses_[next_], port_};
    const auto failed = [&](int error) { return endpoint.to_string() + ": " + std::strerror(error); };
    UniqueFd fd(
        ::socket(endpoint.address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const SocketAddress to(endpoint.address, port_);
    if (!fd || (::connect(fd.get(), to.get(), to.size) != 0 && errno != EINPROGRESS)) {
      failure = failed(errno);
      continue;
    }
    socket_ = WatchedFd(io_, std::move(fd));
    socket_.when_writable([this, endpoint] {
      int error = 0;
      socklen_t size = sizeof error;
      (void)::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
      if (error == 0) return finish(Connected{std::move(socket_), endpoint});
      socket_.reset();
      ++next_;
      try_next(endpoint.to_string() + ": " + std::strerror(error));
    });
    return;
  }
  finish(Unexpected{std::move(failure)});
}

void Connector::finish(Expected<Connected, std::string> result) {
  if (auto call = std::exchange(done_, nullptr)) call(std::move(result));
}

std::function<int()> look_up_name(std::string host) {
  return [host = std::move(host)] {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    const int error = ::getaddrinfo(host.c_str(), nullptr, &wanted, &found);
    std::string text = error != 0 ? ::gai_strerror(error) : "";
    for (const addrinfo* entry = found; entry; entry = entry->ai_next) {
      char address[INET6_ADDRSTRLEN + 16];
      if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, address, sizeof address, nullptr, 0, NI_NUMERICHOST) ==
          0)
        text += std::string(address) + "\n";
    }
    (void)!::write(STDOUT_FILENO, text.data(), text.size());
    return error == 0 ? 0 : 1;
  };
}

std::vector<IpAddress> parse_addresses(std::string_view lines) {
  std::vector<IpAddress> addresses;
  while (!lines.empty() && addresses.size() < Connector::kAddressesMax) {
    const auto end = lines.find('\n');
    const auto address = IpAddress::parse(lines.substr(0, end));
    if (address && std::ranges::find(addresses, *address) == addresses.end()) addresses.push_back(*address);
    lines.remove_prefix(end == lines.npos ? lines.size() : end + 1);
  }
  return addresses;
}

}  // namespace vipair::vrrp
