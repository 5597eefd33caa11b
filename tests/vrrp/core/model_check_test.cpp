// Every interleaving of two and of three routers on a LAN that may lose any message, with crashes, stops, starts,
// handovers, failing claims and reloads at any moment: a breadth-first walk over all worlds that can be reached,
// with the invariants checked at every step and, from every world, what becomes of it once nothing fails any more.
//
// A message is delivered or lost in the instant in which it was sent, in any order; time moves when none is under
// way. Times are relative to the world's now, so worlds that differ only in their age are one.

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <iostream>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/overloaded.h"
#include "vrrp/core/state_machine.h"
#include "vrrp/core/timers.h"

namespace vipair::vrrp {
namespace {

using namespace std::chrono_literals;

using StepFunction = std::function<Transition(const Parameters&, const State&, const Event&, TimePoint)>;

const TimePoint kNow(1h);
constexpr Centiseconds kInterval{10};
constexpr Duration kTick = 25ms;

struct Setting {
  std::string name;
  std::vector<std::vector<Parameters>> routers;  // per router the variants a reload switches between
  bool claims_may_fail = false;
  bool faults_while_messages_fly = true;  // otherwise only when the LAN is silent
  Centiseconds interval = kInterval;
  Duration tick = kTick;  // faults happen on this grid and at every deadline
};

struct Node {
  State state;
  bool is_wanted = true;  // no fault, not stopped
  bool holds = false;     // the addresses
  std::uint8_t variant = 0;
};

struct Message {
  std::uint8_t from = 0, to = 0, priority = 0;
  friend auto operator<=>(const Message&, const Message&) = default;
};

struct World {
  std::vector<Node> nodes;
  std::set<Message> flying;
};

// ---- one world per difference that matters ----

void shift(TimePoint& time, Duration by) { time -= by; }

void normalize(World& world, TimePoint now) {
  const Duration by = now - kNow;
  for (Node& node : world.nodes) {
    std::visit(overloaded{
                   [&](Initialize& initialize) {
                     if (!initialize.resigned_at) return;
                     shift(*initialize.resigned_at, by);
                     if (*initialize.resigned_at < kNow - 1s) initialize.resigned_at.reset();  // long forgotten
                   },
                   [&](Backup& backup) {
                     shift(backup.active_down_at, by);
                     if (backup.preempt_at != kNever) shift(backup.preempt_at, by);
                     backup.preempt_at = std::max(backup.preempt_at, kNow);
                     backup.outranked.reset();  // decides about relaying only
                   },
                   [&](Active& active) {
                     shift(active.adver_at, by);
                     active.announcements = {kNow, 1, TimePoint::max()};  // the election does not hang on them
                     active.answered_at = {};  // that an answer is left out is the same as that it is lost
                   },
                   [&](Yielding& yielding) {
                     shift(yielding.until, by);
                     shift(yielding.adver_at, by);
                   },
               },
               node.state);
  }
}

std::string key_of(const World& world) {
  std::string key;
  auto put = [&](TimePoint time) {
    const auto units = static_cast<std::uint32_t>((time - kNow) / 1us);
    key.append(reinterpret_cast<const char*>(&units), sizeof units);
  };
  for (const Node& node : world.nodes) {
    key.push_back(static_cast<char>(node.state.index() << 4 | (node.is_wanted ? 1 : 0) | (node.holds ? 2 : 0)));
    key.push_back(static_cast<char>(node.variant));
    std::visit(overloaded{
                   [&](const Initialize& initialize) {
                     if (initialize.resigned_at) put(*initialize.resigned_at);
                   },
                   [&](const Backup& backup) {
                     put(backup.active_down_at);
                     put(backup.preempt_at);
                     key.push_back(backup.is_listening_again ? 1 : 0);
                   },
                   [&](const Active& active) {
                     put(active.adver_at);
                     key.push_back(active.is_listening ? 1 : 0);
                   },
                   [&](const Yielding& yielding) {
                     put(yielding.until);
                     put(yielding.adver_at);
                     key.push_back(yielding.returns ? 1 : 0);
                   },
               },
               node.state);
  }
  for (const Message& message : world.flying) {
    key.push_back(static_cast<char>(message.from << 4 | message.to));
    key.push_back(static_cast<char>(message.priority));
  }
  return key;
}

std::string describe(const World& world) {
  std::ostringstream out;
  for (const Node& node : world.nodes) {
    out << name_of(node.state) << (node.holds ? "+" : "-") << (node.is_wanted ? "" : "!") << node.variant + 0;
    if (const auto deadline = next_deadline(node.state)) out << "@" << (*deadline - kNow) / 1ms;
    out << "  ";
  }
  for (const Message& m : world.flying) out << " " << m.from + 0 << "→" << m.to + 0 << ":" << m.priority + 0;
  return out.str();
}

// ---- the walk ----

class Checker {
 public:
  Checker(Setting setting, StepFunction step) : setting_(std::move(setting)), step_(std::move(step)) {}

  // Stops at the first violation; the text tells how it came about.
  void run() {
    World start;
    start.nodes.resize(setting_.routers.size());
    for (Node& node : start.nodes) node.is_wanted = false;
    add(std::move(start), nullptr, "start");
    while (!queue_.empty() && violation_.empty()) {
      const Known* known = queue_.front();
      queue_.pop_front();
      current_ = known;
      expand(known->world);
      if (violation_.empty()) check_recovery(known->world);
    }
  }

  std::size_t worlds() const { return known_.size(); }
  const std::string& violation() const { return violation_; }

 private:
  struct Known {
    World world;
    const Known* before = nullptr;
    std::string how;
  };

  const Parameters& parameters(const Node& node, std::size_t at) const {
    return setting_.routers[at][node.variant];
  }

  void add(World world, const Known* before, std::string how) {
    if (!violation_.empty()) return;
    auto [place, is_new] = known_.try_emplace(key_of(world));
    if (!is_new) return;
    place->second = {std::move(world), before, std::move(how)};
    queue_.push_back(&place->second);
  }

  void violated(const std::string& what) {
    if (!violation_.empty()) return;
    std::ostringstream out;
    out << setting_.name << ": " << what << "\n";
    std::vector<const Known*> path;
    for (const Known* known = current_; known; known = known->before) path.push_back(known);
    for (auto it = path.rbegin(); it != path.rend(); ++it) {
      out << "  " << (*it)->how << "  ⇒  " << describe((*it)->world) << "\n";
    }
    violation_ = out.str();
  }

  // One event at one router. False: the claim was to fail and nothing was claimed.
  void apply(World& world, std::size_t at, const Event& event, TimePoint now, bool claim_fails = false) {
    Node& node = world.nodes[at];
    const Parameters& own = parameters(node, at);
    const State before = node.state;
    const Transition transition = step_(own, before, event, now);
    node.state = transition.next;
    bool resigned = false, claim_failed = false;
    for (const Action& action : transition.actions) {
      if (claim_failed) break;
      std::visit(overloaded{
                     [&](const ClaimAddresses&) { claim_fails ? claim_failed = true : node.holds = true; },
                     [&](const SendAdvertisement& send) {
                       resigned |= send.priority == 0;
                       if (send.priority != 0 && !std::holds_alternative<Active>(node.state)) {
                         violated("a router that is not Active sends priority " + std::to_string(send.priority));
                       }
                       if (send.priority != 0 && send.priority != own.priority)
                         violated("a foreign priority is sent");
                       for (std::size_t to = 0; to < world.nodes.size(); ++to) {
                         if (to == at) continue;
                         world.flying.insert(
                             {static_cast<std::uint8_t>(at), static_cast<std::uint8_t>(to), send.priority});
                       }
                     },
                     [&](const AnnounceAddresses&) {
                       if (!node.holds) violated("addresses are announced before they are claimed");
                     },
                     [&](const ReleaseAddresses&) { node.holds = false; },
                 },
                 action);
    }
    if (claim_failed) {
      node.is_wanted = false;  // the agent holds a fault until its next try
      return apply(world, at, ClaimFailed{}, now);
    }
    const bool was_active = std::holds_alternative<Active>(before);
    const bool must_resign = std::holds_alternative<Shutdown>(event) || std::holds_alternative<Handover>(event);
    if (was_active && must_resign && !resigned) violated("a stop or a handover sends no priority 0");
    if (!node.is_wanted && !was_active && std::holds_alternative<Active>(node.state))
      violated("a router that was stopped becomes Active");
    const bool may_hold =
        std::holds_alternative<Active>(node.state) || std::holds_alternative<Yielding>(node.state);
    if (node.holds != may_hold)
      violated(std::string("holds addresses as ") + name_of(node.state) + " or lacks them");
    const auto deadline = next_deadline(node.state);
    if (std::holds_alternative<TimeReached>(event) && deadline && *deadline <= now) {
      violated("a deadline lies in the past after TimeReached");
    }
  }

  // The world after one event, and when claims may fail, the world in which this one did.
  void branch(const World& world, std::size_t at, const Event& event, const std::string& how,
              const std::function<void(World&)>& prepare = nullptr) {
    for (bool claim_fails : {false, true}) {
      if (claim_fails && !setting_.claims_may_fail) break;
      World next = world;
      if (prepare) prepare(next);
      apply(next, at, event, kNow, claim_fails);
      normalize(next, kNow);
      add(std::move(next), current_, std::to_string(at) + " " + how + (claim_fails ? ", claim fails" : ""));
    }
  }

  static std::optional<TimePoint> earliest_deadline(const World& world) {
    std::optional<TimePoint> earliest;
    for (const Node& node : world.nodes) {
      const auto deadline = next_deadline(node.state);
      if (deadline && (!earliest || *deadline < *earliest)) earliest = deadline;
    }
    return earliest;
  }

  void expand(const World& world) {
    for (const Message& message : world.flying) {
      const AdvertReceived advert{source_of(message.from), message.priority, setting_.interval};
      auto take = [&](World& next) { next.flying.erase(message); };
      branch(world, message.to, advert, "hears " + std::to_string(message.priority), take);
      if (setting_.routers.size() == 2 && message.priority != 0)
        branch(world, message.to, AdvertUnverified{}, "hears what does not verify", take);
      World lost = world;
      take(lost);
      add(std::move(lost), current_, "a message is lost");
    }
    bool is_due = false;
    for (std::size_t at = 0; at < world.nodes.size(); ++at) {
      const auto deadline = next_deadline(world.nodes[at].state);
      if (!deadline || *deadline > kNow) continue;
      is_due = true;
      branch(world, at, TimeReached{}, "wakes up");
    }
    if (world.flying.empty() || setting_.faults_while_messages_fly) {
      for (std::size_t at = 0; at < world.nodes.size(); ++at) fail(world, at);
    }
    if (world.flying.empty() && !is_due) {
      World later = world;
      const auto deadline = earliest_deadline(world);
      if (!deadline) return;
      normalize(later, std::min(*deadline, kNow + setting_.tick));
      add(std::move(later), current_, "time passes");
    }
  }

  void fail(const World& world, std::size_t at) {
    const Node& node = world.nodes[at];
    if (!node.is_wanted) {
      branch(world, at, Startup{}, "starts", [at](World& next) { next.nodes[at].is_wanted = true; });
      if (std::holds_alternative<Initialize>(node.state)) return;  // a Yielding one can crash still
    } else {
      branch(world, at, Shutdown{}, "stops", [at](World& next) { next.nodes[at].is_wanted = false; });
    }
    if (setting_.routers.size() == 2) branch(world, at, AdvertUnverified{}, "hears a forgery");
    if (std::holds_alternative<Active>(node.state)) {
      branch(world, at, AddressLost{}, "loses an address");
      // of three it is left out: too many worlds, and the third one is just another one who can take over
      if (world.nodes.size() == 2) branch(world, at, Handover{Reason::handover}, "hands over");
    }
    if (setting_.routers[at].size() > 1) {
      branch(world, at, ParametersChanged{}, "reloads", [&, at](World& next) {
        std::uint8_t& variant = next.nodes[at].variant;
        variant = static_cast<std::uint8_t>((variant + 1u) % setting_.routers[at].size());
      });
    }
    World crashed = world;
    crashed.nodes[at] = Node{Initialize{}, false, false, node.variant};
    add(std::move(crashed), current_, std::to_string(at) + " crashes");
  }

  // From here on nothing fails: everybody starts, every message arrives, every timer fires in time. Within the
  // bound there must be exactly one Active, and it must stay.
  void check_recovery(World world) {
    const Duration bound = 5 * Duration(setting_.interval);  // the longest Active_Down_Interval, one advertisement
    const Duration watched = 4 * Duration(setting_.interval);
    TimePoint now = kNow;
    const std::optional<std::size_t> lone = lone_active(world);
    for (std::size_t at = 0; at < world.nodes.size(); ++at) {
      if (world.nodes[at].is_wanted) continue;
      world.nodes[at].is_wanted = true;
      apply(world, at, Startup{}, now);
    }
    while (violation_.empty()) {
      deliver_all(world, now, lone);
      const auto deadline = earliest_deadline(world);
      if (!deadline) return violated("once nothing fails any more, nobody waits for anything");
      if (*deadline > kNow + bound) check_one_active(world, now);  // it stays like this beyond the bound
      now = std::max(now, *deadline);
      if (now > kNow + bound + watched) return;
      for (std::size_t at = 0; at < world.nodes.size(); ++at) {
        const auto own = next_deadline(world.nodes[at].state);
        if (own && *own <= now) apply(world, at, TimeReached{}, now);
      }
    }
  }

  void deliver_all(World& world, TimePoint now, std::optional<std::size_t> lone) {
    for (int count = 0; !world.flying.empty() && violation_.empty(); ++count) {
      if (count > 1000) return violated("messages breed messages without end");
      const Message message = *world.flying.begin();
      world.flying.erase(world.flying.begin());
      apply(world, message.to, AdvertReceived{source_of(message.from), message.priority, setting_.interval}, now);
    }
    if (!lone) return;
    const Parameters& its = parameters(world.nodes[*lone], *lone);
    for (std::size_t at = 0; at < world.nodes.size(); ++at) {
      if (at == *lone || !std::holds_alternative<Active>(world.nodes[at].state)) continue;
      const Parameters& own = parameters(world.nodes[at], at);
      if (!own.preempt || own.priority <= its.priority) violated("a newcomer displaces an Active that it can hear");
    }
  }

  void check_one_active(const World& world, TimePoint now) {
    std::size_t active = 0, holding = 0;
    for (const Node& node : world.nodes) {
      active += std::holds_alternative<Active>(node.state) ? 1 : 0;
      holding += node.holds ? 1 : 0;
      if (std::holds_alternative<Initialize>(node.state))
        return violated("a router that could takes no part: " + describe(world));
    }
    if (active != 1 || holding != 1) {
      violated(std::to_string(active) + " routers are Active and " + std::to_string(holding) +
               " hold the addresses " + std::to_string((now - kNow) / 1ms) +
               " ms after the last failure: " + describe(world));
    }
  }

  // The only router that runs, if it is Active and no message is under way: everybody else is a newcomer to it.
  static std::optional<std::size_t> lone_active(const World& world) {
    std::optional<std::size_t> lone;
    for (std::size_t at = 0; at < world.nodes.size(); ++at) {
      const State& state = world.nodes[at].state;
      if (std::holds_alternative<Initialize>(state)) continue;
      if (lone || !std::holds_alternative<Active>(state)) return std::nullopt;
      lone = at;
    }
    return lone && world.flying.empty() && world.nodes[*lone].is_wanted ? lone : std::nullopt;
  }

  IpAddress source_of(std::size_t at) const { return setting_.routers[at][0].source; }

  const Setting setting_;
  const StepFunction step_;
  std::unordered_map<std::string, Known> known_;
  std::deque<const Known*> queue_;
  const Known* current_ = nullptr;
  std::string violation_;
};

// ---- what is checked ----

// Priorities whose Skew_Time at 100 ms is a multiple of the tick.
constexpr std::uint8_t kHigh = 192, kMiddle = 128, kLow = 64;

Parameters router(int number, std::uint8_t priority, bool is_pair, bool preempt, Duration join_hold = 0ms) {
  Parameters parameters;
  parameters.priority = priority;
  parameters.advertisement_interval = kInterval;
  parameters.preempt = preempt;
  parameters.join_hold = join_hold;
  parameters.is_pair = is_pair;
  parameters.source = IpAddress::v4(0xC0000200u + static_cast<std::uint32_t>(number));
  return parameters;
}

std::vector<Setting> two_routers() {
  std::vector<Setting> settings;
  for (bool is_pair : {false, true}) {
    for (bool preempt : {false, true}) {
      const std::string kind = std::string(is_pair ? "pair" : "strangers") + (preempt ? ", preempting" : "");
      settings.push_back({"two " + kind + ", one reloads",
                          {{router(1, kHigh, is_pair, preempt), router(1, kLow, is_pair, preempt)},
                           {router(2, kMiddle, is_pair, preempt)}},
                          true,
                          true});
      settings.push_back({"two " + kind + ", equal priorities",
                          {{router(1, kMiddle, is_pair, preempt)}, {router(2, kMiddle, is_pair, preempt)}},
                          true,
                          true});
    }
  }
  settings.push_back({"two strangers, one owns the address",
                      {{router(1, kPriorityOwner, false, true)}, {router(2, kMiddle, false, true)}},
                      false,
                      true});
  return settings;
}

// Version 2 with intervals of two seconds, since its skew is that of version 3 when they have one.
constexpr Centiseconds kVersion2Interval{200};

Parameters version_2(Parameters parameters) {
  parameters.version = 2;
  parameters.advertisement_interval = kVersion2Interval;
  return parameters;
}

std::vector<Setting> two_routers_of_version_2() {
  std::vector<Setting> settings = two_routers();
  for (Setting& setting : settings) {
    setting.name += ", version 2";
    setting.interval = kVersion2Interval;
    setting.tick = 500ms;
    for (auto& variants : setting.routers)
      std::transform(variants.begin(), variants.end(), variants.begin(), version_2);
  }
  return settings;
}

std::vector<Setting> three_routers() {
  std::vector<Setting> settings;
  for (bool preempt : {false, true}) {
    const std::string kind = preempt ? ", preempting" : "";
    settings.push_back({"three strangers" + kind,
                        {{router(1, kHigh, false, preempt)},
                         {router(2, kMiddle, false, preempt)},
                         {router(3, kLow, false, preempt)}},
                        true,
                        false});
  }
  settings.push_back(
      {"three strangers, equal priorities",
       {{router(1, kMiddle, false, false)}, {router(2, kMiddle, false, false)}, {router(3, kMiddle, false, false)}},
       false,
       false});
  settings.push_back({"three strangers, one reloads",
                      {{router(1, kHigh, false, true), router(1, kLow, false, true)},
                       {router(2, kMiddle, false, true)},
                       {router(3, kMiddle, false, true)}},
                      true,
                      false});
  return settings;
}

void check_all(const std::vector<Setting>& settings) {
  for (const Setting& setting : settings) {
    Checker checker(setting, step);
    checker.run();
    EXPECT_EQ(checker.violation(), "");
    std::cout << "  " << setting.name << ": " << checker.worlds() << " worlds\n";
    EXPECT_GT(checker.worlds(), 100u);
  }
}

TEST(ModelCheck, TwoRoutersKeepTheInvariantsInEveryReachableWorld) { check_all(two_routers()); }

TEST(ModelCheck, TwoRoutersOfVersion2KeepTheInvariantsInEveryReachableWorld) {
  check_all(two_routers_of_version_2());
}

TEST(ModelCheck, ThreeRoutersKeepTheInvariantsInEveryReachableWorld) { check_all(three_routers()); }

// The check is worth what it finds: each of these state machines is wrong in one place.
struct Mutant {
  std::string name;
  std::string expected;  // part of the violation
  std::function<void(const State& before, const Event&, TimePoint now, Transition&)> spoil;
};

std::vector<Mutant> mutants() {
  return {
      {"an Active stops without a word", "no priority 0",
       [](const State&, const Event& event, TimePoint, Transition& t) {
         if (std::holds_alternative<Shutdown>(event)) std::erase(t.actions, Action(SendAdvertisement{0}));
       }},
      {"addresses are announced first", "before they are claimed",
       [](const State&, const Event&, TimePoint, Transition& t) {
         std::reverse(t.actions.begin(), t.actions.end());
       }},
      {"an Active never yields", "routers are Active",
       [](const State& before, const Event& event, TimePoint, Transition& t) {
         if (std::holds_alternative<Active>(before) && std::holds_alternative<AdvertReceived>(event)) {
           t = {before, {}, Reason::none};
         }
       }},
      {"an Active yields to everybody", "routers are Active",
       [](const State& before, const Event& event, TimePoint now, Transition& t) {
         const auto* advert = std::get_if<AdvertReceived>(&event);
         if (std::holds_alternative<Active>(before) && advert && advert->priority != 0) {
           t = {Backup{now + 325ms, kInterval, now, std::nullopt, false}, {ReleaseAddresses{}}, Reason::none};
         }
       }},
      {"a Backup does not hear", "displaces an Active",
       [](const State& before, const Event& event, TimePoint, Transition& t) {
         if (std::holds_alternative<Backup>(before) && std::holds_alternative<AdvertReceived>(event)) {
           t = {before, {}, Reason::none};
         }
       }},
      {"the addresses stay behind", "holds addresses",
       [](const State&, const Event&, TimePoint, Transition& t) {
         t.actions.erase(
             std::remove_if(t.actions.begin(), t.actions.end(),
                            [](const Action& a) { return std::holds_alternative<ReleaseAddresses>(a); }),
             t.actions.end());
       }},
      {"the timer is not armed again", "in the past",
       [](const State& before, const Event& event, TimePoint, Transition& t) {
         if (std::holds_alternative<Active>(before) && std::holds_alternative<TimeReached>(event)) t.next = before;
       }},
      {"a Backup that takes over does not advertise itself as Active", "not Active",
       [](const State& before, const Event& event, TimePoint, Transition& t) {
         if (std::holds_alternative<Backup>(before) && std::holds_alternative<TimeReached>(event) &&
             std::holds_alternative<Active>(t.next)) {
           t.next = before;
         }
       }},
      {"a handover gives the addresses up at once", "or lacks them",
       [](const State&, const Event& event, TimePoint, Transition& t) {
         const bool hands_over = std::holds_alternative<Handover>(event) && !t.actions.empty();
         if (hands_over) t.actions.push_back(ReleaseAddresses{});
       }},
      {"a handover that nobody answers is the end", "nobody waits",
       [](const State& before, const Event& event, TimePoint, Transition& t) {
         if (std::holds_alternative<Yielding>(before) && std::holds_alternative<TimeReached>(event) &&
             std::holds_alternative<Active>(t.next)) {
           t = {Initialize{}, {ReleaseAddresses{}}, Reason::none};
         }
       }},
      {"a stop during a handover is forgotten", "was stopped",
       [](const State& before, const Event& event, TimePoint, Transition& t) {
         if (std::holds_alternative<Yielding>(before) && std::holds_alternative<Shutdown>(event)) t.next = before;
       }},
      {"an Active believes a forgery", "holds addresses",
       [](const State& before, const Event& event, TimePoint now, Transition& t) {
         if (std::holds_alternative<Active>(before) && std::holds_alternative<AdvertUnverified>(event))
           t = {Backup{now + 325ms, kInterval, now, std::nullopt, false}, {}, Reason::none};
       }},
      {"a Backup waits for too long", "0 routers are Active",
       [](const State&, const Event& event, TimePoint now, Transition& t) {
         auto* backup = std::get_if<Backup>(&t.next);
         if (backup && std::holds_alternative<Startup>(event)) backup->active_down_at = now + 1s;
       }},
  };
}

TEST(ModelCheck, FindsEveryWrongStateMachine) {
  for (const Mutant& mutant : mutants()) {
    std::string found;
    for (const Setting& setting : two_routers()) {
      Checker checker(setting,
                      [&](const Parameters& parameters, const State& state, const Event& event, TimePoint now) {
                        Transition transition = step(parameters, state, event, now);
                        mutant.spoil(state, event, now, transition);
                        return transition;
                      });
      checker.run();
      if (!checker.violation().empty()) found = checker.violation();
      if (found.find(mutant.expected) != std::string::npos) break;
    }
    EXPECT_THAT(found, testing::HasSubstr(mutant.expected)) << mutant.name;
  }
}

}  // namespace
}  // namespace vipair::vrrp
