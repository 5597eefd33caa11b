#pragma once
// The way of one request, or of one tunnel, to a connection with a server of its upstream: which server, waiting
// for room, an idle connection or a new one, and what became of it. Knows nothing of what is said on the
// connection.
//
//   begin   an upstream, and what a server is chosen by
//   connect → connected | waiting (until check() says otherwise) | failed
//   then one of
//     failed     the server is blamed if it was its fault; true: connect() once more
//     complete   what was asked for is done; the connection may be kept
//     release    nobody is to blame
//   and in between answered, as soon as the server has shown that it works.
//
// Holds a seat at its server from connect() on: that is what least_connections and max_connections count.
// Destroying it or beginning anew releases what it holds. Belongs to one worker.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "proxy/policy/retry.h"
#include "proxy/server/stream.h"
#include "proxy/server/upstream_pool.h"
#include "proxy/server/waiting_line.h"

namespace vipair::proxy {

struct WorkerContext;
struct LocalUpstream;
struct ClientInfo;

// What a server is chosen by, beside its turn.
struct Preference {
  std::uint64_t key = 0;              // a hash of what the client is told by
  std::optional<std::size_t> server;  // the one that the client belongs to
};

// What a server that speaks TLS is told of the client in front of the handshake; one that does not is told in front
// of the client's first bytes.
std::string preface_of(const LocalUpstream& upstream, const ClientInfo& client);

class Dispatch {
 public:
  enum class Result : std::uint8_t { connected, waiting, failed };
  static constexpr Duration kRecheck = std::chrono::milliseconds(100);  // in a line, should nobody wake us

  Dispatch() = default;
  ~Dispatch() { release(); }
  Dispatch(const Dispatch&) = delete;
  Dispatch& operator=(const Dispatch&) = delete;

  // All of these outlive the dispatch or its next begin(). The waiter is woken when check() has something to do.
  // `preface` goes in front of the TLS of a new connection.
  void begin(WorkerContext& worker, LocalUpstream& upstream, Waiter& waiter, const Preference& preference,
             std::string preface = {});
  void reset();  // forgets all of it

  Result connect();
  Result check();  // while waiting: after activity, or once the deadline has passed
  TimePoint deadline() const { return deadline_; }            // while waiting
  const policy::ProxyError& error() const { return error_; }  // after `failed`

  // A response's head has arrived, with its status; 0: what is spoken has none.
  void answered(int status);
  // `attempt` says what is known of the request; its number and connection are filled in here.
  bool failed(const policy::ProxyError& error, policy::Attempt attempt);
  void complete(bool may_keep_connection);
  void release();
  // While connected: from here on the upstream given to begin() may go, as it does under a tunnel that lasts for
  // days. All that is left to do is complete(false) or release().
  void outlive_upstream();

  bool has_begun() const { return upstream_ != nullptr; }
  Stream& connection() const { return *connection_; }
  bool has_connection() const { return connection_ != nullptr; }
  bool is_reused() const { return is_reused_; }
  int attempts() const { return attempts_; }      // servers tried
  UpstreamPool* server() const { return pool_; }  // nullptr: none was chosen yet; stays when it is released
  std::size_t server_index() const { return index_; }
  LocalUpstream& upstream() const { return *upstream_; }
  const Preference& preference() const { return preference_; }

 private:
  enum class State : std::uint8_t { nothing, in_line, connecting, connected };

  Result choose(bool was_waiting);
  Result wait_for(const Server* server);
  Result open();
  std::unique_ptr<Stream> begin_connection(int& error) const;
  Result fail(policy::Side side, policy::Stage stage, policy::Cause cause);
  bool take_seat(std::size_t index);
  void leave_seat();
  void leave_line();
  void blame(const policy::ProxyError& error, bool was_idle);
  void count_failure(const std::string& reason);
  bool has_others() const;

  WorkerContext* worker_ = nullptr;
  LocalUpstream* upstream_ = nullptr;
  WaitingLine* line_ = nullptr;  // of the upstream, if one of its servers has a limit
  Waiter* waiter_ = nullptr;
  Preference preference_;
  std::string preface_;
  State state_ = State::nothing;
  TimePoint deadline_{};
  policy::ProxyError error_;
  WaitingLine::Place place_;

  UpstreamPool* pool_ = nullptr;
  std::shared_ptr<UpstreamPool> kept_pool_;  // by outlive_upstream()
  std::shared_ptr<WaitingLine> kept_line_;
  std::size_t index_ = 0;
  std::unique_ptr<Stream> connection_;
  int attempts_ = 0;
  bool is_reused_ = false;
  bool has_seat_ = false;
  bool is_counted_ = false;     // the seat is one of Server::in_use
  bool began_ejected_ = false;  // the server was, when it was chosen
  bool was_blamed_ = false;     // for what it did with this request
  bool is_probe_ = false;       // it is upon us to find out whether it works again
};

}  // namespace vipair::proxy
