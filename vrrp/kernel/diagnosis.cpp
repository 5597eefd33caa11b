#include "vrrp/kernel/diagnosis.h"

#include <algorithm>
#include <boost/json.hpp>
#include <string_view>
#include <tuple>
#include <utility>

#include "vrrp/agent/instances.h"

namespace vipair::vrrp {
namespace {

constexpr Duration kClockOffsetMax = std::chrono::seconds(2);
constexpr const char* kMulticastAdvice =
    "look at the switch's IGMP/MLD snooping and at firewalls for 224.0.0.18 and ff02::12; or set unicast = true";
constexpr int kArpIgnoreAll = 8;  // answers no ARP request at all

std::uint64_t counter(const std::vector<std::pair<std::string, std::uint64_t>>& counters, std::string_view name) {
  const auto found =
      std::find_if(counters.begin(), counters.end(), [&](const auto& entry) { return entry.first == name; });
  return found == counters.end() ? 0 : found->second;
}

// Over all virtual routers and the agent itself.
std::uint64_t total(const Status& status, std::string_view name) {
  std::uint64_t sum = counter(status.counters, name);
  for (const RouterStatus& router : status.routers) sum += counter(router.counters, name);
  return sum;
}

// What a counter says that grew while we looked.
struct Symptom {
  const char* counter;
  const char* what;
  const char* seen;
  const char* advice;
};
constexpr Symptom kSymptoms[] = {
    {"authentication_errors", "key mismatch", "messages from the peer's address do not verify",
     "put the same key file on both nodes and reload both; if they are the same, somebody forges messages"},
    {"replays", "replayed messages", "old messages of the peer arrived again",
     "look for a loop in the network, or for somebody who captures and repeats"},
    {"checksum_errors", "wrong checksum", "advertisements had neither form of checksum",
     "look for a device between the nodes that changes packets; capture with tcpdump -vv proto 112"},
    {"ip_ttl_errors", "forwarded advertisements", "advertisements had a TTL other than 255",
     "a router is between the nodes, or somebody forges: VRRP does not leave its link"},
    {"version_2_packets", "version", "advertisements of version 2 were refused",
     "give both nodes the same version in the virtual router's settings"},
    {"adv_interval_errors", "interval", "advertisements had an interval that is not ours, or none",
     "give both nodes the same advertisement_interval"},
    {"address_list_errors", "addresses differ", "the other node advertises other addresses than we have",
     "give both nodes the same addresses in the same virtual router"},
    {"second_active_heard", "two Actives", "another node advertised while this one was Active",
     "they do not hear each other: look at the paths, and for somebody else with this VRID"}};

class Diagnosis {
 public:
  explicit Diagnosis(const Evidence& evidence) : evidence_(evidence), instances_(instances_of(evidence.config)) {}

  std::vector<Finding> findings() && {
    privileges();
    for (const InterfaceEvidence& interface : evidence_.interfaces) {
      if (!is_usable(interface)) continue;
      settings(interface);
      for (const InstanceConfig& instance : instances_) {
        if (instance.key.interface != interface.info.name) continue;
        strangers(interface, instance);
        owners(interface, instance);
      }
    }
    for (const PathEvidence& path : evidence_.paths) this->path(path);
    for (const Symptom& symptom : kSymptoms) this->symptom(symptom);
    node();
    return std::move(findings_);
  }

 private:
  void add(std::string what, std::string seen, std::string advice) {
    Finding finding{std::move(what), std::move(seen), std::move(advice)};
    if (std::find(findings_.begin(), findings_.end(), finding) == findings_.end())
      findings_.push_back(std::move(finding));
  }

  void privileges() {
    const PrivilegeEvidence& has = evidence_.privileges;
    for (const auto& [present, name, purpose] :
         {std::tuple{has.net_admin, "CAP_NET_ADMIN", "addresses can be neither claimed nor released"},
          std::tuple{has.net_raw, "CAP_NET_RAW", "advertisements can be neither sent nor heard"}})
      if (!present)
        add("missing capability", std::string("the agent runs without ") + name + ": " + purpose,
            "run it as root or add " + std::string(name) + " to the unit's AmbientCapabilities");
    if (!has.is_realtime)
      add("scheduling",
          "realtime_priority is " + std::to_string(evidence_.config.realtime_priority) +
              ", but the agent runs as any other process" + (has.sys_nice ? "" : ", without CAP_SYS_NICE"),
          "give it CAP_SYS_NICE or LimitRTPRIO, or set realtime_priority = 0 and long intervals");
    if (!has.is_locked)
      add("memory", "lock_memory is set, but the agent's memory is not locked",
          "give it CAP_IPC_LOCK or LimitMEMLOCK=infinity, or set lock_memory = false");
  }

  // Whether there is anything to be seen on it.
  bool is_usable(const InterfaceEvidence& interface) {
    const InterfaceInfo& info = interface.info;
    if (info.index == 0) {
      add("interface missing", "there is no interface " + info.name,
          "create it, or correct `interface` in node.conf");
      return false;
    }
    if (!info.is_up) {
      add("no carrier", info.name + " is down or has no carrier",
          "look at the cable and the switch's port; ip link set " + info.name + " up");
      return false;
    }
    return true;
  }

  void settings(const InterfaceEvidence& interface) {
    const InterfaceInfo& info = interface.info;
    if (!interface.listen_error.empty())
      add("not examined", interface.listen_error, "run the agent with CAP_NET_RAW");
    if (interface.uses_v4 && !info.primary_v4)
      add("no address", info.name + " has no IPv4 address of its own to advertise from",
          "give the interface an address besides the virtual ones");
    if (interface.uses_v6 && interface.ipv6_is_disabled)
      add("IPv6 disabled", "IPv6 is switched off on " + info.name,
          "sysctl net.ipv6.conf." + info.name + ".disable_ipv6=0, or remove the IPv6 addresses from node.conf");
    else if (interface.uses_v6 && !info.link_local_v6)
      add("no address", info.name + " has no usable link-local address to advertise from",
          "ip -6 addr show dev " + info.name + ": tentative or duplicate addresses are not usable");
    if (interface.uses_v4 && interface.arp_ignore == kArpIgnoreAll)
      add("arp_ignore", "arp_ignore is 8 on " + info.name + ": the node answers no ARP request",
          "sysctl net.ipv4.conf." + info.name + ".arp_ignore=0, and the same for all");
    if (interface.uses_v4 && !interface.promotes_secondaries && is_active_on(info.name))
      add("promote_secondaries", "promote_secondaries is 0 on " + info.name + " while virtual addresses are held",
          "somebody switched it off: removing one address may remove others; sysctl net.ipv4.conf." + info.name +
              ".promote_secondaries=1");
  }

  bool is_active_on(const std::string& interface) const {
    return std::any_of(evidence_.after.routers.begin(), evidence_.after.routers.end(), [&](const auto& router) {
      return router.interface == interface && router.state == "active";
    });
  }

  const RouterStatus* status_of(const InstanceConfig& instance) const {
    for (const RouterStatus& router : evidence_.after.routers)
      if (router.interface == instance.key.interface && router.vrid == instance.key.vrid &&
          router.family == instance.key.family)
        return &router;
    return nullptr;
  }

  // Who else advertises this VRID?
  void strangers(const InterfaceEvidence& interface, const InstanceConfig& instance) {
    const RouterStatus* status = status_of(instance);
    const bool is_active = status && status->state == "active";
    std::set<IpAddress> sources;
    for (const LinkListener::Advertiser& each : interface.heard.advertisers) {
      if (each.vrid != instance.key.vrid || each.source.family() != instance.key.family) continue;
      if (each.version != instance.version)
        add("version",
            each.source.to_string() + " advertises VRID " + std::to_string(each.vrid) + " on " +
                interface.info.name + " in version " + std::to_string(each.version) + ", we speak " +
                std::to_string(instance.version),
            "give both nodes the same version");
      if (!instance.peer || each.source != *instance.peer) sources.insert(each.source);
    }
    if (sources.empty() || (!instance.peer && !is_active && sources.size() == 1)) return;
    std::string names;
    for (const IpAddress& source : sources) names += (names.empty() ? "" : ", ") + source.to_string();
    add("VRID clash",
        names + (sources.size() == 1 ? " advertises" : " advertise") + " VRID " +
            std::to_string(instance.key.vrid) + " on " + interface.info.name + " as well" +
            (instance.peer ? ", and the peer is " + instance.peer->to_string() : ""),
        "give this virtual router a vrid that nobody else on the link uses, or stop the other one");
  }

  // Who answers for its addresses?
  void owners(const InterfaceEvidence& interface, const InstanceConfig& instance) {
    const RouterStatus* status = status_of(instance);
    if (!status) return;
    const bool is_ours = status->state == "active" || status->state == "yielding";
    for (const IpPrefix& prefix : instance.addresses()) {
      std::set<MacAddress> macs;
      for (const LinkListener::Answer& answer : interface.heard.answers)
        if (answer.address == prefix.address && answer.mac != interface.info.mac) macs.insert(answer.mac);
      std::string names;
      for (const MacAddress& mac : macs) names += (names.empty() ? "" : ", ") + mac.to_string();
      const std::string name = prefix.address.to_string();
      if (macs.size() > (is_ours ? 0u : 1u))
        add("duplicate address",
            name + " is answered by " + names + " on " + interface.info.name +
                (is_ours ? ", and it is ours now" : ""),
            "remove it from the other machine; it may only be held by the Active");
      else if (macs.empty() && status->state == "backup" && interface.asked.contains(prefix.address) &&
               status->peer)
        add("nobody answers",
            "no answer for " + name + " on " + interface.info.name + ", though " + status->peer->address +
                " advertises it",
            "look at the other node: vipairctl doctor there");
    }
  }

  void path(const PathEvidence& path) {
    const std::string peer = path.peer.to_string();
    const std::string where = peer + " over " + path.interface;
    const auto interface =
        std::find_if(evidence_.interfaces.begin(), evidence_.interfaces.end(),
                     [&](const InterfaceEvidence& each) { return each.info.name == path.interface; });
    if (interface == evidence_.interfaces.end() || interface->info.index == 0 || !interface->info.is_up) return;
    if (path.own && !path.own->contains(path.peer))
      add("wrong network",
          "the peer " + peer + " is not in our network " + path.own->to_string() + " on " + path.interface,
          "correct the mask of our address or the peer's address in node.conf");
    reachability(path, *interface, where);
    if (path.own && path.peer_prefix_length && *path.peer_prefix_length != path.own->length)
      add("wrong mask",
          "our address on " + path.interface + " is " + path.own->to_string() + ", the peer's ends with /" +
              std::to_string(*path.peer_prefix_length),
          "give both nodes the same mask on this network");
    if (path.clock_offset && std::chrono::abs(*path.clock_offset) > kClockOffsetMax) {
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*path.clock_offset).count();
      add("clock",
          "the peer's clock is " + std::to_string(seconds < 0 ? -seconds : seconds) + " s " +
              (seconds < 0 ? "behind" : "ahead"),
          "synchronise both (chrony); the pair works without, but logs cannot be compared");
    }
  }

  void reachability(const PathEvidence& path, const InterfaceEvidence& interface, const std::string& where) {
    constexpr const char* kOpen =
        "allow IP protocol 112 between the nodes, in both directions (firewall-cmd --add-protocol=vrrp; nft: ip "
        "protocol vrrp accept)";
    const std::string count =
        std::to_string(path.probes_answered) + " of " + std::to_string(path.probes_sent) + " probes";
    const auto& answers = interface.heard.answers;
    const bool resolves = std::any_of(answers.begin(), answers.end(), [&](const LinkListener::Answer& answer) {
      return answer.address == path.peer;
    });
    if (path.peer.is_multicast()) {
      if (path.probes_sent > 0 && path.probes_answered == 0)
        add("multicast filtered", "nobody answers " + count + " to the group " + where, kMulticastAdvice);
      return;
    }
    if (path.probes_sent > 0 && path.probes_answered == 0) {
      if (path.peer_is_heard)
        add("firewall", count + " to " + where + " were answered, though it is heard: what this node sends is lost",
            kOpen);
      else if (resolves)
        add("firewall",
            count + " to " + where + " were answered and nothing is heard from it, though it answers " +
                (path.peer.is_v4() ? "ARP" : "neighbour discovery"),
            std::string(kOpen) + "; is the agent there running?");
      else
        add("peer unreachable",
            where + " does not even answer " + (path.peer.is_v4() ? "ARP" : "neighbour discovery"),
            "is the node up, its cable plugged, the VLAN the same, its address right?");
      return;
    }
    if (path.probes_answered < path.probes_sent)
      add("loss", count + " to " + where + " were answered",
          "look for errors and drops: ip -s link, the switch's port");
    if (path.multicast_needed && !path.multicast_answered && path.probes_answered > 0)
      add("multicast filtered", where + " answers by unicast, and not to the VRRP group", kMulticastAdvice);
  }

  void symptom(const Symptom& symptom) {
    const std::uint64_t before = total(evidence_.before, symptom.counter);
    const std::uint64_t after = total(evidence_.after, symptom.counter);
    if (after <= before) return;
    add(symptom.what,
        std::string(symptom.seen) + " (" + symptom.counter + " grew by " + std::to_string(after - before) + ")",
        symptom.advice);
  }

  void node() {
    for (const RouterStatus& router : evidence_.after.routers)
      for (const std::string& fault : router.faults)
        if (fault.starts_with("claim: "))
          add("claim fails", router.name + "/" + to_string(router.family) + ": " + fault.substr(7),
              "see vipairctl events");
    for (const CheckStatus& check : evidence_.after.checks) {
      if (check.up) continue;
      if (check.type == "proxy")
        add("proxy", check.reason, "systemctl status vipair-proxyd; do both files name the same gate_socket?");
      else if (check.type == kUpstreamsCheck)
        add("upstreams", "of the proxy's groups of servers " + check.reason,
            "vipairctl status proxy names the servers that are down, and why");
      else
        add("check", check.name + " is down: " + check.reason, "repair what it checks");
    }
    if (!evidence_.relay_error.empty())
      add("no relay", "a planned move breaks connections: " + evidence_.relay_error,
          "load the kernel's nf_tables modules and allow them, or set drain_time = \"0s\"");
  }

  const Evidence& evidence_;
  std::vector<InstanceConfig> instances_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> diagnose(const Evidence& evidence) { return Diagnosis(evidence).findings(); }

std::string findings_json(const std::vector<Finding>& findings) {
  boost::json::array list;
  for (const Finding& finding : findings) {
    boost::json::object object;
    object["what"] = finding.what;
    object["evidence"] = finding.evidence;
    object["advice"] = finding.advice;
    list.push_back(std::move(object));
  }
  return boost::json::serialize(list);
}

}  // namespace vipair::vrrp
