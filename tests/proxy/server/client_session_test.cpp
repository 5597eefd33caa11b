#include "proxy/server/client_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/conversation.h"

namespace vipair::proxy {
namespace {

using ::testing::AllOf;
using testing::body_of;
using testing::Conversation;
using ::testing::EndsWith;
using testing::field;
using testing::first_line;
using ::testing::HasSubstr;
using testing::simple_config;
using testing::Wire;

constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// ---- keep-alive ------------------------------------------------------------------------------

TEST(ClientSession, KeepsBothConnectionsForTheNextRequest) {
  Conversation talk;
  for (int i = 0; i < 5; ++i) {
    talk.client_sends(kGet);
    EXPECT_EQ(first_line(talk.origin_gets()), "GET / HTTP/1.1");
    talk.origin_sends(kOk);
    EXPECT_THAT(talk.client_gets(), EndsWith("ok"));
  }
  EXPECT_EQ(talk.connections(), 1u);
  EXPECT_EQ(talk.worker().counters.requests.get(), 5u);
  EXPECT_EQ(talk.worker().counters.responses[2].get(), 5u);
}

TEST(ClientSession, AnswersPipelinedRequestsInOrderAndNeverPipelinesThem) {
  Conversation talk;
  talk.client_sends(
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
      "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
  for (int i = 1; i <= 3; ++i) {
    const std::string request = talk.origin_gets();
    EXPECT_THAT(request, HasSubstr(" /" + std::to_string(i) + " "));
    EXPECT_EQ(body_of(request), i == 2 ? "abc" : "");
    const std::string body = "answer" + std::to_string(i);
    talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" + body);
    EXPECT_EQ(body_of(talk.client_gets()), body);
  }
}

TEST(ClientSession, FindsThePipelinedRequestBehindALargeBody) {
  Conversation talk;
  const std::string body(300000, 'b');
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + body +
                    "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(body_of(talk.origin_gets()), body);
  talk.origin_sends(kOk);
  EXPECT_EQ(first_line(talk.origin_gets()), "GET /next HTTP/1.1");
}

TEST(ClientSession, ClosesWhenTheClientSaysSo) {
  Conversation talk;
  talk.client_sends("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  talk.origin_sends(kOk);
  EXPECT_EQ(field(talk.client_gets(), "Connection"), "close");
  EXPECT_TRUE(talk.client().is_closed());
  EXPECT_FALSE(talk.origin().is_closed()) << "that was about the client's connection only";
}

TEST(ClientSession, KeepsAnHttp10ConnectionOnlyOnRequest) {
  Conversation talk;
  talk.client_sends("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  talk.origin_sends(kOk);
  EXPECT_EQ(field(talk.client_gets(), "Connection"), "keep-alive");
  EXPECT_FALSE(talk.client().ended());
  talk.client_sends("GET / HTTP/1.0\r\n\r\n");
  talk.origin_sends(kOk);
  EXPECT_TRUE(talk.client().is_closed());
}

TEST(ClientSession, DoesNotReuseAnUpstreamThatSaysClose) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin_sends("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(field(talk.client_gets(), "Connection"), "") << "that was about the upstream's connection only";
  EXPECT_TRUE(talk.origin().is_closed());
  talk.client_sends(kGet);
  EXPECT_EQ(talk.connections(), 2u);
}

TEST(ClientSession, DoesNotReuseAnUpstreamThatSaysMoreThanItAnswered) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin_sends(std::string(kOk) + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
  EXPECT_EQ(body_of(talk.client_gets()), "ok");
  EXPECT_TRUE(talk.origin().is_closed());
}

TEST(ClientSession, NoticesThatAnIdleUpstreamConnectionWasClosed) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin_sends(kOk);
  talk.origin().half_close();
  talk.client_sends(kGet);
  EXPECT_EQ(talk.connections(), 2u);
  talk.origin_sends(kOk);
  EXPECT_EQ(talk.worker().counters.retries.get(), 0u);
}

TEST(ClientSession, DoesNotReuseAnIdleUpstreamConnectionThatSpeaks) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin_sends(kOk);
  talk.origin_sends("HTTP/1.1 408 Request Timeout\r\n\r\n");
  talk.client_gets();
  talk.client_sends(kGet);
  EXPECT_EQ(talk.connections(), 2u);
}

TEST(ClientSession, HoldsNoBufferWhileIdle) {
  Conversation talk;
  talk.client_sends(kGet);
  EXPECT_FALSE(talk.session().is_idle());
  talk.origin_sends(kOk);
  EXPECT_TRUE(talk.session().is_idle());
}

// What 10,000 idle connections cost is 10,000 times this and a TcpStream.
TEST(ClientSession, IsSmallWhileIdle) { EXPECT_LE(sizeof(ClientSession), 384u); }

TEST(ClientSession, ManyIdleConnectionsAreServedByOneRequest) {
  Conversation talk;
  std::vector<std::shared_ptr<Wire>> crowd;
  for (int i = 0; i < 20; ++i) crowd.push_back(talk.connect());
  for (int round = 0; round < 3; ++round) {
    for (auto& client : crowd) {
      client->send(kGet);
      talk.run();
      talk.origin_sends(kOk);
      EXPECT_EQ(body_of(client->take()), "ok");
    }
  }
  EXPECT_EQ(talk.connections(), 1u);
  EXPECT_EQ(talk.sessions(), 21u);
}

TEST(ClientSession, AnIdleConnectionIsClosedAfterKeepAliveAndNoSooner) {
  Config config = simple_config();
  config.timeouts.keep_alive = std::chrono::seconds(60);
  Conversation talk(config);
  for (int i = 0; i < 3; ++i) {
    talk.pass(std::chrono::seconds(i == 0 ? 5 : 55));
    talk.client_sends(kGet);
    talk.origin_sends(kOk);
    EXPECT_EQ(body_of(talk.client_gets()), "ok");
  }
  talk.pass(std::chrono::seconds(59));
  EXPECT_FALSE(talk.client().is_closed());
  talk.pass(std::chrono::seconds(2));
  EXPECT_TRUE(talk.client().is_closed());
  EXPECT_EQ(talk.sessions(), 0u);
}

TEST(ClientSession, AReloadThatChangesKeepAliveHoldsForThoseWhoWaitAlready) {
  Config config = simple_config();
  Conversation talk(config);
  talk.client_sends(kGet);
  talk.origin_sends(kOk);
  talk.client_gets();
  config.timeouts.keep_alive = std::chrono::minutes(10);
  talk.reload(config);
  talk.pass(std::chrono::minutes(9));
  EXPECT_FALSE(talk.client().is_closed()) << "the deadline was looked at again";
  talk.pass(std::chrono::minutes(2));
  EXPECT_TRUE(talk.client().is_closed());
}

TEST(ClientSession, ADrainEndsIdleConnectionsAndLetsRequestsFinish) {
  Conversation talk;
  auto fresh = talk.connect(), served = talk.connect(), busy = talk.connect();
  served->send(kGet);
  talk.run();
  talk.origin_sends(kOk);
  served->take();
  busy->send(kGet);
  talk.run();
  talk.drain();
  EXPECT_FALSE(fresh->is_closed()) << "a request may be on its way";
  talk.pass(std::chrono::milliseconds(1200));
  EXPECT_TRUE(fresh->is_closed());
  EXPECT_TRUE(served->is_closed());
  EXPECT_FALSE(busy->is_closed());
  talk.origin_sends(kOk);
  EXPECT_EQ(body_of(busy->take()), "ok");
  EXPECT_EQ(talk.sessions(), 0u);
}

TEST(ClientSession, ARequestThatComesWhileAnIdleConnectionIsDrainedIsServed) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin_sends(kOk);
  talk.client_gets();
  talk.drain();
  talk.pass(std::chrono::milliseconds(500));
  talk.client_sends(kGet);
  talk.origin_sends(kOk);
  EXPECT_EQ(field(talk.client_gets(), "Connection"), "close");
  EXPECT_TRUE(talk.client().is_closed());
}

TEST(ClientSession, AnIdleConnectionThatTheClientEndsIsGone) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin_sends(kOk);
  talk.client().half_close();
  talk.run();
  EXPECT_EQ(talk.sessions(), 0u);
  EXPECT_TRUE(talk.client().is_closed());
}

TEST(ClientSession, AReadThatFilledItsBufferIsNotTheBeginningOfARequest) {
  Conversation talk;
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16384\r\n\r\n");
  talk.client_sends(std::string(BufferPool::kSmall, 'b'));
  talk.origin_sends(kOk);
  EXPECT_TRUE(talk.session().is_idle());
  talk.client_gets();
  talk.pass(std::chrono::seconds(9));
  talk.client_sends("GET / HTTP/1.1\r\nHo");
  talk.pass(std::chrono::seconds(5));
  talk.client_sends("st: a\r\n\r\n");
  talk.origin_sends(kOk);
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 200 OK");
}

// One client must not keep a worker from the others, however fast it asks.
TEST(ClientSession, AnswersOfOurOwnTakeTurnsWithOtherClients) {
  Config config = simple_config();
  config.sites[0].hosts = {"www.example.com"};
  Conversation talk(config);
  std::string requests;
  for (int i = 0; i < 100; ++i) requests += kGet;
  talk.client().send(requests);
  talk.turn();
  const std::string answers = talk.client_gets();
  EXPECT_EQ(first_line(answers), "HTTP/1.1 404 Not Found");
  EXPECT_EQ(answers.find("HTTP/1.1", 1), std::string::npos) << "one in a turn";
  talk.run();
  EXPECT_EQ(talk.worker().counters.responses[4].get(), 100u);
}

// ---- failures and retries -----------------------------------------------------------------------

TEST(ClientSession, TriesTheOtherServerWhenOneRefuses) {
  Conversation talk(simple_config(2));
  talk.on_connect({Conversation::Connect::refuse});
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  ASSERT_EQ(talk.connections(), 2u);
  EXPECT_NE(talk.server_of(0), talk.server_of(1));
  EXPECT_THAT(talk.origin_gets(), EndsWith("\r\n\r\nabc")) << "nothing was sent, so even a POST may go elsewhere";
  talk.origin_sends(kOk);
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 200 OK");
  EXPECT_EQ(talk.worker().counters.retries.get(), 1u);
}

TEST(ClientSession, PassesOverAServerThatRefusedForAWhile) {
  Conversation talk(simple_config(2));
  talk.on_connect({Conversation::Connect::refuse});
  talk.client_sends(kGet);
  const IpEndpoint failed = talk.server_of(0);
  talk.origin_sends(kOk);
  for (int i = 0; i < 4; ++i) {
    auto another = talk.connect();
    another->send(kGet);
    talk.run();
    EXPECT_NE(talk.server_of(talk.connections() - 1), failed);
  }
  talk.pass(std::chrono::seconds(2));
  bool is_back = false;
  for (int i = 0; i < 4; ++i) {
    auto another = talk.connect();
    another->send(kGet);
    talk.run();
    is_back |= talk.server_of(talk.connections() - 1) == failed;
  }
  EXPECT_TRUE(is_back);
}

TEST(ClientSession, TriesOnceMoreOnly) {
  Conversation talk(simple_config(3));
  talk.on_connect({Conversation::Connect::refuse, Conversation::Connect::refuse});
  talk.client_sends(kGet);
  EXPECT_EQ(talk.connections(), 2u);
  const std::string response = talk.client_gets();
  EXPECT_EQ(first_line(response), "HTTP/1.1 502 Bad Gateway");
  EXPECT_FALSE(talk.client().ended()) << "the client did nothing wrong";
}

TEST(ClientSession, AConnectThatTakesTooLongIsTriedElsewhere) {
  Conversation talk(simple_config(2));
  talk.on_connect({Conversation::Connect::hang, Conversation::Connect::hang});
  talk.client_sends(kGet);
  talk.pass(std::chrono::milliseconds(4900));
  EXPECT_EQ(talk.connections(), 1u);
  talk.pass(std::chrono::milliseconds(200));
  EXPECT_EQ(talk.connections(), 2u);
  talk.pass(std::chrono::milliseconds(5100));
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 504 Gateway Timeout");
}

TEST(ClientSession, AClientThatTakesItsResponseTooSlowlyIsCutOff) {
  for (const bool is_quick : {false, true}) {
    Config config = simple_config();
    config.limits.response_rate_min = 1000;
    Conversation talk(config);
    talk.client().limit_room(100);
    talk.client_sends(kGet);
    talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + std::string(900000, 'x'));
    for (int second = 0; second < 65; ++second) {
      talk.client().make_room(is_quick ? 2000 : 500);  // never idle
      talk.pass(std::chrono::seconds(1));
    }
    EXPECT_EQ(talk.client().was_aborted(), !is_quick);
    EXPECT_EQ(talk.worker()
                  .counters
                  .failed[0][static_cast<std::size_t>(policy::Stage::response_body)]
                         [static_cast<std::size_t>(policy::Cause::timed_out)]
                  .get(),
              is_quick ? 0u : 1u);
  }
}

TEST(ClientSession, AWholeRequestMayHaveALimit) {
  Config config = simple_config();
  config.timeouts.request = std::chrono::seconds(20);
  Conversation talk(config);
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n");
  for (int second = 0; second < 25; ++second) {
    talk.client_sends(std::string(10000, 'x'));
    talk.pass(std::chrono::seconds(1));
  }
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 408 Request Timeout");
  Conversation waiting(config);
  waiting.client_sends(kGet);
  waiting.pass(std::chrono::seconds(21));
  EXPECT_EQ(first_line(waiting.client_gets()), "HTTP/1.1 504 Gateway Timeout");
}

TEST(ClientSession, ASlowConnectIsNoFailure) {
  Conversation talk;
  talk.on_connect({Conversation::Connect::hang});
  talk.client_sends(kGet);
  talk.pass(std::chrono::seconds(3));
  talk.origin().accept();
  talk.run();
  EXPECT_EQ(first_line(talk.origin_gets()), "GET / HTTP/1.1");
}

TEST(ClientSession, AResetReusedConnectionIsReplacedWhenTheRequestMayBeRepeated) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin_sends(kOk);
  talk.client_gets();
  talk.client_sends(kGet);
  talk.origin().reset();
  talk.run();
  ASSERT_EQ(talk.connections(), 2u);
  EXPECT_EQ(first_line(talk.origin_gets()), "GET / HTTP/1.1");
  talk.origin_sends(kOk);
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 200 OK");
}

// The server had closed its idle connection because it was going away.
TEST(ClientSession, TriesTheOtherServerWhenTheReplacementOfAReusedConnectionFails) {
  Conversation talk(simple_config(2));
  talk.client_sends(kGet);
  talk.origin_sends(kOk);
  auto another = talk.connect();
  another->send(kGet);
  talk.run();
  talk.origin_sends(kOk);
  talk.origin(1).take();
  talk.client_gets();
  talk.client_sends(kGet);
  talk.origin(0).reset();
  talk.on_connect({Conversation::Connect::refuse});
  talk.run();
  ASSERT_EQ(talk.connections(), 3u);
  EXPECT_EQ(talk.server_of(2), talk.server_of(0)) << "a new connection to the same server first";
  EXPECT_EQ(first_line(talk.origin(1).take()), "GET / HTTP/1.1");
  talk.origin(1).send(kOk);
  talk.run();
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 200 OK");
}

TEST(ClientSession, OutOfDescriptorsIsNotTheServersFault) {
  Conversation talk(simple_config(2));
  talk.on_connect({Conversation::Connect::no_descriptor});
  talk.client_sends(kGet);
  EXPECT_EQ(talk.connections(), 0u);
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 503 Service Unavailable");
  const auto& servers = talk.worker().current().upstreams[0].servers;
  for (const auto& server : servers) {
    EXPECT_EQ(server->avoid_until(), TimePoint{});
    EXPECT_EQ(server->slot().failures.get(), 0u);
  }
}

TEST(ClientSession, AResetReusedConnectionFailsAPost) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin_sends(kOk);
  talk.client_gets();
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  talk.origin().half_close();
  talk.run();
  EXPECT_EQ(talk.connections(), 1u);
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 502 Bad Gateway");
}

TEST(ClientSession, AFreshConnectionThatClosesIsABadGateway) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin().half_close();
  talk.run();
  EXPECT_EQ(talk.connections(), 1u);
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 502 Bad Gateway");
}

TEST(ClientSession, AResponseThatHasBegunIsNeverTriedAgain) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin_sends(kOk);
  talk.client_gets();
  talk.client_sends(kGet);
  talk.origin_sends("HTTP/1.1 200 O");
  talk.origin().reset();
  talk.run();
  EXPECT_EQ(talk.connections(), 1u);
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 502 Bad Gateway");
}

TEST(ClientSession, SharesRequestsAmongServers) {
  Conversation talk(simple_config(3));
  std::vector<IpEndpoint> seen;
  for (int i = 0; i < 6; ++i) {
    auto another = talk.connect();
    another->send(kGet);
    talk.run();
    seen.push_back(talk.server_of(talk.connections() - 1));
  }
  for (const IpEndpoint& server : seen) EXPECT_EQ(std::count(seen.begin(), seen.end(), server), 2);
}

// ---- heads ---------------------------------------------------------------------------------------

TEST(ClientSession, RefusesABadHeadAndCloses) {
  Conversation talk;
  talk.client_sends("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string response = talk.client_gets();
  EXPECT_EQ(first_line(response), "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(field(response, "Connection"), "close");
  EXPECT_TRUE(talk.client().ended());
  EXPECT_EQ(talk.connections(), 0u);
  const auto reason = static_cast<std::size_t>(http::HeadError::content_length_with_transfer_encoding);
  EXPECT_EQ(talk.worker().counters.refused[reason].get(), 1u);
}

TEST(ClientSession, AnswersWhatItCannotRouteAndGoesOn) {
  Config config = simple_config();
  config.sites[0].hosts = {"www.example.com"};
  config.sites[0].routes[0].path = "/app";
  Conversation talk(config);
  talk.client_sends(kGet);
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 404 Not Found");
  talk.client_sends("POST /other HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 404 Not Found");
  talk.client_sends("GET /app HTTP/1.1\r\nHost: www.example.com\r\n\r\n");
  EXPECT_EQ(talk.connections(), 1u);
}

TEST(ClientSession, RefusesConnectAndTrace) {
  for (const char* request :
       {"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"}) {
    Conversation talk;
    talk.client_sends(request);
    EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 405 Method Not Allowed");
    EXPECT_EQ(talk.connections(), 0u);
  }
}

TEST(ClientSession, WhatFollowsARefusedConnectIsNoRequest) {
  Conversation talk;
  talk.client_sends("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nGET /tunnelled HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(field(talk.client_gets(), "Connection"), "close");
  EXPECT_TRUE(talk.client().ended());
  EXPECT_EQ(talk.connections(), 0u);
}

TEST(ClientSession, RefusesAContentLengthOverTheLimitBeforeTheBody) {
  Config config = simple_config();
  config.sites[0].request_body_max = 100;
  Conversation talk(config);
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n");
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 413 Content Too Large");
  EXPECT_EQ(talk.connections(), 0u);
  EXPECT_TRUE(talk.client().ended());
}

TEST(ClientSession, ReadsAHeadUpToItsLimit) {
  Conversation talk;
  const std::string field = "X-Large: " + std::string(60000, 'v') + "\r\n";
  talk.client_sends("GET / HTTP/1.1\r\nHost: a\r\n" + field + "\r\n");
  EXPECT_THAT(talk.origin_gets(), HasSubstr(field));
  talk.origin_sends(kOk);
  talk.client_gets();
  talk.client_sends("GET / HTTP/1.1\r\nHost: a\r\n" + field + field + "\r\n");
  EXPECT_THAT(first_line(talk.client_gets()), ::testing::StartsWith("HTTP/1.1 431"));
}

TEST(ClientSession, AHeadThatTakesTooLongIsARequestTimeout) {
  Conversation talk;
  talk.client_sends("GET / HTTP/1.1\r\nHo");
  for (int i = 0; i < 9; ++i) {
    talk.pass(std::chrono::seconds(1));
    talk.client_sends("s");  // a drip buys no time
  }
  EXPECT_EQ(talk.client_gets(), "");
  talk.pass(std::chrono::milliseconds(1100));
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 408 Request Timeout");
}

// However fast the drip: every tick has a byte for it.
TEST(ClientSession, AHeadThatKeepsComingIsStillARequestTimeout) {
  Conversation talk;
  talk.client_sends("GET / HTTP/1.1\r\nHost: ");
  for (int i = 0; i < 405 && talk.client().received().empty(); ++i) {
    talk.client().send("s");
    talk.pass(Scheduler::kTick);
  }
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 408 Request Timeout");
}

TEST(ClientSession, AHeadThatArrivedWhileThisProcessStoodStillIsNotLate) {
  Conversation talk;
  talk.client_sends("GET / HTTP/1.1\r\n");
  talk.pause(std::chrono::minutes(5));
  talk.client_sends("Host: a\r\n\r\n");
  EXPECT_EQ(talk.connections(), 1u);
}

TEST(ClientSession, ClosesASilentConnectionWithoutAWord) {
  Conversation talk;
  talk.pass(std::chrono::seconds(11));
  EXPECT_TRUE(talk.client().is_closed());
  EXPECT_EQ(talk.client_gets(), "");
}

TEST(ClientSession, ClosesAnIdleConnectionAfterItsTime) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin_sends(kOk);
  talk.pass(std::chrono::seconds(59));
  EXPECT_FALSE(talk.client().is_closed());
  talk.pass(std::chrono::seconds(2));
  EXPECT_TRUE(talk.client().is_closed());
}

TEST(ClientSession, EndsQuietlyWithTheClient) {
  for (const char* request : {"", "GET / HT", kGet}) {
    Conversation talk;
    talk.client_sends(request);
    talk.client().reset();
    talk.run();
    EXPECT_TRUE(talk.client().is_closed());
    EXPECT_EQ(talk.sessions(), 0u);
  }
}

TEST(ClientSession, AnswersForOneHopOnly) {
  Conversation talk;
  talk.client_sends("OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n");
  const std::string answer = talk.client_gets();
  EXPECT_EQ(first_line(answer), "HTTP/1.1 200 OK");
  EXPECT_THAT(field(answer, "Allow"), HasSubstr("GET"));
  EXPECT_EQ(talk.connections(), 0u);
  talk.client_sends("OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n");
  const std::string request = talk.origin_gets();
  EXPECT_EQ(first_line(request), "OPTIONS * HTTP/1.1");
  EXPECT_EQ(field(request, "Max-Forwards"), "2");
}

// RFC 9112 section 3.2.2: the target's authority overrules Host, for routing and for the upstream.
TEST(ClientSession, AnAbsoluteTargetOverrulesHost) {
  Config config = simple_config();
  config.sites[0].hosts = {"www.example.com"};
  Conversation talk(config);
  talk.client_sends("GET http://www.example.com/x HTTP/1.1\r\nHost: other.example\r\n\r\n");
  const std::string request = talk.origin_gets();
  EXPECT_EQ(first_line(request), "GET /x HTTP/1.1");
  EXPECT_EQ(field(request, "Host"), "www.example.com");
  EXPECT_EQ(request.find("other.example"), std::string::npos);
}

// ---- header rules ------------------------------------------------------------------------------

TEST(ClientSession, AppliesTheRulesOfTheRoute) {
  Config config = simple_config();
  Route& route = config.sites[0].routes[0];
  route.request_headers = {{"X-Debug"}, {{"X-Real-IP", "${client_address}"}}, {}};
  route.response_headers = {{"Server"}, {{"X-Served-By", "${node} ${upstream}"}}, {}};
  Conversation talk(config);
  talk.client_sends("GET / HTTP/1.1\r\nHost: a\r\nX-Debug: 1\r\n\r\n");
  const std::string request = talk.origin_gets();
  EXPECT_EQ(field(request, "X-Debug"), "");
  EXPECT_EQ(field(request, "X-Real-IP"), "192.0.2.7");
  talk.origin_sends("HTTP/1.1 200 OK\r\nServer: secret\r\nContent-Length: 0\r\n\r\n");
  const std::string response = talk.client_gets();
  EXPECT_EQ(field(response, "Server"), "");
  EXPECT_EQ(field(response, "X-Served-By"), "lb-a app");
}

TEST(ClientSession, BelievesForwardedFieldsOfTrustedClientsOnly) {
  Config config = simple_config();
  config.trusted_proxies = {*IpPrefix::parse("198.51.100.0/24")};
  Conversation talk(config);
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n";
  talk.client_sends(request);
  EXPECT_EQ(field(talk.origin_gets(), "X-Forwarded-For"), "192.0.2.7");
  auto trusted = talk.connect("198.51.100.4:1");
  trusted->send(request);
  talk.run();
  EXPECT_EQ(field(talk.origin_gets(), "X-Forwarded-For"), "203.0.113.9, 198.51.100.4");
}

TEST(ClientSession, OurOwnAnswersCarryTheFieldsOfTheirLevel) {
  Config config = simple_config();
  config.response_headers = {{}, {{"X-Level", "proxy"}}, {}};
  Site& site = config.sites[0];
  site.hosts = {"a"};
  site.response_headers = {{}, {{"X-Level", "site of ${node}"}}, {}};
  site.routes[0].path = "/app";
  site.routes[0].response_headers = {{}, {{"X-Level", "route"}}, {}};
  Conversation talk(config);
  talk.client_sends("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n");
  EXPECT_EQ(field(talk.client_gets(), "X-Level"), "proxy");
  talk.client_sends("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(field(talk.client_gets(), "X-Level"), "site of lb-a");
  talk.on_connect({Conversation::Connect::refuse, Conversation::Connect::refuse});
  talk.client_sends("GET /app HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string response = talk.client_gets();
  EXPECT_EQ(first_line(response), "HTTP/1.1 502 Bad Gateway");
  EXPECT_EQ(field(response, "X-Level"), "route");
  EXPECT_EQ(std::to_string(body_of(response).size()), field(response, "Content-Length"));
}

// ---- the end -------------------------------------------------------------------------------------

// A close with unread input is a reset, which may cost the client our last response.
TEST(ClientSession, LingersWhenTheClientHasSaidMore) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.worker().announces_close = true;
  talk.client_sends(kGet);
  talk.origin_sends(kOk);
  EXPECT_EQ(field(talk.client_gets(), "Connection"), "close");
  EXPECT_TRUE(talk.client().ended());
  EXPECT_FALSE(talk.client().is_closed());
  EXPECT_FALSE(talk.client().holds_unread());
  talk.pass(kLingerMax + Scheduler::kTick * 2);
  EXPECT_TRUE(talk.client().is_closed());
}

// To a client whose body ends with the connection, a regular end would make half a response whole.
TEST(ClientSession, AStopResetsWhatIsNotWhole) {
  std::shared_ptr<Wire> client;
  {
    Conversation talk;
    client = talk.connect();
    client->send("GET / HTTP/1.0\r\n\r\n");
    talk.run();
    talk.origin_sends("HTTP/1.1 200 OK\r\n\r\nhalf");
    EXPECT_EQ(body_of(client->received()), "half");
  }
  EXPECT_TRUE(client->was_aborted());
}

// ---- reload and stop -------------------------------------------------------------------------------

TEST(ClientSession, ARunningRequestKeepsItsConfiguration) {
  Config config = simple_config();
  config.sites[0].routes[0].response_headers = {{}, {{"X-Config", "old"}}, {}};
  Conversation talk(config);
  talk.client_sends(kGet);
  config.sites[0].routes[0].response_headers = {{}, {{"X-Config", "new"}}, {}};
  talk.reload(config);
  talk.origin_sends(kOk);
  EXPECT_EQ(field(talk.client_gets(), "X-Config"), "old");
  talk.client_sends(kGet);
  EXPECT_EQ(talk.connections(), 1u) << "an unchanged server keeps its connections";
  talk.origin_sends(kOk);
  EXPECT_EQ(field(talk.client_gets(), "X-Config"), "new");
}

TEST(ClientSession, ARequestOutlivesItsServersConfiguration) {
  Conversation talk(simple_config(2));
  talk.client_sends(kGet);
  Config config = simple_config(1);
  config.sites[0].upstreams[0].servers = {{"10.9.9.9:80", *IpEndpoint::parse("10.9.9.9:80")}};
  talk.reload(config);
  talk.origin_sends(kOk);
  EXPECT_THAT(talk.client_gets(), EndsWith("ok"));
  talk.client_sends(kGet);
  EXPECT_EQ(talk.server_of(1).to_string(), "10.9.9.9:80");
  EXPECT_TRUE(talk.origin(0).is_closed()) << "nobody can use that connection any more";
}

TEST(ClientSession, AnnouncesTheCloseInAResponse) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.worker().announces_close = true;
  talk.origin_sends(kOk);
  EXPECT_EQ(field(talk.client_gets(), "Connection"), "close");
  EXPECT_TRUE(talk.client().is_closed());
}

TEST(ClientSession, AnIdleConnectionMayStillAskWhileDraining) {
  Conversation talk;
  auto silent = talk.connect();
  talk.client_sends(kGet);
  talk.origin_sends(kOk);
  talk.client_gets();
  talk.drain();
  talk.pass(std::chrono::milliseconds(500));
  EXPECT_FALSE(talk.client().is_closed());
  talk.client_sends(kGet);
  talk.origin_sends(kOk);
  EXPECT_EQ(field(talk.client_gets(), "Connection"), "close");
  EXPECT_TRUE(talk.client().is_closed());
  talk.pass(std::chrono::milliseconds(600));
  EXPECT_TRUE(silent->is_closed());
  EXPECT_EQ(talk.sessions(), 0u);
}

TEST(ClientSession, ARunningDownloadEndsWhileDraining) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
  talk.drain();
  talk.pass(std::chrono::seconds(5));
  talk.origin_sends("half");
  EXPECT_EQ(body_of(talk.client_gets()), "halfhalf");
  talk.pass(std::chrono::milliseconds(1100));
  EXPECT_EQ(talk.sessions(), 0u);
}

}  // namespace
}  // namespace vipair::proxy
