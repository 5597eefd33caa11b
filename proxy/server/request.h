#pragma once
// What is known of a request while it runs, apart from the bytes (exchange.h): where it goes, how often that was
// tried, what will be logged. Taken from the worker's pool at its first byte, given back after its last.

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/buffer.h"
#include "proxy/http/exchange_facts.h"
#include "proxy/http/target.h"
#include "proxy/policy/refusal.h"
#include "proxy/regex.h"
#include "proxy/server/client_info.h"
#include "proxy/server/dispatcher.h"
#include "proxy/server/exchange.h"
#include "proxy/server/free_list.h"
#include "proxy/server/guard.h"
#include "proxy/server/request_id.h"
#include "proxy/server/snapshot.h"
#include "proxy/server/upstream_pool.h"

namespace vipair::proxy {

// Shared with the one who checks; `waiter` is cleared when nobody waits any more. Only touched by the worker.
struct PasswordCheck {
  Waiter* waiter = nullptr;
  std::optional<bool> is_right;
};

struct Request {
  enum class State : std::uint8_t {
    reading_head,
    checking_password,
    needs_upstream,
    connecting,
    exchanging,
    answering,
    done
  };

  explicit Request(BufferPool& buffers) : exchange(buffers) {}

  Exchange exchange;
  State state = State::reading_head;
  TimePoint started{};               // its first byte
  TimePoint sent{};                  // the head to the server that answered
  Duration upstream_time{};          // from then to its response's head
  TimePoint deadline{};              // of the head, the connect, the answer
  std::size_t head_seen = 0;         // bytes of head_in that held no whole head
  const char* head_bytes = nullptr;  // what the request's slices refer to; nullptr: no head could be read
  http::Buffer path_scratch;
  http::Target target;
  IpAddress client;            // for limits, lists and logs: behind trusted proxies not the peer
  std::string client_text;     // empty: the peer's
  std::string user;            // whose password is right, or is being checked
  policy::Refusal unrouted{};  // why there is no route
  std::string allow;           // methods of the routes that took none of this one's
  Regex::Captures captures{};  // of the route's pattern
  http::Buffer rewritten;      // the target for the upstream, when it is not the client's; else empty
  RunningHolds running_holds;
  std::shared_ptr<PasswordCheck> password_check;  // while it runs
  http::Buffer answer_fields;                     // ready-made lines for an answer of our own
  RequestId id_bytes;
  std::string_view id;

  LocalSnapshot* local = nullptr;  // pinned
  const Snapshot::Site* site = nullptr;
  const Snapshot::Route* route = nullptr;
  Dispatch dispatch;                 // to a server of the route's upstream
  bool connection_persists = false;  // the server's
  CounterHold tunnel;                // while it is one

  int status = 0;  // sent to the client; 0: none yet
  std::uint64_t answer_bytes = 0;
  bool client_is_trusted = false;
  bool client_persists = false;
  bool must_abort = false;   // the response is incomplete and must not look complete
  bool must_linger = false;  // the client may still be sending what nobody reads

  void reset();  // for the next request on the same connection, whose bytes may be here already
};

// For header rules and the fields that we add. Views into the request, its snapshot and `client`.
http::ExchangeFacts facts_of(const Request& request, const ClientInfo& client);

// The requests of a worker that are not in use.
class RequestPool {
 public:
  explicit RequestPool(BufferPool& buffers) : buffers_(buffers) {}
  std::unique_ptr<Request> take();
  void give_back(std::unique_ptr<Request> request);
  // Frees the requests that nobody has taken since the last call; how many bytes that were, at least.
  std::size_t trim() { return free_.trim() * sizeof(Request); }

 private:
  BufferPool& buffers_;
  FreeList<std::unique_ptr<Request>> free_;
};

}  // namespace vipair::proxy
