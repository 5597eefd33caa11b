#pragma once
// Prometheus text exposition, written in one go: family by family, sample by sample.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vipair {

class MetricsWriter {
 public:
  using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

  // type: "counter" "gauge" "histogram". Every sample until the next family() belongs to it.
  void family(std::string_view name, std::string_view type, std::string_view help);
  void sample(const Labels& labels, std::uint64_t value);
  void sample(const Labels& labels, double value);
  // Of a histogram: "_bucket", "_sum", "_count".
  void sample(std::string_view suffix, const Labels& labels, std::uint64_t value);
  void sample(std::string_view suffix, const Labels& labels, double value);
  void sample(const Labels& labels, int value) { sample(labels, static_cast<double>(value)); }
  const std::string& text() const { return text_; }

  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  std::string name_;
  std::string text_;
};

}  // namespace vipair
