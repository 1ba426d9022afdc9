#include "keytool/ticket_files.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/files.h"
#include "keytool/output.h"
#include "keytool/reason.h"
#include "vault/labelled_text.h"
#include "vault/phrase.h"

namespace strongroom::keytool {
namespace {

constexpr int kTries = 3;
constexpr mode_t kMode = 0600;

std::unexpected<Problem> WrongPhrase(const std::string& of) {
  return Failed("PHRASE_WRONG", "nothing was done: this is not the check phrase of this " + of +
                                    ": have it read out once more, and if it stays so, the file was swapped on its way");
}

}  // namespace

Outcome<void> CheckPhraseSource(const PhraseCheck& check) {
  if (check.yes && !check.phrase.empty()) return Usage("--yes skips the check phrase: leave it or --phrase out");
  if (check.yes || !check.phrase.empty() || isatty(STDIN_FILENO) == 1) return {};
  return Usage("no terminal to ask for the check phrase on: give it with --phrase \"SIX WORDS\", or skip it with --yes");
}

Outcome<void> ConfirmPhrase(const PhraseCheck& check, const std::string& phrase, const std::string& of, const std::string& told) {
  if (check.yes) return {};
  if (!check.phrase.empty()) {
    if (!vault::SamePhrase(check.phrase, phrase)) return WrongPhrase(of);
    return {};
  }
  for (int left = kTries; left > 0; --left) {
    const std::string typed = AskTyped((left == kTries ? told + "\n" : "") + "Check phrase of the " + of + ", six words as they were read out to you: ");
    if (vault::SamePhrase(typed, phrase)) return {};
    if (left > 1) Warn("that is not this " + of + "'s check phrase; try once more");
  }
  return WrongPhrase(of);
}

Outcome<std::string> ReadTextFile(const std::string& what, const std::string& path) {
  auto text = base::ReadFile(path, vault::LabelledReader::kMostBytes);
  if (!text) return FailedBy(text.error(), what + " " + path);
  return std::move(*text);
}

Outcome<void> CheckNewFile(const std::string& flag, const std::string& path) {
  if (access(path.c_str(), F_OK) == 0) {
    return Failed("FILE_EXISTS", flag + " " + path + ": there is one of that name already, and nothing is written over");
  }
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (access(directory.c_str(), W_OK | X_OK) != 0) return Failed("FILE_FAILED", flag + " " + path + ": " + std::strerror(errno));
  return {};
}

Outcome<void> WriteNewFile(const std::string& flag, const std::string& path, const std::string& text) {
  TRY(CheckNewFile(flag, path));
  if (const auto written = base::WriteFileAtomic(path, text, kMode, base::Replace::kNo); !written) return FailedBy(written.error(), flag + " " + path);
  return {};
}

}  // namespace strongroom::keytool
