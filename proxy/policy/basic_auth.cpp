#include "proxy/policy/basic_auth.h"

#include <algorithm>
#include <charconv>

#include "proxy/http/chars.h"

namespace vipair::policy {

namespace {

constexpr std::size_t kHashMax = 256;     // bytes
constexpr int kBcryptCostMax = 14;        // about a second
constexpr int kShaRoundsMax = 1'000'000;  // about a second

int sextet(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

// RFC 4648 section 4, with its padding. False: broken, or too long for the place.
bool decode_base64(std::string_view text, std::array<char, kCredentialsMax>& out, std::size_t& size) {
  if (text.size() % 4 != 0) return false;
  std::size_t padding = 0;
  while (padding < 2 && !text.empty() && text.back() == '=') {
    text.remove_suffix(1);
    ++padding;
  }
  if (text.size() / 4 * 3 + 2 > out.size()) return false;
  unsigned bits = 0;
  int count = 0;
  size = 0;
  for (char c : text) {
    const int value = sextet(c);
    if (value < 0) return false;
    bits = (bits << 6 | static_cast<unsigned>(value)) & 0xffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out[size++] = static_cast<char>(bits >> count & 0xff);
  }
  return (bits & ((1u << count) - 1)) == 0;
}

std::optional<int> number_in(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return number;
}

// What is wrong with a hash, or nothing.
std::string wrong_with_hash(std::string_view hash) {
  auto begins = [hash](std::string_view with) { return hash.substr(0, with.size()) == with; };
  constexpr const char* kHowTo = ", expected for example what `htpasswd -B` or `mkpasswd -m sha-512` writes";
  if (hash.size() > kHashMax) return std::string("the hash is too long") + kHowTo;
  for (char c : hash)
    if (c <= ' ' || c > '~' || c == ':') return std::string("the hash has a character that none has") + kHowTo;
  if (begins("$2a$") || begins("$2b$") || begins("$2y$")) {
    const auto cost = hash.size() == 60 ? number_in(hash.substr(4, 2)) : std::nullopt;
    if (!cost || *cost < 4) return std::string("this is not a whole bcrypt hash") + kHowTo;
    if (*cost > kBcryptCostMax)
      return "bcrypt with a cost above " + std::to_string(kBcryptCostMax) + " takes too long";
    return {};
  }
  if (begins("$5$") || begins("$6$")) {
    const std::string_view rest = hash.substr(3);
    constexpr std::string_view kRounds = "rounds=";
    if (rest.substr(0, kRounds.size()) == kRounds) {
      const auto rounds = number_in(rest.substr(kRounds.size(), rest.find('$') - kRounds.size()));
      if (!rounds || *rounds > kShaRoundsMax)
        return "more than " + std::to_string(kShaRoundsMax) + " rounds take too long";
    }
    if (std::count(rest.begin(), rest.end(), '$') == 0) return std::string("this is not a whole hash") + kHowTo;
    return {};
  }
  if (begins("$y$")) return {};
  if (begins("$apr1$") || begins("$1$")) return std::string("MD5 is not safe for passwords") + kHowTo;
  if (begins("{SHA}")) return std::string("SHA-1 without salt is not safe for passwords") + kHowTo;
  return std::string("the password is not hashed, or in a way that is not known") + kHowTo;
}

}  // namespace

std::optional<Credentials> parse_credentials(std::string_view authorization) {
  constexpr std::string_view kScheme = "basic ";
  if (authorization.size() <= kScheme.size() ||
      !http::equal_ignoring_case(authorization.substr(0, kScheme.size()), kScheme))
    return {};
  Credentials credentials;
  const std::string_view encoded = http::trim_blanks(authorization.substr(kScheme.size()));
  if (!decode_base64(encoded, credentials.bytes, credentials.size)) return {};
  const std::string_view decoded(credentials.bytes.data(), credentials.size);
  const auto colon = decoded.find(':');
  if (colon == std::string_view::npos || std::any_of(decoded.begin(), decoded.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
      }))
    return {};
  credentials.user_size = colon;
  return credentials;
}

Expected<Users, PasswordFileError> parse_password_file(std::string_view text) {
  Users users;
  for (int line = 1; !text.empty(); ++line) {
    auto wrong = [line](std::string message) { return Unexpected{PasswordFileError{line, std::move(message)}}; };
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view entry = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!entry.empty() && entry.back() == '\r') entry.remove_suffix(1);
    if (entry.empty() || entry.front() == '#') continue;
    const auto colon = entry.find(':');
    if (colon == std::string_view::npos || colon == 0) return wrong("expected \"name:hash\"");
    const std::string_view name = entry.substr(0, colon);
    if (std::any_of(name.begin(), name.end(), http::is_control)) return wrong("a name has no control characters");
    if (name.size() >= kCredentialsMax) return wrong("the name is too long");
    if (std::string message = wrong_with_hash(entry.substr(colon + 1)); !message.empty()) return wrong(message);
    if (!users.emplace(name, entry.substr(colon + 1)).second) return wrong("this name stands here twice");
    if (users.size() > kUsersMax) return wrong("more than " + std::to_string(kUsersMax) + " users");
  }
  return users;
}

}  // namespace vipair::policy
