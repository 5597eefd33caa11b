#include "proxy/http/log_format.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iterator>

namespace vipair::http {

const char* to_string(LogProtocol protocol) {
  switch (protocol) {
    case LogProtocol::http_1_0:
      return "HTTP/1.0";
    case LogProtocol::http_1_1:
      return "HTTP/1.1";
    case LogProtocol::http_2:
      return "HTTP/2.0";
    case LogProtocol::tcp:
      return "TCP";
  }
  return "unknown";
}

namespace {

void append_number(std::string& line, std::uint64_t value) {
  char digits[20];
  line.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

void append_hex(std::string& line, unsigned char byte) {
  constexpr char kHex[] = "0123456789abcdef";
  line += kHex[byte >> 4];
  line += kHex[byte & 15];
}

// Seconds with six decimals.
void append_seconds(std::string& line, Duration duration) {
  const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count() / 1000));
  append_number(line, micros / 1000000);
  char fraction[8] = ".000000";
  for (std::uint64_t rest = micros % 1000000, i = 6; i >= 1; --i, rest /= 10) {
    fraction[i] = static_cast<char>('0' + rest % 10);
  }
  line.append(fraction, 7);
}

// Inside the quotes of a combined line: what could end the field or the line is written as \xhh.
void append_escaped(std::string& line, std::string_view text) {
  if (text.empty()) {
    line += '-';
    return;
  }
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\') {
      line += "\\x";
      append_hex(line, byte);
    } else {
      line += c;
    }
  }
}

// A JSON string. Bytes over 0x7f are written as the code point of the same number, so that any input gives valid
// JSON and no byte is lost.
void append_json(std::string& line, std::string_view text) {
  line += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == '"' || byte == '\\') {
      line += '\\';
      line += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      line += "\\u00";
      append_hex(line, byte);
    } else {
      line += c;
    }
  }
  line += '"';
}

// UTC.
struct Calendar {
  explicit Calendar(WallTime time)
      : day(std::chrono::floor<std::chrono::days>(time)),
        date(day),
        of_day(std::chrono::floor<std::chrono::milliseconds>(time - day)) {}
  std::chrono::time_point<WallTime::clock, std::chrono::days> day;
  std::chrono::year_month_day date;
  std::chrono::hh_mm_ss<std::chrono::milliseconds> of_day;
};

void append_digits(std::string& line, std::uint64_t value, int digits) {
  for (std::uint64_t unit = digits == 4 ? 1000 : digits == 3 ? 100 : 10; unit > 0; unit /= 10)
    line += static_cast<char>('0' + value / unit % 10);
}

void append_time_of_day(std::string& line, const Calendar& calendar) {
  append_digits(line, static_cast<std::uint64_t>(calendar.of_day.hours().count()), 2);
  line += ':';
  append_digits(line, static_cast<std::uint64_t>(calendar.of_day.minutes().count()), 2);
  line += ':';
  append_digits(line, static_cast<std::uint64_t>(calendar.of_day.seconds().count()), 2);
}

void append_local_time(std::string& line, WallTime time) {
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const Calendar calendar(time);
  append_digits(line, static_cast<unsigned>(calendar.date.day()), 2);
  line += '/';
  line += kMonths.substr((static_cast<unsigned>(calendar.date.month()) - 1) * 3, 3);
  line += '/';
  append_digits(line, static_cast<std::uint64_t>(static_cast<int>(calendar.date.year())), 4);
  line += ':';
  append_time_of_day(line, calendar);
  line += " +0000";
}

void append_iso_time(std::string& line, WallTime time) {
  const Calendar calendar(time);
  append_digits(line, static_cast<std::uint64_t>(static_cast<int>(calendar.date.year())), 4);
  line += '-';
  append_digits(line, static_cast<unsigned>(calendar.date.month()), 2);
  line += '-';
  append_digits(line, static_cast<unsigned>(calendar.date.day()), 2);
  line += 'T';
  append_time_of_day(line, calendar);
  line += '.';
  append_digits(line, static_cast<std::uint64_t>(calendar.of_day.subseconds().count()), 3);
  line += 'Z';
}

void append_combined(const LogEntry& entry, std::string& line) {
  line += entry.client.address.to_string();
  line += " - - [";
  append_local_time(line, entry.time);
  line += "] \"";
  if (entry.protocol == LogProtocol::tcp) {
    line += "TCP ";
    append_escaped(line, entry.target);
  } else if (entry.method.empty()) {
    line += '-';  // no request could be read
  } else {
    append_escaped(line, entry.method);
    line += ' ';
    append_escaped(line, entry.target);
    line += ' ';
    line += to_string(entry.protocol);
  }
  line += "\" ";
  append_number(line, entry.status);
  line += ' ';
  append_number(line, entry.response_bytes);
  line += " \"";
  append_escaped(line, entry.referer);
  line += "\" \"";
  append_escaped(line, entry.user_agent);
  line += "\" ";
  append_escaped(line, entry.upstream_address);
  line += ' ';
  append_seconds(line, entry.duration);
  line += '\n';
}

void append_json_line(const LogEntry& entry, std::string& line) {
  line += "{\"time\":\"";
  append_iso_time(line, entry.time);
  line += '"';
  line += ",\"client\":";
  append_json(line, entry.client.port != 0 ? entry.client.to_string() : entry.client.address.to_string());
  line += ",\"method\":";
  append_json(line, entry.method);
  line += ",\"target\":";
  append_json(line, entry.target);
  line += ",\"host\":";
  append_json(line, entry.host);
  line += ",\"status\":";
  append_number(line, entry.status);
  line += ",\"request_bytes\":";
  append_number(line, entry.request_bytes);
  line += ",\"response_bytes\":";
  append_number(line, entry.response_bytes);
  line += ",\"seconds\":";
  append_seconds(line, entry.duration);
  line += ",\"upstream\":";
  append_json(line, entry.upstream_address);
  line += ",\"upstream_name\":";
  append_json(line, entry.upstream);
  line += ",\"upstream_seconds\":";
  append_seconds(line, entry.upstream_time);
  line += ",\"attempts\":";
  append_number(line, entry.attempts);
  line += ",\"protocol\":";
  append_json(line, to_string(entry.protocol));
  line += ",\"tls\":";
  append_json(line, entry.tls);
  line += ",\"request_id\":";
  append_json(line, entry.request_id);
  line += ",\"referer\":";
  append_json(line, entry.referer);
  line += ",\"user_agent\":";
  append_json(line, entry.user_agent);
  line += "}\n";
}

// ---- templates ---------------------------------------------------------------------------------

using Append = void (*)(std::string& line, const LogEntry& entry);

struct LogVariable {
  std::string_view name;
  Append append;
};

constexpr LogVariable kLogVariables[] = {
    {"time_iso", [](std::string& line, const LogEntry& entry) { append_iso_time(line, entry.time); }},
    {"time_local", [](std::string& line, const LogEntry& entry) { append_local_time(line, entry.time); }},
    {"client_address", [](std::string& line, const LogEntry& entry) { line += entry.client.address.to_string(); }},
    {"client_port",
     [](std::string& line, const LogEntry& entry) {
       if (entry.client.port == 0) {
         line += '-';
       } else {
         append_number(line, entry.client.port);
       }
     }},
    {"method", [](std::string& line, const LogEntry& entry) { append_escaped(line, entry.method); }},
    {"target", [](std::string& line, const LogEntry& entry) { append_escaped(line, entry.target); }},
    {"protocol", [](std::string& line, const LogEntry& entry) { line += to_string(entry.protocol); }},
    {"tls_version", [](std::string& line, const LogEntry& entry) { append_escaped(line, entry.tls); }},
    {"host", [](std::string& line, const LogEntry& entry) { append_escaped(line, entry.host); }},
    {"status", [](std::string& line, const LogEntry& entry) { append_number(line, entry.status); }},
    {"request_bytes", [](std::string& line, const LogEntry& entry) { append_number(line, entry.request_bytes); }},
    {"response_bytes", [](std::string& line, const LogEntry& entry) { append_number(line, entry.response_bytes); }},
    {"seconds", [](std::string& line, const LogEntry& entry) { append_seconds(line, entry.duration); }},
    {"upstream", [](std::string& line, const LogEntry& entry) { append_escaped(line, entry.upstream); }},
    {"upstream_address",
     [](std::string& line, const LogEntry& entry) { append_escaped(line, entry.upstream_address); }},
    {"upstream_seconds",
     [](std::string& line, const LogEntry& entry) { append_seconds(line, entry.upstream_time); }},
    {"attempts", [](std::string& line, const LogEntry& entry) { append_number(line, entry.attempts); }},
    {"request_id", [](std::string& line, const LogEntry& entry) { append_escaped(line, entry.request_id); }},
    {"referer", [](std::string& line, const LogEntry& entry) { append_escaped(line, entry.referer); }},
    {"user_agent", [](std::string& line, const LogEntry& entry) { append_escaped(line, entry.user_agent); }},
};

std::string unknown_variable(std::string_view name) {
  std::string text = "there is no variable ${" + std::string(name.substr(0, 64)) + "}, known are";
  for (const LogVariable& variable : kLogVariables) text += " " + std::string(variable.name);
  return text;
}

}  // namespace

Expected<LogFormat, std::string> LogFormat::from_template(std::string_view text) {
  if (text.empty())
    return Unexpected{std::string("is empty, expected for example \"${client_address} ${status}\"")};
  if (text.size() > kLogTemplateMax)
    return Unexpected{std::to_string(text.size()) + " bytes, expected at most " + std::to_string(kLogTemplateMax)};
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::any_of(text.begin(), text.end(), is_control))
    return Unexpected{std::string("holds a line end or another control character: an entry is one line")};
  LogFormat format(Kind::custom);
  Part part;
  while (!text.empty()) {
    const std::size_t dollar = std::min(text.find('$'), text.size());
    part.text += text.substr(0, dollar);
    text.remove_prefix(dollar);
    if (text.empty()) break;
    if (text.substr(0, 2) == "$$") {
      part.text += '$';
      text.remove_prefix(2);
      continue;
    }
    const std::size_t close = text.find('}');
    if (text.substr(0, 2) != "${" || close == std::string_view::npos)
      return Unexpected{std::string("a \"$\" that starts no ${variable}: write \"$$\" for a dollar sign")};
    const std::string_view name = text.substr(2, close - 2);
    const auto* found = std::find_if(std::begin(kLogVariables), std::end(kLogVariables),
                                     [name](const LogVariable& variable) { return variable.name == name; });
    if (found == std::end(kLogVariables)) return Unexpected{unknown_variable(name)};
    part.variable = static_cast<std::uint8_t>(found - std::begin(kLogVariables) + 1);
    format.parts_.push_back(std::move(part));
    part = Part();
    text.remove_prefix(close + 1);
  }
  if (!part.text.empty()) format.parts_.push_back(std::move(part));
  return format;
}

void LogFormat::append(const LogEntry& entry, std::string& line) const {
  switch (kind_) {
    case Kind::combined:
      return append_combined(entry, line);
    case Kind::json:
      return append_json_line(entry, line);
    case Kind::custom:
      for (const Part& part : parts_) {
        line += part.text;
        if (part.variable != 0) kLogVariables[part.variable - 1].append(line, entry);
      }
      line += '\n';
  }
}

}  // namespace vipair::http
