#include "vault/file_copy.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "base/bytes.h"
#include "base/files.h"

namespace strongroom::vault {
namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10;

Result<base::UniqueFd> OpenRegular(const std::string& path) {
  base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return Fail(errno == ENOENT ? Code::kNotFound : Code::kUnavailable, "cannot be opened: errno", errno);
  struct stat facts {};
  if (fstat(fd.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return Fail(Code::kRefused, "is not a regular file");
  return fd;
}

// Pass reads a file to its end, and writes it to `to` where that is a descriptor.
Result<FileFacts> Pass(int from, int to) {
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  std::vector<std::uint8_t> piece(kPiece);
  FileFacts facts;
  while (true) {
    const ssize_t got = read(from, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(Code::kUnavailable, "cannot be read: errno", errno);
    if (got == 0) break;
    const ByteView bytes(piece.data(), static_cast<std::size_t>(got));
    crypto_hash_sha256_update(&state, bytes.data(), bytes.size());
    facts.size += got;
    if (to >= 0) TRY(base::WriteAll(to, bytes));
  }
  std::array<std::uint8_t, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256_final(&state, digest.data());
  facts.sha256 = base::Hex(digest);
  return facts;
}

Result<FileFacts> PassDurably(int from, int to, mode_t mode) {
  TRY_ASSIGN(FileFacts facts, Pass(from, to));
  if (fchmod(to, mode) != 0 || fsync(to) != 0) return Fail(Code::kUnavailable, "cannot be made durable: errno", errno);
  return facts;
}

}  // namespace

Result<FileFacts> HashFile(const std::string& path) {
  TRY_ASSIGN(const base::UniqueFd fd, OpenRegular(path));
  return Pass(fd.get(), -1);
}

Result<FileFacts> CopyFile(const std::string& from, const std::string& to, mode_t mode) {
  TRY_ASSIGN(const base::UniqueFd source, OpenRegular(from));
  const base::UniqueFd target(open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!target.valid()) {
    return Fail(errno == EEXIST ? Code::kAlreadyExists : Code::kUnavailable, "cannot be created: errno", errno);
  }
  auto copied = PassDurably(source.get(), target.get(), mode);
  if (!copied) unlink(to.c_str());
  return copied;
}

}  // namespace strongroom::vault
