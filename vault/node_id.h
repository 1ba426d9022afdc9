// NodeId: what tells the homes apart that share one vault database: 16 random hexadecimal digits in HOME/node.
#pragma once

#include <string>

#include "base/result.h"

namespace strongroom::vault {

// MakeNodeId writes HOME/node, durable on return. It writes over one that is there.
Result<std::string> MakeNodeId(const std::string& home);
// ReadNodeId is kNotFound where there is no such file, kCorrupt where it holds something else.
Result<std::string> ReadNodeId(const std::string& home);

}  // namespace strongroom::vault
