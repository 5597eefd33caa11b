// Any bytes as Accept-Encoding: nobody gets a coding that he did not name or that is not offered, and what is
// chosen of two is also chosen when it is alone.

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <string>

#include "common/base/assert.h"
#include "proxy/http/compression.h"

using namespace vipair::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const Coding gzip = preferred_coding(text, {true, false});
  const Coding brotli = preferred_coding(text, {false, true});
  const Coding both = preferred_coding(text, {true, true});
  VIPAIR_ASSERT(preferred_coding(text, {}) == Coding::identity, "nothing is offered");
  VIPAIR_ASSERT(gzip != Coding::brotli && brotli != Coding::gzip, "only what is offered");
  if (both == Coding::identity) {
    VIPAIR_ASSERT(gzip == Coding::identity && brotli == Coding::identity, "neither is acceptable");
  } else {
    VIPAIR_ASSERT((both == Coding::gzip ? gzip : brotli) == both, "the preferred one is acceptable");
  }
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const bool names_any = lower.find('*') != std::string::npos;
  VIPAIR_ASSERT(gzip == Coding::identity || names_any || lower.find("gzip") != std::string::npos, "gzip was named");
  VIPAIR_ASSERT(brotli == Coding::identity || names_any || lower.find("br") != std::string::npos, "br was named");
  return 0;
}
