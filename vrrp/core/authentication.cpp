#include "vrrp/core/authentication.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"

namespace vipair::vrrp {

namespace {

// A public name of a key that tells nothing about it: another purpose than signing, hence another input.
std::uint32_t id_of(const PairKey& key, MacFunction mac) {
  static constexpr std::array<std::uint8_t, 7> kPurpose = {'k', 'e', 'y', ' ', 'i', 'd', 0};
  const auto digest = mac(key, kPurpose);
  return ByteReader(digest).u32();
}

// Takes as long whatever differs.
bool is_same(ByteView a, ByteView b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) difference |= unsigned{a[i]} ^ unsigned { b[i] };
  return difference == 0;
}

}  // namespace

std::uint32_t name_hash(std::string_view name) {
  std::uint32_t hash = 0x811C9DC5u;
  for (char c : name) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x01000193u;
  return hash == 0 ? 1 : hash;
}

std::optional<SealedMessage> read_trailer(ByteView bytes) {
  if (bytes.size() < kTrailerSize) return std::nullopt;
  SealedMessage sealed;
  sealed.message = bytes.first(bytes.size() - kTrailerSize);
  ByteReader reader(bytes.last(kTrailerSize));
  if (reader.u32() != kTrailerMagic) return std::nullopt;
  sealed.trailer.key_id = reader.u32();
  sealed.trailer.epoch = reader.u64();
  sealed.trailer.counter = reader.u64();
  sealed.trailer.echo = reader.u64();
  sealed.trailer.heard = reader.u64();
  sealed.trailer.subject = reader.u32();
  return sealed;
}

bool ReplayWindow::has_seen(const Trailer& trailer) const {
  return std::any_of(seen_.begin(), seen_.end(), [&](const Seen& seen) {
    return seen.epoch == trailer.epoch && trailer.counter <= seen.counter;
  });
}

bool ReplayWindow::note(const Trailer& trailer, bool is_fresh) {
  for (Seen& seen : seen_) {
    if (seen.epoch != trailer.epoch) continue;
    seen.counter = trailer.counter;
    return true;
  }
  if (seen_.size() == kEpochsMax) {
    if (!is_fresh) return false;
    seen_.erase(seen_.begin());
  }
  seen_.push_back({trailer.epoch, trailer.counter});
  return true;
}

PairSession::PairSession(std::uint64_t epoch, MacFunction mac) : mac_(mac), epoch_(epoch == 0 ? 1 : epoch) {}

void PairSession::set_keys(std::vector<PairKey> keys) {
  VIPAIR_ASSERT(keys.empty() || mac_ != nullptr, "keys need a MAC function");
  keys_.clear();
  for (const PairKey& key : keys) keys_.push_back({id_of(key, mac_), key});
}

void PairSession::seal(Bytes& message, const IpAddress& source, const IpAddress& destination,
                       std::uint32_t subject) {
  if (has_keys()) append(message, source, destination, ++counter_, peer_ ? peer_ : candidate_, subject);
}

void PairSession::seal_for_candidate(Bytes& message, const IpAddress& source, const IpAddress& destination,
                                     std::uint32_t subject) {
  if (has_keys()) append(message, source, destination, ++counter_, candidate_, subject);
}

void PairSession::seal_last_will(Bytes& message, const IpAddress& source, const IpAddress& destination,
                                 std::uint32_t subject) {
  if (has_keys()) append(message, source, destination, ++will_counter_, peer_, subject);
}

PairSession::Opened PairSession::open(ByteView bytes, const IpAddress& source, const IpAddress& destination,
                                      ReplayWindow& window) {
  const auto sealed = read_trailer(bytes);
  Opened opened;
  opened.message = sealed ? sealed->message : bytes;
  if (!has_keys()) return opened;  // the peer has got its key file already, we have not: no reason to part

  const auto refused = [&](Verdict verdict) {
    opened.verdict = verdict;
    return opened;
  };
  if (!sealed) return refused(Verdict::not_signed);
  const Trailer& trailer = opened.trailer = sealed->trailer;
  const auto key = std::find_if(keys_.begin(), keys_.end(),
                                [&](const Key& candidate) { return candidate.id == trailer.key_id; });
  if (key == keys_.end()) return refused(Verdict::unknown_key);
  if (trailer.epoch == 0 || trailer.epoch == epoch_ || is_retired(trailer.epoch) || window.has_seen(trailer))
    return refused(Verdict::replay);  // or a forged one that says so: the same to us
  const auto mac = mac_of(key->key, source, destination, bytes.first(bytes.size() - kMacSize));
  if (!is_same(mac, bytes.last(kMacSize))) return refused(Verdict::wrong_mac);

  const bool fresh = is_fresh(trailer);
  if (!window.note(trailer, fresh)) return refused(Verdict::replay);
  if (trailer.echo == epoch_ && trailer.heard > counter_) {
    // the peer heard what we have not said yet: this machine was set back to a former state of its own
    take_epoch(epoch_ + trailer.heard);
    opened.has_new_epoch = true;
    return refused(Verdict::unproven);
  }
  opened.is_candidate = !fresh && !(peer_ && peer_->value == trailer.epoch);
  if (!fresh) return refused(Verdict::unproven);
  if (candidate_ && candidate_->value == trailer.epoch) prove(*candidate_, opened);
  return opened;
}

// Also notes whose epoch it is, and how much of it was heard.
bool PairSession::is_fresh(const Trailer& trailer) {
  const bool is_known = peer_ && peer_->value == trailer.epoch;
  if (!is_known && (!candidate_ || candidate_->value != trailer.epoch))
    candidate_ = Epoch{trailer.epoch, 0, counter_};
  Epoch& epoch = is_known ? *peer_ : *candidate_;
  if (trailer.counter < kLastWillCounter) epoch.heard = std::max(epoch.heard, trailer.counter);
  if (trailer.echo != epoch_) return false;
  return is_known || !peer_ || trailer.heard > epoch.since;
}

void PairSession::append(Bytes& message, const IpAddress& source, const IpAddress& destination,
                         std::uint64_t counter, const std::optional<Epoch>& receiver, std::uint32_t subject) {
  message.reserve(message.size() + kTrailerSize);
  ByteWriter writer(message);
  writer.u32(kTrailerMagic);
  writer.u32(keys_.front().id);
  writer.u64(epoch_);
  writer.u64(counter);
  writer.u64(receiver ? receiver->value : 0);
  writer.u64(receiver ? receiver->heard : 0);
  writer.u32(subject);
  const auto mac = mac_of(keys_.front().key, source, destination, message);
  writer.bytes(mac);
}

std::array<std::uint8_t, kMacSize> PairSession::mac_of(const PairKey& key, const IpAddress& source,
                                                       const IpAddress& destination, ByteView signed_bytes) {
  scratch_.clear();
  ByteWriter writer(scratch_);
  writer.u8(static_cast<std::uint8_t>(source.bytes().size()));
  writer.bytes(source.bytes());
  writer.bytes(destination.bytes());
  writer.bytes(signed_bytes);
  const auto digest = mac_(key, scratch_);
  std::array<std::uint8_t, kMacSize> mac;
  std::copy_n(digest.begin(), kMacSize, mac.begin());
  return mac;
}

bool PairSession::is_retired(std::uint64_t epoch) const {
  return std::find(retired_.begin(), retired_.end(), epoch) != retired_.end();
}

// An epoch that is over never comes back: what was recorded of it says our epoch, and would count as fresh. When
// there are too many to remember, a new epoch of our own makes everything old that was said to us so far.
void PairSession::prove(const Epoch& epoch, Opened& opened) {
  if (peer_) retired_.push_back(peer_->value);
  peer_ = epoch;
  candidate_.reset();
  opened.is_new_peer = true;
  if (retired_.size() <= kRetiredEpochsMax) return;
  retired_.clear();
  take_epoch(epoch_ + 1);
  opened.has_new_epoch = true;
}

void PairSession::take_epoch(std::uint64_t epoch) {
  epoch_ = epoch == 0 ? 1 : epoch;
  counter_ = 0;
  will_counter_ = kLastWillCounter;
}

}  // namespace vipair::vrrp
