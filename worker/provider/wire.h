// Wire: the pieces that the providers' wire formats share. Only worker/provider/*.cpp include it.
#pragma once

#include <initializer_list>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "worker/json.h"
#include "worker/provider/provider.h"

namespace strongroom::worker {

const Provider& Anthropic();
const Provider& OpenAi();
const Provider& Ollama();

// JoinUrl puts `path` behind an endpoint, after taking trailing slashes and the first of `known` paths off its end.
std::string JoinUrl(std::string_view endpoint, std::initializer_list<std::string_view> known, std::string_view path);
// EndpointEndsWith compares the end of an endpoint, trailing slashes aside.
bool EndpointEndsWith(std::string_view endpoint, std::string_view path);

// PathSegment is text as one segment of a URL's path: what is not unreserved (RFC 3986, 2.3) is percent-encoded.
std::string PathSegment(std::string_view text);

// JsonHeaders are the headers of every POST; x-request-id is left out where the id could not stand in a header.
std::vector<std::string> JsonHeaders(std::string_view request_id);

// What a call asks for: the request's value, else the profile's.
std::optional<double> TemperatureOf(const Request& request, const Profile& profile);
std::int64_t MaxTokensOf(const Request& request, const Profile& profile);
std::string_view SystemOf(const Request& request, const Profile& profile);

// AppendMessage appends {"role":…,"content":…}.
void AppendMessage(std::string& out, std::string_view role, std::string_view content);

// Refuse makes the failure for an answer that is no success, in the contract's terms. `token` is the provider's own
// error type or code; it is shown only where it looks like one.
CallFailure Refuse(std::string_view provider, const HttpAnswer& answer, std::string_view token);
// Unreadable is the failure for a 2xx answer that cannot be used. Never retried: it may have been billed.
CallFailure Unreadable(std::string_view provider, const HttpAnswer& answer);
bool IsDone(const HttpAnswer& answer);  // 2xx

// FindUnsupported is the first of `names` that an error message calls unsupported; nullopt where it does not.
std::optional<std::string> FindUnsupported(std::string_view message, std::span<const std::string_view> names);

// ReadMember is a string member's text, ReadObject an object member's members, empty where there is none; ReadTokens a
// count that fits its column.
std::string ReadMember(const JsonObject& object, std::string_view name);
JsonObject ReadObject(const JsonObject& object, std::string_view name);
std::string ReadBounded(const JsonObject& object, std::string_view name, std::size_t most);
std::optional<std::int64_t> ReadTokens(const JsonObject& object, std::string_view name);

inline constexpr std::size_t kMostModelBytes = 80, kMostFinishBytes = 64;

}  // namespace strongroom::worker
