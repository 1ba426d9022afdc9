// KeySource: where the command line says a key, a passphrase or a PIN comes from: a no-echo question, a file, or standard input.
#pragma once

#include <string>
#include <string_view>

#include "keytool/problem.h"
#include "vault/secret.h"

namespace strongroom::keytool {

// CheckKeySource is a usage problem where `key_file` is empty and there is no terminal to ask on, and a plain one where
// the file cannot be read. It opens the locked arena, so that nothing can fail for want of it once the key is typed.
Outcome<void> CheckKeySource(const std::string& key_file);

// ReadKey reads the key; `whose` says for whom in the question. `key_file` "-" is standard input.
Outcome<vault::SecretValue> ReadKey(const std::string& key_file, const std::string& whose);

// CheckOwner is a problem where a key is plainly another provider's (vault::KeyFormat::CheckOwner); an empty endpoint is the provider's own.
Outcome<void> CheckOwner(vault::SecretView key, const std::string& provider, const std::string& endpoint);

// The protectors that a person opens, as the command line and vaultd spell them.
inline constexpr std::string_view kByPassphrase = "passphrase", kByPin = "pkcs11";

// SecretFiles is where their secrets come from: --passphrase-file and --pin-file, each empty where it was not given.
struct SecretFiles {
  std::string passphrase, pin;
  // Meant is the protector whose file was given, empty for none.
  std::string_view Meant() const { return !passphrase.empty() ? kByPassphrase : !pin.empty() ? kByPin : ""; }
};

// ReadSecret reads what opens one of them, a passphrase or a token's PIN, in the same three ways; a new passphrase that is
// typed is asked for twice, and a PIN never, for it is the token's. Its problems are CheckKeySource's as well.
Outcome<vault::SecretValue> ReadSecret(std::string_view protector, const SecretFiles& files, bool is_new = false);

// ReadPhrase reads the check phrase of a node in the same three ways; `file` is --phrase-file.
Outcome<std::string> ReadPhrase(const std::string& file, const std::string& node);

}  // namespace strongroom::keytool
