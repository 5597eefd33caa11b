#pragma once
// A proxy test as a conversation: one worker's sessions over memory streams, a client, origins and a configuration
// on one page. Time is a number; nothing happens but in run() and pass().

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/server/client_session.h"
#include "proxy/server/tunnel_session.h"
#include "proxy/server/worker_context.h"
#include "tests/support/memory_stream.h"

namespace vipair::proxy::testing {

// One site for every host, one upstream "app" at 10.0.0.1:80 (and .2, .3 …), one route "/".
Config simple_config(std::size_t servers = 1);

class Conversation {
 public:
  enum class Connect { accept, refuse, hang, no_descriptor };

  explicit Conversation(Config config = simple_config());
  ~Conversation();

  // A new client connection; the first one is made by the constructor.
  std::shared_ptr<Wire> connect(const char* address = "192.0.2.7:50000");
  // A client of the listener at this address, of whatever kind.
  std::shared_ptr<Wire> connect_to(const char* listener, const char* address = "192.0.2.7:50000");
  // The same in HTTP/2, and on a listener where the first bytes decide.
  std::shared_ptr<Wire> connect_http2(const char* address = "192.0.2.7:50001");
  std::shared_ptr<Wire> connect_to_either(const char* address = "192.0.2.7:50002");
  Wire& client() { return *client_; }
  // The connection that the proxy made to an upstream, in order; the last one without an argument.
  Wire& origin(std::size_t number) { return *origins_.at(number); }
  Wire& origin() { return *origins_.back(); }
  std::size_t connections() const { return origins_.size(); }
  const IpEndpoint& server_of(std::size_t number) const { return endpoints_.at(number); }
  void on_connect(std::deque<Connect> outcomes) { outcomes_ = std::move(outcomes); }  // then: accept

  void run();                     // turns until nothing moves
  void turn();                    // one turn
  void pass(Duration duration);   // time, tick by tick
  void pause(Duration duration);  // time in which this process does not run, and no turn yet

  // The usual steps, run() included.
  void client_sends(std::string_view bytes);
  void origin_sends(std::string_view bytes);
  std::string client_gets() { return client_->take(); }
  std::string origin_gets() { return origin().take(); }

  // Every wire made from now on reads and writes at most so many bytes at once.
  void use_pieces(std::function<std::size_t()> next_size) { next_size_ = std::move(next_size); }

  WorkerContext& worker() { return context_; }
  Session& session();  // of the first client, while it lives
  void reload(Config config);
  void drain();
  std::size_t sessions() const { return context_.session_count; }

 private:
  void begin_session(std::unique_ptr<Stream> client, const ClientInfo& info);
  template <class AnySession>
  void begin(std::unique_ptr<AnySession> session);

  template <class AnySession>
  std::shared_ptr<Wire> connect_as(const char* address);

  TimePoint now_;
  Scheduler scheduler_;
  std::vector<std::shared_ptr<Wire>> origins_;
  std::vector<IpEndpoint> endpoints_;
  std::deque<Connect> outcomes_;
  std::function<std::size_t()> next_size_;
  std::vector<std::shared_ptr<Wire>> clients_;
  WorkerContext context_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::shared_ptr<Wire> client_;
};

// "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n…": the value of a field in a head, "" when it is absent.
std::string field(const std::string& message, const std::string& name);
std::string first_line(const std::string& message);
std::string body_of(const std::string& message);

}  // namespace vipair::proxy::testing
