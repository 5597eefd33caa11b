// GET over a connection of its own, in the clear or by TLS. The answer is read until its head is complete.
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "common/runtime/clock.h"
#include "vrrp/kernel/check_probe.h"
#include "vrrp/kernel/connector.h"
#include "vrrp/kernel/http_answer.h"
#include "vrrp/kernel/tls_client.h"

namespace vipair::vrrp {
namespace {

class HttpProbe final : public Probe {
 public:
  HttpProbe(boost::asio::io_context& io, HttpCheck check)
      : check_(std::move(check)),
        connector_(io, check_.host, check_.port),
        request_(http_request(check_)),
        next_slice_(io) {
    if (check_.is_tls) tls_ = TlsContext::make(check_.verify, check_.ca_file);
  }

  void start(Done done) override {
    if (tls_ && !*tls_) return done({false, tls_->error()});
    (void)give_up();
    done_ = std::move(done);
    stage_ = Stage::prepare;
    prepare();
  }

  std::string give_up() override {
    done_ = nullptr;
    next_slice_.cancel();
    stream_.reset();
    socket_.reset();
    std::string connecting = connector_.give_up();
    const std::size_t received = std::exchange(received_, "").size();
    switch (stage_) {
      case Stage::prepare:
        return "the certificate authorities are still being read";
      case Stage::connect:
        return connecting;
      case Stage::handshake:
        return peer_ + " does not complete the TLS handshake";
      default:
        return peer_ + (received == 0 ? " does not answer" : " does not complete its answer");
    }
  }

 private:
  enum class Stage { prepare, connect, handshake, send, receive };
  using Progress = Expected<TlsWant, std::string>;  // in the clear as well

  void prepare() {
    if (tls_) {
      const auto is_ready = (*tls_)->read_some();
      if (!is_ready) return fail(is_ready.error());
      if (!*is_ready) return next_slice_.at(monotonic_now(), [this] { prepare(); });
    }
    stage_ = Stage::connect;
    connector_.connect([this](Expected<Connector::Connected, std::string> result) {
      if (!result) return fail(result.error());
      socket_ = std::move(result->socket);
      peer_ = result->peer.to_string();
      if (!tls_) return advance(Stage::send);
      auto stream = TlsStream::make(**tls_, socket_.get(), check_.host);
      if (!stream) return fail(stream.error());
      stream_ = std::move(*stream);
      advance(Stage::handshake);
    });
  }

  void advance(Stage stage) {
    stage_ = stage;
    for (;;) {
      const Progress progress = step();
      if (!done_) return;  // step() has finished
      if (!progress) return fail(peer_ + ": " + progress.error());
      if (*progress == TlsWant::readable) return socket_.when_readable([this] { advance(stage_); });
      if (*progress == TlsWant::writable) return socket_.when_writable([this] { advance(stage_); });
    }
  }

  Progress step() {
    switch (stage_) {
      case Stage::handshake: {
        const Progress progress = stream_->handshake();
        if (progress && *progress == TlsWant::nothing) stage_ = Stage::send;
        return progress;
      }
      case Stage::send: {
        const Progress progress = stream_ ? stream_->write(request_) : send();
        if (progress && *progress == TlsWant::nothing) stage_ = Stage::receive;
        return progress;
      }
      default:
        return receive();
    }
  }

  // The request is smaller than any socket's buffer.
  Progress send() const {
    const ssize_t sent = ::send(socket_.get(), request_.data(), request_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return TlsWant::writable;
    if (sent < 0) return Unexpected{std::string(std::strerror(errno))};
    if (static_cast<std::size_t>(sent) < request_.size()) return Unexpected{std::string("takes half a request")};
    return TlsWant::nothing;
  }

  Progress receive() {
    const std::size_t before = received_.size();
    const Progress progress = stream_ ? stream_->read(received_, kHttpHeadMax - before) : receive_some();
    const bool is_end = progress && *progress == TlsWant::nothing && received_.size() == before;
    const auto status = http_status(received_);
    if (!status) return Unexpected{status.error()};
    if (*status) {
      const bool is_good = **status >= check_.status_min && **status <= check_.status_max;
      finish({is_good, "status " + std::to_string(**status)});
    } else if (is_end) {
      return Unexpected{std::string(before == 0 ? "the connection ended without an answer"
                                                : "the connection ended within the answer")};
    }
    return progress;
  }

  Progress receive_some() {
    std::array<char, 4096> piece;
    const std::size_t room = std::min(piece.size(), kHttpHeadMax - received_.size());
    const ssize_t size = ::recv(socket_.get(), piece.data(), room, 0);
    if (size < 0 && errno == EAGAIN) return TlsWant::readable;
    if (size < 0) return Unexpected{std::string(std::strerror(errno))};
    received_.append(piece.data(), static_cast<std::size_t>(size));
    return TlsWant::nothing;
  }

  void fail(std::string reason) { finish({false, std::move(reason)}); }
  void finish(Observation result) {
    stream_.reset();
    socket_.reset();
    received_.clear();
    if (auto call = std::exchange(done_, nullptr)) call(std::move(result));
  }

  HttpCheck check_;
  Connector connector_;
  std::string request_;
  std::optional<Expected<TlsContext, std::string>> tls_;
  Alarm next_slice_;  // of the authorities
  Stage stage_ = Stage::connect;
  std::string peer_;
  WatchedFd socket_;
  std::optional<TlsStream> stream_;
  std::string received_;
  Done done_;
};

}  // namespace

std::unique_ptr<Probe> make_http_probe(boost::asio::io_context& io, const HttpCheck& check) {
  return std::make_unique<HttpProbe>(io, check);
}

}  // namespace vipair::vrrp
