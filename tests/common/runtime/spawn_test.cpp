#include "common/runtime/spawn.h"

#include <boost/asio/io_context.hpp>
#include <stdexcept>

#include "gtest/gtest.h"

namespace vipair {
namespace {

boost::asio::awaitable<void> finish(bool* done) {
  *done = true;
  co_return;
}

boost::asio::awaitable<void> fail(const char* why) {
  if (why) throw std::runtime_error(why);
  co_return;
}

TEST(Spawn, RunsTheCoroutine) {
  boost::asio::io_context io;
  bool done = false;
  spawn(io.get_executor(), "test", finish(&done));
  io.run();
  EXPECT_TRUE(done);
}

TEST(Spawn, ExceptionIsLoggedWithItsNameAndGoesNoFurther) {
  boost::asio::io_context io;
  testing::internal::CaptureStderr();
  spawn(io.get_executor(), "listener", fail("out of luck"));
  EXPECT_NO_THROW(io.run());
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("error listener ended: out of luck\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace vipair
