#pragma once
// Connections to an upstream that speaks HTTP/2 (`protocol = "h2"`): each carries many requests, each request is an
// H2Stream that its session takes for a connection of its own, used once. One thread; belongs to the UpstreamPool
// of its server.
//
// A request that the upstream did not act on (REFUSED_STREAM, beyond the last stream of a GOAWAY, not sent yet)
// fails as a refused connection does and may be sent again (RFC 9113 section 8.7).

#include <functional>
#include <memory>
#include <vector>

#include "proxy/server/h2_connection.h"
#include "proxy/server/task.h"

namespace vipair::proxy {

class H2Upstream final : private H2Connection {
 public:
  static constexpr std::uint32_t kStreamsMax = 100;  // at once on one connection; the upstream may allow fewer

  struct Settings {
    std::string_view scheme;  // "http" or "https", of static storage
    Duration idle_timeout{};
  };
  H2Upstream(WorkerContext& worker, std::unique_ptr<Stream> transport, const Settings& settings);

  // A stream for one request, writable once the connection is established. nullptr: it takes no more.
  std::unique_ptr<Stream> open();
  bool has_served() const { return has_response_; }
  void retire();  // ends with the requests that it has
  bool is_finished() const { return task_.done(); }

 private:
  Task run();
  bool may_send_head(H2Stream& stream) override;
  H2Stream* accept_stream() override { return nullptr; }  // upstreams open none
  void on_free(H2Stream&) override {}                     // used once
  void on_goaway(std::uint32_t last_stream) override;
  void on_settings_applied() override;
  std::string_view scheme() const override { return settings_.scheme; }
  bool check_established();
  bool has_nothing_left() const { return attached() == 0 && (is_leaving_ || has_failed() || input_ended()); }
  TimePoint deadline() const;
  void on_deadline();

  const Settings settings_;
  TimePoint idle_since_;
  std::uint32_t next_id_ = 1;
  bool is_established_ = false, is_leaving_ = false, was_busy_ = false;
  Task task_;
};

// All of one worker to one server.
class H2Upstreams {
 public:
  using Connect = std::function<std::unique_ptr<Stream>(int& error)>;
  // On a connection that has room, else on a new one; nullptr and the errno when none can be made. `is_reused`: the
  // connection has served a request before.
  std::unique_ptr<Stream> open(WorkerContext& worker, const H2Upstream::Settings& settings, const Connect& connect,
                               int& error, bool& is_reused);
  void retire();  // connections from now on are new ones
  void sweep();   // drops connections that have ended; call now and then
  std::size_t size() const { return connections_.size(); }

 private:
  std::vector<std::unique_ptr<H2Upstream>> connections_;
};

}  // namespace vipair::proxy
