#include "worker/batch/input.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "base/log.h"
#include "vault/digest.h"
#include "worker/json.h"

namespace strongroom::worker {
namespace {

constexpr std::size_t kMostLineBytes = 8U << 20;
constexpr std::int64_t kMostMaxTokens = 1'000'000;
// A longer prompt travels by reference; a system prompt cannot, and must leave room for the rest of its message.
constexpr std::size_t kMostSystemPromptBytes = 60'000;

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // some editors begin a file with one

// What a reply may set. A row taken from an earlier output must not keep the other outcome's.
constexpr std::string_view kReplyFields[] = {"response",   "response_ref", "model_used",    "tokens_in", "tokens_out",
                                        "latency_ms", "finish_reason", "dropped",      "error_code",
                                        "error_message", "attempts",  "retry_after_ms"};

// Members are an object's, each as it is written there: a number of any size keeps its digits. Where a name comes twice,
// the later value stands. nullopt for anything that is not one whole object.
using Members = std::vector<std::pair<std::string, JsonValue>>;

const JsonValue* FindMember(const Members& members, std::string_view name) {
  const auto found = std::find_if(members.begin(), members.end(), [&](const auto& member) { return member.first == name; });
  return found == members.end() || found->second.is_null() ? nullptr : &found->second;
}

void PutMember(Members& members, std::string name, JsonValue value) {
  const auto found = std::find_if(members.begin(), members.end(), [&](const auto& member) { return member.first == name; });
  if (found != members.end()) found->second = value;
  else members.emplace_back(std::move(name), value);
}

std::optional<Members> ReadMembers(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const auto object = JsonValue::Parse(text);
  if (!object || !object->is_object() || !base::IsUtf8(text) || HasLoneSurrogate(text)) return std::nullopt;
  Members members;
  JsonWalk walk(*object);
  while (const auto value = walk.Next()) PutMember(members, walk.name(), *value);
  return members;
}

// NextLine is std::getline with a bound: of a longer line it takes as much as ParseInputRow refuses. `room` is its buffer.
bool NextLine(std::istream& in, std::vector<char>& room, std::string& line) {
  room.resize(kMostLineBytes + 2);
  in.getline(room.data(), static_cast<std::streamsize>(room.size()));
  const auto taken = static_cast<std::size_t>(in.gcount());
  if (taken == 0 || in.bad()) return false;
  const bool ended = in.good();  // then the end of the line was taken too
  line.assign(room.data(), ended ? taken - 1 : taken);
  return true;
}

void AppendMember(std::string& line, std::string_view name, std::string_view value) {
  if (!line.empty()) line += ',';
  base::AppendJsonString(line, name);
  line += ':';
  line += value;
}

}  // namespace

std::expected<InputRow, std::string> ParseInputRow(std::string_view line) {
  if (line.size() > kMostLineBytes) return std::unexpected("the line is over 8 MiB");
  const auto members = ReadMembers(line);
  if (!members) return std::unexpected("not a JSON object, or nested deeper than 64");
  InputRow row;
  row.text = line;
  const JsonValue* prompt = FindMember(*members, "prompt");
  if (prompt == nullptr || !prompt->is_string()) return std::unexpected("\"prompt\" must be a string");
  row.prompt = prompt->Text().value_or("");
  if (row.prompt.empty()) return std::unexpected("\"prompt\" is empty");
  if (const JsonValue* system = FindMember(*members, "system_prompt")) {
    if (!system->is_string()) return std::unexpected("\"system_prompt\" must be a string");
    row.system_prompt = system->Text();
    std::string printed;
    base::AppendJsonString(printed, *row.system_prompt);
    if (printed.size() > kMostSystemPromptBytes) return std::unexpected("\"system_prompt\" has more than 60000 bytes");
  }
  if (const JsonValue* most = FindMember(*members, "max_tokens")) {
    row.max_tokens = most->Integer();
    if (!row.max_tokens || *row.max_tokens < 1 || *row.max_tokens > kMostMaxTokens) {
      return std::unexpected("\"max_tokens\" must be a whole number from 1 to 1000000");
    }
  }
  return row;
}

std::string OutputLine(std::string_view input, std::string_view reply, const std::optional<std::string>& response) {
  Members members = ReadMembers(input).value_or(Members());
  if (auto fields = ReadMembers(reply)) {
    const auto of_a_reply = [](const auto& member) {
      return std::find(std::begin(kReplyFields), std::end(kReplyFields), member.first) != std::end(kReplyFields);
    };
    std::erase_if(members, of_a_reply);
    for (auto& [name, value] : *fields) PutMember(members, std::move(name), value);
  }
  std::string line;
  for (const auto& [name, value] : members) {
    if (!response || (name != "response" && name != "response_ref")) AppendMember(line, name, value.raw());
  }
  if (response) {
    std::string text;
    base::AppendJsonString(text, RepairUtf8(*response));
    AppendMember(line, "response", text);
  }
  // An end of line is space between JSON's tokens, never inside a string.
  std::replace_if(line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return "{" + line + "}";
}

std::expected<Input, std::string> Input::Open(const std::string& path) {
  Input input;
  input.path_ = path;
  struct stat facts {};
  // A pipe cannot be read twice, and a device may have no end.
  if (stat(path.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode)) return std::unexpected(path + ": is no regular file");
  input.file_.open(path, std::ios::binary);
  if (!input.file_) return std::unexpected(path + ": " + std::strerror(errno));
  std::string digests;
  std::string line;
  for (std::size_t number = 1;; ++number) {
    const std::streamoff offset = input.file_.tellg();
    if (!NextLine(input.file_, input.room_, line)) break;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto row = ParseInputRow(line);
    if (!row) return std::unexpected(path + ":" + std::to_string(number) + ": " + row.error());
    const Bytes digest = vault::Sha256(base::AsBytes(line));
    digests.append(base::AsText(digest));
    input.offsets_.push_back(offset);
  }
  if (input.file_.bad()) return std::unexpected(path + ": cannot be read to its end");
  if (input.offsets_.empty()) return std::unexpected(path + ": no rows");
  // The digest of the rows' digests: the same rows, whatever blank lines stand between them.
  input.sha256_ = base::Hex(vault::Sha256(base::AsBytes(digests)));
  return input;
}

std::expected<InputRow, std::string> Input::Row(std::size_t index) {
  file_.clear();
  file_.seekg(offsets_[index]);
  std::string line;
  if (!NextLine(file_, room_, line)) return std::unexpected(path_ + " changed while the batch ran");
  return ParseInputRow(line);
}

}  // namespace strongroom::worker
