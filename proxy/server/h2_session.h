#pragma once
// A client's HTTP/2 connection: each stream is served by a ClientSession that reads HTTP/1.1 from an H2Stream and
// is used again for the next stream, as a kept-alive connection is. So a request costs no session, and everything
// that happens to a request exists once.
//
// Leaves in two steps (RFC 9113 section 6.8): a GOAWAY that announces the end and refuses nothing, then, once the
// client can have seen it, the one that names the last stream.

#include <memory>

#include "proxy/server/client_info.h"
#include "proxy/server/h2_connection.h"
#include "proxy/server/session.h"
#include "proxy/server/task.h"

namespace vipair::proxy {

class H2Session final : public Session, private H2Connection {
 public:
  // `already_read` came from the client before its protocol was known.
  H2Session(WorkerContext& worker, std::unique_ptr<Stream> client, ClientInfo info,
            std::string_view already_read = {});
  ~H2Session() override;

  void start();
  void wake() override { H2Connection::wake(); }
  bool is_idle() const override { return busy_ == 0; }

 private:
  Task run();
  static void on_done(void* session);
  H2Stream* accept_stream() override;
  void on_free(H2Stream& stream) override;
  void on_goaway(std::uint32_t) override {}  // the client opens no more streams: its own business
  std::string_view scheme() const override { return info_.is_tls ? "https" : "http"; }

  const Timeouts& timeouts() const { return worker_.current().snapshot->config.timeouts; }
  void announce_end();
  void finish_up();  // the final GOAWAY
  bool has_nothing_left() const;
  TimePoint deadline() const;
  void on_deadline();
  bool discard_input(std::size_t& discarded);

  ClientInfo info_;
  IntrusiveList<H2Stream> free_;  // idle, with their sessions
  TimePoint idle_since_;
  std::optional<TimePoint> announced_at_;
  bool is_final_ = false;  // the last GOAWAY has been sent
  bool was_busy_ = false, has_served_ = false;
  Task task_;
};

}  // namespace vipair::proxy
