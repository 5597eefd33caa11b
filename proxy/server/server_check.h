#pragma once
// The active check of one server: a coroutine that connects, asks, judges the answer, says what it found and waits
// until the next time. One connection per check; nothing of it is used for requests. Belongs to its HealthChecker.
//
// What this process lacks (descriptors, memory) proves nothing of the server: such a check counts as not made.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "proxy/config_health.h"
#include "proxy/http/body.h"
#include "proxy/http/buffer.h"
#include "proxy/server/stream.h"
#include "proxy/server/task.h"
#include "proxy/server/upstream_pool.h"
#include "proxy/server/upstream_tls.h"

namespace vipair::proxy {

inline constexpr std::size_t kCheckHeadMax = 16 * 1024;  // bytes of a response head
inline constexpr std::size_t kCheckBodyMax = 64 * 1024;  // bytes of a body that are searched

// How many checks may run at once; the others wait for their turn.
struct CheckSeats {
  std::size_t free = 128;
};

class ServerCheck {
 public:
  struct Result {
    bool success = false;
    std::string reason;  // "status 503, expected 200-399"
    Duration took{};
  };
  using OnResult = std::function<void(Result)>;

  // Everything but the settings outlives it. `random` spreads the checks of many servers.
  ServerCheck(Scheduler& scheduler, const Connector& connector, CheckSeats& seats, std::shared_ptr<Server> server,
              const HealthCheck& check, std::uint32_t random, OnResult on_result);
  ~ServerCheck();
  ServerCheck(const ServerCheck&) = delete;
  ServerCheck& operator=(const ServerCheck&) = delete;

  // Of type https: with whose certificates, and the server as it is written, for its name. From the next check on.
  void use_tls(std::shared_ptr<const UpstreamTls> tls, std::string name);
  void start();
  Server& server() const { return *server_; }
  const HealthCheck& check() const { return check_; }
  const policy::CheckedState& state() const { return state_; }

 private:
  enum class Step : std::uint8_t { connecting, sending, reading_head, reading_body, done };

  Task run();
  bool take_seat();
  void leave_seat();
  void begin();
  bool step();  // false: nothing to do until something happens
  bool on_connected();
  bool send();
  bool read();
  void on_head();
  void on_body();
  void on_end_of_stream();
  void succeed(std::string reason) { end(true, std::move(reason)); }
  void fail(std::string reason) { end(false, std::move(reason)); }
  void end(bool success, std::string reason);
  void abandon();  // it proved nothing
  std::string timeout_text() const;
  std::uint32_t random();

  Scheduler& scheduler_;
  const Connector& connector_;
  CheckSeats& seats_;
  const std::shared_ptr<Server> server_;
  const HealthCheck check_;
  const std::string request_;  // ready to be sent; empty: to be connected is all
  std::shared_ptr<const UpstreamTls> tls_;
  std::string tls_name_;
  OnResult on_result_;
  policy::CheckedState state_;
  std::uint32_t random_;
  Waiter waiter_;
  TimePoint next_at_;

  // of the check that runs
  Step step_ = Step::done;
  bool has_seat_ = false;
  std::string tls_failure_;
  std::unique_ptr<Stream> stream_;
  TimePoint started_{}, deadline_{};
  std::size_t sent_ = 0;
  std::string input_;   // what was received and not consumed
  std::string body_;    // its payload
  std::string status_;  // "status 200"
  http::BodyDecoder decoder_{http::BodyFraming{}};
  Task task_;
};

// The request of a check of type http or https.
std::string check_request(const HealthCheck& check);

}  // namespace vipair::proxy
