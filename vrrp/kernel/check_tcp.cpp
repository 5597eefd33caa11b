// A connection that is accepted, and closed again.
#include <utility>

#include "vrrp/kernel/check_probe.h"
#include "vrrp/kernel/connector.h"

namespace vipair::vrrp {
namespace {

class TcpProbe final : public Probe {
 public:
  TcpProbe(boost::asio::io_context& io, const TcpCheck& check) : connector_(io, check.host, check.port) {}

  void start(Done done) override {
    connector_.connect([done = std::move(done)](Expected<Connector::Connected, std::string> result) {
      if (!result) return done({false, result.error()});
      done({true, "connected to " + result->peer.to_string()});
    });
  }
  std::string give_up() override { return connector_.give_up(); }

 private:
  Connector connector_;
};

}  // namespace

std::unique_ptr<Probe> make_tcp_probe(boost::asio::io_context& io, const TcpCheck& check) {
  return std::make_unique<TcpProbe>(io, check);
}

}  // namespace vipair::vrrp
