#include "proxy/server/pipe_pool.h"

#include <fcntl.h>
#include <unistd.h>

namespace vipair::proxy {

Pipe::~Pipe() {
  if (pool_ != nullptr) pool_->give_back(*this);
}

Pipe PipePool::take() {
  Pipe pipe;
  if (!free_.empty()) {
    pipe.read_end_ = std::move(free_.back().first);
    pipe.write_end_ = std::move(free_.back().second);
    free_.pop_back();
  } else {
    int ends[2];
    if (in_use_ >= kPipesMax || ::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return pipe;
    pipe.read_end_.reset(ends[0]);
    pipe.write_end_.reset(ends[1]);
    // Refused when pipes hold as many pages as this user may have: then the usual 64 KiB have to do.
    (void)::fcntl(ends[0], F_SETPIPE_SZ, static_cast<int>(kCapacity));
  }
  pipe.pool_ = this;
  ++in_use_;
  return pipe;
}

void PipePool::give_back(Pipe& pipe) {
  --in_use_;
  if (pipe.empty()) free_.emplace_back(std::move(pipe.read_end_), std::move(pipe.write_end_));
}

}  // namespace vipair::proxy
