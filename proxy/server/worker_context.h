#pragma once
// What every session of a worker works with. One thread; everything here belongs to the worker and outlives its
// sessions.

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/time.h"
#include "common/runtime/log.h"
#include "proxy/http/h2_fields.h"
#include "proxy/policy/balancer.h"
#include "proxy/server/access_log.h"
#include "proxy/server/body_encoder.h"
#include "proxy/server/buffer_pool.h"
#include "proxy/server/client_info.h"
#include "proxy/server/counters.h"
#include "proxy/server/intrusive_list.h"
#include "proxy/server/request.h"
#include "proxy/server/scheduler.h"
#include "proxy/server/session.h"
#include "proxy/server/snapshot.h"
#include "proxy/server/task.h"
#include "proxy/server/upstream_pool.h"

namespace vipair::proxy {

class ClientOpening;
class PasswordChecker;

struct WorkerContext {
  WorkerContext(Scheduler& worker_scheduler, std::size_t worker_index, Connector worker_connector,
                const RequestIds& ids)
      : scheduler(worker_scheduler),
        index(worker_index),
        connector(std::move(worker_connector)),
        requests(buffers),
        request_ids(ids) {}

  Scheduler& scheduler;
  const std::size_t index;
  const Connector connector;
  BufferPool buffers;
  EncoderPool encoders;
  RequestPool requests;
  RequestIds request_ids;
  WorkerCounters counters;
  AccessLogWriter* access_log = nullptr;            // may be absent
  PasswordChecker* passwords = nullptr;             // may be absent: then nobody with a password gets in
  std::function<void(std::function<void()>)> post;  // from any thread: runs between two turns
  // Whether a finished request is written: by the sample, or because something was wrong with it.
  bool wants_log_line(int status) {
    if (access_log == nullptr || !access_log->is_enabled()) return false;
    if (status >= 400 || status == 0) return true;
    return ++requests_since_log_line_ >= access_log->one_in() ? (requests_since_log_line_ = 0, true) : false;
  }
  log::RateLimit log_limit{20, std::chrono::seconds(10)};

  // The session for a connection of which everything below its own protocol is known; the worker's.
  std::function<void(std::unique_ptr<Stream> client, const ClientInfo& info)> begin_session;
  // Scratch of HTTP/2 streams: a head on its way from text to fields, used within one call.
  http::RequestHead h2_request;
  http::ResponseHead h2_response;
  http::h2::FieldLines h2_lines;

  IntrusiveList<Session> sessions;
  std::size_t session_count = 0;
  // Those of them that are no further than their handshake, the oldest first.
  struct OpeningNode : ListHook {
    explicit OpeningNode(ClientOpening& opening) : owner(opening) {}
    ClientOpening& owner;
  };
  IntrusiveList<OpeningNode> openings;
  std::size_t opening_count = 0;
  std::vector<Session*> finished;  // destroyed at the end of the turn, by end_turn()
  FramePool request_frames;        // of ClientSession::serve()
  std::vector<Task> ended_tasks;   // of sessions that go on; destroyed at the end of the turn
  void end_turn();
  // The coroutine of a session has ended, and with it the session. An exception (out of memory, most likely) costs
  // this connection, not the others; it is told, as one of `what`.
  void finish(Session& session, const Task& task, std::string_view what);

  bool announces_close = false;  // every response says Connection: close
  bool is_draining = false;      // idle connections go soon
  TimePoint draining_since{};

  // A line for the operator; a client or a server can trigger them, so they are limited.
  void report_failure(const policy::ProxyError& error, const UpstreamPool* server, bool retries);

  // The same for a server's TLS: it is not who it should be, or does not speak it.
  void report_tls_failure(const Server& server, const std::string& why);
  // A warning that a client or a server can bring about at will, within the same limit.
  void warn_within_limit(std::string line);

  // From now on: running requests end, every response announces the close, idle connections go after kDrainIdle.
  void begin_drain();

  // ---- snapshots ---------------------------------------------------------------------------
  void use(std::shared_ptr<const Snapshot> snapshot);
  LocalSnapshot& current() { return locals_.back(); }
  LocalSnapshot* pin() {
    ++current().users;
    return &current();
  }
  void unpin(LocalSnapshot* local);
  // Gives back what was not needed of late: idle upstream connections, pooled memory. Every second or so.
  void sweep(TimePoint now);

  // ---- requests that wait for room (proxy/server/waiting_line.h) ---------------------------
  // A server of the line's upstream has room: wakes whoever has waited longest, here or in another worker.
  void wake_next(WaitingLine& line, const std::shared_ptr<Server>& server);
  // The same when another worker says so.
  void wake_waiting(const UpstreamNumbers& numbers, const Server& server);
  // Makes another worker call its wake_waiting(); absent when there is no other.
  std::function<void(std::size_t worker, std::shared_ptr<UpstreamNumbers>, std::shared_ptr<Server>)> wake_elsewhere;

  // ---- time of day -------------------------------------------------------------------------
  void set_wall_time(WallTime wall);  // once per turn or tick; must be called before the first session
  WallTime wall_time() const { return wall_offset_ + (scheduler.now() - TimePoint{}); }
  std::string_view date() const { return date_; }  // IMF-fixdate

 private:
  LocalUpstream local_upstream(const Snapshot::Upstream& upstream);
  std::shared_ptr<UpstreamPool> pool_for(const std::shared_ptr<Server>& server);
  std::shared_ptr<WaitingLine> line_for(const std::shared_ptr<UpstreamNumbers>& numbers);

  std::list<LocalSnapshot> locals_;  // the last one is current
  std::unordered_map<const Server*, std::weak_ptr<UpstreamPool>> pools_;
  std::uint32_t requests_since_log_line_ = 0;
  std::unordered_map<const UpstreamNumbers*, std::weak_ptr<WaitingLine>> lines_;
  WallTime wall_offset_{};
  std::int64_t date_second_ = -1;
  std::string date_;
};

}  // namespace vipair::proxy
