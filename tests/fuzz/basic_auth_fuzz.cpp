// Passwords: 'H' and any bytes as an Authorization field, 'F' and any bytes as a file of users. What is understood
// is one user and one password, and there is no second way to write them; a file that is taken is written and read
// again.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/assert.h"
#include "proxy/http/chars.h"
#include "proxy/policy/basic_auth.h"

using namespace vipair;
using namespace vipair::policy;

namespace {

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::string_view part = bytes.substr(i, 3);
    unsigned bits = 0;
    for (std::size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (k < part.size() ? static_cast<unsigned char>(part[k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) text += k <= part.size() ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

void check_field(const std::string& field) {
  const auto credentials = parse_credentials(field);
  if (!credentials) return;
  VIPAIR_ASSERT(credentials->size <= kCredentialsMax, "as much as there is room for");
  VIPAIR_ASSERT(credentials->user().find(':') == std::string_view::npos, "a user's name has no colon");
  for (std::string_view part : {credentials->user(), credentials->password()})
    for (char c : part)
      VIPAIR_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "nor a control character");
  const std::string whole = std::string(credentials->user()) + ":" + std::string(credentials->password());
  VIPAIR_ASSERT(base64(whole) == http::trim_blanks(std::string_view(field).substr(6)),
                "this is the only way to write it");
}

void check_file(const std::string& text) {
  const auto users = parse_password_file(text);
  if (!users) {
    VIPAIR_ASSERT(users.error().line > 0 && !users.error().message.empty(), "a refusal has a place and a reason");
    return;
  }
  VIPAIR_ASSERT(users->size() <= kUsersMax, "a bounded number");
  std::string written;
  for (const auto& [name, hash] : *users) {
    VIPAIR_ASSERT(!name.empty() && name.size() < kCredentialsMax && !hash.empty() && hash.front() == '$',
                  "an entry");
    written += name + ":" + hash + "\n";
  }
  const auto again = parse_password_file(written);
  VIPAIR_ASSERT(again && *again == *users, "the same users");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'H') check_field(text);
  if (data[0] == 'F') check_file(text);
  return 0;
}
