// Real processes in a temporary home, for the benchmarks.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace strongroom::bench {

// Child is a process of ours: started with arguments, stopped by pid in the destructor.
class Child {
 public:
  Child(const std::vector<std::string>& arguments, const std::string& log);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  // Stop sends SIGTERM and waits.
  void Stop();
  // CpuMicros is user and system time so far; ResidentBytes is what is in memory now.
  std::int64_t CpuMicros() const;
  std::int64_t ResidentBytes() const;

 private:
  pid_t pid_ = -1;
};

// TemporaryHome is a fresh directory that holds a vault, removed at the end.
class TemporaryHome {
 public:
  TemporaryHome();
  ~TemporaryHome();
  TemporaryHome(const TemporaryHome&) = delete;
  TemporaryHome& operator=(const TemporaryHome&) = delete;
  const std::string& root() const { return root_; }
  std::string vault() const { return root_ + "/home"; }

 private:
  std::string root_;
};

// Program is the path of one of our programs, beside the benchmark itself.
std::string Program(const std::string& name);
// RunOrExit runs a command to its end; a failure prints its output and ends the benchmark.
void RunOrExit(const std::vector<std::string>& arguments);
// WaitForLine polls a file until it holds `text` and returns the rest of that line; ends the benchmark after 20 s.
std::string WaitForLine(const std::string& path, const std::string& text);
// Onboard starts nothing: it adds a customer's key (made up, written to a file) for an endpoint, with a profile
// CUSTOMER_DEFAULT.
void Onboard(const TemporaryHome& home, const std::string& endpoint, const std::string& customer = "ACME");
// WriteKey makes the key file that Onboard uses, and provider-sim accepts.
std::string WriteKey(const TemporaryHome& home);

double Median(std::vector<double> values);
double Percentile(std::vector<double> values, double fraction);

}  // namespace strongroom::bench
