#include "vault/manifest.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace strongroom::vault {
namespace {

constexpr std::string_view kTitle = "strongroom-backup 1";
constexpr std::array kNames = {kAnchorName, kStopsFile, kConfigFile, kWorkFile, kVaultFile};
constexpr std::size_t kVaultIdDigits = 32, kSha256Digits = 64;

bool IsHex(std::string_view text, std::size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// Words takes a text apart, and is bad from the first thing that is not as it should be.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) {}
  bool bad() const { return bad_; }
  bool done() const { return rest_.empty(); }

  void Expect(std::string_view word) {
    if (!rest_.starts_with(word)) bad_ = true;
    else rest_.remove_prefix(word.size());
  }
  std::string Until(char end) {
    const std::size_t at = rest_.find(end);
    if (at == std::string_view::npos) {
      bad_ = true;
      rest_ = {};
      return {};
    }
    std::string word(rest_.substr(0, at));
    rest_.remove_prefix(at + 1);
    return word;
  }
  // A number from 0 up, as std::to_string writes it.
  std::int64_t NumberUntil(char end) {
    const std::string word = Until(end);
    std::int64_t number = 0;
    const auto [last, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc{} || last != word.data() + word.size() || number < 0 || std::to_string(number) != word) bad_ = true;
    return number;
  }

 private:
  std::string_view rest_;
  bool bad_ = false;
};

bool IsSound(const Manifest& manifest) {
  if (!IsHex(manifest.vault_id, kVaultIdDigits)) return false;
  for (std::size_t i = 0; i < manifest.files.size(); ++i) {
    const ManifestFile& file = manifest.files[i];
    if (std::find(kNames.begin(), kNames.end(), file.name) == kNames.end() || !IsHex(file.sha256, kSha256Digits)) return false;
    for (std::size_t j = 0; j < i; ++j) {
      if (manifest.files[j].name == file.name) return false;
    }
  }
  return true;
}

}  // namespace

std::string PrintManifest(const Manifest& manifest) {
  std::string text(kTitle);
  text += "\nvault " + manifest.vault_id + "\nmade " + base::FormatTime(manifest.made_at) + "\nepoch " +
          std::to_string(manifest.epoch) + "\nrecord " + std::to_string(manifest.record) + "\n";
  for (const ManifestFile& file : manifest.files) {
    text += "file " + file.name + " " + std::to_string(file.size) + " " + file.sha256 + "\n";
  }
  return text;
}

std::optional<Manifest> ParseManifest(std::string_view text) {
  Words words(text);
  Manifest manifest;
  words.Expect(kTitle);
  words.Expect("\nvault ");
  manifest.vault_id = words.Until('\n');
  words.Expect("made ");
  const auto made_at = base::ParseTime(words.Until('\n'));
  words.Expect("epoch ");
  manifest.epoch = words.NumberUntil('\n');
  words.Expect("record ");
  manifest.record = words.NumberUntil('\n');
  while (!words.bad() && !words.done()) {
    ManifestFile& file = manifest.files.emplace_back();
    words.Expect("file ");
    file.name = words.Until(' ');
    file.size = words.NumberUntil(' ');
    file.sha256 = words.Until('\n');
  }
  if (words.bad() || !made_at || !IsSound(manifest)) return std::nullopt;
  manifest.made_at = *made_at;
  // A time has more than one spelling.
  if (PrintManifest(manifest) != text) return std::nullopt;
  return manifest;
}

}  // namespace strongroom::vault
