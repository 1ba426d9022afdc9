// The output of a batch: a JSONL file, a reply for every row.
#pragma once

#include <string>

namespace strongroom::worker {

// HoldsRepliesOnly is whether there is nothing at `path`, or a file of batches' replies and nothing else, whichever batch's: what a batch may replace.
// A link, a pipe or a device is none.
bool HoldsRepliesOnly(const std::string& path);

}  // namespace strongroom::worker
