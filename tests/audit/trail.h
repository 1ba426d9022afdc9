// Trail: a vault database in a temporary directory, for tests of the trail.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "audit/log_writer.h"
#include "audit/reader.h"
#include "audit/verifier.h"
// After our headers: Catch's CHECK then replaces the one of base/result.h.
#include <catch2/catch.hpp>

namespace strongroom::audit {

class Trail {
 public:
  Trail();
  explicit Trail(const std::filesystem::path& directory);  // kept afterwards
  ~Trail();
  Trail(const Trail&) = delete;
  Trail& operator=(const Trail&) = delete;

  std::filesystem::path directory() const { return directory_; }
  std::filesystem::path file() const { return directory_ / "vault.db"; }
  std::unique_ptr<sql::Database> Open(std::int64_t busy_ms = 10'000, bool checkpoint_elsewhere = false) const;
  std::unique_ptr<LogWriter> StartWriter(LogWriter::Options options = LogWriter::Options(),
                                         std::int64_t busy_ms = 10'000) const;
  // Fill appends `count` records through a writer, as acts of two customers, every fifth one denied.
  void Fill(int count) const;
  Verdict Verify() const;
  std::vector<Entry> Search(const Filter& filter) const;

 private:
  std::filesystem::path directory_;
  bool keep_ = false;
};

// SampleDraft is the record of one resolve by `actor`.
Draft SampleDraft(const std::string& actor = "srworker");

// Until polls until the condition holds; false after so many seconds. Assertions belong to the test's own thread.
bool Until(const std::function<bool()>& condition, int seconds = 10);

}  // namespace strongroom::audit
