#pragma once
// The conversation of the two nodes of a pair: over which paths they reach each other, that what is heard was said
// by the peer and is not a recording (vrrp/core/authentication.h), and hellos, in which each tells how its
// instances are doing whatever their role. It decides nothing about roles: advertisements do, whichever way they
// come. Owned by the Agent, whose thread calls it; without a configured peer it has no paths and does nothing.
//
// Unsigned hellos (no key is configured) are believed by the peer's address alone; further paths want a key.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "vrrp/agent/config.h"
#include "vrrp/agent/host.h"
#include "vrrp/agent/journal.h"
#include "vrrp/agent/peer_report.h"
#include "vrrp/agent/status.h"
#include "vrrp/core/authentication.h"
#include "vrrp/core/peer_message.h"

namespace vipair::vrrp {

inline constexpr Duration kHelloInterval = std::chrono::seconds(1);
inline constexpr Duration kHelloGap = std::chrono::milliseconds(5);       // between hellos that tell of changes
inline constexpr Duration kChallengeGap = std::chrono::milliseconds(10);  // between answers to who does not know us
inline constexpr Duration kPathLost = std::chrono::milliseconds(3500);    // without a hello: three were lost
// Two senders were seen under one address: only what verifies counts for so long, what does not is the forger's.
inline constexpr Duration kForgeryRemembered = std::chrono::seconds(60);
inline constexpr Duration kAlarmRemembered = std::chrono::seconds(60);  // how long the status speaks of a failure

// What the machine gives to one life of the agent.
struct PairIdentity {
  std::uint64_t epoch = 1;    // drawn at random by each process
  MacFunction mac = nullptr;  // needed when keys are configured
};

// One way to the peer.
struct PathConfig {
  std::string interface;
  IpFamily family = IpFamily::ipv4;
  std::optional<IpAddress> peer;  // none: signed hellos go to the multicast group, whoever signs is the peer
  bool is_further = false;        // of peer.paths: advertisements go here as well
  friend bool operator==(const PathConfig&, const PathConfig&) = default;
};
// The paths of a configuration: where its virtual routers are, then the further ones.
std::vector<PathConfig> paths_of(const Config& config);

class PeerLink {
 public:
  struct Surroundings {
    Host& host;
    Journal& journal;
    std::function<std::vector<HelloEntry>()> entries;  // of this node's instances, for a hello
    std::function<void()> will_changed;                // the peer would not believe the present one
  };

  PeerLink(const Config& config, const PairIdentity& identity, Surroundings surroundings, TimePoint now);

  void reload(TimePoint now, const Config& config);
  void on_interface(TimePoint now, const InterfaceInfo& interface);
  // The calendar, for doctor's comparison of the two clocks.
  void on_wall_clock(TimePoint now, WallTime wall) { wall_at_zero_ = wall - now.time_since_epoch(); }
  void on_time(TimePoint now);
  std::optional<TimePoint> next_deadline() const;

  // ---- advertisements, for the virtual routers ----

  void seal(Bytes& message, const IpAddress& source, const IpAddress& destination, std::uint32_t name);
  void seal_last_will(Bytes& message, const IpAddress& source, const IpAddress& destination, std::uint32_t name);
  // The checks that come before a message is looked into. `window`: of this virtual router's advertisements.
  // is_pinned: it comes from the peer's address; otherwise it could be from any stranger.
  struct Checked {
    enum class Trust {
      peer,        // the peer said it, now
      unverified,  // refused; but somebody is there, and may be the peer
      refused,
    } trust = Trust::peer;
    std::optional<DropReason> reason;  // of a refusal; none: unproven, which time will tell
    const char* why = "";              // what exactly does not verify
    ByteView message;                  // without its trailer
    Trailer trailer;
  };
  Checked check(TimePoint now, const ReceivedPacket& packet, ReplayWindow& window, bool is_pinned);

  // Over each further path.
  void send(const PathAdvert& advert);
  void add_to(LastWill& will, const PathAdvert& advert);
  bool has_further_paths() const;

  // ---- messages of the pair ----

  bool has_paths() const { return !paths_.empty(); }
  struct Heard {
    std::optional<DropReason> refused;
    struct Advert {
      PathAdvert advert;
      Trailer trailer;
    };
    std::optional<Advert> advert;  // for the virtual router it is about
    bool has_reports = false;      // report() has news
  };
  Heard on_message(TimePoint now, int interface_index, const ReceivedPacket& packet);

  // A hello goes out at the next on_time(): an instance's state, fault or priority changed.
  void report_soon(TimePoint now);
  // What the peer last said of the instance.
  std::optional<PeerReport> report(const Subject& subject) const;

  // ---- doctor ----

  // Asks the peer over every path, by unicast and where the virtual routers are by multicast as well; each probe
  // forgets the results of the one before.
  void start_probe(TimePoint now);
  std::vector<PathProbe> probe_results() const;

  void add_to(Status& status, TimePoint now) const;

 private:
  struct Path {
    PathConfig config;
    InterfaceInfo interface;                        // index 0 until it is known
    std::map<std::uint32_t, ReplayWindow> windows;  // by the trailers' subject; only what verified makes one
    std::optional<TimePoint> heard;                 // a hello or a probe, fresh
    bool is_told_lost = false;
    bool hears_us = false;
    std::uint64_t received = 0, sent = 0, send_errors = 0;
    std::optional<PathProbe> probe;

    std::optional<IpAddress> source() const;
    IpAddress destination() const { return config.peer.value_or(multicast_group(config.family)); }
    bool is_heard(TimePoint now) const { return heard && now - *heard < kPathLost; }
  };

  Path* find_path(int interface_index, const IpAddress& source);
  bool transmit(Path& path, const PeerMessage& message, const IpAddress& destination, std::uint32_t stream,
                bool to_candidate = false);
  void send_hello(TimePoint now, bool to_candidate = false);
  void use(const Config& config);
  PairSession::Opened open(TimePoint now, const ReceivedPacket& packet, ReplayWindow& window, bool is_pinned);
  void challenge(TimePoint now, bool is_candidate);
  void on_hello(TimePoint now, Path& path, const Hello& hello);
  void on_probe(TimePoint now, Path& path, const ReceivedPacket& packet, const Probe& probe);
  void on_probe_reply(TimePoint now, Path& path, const ProbeReply& reply);
  void heard_over(TimePoint now, Path& path, bool hears_us);
  WallTime wall(TimePoint now) const { return wall_at_zero_ + now.time_since_epoch(); }
  void tell(TimePoint now, JournalEntry::Level level, std::string event, std::string text);
  std::string name_of(const Path& path) const;

  Surroundings surroundings_;
  PairSession session_;
  std::vector<PairKey> keys_;
  std::vector<Path> paths_;
  std::map<std::string, InterfaceInfo> interfaces_;
  std::map<Subject, PeerReport> reports_;
  TimePoint hello_at_;
  std::optional<TimePoint> hello_sent_, challenged_;
  WallTime wall_at_zero_;

  // of messages in the peer's name that do not verify
  std::optional<TimePoint> failed_;
  std::uint64_t failed_of_peer_ = 0, peers_proven_ = 0;  // which life of the peer it was, and is
  std::optional<TimePoint> forged_;
  std::optional<TimePoint> unproven_;
  const char* failure_ = "";

  std::uint64_t probe_nonce_ = 0;
  TimePoint probed_;
  std::uint64_t hellos_sent_ = 0, hellos_received_ = 0, challenges_ = 0;
};

}  // namespace vipair::vrrp
