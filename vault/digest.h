// Digest: SHA-256 of public bytes, for rooms that may not have a cryptographic library of their own.
#pragma once

#include "base/bytes.h"

namespace strongroom::vault {

// Sha256 is the 32-byte SHA-256 (FIPS 180-4) of public bytes. Never for secrets: the result is an ordinary buffer.
Bytes Sha256(ByteView bytes);

}  // namespace strongroom::vault
