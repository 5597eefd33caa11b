#include "common/runtime/metrics.h"

#include <charconv>
#include <cmath>

namespace vipair {
namespace {

// Backslash and line feed in both, the quote in label values only.
void append_escaped(std::string& out, std::string_view text, bool is_label_value) {
  for (char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && is_label_value) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

void append_labels(std::string& out, const MetricsWriter::Labels& labels) {
  if (labels.empty()) return;
  char separator = '{';
  for (const auto& [name, value] : labels) {
    out += separator;
    out.append(name).append("=\"");
    append_escaped(out, value, true);
    out += '"';
    separator = ',';
  }
  out += '}';
}

}  // namespace

void MetricsWriter::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_.append("# HELP ").append(name).append(" ");
  append_escaped(text_, help, false);
  text_.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
}

void MetricsWriter::sample(const Labels& labels, std::uint64_t value) { sample("", labels, value); }

void MetricsWriter::sample(const Labels& labels, double value) { sample("", labels, value); }

void MetricsWriter::sample(std::string_view suffix, const Labels& labels, std::uint64_t value) {
  text_.append(name_).append(suffix);
  append_labels(text_, labels);
  text_ += ' ';
  text_ += std::to_string(value);
  text_ += '\n';
}

void MetricsWriter::sample(std::string_view suffix, const Labels& labels, double value) {
  text_.append(name_).append(suffix);
  append_labels(text_, labels);
  text_ += ' ';
  if (std::isnan(value)) {
    text_ += "NaN";
  } else if (std::isinf(value)) {
    text_ += value > 0 ? "+Inf" : "-Inf";
  } else {
    char digits[64];
    auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    text_.append(digits, end);
  }
  text_ += '\n';
}

}  // namespace vipair
