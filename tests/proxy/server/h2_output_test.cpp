#include "proxy/server/h2_output.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/memory_stream.h"

namespace vipair::proxy {
namespace {

using testing::MemoryStream;
using testing::Wire;

TEST(H2Output, WritesEverythingInOrderAndInAnyPieces) {
  for (const std::size_t at_once : {std::size_t{1000}, std::size_t{50000}, testing::kAnySize}) {
    BufferPool pool;
    H2Output output(pool);
    auto wire = std::make_shared<Wire>();
    MemoryStream stream(wire);
    wire->accept();
    wire->write_max = at_once;
    std::string expected;
    for (int i = 0; i < 200; ++i) {
      const std::string frame(static_cast<std::size_t>(i) * 37 % 3000 + 1, static_cast<char>('a' + i % 26));
      output.append(frame);
      expected += frame;
      if (i % 50 == 49) (void)output.flush(stream);
    }
    while (!output.empty()) ASSERT_EQ(output.flush(stream).status, IoResult::Status::ok);
    EXPECT_EQ(wire->received(), expected);
    EXPECT_EQ(output.size(), 0u);
  }
}

TEST(H2Output, GivesRoomInOnePiece) {
  BufferPool pool;
  H2Output output(pool);
  for (int i = 0; i < 20; ++i) {
    char* room = output.room(16393);
    std::fill_n(room, 16393, 'x');
    output.produced(100);
  }
  EXPECT_EQ(output.size(), 2000u) << "what is not used costs nothing";
}

}  // namespace
}  // namespace vipair::proxy
