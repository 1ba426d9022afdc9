// What the provider tests share: a request, a profile, answers and outcomes.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "worker/provider/provider.h"

namespace strongroom::worker {

inline Request SomeRequest() {
  Request request;
  request.version = "1.0";
  request.request_id = "r-1";
  request.customer = "ACME";
  request.profile_ref = "ACME_DEFAULT";
  request.reply_queue = {"ACME_5DTA", "RPLY_000001"};
  request.prompt = "unused: BuildCall is given the resolved prompt";
  return request;
}

inline Profile SomeProfile(std::string provider, std::string model, std::string endpoint) {
  Profile profile;
  profile.profile_ref = "ACME_DEFAULT";
  profile.customer = "ACME";
  profile.provider = std::move(provider);
  profile.model = std::move(model);
  profile.endpoint = std::move(endpoint);
  profile.status = "ACTIVE";
  return profile;
}

inline bool HasHeader(const HttpCall& call, std::string_view header) {
  return std::find(call.headers.begin(), call.headers.end(), header) != call.headers.end();
}

inline HttpAnswer Answer(int status, std::string body) {
  HttpAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

inline CallFailure Refused(const char* provider, const HttpAnswer& answer) {
  return std::get<CallFailure>(FindProvider(provider)->ReadAnswer(answer));
}
inline CallSuccess Served(const char* provider, const HttpAnswer& answer) {
  return std::get<CallSuccess>(FindProvider(provider)->ReadAnswer(answer));
}

}  // namespace strongroom::worker
