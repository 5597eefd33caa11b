#include "proxy/server/tunnel.h"

#include <algorithm>

#include "proxy/server/exchange.h"

namespace vipair::proxy {

using policy::Cause;
using policy::Side;

void Tunnel::start(InputBuffer& from_client, InputBuffer& from_upstream, Duration idle, TimePoint now) {
  constexpr http::BodyFraming kToTheEnd{http::Framing::until_close, 0};
  from_client_ = &from_client;
  from_upstream_ = &from_upstream;
  idle_ = idle;
  end_at_ = TimePoint::max();
  failure_.reset();
  to_upstream_.start(from_client, kToTheEnd, false, kUnlimited, now);
  to_client_.start(from_upstream, kToTheEnd, false, kUnlimited, now);
}

Tunnel::Step Tunnel::step(Stream& client, Stream& upstream, TimePoint now) {
  bool moved = pump(to_upstream_, *from_client_, client, upstream, Side::client, now);
  moved |= pump(to_client_, *from_upstream_, upstream, client, Side::upstream, now);
  const bool is_over = to_upstream_.end() != BodyPump::End::none && to_client_.end() != BodyPump::End::none;
  const bool has_failed =
      to_upstream_.end() == BodyPump::End::source_failed || to_client_.end() == BodyPump::End::source_failed;
  if (has_failed || (is_over && failure_)) return Step::failed;
  if (is_over) return Step::complete;
  // A short read was the last one for now: there is no need to find that out by another round.
  return moved && (client.can_read() || upstream.can_read()) ? Step::moved : Step::idle;
}

bool Tunnel::pump(BodyPump& pump, InputBuffer& buffer, Stream& source, Stream& sink, Side source_side,
                  TimePoint now) {
  if (pump.end() != BodyPump::End::none) return false;
  const bool moved = pump.pump(source, sink, now);
  switch (pump.end()) {
    case BodyPump::End::none:
      if (buffer.empty() && !(moved && source.can_read())) buffer.release();  // a silent tunnel holds no memory
      break;
    case BodyPump::End::complete:
      sink.shutdown_write();
      break;
    case BodyPump::End::source_failed:
      fail(source_side, cause_of(pump.error_number()));
      break;
    default:
      // It takes no more. What it said before is still on its way, and then its end.
      fail(source_side == Side::client ? Side::upstream : Side::client, cause_of(pump.error_number()));
      break;
  }
  return moved;
}

TimePoint Tunnel::deadline() const {
  const TimePoint last = std::max(
      {to_upstream_.last_read(), to_upstream_.last_write(), to_client_.last_read(), to_client_.last_write()});
  return std::min(last + idle_, end_at_);
}

std::optional<policy::ProxyError> Tunnel::overdue(TimePoint now) const {
  if (deadline() > now) return {};
  return policy::ProxyError{Side::proxy, policy::Stage::tunnel, end_at_ <= now ? Cause::closed : Cause::timed_out,
                            true};
}

void Tunnel::fail(Side side, Cause cause) {
  if (!failure_) failure_ = policy::ProxyError{side, policy::Stage::tunnel, cause, true};
}

}  // namespace vipair::proxy
