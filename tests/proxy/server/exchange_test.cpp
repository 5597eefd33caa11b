#include "proxy/server/exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <random>

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
using ::testing::Not;
using testing::simple_config;
using ::testing::StartsWith;

constexpr const char* kGet = "GET /a?b=c HTTP/1.1\r\nHost: www.example.com\r\n\r\n";

TEST(Exchange, RelaysARequestAndItsResponse) {
  Conversation talk;
  talk.client_sends(kGet);
  const std::string request = talk.origin_gets();
  EXPECT_EQ(first_line(request), "GET /a?b=c HTTP/1.1");
  EXPECT_EQ(field(request, "Host"), "www.example.com");
  EXPECT_EQ(field(request, "X-Forwarded-For"), "192.0.2.7");
  EXPECT_EQ(field(request, "X-Request-ID").size(), 32u);
  talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  const std::string response = talk.client_gets();
  EXPECT_EQ(first_line(response), "HTTP/1.1 200 OK");
  EXPECT_EQ(field(response, "Content-Length"), "5");
  EXPECT_EQ(body_of(response), "hello");
  EXPECT_FALSE(talk.client().ended());
}

TEST(Exchange, SendsHeadAndBodyOfASmallResponseInOneWrite) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.client().limit_room(100000);
  int writes = 0;
  talk.use_pieces([&] { return ++writes, testing::kAnySize; });
  talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_THAT(talk.client_gets(), EndsWith("\r\n\r\nhello"));
  EXPECT_LE(writes, 2 * 2);  // one turn with work, one that finds nothing more
}

TEST(Exchange, StreamsAContentLengthUpload) {
  Conversation talk;
  talk.client_sends("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_THAT(talk.origin_gets(), AllOf(HasSubstr("Content-Length: 10\r\n"), EndsWith("\r\n\r\nabc")));
  talk.client_sends("defg");
  EXPECT_EQ(talk.origin_gets(), "defg");
  talk.client_sends("hij");
  EXPECT_EQ(talk.origin_gets(), "hij");
  talk.origin_sends("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 201 Created");
  EXPECT_FALSE(talk.client().ended());
}

TEST(Exchange, FramesChunkedBodiesAnewAndPassesTrailers) {
  Conversation talk;
  talk.client_sends(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nConnection: TE\r\n\r\n"
      "3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n");
  const std::string request = talk.origin_gets();
  EXPECT_EQ(field(request, "Transfer-Encoding"), "chunked");
  EXPECT_EQ(body_of(request), "5\r\nabcde\r\n0\r\nX-Sum: 5\r\n\r\n");
  talk.origin_sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
  EXPECT_EQ(body_of(talk.client_gets()), "1\r\nx\r\n");
  talk.origin_sends("2\r\nyz\r\n0\r\nX-End: 1\r\n\r\n");
  EXPECT_EQ(talk.client_gets(), "2\r\nyz\r\n0\r\nX-End: 1\r\n\r\n");
}

// RFC 9110 section 10.1.1: the origin decides.
TEST(Exchange, RelaysExpectAndTheInterimResponse) {
  Conversation talk;
  talk.client_sends("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(field(talk.origin_gets(), "Expect"), "100-continue");
  talk.pass(std::chrono::seconds(45));  // longer than body_idle: it is not the client's turn
  talk.origin_sends("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_THAT(talk.client_gets(), StartsWith("HTTP/1.1 100 Continue\r\n"));
  talk.client_sends("body");
  EXPECT_EQ(talk.origin_gets(), "body");
  talk.origin_sends("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 204 No Content");
}

TEST(Exchange, RelaysEarlyHints) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin_sends(
      "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  const std::string response = talk.client_gets();
  EXPECT_THAT(response, StartsWith("HTTP/1.1 103 Early Hints\r\n"));
  EXPECT_THAT(response,
              AllOf(HasSubstr("Link: </a.css>"), HasSubstr("\r\n\r\nHTTP/1.1 200 OK\r\n"), EndsWith("ok")));
}

TEST(Exchange, HidesInterimResponsesFromHttp10) {
  Conversation talk;
  talk.client_sends("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  talk.origin_sends("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  const std::string response = talk.client_gets();
  EXPECT_THAT(response, AllOf(Not(HasSubstr(" 103 ")), HasSubstr(" 200 "), EndsWith("ok")));
  EXPECT_TRUE(talk.client().is_closed());
}

TEST(Exchange, BoundsTheNumberOfInterimResponses) {
  Conversation talk;
  talk.client_sends("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  for (int i = 0; i < 40 && !talk.origin().is_closed(); ++i) talk.origin_sends("HTTP/1.1 102 Processing\r\n\r\n");
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 502 Bad Gateway");
}

TEST(Exchange, TakesA101ThatNobodyAskedForAsAnError) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin_sends("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 502 Bad Gateway");
}

TEST(Exchange, RelaysAFinalResponseThatComesBeforeTheBodyEnds) {
  Conversation talk;
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nsome");
  talk.origin_sends("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");
  const std::string response = talk.client_gets();
  EXPECT_EQ(first_line(response), "HTTP/1.1 401 Unauthorized");
  EXPECT_EQ(field(response, "Connection"), "close");
  EXPECT_THAT(response, EndsWith("\r\n\r\nno"));
  EXPECT_TRUE(talk.client().ended());
  EXPECT_FALSE(talk.client().is_closed());  // it lingers, or the client might lose the answer to a reset
  EXPECT_TRUE(talk.origin().is_closed());
  talk.client().half_close();
  talk.run();
  EXPECT_TRUE(talk.client().is_closed());
}

TEST(Exchange, ReadsTheAnswerOfAnUpstreamThatClosedWhileWeWereSending) {
  Conversation talk;
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nsome");
  talk.origin().send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  talk.origin().reset();
  talk.client_sends("more");
  EXPECT_THAT(first_line(talk.client_gets()), StartsWith("HTTP/1.1 413"));
}

TEST(Exchange, AnswersHeadWithoutABody) {
  Conversation talk;
  talk.client_sends("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
  const std::string response = talk.client_gets();
  EXPECT_EQ(field(response, "Content-Length"), "500");
  EXPECT_EQ(body_of(response), "");
  talk.client_sends(kGet);
  EXPECT_EQ(talk.connections(), 1u) << "the connection goes on behind a response without a body";
}

TEST(Exchange, ChunksABodyThatEndsWithTheConnection) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin_sends("HTTP/1.1 200 OK\r\n\r\nabc");
  EXPECT_EQ(body_of(talk.client_gets()), "3\r\nabc\r\n");
  talk.origin().half_close();
  talk.run();
  EXPECT_EQ(talk.client_gets(), "0\r\n\r\n");
  EXPECT_FALSE(talk.client().ended());
  EXPECT_TRUE(talk.origin().is_closed());
}

TEST(Exchange, UnchunksForHttp10AndEndsWithTheConnection) {
  Conversation talk;
  talk.client_sends("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  EXPECT_EQ(first_line(talk.origin_gets()), "GET / HTTP/1.1");
  talk.origin_sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  const std::string response = talk.client_gets();
  EXPECT_EQ(field(response, "Transfer-Encoding"), "");
  EXPECT_EQ(body_of(response), "abc");
  EXPECT_TRUE(talk.client().is_closed());
}

TEST(Exchange, AbortsTheClientsTransferWhenTheUpstreamsBodyBreaksOff) {
  for (const char* head : {"Content-Length: 100", "Transfer-Encoding: chunked"}) {
    Conversation talk;
    talk.client_sends(kGet);
    talk.origin_sends(std::string("HTTP/1.1 200 OK\r\n") + head + "\r\n\r\n3\r\nabc\r\n");
    talk.origin().half_close();
    talk.run();
    EXPECT_TRUE(talk.client().was_aborted()) << head;
    EXPECT_TRUE(talk.client().is_closed()) << head;
    EXPECT_THAT(talk.client_gets(), Not(HasSubstr("0\r\n\r\n"))) << head;
  }
}

TEST(Exchange, AbortsTheTransferWhenTheUpstreamsChunksAreMalformed) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin_sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  talk.origin_sends("zz\r\n");
  EXPECT_TRUE(talk.client().was_aborted());
}

TEST(Exchange, AHalfClosedClientStillGetsItsResponse) {
  Conversation talk;
  talk.client().send(kGet);
  talk.client().half_close();
  talk.run();
  talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_THAT(talk.client_gets(), EndsWith("\r\n\r\nok"));
  EXPECT_TRUE(talk.client().is_closed());
}

TEST(Exchange, AClientThatBreaksOffItsBodyClosesTheUpstream) {
  Conversation talk;
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  talk.client().half_close();
  talk.run();
  EXPECT_TRUE(talk.origin().is_closed());
  EXPECT_TRUE(talk.client().is_closed());
}

TEST(Exchange, AClientThatIsGoneClosesTheUpstream) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.client().reset();
  talk.run();
  EXPECT_TRUE(talk.origin().is_closed());
  EXPECT_EQ(talk.sessions(), 0u);
}

TEST(Exchange, DoesNotReadFromTheUpstreamWhatTheClientDoesNotTake) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.client().limit_room(1000);
  talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
  const std::string part(100000, 'x');
  for (int i = 0; i < 10; ++i) talk.origin_sends(part);
  EXPECT_LE(talk.client().received().size(), 1000u);
  EXPECT_TRUE(talk.origin().holds_unread()) << "the buffer is bounded";
  talk.client().make_room(2000000);
  talk.run();
  EXPECT_EQ(body_of(talk.client_gets()), std::string(1000000, 'x'));
}

TEST(Exchange, DoesNotReadFromTheClientWhatTheUpstreamDoesNotTake) {
  Conversation talk;
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  talk.origin_gets();
  talk.origin().limit_room(1000);
  for (int i = 0; i < 10; ++i) talk.client_sends(std::string(100000, 'y'));
  EXPECT_EQ(talk.origin().received().size(), 1000u);
  EXPECT_TRUE(talk.client().holds_unread());
  talk.origin().make_room(2000000);
  talk.run();
  EXPECT_EQ(talk.origin_gets(), std::string(1000000, 'y'));
}

TEST(Exchange, RefusesAChunkedBodyOverTheLimit) {
  Config config = simple_config();
  config.sites[0].request_body_max = 5;
  Conversation talk(config);
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n");
  EXPECT_EQ(talk.client_gets(), "");
  talk.client_sends("1\r\nf\r\n");
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 413 Content Too Large");
  EXPECT_TRUE(talk.origin().is_closed());
}

TEST(Exchange, RefusesMalformedChunks) {
  Conversation talk;
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nabcde\r\n");
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 400 Bad Request");
  EXPECT_TRUE(talk.client().ended());
}

TEST(Exchange, AMalformedResponseHeadIsABadGateway) {
  for (const char* head : {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "SSH-2.0-x\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nA : b\r\n\r\n"}) {
    Conversation talk;
    talk.client_sends(kGet);
    talk.origin_sends(head);
    EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 502 Bad Gateway") << head;
    EXPECT_TRUE(talk.origin().is_closed());
  }
}

TEST(Exchange, ReadsAResponseHeadUpToItsLimit) {
  Conversation talk;
  talk.client_sends(kGet);
  const std::string large = "X-Large: " + std::string(60000, 'v') + "\r\n";
  talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + large + "\r\nok");
  EXPECT_THAT(talk.client_gets(), AllOf(HasSubstr(large), EndsWith("\r\n\r\nok")));
  talk.client_sends(kGet);
  talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + large + large + "\r\nok");
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 502 Bad Gateway");
}

// What the upstream had not taken of a body is no request.
TEST(Exchange, TheUnsentRestOfABodyIsNotTheNextRequest) {
  const std::string hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string post =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(hidden.size()) + "\r\n\r\n";
  for (const bool arrives_with_head : {true, false}) {
    for (const bool upstream_answers : {true, false}) {
      SCOPED_TRACE(::testing::Message() << arrives_with_head << upstream_answers);
      Conversation talk;
      talk.client_sends(kGet);
      talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      talk.client_gets();
      talk.origin().limit_room(0);  // it takes nothing of the next request
      if (arrives_with_head) {
        talk.client_sends(post + hidden);
      } else {
        talk.client_sends(post);
        talk.origin().make_room(1000);
        talk.run();
        talk.origin().limit_room(0);
        talk.client_sends(hidden);
      }
      if (upstream_answers) {
        talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 200 OK");
      } else {
        talk.origin_sends("nonsense\r\n");
        EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 502 Bad Gateway");
      }
      ASSERT_FALSE(talk.client().ended());
      talk.client_sends("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
      EXPECT_EQ(first_line(talk.origin_gets()), "GET /next HTTP/1.1");
    }
  }
}

// The interim response is over, another one may follow.
TEST(Exchange, AnUpstreamThatFailsBehindItsInterimResponseIsABadGateway) {
  Conversation talk;
  talk.client_sends("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  talk.origin_sends("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_THAT(talk.client_gets(), StartsWith("HTTP/1.1 100 Continue\r\n"));
  talk.origin().reset();
  talk.run();
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 502 Bad Gateway");
  EXPECT_FALSE(talk.client().was_aborted());
}

TEST(Exchange, AnInterimResponseThatWasSentInPartIsNeverFollowedByAnAnswer) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.client().limit_room(10);
  talk.origin_sends("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
  talk.origin().reset();
  talk.client().make_room(0);
  talk.pass(std::chrono::seconds(31));
  EXPECT_EQ(talk.client_gets(), "HTTP/1.1 1");
  EXPECT_TRUE(talk.client().was_aborted());
}

TEST(Exchange, OnlyAClientThatWaitsForA100MayBeSilent) {
  for (const char* head : {"HTTP/1.0\r\nExpect: 100-continue\r\n", "HTTP/1.1\r\nHost: a\r\nExpect: nothing\r\n"}) {
    Conversation talk;
    talk.client_sends(std::string("POST / ") + head + "Content-Length: 100000\r\n\r\n");
    talk.pass(std::chrono::seconds(31));
    EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 408 Request Timeout") << head;
  }
}

TEST(Exchange, AClientThatDoesNotWaitForItsContinueIsHeldToTheMinimumRate) {
  Conversation talk;
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n");
  for (int second = 0; second < 60 && talk.client().received().empty(); ++second) {
    talk.client_sends("0");
    talk.pass(std::chrono::seconds(1));
  }
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 408 Request Timeout");
}

TEST(Exchange, AnUpgradeToHttp2IsNotPassedOnAndItsRequestIsServed) {
  Conversation talk;
  talk.client_sends(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      "HTTP2-Settings: AAMAAABk\r\n\r\n");
  const std::string request = talk.origin_gets();
  for (const char* name : {"Upgrade", "HTTP2-Settings", "Connection"}) EXPECT_EQ(field(request, name), "") << name;
  talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_THAT(talk.client_gets(), EndsWith("ok"));
}

TEST(Exchange, PassesOverBodiesThatA204Or304CannotHave) {
  for (const char* status : {"204 No Content", "304 Not Modified"}) {
    Conversation talk;
    talk.client_sends(kGet);
    talk.origin_sends(std::string("HTTP/1.1 ") + status + "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    const std::string response = talk.client_gets();
    EXPECT_EQ(first_line(response), std::string("HTTP/1.1 ") + status);
    EXPECT_EQ(body_of(response), "");
    EXPECT_EQ(field(response, "Transfer-Encoding"), "");
    EXPECT_TRUE(talk.origin().is_closed()) << "what it sent behind its head is nobody's response";
    EXPECT_FALSE(talk.client().ended());
  }
}

// ---- time ------------------------------------------------------------------------------------

// A stopped process or a machine that slept was not waiting for anybody.
TEST(Exchange, WhatArrivedWhileThisProcessStoodStillIsNotLate) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.pause(std::chrono::minutes(5));
  talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
  talk.pause(std::chrono::minutes(5));
  talk.origin_sends("half");
  EXPECT_EQ(body_of(talk.client_gets()), "halfhalf");
  EXPECT_FALSE(talk.client().ended());
}

TEST(Exchange, AnUpstreamThatDoesNotAnswerIsAGatewayTimeout) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.pass(std::chrono::seconds(59));
  EXPECT_EQ(talk.client_gets(), "");
  talk.pass(std::chrono::seconds(2));
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 504 Gateway Timeout");
  EXPECT_TRUE(talk.origin().is_closed());
}

TEST(Exchange, ABodyThatStopsIsARequestTimeout) {
  Conversation talk;
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc");
  talk.pass(std::chrono::seconds(29));
  EXPECT_EQ(talk.client_gets(), "");
  talk.pass(std::chrono::seconds(2));
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 408 Request Timeout");
}

TEST(Exchange, ABodyBelowTheMinimumRateIsARequestTimeout) {
  Conversation talk;
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  for (int second = 0; second < 60 && talk.client().received().empty(); ++second) {
    talk.client_sends("0123456789");  // 10 bytes per second
    talk.pass(std::chrono::seconds(1));
  }
  EXPECT_EQ(first_line(talk.client_gets()), "HTTP/1.1 408 Request Timeout");
}

// A total would kill honest uploads.
TEST(Exchange, ABodyAboveTheMinimumRateMayTakeForever) {
  Conversation talk;
  talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n");
  for (int second = 0; second < 300; ++second) {
    talk.client_sends(std::string(300, 'u'));
    talk.pass(std::chrono::seconds(1));
  }
  EXPECT_EQ(body_of(talk.origin_gets()).size(), 90000u);
  EXPECT_EQ(talk.client_gets(), "");
}

TEST(Exchange, AResponseBodyThatStopsIsAborted) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  talk.pass(std::chrono::seconds(31));
  EXPECT_TRUE(talk.client().was_aborted());
}

TEST(Exchange, AClientThatDoesNotReadIsAborted) {
  Conversation talk;
  talk.client_sends(kGet);
  talk.client().limit_room(10);
  talk.origin_sends("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
  talk.pass(std::chrono::seconds(29));
  EXPECT_FALSE(talk.client().is_closed());
  talk.pass(std::chrono::seconds(2));
  EXPECT_TRUE(talk.client().is_closed());
  EXPECT_TRUE(talk.client().was_aborted());
}

// ---- the same in pieces ------------------------------------------------------------------------

struct Script {
  const char* name;
  std::string request, at_origin, response, at_client;
};

std::vector<Script> scripts() {
  const std::string large(200000, 'z');
  return {
      {"get", kGet, "", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"},
      {"upload", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + large, large,
       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"},
      {"download", kGet, "", "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + large, large},
      {"interim", kGet, "",
       "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"},
  };
}

void expect_script_holds(const Script& script, const std::function<std::size_t()>& next_size) {
  Conversation talk;
  talk.use_pieces(next_size);
  for (int round = 0; round < 3; ++round) {  // keep-alive on both sides
    talk.client_sends(script.request);
    ASSERT_EQ(talk.connections(), 1u) << script.name;
    EXPECT_EQ(body_of(talk.origin_gets()), script.at_origin) << script.name;
    talk.origin_sends(script.response);
    EXPECT_THAT(talk.client_gets(), EndsWith("\r\n\r\n" + script.at_client)) << script.name;
  }
}

TEST(Exchange, ByteByByteMakesNoDifference) {
  for (Script script : scripts()) {
    for (std::string* text : {&script.request, &script.at_origin, &script.response, &script.at_client}) {
      if (const std::size_t at = text->find("200000"); at != std::string::npos) text->replace(at, 6, "2000");
      if (text->size() > 2000) text->erase(text->size() - 198000);
    }
    expect_script_holds(script, [] { return std::size_t{1}; });
  }
}

TEST(Exchange, RandomPiecesMakeNoDifference) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    std::mt19937 random(seed);
    SCOPED_TRACE(seed);
    for (const Script& script : scripts()) {
      expect_script_holds(script, [&] { return std::size_t{1} + random() % (seed % 2 == 0 ? 40000 : 3000); });
    }
  }
}

TEST(Exchange, RandomPiecesOfChunkedBodiesKeepThePayload) {
  std::string chunked, payload;
  for (int i = 1; i <= 200; ++i) {
    const std::string run(static_cast<std::size_t>(i * 7 % 97 + 1), static_cast<char>('a' + i % 26));
    char size[8];
    std::snprintf(size, sizeof size, "%zx", run.size());
    chunked += std::string(size) + ";x=y\r\n" + run + "\r\n";
    payload += run;
  }
  chunked += "0\r\nX-T: 1\r\n\r\n";
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    Conversation talk;
    talk.use_pieces([&] { return std::size_t{1} + random() % 700; });
    talk.client_sends("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked);
    for (const std::string& body : {body_of(talk.origin_gets())}) {
      http::BodyDecoder decoder({http::Framing::chunked, 0});
      std::string decoded;
      std::string_view rest = body;
      while (!decoder.is_complete()) {
        const auto step = decoder.decode(rest);
        ASSERT_FALSE(step.error);
        ASSERT_GT(step.consumed, 0u) << "the body breaks off";
        decoded += step.payload;
        rest.remove_prefix(step.consumed);
      }
      EXPECT_EQ(decoded, payload);
      EXPECT_EQ(decoder.trailers(), "X-T: 1\r\n");
      EXPECT_THAT(body, Not(HasSubstr("x=y")));
    }
  }
}

TEST(Exchange, NamesTheCauseOfASystemError) {
  EXPECT_EQ(cause_of(ECONNREFUSED), policy::Cause::refused);
  EXPECT_EQ(cause_of(EPIPE), policy::Cause::reset);
  EXPECT_EQ(cause_of(EHOSTUNREACH), policy::Cause::unreachable);
  EXPECT_EQ(cause_of(ETIMEDOUT), policy::Cause::timed_out);
  EXPECT_EQ(cause_of(EMFILE), policy::Cause::exhausted);
  EXPECT_EQ(cause_of(EBADF), policy::Cause::internal);
}

}  // namespace
}  // namespace vipair::proxy
