#pragma once
// Whole agents on a simulated LAN: virtual time, a network that loses, delays, reorders and splits, hosts whose
// claims fail. Deterministic: the same calls give the same run. SimulatedHost checks on every call what must hold
// of any Host's caller and collects what does not.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "vrrp/agent/agent.h"
#include "vrrp/agent/host.h"

namespace vipair::vrrp {

class SimulatedHost : public Host {
 public:
  std::function<void(const OutgoingAdvertisement&)> on_send;
  std::function<bool(const IpAddress&)> is_own;  // the node's own address, not a virtual one
  std::optional<HostError> claim_error;          // every claim fails with it
  std::optional<HostError> send_error;
  int refused_claims = 0;  // so many of the next claims fail
  std::size_t slice = kSliceMax;

  std::set<IpPrefix> held;                  // on the interface
  std::set<IpPrefix> claimed;               // and not released: somebody else may have removed them meanwhile
  std::vector<OutgoingAdvertisement> sent;  // advertisements, the last kRemembered
  std::vector<OutgoingAdvertisement> peer_messages;  // likewise
  std::vector<std::string> calls;          // "claim 192.0.2.100/24", "relay 192.0.2.12" …, the last kRemembered
  std::vector<OutgoingFrame> last_frames;  // of the last announcement
  std::vector<IpAddress> announced;        // addresses of the frames, the last kRemembered
  LastWill will;
  std::vector<std::string> violations;

  std::size_t slice_max() const override { return slice; }
  Expected<void, HostError> claim(const AddressSet& set) override;
  void release(const AddressSet& set, ReleaseMode mode) override;
  void relay(const AddressSet& all, const IpAddress& to) override;
  Expected<void, HostError> send(const OutgoingAdvertisement& advertisement) override;
  void announce(const std::vector<OutgoingFrame>& frames) override;
  void set_last_will(const LastWill& last_will) override { will = last_will; }

  void forget();  // what was recorded, not what is held

 private:
  static constexpr std::size_t kRemembered = 4096;
};

// What most of the tests have one of: "web", number 51 on eth0, 192.0.2.100/24.
VirtualRouterConfig web_router(std::uint8_t priority);

using CounterList = std::vector<std::pair<std::string, std::uint64_t>>;
std::uint64_t counter_of(const CounterList& counters, const std::string& name);

class SimulatedLan {
 public:
  struct Node {
    std::string name;
    Config config;
    InterfaceInfo interface;            // eth0
    std::optional<InterfaceInfo> back;  // eth1, another network: a second path to the peer
    std::optional<ProxyReport> proxy;
    std::map<std::string, bool> checks;  // what each run of them would find
    std::unique_ptr<SimulatedHost> host;
    std::unique_ptr<Agent> agent;  // none: crashed, or not started
    bool is_paused = false;        // the process does not run; its socket fills
    bool is_deaf = false;          // sends, hears nothing
    TimePoint busy_until;          // with a slice of addresses
    std::deque<std::pair<DatagramInfo, Bytes>> inbox;
  };

  explicit SimulatedLan(std::uint64_t seed) : random_(seed) {}

  TimePoint now() const { return now_; }
  std::vector<Node>& nodes() { return nodes_; }
  // The node's addresses are .number; it is not started.
  Node& add(int number);
  static IpAddress v4_of(int number);
  static IpAddress v6_of(int number);
  static IpAddress back_of(int number);  // IPv4, on the second network
  // Both nodes reach each other over the second network as well, and sign what they say with `keys`.
  void add_second_path(Node& node, int peer, std::vector<PairKey> keys);
  void add_second_network(Node& node);

  void start(Node& node);
  void crash(Node& node, bool will_is_executed);  // its addresses go with the will or with the power
  void pause(Node& node) { node.is_paused = true; }
  void resume(Node& node);
  void set_link(Node& node, bool is_up);
  void set_back_link(Node& node, bool is_up);
  void set_proxy(Node& node, std::optional<ProxyReport> report);
  void set_check(Node& node, const std::string& check, bool succeeds);
  void remove_address(Node& node, const IpPrefix& prefix);  // by somebody else
  void reload(Node& node, Config config);
  void inject(Node& node, const DatagramInfo& info, Bytes message);
  void run_until(TimePoint end);
  void run_for(Duration duration) { run_until(now_ + duration); }

  // of every message: lost with this probability, delayed between 0 and this
  double loss = 0;
  Duration delay_max = std::chrono::microseconds(100);
  std::set<std::pair<std::size_t, std::size_t>> cut;       // from → to
  std::set<std::pair<std::size_t, std::size_t>> back_cut;  // likewise, on the second network
  std::function<void(std::size_t from, const OutgoingAdvertisement&)> on_transmit;  // somebody who records
  bool trace = false;

  std::vector<std::string> violations() const;
  std::uint64_t random(std::uint64_t below) { return random_() % below; }

  static constexpr Duration kSliceTime = std::chrono::milliseconds(1);  // what a slice of addresses takes

 private:
  struct Delivery {
    std::size_t to = 0;
    DatagramInfo info;
    Bytes message;
  };
  void transmit(std::size_t from, const OutgoingAdvertisement& advertisement);
  void deliver(Delivery delivery);
  void settle(Node& node);
  void run_checks(Node& node);
  std::size_t index_of(const Node& node) const { return static_cast<std::size_t>(&node - nodes_.data()); }

  TimePoint now_{std::chrono::hours(1)};
  std::mt19937_64 random_;
  std::vector<Node> nodes_;
  std::multimap<TimePoint, Delivery> wire_;
  std::vector<std::string> violations_;
};

}  // namespace vipair::vrrp
