// The JSON body of a call. The three providers' formats overlap so far that one reader serves them all; what
// each of them demands of the fields is in anthropic.cpp, openai.cpp and ollama.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strongroom::sim {

// Message is one turn of a conversation; text joins its text blocks.
struct Message {
  std::string role;
  std::string text;
};

// WrongType names one top-level member whose value has the wrong type, and the type it should have.
struct WrongType {
  std::string_view field;
  std::string_view expected;
};

// Body is a request's JSON. Members that are absent or null are empty.
struct Body {
  bool well_formed = false;  // one JSON object, in UTF-8
  std::optional<WrongType> wrong_type;
  std::string model;
  std::vector<Message> messages;
  std::optional<std::string> prompt;  // Ollama's /api/generate
  std::string system;
  std::optional<std::int64_t> max_tokens;
  std::optional<std::int64_t> max_completion_tokens;
  std::optional<double> temperature;
  bool has_top_p = false;
  bool has_top_k = false;
  std::optional<bool> stream;
  std::optional<std::int64_t> num_predict;  // Ollama's options.num_predict

  // UserText is what the user said: the user messages' text, or the prompt.
  std::string UserText() const;
  // InputSize is the number of bytes of text in all, from which tokens are counted.
  std::size_t InputSize() const;
};

// ReadBody parses a body of at most kMaxBody bytes.
Body ReadBody(std::string_view json);

}  // namespace strongroom::sim
