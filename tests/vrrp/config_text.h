#pragma once
// Texts of node.conf for the loader's tests, and what the loader says to them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "vrrp/config.h"

namespace vipair::vrrp {

// A whole file around the settings of one virtual router, which stands in its last line.
inline std::string file_with(const std::string& router, const std::string& top = "") {
  return "node = \"lb-a\";\n" + top + "\nvirtual_routers = ( { name = \"web\"; interface = \"eth0\"; vrid = 51; " +
         router + " } );\n";
}
inline constexpr const char* kAddresses = "addresses = [ \"192.0.2.100/24\" ]; ";
inline constexpr const char* kPeer = "peer = { address = \"192.0.2.12\"; };";

inline std::string router(const std::string& settings) { return file_with(kAddresses + settings); }

// All errors, a line each; empty: the file is right.
inline std::string errors_of(const std::string& text) {
  auto config = parse_config(text, "node.conf");
  if (config) return "";
  std::string errors;
  for (const ConfigError& error : config.error()) errors += error.to_string() + "\n";
  return errors;
}

inline Config loaded(const std::string& text) {
  auto config = parse_config(text, "node.conf");
  EXPECT_TRUE(config) << errors_of(text);
  return config ? *config : Config{};
}

// A folder with files of secrets, private ones, and a node.conf beside them.
class SecretFiles : public testing::Test {
 protected:
  SecretFiles() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vipair-key-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    folder_ = pattern;
  }
  ~SecretFiles() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& content, mode_t mode = 0600) {
    std::ofstream(folder_ / name) << content;
    ::chmod((folder_ / name).c_str(), mode);
  }
  Expected<Config, ConfigErrors> load(const std::string& text) {
    write("node.conf", text);
    return load_config(folder_ / "node.conf");
  }
  std::string errors(const std::string& text) {
    auto config = load(text);
    std::string errors;
    if (!config)
      for (const ConfigError& error : config.error()) errors += error.to_string() + "\n";
    return errors;
  }
  std::filesystem::path folder_;
};

struct Mistake {
  const char* what;
  std::string text;
  const char* expected;  // part of the errors
};
inline void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.what; }

}  // namespace vipair::vrrp
