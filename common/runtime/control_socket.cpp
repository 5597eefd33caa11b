#include "common/runtime/control_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <list>
#include <optional>
#include <utility>

#include "common/runtime/clock.h"
#include "common/runtime/log.h"
#include "common/runtime/spawn.h"
#include "common/runtime/unique_fd.h"

namespace vipair {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;  // one server for both kinds of socket
using Executor = asio::io_context::executor_type;
using Stream = beast::basic_stream<Protocol, Executor>;
using Acceptor = asio::basic_socket_acceptor<Protocol, Executor>;
using asio::redirect_error;
using asio::use_awaitable;

constexpr std::uint32_t kHeaderMax = 8 * 1024;                 // bytes, request line included
constexpr auto kAcceptPause = std::chrono::milliseconds(100);  // when descriptors have run out
constexpr std::size_t kDrainMax = 1u << 20;        // bytes of a refused request that are read and dropped
constexpr std::uint64_t kResponseMax = 64u << 20;  // bytes that the client side takes

std::string errno_text(const std::string& what) { return what + ": " + std::strerror(errno); }

http::response<http::string_body> plain_response(http::status status, const std::string& text) {
  http::response<http::string_body> response(status, 11);
  response.set(http::field::content_type, "text/plain; charset=utf-8");
  response.body() = text + "\n";
  return response;
}

// What is wrong with the bytes of a request, as an answer.
http::response<http::string_body> refusal(const error_code& error) {
  if (error == http::error::body_limit) return plain_response(http::status::payload_too_large, "request too large");
  if (error == http::error::header_limit)
    return plain_response(http::status::request_header_fields_too_large, "request header too large");
  return plain_response(http::status::bad_request, "bad request: " + error.message());
}

bool is_from_parser(const error_code& error) {
  return error.category() == make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

}  // namespace

class ControlServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, ControlHandler handler, Duration timeout, bool is_local)
      : io_(io), handler_(std::move(handler)), timeout_(timeout), is_local_(is_local), acceptor_(io), pause_(io) {}

  // Takes a bound and listening socket.
  Expected<void, std::string> start(UniqueFd fd, int family) {
    error_code error;
    acceptor_.assign(Protocol(family, 0), fd.get(), error);
    if (error) return Unexpected{"listen: " + error.message()};
    fd.release();
    acceptor_.non_blocking(true, error);
    if (error) return Unexpected{"listen: " + error.message()};
    spawn(io_.get_executor(), "control listener", accept_connections(shared_from_this()));
    return {};
  }

  void remember_path(std::string path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) return;
    path_ = std::move(path);
    inode_ = info.st_ino;
    device_ = info.st_dev;
  }

  IpEndpoint local_endpoint() {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    if (address.ss_family == AF_INET) return {IpAddress::v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
    if (address.ss_family != AF_INET6) return {};
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return {IpAddress::v6(bytes), ntohs(v6.sin6_port)};
  }

  void close() {
    is_closed_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    for (Stream* stream : streams_) stream->close();
    // not the socket of a successor that took the path over
    struct stat info {};
    if (!path_.empty() && ::lstat(path_.c_str(), &info) == 0 && info.st_ino == inode_ && info.st_dev == device_)
      ::unlink(path_.c_str());
  }

 private:
  static asio::awaitable<void> accept_connections(std::shared_ptr<Impl> self) {
    while (!self->is_closed_) {
      error_code error;
      Protocol::socket::rebind_executor<Executor>::other socket(self->io_);
      co_await self->acceptor_.async_accept(socket, redirect_error(use_awaitable, error));
      if (self->is_closed_) co_return;
      if (error) {
        if (error == asio::error::connection_aborted) continue;
        self->warn("accept: " + error.message());
        self->pause_.expires_after(kAcceptPause);
        co_await self->pause_.async_wait(redirect_error(use_awaitable, error));
        continue;
      }
      if (self->streams_.size() >= kControlConnectionsMax) {
        self->warn("too many connections, one more was closed at once");
        continue;
      }
      Stream stream(std::move(socket));
      spawn(self->io_.get_executor(), "control session", serve(self, std::move(stream)));
    }
  }

  // Keeps the stream where close() finds it.
  struct Registration {
    Registration(Impl& owner, Stream& stream)
        : owner_(owner), at_(owner.streams_.insert(owner.streams_.end(), &stream)) {}
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;
    ~Registration() { owner_.streams_.erase(at_); }
    Impl& owner_;
    std::list<Stream*>::iterator at_;
  };

  static asio::awaitable<void> serve(std::shared_ptr<Impl> self, Stream stream) {
    Registration registration(*self, stream);
    beast::flat_buffer buffer(kHeaderMax + kControlRequestMax);
    bool keep_alive = true;
    bool is_refused = false;
    while (keep_alive && !self->is_closed_) {
      http::request_parser<http::string_body> parser;
      parser.header_limit(kHeaderMax);
      parser.body_limit(kControlRequestMax);
      error_code error;
      stream.expires_after(self->timeout_);
      co_await http::async_read(stream, buffer, parser, redirect_error(use_awaitable, error));
      if (self->is_closed_) co_return;
      http::response<http::string_body> response;
      bool is_head = false;
      if (!error) {
        is_head = parser.get().method() == http::verb::head;
        keep_alive = parser.get().keep_alive();
        response = self->answer(parser.get());
      } else if (is_from_parser(error)) {
        keep_alive = false;
        is_refused = true;
        response = refusal(error);
      } else {
        co_return;  // gone, or too slow
      }
      response.version(11);
      response.keep_alive(keep_alive);
      response.set(http::field::cache_control, "no-store");
      response.prepare_payload();
      http::response_serializer<http::string_body> serializer(response);
      serializer.split(is_head);
      stream.expires_after(self->timeout_);
      if (is_head) {
        co_await http::async_write_header(stream, serializer, redirect_error(use_awaitable, error));
      } else {
        co_await http::async_write(stream, serializer, redirect_error(use_awaitable, error));
      }
      if (error) co_return;
    }
    error_code ignored;
    stream.socket().shutdown(Protocol::socket::shutdown_send, ignored);
    // The rest of a refused request is still on its way: to close now would reset the connection, answer included.
    buffer.clear();
    std::size_t left = is_refused ? kDrainMax : 0;
    while (left > 0 && !self->is_closed_) {
      error_code error;
      const auto space = buffer.prepare(std::min<std::size_t>(left, 4096));
      const std::size_t got = co_await stream.async_read_some(space, redirect_error(use_awaitable, error));
      if (error) co_return;
      left -= got;
    }
  }

  http::response<http::string_body> answer(http::request<http::string_body>& request) {
    const bool reads = request.method() == http::verb::get || request.method() == http::verb::head;
    if (!reads && !is_local_)
      return plain_response(http::status::forbidden,
                            "this address only shows; use the control socket to change things");
    if (!reads && request.method() != http::verb::post) {
      auto response = plain_response(http::status::method_not_allowed, "use GET, HEAD or POST");
      response.set(http::field::allow, "GET, HEAD, POST");
      return response;
    }
    const std::string target(request.target());
    if (!target.starts_with('/')) return plain_response(http::status::bad_request, "the target is not a path");
    const std::size_t question = target.find('?');
    ControlRequest asked;
    asked.method = reads ? "GET" : "POST";
    asked.path = target.substr(0, question);
    if (question != std::string::npos) asked.query = target.substr(question + 1);
    asked.body = std::move(request.body());
    asked.is_local = is_local_;
    ControlResponse answered = handler_(asked);
    http::response<http::string_body> response;
    response.result(static_cast<unsigned>(answered.status));
    response.set(http::field::content_type, answered.content_type);
    response.body() = std::move(answered.body);
    return response;
  }

  void warn(const std::string& text) {
    std::uint64_t suppressed = 0;
    if (!warnings_.allow(monotonic_now(), suppressed)) return;
    log::warn("control socket: " + text + (suppressed ? " suppressed=" + std::to_string(suppressed) : ""));
  }

  asio::io_context& io_;
  ControlHandler handler_;
  const Duration timeout_;
  const bool is_local_;
  Acceptor acceptor_;
  asio::steady_timer pause_;
  std::list<Stream*> streams_;
  bool is_closed_ = false;
  log::RateLimit warnings_{1, std::chrono::seconds(10)};
  std::string path_;
  ino_t inode_ = 0;
  dev_t device_ = 0;
};

namespace {

Expected<sockaddr_un, std::string> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path || path.find('\0') != std::string::npos)
    return Unexpected{"a socket path has 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes"};
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Two daemons that start at the same moment must not both take the other's socket for a stale one: for that time
// the directory is locked. Whoever cannot get the lock soon goes on without.
UniqueFd lock_directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int tries = 0; fd && tries < 100 && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
    const timespec pause{0, 1'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return fd;
}

// Removes the socket that a crashed instance left behind; an error when there is anything else at the path.
Expected<void, std::string> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return Unexpected{errno_text("stat")};
  }
  if (!S_ISSOCK(info.st_mode)) return Unexpected{std::string("exists and is not a socket")};
  UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return Unexpected{errno_text("socket")};
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN)
    return Unexpected{std::string("another instance runs and answers there")};
  if (errno != ECONNREFUSED) return Unexpected{errno_text("connect")};
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return Unexpected{errno_text("unlink")};
  return {};
}

Expected<UniqueFd, std::string> open_unix(const std::string& path) {
  auto address = unix_address(path);
  if (!address) return Unexpected{address.error()};
  const UniqueFd lock = lock_directory_of(path);
  auto removed = remove_stale(path, *address);
  if (!removed) return Unexpected{removed.error()};
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return Unexpected{errno_text("socket")};
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
    return Unexpected{errno_text("bind")};
  // nobody can connect before listen(), so that the mode holds from the first moment on
  if (::chmod(path.c_str(), 0660) != 0) return Unexpected{errno_text("chmod")};
  if (::listen(fd.get(), kControlConnectionsMax) != 0) return Unexpected{errno_text("listen")};
  return fd;
}

Expected<UniqueFd, std::string> open_tcp(const IpEndpoint& endpoint) {
  const bool is_v4 = endpoint.address.is_v4();
  sockaddr_storage address{};
  socklen_t size = 0;
  if (is_v4) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, endpoint.address.bytes().data(), 4);
    size = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, endpoint.address.bytes().data(), 16);
    size = sizeof v6;
  }
  UniqueFd fd(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return Unexpected{errno_text("socket")};
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      (!is_v4 && ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0))
    return Unexpected{errno_text("setsockopt")};
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0)
    return Unexpected{errno_text("bind")};
  if (::listen(fd.get(), kControlConnectionsMax) != 0) return Unexpected{errno_text("listen")};
  return fd;
}

}  // namespace

Expected<std::unique_ptr<ControlServer>, std::string> ControlServer::listen_unix(asio::io_context& io,
                                                                                 const std::string& path,
                                                                                 ControlHandler handler,
                                                                                 Duration timeout) {
  const std::string where = "control socket " + path + ": ";
  auto fd = open_unix(path);
  if (!fd) return Unexpected{where + fd.error()};
  auto impl = std::make_shared<Impl>(io, std::move(handler), timeout, true);
  impl->remember_path(path);
  std::unique_ptr<ControlServer> server(new ControlServer(impl));
  auto started = impl->start(std::move(*fd), AF_UNIX);
  if (!started) return Unexpected{where + started.error()};
  return server;
}

Expected<std::unique_ptr<ControlServer>, std::string> ControlServer::listen_tcp(asio::io_context& io,
                                                                                const IpEndpoint& endpoint,
                                                                                ControlHandler handler,
                                                                                Duration timeout) {
  const std::string where = "admin address " + endpoint.to_string() + ": ";
  auto fd = open_tcp(endpoint);
  if (!fd) return Unexpected{where + fd.error()};
  auto impl = std::make_shared<Impl>(io, std::move(handler), timeout, false);
  std::unique_ptr<ControlServer> server(new ControlServer(impl));
  auto started = impl->start(std::move(*fd), endpoint.address.is_v4() ? AF_INET : AF_INET6);
  if (!started) return Unexpected{where + started.error()};
  return server;
}

ControlServer::~ControlServer() { impl_->close(); }

IpEndpoint ControlServer::local_endpoint() const { return impl_->local_endpoint(); }

namespace {

struct Exchange {
  http::request<http::string_body> request;
  http::response_parser<http::string_body> parser;
  const char* stage = "connect";
  error_code error;
};

// `exchange` outlives the coroutine: control_request() runs it to its end.
asio::awaitable<void> perform(Stream stream, Protocol::endpoint endpoint, Exchange* exchange) {
  auto token = redirect_error(use_awaitable, exchange->error);
  co_await stream.async_connect(endpoint, token);
  if (exchange->error) co_return;
  exchange->stage = "send";
  co_await http::async_write(stream, exchange->request, token);
  // a server that refuses early may stop reading: its answer counts
  if (exchange->error && exchange->error != asio::error::broken_pipe) co_return;
  exchange->stage = "receive";
  beast::flat_buffer buffer;
  co_await http::async_read(stream, buffer, exchange->parser, token);
}

}  // namespace

Expected<ControlResponse, std::string> control_request(const std::string& socket_path, const std::string& method,
                                                       const std::string& target, const std::string& body,
                                                       Duration timeout) {
  auto address = unix_address(socket_path);
  if (!address) return Unexpected{socket_path + ": " + address.error()};
  Exchange exchange;
  exchange.request.method_string(method);
  exchange.request.target(target);
  exchange.request.version(11);
  exchange.request.set(http::field::host, "localhost");
  exchange.request.keep_alive(false);
  exchange.request.body() = body;
  exchange.request.prepare_payload();
  exchange.parser.body_limit(kResponseMax);
  exchange.parser.skip(method == "HEAD");

  asio::io_context io(1);
  Stream stream(io.get_executor());
  stream.expires_after(timeout);
  spawn(io.get_executor(), "control request",
        perform(std::move(stream), Protocol::endpoint(asio::local::stream_protocol::endpoint(socket_path)),
                &exchange));
  io.run();
  if (exchange.error)
    return Unexpected{socket_path + ": " + exchange.stage + ": " +
                      (exchange.error == beast::error::timeout ? "timed out" : exchange.error.message())};
  ControlResponse response;
  response.status = static_cast<int>(exchange.parser.get().result_int());
  response.content_type = std::string(exchange.parser.get()[http::field::content_type]);
  response.body = std::move(exchange.parser.get().body());
  return response;
}

}  // namespace vipair
