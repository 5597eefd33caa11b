#include "common/ctl/import_verdicts.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace vipair::ctl {
namespace {

struct Verdict {
  const char* keyword;
  const char* text;
};

constexpr Verdict kRefusedAtTop[] = {
    {"virtual_server", "load balancing is not the agent's: vipair-proxyd does it, see proxy.conf"},
    {"virtual_server_group", "load balancing is not the agent's: vipair-proxyd does it, see proxy.conf"},
    {"SSL", "load balancing is not the agent's: vipair-proxyd does it, see proxy.conf"},
    {"bfd_instance", "there is no BFD: a check of type \"ping\" or a shorter advertisement_interval comes close"},
    {"static_ipaddress", "addresses that do not move belong to the system's network configuration"},
    {"static_routes", "routes belong to the system's network configuration"},
    {"static_rules", "rules belong to the system's network configuration"},
    {"track_group", "it is about static addresses and routes, which belong to the system's network configuration"},
    {"track_file", "numbers in files are not tracked: a check of type \"file\" or \"script\" comes close"},
    {"vrrp_track_file", "numbers in files are not tracked: a check of type \"file\" or \"script\" comes close"},
    {"net_namespace", "run the agent in the namespace: NetworkNamespacePath= of its systemd unit"},
    {"net_namespace_ipvs", "load balancing is not the agent's: vipair-proxyd does it, see proxy.conf"},
    {"instance", "several agents on one machine need a node.conf with sockets of their own each"},
    {"interface_up_down_delays", "add a check of type \"interface\" with up_delay and down_delay by hand"},
};
constexpr Verdict kRefusedGlobally[] = {
    {"lvs_sync_daemon", "load balancing is not the agent's"},
    {"lvs_timeouts", "load balancing is not the agent's"},
    {"startup_script", "use ExecStartPre= of the systemd unit"},
    {"shutdown_script", "use ExecStopPost= of the systemd unit"},
    {"notify_fifo",
     "notify_fifo of node.conf is a pipe too, but its lines are JSON: change its reader, then set it"},
    {"notify_fifo_script", "notify of node.conf gets each event on standard input: change the script, then set it"},
    {"vrrp_notify_fifo",
     "notify_fifo of node.conf is a pipe too, but its lines are JSON: change its reader, then set it"},
    {"vrrp_notify_fifo_script",
     "notify of node.conf gets each event on standard input: change the script, then set it"},
    {"default_interface", "name the interface in each vrrp_instance"},
    {"vrrp_down_timer_adverts", "the peer is down after three advertisements, as the RFCs say"},
};
constexpr Verdict kRefusedOfInstance[] = {
    {"virtual_routes", "routes do not move with the addresses"},
    {"virtual_rules", "rules do not move with the addresses"},
    {"use_ipvlan", "there is no ipvlan: use_vmac has a counterpart"},
    {"vrf", "name the interface"},
    {"track_bfd", "there is no BFD: a check of type \"ping\" comes close"},
    {"track_file", "numbers in files are not tracked: a check of type \"file\" or \"script\" comes close"},
    {"mcast_dst_ip", "advertisements go to the group of the RFC: 224.0.0.18 or ff02::12"},
    {"dont_track_primary", "a virtual router whose interface is down takes no part"},
    {"down_timer_adverts", "the peer is down after three advertisements, as the RFCs say"},
    {"lvs_sync_daemon_interface", "load balancing is not the agent's"},
    {"notify_master_rx_lower_pri", "there is no event for it; /metrics counts second_active_heard"},
    {"linkbeat_use_polling", "links are told of by netlink, never polled"},
};
constexpr const char* kAnnouncements =
    "garp_… and gna_… need no tuning here: addresses are announced at once, after 50 and 250 ms, 1 and 5 s, then "
    "every "
    "minute, and again when a second Active was heard";
constexpr const char* kNoMail = "mail is not sent: let a notify program do it";
constexpr Verdict kNoted[] = {
    {"smtp_alert", kNoMail},
    {"smtp_alert_vrrp", kNoMail},
    {"notification_email", kNoMail},
    {"mcast_src_ip", "advertisements come from the first address of the interface: it must be this one"},
    {"unicast_src_ip", "advertisements come from the first address of the interface: it must be this one"},
    {"lower_prio_no_advert", "a lower priority is answered at once, as RFC 9568 section 6.4.3 demands"},
    {"vrrp_lower_prio_no_advert", "a lower priority is answered at once, as RFC 9568 section 6.4.3 demands"},
    {"vmac_xmit_base",
     "by multicast advertisements come from the virtual MAC address, by unicast from the interface's"},
    {"use_vmac_addr", "each virtual router has one interface here, and the virtual MAC address is on that"},
    {"fifo_write_vrrp_states_on_reload", "a reload that changes nothing tells nothing"},
    {"vrrp_iptables", "where a firewall is needed it is nftables, in a table of its own"},
    {"nftables", "the table has a name of its own"},
    {"enable_snmp_vrrp", "there is no SNMP: /metrics has the counters of RFC 6527"},
    {"enable_snmp_rfc", "there is no SNMP: /metrics has the counters of RFC 6527"},
    {"enable_snmp_rfcv2", "there is no SNMP: /metrics has the counters of RFC 6527"},
    {"enable_snmp_rfcv3", "there is no SNMP: /metrics has the counters of RFC 6527"},
    {"enable_traps", "there is no SNMP: a notify program is told of every change"},
    {"enable_dbus", "there is no D-Bus: the control socket answers in JSON"},
    {"linkbeat_use_polling", "links are told of by netlink, never polled"},
    {"linkbeat_interfaces", "links are told of by netlink, never polled"},
};
// Without a word: they change nothing that anybody would miss, or are always so here.
constexpr const char* kIgnored[] = {"promote_secondaries",
                                    "native_ipv6",
                                    "skip_check_adv_addr",
                                    "vrrp_skip_check_adv_addr",
                                    "check_unicast_src",
                                    "vrrp_check_unicast_src",
                                    "unicast_fault_no_peer",
                                    "debug",
                                    "kernel_rx_buf_size",
                                    "enable_script_security",
                                    "dynamic_interfaces",
                                    "notification_email_from",
                                    "smtp_server",
                                    "smtp_helo_name",
                                    "smtp_connect_timeout",
                                    "no_email_faults",
                                    "use_pid_dir",
                                    "child_wait_time",
                                    "process_names",
                                    "process_name",
                                    "vrrp_process_name",
                                    "tmp_config_directory",
                                    "config_save_dir",
                                    "vrrp_no_swap",
                                    "vrrp_priority",
                                    "max_auto_priority",
                                    "min_auto_priority_delay",
                                    "vrrp_rlimit_rttime",
                                    "vrrp_cpu_affinity",
                                    "snmp_socket",
                                    "dbus_service_name",
                                    "higher_prio_send_advert",
                                    "vrrp_higher_prio_send_advert",
                                    "umask",
                                    "disable_local_igmp",
                                    "vrrp_ipsets",
                                    "notify_priority_changes",
                                    "vrrp_notify_priority_changes",
                                    "vrrp_rx_bufs_policy",
                                    "vrrp_rx_bufs_multiplier",
                                    "vrrp_netlink_cmd_rcv_bufs",
                                    "vrrp_netlink_monitor_rcv_bufs",
                                    "process_monitor_rcv_bufs",
                                    "track_src_ip",
                                    "lvs_flush",
                                    "lvs_flush_on_stop",
                                    "rs_init_notifies",
                                    "no_checker_emails",
                                    "checker_log_all_failures",
                                    "smtp_alert_checker",
                                    "global_tracking"};

template <std::size_t N>
const char* verdict(const Verdict (&verdicts)[N], std::string_view keyword) {
  for (const Verdict& each : verdicts)
    if (keyword == each.keyword) return each.text;
  return nullptr;
}

const char* refusal(SettingOf place, std::string_view keyword) {
  switch (place) {
    case SettingOf::file:
      return verdict(kRefusedAtTop, keyword);
    case SettingOf::global_defs:
      return verdict(kRefusedGlobally, keyword);
    case SettingOf::instance:
      break;
  }
  return verdict(kRefusedOfInstance, keyword);
}

}  // namespace

bool settle_without_counterpart(const Statement& statement, SettingOf place, Remarks& remarks) {
  const std::string& keyword = statement.keyword();
  if (const char* why = refusal(place, keyword)) {
    remarks.error(statement.place, keyword + " cannot be kept: " + why);
  } else if (const char* text = verdict(kNoted, keyword)) {
    remarks.note(statement.place, keyword + ": " + text);
  } else if (keyword.find("garp_") != std::string::npos || keyword.find("gna_") != std::string::npos) {
    remarks.note(statement.place, kAnnouncements);
  } else if (std::find(std::begin(kIgnored), std::end(kIgnored), keyword) == std::end(kIgnored)) {
    return false;
  }
  return true;
}

}  // namespace vipair::ctl
