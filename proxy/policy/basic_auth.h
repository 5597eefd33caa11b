#pragma once
// Basic authentication (RFC 7617) as far as it needs no computing: the credentials of a request, and the file of
// users with their hashed passwords, one "name:hash" per line as htpasswd writes it.

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/expected.h"

namespace vipair::policy {

inline constexpr std::size_t kCredentialsMax = 512;        // bytes of user, colon and password
inline constexpr std::size_t kUsersMax = 10'000;           // of one file
inline constexpr std::size_t kPasswordFileMax = 2u << 20;  // bytes

struct Credentials {
  std::array<char, kCredentialsMax> bytes;
  std::size_t user_size = 0, size = 0;
  std::string_view user() const { return {bytes.data(), user_size}; }
  std::string_view password() const { return {bytes.data() + user_size + 1, size - user_size - 1}; }
};

// Of the value of an Authorization field. None: another scheme, broken base64, no colon, a control character, or
// longer than kCredentialsMax.
std::optional<Credentials> parse_credentials(std::string_view authorization);

using Users = std::map<std::string, std::string, std::less<>>;  // hash by name

struct PasswordFileError {
  int line = 0;
  std::string message;  // never shows what stands there
};

// Hashes that crypt(3) knows and that are worth their name: bcrypt ($2a$, $2b$, $2y$), yescrypt ($y$), SHA-512 and
// SHA-256 ($6$, $5$), with a cost that a check can bear. Empty lines and lines that begin with '#' are skipped.
Expected<Users, PasswordFileError> parse_password_file(std::string_view text);

}  // namespace vipair::policy
