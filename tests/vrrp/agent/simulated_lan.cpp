#include "tests/vrrp/agent/simulated_lan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "tests/support/fake_mac.h"
#include "vrrp/core/advertisement.h"
#include "vrrp/core/peer_message.h"

namespace vipair::vrrp {

namespace {

template <class T>
void remember(std::vector<T>& list, T item, std::size_t max) {
  if (list.size() == max) list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(max / 2));
  list.push_back(std::move(item));
}

std::string text_of(const std::vector<IpPrefix>& prefixes) {
  std::string text;
  for (const IpPrefix& prefix : prefixes) text += " " + prefix.to_string();
  return text;
}

// The address that a gratuitous ARP or a neighbour advertisement speaks of.
std::optional<IpAddress> announced_address(const Bytes& frame) {
  if (frame.size() < 42) return std::nullopt;
  const bool is_arp = frame[12] == 0x08 && frame[13] == 0x06;
  const std::size_t at = is_arp ? 28 : 62, size = is_arp ? 4 : 16;
  if (frame.size() < at + size) return std::nullopt;
  return IpAddress::from_bytes(ByteView(frame).subspan(at, size));
}

constexpr std::size_t kInboxMax = 64;      // datagrams that wait at the socket of a paused node
constexpr std::size_t kWireMax = 100'000;  // messages under way at once

}  // namespace

// ---- SimulatedHost ----

Expected<void, HostError> SimulatedHost::claim(const AddressSet& set) {
  remember(calls, "claim" + text_of(set.addresses), kRemembered);
  if (set.addresses.empty() || set.addresses.size() > slice) violations.push_back("a claim that is no slice");
  if (set.interface_index == 0) violations.push_back("a claim on no interface");
  for (const IpPrefix& prefix : set.addresses) {
    const bool is_covered =
        std::any_of(will.releases.begin(), will.releases.end(), [&](const LastWill::Release& willed) {
          return std::count(willed.set.addresses.begin(), willed.set.addresses.end(), prefix) > 0;
        });
    if (!is_covered) violations.push_back("claimed before the last will names it: " + prefix.to_string());
  }
  if (refused_claims > 0) {
    --refused_claims;
    return Unexpected{HostError{HostError::Kind::other, "refused"}};
  }
  if (claim_error) return Unexpected{*claim_error};
  held.insert(set.addresses.begin(), set.addresses.end());
  claimed.insert(set.addresses.begin(), set.addresses.end());
  return {};
}

void SimulatedHost::release(const AddressSet& set, ReleaseMode mode) {
  remember(calls, (mode == ReleaseMode::lingering ? "linger" : "release") + text_of(set.addresses), kRemembered);
  if (set.addresses.empty() || set.addresses.size() > slice) violations.push_back("a release that is no slice");
  for (const IpPrefix& prefix : set.addresses) {
    held.erase(prefix);
    claimed.erase(prefix);
  }
}

void SimulatedHost::relay(const AddressSet&, const IpAddress& to) {
  remember(calls, "relay " + to.to_string(), kRemembered);
}

Expected<void, HostError> SimulatedHost::send(const OutgoingAdvertisement& advertisement) {
  if (advertisement.message.size() < kHeaderSize) {
    violations.push_back("a message shorter than a header");
    return {};
  }
  const auto sealed = read_trailer(advertisement.message);
  const ByteView message = sealed ? sealed->message : ByteView(advertisement.message);
  if (is_peer_message(message)) {
    if (!decode_peer_message(message)) violations.push_back("an invalid message to the peer is sent");
    remember(peer_messages, advertisement, kRemembered);
    if (on_send) on_send(advertisement);
    return {};
  }
  const int version = message[0] >> 4;
  const auto decoded = decode({advertisement.source, advertisement.destination, kTtl, message}, version);
  if (!decoded)
    violations.push_back(std::string("an invalid advertisement is sent: ") + to_string(decoded.error()));
  const int priority = advertisement.message[2];
  remember(calls, "send " + std::to_string(priority), kRemembered);
  if (priority != 0 && will.releases.empty()) violations.push_back("advertised as Active without having claimed");
  if (send_error) return Unexpected{*send_error};
  remember(sent, advertisement, kRemembered);
  if (on_send) on_send(advertisement);
  return {};
}

void SimulatedHost::announce(const std::vector<OutgoingFrame>& frames) {
  last_frames = frames;
  const auto first = frames.empty() ? std::nullopt : announced_address(frames.front().frame);
  if (first && is_own && is_own(*first)) return remember(calls, "introduce " + first->to_string(), kRemembered);
  remember(calls, "announce " + std::to_string(frames.size()), kRemembered);
  for (const OutgoingFrame& frame : frames) {
    const auto address = announced_address(frame.frame);
    if (!address) {
      violations.push_back("a frame that announces nothing");
      continue;
    }
    const bool is_claimed = std::any_of(claimed.begin(), claimed.end(),
                                        [&](const IpPrefix& prefix) { return prefix.address == *address; });
    if (!is_claimed) violations.push_back("announced without being claimed: " + address->to_string());
    remember(announced, *address, kRemembered);
  }
}

void SimulatedHost::forget() {
  sent.clear();
  peer_messages.clear();
  calls.clear();
  announced.clear();
}

// ---- SimulatedLan ----

IpAddress SimulatedLan::v4_of(int number) {
  return IpAddress::v4(0xC0000200u + static_cast<std::uint32_t>(number));
}

IpAddress SimulatedLan::v6_of(int number) {
  std::array<std::uint8_t, 16> bytes{0xFE, 0x80};
  bytes[15] = static_cast<std::uint8_t>(number);
  return IpAddress::v6(bytes);
}

IpAddress SimulatedLan::back_of(int number) {
  return IpAddress::v4(0xCB007100u + static_cast<std::uint32_t>(number));
}

void SimulatedLan::add_second_network(Node& node) {
  node.back = node.interface;
  node.back->name = "eth1";
  node.back->index = 3;
  node.back->mac.bytes[3] = 1;
  node.back->primary_v4 = back_of(node.interface.mac.bytes[5]);
  node.back->link_local_v6.reset();
}

void SimulatedLan::add_second_path(Node& node, int peer, std::vector<PairKey> keys) {
  add_second_network(node);
  node.config.peer_paths = {{"eth1", back_of(peer)}};
  node.config.pair_keys = std::move(keys);
}

VirtualRouterConfig web_router(std::uint8_t priority) {
  VirtualRouterConfig router;
  router.name = "web";
  router.interface = "eth0";
  router.vrid = 51;
  router.priority = priority;
  router.addresses = {*IpPrefix::parse("192.0.2.100/24")};
  return router;
}

std::uint64_t counter_of(const CounterList& counters, const std::string& name) {
  for (const auto& [key, value] : counters)
    if (key == name) return value;
  ADD_FAILURE() << "no counter " << name;
  return 0;
}

SimulatedLan::Node& SimulatedLan::add(int number) {
  nodes_.reserve(8);  // references stay
  Node& node = nodes_.emplace_back();
  node.name = "n" + std::to_string(number);
  node.config.node = node.name;
  node.interface.name = "eth0";
  node.interface.index = 2;
  node.interface.is_up = true;
  node.interface.mac = {{0x02, 0, 0, 0, 0, static_cast<std::uint8_t>(number)}};
  node.interface.primary_v4 = v4_of(number);
  node.interface.link_local_v6 = v6_of(number);
  node.proxy = ProxyReport{true, ""};
  node.host = std::make_unique<SimulatedHost>();
  const std::size_t index = nodes_.size() - 1;
  node.host->is_own = [this, index](const IpAddress& address) {
    const InterfaceInfo& interface = nodes_[index].interface;
    const auto& back = nodes_[index].back;
    return address == interface.primary_v4 || address == interface.link_local_v6 ||
           (back && address == back->primary_v4);
  };
  node.host->on_send = [this, index](const OutgoingAdvertisement& advertisement) {
    transmit(index, advertisement);
  };
  return node;
}

void SimulatedLan::start(Node& node) {
  node.host->held.clear();  // leftovers of a crashed run are released at start
  node.host->claimed.clear();
  node.host->will = {};
  node.inbox.clear();
  node.is_paused = false;
  node.agent = std::make_unique<Agent>(node.config, *node.host, now_, PairIdentity{random_(), fake_mac});
  node.agent->on_interface(now_, node.interface);
  if (node.back) node.agent->on_interface(now_, *node.back);
  node.agent->on_proxy_report(now_, node.proxy);
  run_checks(node);
}

void SimulatedLan::run_checks(Node& node) {
  if (node.agent && !node.is_paused) {
    for (const auto& [check, succeeds] : node.checks) {
      node.agent->on_check_result(now_, check, succeeds, succeeds ? "ok" : "no answer");
    }
  }
  settle(node);
}

void SimulatedLan::set_check(Node& node, const std::string& check, bool succeeds) {
  node.checks[check] = succeeds;
  run_checks(node);
}

void SimulatedLan::crash(Node& node, bool will_is_executed) {
  node.agent.reset();
  node.inbox.clear();
  node.is_paused = false;
  if (will_is_executed) {
    for (const OutgoingAdvertisement& resignation : node.host->will.resignations)
      transmit(index_of(node), resignation);
    for (const LastWill::Release& release : node.host->will.releases) {
      for (const IpPrefix& prefix : release.set.addresses) node.host->held.erase(prefix);
    }
    if (!node.host->held.empty()) violations_.push_back(node.name + ": addresses that the last will does not name");
  }
  node.host->held.clear();
  node.host->claimed.clear();
}

void SimulatedLan::resume(Node& node) {
  if (!node.is_paused) return;
  node.is_paused = false;
  while (node.agent && !node.inbox.empty()) {  // the event loop drains its sockets first
    auto [info, message] = std::move(node.inbox.front());
    node.inbox.pop_front();
    node.agent->on_datagram(now_, info, message);
  }
  run_checks(node);
}

void SimulatedLan::set_link(Node& node, bool is_up) {
  node.interface.is_up = is_up;
  if (node.agent && !node.is_paused) node.agent->on_interface(now_, node.interface);
  settle(node);
}

void SimulatedLan::set_back_link(Node& node, bool is_up) {
  node.back->is_up = is_up;
  if (node.agent && !node.is_paused) node.agent->on_interface(now_, *node.back);
  settle(node);
}

void SimulatedLan::set_proxy(Node& node, std::optional<ProxyReport> report) {
  node.proxy = std::move(report);
  if (node.agent && !node.is_paused) node.agent->on_proxy_report(now_, node.proxy);
  settle(node);
}

void SimulatedLan::remove_address(Node& node, const IpPrefix& prefix) {
  if (node.host->held.erase(prefix) == 0) return;
  const bool is_back = prefix.address.is_v4() && prefix.address.v4_value() >> 8 == back_of(0).v4_value() >> 8;
  const int index = is_back ? node.back->index : node.interface.index;
  if (node.agent) node.agent->on_address_removed(now_, index, prefix.address);
  settle(node);
}

void SimulatedLan::reload(Node& node, Config config) {
  node.config = std::move(config);
  if (node.agent) node.agent->reload(now_, node.config);
  run_checks(node);
}

void SimulatedLan::inject(Node& node, const DatagramInfo& info, Bytes message) {
  deliver({index_of(node), info, std::move(message)});
}

void SimulatedLan::transmit(std::size_t from, const OutgoingAdvertisement& advertisement) {
  if (on_transmit) on_transmit(from, advertisement);
  const auto interface_of = [&](const Node& node) -> const InterfaceInfo* {
    if (advertisement.interface_index == node.interface.index) return &node.interface;
    return node.back ? &*node.back : nullptr;
  };
  const InterfaceInfo* sender = interface_of(nodes_[from]);
  if (!sender || !sender->is_up) return;
  const auto& severed = sender == &nodes_[from].interface ? cut : back_cut;
  for (std::size_t to = 0; to < nodes_.size(); ++to) {
    const InterfaceInfo* receiver = interface_of(nodes_[to]);
    const bool is_for_it = receiver && (advertisement.destination.is_multicast() ||
                                        advertisement.destination == receiver->primary_v4 ||
                                        advertisement.destination == receiver->link_local_v6);
    if (!is_for_it || severed.count({from, to})) continue;
    if (to != from && static_cast<double>(random(1'000'000)) < loss * 1e6) continue;
    const auto delay =
        Duration(static_cast<std::int64_t>(random(static_cast<std::uint64_t>(delay_max.count()) + 1)));
    const DatagramInfo info{receiver->index, advertisement.source, advertisement.destination, kTtl};
    wire_.emplace(now_ + delay,
                  Delivery{to, info, advertisement.message});  // its own as well: multicast loops back
  }
}

void SimulatedLan::deliver(Delivery delivery) {
  Node& node = nodes_[delivery.to];
  const bool is_back = node.back && delivery.info.interface_index == node.back->index;
  const bool is_up = is_back ? node.back->is_up : node.interface.is_up;
  if (!node.agent || !is_up || node.is_deaf) return;
  if (node.is_paused) {
    if (node.inbox.size() < kInboxMax) node.inbox.emplace_back(delivery.info, std::move(delivery.message));
    return;
  }
  node.agent->on_datagram(now_, delivery.info, delivery.message);
  settle(node);
}

// What the event loop does after every wake-up.
void SimulatedLan::settle(Node& node) {
  if (!node.agent || node.is_paused) return;
  node.agent->on_time(now_);
  const auto deadline = node.agent->next_deadline();
  if (deadline && *deadline < now_)
    violations_.push_back(node.name + ": a deadline lies in the past after on_time");
  if (deadline == now_) node.busy_until = now_ + kSliceTime;
  if (!trace) return;
  for (const JournalEntry& entry : node.agent->take_journal()) {
    std::cout << std::chrono::duration_cast<std::chrono::microseconds>(now_.time_since_epoch()).count() << " us "
              << node.name << " " << entry.router << " [" << entry.event << "] " << entry.text << "\n";
  }
}

void SimulatedLan::run_until(TimePoint end) {
  for (int same_instant = 0;;) {
    TimePoint next = end;
    Node* due = nullptr;
    for (Node& node : nodes_) {
      if (!node.agent || node.is_paused) continue;
      const auto deadline = node.agent->next_deadline();
      const TimePoint at = deadline ? std::max(*deadline, node.busy_until) : end;
      if (at < next) {
        next = at;
        due = &node;
      }
    }
    const bool wire_first = !wire_.empty() && wire_.begin()->first <= next && wire_.begin()->first < end;
    if (wire_first) next = wire_.begin()->first;
    same_instant = next <= now_ ? same_instant + 1 : 0;
    if (same_instant > 100'000 || wire_.size() > kWireMax) {
      violations_.push_back(wire_.size() > kWireMax ? "a storm of advertisements" : "time stands still");
      return;
    }
    now_ = std::max(now_, next);
    if (wire_first) {
      Delivery delivery = std::move(wire_.begin()->second);
      wire_.erase(wire_.begin());
      deliver(std::move(delivery));
    } else if (due) {
      settle(*due);
    } else {
      return;
    }
  }
}

std::vector<std::string> SimulatedLan::violations() const {
  std::vector<std::string> all = violations_;
  for (const Node& node : nodes_) {
    for (const std::string& violation : node.host->violations) all.push_back(node.name + ": " + violation);
  }
  return all;
}

}  // namespace vipair::vrrp
