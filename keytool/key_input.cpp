#include "keytool/key_input.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "keytool/quiet_terminal.h"
#include "vault/key_format.h"

namespace strongroom::keytool {

using vault::SecretAccess;
using vault::SecretValue;

// Buffer is a slot that fills up. A full one holds more than any key and its newline (2,002 bytes).
class KeyInput::Buffer {
 public:
  static Result<Buffer> Make(What what) {
    TRY_ASSIGN(SecretValue value, SecretValue::Allocate(SecretValue::kMostBytes));
    return Buffer(std::move(value), what);
  }

  // Fill reads once and returns what read(2) did; 0 is the end.
  Result<std::size_t> Fill(int fd) {
    const auto free = value_.Bytes(SecretAccess()).subspan(used_);
    if (free.empty()) return Fail(Code::kInvalidArgument, "it is too long, 2000 bytes at most");
    ssize_t count = 0;
    do {
      count = read(fd, free.data(), free.size());
    } while (count < 0 && errno == EINTR);
    if (count < 0 && errno == EISDIR) return Fail(Code::kInvalidArgument, "it is a directory");
    if (count < 0) return Fail(Code::kUnavailable, "it cannot be read; errno", errno);
    used_ += static_cast<std::size_t>(count);
    return static_cast<std::size_t>(count);
  }

  bool EndsLine() { return used_ > 0 && value_.Bytes(SecretAccess())[used_ - 1] == '\n'; }

  Result<SecretValue> Finish() && {
    const auto bytes = value_.Bytes(SecretAccess());
    if (used_ > 0 && bytes[used_ - 1] == '\n') --used_;
    if (used_ > 0 && used_ < bytes.size() && bytes[used_] == '\n' && bytes[used_ - 1] == '\r') --used_;
    if (used_ == 0 && what_ == What::kPassphrase) return Fail(Code::kInvalidArgument, "nothing was given: it is empty");
    if (used_ == 0) return Fail(Code::kNotFound, "no key was given: it is empty");
    value_.Shrink(SecretAccess(), used_);
    if (what_ == What::kKey) {
      TRY(vault::KeyFormat::Check(value_.View()));
      TRY(vault::KeyFormat::CheckCopied(value_.View()));
    }
    vault::ClearRegisters();
    return std::move(value_);
  }

 private:
  Buffer(SecretValue value, What what) : value_(std::move(value)), what_(what) {}
  SecretValue value_;
  What what_;
  std::size_t used_ = 0;
};

Result<SecretValue> KeyInput::FromDescriptor(int fd, What what) {
  TRY_ASSIGN(Buffer buffer, Buffer::Make(what));
  for (;;) {
    TRY_ASSIGN(const std::size_t count, buffer.Fill(fd));
    if (count == 0) return std::move(buffer).Finish();
  }
}

Result<SecretValue> KeyInput::FromTerminal(const std::string& question, What what) {
  TRY_ASSIGN(Buffer buffer, Buffer::Make(what));
  TRY_ASSIGN(const std::unique_ptr<QuietTerminal> terminal, QuietTerminal::Open(question));
  for (;;) {
    TRY_ASSIGN(const QuietTerminal::Event event, terminal->Wait());
    if (event == QuietTerminal::Event::kStartOver) {
      TRY_ASSIGN(buffer, Buffer::Make(what));
      continue;
    }
    TRY_ASSIGN(const std::size_t count, buffer.Fill(terminal->fd()));
    if (what == What::kKey && buffer.EndsLine() && terminal->MoreFollows()) {
      return Fail(Code::kInvalidArgument, "more than one line was pasted, and a key is one: copy it again without the line break, and nothing but it");
    }
    if (count == 0 || buffer.EndsLine()) return std::move(buffer).Finish();
  }
}

std::string KeyInput::Text(vault::SecretView secret) {
  const auto bytes = secret.Bytes(SecretAccess());
  return std::string(bytes.begin(), bytes.end());
}

bool KeyInput::Same(vault::SecretView one, vault::SecretView other) {
  const auto a = one.Bytes(SecretAccess()), b = other.Bytes(SecretAccess());
  const bool same = std::equal(a.begin(), a.end(), b.begin(), b.end());
  vault::ClearRegisters();
  return same;
}

}  // namespace strongroom::keytool
