#include "common/ctl/import_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/ctl/new_file.h"

namespace vipair::ctl {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

TEST(ImportText, TextsAreQuotedForLibconfig) {
  EXPECT_EQ(libconfig_text("a \"b\" \\c"), "\"a \\\"b\\\" \\\\c\"");
  EXPECT_EQ(libconfig_array({"a", "b c"}), "[ \"a\", \"b c\" ]");
}

TEST(ImportText, ThePeerOfMostIsNamedOnce) {
  Found found;
  found.node = "n";
  for (const char* peer : {"10.0.0.2", "10.0.0.2", "10.1.0.2", "fe80::2"}) {
    FoundRouter router;
    router.name = "r" + std::to_string(found.routers.size());
    router.peer = peer;
    router.addresses = {"10.0.0.1"};
    found.routers.push_back(router);
  }
  const std::string text = write_import(found, "/etc/vipair").node_conf;
  EXPECT_THAT(text, HasSubstr("peer = { address = \"10.0.0.2\"; address_ipv6 = \"fe80::2\"; };\n"));
  EXPECT_THAT(text, HasSubstr("    peer = { address = \"10.1.0.2\"; }; },\n"));
  EXPECT_THAT(text, Not(HasSubstr("    peer = { address = \"10.0.0.2\"")));
}

// The adapter is a program: it is run here, with scripts that write down how they were called.
class Adapter : public testing::Test {
 protected:
  Adapter() {
    std::string pattern = (fs::temp_directory_path() / "vipair-adapter-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    folder_ = pattern;
    EXPECT_TRUE(write_new_file(folder_ / "script",
                               "#!/bin/sh\n{ printf '%s|' \"$@\"; echo; } >>" + (folder_ / "calls").string() + "\n",
                               0755));
  }
  ~Adapter() override { fs::remove_all(folder_); }

  std::string script() const { return folder_ / "script"; }

  std::string calls_for(const std::string& event) {
    Found found;
    found.scripts = {{"web", "MASTER", "INSTANCE", "VI 1", 100, {script(), "up", "it's \"$x\""}, ""},
                     {"web", "STOP", "INSTANCE", "VI 1", 100, {script(), "stop"}, ""},
                     {"web", "", "INSTANCE", "VI 1", 100, {script(), "any"}, ""},
                     {"web", "", "GROUP", "G", 100, {script()}, ""},
                     {"other", "BACKUP", "INSTANCE", "other", 1, {script(), "other"}, ""}};
    const Imported imported = write_import(found, folder_);
    fs::remove(folder_ / "calls");
    fs::remove(folder_ / "adapter");
    EXPECT_TRUE(write_new_file(folder_ / "adapter", imported.files.at(0).content, 0755));
    EXPECT_TRUE(write_new_file(folder_ / ("event" + std::to_string(++events_)), event, 0600));
    const std::string command =
        (folder_ / "adapter").string() + " <" + (folder_ / ("event" + std::to_string(events_))).string();
    EXPECT_EQ(std::system(command.c_str()), 0);
    std::ifstream file(folder_ / "calls");
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  fs::path folder_;
  int events_ = 0;
};

TEST_F(Adapter, CallsTheScriptsOfTheRouterAndItsState) {
  EXPECT_EQ(calls_for(R"({"name":"web","family":"ipv4","from":"backup","to":"active","phase":"post_acquire"})"),
            "up|it's \"$x\"|\nany|INSTANCE|VI 1|MASTER|100|\nGROUP|G|MASTER|100|\n");
  EXPECT_EQ(calls_for(R"({ "name" : "other", "from" : "active", "to" : "backup", "phase" : "change" })"),
            "other|\n");
  EXPECT_EQ(calls_for(R"({"name":"web","to":"fault","phase":"change"})"),
            "any|INSTANCE|VI 1|FAULT|100|\nGROUP|G|FAULT|100|\n");
  EXPECT_EQ(calls_for(R"({"name":"web","to":"initialize","phase":"change"})"),
            "stop|\nany|INSTANCE|VI 1|STOP|100|\nGROUP|G|STOP|100|\n");
}

TEST_F(Adapter, IsSilentAboutWhatKeepalivedDoesNotKnow) {
  EXPECT_EQ(calls_for(R"({"name":"web","to":"yielding","phase":"change"})"), "");
  EXPECT_EQ(calls_for(R"({"name":"web","to":"active","phase":"pre_release"})"), "");
  EXPECT_EQ(calls_for(R"({"name":"nobody","to":"active","phase":"change"})"), "");
  EXPECT_EQ(calls_for(""), "");
}

}  // namespace
}  // namespace vipair::ctl
