#!/bin/sh
# must_not_compile.sh CXX INCLUDE_DIR: every file of must_not_compile/ has to be refused by the compiler, with the
# message that its first line names ("// must fail: TEXT | OTHER TEXT", one for each compiler). control.cpp must compile.
set -u
export LC_ALL=C
cxx=$1
root=$2
folder=$(dirname "$0")/must_not_compile
failed=0
count=0
compile() { "$cxx" -std=c++23 -fsyntax-only -Wall -Werror -I"$root" "$1" 2>&1; }

if ! output=$(compile "$folder/control.cpp"); then
  printf 'control.cpp must compile, but:\n%s\n' "$output"
  exit 1
fi
for file in "$folder"/*.cpp; do
  case $file in */control.cpp) continue ;; esac
  count=$((count + 1))
  expected=$(sed -n '1s,^// must fail: ,,p' "$file")
  if [ -z "$expected" ]; then
    printf '%s: the first line must read "// must fail: TEXT"\n' "$file"
    failed=1
  elif output=$(compile "$file"); then
    printf '%s: compiles, and must not\n' "$file"
    failed=1
  else
    seen=0
    rest="$expected | "
    while [ -n "$rest" ]; do
      text=${rest%% | *}
      rest=${rest#* | }
      case $output in *"$text"*) seen=1 ;; esac
    done
    if [ $seen = 0 ]; then
      printf '%s: refused, but not with "%s":\n%s\n' "$file" "$expected" "$output"
      failed=1
    fi
  fi
done
[ $failed = 0 ] && printf '%s misuses, none compiles\n' "$count"
exit $failed
