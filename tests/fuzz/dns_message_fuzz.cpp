// Any bytes as a name server's answer to a question for services (SRV): no reading beyond them, and what is taken
// from them is bounded by them.

#include <cstdint>
#include <vector>

#include "common/base/assert.h"
#include "proxy/server/dns_client.h"

using namespace vipair::proxy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kRecordMin =
      18;  // bytes of the shortest SRV record: a root name, ten bytes, six, a root name
  const std::vector<unsigned char> message(data, data + size);  // so that one byte too far is noticed
  const auto services = read_services(message);
  if (!services) {
    VIPAIR_ASSERT(!services.error().text.empty(), "a refusal has a reason");
    return 0;
  }
  VIPAIR_ASSERT(services->ttl >= vipair::Duration{}, "it lives for some time, or for none");
  VIPAIR_ASSERT(services->list.size() <= size / kRecordMin, "as many as there is room for");
  return 0;
}
