#include "common/ctl/import_text.h"

#include <map>

#include "common/runtime/config_file.h"

namespace vipair::ctl {
namespace {

constexpr const char* kAdapter = "keepalived-notify";

std::string password_path(const std::string& router) { return "secrets/" + router + ".pass"; }

std::string shell_text(const std::string& text) {
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// The peer that most of the file is about: of the first router of each family.
struct Peers {
  std::string v4, v6;
};

Peers main_peers(const Found& found) {
  Peers peers;
  for (const FoundRouter& router : found.routers) {
    if (!router.peer) continue;
    std::string& main = router.peer->find(':') == std::string::npos ? peers.v4 : peers.v6;
    if (main.empty()) main = *router.peer;
  }
  return peers;
}

std::string peer_line(const Peers& peers) {
  if (peers.v4.empty() && peers.v6.empty()) return "";
  std::string line = "peer = { address = " + libconfig_text(peers.v4.empty() ? peers.v6 : peers.v4) + ";";
  if (!peers.v4.empty() && !peers.v6.empty()) line += " address_ipv6 = " + libconfig_text(peers.v6) + ";";
  return line + " };\n\n";
}

std::string router_text(const FoundRouter& router, const Peers& peers) {
  std::string text = "  { name = " + libconfig_text(router.name) + ";\n";
  auto line = [&](const std::string& setting) { text += "    " + setting + ";\n"; };
  line("interface = " + libconfig_text(router.interface));
  line("vrid = " + std::to_string(router.vrid));
  line("version = " + std::to_string(router.version));
  line("priority = " + std::to_string(router.priority));
  line("advertisement_interval = " + libconfig_text(format_duration(router.advertisement_interval)));
  line(std::string("preempt = ") + (router.preempt ? "true" : "false"));
  if (router.preempt_delay > Duration::zero())
    line("preempt_delay = " + libconfig_text(format_duration(router.preempt_delay)));
  line("addresses = " + libconfig_array(router.addresses));
  if (!router.excluded_addresses.empty())
    line("excluded_addresses = " + libconfig_array(router.excluded_addresses));
  if (router.peer && *router.peer != peers.v4 && *router.peer != peers.v6)
    line("peer = { address = " + libconfig_text(*router.peer) + "; }");
  if (!router.password.empty())
    line("authentication = { type = \"pass\"; password_file = " + libconfig_text(password_path(router.name)) +
         "; }");
  if (router.virtual_mac) line("virtual_mac = true");
  if (!router.accept) line("accept = false");
  if (!router.sync_group.empty()) line("sync_group = " + libconfig_text(router.sync_group));
  if (!router.track.empty()) line("track = " + libconfig_array(router.track));
  text.insert(text.size() - 1, " }");
  return text;
}

std::string check_text(const FoundCheck& check) {
  std::string text = "  { name = " + libconfig_text(check.name) + "; " + check.settings;
  if (check.weight) text += " weight = " + std::to_string(*check.weight) + ";";
  if (check.reverse) text += " reverse = true;";
  return text + " }\n";
}

// "( … )" around entries that each end with a line.
std::string list_text(const std::string& setting, const std::vector<std::string>& entries) {
  std::string text = setting + " = (\n";
  for (std::size_t i = 0; i < entries.size(); ++i) {
    std::string entry = entries[i];
    if (i + 1 < entries.size()) entry.insert(entry.size() - 1, ",");
    text += entry;
  }
  return text + ");\n\n";
}

// Calls keepalived's scripts as keepalived did, from the event that the agent writes to its standard input.
std::string adapter_text(const Found& found) {
  std::string text =
      "#!/bin/sh\n"
      "# Made by vipairctl import: calls the notify scripts of " +
      found.source +
      " with the\n"
      "# arguments that they had. The agent runs it with an event as JSON on standard input.\n"
      "event=$(cat)\n"
      "value() { printf '%s' \"$event\" | sed -n 's/.*\"'\"$1\"'\" *: *\"\\([^\"]*\\)\".*/\\1/p'; }\n"
      "[ \"$(value phase)\" != pre_release ] || exit 0\n"
      "case $(value to) in\n"
      "  active) state=MASTER ;;\n"
      "  backup) state=BACKUP ;;\n"
      "  fault) state=FAULT ;;\n"
      "  initialize) state=STOP ;;\n"
      "  *) exit 0 ;;\n"
      "esac\n"
      "case $(value name)/$state in\n";
  std::map<std::string, std::string> calls;  // by what they are for
  for (const FoundScript& script : found.scripts) {
    std::string call;
    if (!script.user.empty()) call = "runuser -u " + shell_text(script.user) + " -- ";
    for (const std::string& word : script.command) call += shell_text(word) + " ";
    if (script.state.empty())
      call += script.kind + " " + shell_text(script.name) + " $state " + std::to_string(script.priority) + " ";
    call.back() = '\n';
    for (const char* state : {"MASTER", "BACKUP", "FAULT", "STOP"})
      if (script.state.empty() || script.state == state) calls[script.router + "/" + state] += "    " + call;
  }
  for (const auto& [pattern, lines] : calls) text += "  " + shell_text(pattern) + ")\n" + lines + "    ;;\n";
  return text + "esac\n";
}

std::string notes_text(const Found& found) {
  std::string text = "# Made by vipairctl import from " + found.source + ". What differs, to be read once:\n";
  for (const Remark& note : found.notes)
    text += "#  - " + (note.place.line > 0 ? note.place.to_string() + ": " : "") + note.text + "\n";
  return text + "\n";
}

}  // namespace

std::string libconfig_text(std::string_view text) {
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

std::string libconfig_array(const std::vector<std::string>& texts) {
  std::string array = "[ ";
  for (const std::string& text : texts) array += (array.size() > 2 ? ", " : "") + libconfig_text(text);
  return array + " ]";
}

Imported write_import(const Found& found, const std::string& folder) {
  Imported imported;
  const Peers peers = main_peers(found);
  std::string& text = imported.node_conf;
  text = notes_text(found);
  text += "node = " + libconfig_text(found.node) + ";\n\n" + peer_line(peers);
  text += "track_proxy = false;  # true on nodes whose vipair-proxyd is to serve on the addresses\n\n";

  std::vector<std::string> entries;
  for (const FoundRouter& router : found.routers) entries.push_back(router_text(router, peers));
  text += list_text("virtual_routers", entries);

  entries.clear();
  for (const FoundCheck& check : found.checks) entries.push_back(check_text(check));
  if (!entries.empty()) text += list_text("checks", entries);

  if (!found.scripts.empty()) {
    text += "notify = [ " + libconfig_text(folder + "/" + kAdapter) + " ];\n";
    imported.files.push_back({kAdapter, adapter_text(found), 0755, "calls the notify scripts as keepalived did"});
  }
  if (found.realtime_priority) text += "realtime_priority = " + std::to_string(*found.realtime_priority) + ";\n";
  for (const FoundRouter& router : found.routers)
    if (!router.password.empty())
      imported.files.push_back({password_path(router.name), router.password + "\n", 0600,
                                "the first 8 bytes of the auth_pass of " + router.name + ", mode 0600"});
  return imported;
}

}  // namespace vipair::ctl
