#pragma once
// Words of keepalived.conf as values, and as names that node.conf accepts. Pure.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/ctl/import_remarks.h"
#include "common/ctl/keepalived_file.h"

namespace vipair::ctl {

// Letters, digits, '-', '_' and '.', 64 at most; what else there is becomes '-'.
std::string name_from(const std::string& text);
bool is_name(const std::string& text);
// That name, or with a number behind it; it is taken from then on.
std::string unique_name(const std::string& name, std::set<std::string>& taken);

std::optional<int> integer(const std::string& text, int min, int max);
// Decimal seconds, "1" or "0.25", exactly.
std::optional<Duration> seconds(const std::string& text);
// A script as one quoted text is split at white space, except in single quotes; empty: a quote is not closed.
std::vector<std::string> split_command(const std::vector<std::string>& words);

// The one value of a setting; what it is not is reported, and then there is none.
std::optional<std::string> argument(const Statement& statement, Remarks& remarks);
std::optional<int> number(const Statement& statement, int min, int max, Remarks& remarks);
std::optional<Duration> duration(const Statement& statement, Remarks& remarks);
// A switch is on when its name stands alone.
bool truth(const Statement& statement, Remarks& remarks);

}  // namespace vipair::ctl
