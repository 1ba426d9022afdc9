// ReportFile: what `recover --report` writes. A run that goes on has its file there already, with reports of keys whose recovery is closed by now.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "keytool/problem.h"

namespace strongroom::keytool {

// Reports is RecoveryReport::Text by KEY_REF.
using Reports = std::map<std::string, std::string>;

// ParseReports takes a text of reports apart; nullopt where anything else is in it, where it is empty, or where a key has two.
std::optional<Reports> ParseReports(std::string_view text);
std::string PrintReports(const Reports& reports);

// CheckReportFile is FILE_EXISTS where something is there that is not reports alone: it is not written over. FILE_FAILED where there is no such directory.
Outcome<void> CheckReportFile(const std::string& path);

// WriteReportFile writes these reports, in place of those of the same keys, and returns how many of other keys' it has kept. Hours may lie behind
// CheckReportFile: what came there meanwhile is asked again, while no other recovery can write it (FILE_BUSY).
Outcome<std::size_t> WriteReportFile(const std::string& path, const Reports& reports);

}  // namespace strongroom::keytool
