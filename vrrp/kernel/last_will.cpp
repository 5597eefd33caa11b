#include "vrrp/kernel/last_will.h"

#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace vipair::vrrp {
namespace {

constexpr int kProtocolVrrp = 112;
constexpr int kTtl = 255;                                   // RFC 9568 sections 5.1.1.3 and 5.1.2.3
constexpr Duration kDrainTimeMax = std::chrono::hours(24);  // a damaged will could say anything
constexpr std::uint64_t kTimeMax = std::numeric_limits<Duration::rep>::max();
constexpr int kClassControl = 0xC0;  // CS6, network control

void write_address(ByteWriter& out, const IpAddress& address) {
  out.u8(static_cast<std::uint8_t>(address.bytes().size()));
  out.bytes(address.bytes());
}

std::optional<IpAddress> read_address(ByteReader& in) { return IpAddress::from_bytes(in.view(in.u8())); }

int set_option(const UniqueFd& socket, int level, int name, int value) {
  return ::setsockopt(socket.get(), level, name, &value, sizeof value);
}

// A raw socket that only sends: what arrives for the protocol is filtered out before it is queued.
UniqueFd open_raw(int family) {
  UniqueFd socket(::socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, kProtocolVrrp));
  if (!socket) return socket;
  sock_filter drop_all = {BPF_RET | BPF_K, 0, 0, 0};
  sock_fprog program = {1, &drop_all};
  int failed = ::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  if (family == AF_INET) {
    failed |= set_option(socket, IPPROTO_IP, IP_TTL, kTtl);
    failed |= set_option(socket, IPPROTO_IP, IP_MULTICAST_TTL, kTtl);
    failed |= set_option(socket, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
    failed |= set_option(socket, IPPROTO_IP, IP_TOS, kClassControl);
  } else {
    failed |= set_option(socket, IPPROTO_IPV6, IPV6_UNICAST_HOPS, kTtl);
    failed |= set_option(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, kTtl);
    failed |= set_option(socket, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
    failed |= set_option(socket, IPPROTO_IPV6, IPV6_TCLASS, kClassControl);
  }
  if (failed != 0) socket.reset();
  return socket;
}

template <class PacketInfo>
void set_control(msghdr& message, int level, int type, const PacketInfo& info) {
  cmsghdr* control = CMSG_FIRSTHDR(&message);
  control->cmsg_level = level;
  control->cmsg_type = type;
  control->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(control), &info, sizeof info);
  message.msg_controllen = CMSG_SPACE(sizeof info);
}

int send_advertisement(int socket, int interface_index, const IpAddress& source, const IpAddress& destination,
                       ByteView payload) {
  iovec data = {const_cast<std::uint8_t*>(payload.data()), payload.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in6_pktinfo))] = {};
  sockaddr_in to4{};
  sockaddr_in6 to6{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (destination.is_v4()) {
    to4.sin_family = AF_INET;
    std::memcpy(&to4.sin_addr, destination.bytes().data(), sizeof to4.sin_addr);
    message.msg_name = &to4;
    message.msg_namelen = sizeof to4;
    in_pktinfo info{};
    info.ipi_ifindex = interface_index;
    std::memcpy(&info.ipi_spec_dst, source.bytes().data(), sizeof info.ipi_spec_dst);
    set_control(message, IPPROTO_IP, IP_PKTINFO, info);
  } else {
    to6.sin6_family = AF_INET6;
    std::memcpy(&to6.sin6_addr, destination.bytes().data(), sizeof to6.sin6_addr);
    to6.sin6_scope_id = static_cast<std::uint32_t>(interface_index);
    message.msg_name = &to6;
    message.msg_namelen = sizeof to6;
    in6_pktinfo info{};
    info.ipi6_ifindex = static_cast<unsigned>(interface_index);
    std::memcpy(&info.ipi6_addr, source.bytes().data(), sizeof info.ipi6_addr);
    set_control(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
}

void write_release(ByteWriter& out, ReleaseMode mode, std::optional<TimePoint> until, const AddressSet& set) {
  out.u8(mode == ReleaseMode::lingering ? 1 : 0);
  out.u64(until ? static_cast<std::uint64_t>(until->time_since_epoch().count()) : 0);
  out.u32(static_cast<std::uint32_t>(set.interface_index));
  out.u8(static_cast<std::uint8_t>(set.interface.size()));
  out.bytes({reinterpret_cast<const std::uint8_t*>(set.interface.data()), set.interface.size()});
  out.u32(static_cast<std::uint32_t>(set.addresses.size()));
  for (const IpPrefix& prefix : set.addresses) {
    write_address(out, prefix.address);
    out.u8(static_cast<std::uint8_t>(prefix.length));
  }
}

struct Release {
  ReleaseMode mode = ReleaseMode::immediate;
  std::optional<TimePoint> until;
  int interface_index = 0;
  std::string_view interface;
};

// Who reads a will overrides what it wants to hear of.
struct WillVisitor {
  virtual ~WillVisitor() = default;
  virtual void resignation(int /*interface_index*/, const IpAddress& /*source*/, const IpAddress& /*destination*/,
                           ByteView /*message*/) {}
  virtual void setting(const InterfaceSetting&) {}
  virtual void drain_time(Duration) {}
  virtual void release(const Release&) {}
  virtual void address(const Release&, const IpPrefix&) {}
  virtual void take_down(int /*interface_index*/) {}
};

// In the order in which it is carried out. Allocates nothing. What cannot be read is left out.
void read_will(ByteView will, WillVisitor& visitor) {
  ByteReader in(will);
  const std::uint32_t resignations = in.u32();
  for (std::uint32_t i = 0; i < resignations && in.ok(); ++i) {
    const int interface_index = static_cast<int>(in.u32());
    const std::optional<IpAddress> source = read_address(in);
    const std::optional<IpAddress> destination = read_address(in);
    const ByteView message = in.view(in.u32());
    if (!in.ok() || !source || !destination || source->family() != destination->family()) continue;
    visitor.resignation(interface_index, *source, *destination, message);
  }
  const std::uint32_t settings = in.u32();
  for (std::uint32_t i = 0; i < settings && in.ok(); ++i) {
    InterfaceSetting setting;
    setting.interface_index = static_cast<int>(in.u32());
    setting.id = static_cast<int>(in.u32());
    setting.value = static_cast<int>(in.u32());
    if (in.ok()) visitor.setting(setting);
  }
  visitor.drain_time(Duration(static_cast<Duration::rep>(in.u64())));
  const std::uint32_t releases = in.u32();
  for (std::uint32_t i = 0; i < releases && in.ok(); ++i) {
    Release release;
    release.mode = in.u8() == 1 ? ReleaseMode::lingering : ReleaseMode::immediate;
    if (const std::uint64_t until = in.u64(); until != 0)
      release.until = TimePoint(Duration(static_cast<Duration::rep>(until & kTimeMax)));
    release.interface_index = static_cast<int>(in.u32());
    const ByteView name = in.view(in.u8());
    release.interface = {reinterpret_cast<const char*>(name.data()), name.size()};
    const std::uint32_t addresses = in.u32();
    if (in.ok()) visitor.release(release);
    for (std::uint32_t a = 0; a < addresses && in.ok(); ++a) {
      const std::optional<IpAddress> address = read_address(in);
      const int length = in.u8();
      if (in.ok() && address && length <= address->bits_max()) visitor.address(release, {*address, length});
    }
  }
  const std::uint32_t interfaces = in.u32();
  for (std::uint32_t i = 0; i < interfaces && in.ok(); ++i) {
    const int interface_index = static_cast<int>(in.u32());
    if (in.ok()) visitor.take_down(interface_index);
  }
}

}  // namespace

void encode_last_will(const KernelWill& will, Bytes& out) {
  out.clear();
  ByteWriter writer(out);
  writer.u32(static_cast<std::uint32_t>(will.resignations.size()));
  for (const OutgoingAdvertisement& advertisement : will.resignations) {
    writer.u32(static_cast<std::uint32_t>(advertisement.interface_index));
    write_address(writer, advertisement.source);
    write_address(writer, advertisement.destination);
    writer.u32(static_cast<std::uint32_t>(advertisement.message.size()));
    writer.bytes(advertisement.message);
  }
  const LingeringState& lingering = will.lingering;
  writer.u32(static_cast<std::uint32_t>(lingering.settings.size()));
  for (const InterfaceSetting& setting : lingering.settings) {
    writer.u32(static_cast<std::uint32_t>(setting.interface_index));
    writer.u32(static_cast<std::uint32_t>(setting.id));
    writer.u32(static_cast<std::uint32_t>(setting.value));
  }
  writer.u64(static_cast<std::uint64_t>(lingering.drain_time.count()));
  writer.u32(static_cast<std::uint32_t>(lingering.entries.size() + will.withdrawn.size()));
  for (const LingeringState::Entry& entry : lingering.entries)
    write_release(writer, ReleaseMode::lingering, entry.until, entry.set);
  for (const AddressSet& set : will.withdrawn) write_release(writer, ReleaseMode::immediate, std::nullopt, set);
  writer.u32(static_cast<std::uint32_t>(will.taken_down.size()));
  for (const int index : will.taken_down) writer.u32(static_cast<std::uint32_t>(index));
}

LingeringState decode_lingering(ByteView will) {
  struct Decoder : WillVisitor {
    void setting(const InterfaceSetting& setting) override {
      if (needed_value(setting.id)) state.settings.push_back(setting);
    }
    void drain_time(Duration time) override {
      state.drain_time = std::clamp(time, Duration::zero(), kDrainTimeMax);
    }
    void release(const Release& release) override {
      if (release.mode != ReleaseMode::lingering) return;
      state.entries.push_back({{std::string(release.interface), release.interface_index, {}}, release.until});
    }
    void address(const Release& release, const IpPrefix& prefix) override {
      if (release.mode == ReleaseMode::lingering) state.entries.back().set.addresses.push_back(prefix);
    }
    LingeringState state;
  } decoder;
  read_will(will, decoder);
  return std::move(decoder.state);
}

LastWillExecutor::LastWillExecutor()
    : rtnetlink_(open_rtnetlink()),
      batch_(rtnetlink_.get()),
      loopback_index_(static_cast<int>(::if_nametoindex("lo"))) {
  (void)prepare();
}

int LastWillExecutor::prepare() {
  int error = 0;
  if (!rtnetlink_) error = EPROTONOSUPPORT;
  if (!socket_v4_) socket_v4_ = open_raw(AF_INET);
  if (!socket_v4_) error = errno;
  if (!socket_v6_) socket_v6_ = open_raw(AF_INET6);
  if (!socket_v6_ && errno != EAFNOSUPPORT) error = errno;
  return error;
}

void LastWillExecutor::send_resignations(ByteView will, Result* result) {
  struct Sender : WillVisitor {
    Sender(const LastWillExecutor& executor, Result* result) : executor_(executor), result_(result) {}
    void resignation(int interface_index, const IpAddress& source, const IpAddress& destination,
                     ByteView message) override {
      const UniqueFd& socket = destination.is_v4() ? executor_.socket_v4_ : executor_.socket_v6_;
      const int error = send_advertisement(socket.get(), interface_index, source, destination, message);
      if (result_ == nullptr) return;
      ++(error == 0 ? result_->advertisements_sent : result_->advertisements_failed);
      if (result_->error == 0) result_->error = error;
    }
    const LastWillExecutor& executor_;
    Result* result_;
  } sender(*this, result);
  read_will(will, sender);
}

LastWillExecutor::Result LastWillExecutor::execute(ByteView will) {
  struct Releaser : WillVisitor {
    Releaser(RtnetlinkBatch& batch, int loopback_index, Result& result)
        : batch_(batch), loopback_index_(loopback_index), result_(result) {}
    void setting(const InterfaceSetting& setting) override {
      if (const auto value = needed_value(setting.id)) {
        batch_.set_ipv4_setting(setting.interface_index, setting.id, *value);
      }
    }
    void drain_time(Duration time) override {
      lifetime_ = std::clamp(time, Duration::zero(), kDrainTimeMax) + LingeringAddresses::kLifetimeMargin;
    }
    void address(const Release& release, const IpPrefix& prefix) override {
      if (release.mode == ReleaseMode::lingering) {
        batch_.add_host_address(loopback_index_, prefix.address, lifetime_);
      }
      batch_.remove_address(release.interface_index, prefix);
      ++(release.mode == ReleaseMode::lingering ? result_.addresses_lingering : result_.addresses_withdrawn);
    }
    void take_down(int interface_index) override { batch_.take_down(interface_index); }
    RtnetlinkBatch& batch_;
    int loopback_index_;
    Result& result_;
    Duration lifetime_{};
  };

  Result result;
  (void)prepare();
  send_resignations(will, &result);
  Releaser releaser(batch_, loopback_index_, result);
  read_will(will, releaser);
  const int error = batch_.flush();
  if (result.error == 0) result.error = error;
  send_resignations(will, nullptr);
  return result;
}

}  // namespace vipair::vrrp
