#pragma once
// The settings of keepalived.conf that node.conf has no counterpart for: refused with the reason and what to do
// instead, noted where the difference does no harm, or passed over where nobody would miss them. Pure.

#include "common/ctl/import_remarks.h"
#include "common/ctl/keepalived_file.h"

namespace vipair::ctl {

enum class SettingOf { file, global_defs, instance };  // sync groups are judged as instances

// False: it is none of these settings.
bool settle_without_counterpart(const Statement& statement, SettingOf place, Remarks& remarks);

}  // namespace vipair::ctl
