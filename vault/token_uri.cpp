#include "vault/token_uri.h"

#include <array>
#include <optional>

namespace strongroom::vault {
namespace {

constexpr std::string_view kScheme = "pkcs11:";
// What PKCS#11 has room for: CK_TOKEN_INFO's padded fields; labels and ids of objects have no limit there.
constexpr std::size_t kMostLabel = 32, kMostModel = 16, kMostObject = 255;

// TextPart is an attribute that is text.
struct TextPart {
  std::string_view name;
  std::string TokenUri::*member;
  std::size_t most;
};
constexpr std::array kTextParts{
    TextPart{"token", &TokenUri::token, kMostLabel},   TextPart{"serial", &TokenUri::serial, kMostModel},
    TextPart{"manufacturer", &TokenUri::manufacturer, kMostLabel}, TextPart{"model", &TokenUri::model, kMostModel},
    TextPart{"object", &TokenUri::object, kMostObject}};

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~").find(c) != std::string_view::npos;
}

// What RFC 7512 calls pk11-pchar, but for the escapes.
bool IsAllowed(char c) { return IsPlain(c) || std::string_view(":[]@!$'()*+,=&").find(c) != std::string_view::npos; }

std::optional<std::string> Unescape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (text.front() != '%') {
      if (!IsAllowed(text.front())) return std::nullopt;
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    std::string digits(text.substr(1, 2));
    for (char& c : digits) {
      if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    }
    const auto byte = base::Unhex(digits);
    if (!byte || byte->size() != 1) return std::nullopt;
    out += static_cast<char>(byte->front());
    text.remove_prefix(3);
  }
  return out;
}

std::string Escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (IsPlain(c)) out += c;
    else out += "%" + base::Hex(base::AsBytes(std::string_view(&c, 1)));
  }
  return out;
}

// TakePart is false where the part is unknown, was there before, or holds what it must not.
bool TakePart(TokenUri& uri, std::string_view name, const std::string& value) {
  if (value.empty()) return false;
  if (name == "type") return value == "secret-key";
  if (name == "id") {
    if (!uri.id.empty() || value.size() > kMostObject) return false;
    const ByteView bytes = base::AsBytes(value);
    uri.id.assign(bytes.begin(), bytes.end());
    return true;
  }
  for (const TextPart& part : kTextParts) {
    if (part.name != name) continue;
    std::string& member = uri.*part.member;
    const bool fits = member.empty() && value.size() <= part.most && base::IsUtf8(value) && value.find('\0') == std::string::npos;
    if (fits) member = value;
    return fits;
  }
  return false;
}

}  // namespace

Result<TokenUri> TokenUri::Parse(std::string_view text) {
  constexpr base::Literal kNotOne = "is no PKCS#11 URI of the form pkcs11:token=LABEL;object=LABEL";
  if (!text.starts_with(kScheme)) return Fail(Code::kInvalidArgument, kNotOne);
  text.remove_prefix(kScheme.size());
  TokenUri uri;
  bool typed = false;
  for (bool more = true; more;) {
    const std::size_t end = text.find(';');
    const std::string_view part = text.substr(0, end);
    more = end != std::string_view::npos;
    text.remove_prefix(more ? end + 1 : text.size());
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) return Fail(Code::kInvalidArgument, kNotOne);
    const std::string_view name = part.substr(0, equals);
    const auto value = Unescape(part.substr(equals + 1));
    const bool again = name == "type" && typed;
    if (!value || again || !TakePart(uri, name, *value)) return Fail(Code::kInvalidArgument, kNotOne);
    typed = typed || name == "type";
  }
  if ((uri.token.empty() && uri.serial.empty()) || (uri.object.empty() && uri.id.empty())) {
    return Fail(Code::kInvalidArgument, "must name the token by token= or serial=, and the key by object= or id=");
  }
  return uri;
}

std::string TokenUri::Print() const {
  std::string out;
  const auto add = [&out](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    out += out.empty() ? std::string(kScheme) : ";";
    out += std::string(name) + "=" + Escape(value);
  };
  for (const TextPart& part : kTextParts) add(part.name, this->*part.member);
  add("id", base::AsText(id));
  return out;
}

}  // namespace strongroom::vault
