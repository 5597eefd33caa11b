// Any bytes as a Cookie field: what is left when ours is taken out holds no cookie of that name and every other
// one, in order and unchanged. The first byte says how long the name is that begins the input.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/base/assert.h"
#include "proxy/http/cookie.h"

using namespace vipair;
using namespace vipair::http;

namespace {

std::vector<std::pair<std::string, std::string>> cookies_of(std::string_view field) {
  std::vector<std::pair<std::string, std::string>> all;
  for_each_cookie(field, [&](std::string_view name, std::string_view value) {
    all.emplace_back(name, value);
    return true;
  });
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view name = input.substr(0, data[0] % 16);
  const std::string_view field = input.substr(name.size());
  Buffer out;
  VIPAIR_ASSERT(append_other_cookies(out, field, name) == out.size(), "it says how much there is");
  VIPAIR_ASSERT(out.size() <= field.size() * 2, "nothing is made up");
  VIPAIR_ASSERT(!cookie_in(out.view(), name), "ours is gone");
  auto expected = cookies_of(field);
  std::erase_if(expected, [&](const auto& cookie) { return cookie.first == name; });
  VIPAIR_ASSERT(cookies_of(out.view()) == expected, "the others are all there");
  return 0;
}
