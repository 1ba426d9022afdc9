// The commands of `batch`.
#pragma once

#include <cstdint>
#include <string>

namespace strongroom::worker {

struct SubmitOptions {
  std::string home, file, customer, profile_ref, output;
  std::int64_t in_flight = 64;
  std::int64_t timeout_ms = 0;  // 0: the configuration's
  bool json = false;
};

// Each returns the process's exit code: 0 done and every row succeeded, 1 refused, failed, or a row failed.
int BatchSubmit(const SubmitOptions& options);
// `replay`: rows that ended in PROVIDER_AUTH are sent once more.
int BatchResume(const std::string& home, const std::string& batch_id, bool replay, bool json);
int BatchStatus(const std::string& home, const std::string& batch_id, bool json);

}  // namespace strongroom::worker
