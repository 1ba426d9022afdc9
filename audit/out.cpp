#include "audit/out.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace strongroom::audit {
namespace {

constexpr std::size_t kBufferBytes = 1 << 18;

volatile std::sig_atomic_t stopped = 0;

Result<void> GoOn() {
  if (stopped != 0) return Fail(Code::kUnavailable, "it was interrupted");
  return {};
}

std::string Plain(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string ParentOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

Temporary::~Temporary() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

Result<OutFile> OutFile::Open(const std::string& path) {
  if (path.empty()) return OutFile(base::UniqueFd(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)), "", Temporary(""));
  struct stat facts{};
  if (lstat(path.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode)) {
    return Fail(Code::kRefused, "it is there already and is no regular file");
  }
  std::string temporary = path + ".XXXXXX";
  base::UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));  // 0600
  if (!fd.valid()) return Fail(Code::kUnavailable, "it cannot be created: errno", errno);
  return OutFile(std::move(fd), path, Temporary(std::move(temporary)));
}

Result<void> OutFile::Write(std::string_view bytes) {
  TRY(GoOn());
  buffer_ += bytes;
  return buffer_.size() < kBufferBytes ? Result<void>() : Flush();
}

Result<void> OutFile::Flush() {
  TRY(base::WriteAll(fd_.get(), base::AsBytes(buffer_)));
  buffer_.clear();
  return {};
}

Result<void> OutFile::Finish() {
  TRY(Flush());
  if (temporary_.path().empty()) return {};
  TRY(base::PutInPlace(temporary_.path(), path_));
  temporary_.Keep();
  return {};
}

Result<OutDirectory> OutDirectory::Open(const std::string& named) {
  const std::string path = Plain(named);
  std::error_code error;
  const auto status = std::filesystem::symlink_status(path, error);
  const bool there = std::filesystem::exists(status);
  if (there && status.type() != std::filesystem::file_type::directory) {
    return Fail(Code::kRefused, "it is there already and is no directory");
  }
  if (there && !std::filesystem::is_empty(path, error)) {
    return Fail(Code::kRefused, "the directory is not empty; name one that is new or empty");
  }
  std::string temporary = path + ".XXXXXX";
  if (mkdtemp(temporary.data()) == nullptr) return Fail(Code::kUnavailable, "it cannot be created: errno", errno);
  return OutDirectory(path, Temporary(std::move(temporary)));
}

Result<void> OutDirectory::Put(const std::string& name, std::string_view content) {
  TRY(GoOn());
  const std::string path = temporary_.path() + "/" + name;
  if (std::string parent = ParentOf(path); parent != made_) {
    std::error_code error;
    std::filesystem::create_directories(parent, error);
    if (error) return Fail(Code::kUnavailable, "it cannot be written: errno", error.value());
    made_ = std::move(parent);
  }
  const base::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return Fail(Code::kUnavailable, "it cannot be written: errno", errno);
  return base::WriteAll(fd.get(), base::AsBytes(content));
}

Result<void> OutDirectory::Finish() {
  const base::UniqueFd fd(open(temporary_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // One call for all of its files: there may be a hundred thousand.
  if (!fd.valid() || syncfs(fd.get()) != 0) return Fail(Code::kUnavailable, "it cannot be made durable: errno", errno);
  // Takes the place of a directory only where that is empty.
  if (rename(temporary_.path().c_str(), path_.c_str()) != 0) {
    return Fail(Code::kUnavailable, "it cannot be put in its place: errno", errno);
  }
  temporary_.Keep();
  return base::SyncDirectory(ParentOf(path_));
}

void StopOnSignals() {
  struct sigaction stop{};
  stop.sa_handler = [](int) { stopped = 1; };
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &stop, nullptr);
}

std::string WhyNot(const Error& error) {
  constexpr std::string_view kErrno = ": errno";
  if (!error.has_number() || !error.text().ends_with(kErrno)) return error.Message();
  return std::string(error.text().substr(0, error.text().size() - kErrno.size())) + ": " +
         std::strerror(static_cast<int>(error.number()));
}

}  // namespace strongroom::audit
