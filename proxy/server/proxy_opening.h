#pragma once
// A connection to a listener with `proxy_protocol`, from accept until its header has told whom it is from. The
// header is looked at in place and only then taken out of the socket, so that what follows is there for whoever
// comes next, TLS included. Belongs to its worker.

#include <memory>

#include "proxy/policy/proxy_protocol.h"
#include "proxy/server/client_info.h"
#include "proxy/server/session.h"
#include "proxy/server/task.h"
#include "proxy/server/worker_context.h"

namespace vipair::proxy {

class ProxyOpening final : public Session {
 public:
  ProxyOpening(WorkerContext& worker, std::unique_ptr<Stream> client, ClientInfo info);
  ~ProxyOpening() override;

  void start();  // runs up to its first wait
  void wake() override { waiter_.wake(); }
  bool is_idle() const override { return false; }

 private:
  Task run();
  static void on_done(void* opening);
  bool read_header();  // false: nothing to do until something happens
  void refuse(Counter& counter, const char* why);

  WorkerContext& worker_;
  std::unique_ptr<Stream> client_;
  ClientInfo info_;
  Waiter waiter_;
  bool is_over_ = false;
  Task task_;
};

}  // namespace vipair::proxy
