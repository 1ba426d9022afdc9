// must fail: is not a constant expression | is not usable in a constant expression
#include <string>

#include "base/result.h"
auto Leak(const std::string& key) {
  return strongroom::Fail(strongroom::Code::kInternal, key.c_str());
}
