#pragma once
// error_pages = ( { status = [ 502, 503 ]; file = "…"; } ) of the proxy or a site: what stands in place of our own
// pages. Files are read when the configuration is.

#include <cstddef>
#include <string>
#include <vector>

#include "common/runtime/config_file.h"
#include "proxy/config_reader.h"

namespace vipair::proxy {

inline constexpr std::size_t kErrorPagesMax = 50;  // per level
inline constexpr std::size_t kErrorPageBytesMax = 256 * 1024;

struct ErrorPage {
  std::vector<int> statuses;
  FileSetting file;
  std::string content_type = "text/html; charset=utf-8";
  std::string content;
  friend bool operator==(const ErrorPage&, const ErrorPage&) = default;
};

std::vector<ErrorPage> read_error_pages(ConfigGroup& group);

// The first page for this status; nullptr: there is none.
const ErrorPage* find_error_page(const std::vector<ErrorPage>& pages, int status);

}  // namespace vipair::proxy
