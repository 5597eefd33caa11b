#pragma once
// Moves that an operator asks for, from the question to the answer: handover, drain, undrain. Who wants to be told
// before addresses go is told first; whoever asked is answered when nothing waits for the peer any more, or after
// kMoveMax. A drain is remembered in a file, so that it outlives the agent. One owner, one thread.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "vrrp/agent/agent.h"
#include "vrrp/kernel/control.h"
#include "vrrp/kernel/drain_flag.h"

namespace vipair::vrrp {

class PlannedMoves {
 public:
  using Done = Operations::Done;
  // A move that is not over by then did not happen: the agent itself waits for the peer a second at most.
  static constexpr Duration kMoveMax = std::chrono::seconds(10);

  struct Surroundings {
    // Tells that these virtual routers are about to be released, then calls `then`, at once or later.
    std::function<void(const std::vector<std::string>& routers, const std::string& reason, const std::string& text,
                       std::function<void()> then)>
        before_release;
    std::function<void()> turn_soon;
    std::function<TimePoint()> now;
  };

  // `agent` must outlive it; it is drained when the flag says so.
  PlannedMoves(Agent& agent, DrainFlag flag, Surroundings surroundings);

  void handover(const std::optional<std::string>& router, Done done);
  void drain(bool force, Done done);
  void undrain(Done done);
  void on_time(TimePoint now);  // after the agent's
  // Why the drain will not be remembered; empty: it will.
  const std::string& warning() const { return warning_; }

 private:
  struct Move {
    TimePoint began;
    Done done;
  };
  void begin_handover(const std::optional<std::string>& router, const Done& done);
  void begin_drain(bool force, const Done& done);

  Agent& agent_;
  DrainFlag flag_;
  Surroundings surroundings_;
  std::vector<Move> moves_;
  std::string warning_;
};

}  // namespace vipair::vrrp
