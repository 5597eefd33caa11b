#pragma once
// A proxy::Stream without a network: the proxy holds the MemoryStream, the test holds its Wire. What the test puts
// on the wire arrives at once, in pieces as small as the test likes.

#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/server/stream.h"

namespace vipair::proxy::testing {

inline constexpr std::size_t kAnySize = std::numeric_limits<std::size_t>::max();

class MemoryStream;

// One connection, seen from the far end.
class Wire {
 public:
  void send(std::string_view bytes);
  void half_close();  // we send no more
  void reset();       // the connection is broken, both ways
  void accept();      // an upstream connection that hangs is established now
  void refuse(int error_number);

  std::string take();  // what came from the proxy since the last take()
  const std::string& received() const { return from_proxy_; }
  bool ended() const { return ended_; }  // the proxy sends no more
  bool is_closed() const { return stream_ == nullptr; }
  bool was_aborted() const { return aborted_; }
  bool holds_unread() const { return !to_proxy_.empty(); }  // the proxy has not read everything

  std::size_t writes = 0;              // calls of the proxy that wrote something
  std::size_t read_max = kAnySize;     // bytes the proxy gets per read
  std::size_t write_max = kAnySize;    // bytes taken from it per write
  void limit_room(std::size_t bytes);  // bytes taken from it until more room is made; none by default
  void make_room(std::size_t bytes);

 private:
  friend class MemoryStream;
  void notify(std::uint8_t flags);

  MemoryStream* stream_ = nullptr;
  std::string to_proxy_, from_proxy_;
  bool to_proxy_ended_ = false, is_reset_ = false, ended_ = false, aborted_ = false;
  int connect_error_ = 0;
  std::size_t room_ = kAnySize;
};

class MemoryStream final : public Stream {
 public:
  explicit MemoryStream(std::shared_ptr<Wire> wire);
  ~MemoryStream() override;
  IoResult try_read(std::span<char> buffer) override;
  IoResult try_peek(std::span<char> buffer) override;
  IoResult try_write(std::span<const iovec> pieces) override;
  void shutdown_write() override { wire_->ended_ = true; }
  void abort_on_close() override { wire_->aborted_ = true; }
  int connect_result() override { return wire_->connect_error_; }

 private:
  friend class Wire;
  std::shared_ptr<Wire> wire_;
};

}  // namespace vipair::proxy::testing
