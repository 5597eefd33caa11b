#pragma once
// Two streams joined: what one side says reaches the other as it came, each direction to its own end, so that a
// side that has finished speaking still hears. A request's exchange becomes one after 101 (Switching Protocols); a
// connection of a tcp listener is nothing else. Plain functions that move what can be moved now.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "proxy/policy/retry.h"
#include "proxy/server/body_pump.h"

namespace vipair::proxy {

class Tunnel {
 public:
  // The pumps of both directions, not owned. What their outputs hold leaves first.
  Tunnel(BodyPump& to_upstream, BodyPump& to_client) : to_upstream_(to_upstream), to_client_(to_client) {}

  // The buffers hold what has come already. `idle`: how long nobody may say a word.
  void start(InputBuffer& from_client, InputBuffer& from_upstream, Duration idle, TimePoint now);
  // It ends then, whoever speaks: the proxy stops, or what was configured for it is gone.
  void end_at(TimePoint time) { end_at_ = std::min(end_at_, time); }

  enum class Step : std::uint8_t { idle, moved, complete, failed };
  Step step(Stream& client, Stream& upstream, TimePoint now);

  bool has_spliced() const { return to_upstream_.has_spliced() || to_client_.has_spliced(); }
  TimePoint deadline() const;
  std::optional<policy::ProxyError> overdue(TimePoint now) const;  // why it has to end now, if it has to
  const policy::ProxyError& failure() const { return *failure_; }  // after failed

 private:
  bool pump(BodyPump& pump, InputBuffer& buffer, Stream& source, Stream& sink, policy::Side source_side,
            TimePoint now);
  void fail(policy::Side side, policy::Cause cause);

  BodyPump& to_upstream_;
  BodyPump& to_client_;
  InputBuffer* from_client_ = nullptr;
  InputBuffer* from_upstream_ = nullptr;
  Duration idle_{};
  TimePoint end_at_ = TimePoint::max();
  std::optional<policy::ProxyError> failure_;
};

}  // namespace vipair::proxy
