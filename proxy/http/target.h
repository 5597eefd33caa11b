#pragma once
// The one canonical form of a request's path (RFC 3986 section 6.2.2), used for matching, for access rules and for
// what is forwarded, so that the proxy and the origin cannot read a path differently:
//   - percent-encoded unreserved characters are decoded, other encodings get upper-case digits;
//   - "." and ".." segments are resolved, also those that were encoded;
//   - refused: an encoded slash, backslash or NUL, a backslash, a broken encoding, and dot segments with parameters
//     ("/..;x/"), which some origins resolve.
// Repeated slashes mean something to some origins and stay. The query stays as it was sent.

#include <string_view>

#include "common/base/expected.h"
#include "proxy/http/buffer.h"
#include "proxy/http/message.h"

namespace vipair::http {

enum class TargetError : std::uint8_t { bad_percent_encoding, encoded_delimiter, backslash, ambiguous_dot_segment };
inline constexpr std::size_t kTargetErrors = static_cast<std::size_t>(TargetError::ambiguous_dot_segment) + 1;
const char* to_string(TargetError error);  // each is a 400

struct Target {
  std::string_view path;   // starts with '/'; "*" for OPTIONS * and "OPTIONS http://host"; empty in authority form
  std::string_view query;  // with its '?', or empty
};

// The same for a path that begins with '/', with or without a query behind it. Views into it, or into `scratch`.
Expected<Target, TargetError> canonical_path(std::string_view path_and_query, Buffer& scratch);

// Views into `buffer` when the path is canonical as it was sent (nearly always), else into `scratch`, which is
// overwritten.
Expected<Target, TargetError> canonical_target(const RequestHead& head, const char* buffer, Buffer& scratch);

}  // namespace vipair::http
