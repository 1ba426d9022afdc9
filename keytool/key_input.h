// KeyInput: an API key from a person or a file into a SecretValue, with no copy on the way.
#pragma once

#include <string>

#include "base/result.h"
#include "vault/secret.h"

namespace strongroom::keytool {

// KeyInput is one of the friends of SecretAccess. It reads with read(2) straight into the locked slot, takes one newline
// (\n or \r\n) off the end, and returns only what vault::KeyFormat takes. No error quotes any of the key.
class KeyInput {
 public:
  // FromDescriptor reads until the end of file.
  static Result<vault::SecretValue> FromDescriptor(int fd);
  // FromTerminal prints `question` on /dev/tty and reads one line that does not show; it is asked for once.
  static Result<vault::SecretValue> FromTerminal(const std::string& question);

 private:
  class Buffer;
};

}  // namespace strongroom::keytool
