#include "common/runtime/control_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstring>
#include <list>
#include <optional>
#include <utility>

#include "common/runtime/clock.h"
#include "common/runtime/listening_socket.h"
#include "common/runtime/log.h"
#include "common/runtime/readable.h"
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
constexpr std::size_t kDrainMax = 1u << 20;  // bytes of a refused request that are read and dropped

ControlResponse plain_response(http::status status, const std::string& text) {
  return {static_cast<int>(status), "text/plain; charset=utf-8", text + "\n"};
}

// What is wrong with the bytes of a request, as an answer.
ControlResponse refusal(const error_code& error) {
  if (error == http::error::body_limit) return plain_response(http::status::payload_too_large, "request too large");
  if (error == http::error::header_limit)
    return plain_response(http::status::request_header_fields_too_large, "request header too large");
  return plain_response(http::status::bad_request, "bad request: " + error.message());
}

template <class Body>
http::response<Body> head_of(const ControlResponse& answer) {
  http::response<Body> head;
  head.version(11);
  head.result(static_cast<unsigned>(answer.status));
  if (head.result() == http::status::method_not_allowed) head.set(http::field::allow, "GET, HEAD, POST");
  head.set(http::field::content_type, answer.content_type);
  return head;
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
    for (Session* session : sessions_) {
      session->stream.close();
      session->timer.cancel();
    }
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
      if (self->sessions_.size() >= kControlConnectionsMax) {
        self->warn("too many connections, one more was closed at once");
        continue;
      }
      Stream stream(std::move(socket));
      spawn(self->io_.get_executor(), "control session", serve(self, std::move(stream)));
    }
  }

  // One connection, where close() finds it.
  struct Session {
    Session(Impl& owner, Stream socket)
        : self(owner),
          stream(std::move(socket)),
          timer(owner.io_),
          at(owner.sessions_.insert(owner.sessions_.end(), this)) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() { self.sessions_.erase(at); }

    Impl& self;
    Stream stream;
    asio::steady_timer timer;  // waits for an answer that comes later, or for the next piece of a stream
    bool is_head = false;
    bool is_chunked = true;  // else an HTTP/1.0 client: a stream ends with the connection
    std::list<Session*>::iterator at;
  };

  // Lets a source wake the session as long as the session waits for it.
  template <class Source>
  struct Attention {
    Attention(Source& source, asio::steady_timer& timer) : source_(source) {
      source_.on_change([&timer] { timer.cancel(); });
    }
    Attention(const Attention&) = delete;
    Attention& operator=(const Attention&) = delete;
    ~Attention() { source_.on_change(nullptr); }
    Source& source_;
  };

  static asio::awaitable<void> serve(std::shared_ptr<Impl> self, Stream socket) {
    Session session(*self, std::move(socket));
    Stream& stream = session.stream;
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
      ControlResponse answer;
      session.is_head = false;
      if (!error) {
        session.is_head = parser.get().method() == http::verb::head;
        session.is_chunked = parser.get().version() >= 11;
        keep_alive = parser.get().keep_alive();
        answer = self->answer(parser.get());
      } else if (is_from_parser(error)) {
        keep_alive = false;
        is_refused = true;
        answer = refusal(error);
      } else {
        co_return;  // gone, or too slow
      }
      if (answer.later) {
        const auto later = std::move(answer.later);
        ControlResponse known = co_await wait_for(session, *later);
        if (self->is_closed_) co_return;
        answer = std::move(known);
      }
      if (answer.stream) {
        keep_alive = false;
        co_await send_stream(session, answer, error);
      } else {
        co_await send(session, answer, keep_alive, error);
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

  static asio::awaitable<ControlResponse> wait_for(Session& session, ControlLater& later) {
    Attention attention(later, session.timer);
    const auto limit = std::chrono::steady_clock::now() + later.limit();
    for (;;) {
      if (auto response = later.take()) co_return std::move(*response);
      if (session.self.is_closed_ || std::chrono::steady_clock::now() >= limit)
        co_return plain_response(http::status::gateway_timeout, "no answer in time");
      error_code ignored;
      session.timer.expires_at(limit);
      co_await session.timer.async_wait(redirect_error(use_awaitable, ignored));
    }
  }

  static asio::awaitable<void> send(Session& session, ControlResponse& answer, bool keep_alive, error_code& error) {
    auto response = head_of<http::string_body>(answer);
    response.body() = std::move(answer.body);
    response.keep_alive(keep_alive);
    response.set(http::field::cache_control, "no-store");
    response.prepare_payload();
    http::response_serializer<http::string_body> serializer(response);
    serializer.split(session.is_head);
    session.stream.expires_after(session.self.timeout_);
    if (session.is_head) {
      co_await http::async_write_header(session.stream, serializer, redirect_error(use_awaitable, error));
    } else {
      co_await http::async_write(session.stream, serializer, redirect_error(use_awaitable, error));
    }
  }

  // Until the writer ends it, or the client goes or falls too far behind.
  static asio::awaitable<void> send_stream(Session& session, ControlResponse& answer, error_code& error) {
    Impl& self = session.self;
    const std::shared_ptr<ControlStream> source = std::move(answer.stream);
    auto response = head_of<http::empty_body>(answer);
    response.keep_alive(false);
    response.set(http::field::cache_control, "no-store");
    if (session.is_chunked) response.chunked(true);
    http::response_serializer<http::empty_body> serializer(response);
    session.stream.expires_after(self.timeout_);
    co_await http::async_write_header(session.stream, serializer, redirect_error(use_awaitable, error));
    if (error || session.is_head) {
      source->end();
      co_return;
    }
    Following following(self, *source);
    Attention attention(*source, session.timer);
    wait_for_end(session, source);
    std::string piece = std::move(answer.body);
    while (!self.is_closed_) {
      if (piece.empty()) piece = source->take();
      if (piece.empty()) {
        if (source->has_ended()) break;
        error_code ignored;
        session.timer.expires_at(asio::steady_timer::time_point::max());
        co_await session.timer.async_wait(redirect_error(use_awaitable, ignored));
        continue;
      }
      session.stream.expires_after(self.timeout_);
      co_await write_piece(session, piece, error);
      if (error) co_return;
      piece.clear();
    }
    if (source->was_cut()) self.warn("a reader of a stream was too slow and was cut");
    if (!session.is_chunked || self.is_closed_) co_return;
    const auto last = http::make_chunk_last();
    session.stream.expires_after(self.timeout_);
    co_await asio::async_write(session.stream, last, redirect_error(use_awaitable, error));
  }

  // The client has nothing more to say: what can be read is its end. A wait may be over for nothing (readable.h); a
  // stream that has not ended still has its session (Following).
  static void wait_for_end(Session& session, std::shared_ptr<ControlStream> source) {
    auto& socket = session.stream.socket();
    socket.async_wait(Protocol::socket::wait_read, [&session, source = std::move(source)](error_code error) {
      if (error || source->has_ended() || is_readable(session.stream.socket().native_handle()))
        return source->end();
      wait_for_end(session, source);
    });
  }

  static asio::awaitable<void> write_piece(Session& session, const std::string& piece, error_code& error) {
    const auto bytes = asio::buffer(piece);
    if (session.is_chunked) {
      const auto chunk = http::make_chunk(bytes);
      co_await asio::async_write(session.stream, chunk, redirect_error(use_awaitable, error));
    } else {
      co_await asio::async_write(session.stream, bytes, redirect_error(use_awaitable, error));
    }
  }

  // Counts a stream while it is sent, and ends it however the session ends.
  struct Following {
    Following(Impl& owner, ControlStream& source) : owner_(owner), source_(source) { ++owner_.streams_; }
    Following(const Following&) = delete;
    Following& operator=(const Following&) = delete;
    ~Following() {
      --owner_.streams_;
      source_.end();
    }
    Impl& owner_;
    ControlStream& source_;
  };

  ControlResponse answer(http::request<http::string_body>& request) {
    const bool reads = request.method() == http::verb::get || request.method() == http::verb::head;
    if (!reads && !is_local_)
      return plain_response(http::status::forbidden,
                            "this address only shows; use the control socket to change things");
    if (!reads && request.method() != http::verb::post)
      return plain_response(http::status::method_not_allowed, "use GET, HEAD or POST");
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
    if (answered.stream && streams_ >= kControlStreamsMax) {
      answered.stream->end();
      return plain_response(http::status::service_unavailable,
                            "too many streams are being read, " + std::to_string(kControlStreamsMax) + " at most");
    }
    return answered;
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
  std::list<Session*> sessions_;
  int streams_ = 0;
  bool is_closed_ = false;
  log::RateLimit warnings_{1, std::chrono::seconds(10)};
  std::string path_;
  ino_t inode_ = 0;
  dev_t device_ = 0;
};

Expected<std::unique_ptr<ControlServer>, std::string> ControlServer::listen_unix(asio::io_context& io,
                                                                                 const std::string& path,
                                                                                 ControlHandler handler,
                                                                                 Duration timeout) {
  const std::string where = "control socket " + path + ": ";
  auto fd = listen_on_unix(path, kControlConnectionsMax);
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
  auto fd = listen_on_tcp(endpoint, kControlConnectionsMax);
  if (!fd) return Unexpected{where + fd.error()};
  auto impl = std::make_shared<Impl>(io, std::move(handler), timeout, false);
  std::unique_ptr<ControlServer> server(new ControlServer(impl));
  auto started = impl->start(std::move(*fd), endpoint.address.is_v4() ? AF_INET : AF_INET6);
  if (!started) return Unexpected{where + started.error()};
  return server;
}

ControlServer::~ControlServer() { impl_->close(); }

IpEndpoint ControlServer::local_endpoint() const { return impl_->local_endpoint(); }

}  // namespace vipair
