#include "worker/batch/commands.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/files.h"
#include "base/log.h"
#include "base/process.h"
#include "vault/key_ref.h"
#include "worker/batch/output.h"
#include "worker/batch/run.h"
#include "worker/contract.h"

namespace strongroom::worker {
namespace {

constexpr std::int64_t kMostListed = 50;

int Refuse(const std::string& text) {
  std::fprintf(stderr, "batch: %s\n", text.c_str());
  return 1;
}

struct Opened {
  base::Config config;
  std::unique_ptr<sql::Database> database;
};

std::expected<Opened, std::string> OpenHome(const std::string& home) {
  auto config = base::LoadConfig(base::FindHome(home));
  if (!config) return std::unexpected(config.error().text);
  sql::OpenOptions options;
  options.mode = 0660;
  auto database = sql::Open(config->database, options);
  if (!database) return std::unexpected(config->database + ": " + database.error().Message());
  if (auto known = sql::CheckSchema(**database, sql::Schema::kWork); !known) {
    return std::unexpected(config->database + ": " + known.error().Message());
  }
  return Opened{std::move(*config), std::move(*database)};
}

std::string JsonOf(const BatchRecord& batch) {
  std::string out = "{\"batch_id\":";
  base::AppendJsonString(out, batch.batch_id);
  const auto text = [&out](const char* name, const std::string& value) {
    out += std::string(",\"") + name + "\":";
    base::AppendJsonString(out, value);
  };
  const auto number = [&out](const char* name, std::int64_t value) {
    out += std::string(",\"") + name + "\":" + std::to_string(value);
  };
  text("status", batch.status);
  text("customer", batch.customer);
  text("profile_ref", batch.profile_ref);
  number("total_units", batch.total);
  number("processed_units", batch.processed);
  number("failed_units", batch.failed);
  text("initiated_by", batch.initiated_by);
  text("initiated_at", base::FormatTime(batch.initiated_at));
  if (batch.started_at) text("started_at", base::FormatTime(*batch.started_at));
  if (batch.completed_at) text("completed_at", base::FormatTime(*batch.completed_at));
  text("input_file", batch.input_file);
  text("output_file", batch.output_file);
  text("notes", batch.notes);
  return out + "}";
}

// Flushed is 1 where standard output has not taken all of it, else `code`.
int Flushed(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  return Refuse("standard output cannot be written: see its disk, or where it goes");
}

int Report(const BatchEnd& end, bool json) {
  if (json) std::printf("%s\n", JsonOf(end.batch).c_str());
  const BatchRecord& batch = end.batch;
  const std::int64_t done = batch.processed + batch.failed;
  if (end.replayed > 0) std::fprintf(stderr, "%s: %lld rows that ended in PROVIDER_AUTH were sent again\n", batch.batch_id.c_str(), static_cast<long long>(end.replayed));
  if (!end.error.empty()) {
    return Refuse(end.error + "; " + std::to_string(done) + " of " + std::to_string(batch.total) +
                  " rows have replies; continue with: batch resume " + batch.batch_id);
  }
  if (end.interrupted) {
    return Refuse("interrupted; " + std::to_string(done) + " of " + std::to_string(batch.total) +
                  " rows have replies; continue with: batch resume " + batch.batch_id);
  }
  if (!json) {
    const double seconds = static_cast<double>(*batch.completed_at - *batch.started_at) / 1e6;
    std::printf("%s: %lld rows, %lld succeeded, %lld failed, %.1f s; replies in %s\n", batch.batch_id.c_str(),
                static_cast<long long>(batch.total), static_cast<long long>(batch.processed),
                static_cast<long long>(batch.failed), seconds, batch.output_file.c_str());
  }
  return Flushed(end.exit_code());
}

// CheckAddress is what is wrong with customer and profile, as a worker would say it of every row.
std::string CheckAddress(const SubmitOptions& options) {
  Request request;
  request.version = "1.0";
  request.request_id = "1";
  request.customer = options.customer;
  request.profile_ref = options.profile_ref;
  request.reply_queue = {"BATCH", "B"};
  request.prompt = "1";
  const auto checked = ParseRequest(SerializeRequest(request));
  return checked ? "" : checked.error().problem;
}

// The part file says early that the output can be written, and its lock keeps a second run of the batch away. Neither may
// be a device, a pipe or a link: the finished output takes its place.
Result<base::UniqueFd> ReserveOutput(const BatchRecord& batch) {
  const std::string part = batch.output_file + ".part";
  for (const std::string& path : {batch.output_file, part}) {
    struct stat facts {};
    if (lstat(path.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode)) {
      return Fail(Code::kRefused, "it, or what is beside it with .part, is there already and is no regular file");
    }
  }
  return base::LockFile(part);
}

int RefuseOutput(const BatchRecord& batch, const Error& error) {
  if (error.code() == Code::kRefused) return Refuse(batch.output_file + ": " + std::string(error.text()) + "; name another with --out");
  return Refuse(batch.output_file + ": " +
                (error.code() == Code::kAlreadyExists ? "another batch is writing it"
                                                      : "cannot be written: " + error.Message()));
}

int RunAndReport(Opened& opened, BatchRecord batch, Input& input, bool json, Replay replay = Replay::kNo) {
  if (!json) std::fprintf(stderr, "%s: %lld rows\n", batch.batch_id.c_str(), static_cast<long long>(batch.total));
  return Report(RunBatch(*opened.database, opened.config, std::move(batch), input, replay), json);
}

std::string DefaultOutput(const std::string& file) {
  const std::filesystem::path path(file);
  return (path.parent_path() / (path.stem().string() + ".out.jsonl")).string();
}

}  // namespace

int BatchSubmit(const SubmitOptions& options) {
  if (auto valid = vault::CheckCustomer(options.customer); !valid) return Refuse("--customer: " + valid.error().Message());
  if (const std::string problem = CheckAddress(options); !problem.empty()) return Refuse("--profile: " + problem);
  auto opened = OpenHome(options.home);
  if (!opened) return Refuse(opened.error());
  auto input = Input::Open(options.file);
  if (!input) return Refuse(input.error());
  BatchRecord batch;
  const base::Micros now = base::WallMicros();
  batch.batch_id = NewBatchId(now);
  batch.status = "queued";
  batch.customer = options.customer;
  batch.profile_ref = options.profile_ref;
  batch.input_file = std::filesystem::absolute(options.file).string();
  batch.input_sha256 = input->sha256();
  batch.output_file =
      std::filesystem::absolute(options.output.empty() ? DefaultOutput(options.file) : options.output).string();
  batch.initiated_by = base::UserName(geteuid());
  batch.initiated_at = now;
  batch.total = static_cast<std::int64_t>(input->rows());
  batch.in_flight = options.in_flight;
  batch.timeout_ms = options.timeout_ms > 0 ? options.timeout_ms : opened->config.worker.timeout_ms;
  if (batch.output_file == batch.input_file) return Refuse("--out names the input file");
  const Result<base::UniqueFd> reserved = ReserveOutput(batch);
  if (!reserved) return RefuseOutput(batch, reserved.error());
  if (auto inserted = InsertBatch(*opened->database, batch); !inserted) return Refuse(inserted.error().Message());
  return RunAndReport(*opened, std::move(batch), *input, options.json);
}

int BatchResume(const std::string& home, const std::string& batch_id, bool replay, bool json) {
  auto opened = OpenHome(home);
  if (!opened) return Refuse(opened.error());
  auto batch = FindBatch(*opened->database, batch_id);
  if (!batch) return Refuse(batch_id + ": " + batch.error().Message());
  auto input = Input::Open(batch->input_file);
  if (!input) return Refuse(input.error());
  if (input->sha256() != batch->input_sha256) {
    return Refuse(batch->input_file + " is not the file this batch began with; submit it as a new batch");
  }
  // The name comes from the work database, which others write too, and what is there is replaced in the name of whoever resumes.
  if (!HoldsRepliesOnly(batch->output_file)) return Refuse(batch->output_file + ": this is no file of replies of a batch: move it away, and run this again");
  const Result<base::UniqueFd> reserved = ReserveOutput(*batch);
  if (!reserved) return RefuseOutput(*batch, reserved.error());
  return RunAndReport(*opened, std::move(*batch), *input, json, replay ? Replay::kRefused : Replay::kNo);
}

int BatchStatus(const std::string& home, const std::string& batch_id, bool json) {
  auto opened = OpenHome(home);
  if (!opened) return Refuse(opened.error());
  std::vector<BatchRecord> batches;
  if (batch_id.empty()) {
    auto listed = ListBatches(*opened->database, kMostListed);
    if (!listed) return Refuse(listed.error().Message());
    batches = std::move(*listed);
  } else {
    auto batch = FindBatch(*opened->database, batch_id);
    if (!batch) return Refuse(batch_id + ": " + batch.error().Message());
    batches.push_back(std::move(*batch));
  }
  if (json) {
    std::string out = "[";
    for (const BatchRecord& batch : batches) out += (out.size() > 1 ? "," : "") + JsonOf(batch);
    std::printf("%s]\n", out.c_str());
    return Flushed(0);
  }
  std::printf("%-17s %-8s %-10s %-20s %6s %6s %6s  %s\n", "BATCH", "STATUS", "CUSTOMER", "PROFILE", "ROWS", "DONE",
              "FAILED", "STARTED");
  for (const BatchRecord& batch : batches) {
    std::printf("%-17s %-8s %-10s %-20s %6lld %6lld %6lld  %s\n", batch.batch_id.c_str(), batch.status.c_str(),
                batch.customer.c_str(), batch.profile_ref.c_str(), static_cast<long long>(batch.total),
                static_cast<long long>(batch.processed), static_cast<long long>(batch.failed),
                base::FormatTime(batch.started_at.value_or(batch.initiated_at)).substr(0, 19).c_str());
    if (!batch.notes.empty()) std::printf("  %s\n", batch.notes.c_str());
  }
  return Flushed(0);
}

}  // namespace strongroom::worker
