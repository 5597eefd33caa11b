// keepalived.conf from anybody: import ends with mistakes that say where, or with a node.conf that the loader
// reads. What the loader may still refuse is what it alone knows (an address twice, a network's address); never
// syntax, never a setting that it does not know.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/assert.h"
#include "common/ctl/import.h"
#include "vrrp/config.h"

using namespace vipair;

// libconfig forgets the text of a string that is never closed.
extern "C" const char* __lsan_default_suppressions() { return "leak:libconfig"; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  int depth = 0;
  const ctl::ReadIncluded read = [&](const std::string& pattern, const std::string&) {
    using Sources = Expected<std::vector<ctl::SourceText>, std::string>;
    if (pattern.size() % 2 == 0 || ++depth > 20) return Sources(Unexpected{std::string("no such file")});
    return Sources(std::vector<ctl::SourceText>(2, {"included", text}));
  };
  const auto imported = ctl::import_keepalived({"keepalived.conf", text}, read, {"", "host", "/nonexistent"});
  if (!imported) {
    VIPAIR_ASSERT(!imported.error().empty(), "a refusal has a reason");
    for (const ctl::Remark& error : imported.error())
      VIPAIR_ASSERT(error.place.line > 0 && !error.text.empty(), "a place and a reason");
    return 0;
  }
  const auto config = vrrp::parse_config(imported->node_conf, "/nonexistent/node.conf");
  if (config) return 0;
  for (const ConfigError& error : config.error()) {
    const bool is_foreign = error.setting.empty() || error.message.find("known setting") != std::string::npos ||
                            error.message.find("found ") == 0 || error.message.find("is missing") == 0;
    VIPAIR_ASSERT(!is_foreign, "the loader knows what import writes");
  }
  return 0;
}
