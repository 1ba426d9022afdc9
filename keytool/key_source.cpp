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

namespace strongroom::keytool {
namespace {

bool TypedKey(const std::string& key_file) {
  return key_file.empty() || (key_file == "-" && isatty(STDIN_FILENO) == 1);
}

std::unexpected<Problem> BadFile(const std::string& key_file, const char* why) {
  return Failed("KEY_FILE", "--key-file " + key_file + ": " + why);
}

Outcome<vault::SecretValue> ReadKeyFile(const std::string& key_file) {
  const base::UniqueFd file(open(key_file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  struct stat status {};
  if (!file.valid() || fstat(file.get(), &status) != 0) return BadFile(key_file, std::strerror(errno));
  if (S_ISREG(status.st_mode) && (status.st_mode & (S_IRGRP | S_IROTH)) != 0) {
    Warn("others can read " + key_file + ": chmod 600 it, and delete it once the vault has the key");
  }
  auto key = KeyInput::FromDescriptor(file.get());
  if (!key) return FailedBy(key.error(), "--key-file " + key_file);
  return std::move(*key);
}

}  // namespace

Outcome<void> CheckKeySource(const std::string& key_file) {
  if (key_file.empty() && isatty(STDIN_FILENO) != 1) {
    return Usage("no terminal to ask for the key on: give it with --key-file FILE, or --key-file - for standard input");
  }
  if (!key_file.empty() && key_file != "-" && access(key_file.c_str(), R_OK) != 0) {
    return BadFile(key_file, std::strerror(errno));
  }
  if (const auto arena = vault::Arena::Open(); !arena) return FailedBy(arena.error(), "locked memory for the key");
  return {};
}

Outcome<vault::SecretValue> ReadKey(const std::string& key_file, const std::string& whose) {
  if (!TypedKey(key_file) && key_file != "-") return ReadKeyFile(key_file);
  auto key = TypedKey(key_file) ? KeyInput::FromTerminal("API key of " + whose + " (it does not show): ")
                                : KeyInput::FromDescriptor(STDIN_FILENO);
  if (!key) return Failed(std::string(base::CodeName(key.error().code())), key.error().Message());
  return std::move(*key);
}

}  // namespace strongroom::keytool
