// Exposure: what of a vault's files others than their owner may open.
#pragma once

#include <string>
#include <vector>

#include "base/config.h"

namespace strongroom::vault {

// Exposed is a path whose mode lets others in, and the mode that does not.
struct Exposed {
  std::string path;
  unsigned mode = 0, wanted = 0;
};

// FindExposed looks at the vault database's files (a configuration with a password in its URL is one) and the KEKs' directory: any right of the group or of
// others counts. The home and its configuration must not be theirs to write. Where the KEK is one file, its directory only must not be theirs to write. (KEK files
// themselves are refused, not reported.) What is not there is not exposed.
std::vector<Exposed> FindExposed(const base::Config& config);

}  // namespace strongroom::vault
