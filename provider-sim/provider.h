// The wire formats side by side: what each provider refuses, how it answers, and how its errors look. All
// pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "provider-sim/body.h"
#include "provider-sim/draft.h"
#include "provider-sim/http.h"

namespace strongroom::sim {

// ApiError is an error before a provider's shape is put around it. An empty type is the status's usual one;
// empty param and code are null in OpenAI's shape and absent elsewhere.
struct ApiError {
  int status = 400;
  std::string message;
  std::string type;
  std::string param;
  std::string code;
};

// Provider is one wire format, as a row of functions.
struct Provider {
  std::string_view name;
  bool needs_key;
  // The header that carries this provider's request id back.
  std::string_view id_header;
  // The key as it came, empty where there is none.
  std::string_view (*key)(const Head& head);
  // 401 for this key: missing where empty, else wrong.
  ApiError (*bad_key)(std::string_view key);
  // What the real one refuses in this call, if anything.
  std::optional<ApiError> (*refusal)(const Head& head, const Body& body);
  // How many tokens the caller allows, if it says.
  std::optional<std::int64_t> (*limit)(const Body& body);
  std::string (*answer)(const Body& body, const Draft& draft);
  std::string (*error)(const ApiError& error, std::string_view request_id);
  std::string (*models)();
};

const Provider& Anthropic();
const Provider& OpenAi();
const Provider& OllamaChat();
const Provider& OllamaGenerate();

// IsNoSuchModel is true for the model names that tests use for a 404: those that contain "no-such".
bool IsNoSuchModel(std::string_view model);

// BearerKey is the credential of an Authorization: Bearer header, empty where there is none.
std::string_view BearerKey(const Head& head);

// RefuseMalformed holds what is alike everywhere: no JSON object, or a member of the wrong type.
std::optional<ApiError> RefuseMalformed(const Body& body);

}  // namespace strongroom::sim
