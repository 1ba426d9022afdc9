// What a batch may put its output in the place of.
#include "worker/batch/output.h"

#include <sys/stat.h>

#include "tests/batch/job.h"

namespace strongroom::worker {
namespace {

std::string LineOf(const std::string& request_id, bool good = true) {
  Request request;
  request.request_id = request_id;
  const std::string reply = good ? Succeed(request, "p") : FailWith(request, ErrorCode::kProviderAuth);
  return OutputLine(R"({"id":1,"prompt":"p"})", reply, {}) + "\n";
}

struct Place : WorkHouse {
  bool May(const std::string& content) const {
    std::ofstream(Path("out"), std::ios::binary | std::ios::trunc) << content;
    return HoldsRepliesOnly(Path("out"));
  }
};

const std::string kReply = LineOf("B261120080910ABCD-1");

}  // namespace

TEST_CASE("output: replies of batches may be replaced, whichever batch's, and so may nothing") {
  const Place place;
  CHECK(HoldsRepliesOnly(place.Path("out")));
  CHECK(place.May(""));
  CHECK(place.May(kReply));
  CHECK(place.May(kReply + LineOf("B261120080910ABCD-2", false) + LineOf("B261120080911WXYZ-1")));
  CHECK(place.May(kReply.substr(0, kReply.size() - 1)));
  std::string many;
  for (int row = 1; row <= 20'000; ++row) many += LineOf(NewBatchId(base::WallMicros()) + "-" + std::to_string(row));
  CHECK(place.May(many));
}

TEST_CASE("output: a file with one line that is no reply of a batch may not be replaced") {
  const Place place;
  for (const char* id : {"", "r1", "B-1", "B261120080910ABCD", "B261120080910ABCD-", "B261120080910ABCD-0", "B261120080910ABCD-1x", "B26112008091ABCDE-1",
                         "B261120080910ABC0-1", "XB261120080910ABCD-1"}) {
    INFO(id);
    CHECK_FALSE(place.May(LineOf(id)));
  }
  for (const char* line : {"\n", "key\n", "{}\n", "[]\n", R"({"request_id":"B261120080910ABCD-1"})" "\n", R"({"id":1,"prompt":"p"})" "\n", "x"}) {
    INFO(line);
    CHECK_FALSE(place.May(line));
    CHECK_FALSE(place.May(kReply + line));
    CHECK_FALSE(place.May(line + kReply));
  }
  CHECK_FALSE(place.May(kReply + kReply.substr(0, kReply.size() / 2)));
}

TEST_CASE("output: what is no plain file, and a line without an end, may not be replaced, and keep nobody") {
  const Place place;
  const std::string replies = place.Path("replies"), link = place.Path("link"), pipe = place.Path("pipe"), endless = place.Path("endless");
  std::ofstream(replies) << kReply;
  std::filesystem::create_symlink(replies, link);
  CHECK_FALSE(HoldsRepliesOnly(link));
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_FALSE(HoldsRepliesOnly(pipe));
  CHECK_FALSE(HoldsRepliesOnly("/dev/zero"));
  CHECK_FALSE(HoldsRepliesOnly(place.Path("")));
  CHECK_FALSE(HoldsRepliesOnly(replies + "/below"));
  std::ofstream(endless) << '{';
  std::filesystem::resize_file(endless, std::uintmax_t{64} << 20);
  CHECK_FALSE(HoldsRepliesOnly(endless));
}

}  // namespace strongroom::worker
