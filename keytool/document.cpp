#include "keytool/document.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace strongroom::keytool {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kSecondsLength = 19;  // of 2026-11-20T08:00:00

Json Parse(const std::string& text) { return Json::parse(text, nullptr, false); }

std::string Shown(const Json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return ShownTime(value.get<std::string>());
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (!value.is_array()) return value.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace);
  std::string list;
  for (const Json& item : value) list += (list.empty() ? "" : ", ") + Shown(item);
  return list;
}

std::string Words(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

// An object inside an object is spread out; deeper ones are shown as their JSON.
void AppendFacts(const Json& object, const std::string& prefix, Facts& facts) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_object() && prefix.empty()) {
      AppendFacts(value, Words(name) + " ", facts);
    } else {
      facts.emplace_back(prefix + Words(name), Shown(value));
    }
  }
}

}  // namespace

std::string ShownTime(const std::string& text) {
  if (text.size() <= kSecondsLength || text[10] != 'T' || !base::ParseTime(text)) return text;
  return text.substr(0, kSecondsLength) + "Z";
}

Outcome<std::vector<base::Row>> ReadRows(const std::string& json, const std::vector<std::string>& members) {
  const Json list = Parse(json);
  if (!list.is_array()) return Unreadable();
  std::vector<base::Row> rows;
  for (const Json& item : list) {
    if (!item.is_object()) return Unreadable();
    base::Row& row = rows.emplace_back();
    for (const std::string& member : members) {
      const auto found = item.find(member);
      row.push_back(found == item.end() ? "" : Shown(*found));
    }
  }
  return rows;
}

Outcome<Facts> ReadFacts(const std::string& json) {
  const Json object = Parse(json);
  if (!object.is_object()) return Unreadable();
  Facts facts;
  AppendFacts(object, "", facts);
  return facts;
}

std::optional<base::Micros> ReadTime(const std::string& json, std::string_view member) {
  const Json object = Parse(json);
  const auto found = object.is_object() ? object.find(std::string(member)) : object.end();
  if (found == object.end() || !found->is_string()) return std::nullopt;
  const auto time = base::ParseTime(found->get<std::string>());
  return time ? std::optional(*time) : std::nullopt;
}

std::string ReadMember(const std::string& json, std::string_view member) {
  const Json object = Parse(json);
  if (!object.is_object()) return "";
  const auto found = object.find(std::string(member));
  return found == object.end() ? "" : Shown(*found);
}

std::vector<std::string> ReadList(const std::string& json, std::string_view member) {
  const Json object = Parse(json);
  std::vector<std::string> texts;
  if (!object.is_object()) return texts;
  const auto found = object.find(std::string(member));
  if (found == object.end() || !found->is_array()) return texts;
  for (const Json& one : *found) {
    if (one.is_string()) texts.push_back(one.get<std::string>());
  }
  return texts;
}

}  // namespace strongroom::keytool
