// Sending; receiving is in h2_receive_test.cpp, whole conversations in h2_session_test.cpp.
#include "proxy/server/h2_connection.h"

#include <gtest/gtest.h>

#include "tests/support/conversation.h"
#include "tests/support/h2_peer.h"

namespace vipair::proxy {
namespace {

using http::h2::FrameType;
using testing::Conversation;
using testing::Frame;
using testing::H2Peer;

TEST(H2Connection, SplitsALargeHeadIntoFrames) {
  Conversation talk;
  auto wire = talk.connect_http2();
  H2Peer peer(*wire);
  peer.send_preface();
  peer.send(testing::headers(1, testing::get()));
  talk.run();
  std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
  for (int i = 0; i < 50; ++i) head += "X-" + std::to_string(i) + ": " + std::string(1000, '\xff') + "\r\n";
  talk.origin_sends(head + "\r\n");
  const auto frames = peer.messages();
  ASSERT_GE(frames.size(), 4u);
  EXPECT_EQ(frames[0].type, FrameType::headers);
  EXPECT_TRUE(frames[0].ends_stream());
  EXPECT_EQ(frames[0].flags & http::h2::kEndHeaders, 0);
  std::size_t fields = 0;
  for (const Frame& frame : frames) fields += frame.fields.size();
  for (std::size_t i = 1; i < frames.size(); ++i) EXPECT_EQ(frames[i].type, FrameType::continuation);
  EXPECT_NE(frames.back().flags & http::h2::kEndHeaders, 0);
  EXPECT_EQ(fields, 1u + 1 + 50 + 2) << "with Date and Via";
}

TEST(H2Connection, BoundsWhatItHoldsForASlowClient) {
  Conversation talk;
  auto wire = talk.connect_http2();
  H2Peer peer(*wire);
  peer.send_preface(testing::settings({{http::h2::Setting::initial_window_size, 0x7fffffff}}));
  peer.send(testing::frame(FrameType::window_update, 0, 0, testing::u32(0x7fff0000 - 65535)));
  std::string requests;
  for (std::uint32_t i = 0; i < 20; ++i) requests += testing::headers(2 * i + 1, testing::get());
  peer.send(requests);
  talk.run();
  (void)peer.frames();
  wire->limit_room(0);
  for (std::size_t i = 0; i < 20; ++i) {
    talk.origin(i).send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + std::string(1000000, 'x'));
  }
  talk.run();
  std::size_t unread = 0;
  for (std::size_t i = 0; i < 20; ++i) unread += talk.origin(i).holds_unread() ? 1 : 0;
  EXPECT_EQ(unread, 20u) << "back-pressure reaches every origin";
  wire->make_room(testing::kAnySize);
  talk.run();
  std::size_t received = 0;
  for (const Frame& frame : peer.messages())
    if (frame.type == FrameType::data) received += frame.payload.size();
  EXPECT_EQ(received, 20000000u);
}

}  // namespace
}  // namespace vipair::proxy
