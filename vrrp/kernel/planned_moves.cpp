#include "vrrp/kernel/planned_moves.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/runtime/clock.h"
#include "vrrp/kernel/report.h"

namespace vipair::vrrp {

PlannedMoves::PlannedMoves(Agent& agent, DrainFlag flag, Surroundings surroundings)
    : agent_(agent), flag_(std::move(flag)), surroundings_(std::move(surroundings)) {
  if (flag_.is_set()) (void)agent_.drain(surroundings_.now(), true);
}

void PlannedMoves::handover(const std::optional<std::string>& router, Done done) {
  const auto routers = agent_.may_hand_over(surroundings_.now(), router);
  if (!routers) return done(Unexpected{routers.error()});
  surroundings_.before_release(*routers, "handover", "an operator asked for a handover",
                               [this, router, done = std::move(done)] { begin_handover(router, done); });
}

void PlannedMoves::begin_handover(const std::optional<std::string>& router, const Done& done) {
  const TimePoint now = surroundings_.now();
  if (auto begun = agent_.handover(now, router); !begun) return done(begun);
  moves_.push_back({now, done});
  surroundings_.turn_soon();
}

void PlannedMoves::drain(bool force, Done done) {
  const auto routers = agent_.may_drain(surroundings_.now(), force);
  if (!routers) return done(Unexpected{routers.error()});
  surroundings_.before_release(*routers, "drained", "an operator drains this node",
                               [this, force, done = std::move(done)] { begin_drain(force, done); });
}

void PlannedMoves::begin_drain(bool force, const Done& done) {
  const TimePoint now = surroundings_.now();
  if (auto begun = agent_.drain(now, force); !begun) return done(begun);
  warning_.clear();
  if (auto kept = flag_.set(rfc3339(wall_now())); !kept)
    warning_ = "the drain will not outlive the agent: " + kept.error();
  moves_.push_back({now, done});
  surroundings_.turn_soon();
}

void PlannedMoves::undrain(Done done) {
  // first, so that what is told to be over cannot come back
  if (auto cleared = flag_.clear(); !cleared) return done(Unexpected{cleared.error()});
  warning_.clear();
  agent_.undrain(surroundings_.now());
  surroundings_.turn_soon();
  done({});
}

// Whether the other node took over shows in what is Active here.
void PlannedMoves::on_time(TimePoint now) {
  if (moves_.empty()) return;
  const auto has_left = [](const RouterStatus& router) { return router.state != "yielding"; };
  const Status status = agent_.status(now);
  const bool is_over = std::all_of(status.routers.begin(), status.routers.end(), has_left);
  std::vector<Move> left;
  for (Move& move : std::exchange(moves_, {})) {
    if (!is_over && now < move.began + kMoveMax) {
      left.push_back(std::move(move));
      continue;
    }
    const auto returned = std::find_if(
        status.routers.begin(), status.routers.end(),
        [&](const RouterStatus& router) { return router.state == "active" && router.since >= move.began; });
    if (returned != status.routers.end())
      move.done(Unexpected{returned->name + ": nobody took over, this node is Active again"});
    else if (!is_over)
      move.done(Unexpected{std::string("it takes too long; see the events")});
    else
      move.done({});
  }
  moves_.insert(moves_.begin(), std::make_move_iterator(left.begin()), std::make_move_iterator(left.end()));
}

}  // namespace vipair::vrrp
