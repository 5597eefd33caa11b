#include "proxy/server/request.h"

#include <gtest/gtest.h>

namespace vipair::proxy {
namespace {

TEST(RequestPool, GivesBackARequestThatRemembersNothing) {
  BufferPool buffers;
  RequestPool pool(buffers);
  std::unique_ptr<Request> request = pool.take();
  Request* const address = request.get();
  request->status = 200;
  request->head_seen = 17;
  request->must_abort = request->client_persists = true;
  request->exchange.head_in.reserve(BufferPool::kSmall);
  request->exchange.head_in.produced(100);
  request->exchange.fail(policy::Side::client, policy::Stage::request_head, policy::Cause::closed);
  pool.give_back(std::move(request));
  request = pool.take();
  EXPECT_EQ(request.get(), address);
  EXPECT_EQ(request->status, 0);
  EXPECT_FALSE(request->dispatch.has_begun());
  EXPECT_EQ(request->head_seen, 0u);
  EXPECT_FALSE(request->must_abort || request->client_persists);
  EXPECT_EQ(request->exchange.head_in.capacity(), 0u) << "a request in the pool holds no buffer";
  EXPECT_FALSE(request->exchange.failure());
}

}  // namespace
}  // namespace vipair::proxy
