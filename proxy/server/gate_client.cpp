#include "proxy/server/gate_client.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/runtime/log.h"
#include "common/runtime/unique_fd.h"

namespace vipair::proxy {

using boost::system::error_code;

GateClient::GateClient(boost::asio::io_context& io, std::string path, Report report, OnChange on_change)
    : path_(std::move(path)),
      report_(std::move(report)),
      on_change_(std::move(on_change)),
      socket_(io),
      timer_(io) {}

void GateClient::start() { on_timer(); }

void GateClient::stop() {
  is_stopped_ = true;
  timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

void GateClient::on_timer() {
  if (is_stopped_) return;
  if (is_connected() || connect()) send_report();
  timer_.expires_after(is_connected() ? kGateHeartbeat : kReconnect);
  timer_.async_wait([this](error_code error) {
    if (!error) on_timer();
  });
}

bool GateClient::connect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
  } else {
    std::memcpy(address.sun_path, path_.data(), path_.size());
    UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      socket_.assign(fd.release());
      said_absent_ = false;
      log::info("gate: connected to the agent, path=" + path_);
      on_change_(true, role_);
      receive();
      return true;
    }
  }
  if (!said_absent_) {
    log::warn("gate: no agent, this proxy serves without one, path=" + path_ + " error=" + std::strerror(errno));
    said_absent_ = true;
  }
  return false;
}

void GateClient::report_now() {
  if (is_connected()) send_report();
}

void GateClient::send_report() {
  const std::string message = encode(report_());
  // A full socket means that the agent does not read: it is late, not we, and the next heartbeat says the same.
  if (::send(socket_.native_handle(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
      errno != EAGAIN && errno != EINTR) {
    lost(std::strerror(errno));
  }
}

void GateClient::receive() {
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](error_code error) {
    if (error || is_stopped_) return;
    std::array<char, kGateMessageMax> message;
    const ssize_t size = ::recv(socket_.native_handle(), message.data(), message.size(), MSG_DONTWAIT);
    if (size == 0) return lost("end of file");
    if (size < 0 && errno != EAGAIN && errno != EINTR) return lost(std::strerror(errno));
    if (size > 0) {
      const auto role = decode_node_role({message.data(), static_cast<std::size_t>(size)});
      if (!role) return lost("not a message of the gate protocol");
      if (role != role_) on_change_(true, role_ = role);
    }
    receive();
  });
}

void GateClient::lost(const char* why) {
  log::warn(std::string("gate: connection to the agent lost, error=") + why);
  error_code ignored;
  socket_.close(ignored);
  role_.reset();
  on_change_(false, role_);
}

}  // namespace vipair::proxy
