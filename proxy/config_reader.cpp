#include "proxy/config_reader.h"

#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "proxy/http/chars.h"

namespace vipair::proxy {

bool consists_of(std::string_view text, std::string_view also) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return http::is_alpha(c) || http::is_digit(c) || also.find(c) != std::string_view::npos;
  });
}

bool is_name(std::string_view text) { return !text.empty() && text.size() <= kNameMax && consists_of(text, "-_."); }

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kShown = 80;  // bytes
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string result = "\"";
  for (char c : text.substr(0, kShown)) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      result += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      result += c;
    }
  }
  return result + (text.size() > kShown ? "…\"" : "\"");
}

std::string place(const ConfigText& text) { return text.file + ":" + std::to_string(text.line); }

void refuse_unsupported(ConfigGroup& group, std::initializer_list<std::string_view> keys) {
  for (std::string_view key : keys) {
    if (group.has(key)) group.error(key, std::string(kUnsupported));
  }
}

bool check_count(ConfigGroup& group, std::string_view key, std::size_t count, std::size_t max) {
  if (count <= max) return true;
  group.error(key, std::to_string(count) + " entries, expected at most " + std::to_string(max));
  return false;
}

std::optional<IpEndpoint> read_endpoint(ConfigGroup& group, const ConfigText& text, std::string_view example) {
  auto endpoint = IpEndpoint::parse(text.value);
  const char* wrong = nullptr;
  if (!endpoint) {
    wrong = " is not an address with a port";
  } else if (endpoint->port == 0) {
    wrong = " has port 0";
  } else if (endpoint->address.is_multicast()) {
    wrong = " is a multicast address";
  } else if (endpoint->address.is_v6() && endpoint->address.is_link_local()) {
    wrong = " means another host on every interface";
  }
  if (!wrong) return endpoint;
  group.error(text, in_quotes(text.value) + wrong + ", expected for example " + in_quotes(example));
  return std::nullopt;
}

void read_socket_path(ConfigGroup& root, std::string_view key, std::string& path) {
  auto text = root.text(key);
  if (!text) return;
  path = root.path_relative_to_file(text->value);
  constexpr std::size_t kPathMax = sizeof(sockaddr_un::sun_path) - 1;
  if (text->value.empty() || path.size() > kPathMax)
    root.error(*text, "a socket's path has 1 to " + std::to_string(kPathMax) + " bytes");
}

FileSetting read_file_setting(ConfigGroup& group, std::string_view key) {
  auto text = group.text(key);
  if (!text) return {};
  if (text->value.empty()) {
    group.error(*text, "is empty, expected the path of a file");
    return {};
  }
  return {group.path_relative_to_file(text->value), text->file, text->line, text->setting};
}

Expected<std::string, ConfigError> read_file(const FileSetting& setting, std::size_t bytes_max) {
  auto wrong = [&](const std::string& why) {
    return Unexpected{setting.error(in_quotes(setting.path) + ": " + why)};
  };
  std::error_code error;
  if (!std::filesystem::is_regular_file(setting.path, error))
    return wrong(error ? error.message() : "is not a file");
  std::ifstream file(setting.path, std::ios::binary);
  if (!file) return wrong(std::error_code(errno, std::generic_category()).message());
  std::string text(bytes_max + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > bytes_max) return wrong("more than " + std::to_string(bytes_max) + " bytes");
  return text;
}

std::string absolute(const std::string& path) {
  std::error_code ec;
  auto result = std::filesystem::absolute(path, ec);
  return ec ? path : result.lexically_normal().string();
}

}  // namespace vipair::proxy
