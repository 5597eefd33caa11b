#include "common/ctl/render.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <string_view>
#include <vector>

namespace vipair::ctl {
namespace {

namespace json = boost::json;

const json::value kAbsent;

const json::value& member(const json::value& value, std::string_view key) {
  const json::object* object = value.if_object();
  const json::value* found = object ? object->if_contains(key) : nullptr;
  return found ? *found : kAbsent;
}

// "a=1 b=2" of an object, "a, b" of an array; what stands deeper is counted only.
std::string text_of(const json::value& value, bool is_nested = false) {
  switch (value.kind()) {
    case json::kind::null:
      return "-";
    case json::kind::bool_:
      return value.get_bool() ? "yes" : "no";
    case json::kind::int64:
      return std::to_string(value.get_int64());
    case json::kind::uint64:
      return std::to_string(value.get_uint64());
    case json::kind::double_: {
      char digits[64];
      const auto end = std::to_chars(digits, digits + sizeof digits, value.get_double()).ptr;
      return std::string(digits, end);
    }
    case json::kind::string:
      return value.get_string().empty() ? "-" : printable(std::string_view(value.get_string()));
    case json::kind::array: {
      const json::array& array = value.get_array();
      if (array.empty()) return "-";
      if (is_nested) return std::to_string(array.size());
      std::string text;
      for (const json::value& element : array) text += (text.empty() ? "" : ", ") + text_of(element, true);
      return text;
    }
    case json::kind::object: {
      const json::object& object = value.get_object();
      if (object.empty()) return "-";
      if (is_nested) return "{" + std::to_string(object.size()) + "}";
      std::string text;
      for (const auto& [key, element] : object)
        text += (text.empty() ? "" : " ") + printable(std::string_view(key)) + "=" + text_of(element, true);
      return text;
    }
  }
  return "-";
}

std::string text_at(const json::value& value, std::string_view key) { return text_of(member(value, key)); }

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// Columns as wide as their widest cell, two spaces between them, nothing behind the last.
class Table {
 public:
  explicit Table(std::vector<std::string> heads) { rows_.push_back(std::move(heads)); }
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.size() == 1; }

  std::string text() const {
    std::vector<std::size_t> widths(rows_[0].size());
    for (const auto& row : rows_)
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
    std::string text;
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i)
        line += row[i] + std::string(i + 1 < row.size() ? widths[i] - width_of(row[i]) + 2 : 0, ' ');
      text += line + "\n";
    }
    return text;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  std::replace(out.begin(), out.end(), '_', ' ');
  return out;
}

std::string priority_of(const json::value& router) {
  const std::string configured = text_at(router, "priority"), effective = text_at(router, "effective_priority");
  return effective == "-" || effective == configured ? configured : effective + " of " + configured;
}

std::string peer_of(const json::value& router) {
  const json::value& peer = member(router, "peer");
  if (!peer.is_object()) return "-";
  return text_at(peer, "address") + " (" + text_at(peer, "priority") + "), " + text_at(peer, "heard_ms_ago") +
         " ms ago";
}

bool is_true(const json::value& value, std::string_view key) {
  const bool* flag = member(value, key).if_bool();
  return flag && *flag;
}

std::string up_of(const json::value& value) {
  const json::value& up = member(value, "up");
  return up.is_bool() ? (up.get_bool() ? "up" : "DOWN") : "-";
}

// A server's; older proxies only say whether it is up.
std::string state_of(const json::value& server) {
  const std::string state = text_at(server, "state");
  return state == "-" ? up_of(server) : state == "down" ? "DOWN" : state;
}

const json::array& array_at(const json::value& value, std::string_view key) {
  static const json::array kNone;
  const json::array* array = member(value, key).if_array();
  return array ? *array : kNone;
}

std::string warnings_of(const json::value& status) {
  std::string text;
  for (const json::value& warning : array_at(status, "warnings")) text += "warning: " + text_of(warning) + "\n";
  return text.empty() ? text : "\n" + text;
}

bool is_list_of_objects(const json::value& value) {
  const json::array* array = value.if_array();
  return array && !array->empty() && array->front().is_object();
}

// A list of objects as a table with a column for each key of the first one; `servers` inside stay for their own
// table.
std::string table_of(const json::array& list) {
  std::vector<std::string> keys, heads;
  for (const auto& [key, value] : list.front().get_object()) {
    if (is_list_of_objects(value)) continue;
    keys.emplace_back(key);
    heads.push_back(key == "up" ? "STATE" : upper(printable(keys.back())));
  }
  Table table(heads);
  for (const json::value& entry : list) {
    std::vector<std::string> row;
    for (const std::string& key : keys) row.push_back(key == "up" ? up_of(entry) : text_at(entry, key));
    table.add(std::move(row));
  }
  return table.text();
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // C2 80 … C2 9F are the control characters of ISO 8859-1 in UTF-8
    const bool is_c1 = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    out += byte < ' ' || byte == 0x7F || is_c1 ? '?' : text[i];
    if (is_c1) ++i;
  }
  return out;
}

std::string render_vrrp_status(const json::value& status) {
  std::string text = "node " + text_at(status, "node") + (is_true(status, "drained") ? ", drained" : "") + "\n\n";
  Table routers({"ROUTER", "INTERFACE", "VRID", "STATE", "PRIORITY", "SINCE", "REASON", "PEER", "ADDRESSES"});
  std::string faults;
  for (const json::value& router : array_at(status, "routers")) {
    const std::string name = text_at(router, "name") + "/" + text_at(router, "family");
    routers.add({name, text_at(router, "interface"), text_at(router, "vrid"), text_at(router, "state"),
                 priority_of(router), text_at(router, "since"), text_at(router, "reason"), peer_of(router),
                 text_at(router, "addresses")});
    for (const json::value& fault : array_at(router, "faults"))
      faults.append("fault: ").append(name).append(": ").append(text_of(fault)) += '\n';
  }
  text += routers.empty() ? "no virtual routers\n" : routers.text();
  if (!faults.empty()) text += "\n" + faults;
  Table checks({"CHECK", "TYPE", "STATE", "REASON"});
  for (const json::value& check : array_at(status, "checks"))
    checks.add({text_at(check, "name"), text_at(check, "type"), up_of(check), text_at(check, "reason")});
  if (!checks.empty()) text += "\n" + checks.text();
  Table paths({"PATH", "PEER", "HEARD", "HEARS US"});
  for (const json::value& path : array_at(status, "paths"))
    paths.add(
        {text_at(path, "interface"), text_at(path, "peer"), text_at(path, "heard"), text_at(path, "hears_us")});
  if (!paths.empty()) text += "\n" + paths.text();
  return text + warnings_of(status);
}

std::string render_proxy_status(const json::value& status) {
  std::string text = "proxy\n";
  std::string tables;
  const json::object* object = status.if_object();
  if (!object) return text + "  -\n";
  for (const auto& [key, value] : *object) {
    const std::string name = printable(std::string_view(key));
    if (name == "warnings" && value.is_array()) continue;
    if (!is_list_of_objects(value)) {
      text += "  " + name + ": " + text_of(value) + "\n";
      continue;
    }
    const json::array& list = value.get_array();
    tables += "\n" + name + "\n" + table_of(list);
    Table servers({"UPSTREAM", "SERVER", "STATE", "ACTIVE", "IDLE", "REQUESTS", "FAILURES", "CHECK"});
    for (const json::value& entry : list)
      for (const json::value& server : array_at(entry, "servers"))
        servers.add({text_at(entry, "name"), text_at(server, "address"), state_of(server),
                     text_at(server, "active"), text_at(server, "idle"), text_at(server, "requests"),
                     text_at(server, "failures"), text_at(member(server, "check"), "reason")});
    if (!servers.empty()) tables += "\n" + servers.text();
  }
  return text + tables + warnings_of(status);
}

std::string render_servers(const json::value& answer) {
  Table servers({"SITE", "UPSTREAM", "SERVER", "STATE", "ACTIVE"});
  for (const json::value& server : array_at(answer, "servers"))
    servers.add({text_at(server, "site"), text_at(server, "upstream"), text_at(server, "server"),
                 text_at(server, "state"), text_at(server, "active")});
  return servers.text();
}

std::string render_statuses(const json::object& both) {
  std::string text;
  for (const auto& [daemon, status] : both) {
    if (!text.empty()) text += "\n";
    if (status.is_null())
      text += printable(std::string_view(daemon)) + ": no answer\n";
    else
      text += daemon == "vrrp" ? render_vrrp_status(status) : render_proxy_status(status);
  }
  return text;
}

std::string render_states(const json::object& both) {
  std::string text;
  for (const auto& [daemon, status] : both) {
    const std::string name = printable(std::string_view(daemon));
    if (status.is_null()) {
      text += name + ": no answer\n";
    } else if (daemon == "vrrp") {
      for (const json::value& router : array_at(status, "routers"))
        text += text_at(router, "since") + " " + text_at(router, "name") + "/" + text_at(router, "family") + " " +
                text_at(router, "state") + ", priority " + priority_of(router) + ", " + text_at(router, "reason") +
                (array_at(router, "faults").empty() ? "" : ": " + text_at(router, "faults")) + "\n";
      for (const json::value& check : array_at(status, "checks"))
        text += "check " + text_at(check, "name") + " " + up_of(check) + "\n";
      if (is_true(status, "drained")) text += "drained\n";
    } else {
      text += name + ": answers\n";
    }
  }
  return text;
}

std::string render_event(const json::value& event) {
  return text_at(event, "at") + " " + text_at(event, "level") + " " + text_at(event, "router") + " " +
         text_at(event, "event") + ": " + text_at(event, "text") + "\n";
}

std::string render_events(const json::value& events, std::size_t last) {
  std::string text;
  const json::array* list = events.if_array();
  if (!list) return "-\n";
  for (std::size_t i = list->size() - std::min(last, list->size()); i < list->size(); ++i)
    text += render_event((*list)[i]);
  return text;
}

std::string render_plan(const json::value& plan) {
  const json::array& rows = array_at(plan, "rows");
  if (rows.empty() || !rows.front().is_object()) return "nothing to plan\n";
  return table_of(rows);
}

std::string render_findings(const json::value& findings) {
  const json::array* list = findings.if_array();
  if (!list || list->empty()) return "nothing is wrong\n";
  std::string text;
  for (const json::value& finding : *list)
    text +=
        text_at(finding, "what") + ": " + text_at(finding, "evidence") + "; " + text_at(finding, "advice") + "\n";
  return text;
}

std::string render_refusal(const json::value& refusal) { return text_at(refusal, "error"); }

std::string fitted(std::string_view text, int columns, int lines, std::string_view end) {
  std::string out;
  for (int line = 0; line < lines && !text.empty(); ++line) {
    const std::size_t size = std::min(text.find('\n'), text.size());
    int shown = 0;
    for (const char c : text.substr(0, size)) {
      if ((static_cast<unsigned char>(c) & 0xC0) != 0x80 && ++shown > columns) break;
      out += c;
    }
    out += end;
    text.remove_prefix(std::min(size + 1, text.size()));
  }
  return out;
}

std::string render_errors(const json::value& refusal) {
  std::string text;
  for (const json::value& error : array_at(refusal, "errors"))
    text += (error.is_object() ? text_at(error, "text") : text_of(error)) + "\n";
  return text;
}

}  // namespace vipair::ctl
