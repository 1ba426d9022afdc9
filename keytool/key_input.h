// KeyInput: an API key or a passphrase from a person or a file into a SecretValue, with no copy on the way.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "vault/secret.h"

namespace strongroom::keytool {

// KeyInput is one of the friends of SecretAccess. It reads with read(2) straight into the locked slot, takes one newline
// (\n or \r\n) off the end, and returns of keys only what vault::KeyFormat takes, and no first line of a longer paste. No error quotes any of it.
class KeyInput {
 public:
  enum class What : std::uint8_t { kKey, kPassphrase };
  // FromDescriptor reads until the end of file.
  static Result<vault::SecretValue> FromDescriptor(int fd, What what = What::kKey);
  // FromTerminal prints `question` on /dev/tty and reads one line that does not show; it is asked for once.
  static Result<vault::SecretValue> FromTerminal(const std::string& question, What what = What::kKey);
  // Text is for what is no key and goes in a request's body: a node's check phrase.
  static std::string Text(vault::SecretView secret);
  // Same is whether a passphrase was typed the same twice.
  static bool Same(vault::SecretView one, vault::SecretView other);

 private:
  class Buffer;
};

}  // namespace strongroom::keytool
