#!/usr/bin/env bash
# The checks themselves must be able to fail: each rule is broken once in a copy of the tree, and must be noticed.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
(cd "$root" && cp -r base sql vault audit worker keytool provider-sim tests bench scripts "$copy/")

# must_fail CHECK FILE LINE: appending LINE to FILE must make CHECK fail.
must_fail() {
  local check=$1 file=$copy/$2
  cp "$file" "$copy/saved"
  printf '%s\n' "$3" >>"$file"
  if "$root/tests/checks/$check" "$copy" >/dev/null 2>&1; then
    echo "$check did not notice in $2: $3" >&2
    exit 1
  fi
  cp "$copy/saved" "$file"
}
"$root/tests/checks/rooms.sh" "$copy" >/dev/null
"$root/tests/checks/style.sh" "$copy" >/dev/null
must_fail rooms.sh base/bytes.cpp '#include "vault/secret.h"'
must_fail rooms.sh audit/record.cpp '#include "vault/client.h"'
must_fail rooms.sh worker/exchange.cpp '#include "vault/envelope.h"'
must_fail rooms.sh vault/store.cpp '#include "worker/contract.h"'
must_fail rooms.sh vault/store.cpp '#include <sqlite3.h>'
must_fail rooms.sh vault/recovery.cpp '#include <libgfshare.h>'
must_fail rooms.sh worker/exchange.cpp '#include <curl/curl.h>'
must_fail rooms.sh vault/client.h '#include <asio/io_context.hpp>'
must_fail rooms.sh sql/database.h '#include <sqlite3.h>'
must_fail rooms.sh keytool/main.cpp '#include <openssl/evp.h>'
must_fail rooms.sh vault/connection.h 'namespace strongroom::vault {
struct Share {
  int other;
};
}'
must_fail style.sh worker/exchange.cpp 'void f() { co_await Send({.a = 1}); }'
must_fail style.sh worker/exchange.cpp 'void f() { co_await Send(Agg{1}); }'
must_fail style.sh vault/store.cpp '  throw 1;'
must_fail style.sh vault/store.cpp 'std::string api_key;'
must_fail style.sh vault/store.cpp '// TO''DO later'
echo "the checks fail where they must"
