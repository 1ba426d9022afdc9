#include "keytool/fields.h"

#include <cctype>

#include "base/bytes.h"
#include "base/table.h"
#include "vault/origin.h"

namespace strongroom::keytool {

Outcome<void> CheckText(std::string_view flag, std::string_view text, std::size_t most) {
  const std::string name(flag);
  if (text.empty()) return Usage(name + " is empty");
  if (text.size() > most) return Usage(name + " is too long: " + std::to_string(most) + " bytes at most");
  if (base::Printable(text) != text) return Usage(name + " must be one line of UTF-8 without control characters");
  return {};
}

Outcome<void> CheckEndpoint(const std::string& endpoint, bool keyed) {
  const auto origin = vault::Origin::OfEndpoint(endpoint);
  if (!origin) return Usage("--endpoint: " + origin.error().Message());
  if (keyed && !origin->is_https()) return Usage("--endpoint: a key only travels over TLS: give an https endpoint");
  return {};
}

Outcome<void> CheckCustomer(const std::string& customer) {
  const auto checked = vault::CheckCustomer(customer);
  if (!checked) return Usage("CUSTOMER: " + checked.error().Message());
  return {};
}

Outcome<vault::KeyRef> ReadKeyRef(std::string_view flag, const std::string& text) {
  auto ref = vault::KeyRef::Parse(text);
  if (!ref) return Usage(std::string(flag) + ": " + ref.error().Message());
  return std::move(*ref);
}

Outcome<std::string> ReadMode(const std::string& word) {
  if (word == "byok") return "B";
  if (word == "hosted") return "H";
  return Usage("--mode is byok or hosted");
}

Outcome<std::int64_t> ReadTemperature(const std::string& text) {
  if (text == "none") return -1;
  if (text == "1" || text == "1.0") return 10;
  if (text == "0") return 0;
  const bool tenths = text.size() == 3 && text.starts_with("0.") && text[2] >= '0' && text[2] <= '9';
  if (tenths) return text[2] - '0';
  return Usage("--temperature is 0.0 to 1.0 with one decimal, or none");
}

bool HasUnit(std::string_view duration) { return !duration.empty() && (duration == "0" || std::isdigit(static_cast<unsigned char>(duration.back())) == 0); }

Outcome<base::Micros> ReadSince(const std::string& text) {
  const base::Micros now = base::WallMicros();
  const auto time = base::ParseTime(text);
  // Of what is still to come nothing can have been used.
  if (time && *time > now) return Usage("--since lies in the future: " + base::FormatTime(*time));
  if (time) return *time;
  const auto ago = base::ParseDuration(text);
  if (ago && HasUnit(text)) return now - *ago;
  return Usage("--since takes 2026-11-20, 2026-11-20T08:00:00Z, or how long ago with its unit, such as 2h or 30d");
}

}  // namespace strongroom::keytool
