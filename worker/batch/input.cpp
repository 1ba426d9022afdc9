#include "worker/batch/input.h"

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/log.h"
#include "vault/digest.h"
#include "worker/json.h"

namespace strongroom::worker {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostLineBytes = 8U << 20;
constexpr std::int64_t kMostMaxTokens = 1'000'000;
// A longer prompt travels by reference; a system prompt cannot, and must leave room for the rest of its message.
constexpr std::size_t kMostSystemPromptBytes = 60'000;

// What a reply may set. A row taken from an earlier output must not keep the other outcome's.
constexpr const char* kReplyFields[] = {"response",   "response_ref", "model_used",    "tokens_in", "tokens_out",
                                        "latency_ms", "finish_reason", "dropped",      "error_code",
                                        "error_message", "attempts",  "retry_after_ms"};

// ParseJson is discarded where the text is malformed or nested so deeply that printing it again would end the stack.
Json ParseJson(std::string_view text) {
  bool deep = false;
  const auto look = [&deep](int depth, Json::parse_event_t, Json&) {
    deep = deep || depth > kMostJsonDepth;
    return !deep;
  };
  Json value = Json::parse(text, look, false);
  return deep ? Json(Json::value_t::discarded) : value;
}

}  // namespace

std::expected<InputRow, std::string> ParseInputRow(std::string_view line) {
  if (line.size() > kMostLineBytes) return std::unexpected("the line is over 8 MiB");
  const Json object = ParseJson(line);
  if (!object.is_object()) return std::unexpected("not a JSON object, or nested deeper than 64");
  InputRow row;
  row.text = line;
  const auto prompt = object.find("prompt");
  if (prompt == object.end() || !prompt->is_string()) return std::unexpected("\"prompt\" must be a string");
  row.prompt = prompt->get<std::string>();
  if (row.prompt.empty()) return std::unexpected("\"prompt\" is empty");
  if (const auto system = object.find("system_prompt"); system != object.end() && !system->is_null()) {
    if (!system->is_string()) return std::unexpected("\"system_prompt\" must be a string");
    row.system_prompt = system->get<std::string>();
    std::string printed;
    base::AppendJsonString(printed, *row.system_prompt);
    if (printed.size() > kMostSystemPromptBytes) return std::unexpected("\"system_prompt\" has more than 60000 bytes");
  }
  if (const auto most = object.find("max_tokens"); most != object.end() && !most->is_null()) {
    if (!most->is_number_integer() || *most < 1 || *most > kMostMaxTokens) {
      return std::unexpected("\"max_tokens\" must be a whole number from 1 to 1000000");
    }
    row.max_tokens = most->get<std::int64_t>();
  }
  return row;
}

std::string OutputLine(std::string_view input, std::string_view reply, const std::optional<std::string>& response) {
  Json line = ParseJson(input);
  const Json fields = ParseJson(reply);
  if (!line.is_object()) line = Json::object();
  if (fields.is_object()) {
    for (const char* name : kReplyFields) line.erase(name);
    for (const auto& [name, value] : fields.items()) line[name] = value;
  }
  if (response) {
    line["response"] = *response;
    line.erase("response_ref");
  }
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::expected<Input, std::string> Input::Open(const std::string& path) {
  Input input;
  input.path_ = path;
  input.file_.open(path, std::ios::binary);
  if (!input.file_) return std::unexpected(path + ": " + std::strerror(errno));
  std::string digests;
  std::string line;
  for (std::size_t number = 1;; ++number) {
    const std::streamoff offset = input.file_.tellg();
    if (!std::getline(input.file_, line)) break;
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
  if (!std::getline(file_, line)) return std::unexpected(path_ + " changed while the batch ran");
  return ParseInputRow(line);
}

}  // namespace strongroom::worker
