#include "common/ctl/import_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "common/runtime/config_file.h"

namespace vipair::ctl {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class ImportCommand : public testing::Test {
 protected:
  ImportCommand() {
    std::string pattern = (fs::temp_directory_path() / "vipair-import-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    folder_ = pattern;
  }
  ~ImportCommand() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& content) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << content;
  }
  std::string read(const std::string& name) const {
    std::ifstream file(folder_ / name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  int run(const std::string& from, const std::string& to = "") {
    CommandLine line;
    line.command = Command::import_keepalived;
    line.files = {folder_ / from};
    if (!to.empty()) line.files.push_back(folder_ / to);
    out_.str("");
    err_.str("");
    return run_import(line, out_, err_);
  }
  fs::path folder_;
  std::ostringstream out_, err_;
};

constexpr const char* kInstance =
    "vrrp_instance web {\ninterface eth0\nvirtual_router_id 7\nvirtual_ipaddress {\n10.0.0.1/8\n}\n"
    "authentication {\nauth_type PASS\nauth_pass secret\n}\nnotify /bin/true\n}\n";

TEST_F(ImportCommand, PrintsAndSaysWhatElseIsNeeded) {
  write("k.conf", kInstance);
  EXPECT_EQ(run("k.conf"), 0);
  EXPECT_THAT(out_.str(), HasSubstr("virtual_routers = ("));
  EXPECT_THAT(err_.str(), HasSubstr("it needs /etc/vipair/secrets/web.pass"));
  EXPECT_THAT(err_.str(), HasSubstr("it needs /etc/vipair/keepalived-notify"));
  EXPECT_THAT(out_.str() + err_.str(), Not(HasSubstr("secret\n")));
}

TEST_F(ImportCommand, WritesEverythingBesideTheSecondFile) {
  write("k.conf", kInstance);
  write("new/here", "");
  EXPECT_EQ(run("k.conf", "new/node.conf"), 0) << err_.str();
  EXPECT_THAT(read("new/node.conf"), HasSubstr("notify = [ \"" + (folder_ / "new/keepalived-notify").string()));
  EXPECT_EQ(read("new/secrets/web.pass"), "secret\n");
  struct stat info {};
  ASSERT_EQ(::stat((folder_ / "new/secrets/web.pass").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  ASSERT_EQ(::stat((folder_ / "new/secrets").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
  ASSERT_EQ(::stat((folder_ / "new/keepalived-notify").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0755u);
}

TEST_F(ImportCommand, OverwritesNothing) {
  write("k.conf", kInstance);
  write("secrets/web.pass", "mine");
  EXPECT_EQ(run("k.conf", "node.conf"), kExitFailed);
  EXPECT_THAT(err_.str(), HasSubstr("web.pass exists already"));
  EXPECT_EQ(read("secrets/web.pass"), "mine");
  EXPECT_FALSE(fs::exists(folder_ / "node.conf"));
}

TEST_F(ImportCommand, RefusesWithLinesAndWritesNothing) {
  write("k.conf", std::string(kInstance) + "virtual_server 10.0.0.1 80 {\n}\n\x1b[31mred\n");
  EXPECT_EQ(run("k.conf", "node.conf"), kExitConfig);
  EXPECT_THAT(err_.str(), HasSubstr("k.conf:13: virtual_server cannot be kept"));
  EXPECT_EQ(err_.str().find('\x1b'), std::string::npos) << "control characters stay away from the terminal";
  EXPECT_FALSE(fs::exists(folder_ / "node.conf"));
}

TEST_F(ImportCommand, ReadsWhatIsIncludedRelativeToItsFile) {
  write("k.conf", "include conf.d/*.conf\n");
  write("conf.d/a.conf", "include ../more/b.conf\n");
  write("conf.d/c.conf/file", "a folder is passed over");
  write("more/b.conf", kInstance);
  EXPECT_EQ(run("k.conf"), 0) << err_.str();
  write("k.conf", "include conf.d/none.conf\n");
  EXPECT_EQ(run("k.conf"), kExitConfig);
  EXPECT_THAT(err_.str(), HasSubstr("k.conf:1: include: there is no file"));
}

TEST_F(ImportCommand, AFileThatIsNoneIsAFailure) {
  EXPECT_EQ(run("none.conf"), kExitFailed);
  EXPECT_EQ(run("."), kExitFailed);
}

}  // namespace
}  // namespace vipair::ctl
