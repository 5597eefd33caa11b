#include "common/runtime/config_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace vipair {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    char name[] = "/tmp/vipair-config-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = path_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A loader as the daemons write them, with a key of every kind.
struct Loaded {
  std::optional<ConfigText> name;
  std::optional<bool> preempt;
  std::optional<std::int64_t> vrid;
  std::optional<Duration> interval;
  std::optional<std::uint64_t> buffer;
  std::optional<std::size_t> balance;
  std::optional<IpAddress> peer;
  std::vector<ConfigText> addresses;
  std::vector<std::pair<ConfigText, ConfigText>> set;
  std::vector<std::optional<std::int64_t>> routers;
  std::vector<std::string> errors;
};

Loaded load(std::optional<ConfigFile> file, ConfigErrors& errors) {
  Loaded out;
  if (file) {
    ConfigGroup root = file->root();
    root.require("name");
    out.name = root.text("name");
    out.preempt = root.boolean("preempt");
    out.vrid = root.integer("vrid", 1, 255);
    out.interval = root.duration("interval", milliseconds(10), seconds(40));
    out.buffer = root.size("buffer", 1024, std::uint64_t{1} << 30);
    out.balance = root.choice("balance", {"round_robin", "least_connections", "random"});
    if (auto peer = root.group("peer")) {
      out.peer = peer->address("address");
      peer->finish();
    }
    out.addresses = root.texts("addresses");
    out.set = root.text_pairs("set");
    for (ConfigGroup router : root.groups("routers")) {
      out.routers.push_back(router.integer("vrid", 1, 255));
      router.finish();
    }
    root.finish();
  }
  for (const ConfigError& error : errors) out.errors.push_back(error.to_string());
  return out;
}

Loaded load_text(const std::string& text) {
  ConfigErrors errors;
  return load(ConfigFile::parse(text, "a.conf", errors), errors);
}

TEST(ConfigFile, ReadsEveryKindOfValue) {
  Loaded loaded = load_text(R"(
    name = "web"; preempt = true; vrid = 51; interval = "100ms"; buffer = "16KiB"; balance = "random";
    peer = { address = "2001:db8::12"; };
    addresses = [ "192.0.2.1/24", "2001:db8::1/64" ];
    set = ( [ "X-Real-IP", "${client_address}" ], ( "X-B", "" ) );
    routers = ( { vrid = 1; }, { vrid = 0xFF; }, { } );
  )");
  EXPECT_EQ(loaded.errors, std::vector<std::string>());
  EXPECT_EQ(loaded.name->value, "web");
  EXPECT_EQ(loaded.name->line, 2);
  EXPECT_EQ(loaded.name->file, "a.conf");
  EXPECT_EQ(loaded.name->setting, "name");
  EXPECT_EQ(loaded.preempt, true);
  EXPECT_EQ(loaded.vrid, 51);
  EXPECT_EQ(loaded.interval, Duration(milliseconds(100)));
  EXPECT_EQ(loaded.buffer, 16384u);
  EXPECT_EQ(loaded.balance, 2u);
  EXPECT_EQ(loaded.peer, IpAddress::parse("2001:db8::12"));
  ASSERT_EQ(loaded.addresses.size(), 2u);
  EXPECT_EQ(loaded.addresses[1].value, "2001:db8::1/64");
  EXPECT_EQ(loaded.addresses[1].setting, "addresses[1]");
  ASSERT_EQ(loaded.set.size(), 2u);
  EXPECT_EQ(loaded.set[0].first.value, "X-Real-IP");
  EXPECT_EQ(loaded.set[0].second.value, "${client_address}");
  EXPECT_EQ(loaded.set[0].second.setting, "set[0][1]");
  EXPECT_EQ(loaded.set[1].second.value, "");
  EXPECT_EQ(loaded.routers, (std::vector<std::optional<std::int64_t>>{1, 255, std::nullopt}));
}

TEST(ConfigFile, AbsentKeysAreNoMistake) {
  Loaded loaded = load_text("name = \"web\";");
  EXPECT_EQ(loaded.errors, std::vector<std::string>());
  EXPECT_FALSE(loaded.preempt || loaded.vrid || loaded.interval || loaded.buffer || loaded.balance || loaded.peer);
  EXPECT_TRUE(loaded.addresses.empty() && loaded.set.empty() && loaded.routers.empty());
}

TEST(ConfigFile, OneOfAListNeedsNoBrackets) {
  Loaded loaded = load_text("name = \"web\"; addresses = \"192.0.2.1\"; routers = { vrid = 7; };");
  EXPECT_EQ(loaded.errors, std::vector<std::string>());
  ASSERT_EQ(loaded.addresses.size(), 1u);
  EXPECT_EQ(loaded.addresses[0].setting, "addresses");
  EXPECT_EQ(loaded.routers, (std::vector<std::optional<std::int64_t>>{7}));
}

TEST(ConfigFile, EmptyListsAreEmpty) {
  Loaded loaded = load_text("name = \"web\"; addresses = [ ]; routers = [ ]; set = ( );");
  EXPECT_EQ(loaded.errors, std::vector<std::string>());
  EXPECT_TRUE(loaded.addresses.empty() && loaded.routers.empty() && loaded.set.empty());
}

TEST(ConfigFile, EachMistakeSaysWhatIsWrongAndWhatWouldBeRight) {
  const struct {
    const char* text;  // after name = "x";
    const char* error;
  } cases[] = {
      // wrong types
      {"vrid = \"51\";",
       "a.conf:2: vrid: found the text \"51\", expected an integer, 1 to 255, for example: vrid = 51;"},
      {"vrid = \"x\";",
       "a.conf:2: vrid: found the text \"x\", expected an integer, 1 to 255, for example: vrid = 1;"},
      {"vrid = 1.5;",
       "a.conf:2: vrid: found the number 1.5, expected an integer, 1 to 255, for example: vrid = 1;"},
      {"vrid = true;",
       "a.conf:2: vrid: found the boolean true, expected an integer, 1 to 255, for example: vrid = 1;"},
      {"vrid = [ 1 ];",
       "a.conf:2: vrid: found an array [ ], expected an integer, 1 to 255, for example: vrid = 1;"},
      {"vrid = { };", "a.conf:2: vrid: found a group { }, expected an integer, 1 to 255, for example: vrid = 1;"},
      {"preempt = 1;",
       "a.conf:2: preempt: found the integer 1, expected true or false, for example: preempt = true;"},
      {"preempt = \"true\";",
       "a.conf:2: preempt: found the text \"true\", expected true or false, for example: preempt = true;"},
      {"interval = 5;",
       "a.conf:2: interval: found the integer 5, expected a duration with a unit, for example: interval = \"1s\";"},
      {"buffer = 4096;",
       "a.conf:2: buffer: found the integer 4096, expected a size with a unit, for example: buffer = \"16KiB\";"},
      {"balance = false;",
       "a.conf:2: balance: found the boolean false, expected one of \"round_robin\", \"least_connections\", "
       "\"random\", "
       "for example: balance = \"round_robin\";"},
      {"peer = \"192.0.2.1\";",
       "a.conf:2: peer: found the text \"192.0.2.1\", expected a group, for example: peer = { … };"},
      {"peer = { address = 1; };",
       "a.conf:2: peer.address: found the integer 1, expected an IP address, for example: address = "
       "\"192.0.2.1\";"},
      {"addresses = 5;",
       "a.conf:2: addresses: found the integer 5, expected an array of texts, for example: addresses = [ \"5\" ];"},
      {"addresses = [ 5 ];",
       "a.conf:2: addresses[0]: found the integer 5, expected text in quotes, for example: \"5\""},
      {"routers = 5;",
       "a.conf:2: routers: found the integer 5, expected a list of groups, for example: routers = ( { … } );"},
      {"routers = ( { }, \"x\" );",
       "a.conf:2: routers[1]: found the text \"x\", expected a group, for example: { … }"},
      {"set = [ \"a\", \"b\" ];",
       "a.conf:2: set: found an array [ ], expected a list of pairs, for example: set = ( [ \"name\", \"value\" ] "
       ");"},
      {"set = ( \"a\" );",
       "a.conf:2: set[0]: found the text \"a\", expected a pair of texts, for example: [ \"name\", \"value\" ]"},
      {"set = ( [ \"a\" ] );",
       "a.conf:2: set[0]: found an array [ ] with 1 values, expected a pair of texts, for example: "
       "[ \"name\", \"value\" ]"},
      // out of range
      {"vrid = 256;", "a.conf:2: vrid: 256 is out of range, expected 1 to 255"},
      {"vrid = 0;", "a.conf:2: vrid: 0 is out of range, expected 1 to 255"},
      {"vrid = -1;", "a.conf:2: vrid: -1 is out of range, expected 1 to 255"},
      {"vrid = 5000000000L;", "a.conf:2: vrid: 5000000000 is out of range, expected 1 to 255"},
      {"routers = ( { }, { vrid = 256; } );", "a.conf:2: routers[1].vrid: 256 is out of range, expected 1 to 255"},
      {"routers = { vrid = 256; };", "a.conf:2: routers.vrid: 256 is out of range, expected 1 to 255"},
      {"interval = \"9ms\";", "a.conf:2: interval: \"9ms\" is out of range, expected 10ms to 40s"},
      {"interval = \"1d\";", "a.conf:2: interval: \"1d\" is out of range, expected 10ms to 40s"},
      {"buffer = \"2GiB\";", "a.conf:2: buffer: \"2GiB\" is out of range, expected 1KiB to 1GiB"},
      // wrong texts
      {"interval = \"5\";",
       "a.conf:2: interval: \"5\" is not a duration, expected a whole number with a unit (us ms s m h d), for "
       "example: "
       "interval = \"1s\";"},
      {"buffer = \"16kb\";",
       "a.conf:2: buffer: \"16kb\" is not a size, expected a whole number with a unit (B KiB MiB GiB TiB), for "
       "example: "
       "buffer = \"16KiB\";"},
      {"balance = \"roundrobin\";",
       "a.conf:2: balance: \"roundrobin\" is not known, expected one of \"round_robin\", \"least_connections\", "
       "\"random\" (did you mean \"round_robin\"?)"},
      {"balance = \"fair\";",
       "a.conf:2: balance: \"fair\" is not known, expected one of \"round_robin\", \"least_connections\", "
       "\"random\""},
      {"peer = { address = \"peer.example\"; };",
       "a.conf:2: peer.address: \"peer.example\" is not an IP address, expected for example \"192.0.2.1\" or "
       "\"2001:db8::1\""},
      // unknown keys
      {"intervall = \"1s\";", "a.conf:2: intervall: is not a known setting, did you mean \"interval\"?"},
      {"vird = 5;", "a.conf:2: vird: is not a known setting, did you mean \"vrid\"?"},
      {"PREEMPT = true;",
       "a.conf:2: PREEMPT: is not a known setting, expected one of name preempt vrid interval buffer balance peer "
       "addresses set routers"},
      {"peer = { adress = \"::1\"; };", "a.conf:2: peer.adress: is not a known setting, did you mean \"address\"?"},
      {"routers = ( { }, { number = 1; } );",
       "a.conf:2: routers[1].number: is not a known setting, expected one of vrid"},
      // syntax
      {"vrid = = 5;", "a.conf:2: syntax error at or before \"vrid = = 5;\""},
      {"vrid = 1; vrid = 2;", "a.conf:2: duplicate setting name at or before \"vrid = 1; vrid = 2;\""},
      {"name = \"y\";", "a.conf:2: duplicate setting name at or before \"name = \"y\";\""},
      {"addresses = [ \"a\", 1 ];",
       "a.conf:2: mismatched element type in array at or before \"addresses = [ \"a\", 1 ];\""},
      {"name2 = \"never closed",
       "a.conf:3: syntax error at the end of the file: is a quote or a bracket left open?"},
      {"peer = {", "a.conf:3: syntax error at the end of the file: is a quote or a bracket left open?"},
      {"@include \"missing.conf\"",
       "a.conf:2: cannot open include file at or before \"@include \"missing.conf\"\""},
      // hostile values stay one printable line
      {"balance = \"\\x1b[31m\\n\";",
       "a.conf:2: balance: \"\\x1b[31m\\x0a\" is not known, expected one of \"round_robin\", "
       "\"least_connections\", "
       "\"random\""},
  };
  for (const auto& each : cases) {
    Loaded loaded = load_text(std::string("name = \"x\";\n") + each.text + "\n");
    EXPECT_EQ(loaded.errors, std::vector<std::string>{each.error}) << each.text;
  }
}

TEST(ConfigFile, LongValuesAreCutInMessages) {
  Loaded loaded = load_text("name = \"x\"; balance = \"" + std::string(1 << 20, 'b') + "\";");
  ASSERT_EQ(loaded.errors.size(), 1u);
  EXPECT_LT(loaded.errors[0].size(), 300u);
}

TEST(ConfigFile, TenMistakesAreAllNamed) {
  Loaded loaded = load_text(R"(preempt = "yes";
vrid = 300;
interval = "fast";
buffer = "1B";
balance = "x";
peer = {
  address = "10.0.0.256";
  key = 5; };
addresses = [ 1, 2 ];
routers = ( { vrid = 0; } );
)");
  ASSERT_EQ(loaded.errors.size(), 11u);
  EXPECT_EQ(loaded.errors[0], "a.conf: name: is missing and has no default");
  const int lines[] = {1, 2, 3, 4, 5, 7, 8, 9, 9, 10};
  for (std::size_t i = 0; i < 10; ++i)
    EXPECT_TRUE(loaded.errors[i + 1].starts_with("a.conf:" + std::to_string(lines[i]) + ": "))
        << loaded.errors[i + 1];
}

// libconfig alone reads 4294967347 as 51.
TEST(ConfigFile, IntegersNeverWrapAround) {
  const struct {
    const char* text;
    const char* error;
  } cases[] = {
      {"4294967347", "a.conf:2: 4294967347 is out of range for an integer, which is at most 2147483647"},
      {"-4294967245", "a.conf:2: -4294967245 is out of range for an integer, which is at most 2147483647"},
      {"0x100000033", "a.conf:2: 0x100000033 is out of range for an integer, which is at most 2147483647"},
      {"99999999999999999999999",
       "a.conf:2: 99999999999999999999999 is out of range for an integer, which is at most 2147483647"},
      {"18446744073709551667L",
       "a.conf:2: 18446744073709551667L is out of range for an integer, which is at most 9223372036854775807"},
  };
  for (const auto& each : cases) {
    Loaded loaded = load_text(std::string("name = \"x\";\nvrid = ") + each.text + ";\n");
    ASSERT_FALSE(loaded.errors.empty()) << each.text;
    EXPECT_EQ(loaded.errors[0], each.error);
  }
  // where a number is none
  Loaded loaded = load_text(
      "name = \"4294967347 \\\" 4294967347\"; # 4294967347\n// 4294967347\n/* 4294967347\n4294967347 */ "
      "vrid = 51; x4294967347 = 5000000000.5; y = 5000000000e1;");
  for (const std::string& error : loaded.errors)
    EXPECT_EQ(error.find("for an integer"), std::string::npos) << error;
}

TEST(ConfigFile, NulByteDoesNotEndTheFileUnseen) {
  using namespace std::string_literals;
  Loaded loaded = load_text("name = \"x\";\n\0vrid = 300;"s);
  EXPECT_EQ(loaded.errors, std::vector<std::string>{"a.conf:2: a NUL byte, expected text"});
}

TEST(ConfigFile, TheSameTextTwiceInAListHasTwoPlaces) {
  ConfigErrors errors;
  auto file = ConfigFile::parse("x = [ \"b\",\n\"a\", \"b\",\n\"a\" ];", "f", errors);
  ASSERT_TRUE(file);
  std::vector<int> lines;
  for (const ConfigText& text : file->root().texts("x")) lines.push_back(text.line);
  EXPECT_EQ(lines, (std::vector<int>{1, 2, 2, 3}));
}

// A daemon reads its file again while it works: thousands of addresses on one line must not hold it up.
TEST(ConfigFile, ALongListOnOneLineTakesTimeInProportion) {
  std::string list = "x = [ ";
  for (int i = 0; i < 20'000; ++i) list += (i > 0 ? ", \"" : "\"") + std::to_string(1'000'000 + i) + "\"";
  ConfigErrors errors;
  const auto begin = std::chrono::steady_clock::now();
  auto file = ConfigFile::parse(list + " ];", "f", errors);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->root().texts("x").size(), 20'000u);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(5)) << "it takes some ten milliseconds";
}

TEST(ConfigFile, TextsInAListHaveTheirOwnLine) {
  ConfigErrors errors;
  auto file =
      ConfigFile::parse("a = [\n  \"one\",\n  \"two\"\n];\nb = ( \"same\",\n  \"same\"\n\n );\n", "a.conf", errors);
  ASSERT_TRUE(file);
  auto texts = file->root().texts("a");
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_EQ(texts[0].line, 2);
  EXPECT_EQ(texts[1].line, 3);
  texts = file->root().texts("b");
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_EQ(texts[0].line, 5);
  EXPECT_EQ(texts[1].line, 6);
}

TEST(ConfigFile, ErrorsOfTheLoaderCarryTheirPlace) {
  ConfigErrors errors;
  auto file = ConfigFile::parse("a = {\n  b = \"x\";\n  c = \"y\";\n};\n", "a.conf", errors);
  ASSERT_TRUE(file);
  auto group = file->root().group("a");
  ASSERT_TRUE(group);
  auto text = group->text("c");
  group->error("b", "names nobody");
  group->error("z", "clashes");
  group->error(*text, "is taken");
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_EQ(errors[0].to_string(), "a.conf:2: a.b: names nobody");
  EXPECT_EQ(errors[1].to_string(), "a.conf:1: a.z: clashes");
  EXPECT_EQ(errors[2].to_string(), "a.conf:3: a.c: is taken");
  EXPECT_EQ(group->setting(), "a");
  EXPECT_EQ(group->line(), 1);
  EXPECT_EQ(group->file(), "a.conf");
}

TEST(ConfigFile, AskingTwiceIsTheSameQuestion) {
  ConfigErrors errors;
  auto file = ConfigFile::parse("a = { b = 300; }; l = ( { c = 1; } );", "a.conf", errors);
  ASSERT_TRUE(file);
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(file->root().group("a")->integer("b", 1, 255));
    EXPECT_EQ(file->root().groups("l").at(0).integer("c", 1, 255), 1);
  }
  file->root().group("a")->finish();
  file->root().groups("l").at(0).finish();
  file->root().finish();
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].to_string(), "a.conf:1: a.b: 300 is out of range, expected 1 to 255");
}

TEST(ConfigFile, KnowsTextsFromGroups) {
  ConfigErrors errors;
  auto file = ConfigFile::parse(
      "a = [ \"x\" ]; b = ( \"x\" ); c = \"x\"; d = ( { } ); e = { }; f = ( ); g = 5; h = ( 1, { } );", "a.conf",
      errors);
  ASSERT_TRUE(file);
  for (const char* key : {"a", "b", "c", "f", "g", "h"}) EXPECT_TRUE(file->root().is_text_list(key)) << key;
  for (const char* key : {"d", "e", "absent"}) EXPECT_FALSE(file->root().is_text_list(key)) << key;
  EXPECT_TRUE(errors.empty());
}

TEST(ConfigFile, GroupsOutliveTheFileObject) {
  ConfigErrors errors;
  std::optional<ConfigGroup> group;
  {
    auto file = ConfigFile::parse("a = { b = \"text\"; };", "a.conf", errors);
    ASSERT_TRUE(file);
    group = file->root().group("a");
  }
  EXPECT_EQ(group->text("b")->value, "text");
}

TEST(ConfigFile, IncludesAreRelativeToTheFile) {
  TemporaryFolder folder;
  folder.write("parts/peer.conf", "peer = {\n  address = \"nonsense\"; };\n@include \"parts/more.conf\"\n");
  folder.write("parts/more.conf", "\nvrid = 4294967347;\n");
  const std::string path =
      folder.write("node.conf", "name = \"x\";\n@include \"parts/peer.conf\"\nbuffer = \"1\";\n");
  ConfigErrors errors;
  Loaded loaded = load(ConfigFile::load(path, errors), errors);
  ASSERT_EQ(loaded.errors.size(), 3u);
  EXPECT_EQ(loaded.errors[0], folder.path() +
                                  "/parts/more.conf:2: 4294967347 is out of range for an integer, which is "
                                  "at most 2147483647");
  EXPECT_TRUE(loaded.errors[1].starts_with(path + ":3: buffer: ")) << loaded.errors[1];
  EXPECT_TRUE(loaded.errors[2].starts_with(folder.path() + "/parts/peer.conf:2: peer.address: "))
      << loaded.errors[2];
}

TEST(ConfigFile, SyntaxErrorInAnIncludedFileNamesThatFile) {
  TemporaryFolder folder;
  const std::string part = folder.write("part.conf", "a = 1;\nb = ;\n");
  const std::string path = folder.write("node.conf", "name = \"x\";\n@include \"part.conf\"\n");
  ConfigErrors errors;
  EXPECT_FALSE(ConfigFile::load(path, errors));
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].file, part);
  EXPECT_EQ(errors[0].line, 2);
}

TEST(ConfigFile, IncludeLoopEnds) {
  TemporaryFolder folder;
  const std::string path = folder.write("node.conf", "@include \"node.conf\"\n");
  ConfigErrors errors;
  EXPECT_FALSE(ConfigFile::load(path, errors));
  EXPECT_EQ(errors.size(), 1u);
}

TEST(ConfigFile, PathsAreRelativeToTheirFile) {
  ConfigErrors errors;
  const struct {
    const char* file;
    const char* path;
    const char* result;
  } cases[] = {{"/etc/vipair/node.conf", "secrets/pair.key", "/etc/vipair/secrets/pair.key"},
               {"/etc/vipair/node.conf", "/run/secrets/key", "/run/secrets/key"},
               {"node.conf", "pair.key", "pair.key"},
               {"conf/node.conf", "pair.key", "conf/pair.key"},
               {"/node.conf", "pair.key", "/pair.key"}};
  for (const auto& each : cases) {
    auto file = ConfigFile::parse("", each.file, errors);
    ASSERT_TRUE(file);
    EXPECT_EQ(file->root().path_relative_to_file(each.path), each.result);
  }
}

TEST(ConfigFile, UnreadableFilesSayWhy) {
  TemporaryFolder folder;
  ConfigErrors errors;
  EXPECT_FALSE(ConfigFile::load(folder.path() + "/none.conf", errors));
  EXPECT_FALSE(ConfigFile::load(folder.path(), errors));
  EXPECT_FALSE(ConfigFile::load(folder.write("big.conf", std::string(kConfigSizeMax + 1, '#')), errors));
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_EQ(errors[0].to_string(), folder.path() + "/none.conf: cannot be opened: No such file or directory");
  EXPECT_EQ(errors[1].to_string(), folder.path() + ": cannot be read: Is a directory");
  EXPECT_EQ(errors[2].to_string(), folder.path() + "/big.conf: is larger than 16MiB");
  EXPECT_FALSE(ConfigFile::parse(std::string(kConfigSizeMax + 1, '#'), "a.conf", errors));
  EXPECT_EQ(errors.size(), 4u);
}

TEST(ConfigFile, EndlessMistakesAreCut) {
  std::string text = "name = \"x\";\n";
  for (std::size_t i = 0; i < 2 * kConfigErrorsMax; ++i) text += "key_number_" + std::to_string(i) + " = 1;\n";
  Loaded loaded = load_text(text);
  ASSERT_EQ(loaded.errors.size(), kConfigErrorsMax);
  EXPECT_EQ(loaded.errors.back(), "a.conf: too many mistakes, the others are not shown");
}

TEST(ConfigFile, DeepNestingIsRefusedNotFollowed) {
  for (const char* open : {"(", "{a=", "["}) {
    std::string text = "name = ";
    for (int i = 0; i < 100'000; ++i) text += open;
    EXPECT_EQ(load_text(text).errors.size(), 1u) << open;
  }
}

TEST(ConfigFile, IntegersAreAListOrASingleOne) {
  ConfigErrors errors;
  auto file = ConfigFile::parse("a = [ 1, 2 ]; b = ( 3, 4 ); c = 5; d = [ 6, 70 ]; e = ( 8, \"9\" ); f = \"x\";",
                                "f", errors);
  ASSERT_TRUE(file);
  ConfigGroup root = file->root();
  using Integers = std::vector<std::int64_t>;
  EXPECT_EQ(root.integers("a", 0, 9), (Integers{1, 2}));
  EXPECT_EQ(root.integers("b", 0, 9), (Integers{3, 4}));
  EXPECT_EQ(root.integers("c", 0, 9), (Integers{5}));
  EXPECT_EQ(root.integers("absent", 0, 9), (Integers{}));
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(root.integers("d", 0, 9), (Integers{6}));
  EXPECT_EQ(root.integers("e", 0, 9), (Integers{8}));
  EXPECT_EQ(root.integers("f", 0, 9), (Integers{}));
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_EQ(errors[0].to_string(), "f:1: d[1]: 70 is out of range, expected 0 to 9");
  EXPECT_EQ(errors[1].setting, "e[1]");
  EXPECT_EQ(errors[2].setting, "f");
}

}  // namespace
}  // namespace vipair
