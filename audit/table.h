// Table: rows for people, in aligned columns.
#pragma once

#include <string>
#include <vector>

#include "base/printable.h"

namespace strongroom::audit {

using base::Printable;

// FormatTable renders a heading and rows, each cell made Printable, columns two spaces apart. Every row has as many
// cells as the heading.
std::string FormatTable(const std::vector<std::string>& heading, const std::vector<std::vector<std::string>>& rows);

}  // namespace strongroom::audit
