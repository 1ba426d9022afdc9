#include "provider-sim/provider.h"

namespace strongroom::sim {

bool IsNoSuchModel(std::string_view model) {
  return model.find("no-such") != std::string_view::npos;
}

std::string_view BearerKey(const Head& head) {
  const std::string_view value = head.Find("authorization").value_or("");
  constexpr std::string_view kScheme = "Bearer ";
  if (!EqualIgnoringCase(value.substr(0, kScheme.size()), kScheme)) return {};
  return value.substr(kScheme.size());
}

std::optional<ApiError> RefuseMalformed(const Body& body) {
  if (!body.well_formed) {
    return ApiError{400, "The request body is not valid JSON.", {}, {}, {}};
  }
  if (body.wrong_type) {
    const std::string field(body.wrong_type->field);
    return ApiError{400,
                    field + ": Input should be a valid " + std::string(body.wrong_type->expected),
                    {},
                    field,
                    "invalid_type"};
  }
  return std::nullopt;
}

}  // namespace strongroom::sim
