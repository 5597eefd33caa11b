#include "proxy/server/proxy_opening.h"

#include <array>
#include <string>
#include <utility>

#include "proxy/server/admission.h"

namespace vipair::proxy {

ProxyOpening::ProxyOpening(WorkerContext& worker, std::unique_ptr<Stream> client, ClientInfo info)
    : worker_(worker), client_(std::move(client)), info_(std::move(info)), waiter_(worker.scheduler) {
  ++worker_.session_count;
  worker_.counters.connections.add();
  client_->set_waiter(&waiter_);
}

ProxyOpening::~ProxyOpening() {
  --worker_.session_count;
  worker_.counters.connections.subtract();
}

void ProxyOpening::start() {
  task_ = run();
  task_.start({&ProxyOpening::on_done, this});
}

void ProxyOpening::on_done(void* opening) {
  auto* self = static_cast<ProxyOpening*>(opening);
  self->worker_.finish(*self, self->task_, "a new connection");
}

Task ProxyOpening::run() {
  ProxyHeaderCounters& counters = worker_.counters.proxy_headers;
  const Snapshot& snapshot = *worker_.current().snapshot;
  const TimePoint deadline = worker_.scheduler.now() + snapshot.config.timeouts.request_head;
  if (!snapshot.trusts(info_.address.address)) {
    refuse(counters.untrusted, "is no trusted proxy (trusted_proxies)");
  }
  while (!is_over_) {
    if (read_header()) break;
    const bool is_late = co_await waiter_.activity(deadline);
    if (is_late && !read_header()) refuse(counters.timed_out, "has sent no PROXY header in time");
  }
}

bool ProxyOpening::read_header() {
  if (!client_->can_read()) return false;
  ProxyHeaderCounters& counters = worker_.counters.proxy_headers;
  std::array<char, policy::kProxyHeaderMax> bytes;
  const IoResult seen = client_->try_peek(bytes);
  if (seen.status == IoResult::Status::would_block) return false;
  if (seen.status != IoResult::Status::ok) {
    is_over_ = true;  // a check whether we listen, most likely
    return true;
  }
  const policy::ProxyHeader header = policy::parse_proxy_header({bytes.data(), seen.bytes});
  if (header.status == policy::ProxyHeader::Status::incomplete) {
    if (!client_->peer_closed()) return false;
    is_over_ = true;
    return true;
  }
  if (header.status == policy::ProxyHeader::Status::error) {
    refuse(counters.refused[static_cast<std::size_t>(header.error)],
           (std::string("has sent a PROXY header that is refused: ") + policy::to_string(header.error)).c_str());
    return true;
  }
  const IoResult taken = client_->try_read({bytes.data(), header.size});
  is_over_ = true;
  if (taken.status != IoResult::Status::ok || taken.bytes != header.size) return true;
  counters.accepted.add();
  if (header.addresses) {
    info_.came_through_proxy(header.addresses->source, header.addresses->destination);
    if (!admit_connection(worker_, info_)) return true;
  }
  client_->set_waiter(nullptr);
  worker_.begin_session(std::move(client_), info_);
  return true;
}

void ProxyOpening::refuse(Counter& counter, const char* why) {
  counter.add();
  is_over_ = true;
  client_->abort_on_close();
  worker_.warn_within_limit("listener " + info_.listening.to_string() + ": " + info_.address_text + " " + why);
}

}  // namespace vipair::proxy
