#pragma once
// A Stream on a TCP socket of a worker's reactor. Owns the descriptor. One receive and one send per call, and none
// that is known to find nothing: a read shorter than the buffer means the socket is empty until the next event.

#include <memory>

#include "common/base/ip_address.h"
#include "common/runtime/unique_fd.h"
#include "proxy/server/reactor.h"
#include "proxy/server/stream.h"

namespace vipair::proxy {

class TcpStream final : public Stream, private Reactor::Target {
 public:
  // A connection that accept4() returned, non-blocking. nullptr when the reactor cannot take it (errno is set).
  static std::unique_ptr<TcpStream> accepted(Reactor& reactor, UniqueFd fd);
  // Begins to connect; connect_result() tells the end. nullptr and `error` set when not even that is possible.
  static std::unique_ptr<TcpStream> connect(Reactor& reactor, const IpEndpoint& endpoint, int& error);
  ~TcpStream() = default;

  IoResult try_read(std::span<char> buffer) override;
  IoResult try_peek(std::span<char> buffer) override;
  IoResult try_write(std::span<const iovec> pieces) override;
  void shutdown_write() override;
  void abort_on_close() override;
  int connect_result() override;
  bool can_splice() const override { return true; }
  IoResult try_splice_in(int pipe, std::size_t max) override;
  IoResult try_splice_out(int pipe, std::size_t max) override;

 private:
  explicit TcpStream(UniqueFd fd) : fd_(std::move(fd)) {}
  void on_events(std::uint32_t events) override;
  void cannot_write();

  UniqueFd fd_;
  // Of an accepted connection that took all it was given so far: nobody has asked when it can be written to. Most
  // never get further, and that the new one can be written to would be an event of its own.
  Reactor* unwatched_by_ = nullptr;
};

}  // namespace vipair::proxy
