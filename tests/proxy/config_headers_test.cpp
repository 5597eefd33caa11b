#include "proxy/config_headers.h"

#include "tests/proxy/config_text.h"

namespace vipair::proxy {
namespace {

using namespace std::chrono_literals;

const Mistake kMistakes[] = {
    {"header_line_end", "", WITH_SITE(SET("X-A", "a\\r\\nX-B: b")), "site.request_headers.set[0][1]", "line ends"},
    {"header_lone_lf", "", WITH_SITE(SET("X-A", "a\\nb")), "site.request_headers.set[0][1]", "line ends"},
    {"header_delete", "", WITH_SITE(SET("X-A", "a\\x7f")), "site.request_headers.set[0][1]", "control characters"},
    {"header_space", "", WITH_SITE(SET("X-A", " a")), "site.request_headers.set[0][1]", "white space"},
    {"header_name_colon", "", WITH_SITE(SET("X-A:", "a")), "site.request_headers.set[0][0]", "is not a field name"},
    {"header_name_empty", "", WITH_SITE(SET("", "a")), "site.request_headers.set[0][0]", "is not a field name"},
    {"header_name_line_end", "", WITH_SITE(SET("X\\r\\nY", "a")), "site.request_headers.set[0][0]",
     "is not a field name"},
    {"header_content_length", "", WITH_SITE(SET("content-length", "1")), "site.request_headers.set[0][0]",
     "cannot be changed"},
    {"header_transfer_encoding", "", WITH_SITE(SET("Transfer-Encoding", "chunked")),
     "site.request_headers.set[0][0]", "cannot be changed"},
    {"header_connection", "", WITH_SITE("response_headers = { add = ( [ \"Connection\", \"close\" ] ); };"),
     "site.response_headers.add[0][0]", "cannot be changed"},
    {"header_remove_upgrade", "", WITH_SITE("response_headers = { remove = [ \"Upgrade\" ]; };"),
     "site.response_headers.remove[0]", "cannot be changed"},
    {"header_remove_host", "", WITH_SITE("request_headers = { remove = [ \"host\" ]; };"),
     "site.request_headers.remove[0]", "exactly one Host"},
    {"header_set_twice", "", WITH_SITE("request_headers = { set = ( [ \"X-A\", \"1\" ], [ \"x-a\", \"2\" ] ); };"),
     "site.request_headers.set[1][0]", "is set twice"},
    {"header_variable", "", WITH_SITE(SET("X-A", "${client_adress}")), "site.request_headers.set[0][1]",
     "did you mean ${client_address}?"},
    {"header_open_brace", "", WITH_SITE(SET("X-A", "${node")), "site.request_headers.set[0][1]", "without its"},
    {"header_dollar", "", WITH_SITE(SET("X-A", "5 $")), "site.request_headers.set[0][1]", "write \"$$\""},
    {"header_host_variable", "", WITH_SITE(SET("Host", "${query}")), "site.request_headers.set[0][1]",
     "is not a host"},
    {"header_host_list", "", WITH_SITE(SET("Host", "a.example b.example")), "site.request_headers.set[0][1]",
     "is not a host"},
    {"header_pair", "", WITH_SITE("request_headers = { set = ( [ \"X-A\" ] ); };"), "site.request_headers.set[0]",
     "expected a pair of texts"},
    {"header_unknown_verb", "", WITH_SITE("request_headers = { replace = ( ); };"), "site.request_headers.replace",
     "is not a known setting"},
    {"header_of_a_route", "",
     WITH_ROUTES("{ path = \"/\"; upstream = \"u\"; request_headers = { remove = [ \"a b\" ]; }; }"),
     "site.routes[0].request_headers.remove[0]", "is not a field name"},
    {"header_of_the_proxy", "response_headers = { remove = [ \"a b\" ]; };", nullptr, "response_headers.remove[0]",
     "is not a field name"},
};

EXPECT_MISTAKES(HeaderRulesConfigMistake, kMistakes);

TEST(HeaderRulesConfig, HeaderRulesOfInnerLevelsReplaceThoseOfOuterOnes) {
  auto config = parse(R"(listeners = ( { address = "0.0.0.0:80"; } );
request_headers = { set = ( [ "X-Level", "proxy" ], [ "X-Node", "${node}" ] ); remove = [ "X-Debug" ]; };
response_headers = { add = ( [ "Link", "proxy" ] ); };
)",
                      R"(site = {
  hosts = [ "a.example" ];
  upstreams = ( { name = "u"; servers = [ "10.0.0.1:80" ]; } );
  routes = ( { path = "/"; upstream = "u"; request_headers = { remove = [ "x-node" ]; };
               response_headers = { set = ( [ "link", "route" ] ); }; },
             { path = "/plain"; upstream = "u"; } );
  request_headers = { set = ( [ "x-level", "site" ] ); };
  response_headers = { add = ( [ "Link", "site" ] ); };
};)");
  ASSERT_TRUE(config) << first_error(config);
  const Site& site = config->sites[0];
  EXPECT_EQ(site.routes[0].request_headers, (HeaderRules{{"X-Debug", "x-node"}, {{"x-level", "site"}}, {}}));
  EXPECT_EQ(site.routes[1].request_headers,
            (HeaderRules{{"X-Debug"}, {{"X-Node", "${node}"}, {"x-level", "site"}}, {}}));
  EXPECT_EQ(site.routes[0].response_headers, (HeaderRules{{}, {{"link", "route"}}, {}}));
  EXPECT_EQ(site.routes[1].response_headers, (HeaderRules{{}, {}, {{"Link", "proxy"}, {"Link", "site"}}}));
  EXPECT_EQ(site.response_headers, site.routes[1].response_headers);
  EXPECT_EQ(config->response_headers, (HeaderRules{{}, {}, {{"Link", "proxy"}}}));
}

TEST(HeaderRulesConfig, SetHostOfRequestsIsAllowed) {
  for (const char* site : {WITH_SITE(SET("Host", "inner.example")), WITH_SITE(SET("host", "inner.example:8080")),
                           WITH_SITE(SET("Host", "${upstream_address}"))}) {
    auto config = parse(kListeners, site);
    EXPECT_TRUE(config) << first_error(config);
  }
}

}  // namespace
}  // namespace vipair::proxy
