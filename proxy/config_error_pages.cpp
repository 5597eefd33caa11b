#include "proxy/config_error_pages.h"

#include <algorithm>
#include <utility>

#include "proxy/config_reader.h"
#include "proxy/http/chars.h"

namespace vipair::proxy {

std::vector<ErrorPage> read_error_pages(ConfigGroup& parent) {
  std::vector<ErrorPage> pages;
  auto groups = parent.groups("error_pages");
  if (!check_count(parent, "error_pages", groups.size(), kErrorPagesMax)) return pages;
  for (ConfigGroup& group : groups) {
    ErrorPage page;
    if (group.require("status")) {
      for (std::int64_t status : group.integers("status", 400, 599))
        page.statuses.push_back(static_cast<int>(status));
    }
    if (group.require("file")) page.file = read_file_setting(group, "file");
    if (page.file) {
      if (auto content = read_file(page.file, kErrorPageBytesMax)) {
        page.content = std::move(content).value();
      } else {
        group.error("file", content.error().message);
      }
    }
    if (auto type = group.text("content_type")) {
      page.content_type = type->value;
      if (type->value.empty() || std::any_of(type->value.begin(), type->value.end(), http::is_control))
        group.error(*type, in_quotes(type->value) + " is not a content type, expected for example \"text/html\"");
    }
    group.finish();
    pages.push_back(std::move(page));
  }
  return pages;
}

const ErrorPage* find_error_page(const std::vector<ErrorPage>& pages, int status) {
  for (const ErrorPage& page : pages) {
    if (std::find(page.statuses.begin(), page.statuses.end(), status) != page.statuses.end()) return &page;
  }
  return nullptr;
}

}  // namespace vipair::proxy
