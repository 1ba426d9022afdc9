// TestPostgres: a PostgreSQL server of the tests' own, in a temporary directory and on a Unix socket inside it.
#pragma once

#include <sys/types.h>

#include <string>

namespace strongroom::test {

// TestPostgres is one cluster for the whole test process. It is stopped by its pid when the process ends, and by the
// kernel where the process is killed. A machine without PostgreSQL fails the test.
class TestPostgres {
 public:
  // Get starts the server at the first call.
  static TestPostgres& Get();
  TestPostgres(const TestPostgres&) = delete;
  TestPostgres& operator=(const TestPostgres&) = delete;
  ~TestPostgres();

  // Url is what sql::Open takes, for the one superuser there is (trusted, over the socket).
  std::string Url() const;
  // Clear drops everything in the database, for a test that wants to begin with nothing.
  void Clear();
  // Stop and Start make a server that goes away and comes back. Stop ends every connection at once.
  void Stop();
  void Start();

 private:
  TestPostgres();

  std::string directory_;
  pid_t server_ = -1;
};

}  // namespace strongroom::test
