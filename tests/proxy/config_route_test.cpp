#include "proxy/config_route.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using testing::ElementsAre;

#define WITH_ROUTE(more) WITH_ROUTES("{ path = \"/\"; upstream = \"u\"; " more " }")
#define WITH_REDIRECT(redirect) WITH_ROUTES("{ path = \"/\"; redirect = { " redirect " }; }")

const Mistake kMistakes[] = {
    {"bad_pattern", "", WITH_ROUTES("{ path = \"^/(a\"; match = \"regex\"; upstream = \"u\"; }"),
     "site.routes[0].path", "is not a regular expression: missing closing parenthesis"},
    {"pattern_twice", "",
     WITH_ROUTES(
         "{ path = \"a\"; match = \"regex\"; upstream = \"u\"; }, { path = \"a\"; match = \"regex\"; upstream = "
         "\"u\"; }"),
     "site.routes[1].path", "is routed already"},
    {"condition_behind_the_unconditional", "",
     WITH_ROUTES(ROUTE ", { path = \"/\"; upstream = \"u\"; methods = [ \"GET\" ]; }"), "site.routes[1].path",
     "is routed already"},
    {"no_methods", "", WITH_ROUTE("methods = [ ];"), "site.routes[0].methods", "would take no request"},
    {"bad_method", "", WITH_ROUTE("methods = [ \"G T\" ];"), "site.routes[0].methods[0]", "is not a method"},
    {"trace", "", WITH_ROUTE("methods = [ \"TRACE\" ];"), "site.routes[0].methods[0]", "is never passed on"},
    {"header_without_name", "", WITH_ROUTE("headers = ( { equals = \"1\"; } );"), "site.routes[0].headers[0].name",
     "is missing"},
    {"header_name", "", WITH_ROUTE("headers = ( { name = \"a b\"; } );"), "site.routes[0].headers[0].name",
     "is not a name"},
    {"header_two_tests", "", WITH_ROUTE("headers = ( { name = \"a\"; equals = \"1\"; prefix = \"2\"; } );"),
     "site.routes[0].headers[0].name", "has several tests"},
    {"header_pattern", "", WITH_ROUTE("headers = ( { name = \"a\"; regex = \"[\"; } );"),
     "site.routes[0].headers[0].regex", "is not a regular expression"},
    {"query_unknown", "", WITH_ROUTE("query = ( { name = \"a\"; equal = \"1\"; } );"),
     "site.routes[0].query[0].equal", "equals"},
    {"two_targets", "", WITH_ROUTE("respond = { status = 200; };"), "site.routes[0]", "has several targets"},
    {"redirect_nowhere", "", WITH_REDIRECT("status = 301;"), "site.routes[0].redirect.to", "is missing"},
    {"redirect_status", "", WITH_REDIRECT("to = \"/x\"; status = 305;"), "site.routes[0].redirect.status",
     "is no redirect"},
    {"redirect_relative", "", WITH_REDIRECT("to = \"x\";"), "site.routes[0].redirect.to", "does not say where"},
    {"redirect_scheme", "", WITH_REDIRECT("to = \"javascript:x\";"), "site.routes[0].redirect.to",
     "does not say where"},
    {"redirect_other_host", "", WITH_REDIRECT("to = \"//x.example/\";"), "site.routes[0].redirect.to",
     "does not say where"},
    {"redirect_host_of_the_request", "", WITH_REDIRECT("to = \"https://x.${method}/\";"),
     "site.routes[0].redirect.to", "does not say where"},
    {"redirect_capture_as_host", "",
     WITH_ROUTES("{ path = \"^/(.*)\"; match = \"regex\"; redirect = { to = \"https://x.example${1}\"; }; }"),
     "site.routes[0].redirect.to", "does not say where"},
    {"redirect_no_such_group", "",
     WITH_ROUTES("{ path = \"^/(.*)\"; match = \"regex\"; redirect = { to = \"/${2}\"; }; }"),
     "site.routes[0].redirect.to", "which has 1"},
    {"redirect_without_pattern", "", WITH_REDIRECT("to = \"/${1}\";"), "site.routes[0].redirect.to",
     "which has none"},
    {"redirect_variable", "", WITH_REDIRECT("to = \"/${pat}\";"), "site.routes[0].redirect.to", "${path}"},
    {"respond_status", "", WITH_ROUTES("{ path = \"/\"; respond = { status = 100; }; }"),
     "site.routes[0].respond.status", "out of range"},
    {"respond_type", "", WITH_ROUTES("{ path = \"/\"; respond = { content_type = \"\"; }; }"),
     "site.routes[0].respond.content_type", "is not a content type"},
    {"rewrite_prefix_of_a_pattern", "",
     WITH_ROUTES("{ path = \"a\"; match = \"regex\"; upstream = \"u\"; rewrite_prefix = \"/\"; }"),
     "site.routes[0].rewrite_prefix", "only a prefix"},
    {"rewrite_prefix_path", "", WITH_ROUTE("rewrite_prefix = \"x\";"), "site.routes[0].rewrite_prefix",
     "does not start with"},
    {"rewrite_of_a_prefix", "", WITH_ROUTE("rewrite = \"/x\";"), "site.routes[0].rewrite", "would be lost"},
    {"rewrite_relative", "", WITH_ROUTES("{ path = \"a\"; match = \"regex\"; upstream = \"u\"; rewrite = \"x\"; }"),
     "site.routes[0].rewrite", "does not start with"},
    {"map_location_of_nothing", "", WITH_ROUTE("map_location = true;"), "site.routes[0].map_location",
     "nothing to map here"},
    {"rewrite_of_a_redirect", "",
     WITH_ROUTES("{ path = \"/\"; redirect = { to = \"/x\"; }; rewrite_prefix = \"/\"; }"),
     "site.routes[0].rewrite_prefix", "nothing is passed on"},
};

EXPECT_MISTAKES(RouteConfigMistake, kMistakes);

TEST(RouteConfig, ReadsConditionsAndTargets) {
  auto config = parse(kListeners, WITH_ROUTES(R"(
    { path = "^/u/([0-9]+)$"; match = "regex"; upstream = "u"; rewrite = "/users?id=${1}"; },
    { path = "/api"; upstream = "u"; methods = [ "GET", "PUT" ]; rewrite_prefix = "/";
      map_location = false;
      headers = ( { name = "X-Beta"; }, { name = "X-Old"; present = false; }, { name = "Accept"; regex = "^text/"; } );
      query = ( { name = "v"; equals = "2"; }, { name = "w"; prefix = "x"; } ); },
    { path = "/api"; redirect = { to = "https://api.example:8443${path}${query}"; status = 308; }; },
    { path = "/robots.txt"; match = "exact"; respond = { body = "User-agent: *\n"; }; },
    { path = "/gone"; respond = { status = 410; body = "<p>gone</p>"; content_type = "text/html"; }; }
  )"));
  ASSERT_TRUE(config) << first_error(config);
  const auto& routes = config->sites[0].routes;
  EXPECT_EQ(routes[0].match, PathMatch::regex);
  EXPECT_EQ(routes[0].rewrite, "/users?id=${1}");
  EXPECT_THAT(routes[1].methods, ElementsAre("GET", "PUT"));
  EXPECT_THAT(routes[1].headers, ElementsAre(Condition{"X-Beta", Condition::Test::present, ""},
                                             Condition{"X-Old", Condition::Test::absent, ""},
                                             Condition{"Accept", Condition::Test::regex, "^text/"}));
  EXPECT_THAT(routes[1].query, ElementsAre(Condition{"v", Condition::Test::equals, "2"},
                                           Condition{"w", Condition::Test::prefix, "x"}));
  EXPECT_EQ(routes[1].rewrite, "/");
  EXPECT_FALSE(routes[1].maps_location);
  EXPECT_EQ(*routes[2].redirect, (Redirect{"https://api.example:8443${path}${query}", 308}));
  EXPECT_EQ(routes[3].respond->status, 200);
  EXPECT_EQ(routes[4].respond->content_type, "text/html");
}

TEST(RouteConfig, NeedsNoUpstreamWhereNothingIsPassedOn) {
  for (const char* to : {"/x", "${path}", "https://b.example", "https://${host}:8443${path}", "http://b.example/x",
                         "${scheme}://b.example${path}", "https://b.example?x=${path}"}) {
    auto config =
        parse(kListeners, "site = { hosts = [ \"a.example\" ]; routes = ( { path = \"/\"; redirect = { to = \"" +
                              std::string(to) + "\"; }; } ); };");
    EXPECT_TRUE(config) << to << " " << first_error(config);
  }
}

}  // namespace
}  // namespace vipair::proxy
