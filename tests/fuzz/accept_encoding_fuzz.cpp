// Any bytes as Accept-Encoding: nobody gets a coding that he did not name or that is not offered, and what is
// chosen of two is also chosen when it is alone.

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <string>

#include "common/base/assert.h"
#include "proxy/http/compression.h"

using namespace vipair::http;

namespace {

Coding coding_for(const std::string& value, CodingsOffered offered) {
  RequestHead head;
  head.fields.fields[0].value = {0, static_cast<std::uint32_t>(value.size())};
  head.fields.fields[0].id = FieldName::accept_encoding;
  head.fields.count = 1;
  head.fields.present = std::uint64_t{1} << static_cast<int>(FieldName::accept_encoding);
  return preferred_coding(head, value.data(), offered);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const Coding gzip = coding_for(text, {true, false});
  const Coding brotli = coding_for(text, {false, true});
  const Coding both = coding_for(text, {true, true});
  VIPAIR_ASSERT(coding_for(text, {}) == Coding::identity, "nothing is offered");
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
