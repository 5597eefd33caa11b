#include "proxy/config_files.h"

#include <algorithm>
#include <utility>

namespace vipair::proxy {

namespace {

// Calls visit(BasicAuth&), visit(ErrorPage&) and visit(Sticky&) for each of them that names a file.
template <class AnyConfig, class Visit>
void for_each_content(AnyConfig& config, Visit visit) {
  auto visit_protection = [&](auto& protection) {
    if (protection.basic_auth && protection.basic_auth->password_file) visit(*protection.basic_auth);
  };
  visit_protection(config.protection);
  for (auto& page : config.error_pages) visit(page);
  for (auto& site : config.sites) {
    visit_protection(site.protection);
    for (auto& page : site.error_pages) visit(page);
    for (auto& route : site.routes) visit_protection(route.protection);
    for (auto& upstream : site.upstreams) {
      if (upstream.sticky && upstream.sticky->secret) visit(*upstream.sticky);
    }
  }
}

const FileSetting& file_of(const BasicAuth& auth) { return auth.password_file; }
const FileSetting& file_of(const ErrorPage& page) { return page.file; }
const FileSetting& file_of(const Sticky& sticky) { return sticky.secret; }

void read_again(BasicAuth& auth, ConfigErrors& errors) {
  if (auto users = read_users(auth.password_file)) {
    auth.users = std::move(users).value();
  } else {
    errors.push_back(std::move(users).error());
  }
}

void read_again(ErrorPage& page, ConfigErrors& errors) {
  if (auto content = read_file(page.file, kErrorPageBytesMax)) {
    page.content = std::move(content).value();
  } else {
    errors.push_back(std::move(content).error());
  }
}

void read_again(Sticky& sticky, ConfigErrors& errors) {
  if (auto keys = read_sticky_keys(sticky.secret)) {
    sticky.keys = std::move(keys).value();
  } else {
    errors.push_back(std::move(keys).error());
  }
}

}  // namespace

std::vector<std::string> content_files(const Config& config) {
  std::vector<std::string> files;
  for_each_content(config, [&](const auto& content) { files.push_back(file_of(content).path); });
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

Expected<Config, ConfigErrors> with_files_read_again(Config config) {
  ConfigErrors errors;
  for_each_content(config, [&](auto& content) { read_again(content, errors); });
  if (!errors.empty()) return Unexpected{std::move(errors)};
  return config;
}

}  // namespace vipair::proxy
