#pragma once
// A connection on a plain listener where both HTTP/1.1 and, with prior knowledge (RFC 9113 section 3.3), HTTP/2 are
// spoken: reads the first bytes, which tell them apart, and starts the session that goes on.

#include <array>
#include <memory>

#include "proxy/http/h2_frame.h"
#include "proxy/server/client_info.h"
#include "proxy/server/session.h"
#include "proxy/server/stream.h"
#include "proxy/server/task.h"
#include "proxy/server/worker_context.h"

namespace vipair::proxy {

class H2Opening final : public Session {
 public:
  H2Opening(WorkerContext& worker, std::unique_ptr<Stream> client, ClientInfo info);
  ~H2Opening() override;

  void start();
  void wake() override { waiter_.wake(); }
  bool is_idle() const override { return true; }

 private:
  Task run();
  static void on_done(void* session);
  bool read();  // false: the connection has ended
  std::string_view seen() const { return {bytes_.data(), size_}; }
  bool is_decided() const;
  TimePoint deadline() const;
  bool now_is_late() const;
  void hand_over();

  WorkerContext& worker_;
  std::unique_ptr<Stream> client_;
  Waiter waiter_;
  const ClientInfo info_;
  const TimePoint begun_;
  std::array<char, http::h2::kPreface.size()> bytes_;
  std::size_t size_ = 0;
  Task task_;
};

}  // namespace vipair::proxy
