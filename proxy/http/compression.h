#pragma once
// Whether a response is compressed on its way to the client, and how its head changes with it (RFC 9110 sections
// 8.4, 8.8.1, 12.5.3 and 12.5.5).
//
// A response that might have been compressed for another client says Vary: Accept-Encoding whether it was or not. A
// strong entity tag names exact bytes: compressed, it becomes a weak one. Ranges count uncompressed bytes, so
// Accept-Ranges goes, and partial responses are left alone.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/message.h"

namespace vipair::http {

enum class Coding : std::uint8_t { identity, gzip, brotli };
inline constexpr std::size_t kCodings = static_cast<std::size_t>(Coding::brotli) + 1;
const char* to_string(Coding coding);  // as in Content-Encoding: "gzip", "br"

struct CodingsOffered {
  bool gzip = false;
  bool brotli = false;
};
// What a client gets: the acceptable coding with the greatest weight, brotli before gzip where weights are equal,
// and none when it does not ask for one, or asks that nobody transforms what it gets.
Coding preferred_coding(const RequestHead& head, const char* buffer, CodingsOffered offered);

struct CompressionRules {
  std::vector<std::string> types;   // lower case: "text/html", or "text/*"
  std::uint64_t length_min = 1024;  // bytes of a body whose length is known
  friend bool operator==(const CompressionRules&, const CompressionRules&) = default;
};

// Whether a response may be compressed at all, whoever asks; to HEAD as to GET.
bool is_compressible(const ResponseHead& head, const char* buffer, const CompressionRules& rules);

// A 304 whose client has the response in a coding of ours: it showed the weak tag that we had made of the server's
// strong one, and has to find it again in this answer (RFC 9110 section 15.4.5).
bool confirms_a_coded_response(const RequestHead& request, const char* request_buffer, const ResponseHead& response,
                               const char* response_buffer);

}  // namespace vipair::http
