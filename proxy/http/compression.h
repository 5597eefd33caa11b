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
const char* to_string(Coding coding);  // as in Content-Encoding: "gzip", "br"

struct CodingsOffered {
  bool gzip = false;
  bool brotli = false;
};
// What a client gets: the acceptable coding with the greatest weight, brotli before gzip where weights are equal,
// and none when it does not ask for one. `accept_encoding` is the value of all such fields, joined by commas.
Coding preferred_coding(std::string_view accept_encoding, CodingsOffered offered);

struct CompressionRules {
  std::vector<std::string> types;   // lower case: "text/html", or "text/*"
  std::uint64_t length_min = 1024;  // bytes of a body whose length is known
  friend bool operator==(const CompressionRules&, const CompressionRules&) = default;
};

// Whether a response may be compressed at all, whoever asks; to HEAD as to GET.
bool is_compressible(const ResponseHead& head, const char* buffer, const CompressionRules& rules);

}  // namespace vipair::http
