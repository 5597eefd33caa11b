#include "proxy/server/worker_context.h"

#include <malloc.h>

#include <exception>
#include <string>

#include "proxy/http/date.h"

namespace vipair::proxy {

namespace {
constexpr std::size_t kTrimMin = 1024 * 1024;  // bytes
}  // namespace

void WorkerContext::begin_drain() {
  announces_close = is_draining = true;
  draining_since = scheduler.now();
  sessions.for_each([](Session& session) { session.wake(); });
}

void WorkerContext::finish(Session& session, const Task& task, std::string_view what) {
  if (const std::exception_ptr error = task.error()) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& exception) {
      log::error(std::string(what) + " ended by an exception: " + exception.what());
    }
  }
  finished.push_back(&session);
}

void WorkerContext::end_turn() {
  for (Session* session : finished) delete session;
  finished.clear();
  ended_tasks.clear();
}

void WorkerContext::use(std::shared_ptr<const Snapshot> snapshot) {
  LocalSnapshot local;
  local.upstreams.reserve(snapshot->upstreams.size());
  for (const Snapshot::Upstream& upstream : snapshot->upstreams) {
    local.upstreams.push_back(local_upstream(upstream));
  }
  local.snapshot = std::move(snapshot);
  LocalSnapshot* previous = locals_.empty() ? nullptr : &locals_.back();
  locals_.push_back(std::move(local));
  if (previous != nullptr && previous->users == 0) {
    locals_.remove_if([&](const LocalSnapshot& each) { return &each == previous; });
  }
}

LocalUpstream WorkerContext::local_upstream(const Snapshot::Upstream& upstream) {
  const proxy::Upstream& config = *upstream.config;
  const Balancing& balancing = config.balancing;
  LocalUpstream local;
  local.shared = &upstream;
  local.config = &config;
  local.line = line_for(upstream.numbers);
  policy::Balancer::Settings settings;
  settings.algorithm = balancing.algorithm;
  settings.weights_change = balancing.slow_start > Duration::zero();
  settings.ring = &upstream.ring;
  settings.hash_load_max = balancing.hash_load_max;
  settings.seed = index + 1;
  for (std::size_t i = 0; i < upstream.servers.size(); ++i) {
    const UpstreamServer& server = config.servers[i];
    std::shared_ptr<UpstreamPool> pool = pool_for(upstream.servers[i]);
    pool->configure({config.idle_connections, config.idle_timeout, server.weight, balancing.slow_start,
                     server.max_connections});
    pool->use_tls(upstream.tls, server.text);
    local.servers.push_back(std::move(pool));
    settings.weights.push_back(server.weight);
    if (!server.is_backup) settings.primaries = i + 1;
    local.has_limits |= server.max_connections != 0;
  }
  local.counts_seats = local.has_limits || balancing.hash_load_max != 0 ||
                       balancing.algorithm == policy::Algorithm::least_connections ||
                       balancing.algorithm == policy::Algorithm::random;
  local.balancer = policy::Balancer(std::move(settings));
  return local;
}

std::shared_ptr<WaitingLine> WorkerContext::line_for(const std::shared_ptr<UpstreamNumbers>& numbers) {
  std::weak_ptr<WaitingLine>& known = lines_[numbers.get()];
  std::shared_ptr<WaitingLine> line = known.lock();
  if (line == nullptr) {
    line = std::make_shared<WaitingLine>(numbers, index);
    known = line;
  }
  return line;
}

void WorkerContext::wake_next(WaitingLine& line, const std::shared_ptr<Server>& server) {
  const std::size_t worker = line.longest_waiting();
  if (worker == index) {
    line.wake_next(*server);
  } else if (wake_elsewhere) {
    wake_elsewhere(worker, line.numbers(), server);
  }
}

void WorkerContext::wake_waiting(const UpstreamNumbers& numbers, const Server& server) {
  const auto found = lines_.find(&numbers);
  if (found == lines_.end()) return;
  if (const std::shared_ptr<WaitingLine> line = found->second.lock()) line->wake_next(server);
}

std::shared_ptr<UpstreamPool> WorkerContext::pool_for(const std::shared_ptr<Server>& server) {
  std::weak_ptr<UpstreamPool>& known = pools_[server.get()];
  std::shared_ptr<UpstreamPool> pool = known.lock();
  if (pool == nullptr) {
    pool = std::make_shared<UpstreamPool>(server, index);
    known = pool;
  }
  return pool;
}

void WorkerContext::unpin(LocalSnapshot* local) {
  if (--local->users > 0 || local == &current()) return;
  locals_.remove_if([&](const LocalSnapshot& each) { return &each == local; });
}

void WorkerContext::sweep(TimePoint now) {
  for (auto at = pools_.begin(); at != pools_.end();) {
    if (std::shared_ptr<UpstreamPool> pool = at->second.lock(); pool != nullptr) {
      pool->sweep(now);
      ++at;
    } else {
      at = pools_.erase(at);
    }
  }
  std::erase_if(lines_, [](const auto& line) { return line.second.expired(); });
  const std::size_t freed = requests.trim() + buffers.trim();
  // The heap keeps what lies between blocks in use. To search it costs some time: worth it after a crowd.
  if (freed >= kTrimMin) (void)malloc_trim(0);
}

void WorkerContext::report_failure(const policy::ProxyError& error, const UpstreamPool* server, bool retries) {
  const bool is_clients = error.side == policy::Side::client;
  // Neither a client that leaves nor the end of a tunnel, however it comes, is for an operator to look at.
  const bool is_usual = is_clients || error.stage == policy::Stage::tunnel;
  if (is_usual && !log::is_enabled(log::Level::debug)) return;
  std::uint64_t suppressed = 0;
  if (!is_usual && !log_limit.allow(scheduler.now(), suppressed)) return;
  std::string line = policy::to_string(error.side);
  if (server != nullptr && !is_clients) line += " " + server->server().text;
  line += std::string(", ") + policy::to_string(error.stage) + ", " + policy::to_string(error.cause);
  if (retries) line += ", tried again";
  if (suppressed > 0) line += " (" + std::to_string(suppressed) + " such lines left out)";
  log::write(is_usual ? log::Level::debug : log::Level::warn, line);
}

void WorkerContext::report_tls_failure(const Server& server, const std::string& why) {
  warn_within_limit("upstream " + server.text + ", TLS handshake: " + why);
}

void WorkerContext::warn_within_limit(std::string line) {
  std::uint64_t suppressed = 0;
  if (!log_limit.allow(scheduler.now(), suppressed)) return;
  if (suppressed > 0) line += " (" + std::to_string(suppressed) + " such lines left out)";
  log::warn(line);
}

void WorkerContext::set_wall_time(WallTime wall) {
  wall_offset_ = wall - (scheduler.now() - TimePoint{});
  const auto second = std::chrono::duration_cast<std::chrono::seconds>(wall.time_since_epoch()).count();
  if (second == date_second_) return;
  date_second_ = second;
  date_ = http::ImfDate(wall).text();
}

}  // namespace vipair::proxy
