// What proxies say of their clients, as an attacker would write it: no reading outside of the text, and lists taken
// from the end have the elements that a reader from the front finds.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/chars.h"
#include "proxy/http/forwarded.h"

using namespace vipair;

namespace {
void require(bool condition) {
  if (!condition) std::abort();
}

// Elements from the front; false when a quoted string does not end.
bool split(std::string_view text, std::vector<std::string_view>& elements) {
  std::size_t begin = 0;
  bool is_quoted = false;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == ',' && !is_quoted)) {
      const std::string_view element = http::trim_blanks(text.substr(begin, i - begin));
      if (!element.empty()) elements.push_back(element);
      begin = i + 1;
    } else if (text[i] == '"') {
      is_quoted = !is_quoted;
    } else if (text[i] == '\\' && is_quoted) {
      ++i;
      if (i >= text.size()) return false;
    }
  }
  return !is_quoted;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string copy(reinterpret_cast<const char*>(data), size);  // so that one byte too far is noticed
  std::vector<std::string_view> expected;
  const bool is_clear = split(copy, expected);
  http::ListFromTheEnd list(copy);
  std::size_t taken = 0;
  while (auto element = list.next()) {
    ++taken;
    if (is_clear) {
      require(taken <= expected.size());
      require(expected[expected.size() - taken] == *element);
    }
    if (auto node = http::forwarded_for(*element)) (void)http::parse_node(*node);
    if (auto address = http::parse_node(*element)) require(http::parse_node(address->to_string()) == address);
  }
  require(!is_clear || taken == expected.size());
  return 0;
}
