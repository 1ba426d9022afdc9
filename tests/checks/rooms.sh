#!/usr/bin/env bash
# The house's rules: who may include whom, one room a library, one definition a type (README has a map of the folders).
#   rooms.sh [TREE]      exit 0 where every rule holds; otherwise one line a breach, and 1
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
breaches=0
breach() { echo "rooms: $*"; breaches=$((breaches + 1)); }

# Every #include of ours as "FILE INCLUDED", product code only.
includes() { grep -rnoE '^ *# *include *[<"][^>"]+[>"]' --include='*.h' --include='*.cpp' base sql vault audit worker keytool provider-sim |
  sed -E 's/^([^:]+):[0-9]+: *# *include *[<"]([^>"]+)[>"]/\1 \2/'; }

# What the worker and keytool may see of the vault: its client's side and the types that cross it.
vault_client='vault/(client|protocol|ticket_protocol|key_trail|secret|arena|origin|key_ref|key_format|digest|stop_line|key_state)\.h'
# keytool makes and reads tickets and sealed keys as well: what customers have, so no more than they do.
vault_tickets='vault/(ticket|key_blob|phrase|labelled_text)\.h'

while read -r file included; do
  room=${file%%/*}
  case $included in
    base/* | sql/* | vault/* | audit/* | worker/* | keytool/* | provider-sim/*) other=${included%%/*} ;;
    *) continue ;;
  esac
  [ "$room" = "$other" ] && continue
  case "$room:$other" in
    sql:base | audit:base | audit:sql | vault:base | vault:sql | vault:audit | worker:base | worker:sql | keytool:base | keytool:sql | provider-sim:base) ;;
    audit:vault) [[ $file = audit/main.cpp && $included = vault/client.h ]] || breach "$file includes $included: auditlog's main alone may ask vaultd" ;;
    keytool:vault) [[ $included =~ ^$vault_client$ || $included =~ ^$vault_tickets$ ]] || breach "$file includes $included: only the vault's client side may be seen there" ;;
    worker:vault) [[ $included =~ ^$vault_client$ ]] || breach "$file includes $included: only the vault's client side may be seen there" ;;
    *) breach "$file includes $included: $room may not include $other" ;;
  esac
done < <(includes)

# library; header pattern; files that may include it
while IFS=';' read -r library pattern rooms; do
  while read -r file included; do
    [[ $included =~ ^$pattern ]] || continue
    if [[ $file == *.h ]]; then
      if [[ $library == asio && $included =~ ^asio/(awaitable|any_io_executor)\.hpp$ && $file =~ ^(vault|worker)/ ]]; then continue; fi
      breach "$file includes $included: a library's headers stay in .cpp files"
    elif ! [[ $file =~ ^$rooms ]]; then
      breach "$file includes $included: $library belongs to $rooms"
    fi
  done < <(includes)
done <<'TABLE'
libsodium;sodium;vault/
libgfshare;libgfshare;vault/share_split\.cpp
PKCS11;p11-kit/;vault/token\.cpp
OpenSSL;openssl/;(vault/|audit/(merkle|note)|worker/(transport|splice)|provider-sim/)
libcurl;curl/;worker/(transport|splice_selftest)
libsqlite3;sqlite3\.h;sql/sqlite
unixODBC;(sql\.h|sqlext\.h|sqltypes\.h|odbc);sql/odbc
hiredis;hiredis/;worker/queue/
asio;asio(/|\.hpp);(vault|worker|provider-sim)/
CLI11;CLI/;([a-z-]+/(batch/)?(main|cli)[a-z_]*\.cpp|keytool/|vault/vaultd\.cpp)
toml;toml\+\+/;base/config
spdlog;(spdlog|fmt)/;base/log
json;nlohmann/;(vault/|worker/|keytool/|provider-sim/|audit/(log_line|uses)\.cpp)
Catch2;catch2/;none/
TABLE

# Nobody below may know of keys: base/ and sql/ never name a secret.
if grep -rnE 'SecretValue|SecretView|SecretAccess' base sql audit --include='*.cpp' --include='*.h' | grep -vE ':[0-9]+: *//|//.*SecretV' ; then
  breach "base/, sql/ and audit/ must not know of secrets"
fi

# Two types of one name in one namespace, in different files, are one type to the linker, which takes the members of either.
types() {
  find base sql vault audit worker keytool provider-sim \( -name '*.h' -o -name '*.cpp' \) -exec awk '
    FNR == 1 { space = ""; hidden = 0 }
    /^namespace \{/ { hidden = 1 }
    /^\}  \/\/ namespace$/ { hidden = 0 }
    /^namespace [a-z:]+ \{/ { space = $2 }
    !hidden && /^(struct|class|enum class|enum) [A-Za-z]+ .*\{/ { print space "::" ($1 $2 == "enumclass" ? $3 : $2) }' {} + | sort
}
while read -r type; do
  breach "$type is defined in two files"
done < <(types | uniq -d)

[ "$breaches" = 0 ] || exit 1
echo "rooms: every include keeps the house's rules"
