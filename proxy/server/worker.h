#pragma once
// One thread of the proxy: a reactor, its listeners, its clients and its connections to upstreams. Shares nothing
// with other workers but the immutable snapshot and counters. Commands are posted and carried out between two
// turns.

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "common/runtime/unique_fd.h"
#include "proxy/server/acceptor.h"
#include "proxy/server/client_info.h"
#include "proxy/server/reactor.h"
#include "proxy/server/worker_context.h"

namespace vipair::proxy {

class Worker {
 public:
  struct Settings {
    std::size_t index = 0;
    AccessLogWriter* access_log = nullptr;
    PasswordChecker* passwords = nullptr;
    // See WorkerContext::wake_elsewhere; must go on until this worker has been joined.
    std::function<void(std::size_t worker, std::shared_ptr<UpstreamNumbers>, std::shared_ptr<Server>)>
        wake_elsewhere;
  };
  // on_finished is called in the worker's thread, last thing.
  Worker(const Settings& settings, std::shared_ptr<const Snapshot> snapshot, std::function<void()> on_finished);
  ~Worker();  // stops at once and joins

  void start();

  // ---- commands, from the main thread ------------------------------------------------------
  void listen(UniqueFd listener, const IpEndpoint& endpoint);
  void unlisten(const IpEndpoint& endpoint);  // takes what the kernel has queued, then closes the listener
  void use(std::shared_ptr<const Snapshot> snapshot);
  void announce_close(bool on);
  // Closes the listeners, lets running requests end, closes connections as they become idle; then the thread ends.
  void drain();
  void stop();  // ends the thread at once, connections are closed as they are
  void join();

  // From any thread: a server has room for a request that waits here.
  void wake_waiting(std::shared_ptr<UpstreamNumbers> numbers, std::shared_ptr<Server> server);

  // ---- looked at by the main thread --------------------------------------------------------
  std::uint64_t turns() const { return reactor_.turns(); }
  bool is_finished() const { return is_finished_.load(std::memory_order_acquire); }
  const WorkerCounters& counters() const { return context_.counters; }

 private:
  void run();
  void tick();
  template <class AnySession>
  void begin(std::unique_ptr<AnySession> session);
  void begin_session(std::unique_ptr<Stream> client, const ClientInfo& info);
  void accept(UniqueFd fd, ClientInfo client);

  Settings settings_;
  Reactor reactor_;
  WorkerContext context_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::function<void()> on_finished_;
  std::atomic<bool> is_finished_{false};
  bool is_stopping_ = false;
  TimePoint next_tick_{};
  TimePoint next_sweep_{};
  std::thread thread_;
};

}  // namespace vipair::proxy
