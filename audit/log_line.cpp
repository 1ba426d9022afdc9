#include "audit/log_line.h"

#include <nlohmann/json.hpp>

namespace strongroom::audit {

Result<std::vector<std::string>> NotesIn(std::string_view lines) {
  std::vector<std::string> notes;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    const auto line = nlohmann::json::parse(lines.substr(0, end), nullptr, false);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (!line.is_object()) continue;
    const auto event = line.find("event"), note = line.find("note");
    if (event == line.end() || *event != "checkpoint" || note == line.end() || !note->is_string()) continue;
    if (notes.size() == kMostNotes) return Fail(Code::kResourceExhausted, "it has too many checkpoints: name fewer at a time, at most", kMostNotes);
    notes.push_back(note->get<std::string>());
  }
  if (notes.empty()) return Fail(Code::kInvalidArgument, "no line of it is a checkpoint of vaultd's log");
  return notes;
}

}  // namespace strongroom::audit
