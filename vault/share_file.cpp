// Shares in files and on a terminal: straight between the kernel and a locked slot.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/files.h"
#include "vault/shares.h"

namespace strongroom::vault {
namespace {

std::unexpected<ShareProblem> Problem(const Error& error) { return std::unexpected(ShareProblem{error.Message()}); }

Result<std::size_t> ReadSome(int fd, std::span<std::uint8_t> into) {
  while (true) {
    const ssize_t got = read(fd, into.data(), into.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return Fail(Code::kUnavailable, "cannot be read: errno", errno);
  }
}

}  // namespace

std::expected<Share, ShareProblem> Shares::ReadFile(const std::string& path) {
  const auto fd = base::OpenPrivate(path);
  if (!fd) return Problem(fd.error());
  auto text = SecretValue::Allocate(SecretValue::kMostBytes);
  if (!text) return Problem(text.error());
  std::size_t used = 0;
  while (true) {
    const auto free = text->Bytes(SecretAccess()).subspan(used);
    if (free.empty()) return std::unexpected(ShareProblem{"it is no recovery share: it is too long for one"});
    const auto got = ReadSome(fd->get(), free);
    if (!got) return Problem(got.error());
    if (*got == 0) break;
    used += *got;
  }
  text->Shrink(SecretAccess(), used);
  auto share = Parse(text->View());
  ClearRegisters();
  return share;
}

Result<void> Shares::WriteFile(const std::string& path, const Share& share) {
  TRY_ASSIGN(const SecretValue text, Print(share));
  const base::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) {
    return Fail(errno == EEXIST ? Code::kAlreadyExists : Code::kUnavailable, "cannot be created: errno", errno);
  }
  auto written = base::WriteAll(fd.get(), text.View().Bytes(SecretAccess()));
  if (written && (fchmod(fd.get(), 0600) != 0 || fsync(fd.get()) != 0)) {
    written = Fail(Code::kUnavailable, "cannot be made durable: errno", errno);
  }
  ClearRegisters();
  if (!written) unlink(path.c_str());
  return written;
}

Result<void> Shares::WriteTo(int fd, const Share& share) {
  TRY_ASSIGN(const SecretValue text, Print(share));
  auto written = base::WriteAll(fd, text.View().Bytes(SecretAccess()));
  ClearRegisters();
  return written;
}

// One read of a terminal is at most one line.
Result<SecretValue> Shares::ReadLine(int fd) {
  TRY_ASSIGN(SecretValue line, SecretValue::Allocate(kMostLine));
  TRY_ASSIGN(const std::size_t got, ReadSome(fd, line.Bytes(SecretAccess())));
  if (got == 0) return Fail(Code::kUnavailable, "nothing more can be typed: the terminal has ended");
  line.Shrink(SecretAccess(), got);
  return line;
}

bool Shares::IsPath(SecretView line) {
  const ByteView bytes = line.Bytes(SecretAccess());
  return std::find(bytes.begin(), bytes.end(), '/') != bytes.end();
}

std::string Shares::PathOf(SecretView line) {
  CHECK(IsPath(line));
  std::string path(base::AsText(line.Bytes(SecretAccess())));
  while (!path.empty() && (path.back() == '\n' || path.back() == ' ' || path.back() == '\r')) path.pop_back();
  return path;
}

}  // namespace strongroom::vault
