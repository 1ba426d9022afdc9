#!/usr/bin/env bash
# What the compiler cannot refuse: the g++ 12 coroutine trap, secrets in strings, unfinished work, overlong files.
#   style.sh [TREE]      exit 0 where all is well; otherwise one line a breach, and 1
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
breaches=0
report() { while IFS= read -r line; do echo "style: $1: $line"; breaches=$((breaches + 1)); done; }
rooms=(base sql vault audit worker keytool provider-sim)
code=(--include='*.h' --include='*.cpp')

# g++ 12 destroys aggregate temporaries inside a co_await expression twice, without a warning.
report "aggregate temporary inside co_await" < <(grep -rnE 'co_await[^;]*(\(|, *)(\{ *\.|[A-Z][A-Za-z:]*\{[^}])' "${code[@]}" "${rooms[@]}" tests bench | grep -vE 'Operation\{' || true)
report "std::format in a coroutine file" < <(grep -rlE 'co_(await|return)' "${code[@]}" "${rooms[@]}" | xargs -r grep -nE 'std::format|\.transform\(' || true)
report "a secret in a std::string" < <(grep -rnE 'std::string(_view)? +&?(api_key|secret|plaintext)\b' "${code[@]}" "${rooms[@]}" || true)
report "unfinished" < <(grep -rnE 'TODO|FIXME|\bXXX\b|not implemented|NOT IMPLEMENTED|\[!mayfail\]|\[\.\]|SKIP\(' "${code[@]}" "${rooms[@]}" tests bench scripts | grep -vE 'tests/checks/|TEST_CASE\("[a-z]+ child: ' || true)
report "throws" < <(grep -rnE '^\s*throw\b' "${code[@]}" "${rooms[@]}" || true)
report "over 400 lines" < <(find "${rooms[@]}" tests bench -name '*.cpp' -o -name '*.h' | xargs wc -l | awk '$2 != "total" && $1 > 400 {print $2 ": " $1}')
report "getenv outside base/" < <(grep -rnE '\b(secure_)?getenv\(' "${code[@]}" "${rooms[@]}" | grep -v '^base/' || true)
report "a test name that ctest would split" < <(grep -rnE 'TEST_CASE\("[^"]*;' tests || true)
report "a main with logic" < <(find "${rooms[@]}" -name 'main.cpp' | xargs wc -l | awk '$2 != "total" && $1 > 80 {print $2 ": " $1 " lines"}')

[ "$breaches" = 0 ] || exit 1
echo "style: nothing found"
