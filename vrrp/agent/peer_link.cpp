#include "vrrp/agent/peer_link.h"

#include <algorithm>
#include <utility>

#include "vrrp/core/timers.h"

namespace vipair::vrrp {

namespace {

using Level = JournalEntry::Level;

// The streams of a path's messages, each with its own order: of one instance's advertisements, of what is said by
// multicast, and of everything else.
constexpr std::uint32_t kCommonStream = 0, kMulticastStream = 1;
std::uint32_t stream_of(const Subject& subject) {
  return subject.name ^ static_cast<std::uint32_t>(subject.vrid << 8) ^ static_cast<std::uint32_t>(subject.family);
}

// Of a message with both kinds of refusals: what the operator should know.
const char* text_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::not_signed:
      return "it is not signed: the peer has no key file";
    case Verdict::unknown_key:
      return "it is signed with a key that is not in this node's key file";
    case Verdict::wrong_mac:
      return "its signature is wrong: it was altered, or somebody who has no key made it up";
    case Verdict::fresh:
    case Verdict::unproven:
    case Verdict::replay:
      break;
  }
  return "";
}

bool is_failure(Verdict verdict) {
  return verdict == Verdict::not_signed || verdict == Verdict::unknown_key || verdict == Verdict::wrong_mac;
}

std::optional<DropReason> refusal_of(Verdict verdict) {
  if (is_failure(verdict)) return DropReason::authentication;
  if (verdict == Verdict::replay) return DropReason::replay;
  return std::nullopt;
}

bool is_within(const std::optional<TimePoint>& then, TimePoint now, Duration duration) {
  return then && now - *then < duration;
}

std::string seconds_ago(TimePoint then, TimePoint now) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now - then).count()) + " s ago";
}

// RFC 9568 section 7.2 and ours: the priority is the third byte of every version.
std::uint8_t priority_of(ByteView message) { return message.size() > 2 ? message[2] : kPriorityResigned; }

}  // namespace

std::vector<PathConfig> paths_of(const Config& config) {
  std::vector<PathConfig> paths;
  auto add = [&](PathConfig path) {
    const bool is_known = std::any_of(paths.begin(), paths.end(), [&](const PathConfig& known) {
      return known.interface == path.interface && known.family == path.family && known.peer == path.peer;
    });
    if (!is_known) paths.push_back(std::move(path));
  };
  for (const VirtualRouterConfig& router : config.virtual_routers) {
    const auto& peer = router.peer ? router.peer : config.peer;
    if (!peer) continue;
    const bool has_v6 = peer->address_v6 && peer->address_v6->is_link_local();
    if (peer->address_v4) add({router.interface, IpFamily::ipv4, peer->address_v4, false});
    if (has_v6) add({router.interface, IpFamily::ipv6, peer->address_v6, false});
    const bool is_signed = !config.pair_keys.empty();
    if (!peer->address_v4 && !has_v6 && is_signed) add({router.interface, IpFamily::ipv6, std::nullopt, false});
  }
  for (const PeerPath& path : config.peer_paths) add({path.interface, path.address.family(), path.address, true});
  return paths;
}

PeerLink::PeerLink(const Config& config, const PairIdentity& identity, Surroundings surroundings, TimePoint now)
    : surroundings_(std::move(surroundings)), session_(identity.epoch, identity.mac), hello_at_(now) {
  use(config);
}

void PeerLink::reload(TimePoint now, const Config& config) {
  const bool has_new_keys = config.pair_keys != keys_;
  use(config);
  if (has_new_keys) surroundings_.will_changed();
  report_soon(now);
}

void PeerLink::use(const Config& config) {
  keys_ = config.pair_keys;
  session_.set_keys(keys_);
  std::vector<Path> paths;
  for (PathConfig& wanted : paths_of(config)) {
    const auto known =
        std::find_if(paths_.begin(), paths_.end(), [&](const Path& path) { return path.config == wanted; });
    if (known != paths_.end()) {
      paths.push_back(std::move(*known));
      continue;
    }
    Path& path = paths.emplace_back();
    path.config = std::move(wanted);
    const auto interface = interfaces_.find(path.config.interface);
    if (interface != interfaces_.end()) path.interface = interface->second;
  }
  paths_ = std::move(paths);
}

void PeerLink::on_interface(TimePoint now, const InterfaceInfo& interface) {
  interfaces_[interface.name] = interface;
  for (Path& path : paths_) {
    if (path.config.interface != interface.name || path.interface == interface) continue;
    path.interface = interface;
    if (path.source()) report_soon(now);
  }
}

std::optional<IpAddress> PeerLink::Path::source() const {
  if (interface.index == 0 || !interface.is_up) return std::nullopt;
  return config.family == IpFamily::ipv4 ? interface.primary_v4 : interface.link_local_v6;
}

PeerLink::Path* PeerLink::find_path(int interface_index, const IpAddress& source) {
  const auto found = std::find_if(paths_.begin(), paths_.end(), [&](const Path& path) {
    if (path.interface.index != interface_index || path.config.family != source.family()) return false;
    return path.config.peer ? *path.config.peer == source : source.is_link_local();
  });
  return found == paths_.end() ? nullptr : &*found;
}

// ---- time ----

void PeerLink::report_soon(TimePoint now) {
  const TimePoint earliest = hello_sent_ ? std::max(now, *hello_sent_ + kHelloGap) : now;
  hello_at_ = std::min(hello_at_, earliest);
}

void PeerLink::on_time(TimePoint now) {
  if (!has_paths()) return;
  for (Path& path : paths_) {
    if (!path.heard || path.is_told_lost || path.is_heard(now)) continue;
    path.is_told_lost = true;
    tell(now, Level::warn, "path_lost", "the peer is not heard " + name_of(path) + " any more");
  }
  if (now < hello_at_) return;
  hello_at_ = next_multiple(kHelloInterval, now);  // when advertisements are due as well: one wake-up for both
  hello_sent_ = now;
  send_hello(now);
}

std::optional<TimePoint> PeerLink::next_deadline() const {
  if (!has_paths()) return std::nullopt;
  return hello_at_;  // often enough to see that a path is lost
}

// ---- advertisements ----

void PeerLink::seal(Bytes& message, const IpAddress& source, const IpAddress& destination, std::uint32_t name) {
  session_.seal(message, source, destination, name);
}

void PeerLink::seal_last_will(Bytes& message, const IpAddress& source, const IpAddress& destination,
                              std::uint32_t name) {
  session_.seal_last_will(message, source, destination, name);
}

PeerLink::Checked PeerLink::check(TimePoint now, const ReceivedPacket& packet, ReplayWindow& window,
                                  bool is_pinned) {
  const auto opened = open(now, packet, window, is_pinned);
  Checked checked;
  checked.message = opened.message;
  checked.trailer = opened.trailer;
  checked.reason = refusal_of(opened.verdict);
  checked.why = text_of(opened.verdict);
  if (opened.verdict == Verdict::fresh) return checked;
  checked.trust = Checked::Trust::refused;
  // a resignation in the peer's name changes nothing, and neither does what was said before
  if (opened.verdict == Verdict::replay || priority_of(packet.message) == kPriorityResigned) return checked;
  if (is_failure(opened.verdict) && (!is_pinned || is_within(forged_, now, kForgeryRemembered))) return checked;
  checked.trust = Checked::Trust::unverified;
  return checked;
}

// What every message of the peer goes through, and what is learned from its verdict.
PairSession::Opened PeerLink::open(TimePoint now, const ReceivedPacket& packet, ReplayWindow& window,
                                   bool is_pinned) {
  const auto opened = session_.open(packet.message, packet.source, packet.destination, window);
  if (is_failure(opened.verdict) && is_pinned) {
    failed_ = now;
    failed_of_peer_ = peers_proven_;
    failure_ = text_of(opened.verdict);
  }
  if (opened.verdict == Verdict::unproven) {
    unproven_ = now;
    challenge(now, opened.is_candidate);
  }
  if (opened.has_new_epoch || opened.is_new_peer) {
    surroundings_.will_changed();
    hello_at_ = now;  // the peer waits to hear of us as well
  }
  if (opened.verdict != Verdict::fresh || !session_.has_keys()) return opened;

  unproven_.reset();
  if (opened.is_new_peer) {
    ++peers_proven_;
    tell(now, Level::info, "peer_proven", "the peer proves to be there, with a key of this node");
    failed_.reset();
  } else if (failed_ && failed_of_peer_ == peers_proven_) {
    if (!is_within(forged_, now, kForgeryRemembered)) {
      tell(now, Level::warn, "forgery",
           std::string("somebody else speaks in the peer's name (") + failure_ +
               "): for a minute only what verifies counts");
    }
    forged_ = now;
    failed_.reset();
  }
  return opened;
}

// Whoever does not know our epoch learns it, and is proven by saying it back.
void PeerLink::challenge(TimePoint now, bool is_candidate) {
  if (is_within(challenged_, now, kChallengeGap)) return;
  challenged_ = now;
  ++challenges_;
  send_hello(now, is_candidate);
}

bool PeerLink::has_further_paths() const {
  return std::any_of(paths_.begin(), paths_.end(), [](const Path& path) { return path.config.is_further; });
}

void PeerLink::send(const PathAdvert& advert) {
  for (Path& path : paths_) {
    if (path.config.is_further) transmit(path, advert, path.destination(), stream_of(advert.subject));
  }
}

void PeerLink::add_to(LastWill& will, const PathAdvert& advert) {
  for (const Path& path : paths_) {
    const auto source = path.source();
    if (!path.config.is_further || !source) continue;
    OutgoingAdvertisement resignation{path.interface.index, *source, path.destination(), encode(advert)};
    session_.seal_last_will(resignation.message, *source, resignation.destination, stream_of(advert.subject));
    will.resignations.push_back(std::move(resignation));
  }
}

// ---- messages of the pair ----

bool PeerLink::transmit(Path& path, const PeerMessage& message, const IpAddress& destination, std::uint32_t stream,
                        bool to_candidate) {
  const auto source = path.source();
  if (!source) return false;
  OutgoingAdvertisement outgoing{path.interface.index, *source, destination, encode(message)};
  if (to_candidate) {
    session_.seal_for_candidate(outgoing.message, *source, destination, stream);
  } else {
    session_.seal(outgoing.message, *source, destination, stream);
  }
  const auto sent = surroundings_.host.send(outgoing);
  ++(sent ? path.sent : path.send_errors);
  return sent.has_value();
}

void PeerLink::send_hello(TimePoint now, bool to_candidate) {
  const auto entries = surroundings_.entries();
  for (Path& path : paths_) {
    if (!path.source()) continue;
    for (std::size_t at = 0; at == 0 || at < entries.size(); at += kHelloEntriesMax) {
      Hello hello;
      hello.hears_you = path.is_heard(now);
      hello.clock = wall(now);
      hello.prefix_length =
          static_cast<std::uint8_t>(path.config.family == IpFamily::ipv4 ? path.interface.primary_v4_length : 0);
      const std::size_t count = std::min(kHelloEntriesMax, entries.size() - at);
      const auto first = entries.begin() + static_cast<std::ptrdiff_t>(at);
      hello.entries.assign(first, first + static_cast<std::ptrdiff_t>(count));
      hellos_sent_ += transmit(path, hello, path.destination(), kCommonStream, to_candidate) ? 1 : 0;
    }
  }
}

PeerLink::Heard PeerLink::on_message(TimePoint now, int interface_index, const ReceivedPacket& packet) {
  Heard heard;
  auto refused = [&](DropReason reason) {
    heard.refused = reason;
    return heard;
  };
  if (packet.message.size() < kHeaderSize) return refused(DropReason::too_short);
  if (packet.ttl != kTtl) return refused(DropReason::ttl);
  Path* path = find_path(interface_index, packet.source);
  if (!path) return refused(DropReason::not_the_peer);
  if (packet.source == path->source()) return refused(DropReason::own_advertisement);
  const auto sealed = read_trailer(packet.message);
  const std::uint32_t stream = sealed ? sealed->trailer.subject : kCommonStream;
  const auto known = path->windows.find(stream);
  ReplayWindow fresh_window;
  ReplayWindow& window = known == path->windows.end() ? fresh_window : known->second;
  const auto opened = open(now, packet, window, path->config.peer.has_value());
  if (const auto reason = refusal_of(opened.verdict)) return refused(*reason);
  if (&window == &fresh_window && session_.has_keys()) path->windows.emplace(stream, std::move(fresh_window));
  if (opened.verdict == Verdict::unproven) return heard;

  const auto message = decode_peer_message(opened.message);
  if (!message) return refused(message.error());
  ++path->received;
  if (const auto* hello = std::get_if<Hello>(&*message)) {
    on_hello(now, *path, *hello);
    heard.has_reports = true;
  }
  if (const auto* advert = std::get_if<PathAdvert>(&*message)) heard.advert = {*advert, opened.trailer};
  if (const auto* probe = std::get_if<Probe>(&*message)) on_probe(now, *path, packet, *probe);
  if (const auto* reply = std::get_if<ProbeReply>(&*message)) on_probe_reply(now, *path, *reply);
  return heard;
}

void PeerLink::on_hello(TimePoint now, Path& path, const Hello& hello) {
  ++hellos_received_;
  heard_over(now, path, hello.hears_you);
  for (const HelloEntry& entry : hello.entries) {
    reports_[entry.subject] = {to_string(entry.state), entry.effective_priority, entry.penalty, entry.is_eligible,
                               now};
  }
}

void PeerLink::heard_over(TimePoint now, Path& path, bool hears_us) {
  const bool was_heard = path.is_heard(now);
  path.heard = now;
  path.hears_us = hears_us;
  if (was_heard) return;
  path.is_told_lost = false;
  tell(now, Level::info, "path_heard", "the peer is heard " + name_of(path));
  report_soon(now);  // it learns that we hear it
}

std::optional<PeerReport> PeerLink::report(const Subject& subject) const {
  const auto found = reports_.find(subject);
  return found == reports_.end() ? std::nullopt : std::optional(found->second);
}

// ---- doctor ----

void PeerLink::start_probe(TimePoint now) {
  probed_ = now;
  const Probe probe{++probe_nonce_};
  for (Path& path : paths_) {
    path.probe = PathProbe{};
    path.probe->interface = path.config.interface;
    path.probe->peer = path.destination();
    path.probe->is_further = path.config.is_further;
    path.probe->prefix_length = path.config.family == IpFamily::ipv4 ? path.interface.primary_v4_length : 0;
    path.probe->is_sent = transmit(path, probe, path.destination(), kCommonStream);
    if (path.config.is_further) continue;
    path.probe->is_multicast_sent = transmit(path, probe, multicast_group(path.config.family), kMulticastStream);
  }
}

std::vector<PathProbe> PeerLink::probe_results() const {
  std::vector<PathProbe> results;
  for (const Path& path : paths_) {
    if (path.probe) results.push_back(*path.probe);
  }
  return results;
}

void PeerLink::on_probe(TimePoint now, Path& path, const ReceivedPacket& packet, const Probe& probe) {
  ProbeReply reply;
  reply.nonce = probe.nonce;
  reply.was_multicast = packet.destination.is_multicast();
  reply.hears_you = path.is_heard(now);
  reply.clock = wall(now);
  reply.prefix_length =
      static_cast<std::uint8_t>(path.config.family == IpFamily::ipv4 ? path.interface.primary_v4_length : 0);
  transmit(path, reply, packet.source, reply.was_multicast ? kMulticastStream : kCommonStream);
}

void PeerLink::on_probe_reply(TimePoint now, Path& path, const ProbeReply& reply) {
  if (!path.probe || reply.nonce != probe_nonce_) return;
  PathProbe& result = *path.probe;
  (reply.was_multicast ? result.is_multicast_heard : result.is_heard) = true;
  result.peer_hears_us = reply.hears_you;
  result.peer_prefix_length = reply.prefix_length;
  if (reply.was_multicast) return;
  result.round_trip = now - probed_;
  result.clock_ahead = reply.clock - wall(probed_ + *result.round_trip / 2);
}

// ---- what is told ----

std::string PeerLink::name_of(const Path& path) const {
  return "on " + path.config.interface + " at " +
         (path.config.peer ? path.config.peer->to_string() : std::string("any link-local address"));
}

void PeerLink::tell(TimePoint now, Level level, std::string event, std::string text) {
  surroundings_.journal.add({now, level, "", std::move(event), std::move(text)});
}

void PeerLink::add_to(Status& status, TimePoint now) const {
  if (!has_paths()) return;
  status.counters.emplace_back("hellos_sent", hellos_sent_);
  status.counters.emplace_back("hellos_received", hellos_received_);
  status.counters.emplace_back("challenges", challenges_);
  const bool is_anywhere =
      std::any_of(paths_.begin(), paths_.end(), [&](const auto& p) { return p.is_heard(now); });
  for (const Path& path : paths_) {
    PathStatus told;
    told.interface = path.config.interface;
    told.peer = path.destination().to_string();
    told.is_further = path.config.is_further;
    told.is_heard = path.is_heard(now);
    told.hears_us = told.is_heard && path.hears_us;
    told.heard = path.heard;
    told.counters = {{"received", path.received}, {"sent", path.sent}, {"send_errors", path.send_errors}};
    status.paths.push_back(std::move(told));
    if (is_anywhere && !path.is_heard(now))
      status.warnings.push_back("the peer is heard, but not " + name_of(path) + ": see vipairctl doctor");
    if (path.is_heard(now) && !path.hears_us)
      status.warnings.push_back("the peer does not hear this node " + name_of(path) +
                                ": is protocol 112 (VRRP) let through over there? See vipairctl doctor");
  }
  if (is_within(forged_, now, kForgeryRemembered)) {
    status.warnings.push_back(
        "somebody speaks in the peer's name and is ignored: messages that verify and others that do not come from "
        "its address");
  } else if (is_within(failed_, now, kAlarmRemembered)) {
    status.warnings.push_back("the peer is heard, but its messages do not verify (" + seconds_ago(*failed_, now) +
                              ": " + failure_ +
                              "): the key files of the two nodes differ; this node does not take over meanwhile");
  }
  if (is_within(unproven_, now, kAlarmRemembered) && now - *unproven_ < kPathLost && !session_.has_proven_peer())
    status.warnings.push_back(
        "the peer signs what it says, but does not know this node's present life: it does not hear us, or somebody "
        "repeats what it said long ago");
}

}  // namespace vipair::vrrp
