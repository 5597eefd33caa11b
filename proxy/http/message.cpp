#include "proxy/http/message.h"

#include <array>
#include <cstddef>

#include "proxy/http/chars.h"

namespace vipair::http {
namespace {

struct KnownName {
  std::string_view name;  // lower case
  FieldName id = FieldName::other;
};

constexpr auto kKnownNames = std::to_array<KnownName>({
    {"connection", FieldName::connection},
    {"content-length", FieldName::content_length},
    {"transfer-encoding", FieldName::transfer_encoding},
    {"host", FieldName::host},
    {"expect", FieldName::expect},
    {"upgrade", FieldName::upgrade},
    {"te", FieldName::te},
    {"trailer", FieldName::trailer},
    {"keep-alive", FieldName::keep_alive},
    {"proxy-connection", FieldName::proxy_connection},
    {"proxy-authenticate", FieldName::proxy_authenticate},
    {"proxy-authorization", FieldName::proxy_authorization},
    {"via", FieldName::via},
    {"forwarded", FieldName::forwarded},
    {"x-forwarded-for", FieldName::x_forwarded_for},
    {"x-forwarded-proto", FieldName::x_forwarded_proto},
    {"x-forwarded-host", FieldName::x_forwarded_host},
    {"x-request-id", FieldName::x_request_id},
    {"x-real-ip", FieldName::x_real_ip},
    {"date", FieldName::date},
    {"server", FieldName::server},
    {"max-forwards", FieldName::max_forwards},
    {"content-type", FieldName::content_type},
    {"cookie", FieldName::cookie},
    {"set-cookie", FieldName::set_cookie},
    {"user-agent", FieldName::user_agent},
    {"referer", FieldName::referer},
    {"location", FieldName::location},
    {"refresh", FieldName::refresh},
    {"authorization", FieldName::authorization},
    {"www-authenticate", FieldName::www_authenticate},
    {"content-encoding", FieldName::content_encoding},
    {"content-range", FieldName::content_range},
    {"cache-control", FieldName::cache_control},
    {"range", FieldName::range},
    {"accept-encoding", FieldName::accept_encoding},
    {"accept-ranges", FieldName::accept_ranges},
    {"etag", FieldName::etag},
    {"vary", FieldName::vary},
    {"client-cert", FieldName::client_cert},
    {"client-cert-chain", FieldName::client_cert},
});

// A perfect hash over length and the first and last letter, proved at compile time; neither is ever a '-', so a
// disguised name falls into the same slot as the name it imitates.
constexpr std::size_t kSlots = 256;
constexpr std::size_t slot_of(std::string_view name) {
  auto first = static_cast<unsigned>(static_cast<unsigned char>(name.front()) | 0x20);
  auto last = static_cast<unsigned>(static_cast<unsigned char>(name.back()) | 0x20);
  return (name.size() + first * 3 + last * 27) % kSlots;
}
constexpr std::size_t kLongestName = 19;

struct SlotTable {
  std::array<KnownName, kSlots> slots;
  bool is_perfect = true;
};
constexpr SlotTable kTable = [] {
  SlotTable table;
  for (const KnownName& known : kKnownNames) {
    KnownName& slot = table.slots[slot_of(known.name)];
    if (slot.id != FieldName::other || known.name.size() > kLongestName) table.is_perfect = false;
    slot = known;
  }
  return table;
}();
static_assert(kTable.is_perfect, "two names share a slot: choose other factors in slot_of()");
static_assert(static_cast<int>(FieldName::disguised) < 64, "FieldTable::present has a bit per name");

constexpr std::string_view kForwardedPrefix = "x-forwarded-";

// `lower` has no underscore. Equal but for case, and for '_' where `lower` has a '-'.
bool equal_but_for_underscores(std::string_view name, std::string_view lower) {
  for (std::size_t i = 0; i < lower.size(); ++i) {
    char c = name[i] == '_' ? '-' : to_lower(name[i]);
    if (c != lower[i]) return false;
  }
  return true;
}

bool is_equal(std::string_view name, std::string_view lower) {
  for (std::size_t i = 0; i < lower.size(); ++i)
    if (to_lower(name[i]) != lower[i]) return false;
  return true;
}

}  // namespace

FieldName field_name_from(std::string_view name) {
  if (name.empty()) return FieldName::other;
  if (name.size() <= kLongestName) {
    const KnownName& known = kTable.slots[slot_of(name)];
    if (known.name.size() == name.size()) {
      if (is_equal(name, known.name)) return known.id;
      if (equal_but_for_underscores(name, known.name)) return FieldName::disguised;
    }
  }
  if ((name.front() == 'x' || name.front() == 'X') && name.size() > kForwardedPrefix.size()) {
    auto prefix = name.substr(0, kForwardedPrefix.size());
    if (equal_but_for_underscores(prefix, kForwardedPrefix)) {
      return name.find('_') == std::string_view::npos ? FieldName::x_forwarded_other : FieldName::disguised;
    }
  }
  return FieldName::other;
}

bool is_safe(Method method) {
  return method == Method::get || method == Method::head || method == Method::options || method == Method::trace;
}

bool is_idempotent(Method method) { return is_safe(method) || method == Method::put || method == Method::delete_; }

Method method_from(std::string_view name) {  // case-sensitive (RFC 9110 section 9.1)
  switch (name.size()) {
    case 3:
      if (name == "GET") return Method::get;
      if (name == "PUT") return Method::put;
      break;
    case 4:
      if (name == "POST") return Method::post;
      if (name == "HEAD") return Method::head;
      break;
    case 5:
      if (name == "PATCH") return Method::patch;
      if (name == "TRACE") return Method::trace;
      break;
    case 6:
      if (name == "DELETE") return Method::delete_;
      break;
    case 7:
      if (name == "OPTIONS") return Method::options;
      if (name == "CONNECT") return Method::connect;
      break;
    default:
      break;
  }
  return Method::other;
}

const Field* FieldTable::find(FieldName id) const {
  if (!has(id)) return nullptr;
  for (const Field& field : *this)
    if (field.id == id) return &field;
  return nullptr;
}

}  // namespace vipair::http
