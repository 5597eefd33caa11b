#pragma once
// One client connection from accept to close. While a request runs it has a coroutine and a Request, both from the
// worker's pools; between requests it has neither, nor any buffer: what stays is this object and its stream.
// Belongs to its worker, which destroys it after leave().

#include <exception>
#include <memory>
#include <string_view>

#include "proxy/server/answer.h"
#include "proxy/server/client_info.h"
#include "proxy/server/request.h"
#include "proxy/server/session.h"
#include "proxy/server/stream.h"
#include "proxy/server/task.h"
#include "proxy/server/worker_context.h"

namespace vipair::proxy {

inline constexpr Duration kDrainIdle = std::chrono::seconds(1);   // while draining, idle for so long: closed
inline constexpr Duration kLingerMax = std::chrono::seconds(2);   // for a client to read the last answer
inline constexpr std::size_t kLingerBytesMax = 16 * 1024 * 1024;  // read and thrown away meanwhile

class ClientSession final : public Session {
 public:
  // `already_read` came from the client before its protocol was known.
  ClientSession(WorkerContext& worker, std::unique_ptr<Stream> client, ClientInfo info,
                std::string_view already_read = {});
  ~ClientSession() override;

  void start() { on_activity(this); }  // runs up to its first wait
  void wake() override { waiter_.wake(); }
  bool is_idle() const override { return request_ == nullptr; }
  FramePool& frame_pool() { return worker_.request_frames; }

 private:
  using State = Request::State;

  Task serve();
  static void on_done(void* session);
  void on_exception(const std::exception& exception);
  bool is_stream() const { return info_.http_version == 2; }  // its connection is counted as a whole
  TimePoint now() const { return worker_.scheduler.now(); }
  const Config& config() const { return request_->local->snapshot->config; }

  // between requests
  static void on_activity(void* session);
  void begin_or_wait();
  void wait();
  void leave();  // the worker may destroy this
  bool has_input() const;
  bool must_leave() const;
  TimePoint idle_deadline() const;

  // the request's head
  bool begin_head();
  bool begin_next();  // true: a request that was here already
  bool read_head();   // false: nothing to do until something happens
  void parse_head();
  void on_head_timeout();
  void settle(const std::optional<OwnAnswer>& own);  // what admission says
  void begin_dispatch();

  // the upstream
  void connect();
  void on_dispatch(Dispatch::Result result);
  bool check_connect();  // false: nothing to do until something happens
  bool step();           // false: nothing to do until something happens
  TimePoint request_end() const;
  TimePoint exchange_deadline();
  void on_exchange_deadline();
  void on_complete();
  void on_failure(const policy::ProxyError& error);

  // an answer of our own
  void answer(const OwnAnswer& own) { proxy::answer(worker_, info_, *request_, own); }
  bool flush_answer();
  void abandon();  // there is nobody to answer

  // the end
  void finish_request();
  bool discard_input(std::size_t& discarded);

  WorkerContext& worker_;
  std::unique_ptr<Stream> client_;
  Waiter waiter_;
  std::unique_ptr<Request> request_;  // nullptr while idle
  TimePoint idle_since_;
  const ClientInfo info_;
  bool has_served_ = false;
  bool goes_on_ = true;  // behind this request there may be others
  bool must_linger_ = false;
  Task task_;
};

}  // namespace vipair::proxy
