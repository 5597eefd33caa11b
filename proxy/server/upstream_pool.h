#pragma once
// A server, and the connections of one worker to it: a stack of idle ones, the numbers, and the mark of a recent
// failure. The last one that was used is the next one used, so that the surplus grows old and is closed before the
// server does it. A connection that the server closed, or on which it spoke unasked, is never used again.

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/ip_address.h"
#include "proxy/policy/balancer.h"
#include "proxy/policy/breaker.h"
#include "proxy/server/counters.h"
#include "proxy/server/stream.h"
#include "proxy/server/upstream_tls.h"

namespace vipair::proxy {

// One server of one upstream, the same object in every snapshot that has it, so that numbers and pools outlive a
// reload. Slot i belongs to worker i: written there, read anywhere.
struct Server {
  struct alignas(64) Slot {
    Counter active, idle, requests, failures, connects, reuses;
    std::atomic<std::int64_t> avoid_until{0};  // monotonic nanoseconds
  };
  Server(std::string upstream_name, const IpEndpoint& address, std::size_t workers)
      : upstream(std::move(upstream_name)), endpoint(address), text(address.to_string()), slots(workers) {}

  // Any thread may call these.
  bool set_up(bool up, TimePoint now);  // as its health check says; whether that is news
  void drain(TimePoint sticky_until);   // the operator: no new clients; its own are served until then
  void end_drain(TimePoint now);
  void start_slowly(TimePoint now) { started_at.store(now.time_since_epoch().count(), std::memory_order_relaxed); }

  const std::string upstream;
  const IpEndpoint endpoint;
  const std::string text;
  std::atomic<bool> is_up{true};              // true when there is no health check
  std::atomic<bool> is_draining{false};       // the operator wants no new work for it
  std::atomic<std::int64_t> sticky_until{0};  // while draining; monotonic nanoseconds
  std::atomic<std::int64_t> started_at{0};    // came back then; 0: has been there from the beginning
  policy::Breaker breaker;
  std::vector<Slot> slots;
  // Connections with a running request, of all workers; kept only where somebody decides by it.
  alignas(64) std::atomic<std::uint64_t> in_use{0};
};

// Begins a connection; nullptr and the errno when not even that is possible.
using Connector = std::function<std::unique_ptr<Stream>(const IpEndpoint& endpoint, int& error)>;

class H2Upstreams;
struct WorkerContext;

class UpstreamPool {
 public:
  UpstreamPool(std::shared_ptr<Server> server, std::size_t worker);
  ~UpstreamPool();

  Server& server() const { return *server_; }
  const std::shared_ptr<Server>& shared_server() const { return server_; }
  Server::Slot& slot() { return slot_; }

  struct Settings {
    std::size_t idle_max = 0;  // connections
    Duration idle_timeout{};
    unsigned weight = 1;
    Duration slow_start{};
    std::uint64_t in_use_max = 0;  // 0: no limit
  };
  void configure(const Settings& settings);  // the latest snapshot's word
  // nullptr: in the clear. name: the server as it is written. Idle connections of before are closed.
  void use_tls(std::shared_ptr<const UpstreamTls> tls, const std::string& name);
  bool speaks_tls() const { return tls_ != nullptr; }
  std::unique_ptr<Stream> secure(std::unique_ptr<Stream> connection, UpstreamTls::OnFailure on_failure,
                                 bool http2 = false, std::string preface = {});
  std::unique_ptr<Stream> take_idle();  // nullptr: none is usable
  void give_back(std::unique_ptr<Stream> stream, TimePoint now);
  // To a server that speaks HTTP/2: a stream for one request, on a connection that is shared or new. nullptr and
  // the errno as a Connector does. `is_reused`: the connection has served a request before.
  std::unique_ptr<Stream> open_stream(WorkerContext& worker, int& error, bool& is_reused);
  void sweep(TimePoint now);  // closes what is too old or was closed by the server; call now and then
  void close_idle();

  // What a balancer asks (proxy/policy/balancer.h).
  policy::Usability usability(TimePoint now) const;
  TimePoint ejected_until() const { return std::max(avoid_until(), server_->breaker.open_until()); }
  std::uint64_t weight(TimePoint now) const;
  std::uint64_t load() const { return server_->in_use.load(std::memory_order_relaxed); }
  // A client that belongs to this server may go there, though others may not.
  bool serves_its_own(TimePoint now) const;

  // A seat is the right to one connection with a running request. False: all are taken.
  bool take_counted_seat();
  void leave_counted_seat() { server_->in_use.fetch_sub(1, std::memory_order_relaxed); }

  // A server that could not be reached is passed over for a while; one that answered is not.
  void avoid_until(TimePoint time) {
    slot_.avoid_until.store(time.time_since_epoch().count(), std::memory_order_relaxed);
  }
  TimePoint avoid_until() const { return TimePoint(Duration(slot_.avoid_until.load(std::memory_order_relaxed))); }
  void mark_working() {
    if (slot_.avoid_until.load(std::memory_order_relaxed) != 0) {
      slot_.avoid_until.store(0, std::memory_order_relaxed);
    }
  }

 private:
  struct Idle {
    std::unique_ptr<Stream> stream;
    TimePoint since;
  };
  static bool is_usable(Stream& stream);

  std::shared_ptr<Server> server_;
  Server::Slot& slot_;
  std::vector<Idle> idle_;  // oldest first
  std::shared_ptr<const UpstreamTls> tls_;
  std::string tls_name_;
  std::shared_ptr<UpstreamTlsSession> tls_session_;
  std::unique_ptr<H2Upstreams> multiplexed_;
  Settings settings_;
};

}  // namespace vipair::proxy
