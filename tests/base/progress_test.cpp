#include "base/progress.h"

#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <sstream>

namespace strongroom::base {

TEST_CASE("progress: the whole line where there is room") {
  CHECK(ProgressLine(50, 1, 200, 24.13, 80) ==
        "[" + std::string(9, '#') + std::string(28, '.') + "] 50/200  25%  24.1/s  failed 1  ETA 0:06");
  CHECK(ProgressLine(200, 0, 200, 10.0, 200) ==
        "[" + std::string(40, '#') + "] 200/200 100%  10.0/s  failed 0  ETA 0:00");
  CHECK(ProgressLine(0, 0, 200, 0.0, 200) == "[" + std::string(40, '.') + "] 0/200   0%  0.0/s  failed 0  ETA -:--");
  CHECK(ProgressLine(0, 0, 0, 0.0, 200).starts_with("[" + std::string(40, '#') + "] 0/0 100%"));
}

TEST_CASE("progress: the time left in minutes and hours") {
  CHECK(ProgressLine(0, 0, 90, 1.0, 100).ends_with("ETA 1:30"));
  CHECK(ProgressLine(0, 0, 3599, 1.0, 100).ends_with("ETA 59:59"));
  CHECK(ProgressLine(0, 0, 3600, 1.0, 100).ends_with("ETA 1:00:00"));
  CHECK(ProgressLine(0, 0, 1'000'000, 1.0, 100).ends_with("ETA 277:46:40"));
}

TEST_CASE("progress: no line is wider than its terminal, and none loses its facts to the bar") {
  const std::string facts = ProgressLine(123, 4, 200, 24.1, 50);
  CHECK(facts.find("123/200") != std::string::npos);
  CHECK(facts.find('[') == std::string::npos);
  for (std::size_t width = 0; width < 160; ++width) {
    for (const std::int64_t done : {0, 1, 199, 200}) {
      const std::string line = ProgressLine(done, done / 2, 200, 3.7, width);
      CHECK(line.size() <= width);
    }
  }
}

TEST_CASE("progress: where stderr is no terminal, one plain line a tenth") {
  const int before = ::dup(STDERR_FILENO);
  const int file = ::memfd_create("err", MFD_CLOEXEC);
  REQUIRE(::dup2(file, STDERR_FILENO) >= 0);
  {
    Progress progress(100, 0);
    for (int done = 0; done <= 100; ++done) progress.Show(done, 0);
    progress.Show(100, 0);
  }
  ::dup2(before, STDERR_FILENO);
  ::close(before);
  std::string written(4096, '\0');
  const ssize_t size = ::pread(file, written.data(), written.size(), 0);
  REQUIRE(size > 0);
  written.resize(static_cast<std::size_t>(size));
  ::close(file);
  std::istringstream read(written);
  std::string line;
  int lines = 0;
  while (std::getline(read, line)) {
    ++lines;
    CHECK(line.find('\r') == std::string::npos);
    CHECK(line.find('\x1b') == std::string::npos);
  }
  CHECK(lines == 11);
}

}  // namespace strongroom::base
