#include "proxy/config_error_pages.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kListening = "listeners = ( { address = \"0.0.0.0:80\"; } );\n";

TEST(ErrorPagesConfig, AreReadWithTheirFiles) {
  Folder folder;
  folder.write("pages/sorry.html", "<p>sorry</p>").write("busy.txt", "busy");
  folder.write("proxy.conf",
               std::string(kListening) +
                   "error_pages = ( { status = [ 502, 503 ]; file = \"pages/sorry.html\"; },\n"
                   "                { status = 429; file = \"busy.txt\"; content_type = \"text/plain\"; } );\n" +
                   kSite);
  auto config = folder.load();
  ASSERT_TRUE(config) << first_error(config);
  ASSERT_EQ(config->error_pages.size(), 2u);
  EXPECT_THAT(config->error_pages[0].statuses, ElementsAre(502, 503));
  EXPECT_EQ(config->error_pages[0].content, "<p>sorry</p>");
  EXPECT_EQ(config->error_pages[1].content_type, "text/plain");
  EXPECT_EQ(find_error_page(config->error_pages, 503), &config->error_pages[0]);
  EXPECT_EQ(find_error_page(config->error_pages, 429), &config->error_pages[1]);
  EXPECT_EQ(find_error_page(config->error_pages, 404), nullptr);
}

TEST(ErrorPagesConfig, NamesWhatIsWrong) {
  Folder folder;
  folder.write("large.html", std::string(kErrorPageBytesMax + 1, 'x')).write("good.html", "x");
  folder.write("proxy.conf", std::string(kListening) + R"(error_pages = (
    { status = [ 502 ]; file = "absent.html"; },
    { status = [ 200 ]; file = "good.html"; },
    { status = [ "502" ]; file = "good.html"; },
    { file = "good.html"; },
    { status = 502; },
    { status = 502; file = "large.html"; },
    { status = 502; file = "good.html"; content_type = ""; },
    { status = 502; file = "."; } );
)" + kSite);
  EXPECT_THAT(
      folder.errors(),
      ElementsAre(HasSubstr("proxy.conf:3: error_pages[0].file: \"absent.html\": No such file"),
                  HasSubstr("error_pages[1].status[0]: 200 is out of range, expected 400 to 599"),
                  HasSubstr("error_pages[2].status[0]: found the text \"502\", expected an integer"),
                  HasSubstr("error_pages[3].status: is missing"), HasSubstr("error_pages[4].file: is missing"),
                  HasSubstr("\"large.html\": more than 262144 bytes"),
                  HasSubstr("error_pages[6].content_type: \"\" is not a content type"),
                  HasSubstr("is not a file")));
}

}  // namespace
}  // namespace vipair::proxy
