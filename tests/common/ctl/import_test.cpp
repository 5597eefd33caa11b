#include "common/ctl/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/ctl/import_command.h"

namespace vipair::ctl {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

const fs::path kFolder = fs::path(VIPAIR_SOURCE_DIR) / "tests/common/ctl/import";

std::string read(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

const ReadIncluded kNothingIncluded = [](const std::string& pattern, const std::string&) {
  return Expected<std::vector<SourceText>, std::string>(Unexpected{"include: no " + pattern});
};

Expected<Imported, std::vector<Remark>> import_text(const std::string& text) {
  return import_keepalived({"k.conf", text}, kNothingIncluded, {"", "host", "/etc/vipair"});
}
std::string errors_of(const std::string& text) {
  auto imported = import_text(text);
  std::string errors;
  if (!imported)
    for (const Remark& error : imported.error()) errors += error.to_string() + "\n";
  return errors;
}
std::string node_conf(const std::string& text) {
  auto imported = import_text(text);
  EXPECT_TRUE(imported) << errors_of(text);
  return imported ? imported->node_conf : "";
}
// One virtual router, whose settings begin in line 3.
std::string instance(const std::string& settings, const std::string& before = "") {
  return before + "\nvrrp_instance web {\ninterface eth0\nvirtual_router_id 7\nvirtual_ipaddress { 10.0.0.1/8 }\n" +
         settings + "\n}\n";
}

// ---- whole files: what import makes of NAME.conf is NAME.expected ----

std::string golden(const std::string& name) {
  auto include = [](const std::string& pattern, const std::string& file) {
    auto sources = read_included(pattern, (kFolder / file).string());
    if (sources)
      for (SourceText& source : *sources) source.path = fs::path(source.path).lexically_relative(kFolder);
    return sources;
  };
  auto imported =
      import_keepalived({name + ".conf", read(kFolder / (name + ".conf"))}, include, {"", "host", "/etc/vipair"});
  std::string text;
  if (!imported) {
    for (const Remark& error : imported.error()) text += error.to_string() + "\n";
    const std::size_t folder = text.find(kFolder.string() + "/");
    return folder == std::string::npos ? text : text.erase(folder, kFolder.string().size() + 1);
  }
  text = imported->node_conf;
  for (const ImportedFile& file : imported->files) {
    char mode[8];
    (void)std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(file.mode));
    text += "\n==== " + file.path + " " + mode + "\n" + file.content;
  }
  return text;
}

class ImportOfAFile : public testing::TestWithParam<const char*> {};

TEST_P(ImportOfAFile, IsAsExpected) {
  const fs::path expected = kFolder / (std::string(GetParam()) + ".expected");
  const std::string made = golden(GetParam());
  if (std::getenv("VIPAIR_WRITE_EXPECTED")) std::ofstream(expected) << made;  // read the difference before a commit
  EXPECT_EQ(made, read(expected));
}
INSTANTIATE_TEST_SUITE_P(Files, ImportOfAFile, testing::Values("pair", "unicast", "firewall", "refused"));

// ---- single settings ----

TEST(Import, SmallestFileHasTheDefaultsOfKeepalived) {
  const std::string text = node_conf(instance(""));
  for (const char* setting :
       {"node = \"host\";", "track_proxy = false;", "name = \"web\";", "interface = \"eth0\";", "vrid = 7;",
        "version = 2;", "priority = 100;", "advertisement_interval = \"1s\";", "preempt = true;",
        "addresses = [ \"10.0.0.1/8\" ]; }"})
    EXPECT_THAT(text, HasSubstr(setting));
  for (const char* setting :
       {"authentication =", "accept = false", "virtual_mac", "track =", "checks", "notify", "excluded"})
    EXPECT_THAT(text, Not(HasSubstr(setting)));
}

TEST(Import, VersionIsThatOfTheInstanceThenTheGlobalOne) {
  EXPECT_THAT(node_conf(instance("", "global_defs { vrrp_version 3 }")), HasSubstr("version = 3;"));
  EXPECT_THAT(node_conf(instance("version 2", "global_defs { vrrp_version 3 }")), HasSubstr("version = 2;"));
  EXPECT_THAT(node_conf("vrrp_instance x { interface eth0\nvirtual_router_id 1\nvirtual_ipaddress { fe80::1 } }"),
              HasSubstr("version = 3;"))
      << "IPv6 has no other";
}

TEST(Import, IntervalsAreKeptExactlyOrRefused) {
  EXPECT_THAT(node_conf(instance("version 3\nadvert_int 0.07")), HasSubstr("\"70ms\""));
  EXPECT_THAT(errors_of(instance("version 3\nadvert_int 0.075")), HasSubstr("k.conf:7: advert_int: version 3 has"));
  EXPECT_THAT(errors_of(instance("advert_int 0.5")), HasSubstr("steps of 1s"));
  EXPECT_THAT(errors_of(instance("advert_int 256")), HasSubstr("1s to 255s in steps of 1s"));
  EXPECT_THAT(errors_of(instance("advert_int 1,5")), HasSubstr("expected seconds"));
}

TEST(Import, PreemptionIsWhatKeepalivedMakesOfIt) {
  EXPECT_THAT(node_conf(instance("nopreempt")), HasSubstr("preempt = false;"));
  EXPECT_THAT(node_conf(instance("nopreempt\nstate MASTER")), HasSubstr("preempt = true;"));
  EXPECT_THAT(node_conf(instance("preempt_delay 2.5")), HasSubstr("preempt_delay = \"2500ms\";"));
  EXPECT_THAT(node_conf(instance("preempt_delay 2\nstate MASTER")), Not(HasSubstr("preempt_delay = ")));
  EXPECT_THAT(node_conf(instance("preempt_delay 2\nnopreempt")), Not(HasSubstr("preempt_delay = ")));
}

TEST(Import, PasswordsGoIntoFilesOfTheirOwn) {
  auto imported = import_text(instance("authentication {\nauth_type PASS\nauth_pass 123456789\n}"));
  ASSERT_TRUE(imported);
  EXPECT_THAT(imported->node_conf, HasSubstr("password_file = \"secrets/web.pass\""));
  EXPECT_THAT(imported->node_conf, Not(HasSubstr("12345")));
  ASSERT_EQ(imported->files.size(), 1u);
  EXPECT_EQ(imported->files[0].path, "secrets/web.pass");
  EXPECT_EQ(imported->files[0].content, "12345678\n");
  EXPECT_EQ(imported->files[0].mode, 0600u);
}

TEST(Import, WeightsMoveTheSameWay) {
  const std::string script = "vrrp_script s { script /bin/true\nweight 10 }";
  const std::string added = node_conf(instance("track_script {\ns\n}", script));
  EXPECT_THAT(added, HasSubstr("priority = 110;")) << "keepalived adds it while the script succeeds";
  EXPECT_THAT(added, HasSubstr("weight = 10; }"));
  const std::string taken = node_conf(instance("track_script {\ns weight -10\n}", script));
  EXPECT_THAT(taken, HasSubstr("priority = 100;"));
  EXPECT_THAT(taken, HasSubstr("weight = 10; }"));
  EXPECT_THAT(node_conf(instance("track_script {\ns weight -10 reverse\n}", script)),
              HasSubstr("weight = 10; reverse = true; }"));
  EXPECT_THAT(
      node_conf(instance("track_script {\ns weight -5\n}", "vrrp_script s { script /x\nweight 1 reverse }")),
      HasSubstr("weight = 5; reverse = true; }"))
      << "what is not said is as in the script";
  EXPECT_THAT(node_conf(instance("track_script {\ns weight 0\n}", script)), Not(HasSubstr("weight = ")));
  EXPECT_THAT(errors_of(instance("priority 250\ntrack_script {\ns\n}", script)), HasSubstr("together 260"));
  EXPECT_THAT(node_conf(instance("priority 255\ntrack_script {\ns\n}", script)), Not(HasSubstr("track = ")));
}

TEST(Import, AScriptTrackedInTwoWaysRunsOnce) {
  const std::string text =
      node_conf("vrrp_script s { script /bin/true }\n" + instance("track_script {\ns weight -10\n}") +
                "vrrp_instance b { interface eth1\nvirtual_router_id 7\nvirtual_ipaddress { 10.1.0.1 "
                "}\ntrack_script { s } }");
  EXPECT_THAT(text, HasSubstr("name = \"s\"; type = \"script\""));
  EXPECT_THAT(text, HasSubstr("name = \"s-weight10\"; type = \"all\"; checks = [ \"s\" ]; weight = 10;"));
  EXPECT_THAT(text, HasSubstr("track = [ \"s-weight10\" ]"));
  EXPECT_EQ(text.find("/bin/true"), text.rfind("/bin/true"));
}

TEST(Import, NamesBecomeNames) {
  const std::string text = node_conf(
      "vrrp_instance \"VI 1\" { interface eth0\nvirtual_router_id 1\nvirtual_ipaddress { 10.0.0.1 } }\n"
      "vrrp_instance VI/1 { interface eth0\nvirtual_router_id 2\nvirtual_ipaddress { 10.0.0.2 } }");
  EXPECT_THAT(text, HasSubstr("name = \"VI-1\";"));
  EXPECT_THAT(text, HasSubstr("name = \"VI-1-2\";"));
}

TEST(Import, UnicastAndMulticastDoNotMix) {
  EXPECT_THAT(errors_of(instance("unicast_peer { 10.0.0.3 }") +
                        "vrrp_instance b { interface eth1\nvirtual_router_id 7\nvirtual_ipaddress { 10.1.0.1 } }"),
              HasSubstr("b goes by multicast, others by unicast"));
}

TEST(Import, MembersOfASyncGroupAgree) {
  EXPECT_THAT(errors_of(instance("priority 10") +
                        "vrrp_instance b { interface eth1\nvirtual_router_id 7\nvirtual_ipaddress { 10.1.0.1 } }\n"
                        "vrrp_sync_group g { group {\nweb\nb\n} }"),
              HasSubstr("\"b\" differs from \"web\" in priority, nopreempt, preempt_delay or advert_int"));
}

TEST(Import, NodeIsWhatIsSaidElseTheRouterIdElseTheHost) {
  const SourceText source{"k.conf", instance("", "global_defs { router_id lb-a }")};
  EXPECT_THAT(import_keepalived(source, kNothingIncluded, {})->node_conf, HasSubstr("node = \"lb-a\";"));
  EXPECT_THAT(import_keepalived(source, kNothingIncluded, {"me", "host", "/x"})->node_conf,
              HasSubstr("node = \"me\";"));
  EXPECT_THAT(node_conf(instance("", "global_defs { router_id \"a b\" }")), HasSubstr("node = \"host\";"));
  EXPECT_FALSE(import_keepalived(source, kNothingIncluded, {"a b", "host", "/x"}));
}

TEST(Import, AFileWithoutVirtualRoutersIsRefused) {
  EXPECT_THAT(errors_of(""), HasSubstr("there is no vrrp_instance"));
}

}  // namespace
}  // namespace vipair::ctl
