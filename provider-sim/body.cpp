#include "provider-sim/body.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace strongroom::sim {
namespace {

using Json = nlohmann::json;

// Reader takes members out of a JSON object and remembers the first whose type is wrong.
class Reader {
 public:
  Reader(Json& object, Body& body) : object_(object), body_(body) {}

  Json* Find(const char* name) {
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  bool Has(const char* name) { return object_.contains(name); }

  std::optional<std::string> String(const char* name) {
    Json* value = Find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) return Wrong(name, "string");
    return std::move(value->get_ref<std::string&>());
  }

  std::optional<std::int64_t> Integer(const char* name) {
    const Json* value = Find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number_integer()) return Wrong(name, "integer");
    return value->get<std::int64_t>();
  }

  std::optional<double> Number(const char* name) {
    const Json* value = Find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number()) return Wrong(name, "number");
    return value->get<double>();
  }

  std::optional<bool> Boolean(const char* name) {
    const Json* value = Find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_boolean()) return Wrong(name, "boolean");
    return value->get<bool>();
  }

  std::nullopt_t Wrong(const char* name, std::string_view expected) {
    if (!body_.wrong_type) body_.wrong_type = WrongType{name, expected};
    return std::nullopt;
  }

 private:
  Json& object_;
  Body& body_;
};

// Content is a string, or a list of blocks of which those of type text are joined.
std::optional<std::string> TextOf(Json& content) {
  if (content.is_string()) return std::move(content.get_ref<std::string&>());
  if (!content.is_array()) return std::nullopt;
  std::string text;
  for (const Json& block : content) {
    if (!block.is_object()) return std::nullopt;
    const auto found = block.find("text");
    if (found != block.end() && found->is_string()) text += found->get_ref<const std::string&>();
  }
  return text;
}

void ReadMessages(Reader& reader, Body& body) {
  Json* messages = reader.Find("messages");
  if (messages == nullptr) return;
  if (!messages->is_array()) {
    reader.Wrong("messages", "list");
    return;
  }
  for (Json& entry : *messages) {
    const bool has_both = entry.is_object() && entry.contains("role") && entry.contains("content");
    std::optional<std::string> text = has_both ? TextOf(entry["content"]) : std::nullopt;
    if (!text || !entry["role"].is_string()) {
      reader.Wrong("messages", "list of {role, content}");
      return;
    }
    body.messages.push_back({std::move(entry["role"].get_ref<std::string&>()), std::move(*text)});
  }
}

void ReadSystem(Reader& reader, Body& body) {
  Json* system = reader.Find("system");
  if (system == nullptr) return;
  if (std::optional<std::string> text = TextOf(*system)) {
    body.system = std::move(*text);
    return;
  }
  reader.Wrong("system", "string");
}

void ReadOptions(Reader& reader, Body& body) {
  Json* options = reader.Find("options");
  if (options == nullptr) return;
  if (!options->is_object()) {
    reader.Wrong("options", "object");
    return;
  }
  Reader inner(*options, body);
  body.num_predict = inner.Integer("num_predict");
}

}  // namespace

std::string Body::UserText() const {
  if (prompt) return *prompt;
  std::string text;
  for (const Message& message : messages) {
    if (message.role != "user") continue;
    if (!text.empty()) text += '\n';
    text += message.text;
  }
  return text;
}

std::size_t Body::InputSize() const {
  std::size_t size = system.size() + (prompt ? prompt->size() : 0);
  for (const Message& message : messages) size += message.text.size();
  return size;
}

Body ReadBody(std::string_view text) {
  Body body;
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return body;
  body.well_formed = true;
  Reader reader(json, body);
  body.model = reader.String("model").value_or("");
  ReadMessages(reader, body);
  body.prompt = reader.String("prompt");
  ReadSystem(reader, body);
  body.max_tokens = reader.Integer("max_tokens");
  body.max_completion_tokens = reader.Integer("max_completion_tokens");
  body.temperature = reader.Number("temperature");
  body.has_top_p = reader.Has("top_p");
  body.has_top_k = reader.Has("top_k");
  body.stream = reader.Boolean("stream");
  ReadOptions(reader, body);
  return body;
}

}  // namespace strongroom::sim
