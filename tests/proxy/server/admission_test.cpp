#include "proxy/server/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "proxy/http/forwarding.h"
#include "proxy/server/password_checker.h"
#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using testing::Conversation;
using testing::field;
using testing::first_line;

std::uint64_t refused(Conversation& talk, policy::Refusal refusal) {
  return talk.worker().counters.refusals[static_cast<std::size_t>(refusal)].get();
}

TEST(Admission, CountsEachRefusalByItsReason) {
  Config config = testing::simple_config();
  config.sites[0].hosts = {"a.example"};
  config.sites[0].routes[0].path = "/app";
  config.sites[0].request_body_max = 10;
  Conversation talk(config);
  struct {
    const char* request;
    int status;
    policy::Refusal refusal;
  } const cases[] = {
      {"GET /app HTTP/1.1\r\nHost: b.example\r\n\r\n", 404, policy::Refusal::no_site},
      {"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n", 404, policy::Refusal::no_route},
      {"TRACE /app HTTP/1.1\r\nHost: a.example\r\n\r\n", 405, policy::Refusal::method},
      {"GET /app/%2f HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, policy::Refusal::bad_target},
      {"POST /app HTTP/1.1\r\nHost: a.example\r\nContent-Length: 11\r\n\r\n12345678901", 413,
       policy::Refusal::body_too_large},
  };
  for (const auto& each : cases) {
    talk.client_sends(each.request);
    EXPECT_EQ(first_line(talk.client_gets()).substr(9, 3), std::to_string(each.status)) << each.request;
    EXPECT_EQ(refused(talk, each.refusal), 1u) << each.request;
  }
}

TEST(Admission, EndsALoop) {
  Config config = testing::simple_config();
  Conversation talk(config);
  const std::string hop = "Via: 1.1 " + config.node + "\r\n";
  std::string hops;
  for (int i = 0; i < http::kTimesRoundMax; ++i) hops += hop;
  talk.client_sends("GET / HTTP/1.1\r\nHost: a\r\n" + hops + "\r\n");
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 508 Loop Detected");
  EXPECT_EQ(refused(talk, policy::Refusal::loop), 1u);
  EXPECT_EQ(talk.connections(), 0u);
  talk.client_sends("GET / HTTP/1.1\r\nHost: a\r\n" + hop + "\r\n");
  EXPECT_EQ(talk.connections(), 1u);
}

// A site for "a.example" with these routes; what none of them takes is a 404.
Config config_with(std::vector<Route> routes) {
  Config config = testing::simple_config();
  config.sites[0].hosts = {"a.example"};
  config.sites[0].name = "a.example";
  config.sites[0].routes = std::move(routes);
  return config;
}
Route route_to(const std::string& path, PathMatch match = PathMatch::prefix) {
  Route route;
  route.path = path;
  route.match = match;
  return route;
}
std::string request(const std::string& target, const std::string& fields = "", const std::string& method = "GET") {
  return method + " " + target + " HTTP/1.1\r\nHost: a.example\r\n" + fields + "\r\n";
}
constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// The status, or the first line that the origin gets.
std::string outcome(Conversation& talk, const std::string& bytes) {
  talk.client_sends(bytes);
  if (talk.connections() > 0) {
    const std::string sent = talk.origin_gets();
    if (!sent.empty()) {
      talk.origin_sends(kOk);
      talk.client_gets();
      return first_line(sent);
    }
  }
  return first_line(talk.client_gets()).substr(9, 3);
}

TEST(Admission, TakesTheFirstRouteOfAPathWhoseConditionsHold) {
  Route beta = route_to("/app"), write = route_to("/app"), any = route_to("/");
  beta.headers = {{"X-Beta", Condition::Test::equals, "1"}};
  beta.rewrite = "/beta";
  write.methods = {"POST"};
  write.rewrite = "/write";
  any.query = {{"v", Condition::Test::present, ""}};
  Conversation talk(config_with({beta, write, any}));
  EXPECT_EQ(outcome(talk, request("/app/x", "X-Beta: 1\r\n")), "GET /beta/x HTTP/1.1");
  EXPECT_EQ(outcome(talk, request("/app/x", "Content-Length: 0\r\n", "POST")), "POST /write/x HTTP/1.1");
  EXPECT_EQ(outcome(talk, request("/app/x?v")), "GET /app/x?v HTTP/1.1") << "the next best path";
  EXPECT_EQ(outcome(talk, request("/y")), "404");
}

TEST(Admission, NamesTheMethodsOfARouteThatTakesOthers) {
  Route read = route_to("/app"), purge = route_to("/app");
  read.methods = {"GET"};
  purge.methods = {"PURGE"};
  Conversation talk(config_with({read, purge}));
  talk.client_sends(request("/app", "", "DELETE"));
  const std::string answer = talk.client_gets();
  EXPECT_EQ(first_line(answer), "HTTP/1.1 405 Method Not Allowed");
  EXPECT_EQ(field(answer, "Allow"), "GET, HEAD, PURGE");
  EXPECT_EQ(refused(talk, policy::Refusal::method), 1u);
  EXPECT_EQ(outcome(talk, request("/app", "", "HEAD")), "HEAD /app HTTP/1.1");
}

TEST(Admission, RewritesByPatternAndByPrefix) {
  Route user = route_to("^/u/([a-z.]+)(/.*)?$", PathMatch::regex), api = route_to("/api");
  user.rewrite = "/users/${1}?from=${2}";
  api.rewrite = "/";
  Conversation talk(config_with({api, user}));
  EXPECT_EQ(outcome(talk, request("/u/ann/x?y=1")), "GET /users/ann?from=/x&y=1 HTTP/1.1");
  EXPECT_EQ(outcome(talk, request("/u/ann")), "GET /users/ann?from= HTTP/1.1");
  EXPECT_EQ(outcome(talk, request("/api/x?y=1")), "GET /x?y=1 HTTP/1.1");
  EXPECT_EQ(outcome(talk, request("/api")), "GET / HTTP/1.1");
}

TEST(Admission, TheWayBackOfAPrefix) {
  Route api = route_to("/api"), aware = route_to("/aware"), plain = route_to("/");
  api.rewrite = aware.rewrite = "/v1";
  aware.maps_location = false;
  Conversation talk(config_with({api, aware, plain}));
  auto location = [&](const std::string& target, const std::string& says) {
    talk.client_sends(request(target));
    talk.origin_gets();
    talk.origin_sends("HTTP/1.1 302 Found\r\nLocation: " + says + "\r\nContent-Length: 0\r\n\r\n");
    return field(talk.client_gets(), "Location");
  };
  EXPECT_EQ(location("/api/x", "/v1/y?z"), "/api/y?z");
  EXPECT_EQ(location("/api/x", "http://10.0.0.1/v1/y"), "/api/y") << "the server's own address";
  EXPECT_EQ(location("/api/x", "http://a.example/v1/y"), "http://a.example/api/y") << "the client's host";
  EXPECT_EQ(location("/api/x", "https://elsewhere.example/v1/y"), "https://elsewhere.example/v1/y");
  EXPECT_EQ(location("/aware/x", "/v1/y"), "/v1/y");
  EXPECT_EQ(location("/x", "/v1/y"), "/v1/y");
}

TEST(Admission, MakesNoDotSegmentsOfCaptures) {
  Route route = route_to("^/(.)x(.)/(.*)$", PathMatch::regex);
  route.rewrite = "/safe/${1}${2}/${3}";
  Conversation talk(config_with({route}));
  EXPECT_EQ(outcome(talk, request("/.x./secret")), "GET /secret HTTP/1.1") << "what it means is what is sent";
}

TEST(Admission, GivesUpAPatternThatTakesTooLong) {
  Conversation talk(config_with({route_to("^/(a+)+$", PathMatch::regex), route_to("/")}));
  EXPECT_EQ(outcome(talk, request("/" + std::string(40, 'a') + "!")), "400");
  EXPECT_EQ(refused(talk, policy::Refusal::pattern_given_up), 1u);
  EXPECT_EQ(outcome(talk, request("/b")), "GET /b HTTP/1.1");
}

TEST(Admission, Redirects) {
  Route old = route_to("/old"), moved = route_to("^/m/(.*)$", PathMatch::regex), same = route_to("/");
  old.redirect = {"https://www.example${path}${query}", 308};
  moved.redirect = {"/n/${1}", 301};
  same.redirect = {"${path}", 302};
  Conversation talk(config_with({old, moved, same}));
  auto location = [&](const std::string& target) {
    talk.client_sends(request(target));
    const std::string answer = talk.client_gets();
    return first_line(answer).substr(9, 3) + " " + field(answer, "Location");
  };
  EXPECT_EQ(location("/old/x?y=1"), "308 https://www.example/old/x?y=1");
  EXPECT_EQ(location("/m/x/y"), "301 /n/x/y");
  EXPECT_EQ(location("//evil.example/"), "302 /evil.example/") << "never to another host";
  talk.client_sends(request("/old", "Content-Length: 3\r\n", "POST") + "abc" + request("/old"));
  const std::string both = talk.client_gets();
  EXPECT_NE(both.find("Location", both.find("Location") + 1), std::string::npos) << "the body was skipped";
  EXPECT_EQ(talk.connections(), 0u);
}

TEST(Admission, AnswersWithWhatTheRouteSays) {
  Route robots = route_to("/robots.txt", PathMatch::exact), gone = route_to("/gone");
  robots.respond = {200, "User-agent: *\n", "text/plain"};
  gone.respond = {204, "", "text/plain"};
  gone.response_headers.set = {{"X-A", "b"}};
  Conversation talk(config_with({robots, gone}));
  talk.client_sends(request("/robots.txt"));
  EXPECT_EQ(testing::body_of(talk.client_gets()), "User-agent: *\n");
  talk.client_sends(request("/gone"));
  const std::string answer = talk.client_gets();
  EXPECT_EQ(first_line(answer), "HTTP/1.1 204 No Content");
  EXPECT_EQ(field(answer, "Content-Length"), "");
  EXPECT_EQ(field(answer, "X-A"), "b");
}

TEST(Admission, ShowsThePagesOfTheOperator) {
  Config config = config_with({route_to("/app")});
  config.error_pages = {{{404, 502}, {}, "text/html", "proxy's"}};
  config.sites[0].error_pages = {{{404}, {}, "text/plain", "site's"}};
  Conversation talk(config);
  talk.on_connect({Conversation::Connect::refuse, Conversation::Connect::refuse});
  auto body = [&](const std::string& bytes) {
    talk.client_sends(bytes);
    return testing::body_of(talk.client_gets());
  };
  EXPECT_EQ(body(request("/nothing")), "site's");
  EXPECT_EQ(body("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n"), "proxy's");
  EXPECT_EQ(body(request("/app")), "proxy's") << "502";
  EXPECT_NE(body(request("/nothing", "", "TRACE")).find("Method Not Allowed"), std::string::npos) << "ours";
}

// ---- who may ---------------------------------------------------------------------------------

TEST(Admission, LetsInWhomTheListsAllow) {
  Config config = config_with({route_to("/"), route_to("/admin")});
  config.protection.deny = {*IpPrefix::parse("192.0.2.66")};
  config.sites[0].routes[1].protection.allow = {*IpPrefix::parse("10.0.0.0/8")};
  Conversation talk(config);
  EXPECT_EQ(outcome(talk, request("/")), "GET / HTTP/1.1");
  EXPECT_EQ(outcome(talk, request("/admin")), "403");
  EXPECT_EQ(refused(talk, policy::Refusal::address_denied), 1u);
  auto denied = talk.connect("192.0.2.66:1");
  denied->send(request("/"));
  talk.run();
  EXPECT_EQ(first_line(denied->take()), "HTTP/1.1 403 Forbidden");
}

TEST(Admission, BelievesTrustedProxiesAboutTheClient) {
  Config config = config_with({route_to("/")});
  config.trusted_proxies = {*IpPrefix::parse("192.0.2.0/24")};
  config.protection.deny = {*IpPrefix::parse("203.0.113.9")};
  config.sites[0].routes[0].request_headers.set = {{"X-Real-IP", "${client_address}"}};
  Conversation talk(config);
  EXPECT_EQ(outcome(talk, request("/", "X-Forwarded-For: 203.0.113.9\r\n")), "403");
  EXPECT_EQ(outcome(talk, request("/", "X-Forwarded-For: 203.0.113.9, 198.51.100.1\r\n")), "GET / HTTP/1.1");
  talk.client_sends(request("/", "X-Forwarded-For: 198.51.100.1\r\n"));
  const std::string sent = talk.origin_gets();
  EXPECT_EQ(field(sent, "X-Real-IP"), "198.51.100.1");
  EXPECT_EQ(field(sent, "X-Forwarded-For"), "198.51.100.1, 192.0.2.7") << "the list of hops has each";
}

TEST(Admission, LimitsRates) {
  Config config = config_with({route_to("/")});
  config.sites[0].protection.rate_limits = {{1, std::chrono::seconds(10), 2, true}};
  Conversation talk(config);
  EXPECT_EQ(outcome(talk, request("/")), "GET / HTTP/1.1");
  EXPECT_EQ(outcome(talk, request("/")), "GET / HTTP/1.1");
  talk.client_sends(request("/"));
  const std::string answer = talk.client_gets();
  EXPECT_EQ(first_line(answer), "HTTP/1.1 429 Too Many Requests");
  EXPECT_EQ(field(answer, "Retry-After"), "10");
  talk.reload(config);
  EXPECT_EQ(outcome(talk, request("/")), "429") << "a reload forgets nothing";
  talk.pass(std::chrono::seconds(10));
  EXPECT_EQ(outcome(talk, request("/")), "GET / HTTP/1.1");
  EXPECT_EQ(refused(talk, policy::Refusal::rate), 2u);
}

TEST(Admission, LimitsRequestsThatRunAtOnce) {
  Config config = config_with({route_to("/")});
  config.sites[0].protection.connection_limit = {1, 0};
  Conversation talk(config);
  talk.client_sends(request("/slow"));
  auto second = talk.connect("192.0.2.7:2");
  second->send(request("/"));
  talk.run();
  EXPECT_EQ(first_line(second->take()), "HTTP/1.1 429 Too Many Requests");
  EXPECT_EQ(refused(talk, policy::Refusal::running_requests), 1u);
  talk.origin_sends(kOk);
  second->send(request("/again"));
  talk.run();
  EXPECT_EQ(first_line(talk.origin_gets()), "GET /slow HTTP/1.1");
  EXPECT_EQ(refused(talk, policy::Refusal::running_requests), 1u) << "the first one has ended";
}

TEST(Admission, CountsConnectionsOfAnAddress) {
  Config config = config_with({route_to("/")});
  config.limits.connections_per_address = 2;
  config.trusted_proxies = {*IpPrefix::parse("10.0.0.1")};
  Conversation talk(config);
  const IpEndpoint listener = *IpEndpoint::parse("192.0.2.100:80");
  auto info = [&](const char* text) { return ClientInfo(*IpEndpoint::parse(text), listener); };
  ClientInfo one = info("192.0.2.9:1"), two = info("192.0.2.9:2"), three = info("192.0.2.9:3");
  EXPECT_TRUE(admit_connection(talk.worker(), one));
  EXPECT_TRUE(admit_connection(talk.worker(), two));
  EXPECT_FALSE(admit_connection(talk.worker(), three));
  two = info("192.0.2.10:1");
  EXPECT_TRUE(admit_connection(talk.worker(), three)) << "the second one has gone";
  for (int i = 0; i < 5; ++i) {
    ClientInfo trusted = info("10.0.0.1:1");
    EXPECT_TRUE(admit_connection(talk.worker(), trusted));
    EXPECT_EQ(trusted.counted, nullptr);
  }
}

// ---- passwords -------------------------------------------------------------------------------

struct WithPassword {
  static Config config() {
    Config config = config_with({route_to("/")});
    BasicAuth auth;
    auth.realm = "Staff";
    auth.users = {{"ann", "$2y$04$7vRi97Per1k8irpv46VOMO1zoRN0bI4.VoxcQedp6/xjjmpTOxIcK"}};  // secret
    config.sites[0].protection.basic_auth = auth;
    config.sites[0].routes[0].request_headers.set = {{"X-User", "${user}"}};
    return config;
  }
  WithPassword() : talk(config()) {
    talk.worker().passwords = &passwords;
    talk.worker().post = [this](std::function<void()> function) {
      std::lock_guard lock(mutex);
      posted.push_back(std::move(function));
    };
  }
  ~WithPassword() { passwords.stop(); }
  // The checker's thread has answered: until then the request waits.
  void until_checked() {
    for (int i = 0; i < 3000; ++i) {
      std::vector<std::function<void()>> ready;
      {
        std::lock_guard lock(mutex);
        ready.swap(posted);
      }
      for (auto& function : ready) function();
      if (!ready.empty()) return talk.run();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    FAIL() << "no password was checked";
  }

  PasswordChecker passwords;
  Conversation talk;
  std::mutex mutex;
  std::vector<std::function<void()>> posted;
};

constexpr const char* kRight = "Authorization: Basic YW5uOnNlY3JldA==\r\n";   // ann:secret
constexpr const char* kWrong = "Authorization: Basic YW5uOmd1ZXNz\r\n";       // ann:guess
constexpr const char* kNobody = "Authorization: Basic Ym9iOnNlY3JldA==\r\n";  // bob:secret

TEST(Admission, AsksForAPassword) {
  WithPassword with;
  with.talk.client_sends(request("/"));
  const std::string answer = with.talk.client_gets();
  EXPECT_EQ(first_line(answer), "HTTP/1.1 401 Unauthorized");
  EXPECT_EQ(field(answer, "WWW-Authenticate"), "Basic realm=\"Staff\", charset=\"UTF-8\"");
  for (const char* wrong : {kWrong, kNobody}) {
    with.talk.client_sends(request("/", wrong));
    EXPECT_EQ(with.talk.client_gets(), "") << "it is being checked";
    with.until_checked();
    EXPECT_EQ(first_line(with.talk.client_gets()), "HTTP/1.1 401 Unauthorized");
  }
  EXPECT_EQ(refused(with.talk, policy::Refusal::unauthorized), 3u);
  EXPECT_EQ(with.talk.connections(), 0u);
}

TEST(Admission, LetsARightPasswordInAndRemembersIt) {
  WithPassword with;
  with.talk.client_sends(request("/", kRight));
  with.until_checked();
  const std::string sent = with.talk.origin_gets();
  EXPECT_EQ(field(sent, "X-User"), "ann");
  with.talk.origin_sends(kOk);
  EXPECT_EQ(first_line(with.talk.client_gets()), "HTTP/1.1 200 OK");
  EXPECT_EQ(outcome(with.talk, request("/again", kRight)), "GET /again HTTP/1.1") << "at once";
}

TEST(Admission, ForgetsAClientThatGoesWhileItsPasswordIsChecked) {
  WithPassword with;
  with.talk.client_sends(request("/", kRight));
  with.talk.pass(kPasswordCheckMax + std::chrono::seconds(1));
  EXPECT_EQ(first_line(with.talk.client_gets()), "HTTP/1.1 503 Service Unavailable") << "nobody waits for ever";
  EXPECT_EQ(refused(with.talk, policy::Refusal::passwords_busy), 1u);
  with.until_checked();
  EXPECT_EQ(with.talk.client_gets(), "");
}

}  // namespace
}  // namespace vipair::proxy
