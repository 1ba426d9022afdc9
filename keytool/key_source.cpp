#include "keytool/key_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/files.h"
#include "keytool/key_input.h"
#include "keytool/output.h"
#include "vault/arena.h"
#include "vault/key_format.h"
#include "vault/origin.h"

namespace strongroom::keytool {
namespace {

// Wanted is what is read, and how the command line and its problems call it.
struct Wanted {
  KeyInput::What what;
  std::string name, flag, problem;
};
const Wanted kKey{KeyInput::What::kKey, "key", "--key-file", "KEY_FILE"};
const Wanted kWords{KeyInput::What::kPassphrase, "passphrase", "--passphrase-file", "PASSPHRASE_FILE"};
const Wanted kPin{KeyInput::What::kPassphrase, "PIN", "--pin-file", "PIN_FILE"};

const Wanted kPhrase{KeyInput::What::kPassphrase, "check phrase", "--phrase-file", "PHRASE_FILE"};

bool IsTyped(const std::string& file) { return file.empty() || (file == "-" && isatty(STDIN_FILENO) == 1); }

std::unexpected<Problem> BadFile(const Wanted& wanted, const std::string& path, const char* why) {
  return Failed(wanted.problem, wanted.flag + " " + path + ": " + why);
}

Outcome<void> CheckSource(const Wanted& wanted, const std::string& file) {
  if (file.empty() && isatty(STDIN_FILENO) != 1) {
    return Usage("no terminal to ask for the " + wanted.name + " on: give it with " + wanted.flag + " FILE, or " + wanted.flag +
                 " - for standard input");
  }
  if (!file.empty() && file != "-" && access(file.c_str(), R_OK) != 0) return BadFile(wanted, file, std::strerror(errno));
  if (const auto arena = vault::Arena::Open(); !arena) {
    return FailedBy(arena.error(), "locked memory for the " + wanted.name);
  }
  return {};
}

Outcome<vault::SecretValue> ReadFrom(const Wanted& wanted, const std::string& path) {
  const base::UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  struct stat status {};
  if (!file.valid() || fstat(file.get(), &status) != 0) return BadFile(wanted, path, std::strerror(errno));
  if (S_ISREG(status.st_mode) && (status.st_mode & (S_IRGRP | S_IROTH)) != 0) {
    Warn("others can read " + path + ": chmod 600 it, and delete it once the vault has the " + wanted.name);
  }
  auto secret = KeyInput::FromDescriptor(file.get(), wanted.what);
  if (!secret) return FailedBy(secret.error(), wanted.flag + " " + path);
  return std::move(*secret);
}

Outcome<vault::SecretValue> Read(const Wanted& wanted, const std::string& file, const std::string& question) {
  if (!IsTyped(file) && file != "-") return ReadFrom(wanted, file);
  auto secret = IsTyped(file) ? KeyInput::FromTerminal(question, wanted.what)
                              : KeyInput::FromDescriptor(STDIN_FILENO, wanted.what);
  if (!secret) return Failed(std::string(base::CodeName(secret.error().code())), secret.error().Message());
  return std::move(*secret);
}

}  // namespace

Outcome<void> CheckKeySource(const std::string& key_file) { return CheckSource(kKey, key_file); }

Outcome<vault::SecretValue> ReadKey(const std::string& key_file, const std::string& whose) {
  return Read(kKey, key_file, "API key of " + whose + " (it does not show): ");
}

Outcome<void> CheckOwner(vault::SecretView key, const std::string& provider, const std::string& endpoint) {
  const auto origin = vault::Origin::OfEndpoint(endpoint.empty() ? "https://api." + provider + ".com" : endpoint);
  if (!origin) return {};
  using Server = vault::KeyFormat::Server;
  const Server server = origin->host() == "api." + provider + ".com" ? Server::kProviders : Server::kCustom;
  if (const auto fits = vault::KeyFormat::CheckOwner(key, provider, server); !fits) {
    return Failed("KEY_PROVIDER_MISMATCH", "nothing was done: " + fits.error().Message());
  }
  return {};
}

Outcome<vault::SecretValue> ReadSecret(std::string_view protector, const SecretFiles& files, bool is_new) {
  if (protector == kByPin) {
    TRY(CheckSource(kPin, files.pin));
    return Read(kPin, files.pin, "PIN of the token (it does not show): ");
  }
  const std::string& file = files.passphrase;
  TRY(CheckSource(kWords, file));
  TRY_ASSIGN(vault::SecretValue passphrase,
             Read(kWords, file, is_new ? "New passphrase (it does not show): " : "Passphrase (it does not show): "));
  if (!is_new || !IsTyped(file)) return passphrase;
  TRY_ASSIGN(const vault::SecretValue again, Read(kWords, file, "The same again: "));
  if (!KeyInput::Same(passphrase.View(), again.View())) {
    return Failed("PASSPHRASES_DIFFER", "the two passphrases differ; nothing was done");
  }
  return passphrase;
}

Outcome<std::string> ReadPhrase(const std::string& file, const std::string& node) {
  TRY(CheckSource(kPhrase, file));
  TRY_ASSIGN(const vault::SecretValue phrase, Read(kPhrase, file, "Check phrase of node " + node + " (it does not show): "));
  return KeyInput::Text(phrase.View());
}

}  // namespace strongroom::keytool
