#pragma once
// What follows from the results of a server's checks: its state and when to look again. Sockets and the time are
// server/server_check's.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/health.h"
#include "common/base/time.h"

namespace vipair::policy {

// Statuses of an HTTP response, both ends included.
struct StatusRange {
  int min = 200;
  int max = 399;
  friend bool operator==(const StatusRange&, const StatusRange&) = default;
};
std::optional<StatusRange> parse_status_range(std::string_view text);  // "200", "200-399"; 100 to 599
bool is_expected(const std::vector<StatusRange>& expected, int status);
std::string to_string(const std::vector<StatusRange>& expected);  // "200-299, 404"

struct HealthTiming {
  Duration interval = std::chrono::seconds(2);              // from the end of one check to the next
  Duration fast_interval = std::chrono::milliseconds(500);  // the same while the state is changing
  Duration jitter = std::chrono::milliseconds(200);         // at most so much is added to either
  Duration timeout = std::chrono::seconds(1);               // of one check
  int rise = 2;
  int fall = 3;
  friend bool operator==(const HealthTiming&, const HealthTiming&) = default;
};

// Up until it was checked, since a proxy that starts or learns of a server must not refuse what would work. The
// first result decides at once, later ones by rise and fall.
class CheckedState {
 public:
  explicit CheckedState(const HealthTiming& timing) : timing_(timing) {}

  bool is_up() const { return !health_ || health_->up(); }
  bool is_proven() const { return health_.has_value(); }
  bool report(bool success);  // true: the state changed
  // random: any number, another one each time.
  Duration until_next(std::uint32_t random) const;

 private:
  HealthTiming timing_;
  std::optional<Health> health_;
};

// Something random of [0, max].
Duration part_of(Duration max, std::uint32_t random);

}  // namespace vipair::policy
