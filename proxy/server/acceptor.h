#pragma once
// Listening sockets: one per worker and address, in one SO_REUSEPORT group, bound whether or not this node holds
// the address at the moment (IP_FREEBIND).

#include <functional>
#include <string>

#include "common/base/expected.h"
#include "common/base/ip_address.h"
#include "common/runtime/unique_fd.h"
#include "proxy/server/counters.h"
#include "proxy/server/reactor.h"

namespace vipair::proxy {

inline constexpr int kListenBacklog = 8192;  // connections the kernel keeps for us; it lowers it to somaxconn
inline constexpr int kAcceptBatchMax = 64;   // per listener and turn
inline constexpr int kEventsPerAccept = 4;   // of a turn, as far as that
inline constexpr Duration kAcceptPause = std::chrono::milliseconds(100);  // after the process ran out of something

// Opened anywhere, before anything is switched. The error says what and where: "0.0.0.0:80, bind, Address in use".
Expected<UniqueFd, std::string> open_listener(const IpEndpoint& endpoint);
Expected<IpEndpoint, std::string> bound_endpoint(const UniqueFd& listener);  // with the real port for port 0

// Accepts on one listener for one worker.
class Acceptor final : private Reactor::Target {
 public:
  using OnAccept = std::function<void(UniqueFd fd, const IpEndpoint& client)>;
  using MayAccept = std::function<bool()>;

  Acceptor(Reactor& reactor, UniqueFd listener, const IpEndpoint& endpoint, AcceptCounters& counters,
           MayAccept may_accept, OnAccept on_accept);  // throws std::system_error when the reactor refuses it
  ~Acceptor() { reactor_.remove(listener_.get()); }
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  const IpEndpoint& endpoint() const { return endpoint_; }
  void on_tick(TimePoint now);  // resumes after a pause
  void drain();                 // takes everything that is queued: the last thing before it is destroyed

 private:
  void on_events(std::uint32_t events) override;
  bool accept_one();  // false: nothing more now
  void pause(TimePoint until);

  Reactor& reactor_;
  UniqueFd listener_;
  IpEndpoint endpoint_;
  AcceptCounters& counters_;
  MayAccept may_accept_;
  OnAccept on_accept_;
  TimePoint paused_until_ = TimePoint::min();
  bool is_paused_ = false;
};

}  // namespace vipair::proxy
