// must fail: could not convert | no viable conversion | no matching function | invalid conversion
#include <string>

#include "base/result.h"
auto Leak(const std::string& key) {
  return strongroom::Fail(strongroom::Code::kInternal, key);
}
