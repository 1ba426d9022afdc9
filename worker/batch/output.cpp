#include "worker/batch/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "worker/batch/ledger.h"
#include "worker/contract.h"

namespace strongroom::worker {
namespace {

constexpr std::size_t kMostLineBytes = 32U << 20;  // a row has 8 MiB at most, a provider's answer 4 MiB, and a byte that is no UTF-8 becomes three
constexpr std::size_t kBlock = 1U << 20;

// A request of a batch is named BATCH_ID-N, N from 1.
bool IsOfABatch(std::string_view request_id) {
  const std::size_t dash = request_id.rfind('-');
  if (dash == std::string_view::npos || !IsBatchId(request_id.substr(0, dash))) return false;
  const std::string_view number = request_id.substr(dash + 1);
  return !number.empty() && number.front() != '0' && std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
}

bool IsReply(std::string_view line) {
  const Result<ReplyView> reply = ParseReply(line);
  return reply && IsOfABatch(reply->request_id);
}

bool AreReplies(int fd) {
  std::vector<char> block(kBlock);
  std::string line;
  while (true) {
    const ssize_t got = read(fd, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) return line.empty() || IsReply(line);
    std::string_view left(block.data(), static_cast<std::size_t>(got));
    for (std::size_t end = left.find('\n'); end != std::string_view::npos; end = left.find('\n')) {
      line += left.substr(0, end);
      if (!IsReply(line)) return false;
      line.clear();
      left.remove_prefix(end + 1);
    }
    line += left;
    if (line.size() > kMostLineBytes) return false;
  }
}

}  // namespace

bool HoldsRepliesOnly(const std::string& path) {
  const base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return errno == ENOENT;
  struct stat facts {};
  return fstat(fd.get(), &facts) == 0 && S_ISREG(facts.st_mode) && AreReplies(fd.get());
}

}  // namespace strongroom::worker
