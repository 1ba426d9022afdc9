// KekFile: a KEK as 32 raw bytes in a file only its owner may read, and other files that are a secret.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "vault/secret.h"

namespace strongroom::vault {

// KekFile reads and makes KEK files: 32 raw bytes, mode 0600, owned by us or root.
class KekFile {
 public:
  // Read refuses, with the reason, a file that others can read, is a link, or is not exactly 32 bytes.
  static Result<Kek> Read(const std::string& path);
  // Create writes a fresh random KEK to a new file, durably. kAlreadyExists where the file is there; after a
  // crash there is the whole file or none of that name.
  static Result<Kek> Create(const std::string& path);
  // Write is Create for a KEK that is there already: one that comes back from its shares.
  static Result<void> Write(const std::string& path, const Kek& kek);
  // WriteOver writes a KEK to a file of that name, durably; one that is there is replaced. After a crash it may be cut short.
  static Result<void> WriteOver(const std::string& path, const Kek& kek);
  // ReadSecret and WriteSecret are Read and Write for 32 raw bytes that are no KEK: a node's private key.
  static Result<SecretValue> ReadSecret(const std::string& path);
  static Result<void> WriteSecret(const std::string& path, SecretView secret);
  // ReadCredential reads the 32 raw bytes that systemd hands over. It gives the file to the service's user by an ACL, so that
  // root's group may seem to read it; otherwise as Read.
  static Result<SecretValue> ReadCredential(const std::string& path);
  // ReadPin reads a PKCS#11 token's PIN, 1 to 255 bytes and perhaps the end of a line; from such files as ReadCredential.
  static Result<SecretValue> ReadPin(const std::string& path);
  // Erase overwrites the file and takes it away, durably; one that is not there is as good. On a disk that remaps blocks,
  // and in every backup, the old bytes may live on.
  static Result<void> Erase(const std::string& path);

 private:
  static Result<SecretValue> ReadRaw(int fd, base::Literal wrong_size);
  static Result<void> WriteRaw(const std::string& path, SecretView secret);
};

// CheckValue is HKDF(KEK, "kcv"), 32 bytes: what the database knows a KEK by.
Result<Bytes> CheckValue(const Kek& kek);

}  // namespace strongroom::vault
