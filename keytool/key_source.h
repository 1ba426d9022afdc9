// KeySource: where the command line says a key or a passphrase comes from: a no-echo question, a file, or standard input.
#pragma once

#include <string>

#include "keytool/problem.h"
#include "vault/secret.h"

namespace strongroom::keytool {

// CheckKeySource is a usage problem where `key_file` is empty and there is no terminal to ask on, and a plain one where
// the file cannot be read. It opens the locked arena, so that nothing can fail for want of it once the key is typed.
Outcome<void> CheckKeySource(const std::string& key_file);

// ReadKey reads the key; `whose` says for whom in the question. `key_file` "-" is standard input.
Outcome<vault::SecretValue> ReadKey(const std::string& key_file, const std::string& whose);

// ReadPassphrase reads a passphrase, from `file` (--passphrase-file) in the same three ways; a new one that is typed is
// asked for twice. Its problems are CheckKeySource's as well.
Outcome<vault::SecretValue> ReadPassphrase(const std::string& file, bool is_new);

}  // namespace strongroom::keytool
