// Document: the JSON that vaultd answers with, read for people. Whatever is missing shows as "-"; nothing unknown is an
// error, so that keytool can show what an older or newer vaultd says.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/table.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

// Times are shown in UTC to the second, true and false as yes and no, lists with commas between.
// ReadRows is one row for each object of an array, with these members in this order.
Outcome<std::vector<base::Row>> ReadRows(const std::string& json, const std::vector<std::string>& members);

// ReadFacts is every member of an object, those of objects inside it included ("trail healthy"), names with spaces.
using Facts = std::vector<std::pair<std::string, std::string>>;
Outcome<Facts> ReadFacts(const std::string& json);

// ReadMember is one member as it would be shown, empty where it is missing or null or the document is no object.
std::string ReadMember(const std::string& json, std::string_view member);

// ReadList is a member that is a list of texts, empty where it is none.
std::vector<std::string> ReadList(const std::string& json, std::string_view member);

// ReadTime is a member that is a time, to the microsecond; nullopt where it is none.
std::optional<base::Micros> ReadTime(const std::string& json, std::string_view member);

// ShownTime cuts an RFC 3339 time to the second; any other text is returned as it is.
std::string ShownTime(const std::string& text);

}  // namespace strongroom::keytool
