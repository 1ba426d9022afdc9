// A list of uses verifies, or says what is wrong with it; and one whose checkpoint nobody trusts never verifies.
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>

#include "audit/uses.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strongroom;
  const std::string text(base::AsText({data, size}));
  std::istringstream lines(text), again(text);
  const auto trusted = audit::VerifyUses(lines, [](const audit::Note&, const audit::Checkpoint&) { return audit::Signed::kYes; });
  CHECK(trusted.uses >= 0);
  CHECK(trusted.kind.empty() == trusted.detail.empty());
  const auto untrusted = audit::VerifyUses(again, [](const audit::Note&, const audit::Checkpoint&) { return audit::Signed::kNot; });
  CHECK(!untrusted.kind.empty());
  return 0;
}
