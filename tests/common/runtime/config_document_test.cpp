#include "common/runtime/config_document.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace vipair {
namespace {

std::string first_error(const std::string& text) {
  ConfigErrors errors;
  const auto document = ConfigDocument::parse(text, "a.conf", errors);
  return errors.empty() ? "" : errors[0].to_string();
}

TEST(ConfigDocument, ABrokenTextIsNoDocument) {
  ConfigErrors errors;
  EXPECT_EQ(ConfigDocument::parse("a = 1\nb = ;\n", "a.conf", errors), nullptr);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].file, "a.conf");
  EXPECT_EQ(errors[0].line, 2);
  EXPECT_NE(errors[0].message.find("at or before \"b = ;\""), std::string::npos) << errors[0].message;
}

TEST(ConfigDocument, WhatLibconfigDoesNotSeeIsSeen) {
  EXPECT_EQ(first_error("a = 1;\nb = 4294967347;"),
            "a.conf:2: 4294967347 is out of range for an integer, which is at most 2147483647");
  EXPECT_EQ(first_error("# 4294967347\n/* 4294967347 */ a = \"4294967347\";"), "") << "not in comments and texts";
  EXPECT_EQ(first_error(std::string("a = 1;\n\0b", 9)), "a.conf:2: a NUL byte, expected text");
}

TEST(ConfigDocument, TextsOfAListHaveTheLineTheyStandOn) {
  ConfigErrors errors;
  const auto document = ConfigDocument::parse("a = [\n  \"x\",\n  \"x\"\n];\n", "a.conf", errors);
  ASSERT_NE(document, nullptr);
  const auto& list = document->root()["a"];
  ConfigDocument::Cursor cursor;
  EXPECT_EQ(document->line_of(list[0], cursor), 2);
  EXPECT_EQ(document->line_of(list[1], cursor), 3);
  EXPECT_EQ(document->file_of(list), "a.conf");
}

TEST(ConfigDocument, ReadsFilesOfALimitedSize) {
  char name[] = "/tmp/vipair-config-XXXXXX";
  const std::string folder = ::mkdtemp(name);
  std::ofstream(folder + "/a.conf") << "a = 1;";
  const auto small = ConfigDocument::read(folder + "/a.conf");
  ASSERT_TRUE(small) << small.error();
  EXPECT_EQ(*small, "a = 1;");
  std::ofstream(folder + "/large.conf") << std::string(kConfigSizeMax + 1, ' ');
  const auto large = ConfigDocument::read(folder + "/large.conf");
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error(), "is larger than 16MiB");
  const auto missing = ConfigDocument::read(folder + "/missing.conf");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(), "cannot be opened: No such file or directory");
  std::filesystem::remove_all(folder);
}

TEST(ConfigDocument, PathsAreJoinedToTheirFolder) {
  EXPECT_EQ(directory_of("/etc/vipair/node.conf"), "/etc/vipair");
  EXPECT_EQ(directory_of("/node.conf"), "/");
  EXPECT_EQ(directory_of("node.conf"), "");
  EXPECT_EQ(join_path("/etc", "a"), "/etc/a");
  EXPECT_EQ(join_path("/", "a"), "/a");
  EXPECT_EQ(join_path("/etc", "/a"), "/a");
  EXPECT_EQ(join_path("", "a"), "a");
}

}  // namespace
}  // namespace vipair
