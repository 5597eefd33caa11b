#pragma once
// VRRP on the wire: one raw socket of protocol 112 per interface and family, however many virtual routers use it.
// It receives what is sent to the multicast group (224.0.0.18, ff02::12) and to the node on that interface only,
// with TTL and destination, and sends with TTL or hop limit 255 from a given source (RFC 9568 sections 5.1.1
// and 5.1.2). Checksums are the codec's business, the kernel adds none. Nothing blocks. One owner, one thread.
//
// What is sent waits for flush(), so that hundreds of virtual routers that advertise at one moment cost a few
// system calls.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/runtime/unique_fd.h"
#include "vrrp/agent/agent.h"
#include "vrrp/agent/host.h"

namespace vipair::vrrp {

class AdvertSockets {
 public:
  static constexpr std::size_t kMessageMax = 4352;     // bytes, the largest valid one has 4088; the rest is cut off
  static constexpr unsigned kBatch = 32;               // datagrams per system call
  static constexpr unsigned kBatchesPerDrain = 32;     // a flood does not keep the loop from its timers
  static constexpr int kReceiveBuffer = 1 << 20;       // bytes
  static constexpr std::size_t kWaitingMax = 1024;     // messages per socket; then they go out
  static constexpr std::size_t kAskedDirectlyMax = 2;  // sockets

  using Handler = std::function<void(const DatagramInfo&, ByteView message)>;

  AdvertSockets();
  ~AdvertSockets();

  // Makes sure that the interface's socket exists. Fails without CAP_NET_RAW and when the interface is gone.
  Expected<void, HostError> open(int interface_index, const std::string& interface, IpFamily family);
  bool is_open(int interface_index, IpFamily family) const { return sockets_.contains({interface_index, family}); }
  void close(int interface_index);  // the interface is gone, or nobody uses it any more
  std::vector<int> interfaces() const;

  // Fails when the interface has no socket. What goes wrong in flush() is the error of the socket's next send(),
  // which sends all the same.
  Expected<void, HostError> send(const OutgoingAdvertisement& advertisement);
  void flush();

  int poll_fd() const { return epoll_.get(); }  // readable when any socket is
  void drain(const Handler& handler);  // what is there; what comes meanwhile makes poll_fd() readable again

 private:
  struct Receiver;  // the buffers of one batch, shared by all sockets
  struct Socket {
    UniqueFd fd;
    std::string interface;
    std::vector<OutgoingAdvertisement> waiting;
    std::optional<HostError> failure;  // not told yet
  };
  using Key = std::pair<int, IpFamily>;
  static void flush(Socket& socket);
  const std::vector<Key>& ready();

  UniqueFd epoll_;
  std::map<Key, Socket> sockets_;
  std::unique_ptr<Receiver> receiver_;
  std::vector<Key> ready_;
};

// The Kind that an errno of a socket or netlink call stands for.
HostError::Kind host_error_kind(int error);

}  // namespace vipair::vrrp
