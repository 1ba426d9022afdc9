// Fields: what the command line says, checked before anything is asked or done. Every failure is a usage problem that
// names the flag and never quotes the value: a key may have been pasted into the wrong place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "keytool/problem.h"
#include "vault/key_ref.h"

namespace strongroom::keytool {

// CheckText: 1 to `most` bytes of UTF-8 on one line, without control characters.
Outcome<void> CheckText(std::string_view flag, std::string_view text, std::size_t most);
// CheckEndpoint: an http or https URL that vault::Origin takes; https where a key goes to it.
Outcome<void> CheckEndpoint(const std::string& endpoint, bool keyed);
Outcome<void> CheckCustomer(const std::string& customer);
// ReadKeyRef reads CUSTOMER/provider/label/version.
Outcome<vault::KeyRef> ReadKeyRef(std::string_view flag, const std::string& text);
// ReadMode turns "byok" and "hosted" into AI_PROFILE.MODE, "B" and "H".
Outcome<std::string> ReadMode(const std::string& word);
// ReadTemperature reads "0.0" to "1.0" with one decimal as tenths; "none" is -1, which takes it off.
Outcome<std::int64_t> ReadTemperature(const std::string& text);
// HasUnit is false for a bare number, which a person may mean in days and a program in seconds; 0 needs none.
bool HasUnit(std::string_view duration);

// ReadSince reads a time, a date, or how long ago.
Outcome<base::Micros> ReadSince(const std::string& text);

}  // namespace strongroom::keytool
