#include "keytool/reason.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "keytool/fields.h"

namespace strongroom::keytool {
namespace {

constexpr std::size_t kMostReason = 500;

std::string Trim(const std::string& text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

// One read(2) of a terminal is at most one line: nothing typed ahead for a later prompt, such as a key, comes into a
// buffer here.
std::optional<std::string> ReadTypedLine() {
  std::array<char, 4096> line{};
  ssize_t count = 0;
  do {
    count = read(STDIN_FILENO, line.data(), line.size());
  } while (count < 0 && errno == EINTR);
  if (count <= 0) return std::nullopt;
  return std::string(line.data(), static_cast<std::size_t>(count));
}

}  // namespace

std::optional<std::string> AskLine(const std::string& prompt) {
  std::fputs(prompt.c_str(), stderr);
  auto line = ReadTypedLine();
  if (!line) return std::nullopt;
  return Trim(*line);
}

std::string AskTyped(const std::string& prompt) { return isatty(STDIN_FILENO) == 1 ? AskLine(prompt).value_or("") : ""; }

bool AskYes(const std::string& question) {
  const std::string answer = AskTyped(question + " [y/N] ");
  return answer == "y" || answer == "Y" || answer == "yes";
}

Outcome<std::string> AskReason(const std::string& flag) {
  std::string reason = Trim(flag);
  if (reason.empty()) reason = AskTyped("Reason: ");
  if (reason.empty()) return Usage("give --reason TEXT: it stands in the trail beside what you do");
  TRY(CheckText("--reason", reason, kMostReason));
  return reason;
}

}  // namespace strongroom::keytool
