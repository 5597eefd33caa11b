#pragma once
// One connection of a tcp listener from accept to its end: finds out where it goes, connects, and is a tunnel. One
// coroutine. Belongs to its worker, which destroys it after its coroutine has ended.

#include <memory>
#include <optional>
#include <string>

#include "proxy/server/client_info.h"
#include "proxy/server/dispatcher.h"
#include "proxy/server/output.h"
#include "proxy/server/session.h"
#include "proxy/server/stream.h"
#include "proxy/server/task.h"
#include "proxy/server/tunnel.h"
#include "proxy/server/worker_context.h"

namespace vipair::proxy {

class TunnelSession final : public Session {
 public:
  // `service` is one of the current snapshot's.
  TunnelSession(WorkerContext& worker, std::unique_ptr<Stream> client, ClientInfo info, std::size_t service);
  ~TunnelSession() override;

  void start();  // runs up to its first wait
  void wake() override { waiter_.wake(); }
  bool is_idle() const override { return false; }

 private:
  enum class State : std::uint8_t { reading_hello, needs_upstream, connecting, tunnel, done };

  Task run();
  static void on_done(void* session);
  TimePoint now() const { return worker_.scheduler.now(); }
  const Snapshot::Tcp& service() const { return local_->snapshot->tcp[service_]; }
  const Snapshot::Upstream& upstream() const { return local_->snapshot->upstreams[*upstream_]; }

  bool read_hello();  // false: nothing to do until something happens
  void judge_hello();
  void go_to(std::optional<std::size_t> upstream);
  void connect();
  bool check_connect();  // false: nothing to do until something happens
  void on_dispatch(Dispatch::Result result);
  void begin_tunnel();
  bool step();  // false: nothing to do until something happens
  TimePoint tunnel_deadline();
  void on_failure(const policy::ProxyError& error);
  void refuse(policy::Cause cause);  // the client's fault, found in its first bytes
  void finish();

  WorkerContext& worker_;
  std::unique_ptr<Stream> client_;
  Waiter waiter_;
  const ClientInfo info_;
  const TimePoint started_;
  LocalSnapshot* local_;    // pinned until it is a tunnel: that may last for days, whatever is reloaded meanwhile
  const std::string name_;  // of the service
  const std::size_t service_;
  std::optional<std::size_t> upstream_;  // of the snapshot
  Dispatch dispatch_;
  State state_ = State::needs_upstream;
  TimePoint deadline_{};  // of the client's first message, the connect
  std::string server_name_;
  InputBuffer from_client_, from_server_;
  http::Buffer header_;  // of the PROXY protocol, where the server wants one
  Output to_server_, to_client_;
  BodyPump upward_{to_server_}, downward_{to_client_};
  Tunnel tunnel_{upward_, downward_};
  bool was_joined_ = false;
  std::optional<policy::ProxyError> failure_;
  CounterHold running_;
  Task task_;
};

}  // namespace vipair::proxy
