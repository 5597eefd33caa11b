#include "vrrp/agent/agent.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "common/base/assert.h"
#include "vrrp/agent/deadlines.h"
#include "vrrp/agent/group.h"
#include "vrrp/agent/instances.h"
#include "vrrp/agent/journal.h"
#include "vrrp/agent/peer_reports.h"
#include "vrrp/agent/verdicts.h"
#include "vrrp/agent/virtual_router.h"
#include "vrrp/core/advertisement.h"
#include "vrrp/core/reload.h"

namespace vipair::vrrp {

namespace {

constexpr const char* kDrained = "drained: an operator keeps this node empty";

// What the proxy's silence or report says against taking part; empty: nothing.
std::string proxy_fault(const std::optional<ProxyReport>& report) {
  if (!report) return "proxy: not connected";
  return report->is_ready ? "" : "proxy: " + report->reason;
}

std::string upstreams_text(const UpstreamCount& upstreams) {
  return std::to_string(upstreams.usable) + " of " + std::to_string(upstreams.total) + " can be used";
}

// Of all members, each name once.
std::vector<std::string> names_of(const std::vector<Group*>& groups) {
  std::set<std::string> names;
  for (const Group* group : groups)
    for (const VirtualRouter* member : group->members()) names.insert(member->config().name);
  return {names.begin(), names.end()};
}

}  // namespace

struct Agent::Impl {
  Config config;
  Host& host;
  Journal journal;
  PeerLink link;
  Deadlines deadlines;
  std::vector<std::unique_ptr<VirtualRouter>> routers;  // of the configuration, and retired ones that still hold
  std::vector<std::unique_ptr<Group>> groups;           // none is empty
  std::unordered_map<std::uint64_t, VirtualRouter*> addressees;  // by place() of those whose interface is there
  std::size_t turn = 0;
  bool is_will_stale = false;
  bool is_any_held = false;  // by any router, as the last will says
  bool has_retired = false;
  std::map<std::string, InterfaceInfo> interfaces;
  std::optional<ProxyReport> proxy;
  Verdicts verdicts;
  std::optional<TimePoint> settles_at;  // the loss of upstreams counts then, or is over
  PeerReports peer_reports;
  bool is_stopping = false;
  bool is_drained = false;
  // packets that belong to no virtual router of ours
  std::array<std::uint64_t, kDropReasons> dropped{};
  std::array<RateLimit, kDropReasons> refusal_limits;

  Impl(Config the_config, Host& the_host, const PairIdentity& identity, TimePoint now)
      : config(std::move(the_config)),
        host(the_host),
        link(config, identity,
             {host, journal, [this] { return hello_entries(); }, [this] { is_will_stale = true; }}, now) {}

  std::vector<HelloEntry> hello_entries() const {
    std::vector<HelloEntry> entries;
    for (const auto& router : routers) {
      if (router->config().is_pair && !router->has_fault(FaultSource::stopping))
        entries.push_back(router->hello_entry());
    }
    return entries;
  }

  void on_peer_message(TimePoint now, const DatagramInfo& info, ByteView message) {
    const auto heard =
        link.on_message(now, info.interface_index, {info.source, info.destination, info.ttl, message});
    if (heard.refused) return refuse(now, *heard.refused, info);
    if (heard.has_reports) {
      for (const auto& router : routers) {
        if (const auto report = router->peer_report()) peer_reports.set(router->config().key, *report);
      }
      hand_over_where_outweighed(now);
    }
    if (!heard.advert) return;
    const Subject& subject = heard.advert->advert.subject;
    bool is_known = false;
    for (const auto& router : routers) {  // one that moved to another interface is there twice while it resigns
      const InstanceConfig& its = router->config();
      if (its.key.vrid != subject.vrid || !its.is_pair || router->subject() != subject) continue;
      is_known = true;
      router->on_path_advert(now, *heard.advert);
    }
    if (!is_known) refuse(now, DropReason::unknown_router, info);
  }

  VirtualRouter* find(const InstanceKey& key) {
    auto found =
        std::find_if(routers.begin(), routers.end(), [&](const auto& r) { return r->config().key == key; });
    return found == routers.end() ? nullptr : found->get();
  }

  // Where a packet is aimed at.
  static std::uint64_t place(int interface_index, IpFamily family, std::uint8_t vrid) {
    return static_cast<std::uint64_t>(interface_index) << 16 | (family == IpFamily::ipv6 ? 0x100u : 0u) | vrid;
  }

  VirtualRouter* find(int interface_index, IpFamily family, std::uint8_t vrid) {
    const auto found = addressees.find(place(interface_index, family, vrid));
    return found == addressees.end() ? nullptr : found->second;
  }

  // To be called whenever a router or its interface came or went.
  void index_addressees() {
    addressees.clear();
    for (const auto& router : routers) {
      const InstanceKey& key = router->config().key;
      const auto interface = interfaces.find(key.interface);
      if (interface == interfaces.end() || interface->second.index == 0) continue;
      addressees[place(interface->second.index, key.family, key.vrid)] = router.get();
    }
  }

  // In no group as yet.
  VirtualRouter& start(TimePoint now, InstanceConfig instance) {
    VirtualRouter::Surroundings surroundings{
        host,
        journal,
        deadlines,
        [this] { is_will_stale = true; },
        [this](const VirtualRouter& leaving, const IpPrefix& address) { return leave(leaving, address); },
        &link};
    routers.push_back(std::make_unique<VirtualRouter>(std::move(instance), std::move(surroundings), now));
    VirtualRouter& router = *routers.back();
    apply_proxy(now, router);
    if (is_drained) router.raise(now, FaultSource::drained, kDrained);
    auto interface = interfaces.find(router.config().key.interface);
    if (interface != interfaces.end()) router.on_interface(now, interface->second);
    return router;
  }

  void retire(TimePoint now, VirtualRouter& router) {
    groups.push_back(std::make_unique<Group>(router.label()));
    groups.back()->split_off(router);
    router.raise(now, FaultSource::stopping, "removed from the configuration");
    has_retired = true;
  }

  // Puts together what belongs together. A group whose members stay is not touched, unless it has lost the one
  // whose fault was everybody's.
  void regroup(TimePoint now, const std::vector<const VirtualRouter*>& newcomers) {
    std::map<std::string, std::vector<VirtualRouter*>> wanted;
    for (const auto& router : routers) {
      if (!router->has_fault(FaultSource::stopping)) wanted[group_name(router->config())].push_back(router.get());
    }
    for (const auto& [name, members] : wanted) {
      Group* running = members.front()->group();
      if (running && running->is_of(name, members)) {
        running->settle(now);
        continue;
      }
      const bool takes_part = std::any_of(members.begin(), members.end(), [&](const VirtualRouter* member) {
        return member->group() && member->group()->takes_part();
      });
      for (VirtualRouter* member : members) member->apply(now, verdicts.burden(member->config().track), takes_part);
      groups.push_back(std::make_unique<Group>(name));
      groups.back()->form(now, members, newcomers);
    }
    forget_empty_groups();
    apply_checks(now);
  }

  // What the upstreams that its proxy cannot use take from a group; later more, if that is not certain yet.
  int upstream_loss(TimePoint now, Group& group) {
    const auto [usable, total] = upstreams();
    int measured = 0;
    for (const VirtualRouter* member : group.members())
      measured = std::max(measured, share_of_weight(member->config().upstream_weight, total - usable, total));
    SettlingLoss& loss = group.upstream_loss();
    loss.update(now, measured, group.is_active(), config.upstream_delay);
    if (const auto at = loss.settles_at(config.upstream_delay))
      settles_at = std::min(settles_at.value_or(*at), *at);
    return loss.value();
  }

  void apply_checks(TimePoint now) {
    settles_at.reset();
    for (const auto& group : groups) {
      Burden all;
      for (VirtualRouter* member : group->members()) {
        const Burden burden = verdicts.burden(member->config().track);
        all.add(burden);
        member->apply(now, burden, group->takes_part());
      }
      if (const int loss = upstream_loss(now, *group); loss > 0) all.weights[kUpstreamsCheck] = loss;
      group->weigh(now, all.weights);
    }
  }

  void burdens_changed(TimePoint now) {
    apply_checks(now);
    link.report_soon(now);
    hand_over_where_outweighed(now);
  }

  // None while the proxy does not serve, which is a fault by itself.
  UpstreamCount upstreams() const { return proxy && proxy->is_ready ? proxy->upstreams : UpstreamCount{}; }

  // Without preemption nobody takes the role from an Active that lost priority.
  void hand_over_where_outweighed(TimePoint now) {
    for (const auto& group : groups) {
      if (!group->is_active() || !group->is_pair() || group->penalty() == 0) continue;
      if (group->members().front()->config().preempt || now < group->outweighed_again_at()) continue;
      const auto peer = peer_reports.taker_of(now, *group);
      if (peer && is_outweighed(group->standing(), {peer->effective_priority, peer->penalty})) {
        group->hand_over_outweighed(now, *peer);
      }
    }
  }

  void forget_empty_groups() {
    std::erase_if(groups, [](const auto& group) { return group->members().empty(); });
  }

  void apply_proxy(TimePoint now, VirtualRouter& router) {
    const std::string fault = router.config().track_proxy ? proxy_fault(proxy) : "";
    if (fault.empty()) {
      router.clear(now, FaultSource::proxy);
    } else {
      router.raise(now, FaultSource::proxy, fault);
    }
  }

  bool leave(const VirtualRouter& leaving, const IpPrefix& address) {
    return std::any_of(routers.begin(), routers.end(), [&](const auto& router) {
      return router.get() != &leaving && router->inherit(leaving.held_on_index(), address);
    });
  }

  void update_will() {
    if (!std::exchange(is_will_stale, false)) return;
    LastWill will;
    for (const auto& router : routers) router->add_to(will);
    host.set_last_will(will);
    auto holds = [](const auto& router) { return router->holds_addresses(); };
    is_any_held = std::any_of(routers.begin(), routers.end(), holds);
  }

  // Spares a Backup with hundreds of routers to ask each of them after every packet.
  bool is_none_held() const { return !is_will_stale && !is_any_held; }

  // What was decided is done, within what one turn has time for. Those that had to wait come first in the next one.
  void work(TimePoint now) {
    std::size_t left = host.slice_max();
    for (VirtualRouter* router : deadlines.due(now, turn)) {
      if (left == 0) break;
      update_will();
      left -= std::min(left, router->work(now, left));
      turn = router->place() + 1;
    }
    update_will();
    forget_retired();
  }

  // Retired routers go when they hold nothing any more; in a stop that is all of them, and they stay for status.
  void forget_retired() {
    if (is_stopping || !has_retired) return;
    const auto erased = std::erase_if(routers, [](const auto& router) {
      const bool is_over = router->has_fault(FaultSource::stopping) && router->is_stopped();
      if (is_over) router->group()->remove(*router);
      return is_over;
    });
    if (erased == 0) return;
    forget_empty_groups();
    index_addressees();
    has_retired = std::any_of(routers.begin(), routers.end(),
                              [](const auto& router) { return router->has_fault(FaultSource::stopping); });
  }

  void refuse(TimePoint now, DropReason reason, const DatagramInfo& info) {
    const auto index = static_cast<std::size_t>(reason);
    ++dropped[index];
    const auto suppressed = refusal_limits[index].pass(now);
    if (!suppressed) return;
    std::string text = "packet from " + info.source.to_string() + " refused: " + to_string(reason);
    if (*suppressed > 0) text += " (and " + std::to_string(*suppressed) + " more like it)";
    // other people's virtual routers on the same network are normal
    const auto level =
        reason == DropReason::unknown_router ? JournalEntry::Level::debug : JournalEntry::Level::warn;
    journal.add({now, level, "", "refused", std::move(text)});
  }
};

Agent::Agent(Config config, Host& host, TimePoint now, const PairIdentity& identity)
    : impl_(std::make_unique<Impl>(std::move(config), host, identity, now)) {
  impl_->verdicts.configure(impl_->config.checks);
  std::vector<const VirtualRouter*> all;
  for (InstanceConfig& instance : instances_of(impl_->config))
    all.push_back(&impl_->start(now, std::move(instance)));
  impl_->regroup(now, all);
  impl_->index_addressees();
}

Agent::~Agent() = default;

void Agent::on_datagram(TimePoint now, const DatagramInfo& info, ByteView message) {
  if (is_peer_message(message) && impl_->link.has_paths()) return impl_->on_peer_message(now, info, message);
  const ReceivedPacket packet{info.source, info.destination, info.ttl, message};
  const auto vrid = decode_vrid(packet);
  // a packet that fails early is still counted where it was aimed at
  VirtualRouter* router =
      message.size() < 2 ? nullptr : impl_->find(info.interface_index, info.source.family(), message[1]);
  if (!router) return impl_->refuse(now, vrid ? DropReason::unknown_router : vrid.error(), info);
  if (!vrid) return router->refuse(now, vrid.error(), info.source);
  router->on_packet(now, packet);
}

void Agent::on_interface(TimePoint now, const InterfaceInfo& interface) {
  impl_->interfaces[interface.name] = interface;
  impl_->link.on_interface(now, interface);
  impl_->index_addressees();
  for (const auto& router : impl_->routers) {
    if (router->config().key.interface == interface.name) router->on_interface(now, interface);
  }
  impl_->work(now);
}

void Agent::on_address_removed(TimePoint now, int interface_index, const IpAddress& address) {
  for (const auto& router : impl_->routers) router->on_address_removed(now, interface_index, address);
}

void Agent::on_proxy_report(TimePoint now, const std::optional<ProxyReport>& report) {
  if (impl_->proxy == report) return;
  const UpstreamCount before = impl_->upstreams();
  impl_->proxy = report;
  for (const auto& router : impl_->routers) impl_->apply_proxy(now, *router);
  if (const UpstreamCount after = impl_->upstreams(); after != before) {
    if (after.total > 0) {
      const bool are_all = after.usable == after.total;
      impl_->journal.add({now, are_all ? JournalEntry::Level::info : JournalEntry::Level::warn, "", "check",
                          "upstreams of the proxy: " + upstreams_text(after)});
    }
    impl_->burdens_changed(now);
  }
  impl_->work(now);
}

void Agent::on_check_result(TimePoint now, std::string_view check, bool success, std::string reason) {
  const auto changed = impl_->verdicts.record(check, success, std::move(reason));
  if (changed.empty()) return;
  for (const CheckStatus& status : changed) {
    const auto level = status.up ? JournalEntry::Level::info : JournalEntry::Level::warn;
    const std::string text = "check " + status.name + " is " + (status.up ? "up" : "down") + ": " + status.reason;
    impl_->journal.add({now, level, "", "check", text});
  }
  impl_->burdens_changed(now);
  impl_->work(now);
}

void Agent::on_peer_report(TimePoint now, const InstanceKey& key, const PeerReport& report) {
  impl_->peer_reports.set(key, report);
  impl_->hand_over_where_outweighed(now);
  impl_->work(now);
}

void Agent::on_wall_clock(TimePoint now, WallTime wall) { impl_->link.on_wall_clock(now, wall); }

void Agent::on_time(TimePoint now) {
  for (VirtualRouter* router : impl_->deadlines.due(now)) router->on_time(now);
  impl_->link.on_time(now);
  if (impl_->settles_at && *impl_->settles_at <= now) impl_->burdens_changed(now);
  impl_->work(now);
}

std::optional<TimePoint> Agent::next_deadline() const {
  const auto of_routers = impl_->deadlines.earliest(), of_link = impl_->link.next_deadline();
  std::optional<TimePoint> earliest;
  for (const auto& deadline : {of_routers, of_link, impl_->settles_at}) {
    if (deadline) earliest = std::min(earliest.value_or(*deadline), *deadline);
  }
  return earliest;
}

void Agent::reload(TimePoint now, Config config) {
  Impl& impl = *impl_;
  if (impl.is_stopping) return;
  const ConfigDifference difference = vrrp::difference(instances_of(impl.config), instances_of(config));
  impl.config = std::move(config);
  impl.verdicts.configure(impl.config.checks);
  impl.link.reload(now, impl.config);
  for (const InstanceKey& key : difference.removed) {
    impl.peer_reports.forget(key);
    VirtualRouter* router = impl.find(key);
    VIPAIR_ASSERT(router, "every configured instance runs");
    impl.retire(now, *router);
  }
  std::map<VirtualRouter*, bool> changed;  // and whether it has an address to announce
  for (const InstanceChange& change : difference.changed) {
    VirtualRouter* router = impl.find(change.config.key);
    VIPAIR_ASSERT(router, "every configured instance runs");
    router->change(now, change);
    impl.apply_proxy(now, *router);
    changed[router] = !change.added.empty();
  }
  std::vector<const VirtualRouter*> newcomers;
  for (const InstanceConfig& instance : difference.added) {
    VirtualRouter* retired = impl.find(instance.key);
    if (!retired) {
      newcomers.push_back(&impl.start(now, instance));
      continue;
    }
    const auto before = retired->config().addresses();
    const auto after = instance.addresses();
    retired->change(now, {instance, without(after, before), without(before, after)});
    impl.apply_proxy(now, *retired);
    retired->clear(now, FaultSource::stopping);
    newcomers.push_back(retired);
  }
  impl.regroup(now, newcomers);
  std::map<Group*, bool> reconfigured;
  for (const auto& [router, announce] : changed) reconfigured[router->group()] |= announce;
  for (const auto& [group, announce] : reconfigured) group->configured(now, announce);
  impl.index_addressees();
  impl.work(now);
  impl.journal.add({now, JournalEntry::Level::info, "", "reload",
                    "configuration loaded: " + std::to_string(difference.added.size()) + " instances added, " +
                        std::to_string(difference.removed.size()) + " removed, " +
                        std::to_string(difference.changed.size()) + " changed"});
}

// ---- what an operator asks for ----

Expected<std::vector<std::string>, std::string> Agent::may_hand_over(
    TimePoint now, const std::optional<std::string>& router) const {
  const auto groups = impl_->peer_reports.to_hand_over(now, impl_->groups, router);
  if (!groups) return Unexpected{groups.error()};
  return names_of(*groups);
}

Expected<void, std::string> Agent::handover(TimePoint now, const std::optional<std::string>& router) {
  const auto groups = impl_->peer_reports.to_hand_over(now, impl_->groups, router);
  if (!groups) return Unexpected{groups.error()};
  for (Group* group : *groups) {
    group->handle(now, *group->members().front(), Handover{Reason::handover}, "an operator asked for a handover");
  }
  impl_->work(now);
  return {};
}

Expected<std::vector<std::string>, std::string> Agent::may_drain(TimePoint now, bool force) const {
  const auto groups = impl_->peer_reports.to_drain(now, impl_->groups, force);
  if (!groups) return Unexpected{groups.error()};
  return names_of(*groups);
}

Expected<void, std::string> Agent::drain(TimePoint now, bool force) {
  if (impl_->is_drained) return {};
  if (const auto groups = impl_->peer_reports.to_drain(now, impl_->groups, force); !groups)
    return Unexpected{groups.error()};
  impl_->is_drained = true;
  impl_->journal.add({now, JournalEntry::Level::warn, "", "drain", kDrained});
  for (const auto& group : impl_->groups) group->raise(now, FaultSource::drained, kDrained);
  impl_->work(now);
  return {};
}

void Agent::undrain(TimePoint now) {
  if (!std::exchange(impl_->is_drained, false)) return;
  impl_->journal.add(
      {now, JournalEntry::Level::info, "", "drain", "no longer drained: this node takes part again"});
  for (const auto& group : impl_->groups) group->clear(now, FaultSource::drained);
  impl_->work(now);
}

bool Agent::is_drained() const { return impl_->is_drained; }

void Agent::shutdown(TimePoint now) {
  impl_->is_stopping = true;
  for (const auto& group : impl_->groups) group->raise(now, FaultSource::stopping, "the agent stops");
  impl_->work(now);
}

bool Agent::is_stopped() const {
  return impl_->is_stopping &&
         std::all_of(impl_->routers.begin(), impl_->routers.end(), [](const auto& r) { return r->is_stopped(); });
}

void Agent::start_probe(TimePoint now) { impl_->link.start_probe(now); }

std::vector<PathProbe> Agent::probe_results() const { return impl_->link.probe_results(); }

NodeRole Agent::role() const {
  if (impl_->is_none_held()) return NodeRole::standby;
  const auto& routers = impl_->routers;
  auto is_tracked = [](const auto& router) { return router->config().track_proxy; };
  const bool any_tracked = std::any_of(routers.begin(), routers.end(), is_tracked);
  const bool holds = std::any_of(routers.begin(), routers.end(), [&](const auto& router) {
    return router->holds_addresses() && (is_tracked(router) || !any_tracked);
  });
  return holds ? NodeRole::active : NodeRole::standby;
}

bool Agent::is_relievable(TimePoint now) const {
  if (impl_->is_none_held()) return false;
  return std::any_of(impl_->groups.begin(), impl_->groups.end(), [&](const auto& group) {
    const auto& members = group->members();
    const auto holds = [](const VirtualRouter* member) { return member->holds_addresses(); };
    const auto claims = [](const VirtualRouter* member) { return member->is_claiming(); };
    if (std::none_of(members.begin(), members.end(), holds)) return false;
    if (!group->is_active()) return true;  // somebody is about to
    return std::none_of(members.begin(), members.end(), claims) && !impl_->peer_reports.is_alone(now, *group);
  });
}

std::vector<PlanRow> Agent::plan() const { return vrrp::plan(impl_->config, impl_->peer_reports.priorities()); }

Status Agent::status(TimePoint now) const {
  Status status;
  status.node = impl_->config.node;
  status.drained = impl_->is_drained;
  status.warnings = impl_->config.warnings;
  for (std::string& warning : warnings_about(impl_->config)) status.warnings.push_back(std::move(warning));
  if (!impl_->config.peer_priority && !impl_->peer_reports.is_empty()) {  // else the loader has warned
    for (std::string& warning : weight_warnings(impl_->config, impl_->peer_reports.priorities()))
      status.warnings.push_back(std::move(warning));
  }
  bool is_proxy_tracked = false;
  for (const auto& router : impl_->routers) {
    status.routers.push_back(router->status());
    for (std::string& warning : router->warnings(now)) status.warnings.push_back(std::move(warning));
    is_proxy_tracked |= router->config().track_proxy;
  }
  if (is_proxy_tracked || impl_->proxy) {
    const auto& proxy = impl_->proxy;
    status.checks.push_back({"proxy", "proxy", proxy && proxy->is_ready,
                             !proxy            ? "not connected"
                             : proxy->is_ready ? "ready"
                                               : proxy->reason});
    if (const UpstreamCount upstreams = impl_->upstreams(); upstreams.total > 0) {
      status.checks.push_back(
          {kUpstreamsCheck, "upstreams", upstreams.usable == upstreams.total, upstreams_text(upstreams)});
    }
  }
  for (CheckStatus& check : impl_->verdicts.status()) status.checks.push_back(std::move(check));
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    status.counters.emplace_back(counter_name(static_cast<DropReason>(i)), impl_->dropped[i]);
  }
  impl_->link.add_to(status, now);
  status.counters.emplace_back("journal_entries_lost", impl_->journal.lost());
  return status;
}

std::vector<JournalEntry> Agent::take_journal() { return impl_->journal.take(); }

}  // namespace vipair::vrrp
