#pragma once
// A byte stream between the proxy and a client or an upstream: TcpStream on a socket, MemoryStream in tests.
//
// Nothing here blocks. Readiness is remembered: an event sets a flag and wakes the waiter, a call that found the
// end of what was there clears the flag. A caller asks can_read()/can_write() first and so makes no call in vain.

#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proxy/server/scheduler.h"

namespace vipair::proxy {

struct IoResult {
  enum class Status : std::uint8_t { ok, would_block, eof, error };
  Status status = Status::ok;
  std::size_t bytes = 0;  // with ok: at least 1
  int error = 0;          // errno, with error
};

class Stream {
 public:
  virtual ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  virtual IoResult try_read(std::span<char> buffer) = 0;
  // What try_read() would give, and will give again; can_read() stays. For the first bytes of a connection.
  virtual IoResult try_peek(std::span<char> /*buffer*/) { return {IoResult::Status::error, 0, ENOTSUP}; }
  virtual IoResult try_write(std::span<const iovec> pieces) = 0;  // may write less than all
  virtual void shutdown_write() = 0;                              // our end of the conversation is over
  virtual void abort_on_close() = 0;                              // the peer shall see a reset, not a regular end
  // Bytes into and out of a pipe, where both ends of a transfer are plain sockets: nothing is copied to us. At most
  // `max`, and one call each. How much is left to be had is not known after a splice_in: can_read() stays.
  virtual bool can_splice() const { return false; }
  virtual IoResult try_splice_in(int /*pipe*/, std::size_t /*max*/) {
    return {IoResult::Status::error, 0, ENOTSUP};
  }
  virtual IoResult try_splice_out(int /*pipe*/, std::size_t /*max*/) {
    return {IoResult::Status::error, 0, ENOTSUP};
  }
  // After a connect: 0 once established, else the errno. Ask when can_write() is set.
  virtual int connect_result() = 0;

  bool can_read() const { return (ready_ & kReadable) != 0; }
  bool can_write() const { return (ready_ & kWritable) != 0; }
  bool peer_closed() const { return (ready_ & (kPeerClosed | kBroken)) != 0; }  // it will send no more
  bool is_broken() const { return (ready_ & kBroken) != 0; }                    // reset or failed, both ways

  // Who is woken when readiness changes; nullptr: nobody. Not owned.
  void set_waiter(Waiter* waiter) { waiter_ = waiter; }

 protected:
  static constexpr std::uint8_t kReadable = 1, kWritable = 2, kPeerClosed = 4, kBroken = 8;
  Stream() = default;
  const Waiter* waiter() const { return waiter_; }
  void became_ready(std::uint8_t flags) {
    ready_ = static_cast<std::uint8_t>(ready_ | flags);
    if (carried_ != nullptr) {
      carried_->on_carrier_ready(flags);
    } else if (waiter_ != nullptr) {
      waiter_->wake();
    }
  }
  // A stream inside another one, as TLS is inside TCP: it is told of the carrier's readiness in place of a waiter.
  void carry(Stream& carrier) { carrier.carried_ = this; }
  virtual void on_carrier_ready(std::uint8_t) {}
  void no_longer(std::uint8_t flags) { ready_ = static_cast<std::uint8_t>(ready_ & ~flags); }

 private:
  std::uint8_t ready_ = 0;
  Waiter* waiter_ = nullptr;
  Stream* carried_ = nullptr;
};

}  // namespace vipair::proxy
