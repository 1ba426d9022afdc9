// The refusal table: each reason's name for programs, its code, and its one line for the person who has to act on it.
#include <algorithm>
#include <array>

#include "vault/protocol.h"

namespace strongroom::vault {
namespace {

struct Row {
  Refusal refusal;
  std::string_view name;
  Code code;
  base::Literal text;
};

constexpr auto kTable = std::to_array<Row>({
    {Refusal::kMalformed, "MALFORMED", Code::kInvalidArgument,
     "request refused: its fields do not decode; the two programs may be of different versions, update both"},
    {Refusal::kUnknownOperation, "UNKNOWN_OPERATION", Code::kInvalidArgument,
     "request refused: this vaultd does not know the operation; restart vaultd from the same build as its client"},
    {Refusal::kNoRole, "NO_ROLE", Code::kPermissionDenied,
     "request refused: your user lacks the role it takes; an admin adds it under [roles] in strongroom.toml and sends "
     "vaultd SIGHUP"},
    {Refusal::kSealed, "SEALED", Code::kUnavailable,
     "request refused: the vault is sealed, no KEK is in memory; 'keytool unseal' opens it, where a KEK's protectors are there "
     "('keytool kek status')"},
    {Refusal::kTrailUnavailable, "TRAIL_UNAVAILABLE", Code::kUnavailable,
     "no key left, and the act may not have been done: the audit record cannot be written or was not confirmed; look at "
     "free disk space and vaultd's log, then at 'keytool show', before asking again"},
    {Refusal::kDatabaseUnavailable, "DATABASE_UNAVAILABLE", Code::kUnavailable,
     "nothing was done: the vault database cannot be read or written; look at vaultd's log, then ask again"},
    {Refusal::kBusy, "BUSY", Code::kUnavailable,
     "nothing was done: vaultd has too many requests waiting; ask again in a moment"},
    {Refusal::kProfileUnknown, "PROFILE_UNKNOWN", Code::kNotFound,
     "no such profile, or it is another customer's; 'keytool profile list' shows what there is"},
    {Refusal::kProfileNotActive, "PROFILE_NOT_ACTIVE", Code::kRefused,
     "key withheld: the profile is not ACTIVE; 'keytool profile show' says since when, 'keytool profile resume' lifts "
     "a suspension"},
    {Refusal::kProfileTampered, "PROFILE_TAMPERED", Code::kCorrupt,
     "key withheld: the profile's row was changed outside vaultd; find out who did, then set it again with 'keytool "
     "profile set' and all of --customer, --mode, --provider, --endpoint, --key-ref, --rpm, --tpm and --quota (0: none); it is ACTIVE then, or SUSPENDED "
     "where its row says so"},
    {Refusal::kProfileExists, "PROFILE_EXISTS", Code::kAlreadyExists,
     "nothing was done: that profile exists already and is in use; choose another --profile, 'keytool rotate' its key, "
     "or change it with 'keytool profile set'"},
    {Refusal::kProfileNeedsKey, "PROFILE_NEEDS_KEY", Code::kRefused,
     "the profile's provider needs a key and the profile names none; 'keytool onboard' adds one, or name it with "
     "--key-ref"},
    {Refusal::kKeyUnknown, "KEY_UNKNOWN", Code::kNotFound, "no such key; 'keytool list' shows what there is"},
    {Refusal::kKeyTampered, "KEY_TAMPERED", Code::kDecryptFailed,
     "key withheld: its row is gone or does not open, so it was changed outside vaultd or its KEK is not the one it was sealed "
     "under; restore the row, or revoke or compromise the key (both work without its row) and onboard a new version"},
    {Refusal::kKeyNotYours, "KEY_NOT_YOURS", Code::kPermissionDenied,
     "key withheld: it belongs to another customer and is not a hosted key; point the profile at a key of its own "
     "customer"},
    {Refusal::kKeyPending, "KEY_PENDING", Code::kRefused,
     "key withheld: it is PENDING, not yet verified with its provider; finish its onboarding, or try 'keytool test'"},
    {Refusal::kKeySuspended, "KEY_SUSPENDED", Code::kRefused,
     "key withheld: it is SUSPENDED; 'keytool show' says why, 'keytool resume' lifts it"},
    {Refusal::kKeyRevoked, "KEY_REVOKED", Code::kRefused,
     "key withheld: it was REVOKED, which is final; onboard a new key for the customer"},
    {Refusal::kKeyCompromised, "KEY_COMPROMISED", Code::kRefused,
     "key withheld: it was marked COMPROMISED, which is final; onboard a new key, and revoke this one at its provider"},
    {Refusal::kKeyDestroyed, "KEY_DESTROYED", Code::kRefused,
     "key withheld: it was DESTROYED and cannot come back; onboard a new key for the customer"},
    {Refusal::kKeyGraceOver, "KEY_GRACE_OVER", Code::kRefused,
     "key withheld: it was rotated and its grace is over; point the profile at the key's new version"},
    {Refusal::kKeyMoveForbidden, "KEY_MOVE_FORBIDDEN", Code::kRefused,
     "nothing was done: a key or profile in this state cannot make that move; 'keytool show' or 'keytool profile show' "
     "says what state it is in"},
    {Refusal::kKeyProbeSpent, "KEY_PROBE_SPENT", Code::kRefused,
     "key withheld: a PENDING key opens for 10 probes and no more; add the key again"},
    {Refusal::kKeyFormat, "KEY_FORMAT", Code::kInvalidArgument,
     "key not taken: a key is 20 to 2,000 visible ASCII characters without spaces or line breaks; copy it again from "
     "the provider's page"},
    {Refusal::kKeyProviderMismatch, "KEY_PROVIDER_MISMATCH", Code::kRefused,
     "nothing was done: key and profile name different providers; use a key of the profile's provider"},
    {Refusal::kOriginNotTls, "ORIGIN_NOT_TLS", Code::kRefused,
     "nothing was done: this endpoint is not https; a key only travels over TLS, and without a key http is for loopback, "
     "or for everywhere with allow_http = true under [provider]"},
    {Refusal::kOriginMismatch, "ORIGIN_MISMATCH", Code::kRefused,
     "key withheld: it is bound to another origin than the profile's endpoint; set the endpoint back, or onboard the "
     "key anew for the new one"},
    {Refusal::kReasonMissing, "REASON_MISSING", Code::kInvalidArgument,
     "nothing was done: an admin act needs a reason for the trail; give --reason TEXT"},
    {Refusal::kFieldInvalid, "FIELD_INVALID", Code::kInvalidArgument,
     "nothing was done: a field is missing, too long, out of range or not of its form; compare it with --help"},
    {Refusal::kConflict, "CONFLICT", Code::kConflict,
     "nothing was done: somebody else changed the same row first; look at it, then ask again"},
    {Refusal::kKekMissing, "KEK_MISSING", Code::kUnavailable,
     "key withheld: its KEK version is not on the keyring; put its file back ('keytool kek status' names it) and "
     "restart vaultd"},
    {Refusal::kInternal, "INTERNAL", Code::kInternal,
     "request refused: vaultd failed in a way it should not; its log has the line, please report it"},
    {Refusal::kAnswerTooLarge, "ANSWER_TOO_LARGE", Code::kInvalidArgument,
     "the answer outgrows a frame: the key has more profiles than one answer holds"},
    {Refusal::kKekMoveForbidden, "KEK_MOVE_FORBIDDEN", Code::kRefused,
     "nothing was done: a KEK version in this state cannot make that move; 'keytool kek status' says what state each is "
     "in, 'keytool kek rotate' finishes a rotation that was begun"},
    {Refusal::kKekInUse, "KEK_IN_USE", Code::kRefused,
     "nothing was done: there are still keys or tickets under this or another old KEK version; 'keytool kek rotate' rewraps them, and names "
     "one whose row was changed outside vaultd, or is from before an earlier rotation"},
    {Refusal::kKekTooSoon, "KEK_TOO_SOON", Code::kRefused,
     "nothing was done: a KEK version is destroyed 7 days after it was retired at the earliest, so that a backup from "
     "before can still be opened"},
    {Refusal::kKekFile, "KEK_FILE", Code::kUnavailable,
     "nothing was done: a file of the KEK's protectors is missing, changed, or cannot be written or removed, or the KEK path "
     "names one file and not a directory; vaultd's log has the reason; do not stop vaultd before the file is back"},
    {Refusal::kRewrapUnderWay, "REWRAP_UNDER_WAY", Code::kRefused,
     "nothing was done: another rotation is at work; let it finish, or ask again some seconds after it has stopped"},
    {Refusal::kNotSealed, "NOT_SEALED", Code::kRefused, "nothing was done: the vault is not sealed"},
    {Refusal::kUnsealFailed, "UNSEAL_FAILED", Code::kUnavailable,
     "the vault stays sealed: a KEK is missing, does not open, or is not this vault's; vaultd's log names it, put the right "
     "file back from your backup, or give the passphrase or the token's PIN with 'keytool unseal --with passphrase' or "
     "'--with pkcs11'"},
    {Refusal::kKeyNotStopped, "KEY_NOT_STOPPED", Code::kRefused,
     "nothing was done: only a key that is REVOKED or COMPROMISED is destroyed; 'keytool revoke' it first"},
    {Refusal::kKeyTooSoon, "KEY_TOO_SOON", Code::kRefused,
     "nothing was done: a REVOKED key is destroyed 7 days after its revoke at the earliest, a COMPROMISED one at once"},
    {Refusal::kDatabaseOlder, "DATABASE_OLDER", Code::kUnavailable,
     "nothing was done: the vault database is older than the last act that vaultd acknowledged, or its trail is not what the home's "
     "anchor says (vaultd's log says which): put the newest database and its anchor back, or move the home away and make it anew from "
     "a backup with 'keytool restore'; where there is neither, 'keytool new-origin' takes the database as it is"},
    {Refusal::kStopsUnavailable, "STOPS_UNAVAILABLE", Code::kUnavailable,
     "the act was done, but the file 'stops' in the home cannot be written: until it can, a restart of vaultd forgets that "
     "this key was stopped if its old row is put back; look at free disk space and vaultd's log"},
    {Refusal::kRecoveryTampered, "RECOVERY_TAMPERED", Code::kCorrupt,
     "nothing was done: the recovery key's row, or a KEK sealed to it, was changed outside vaultd; find out who did, then make "
     "a new set with 'keytool kek backup'"},
    {Refusal::kRecoveryMissing, "RECOVERY_MISSING", Code::kRefused,
     "nothing was done: this KEK version is not sealed to the recovery key, so the custodians' shares could not bring it back; "
     "make a new set with 'keytool kek backup'"},
    {Refusal::kQuarantined, "QUARANTINED", Code::kUnavailable,
     "key withheld: this home was put back from a backup, and keys that were stopped since would be released again; 'keytool "
     "restore --finish' stops them first"},
    {Refusal::kNotQuarantined, "NOT_QUARANTINED", Code::kRefused,
     "nothing was done: this home is not in quarantine after a restore"},
    {Refusal::kPassphraseWanted, "PASSPHRASE_WANTED", Code::kRefused,
     "nothing was done: no protector that is needed opens by itself; give the passphrase, or the token's PIN, at the prompt or with "
     "--passphrase-file or --pin-file"},
    {Refusal::kPassphraseWrong, "PASSPHRASE_WRONG", Code::kDecryptFailed,
     "nothing was done: the passphrase does not open the KEK"},
    {Refusal::kPassphraseShort, "PASSPHRASE_SHORT", Code::kInvalidArgument,
     "nothing was done: a passphrase is 12 to 1,024 bytes; five random words are a good one"},
    {Refusal::kProtectorExists, "PROTECTOR_EXISTS", Code::kAlreadyExists,
     "nothing was done: every KEK version has this protector already; to make it anew, remove it first"},
    {Refusal::kProtectorMissing, "PROTECTOR_MISSING", Code::kNotFound,
     "nothing was done: no KEK version has this protector; 'keytool kek status' shows what each has"},
    {Refusal::kProtectorLast, "PROTECTOR_LAST", Code::kRefused,
     "nothing was done: a KEK version has no other protector, and would be lost; add another with 'keytool kek "
     "add-protector' first"},
    {Refusal::kProtectorTampered, "PROTECTOR_TAMPERED", Code::kCorrupt,
     "nothing was done: a protector's file is damaged, was changed outside vaultd, or does not open with what it was made "
     "with; vaultd's log names it, put it back from your backup or use another protector"},
    {Refusal::kProtectorUnfinished, "PROTECTOR_UNFINISHED", Code::kUnavailable,
     "the act is on the trail, but a protector's file could not be put in its place or removed; vaultd's log names it, "
     "'keytool kek status' shows what is there; then run the command again"},
    {Refusal::kCredentialMissing, "CREDENTIAL_MISSING", Code::kUnavailable,
     "nothing was done: systemd has not handed the credential over, or it is not 32 bytes that its user alone may read; vaultd's unit needs "
     "LoadCredential= or LoadCredentialEncrypted= with the name in [vault] credential"},
    {Refusal::kKekOneFile, "KEK_ONE_FILE", Code::kRefused,
     "nothing was done: the KEK path names one file (K3SAI_KEK_PATH), and no other protector can stand beside it; start "
     "vaultd with a directory of KEK versions"},
    {Refusal::kAttemptSpent, "ATTEMPT_SPENT", Code::kRefused,
     "key withheld: one was released for this request and attempt before; each ask carries the next attempt's number"},
    {Refusal::kKeyCeiling, "KEY_CEILING", Code::kResourceExhausted,
     "key withheld: it was released as often within a minute as the RPM of its profiles allows; wait, or raise --rpm"},
    {Refusal::kUserCeiling, "USER_CEILING", Code::kResourceExhausted,
     "key withheld: this user was given as many different keys within a minute as keys_per_minute in strongroom.toml "
     "allows; wait, and find out why it asks for so many"},
    {Refusal::kTwoPeople, "TWO_PEOPLE", Code::kRefused,
     "nothing was done: this needs a second person's approval, of exactly this act and reason; propose it, have it "
     "approved, then ask again"},
    {Refusal::kTwoPeopleOff, "TWO_PEOPLE_OFF", Code::kRefused,
     "nothing was proposed: no second person is demanded at present; do the act itself"},
    {Refusal::kSingleUser, "SINGLE_USER", Code::kRefused,
     "nothing was done: two people are not to be had under single_user = true; give the roles users of their own first"},
    {Refusal::kRootExcluded, "ROOT_EXCLUDED", Code::kRefused,
     "nothing was done: root can be any user, so it neither proposes nor approves what two people must do; use an "
     "admin's own account"},
    {Refusal::kApprovalUnknown, "APPROVAL_UNKNOWN", Code::kNotFound,
     "there is no such approval; 'keytool approvals list' names them"},
    {Refusal::kApprovalOwn, "APPROVAL_OWN", Code::kRefused,
     "nothing was approved: an act is approved by another person than the one who proposed it"},
    {Refusal::kApprovalDenied, "APPROVAL_DENIED", Code::kRefused,
     "nothing was done: the second person denied this act; it can be proposed again a day after it was"},
    {Refusal::kApprovalClosed, "APPROVAL_CLOSED", Code::kRefused,
     "nothing was decided: this approval was decided, used or ended before; 'keytool approvals list' says which"},
    {Refusal::kApprovalExpired, "APPROVAL_EXPIRED", Code::kRefused,
     "nothing was decided: this approval was not given and used within a day; have the act proposed again"},
    {Refusal::kApprovalTampered, "APPROVAL_TAMPERED", Code::kCorrupt,
     "nothing was done: the approval, or the row that says whether two people are demanded, was changed outside vaultd"},
    {Refusal::kLeaseOver, "LEASE_OVER", Code::kUnavailable,
     "key withheld: this vaultd has not been in touch with the vault database for longer than its lease, so that it may have "
     "missed a revocation, or it was stopped meanwhile; ask again in a moment, and look at its log"},
    {Refusal::kNodeUnknown, "NODE_UNKNOWN", Code::kNotFound,
     "nothing was done: there is no such node in the state for that; 'keytool node list' shows what there is"},
    {Refusal::kNodeLacksKek, "NODE_LACKS_KEK", Code::kRefused,
     "nothing was done: a node does not hold the new KEK version yet, and could open no key under it; see that its vaultd runs and is "
     "unsealed, or take it out of the vault ('keytool node remove'); then 'keytool kek rotate' goes on"},
    {Refusal::kPkcs11Module, "PKCS11_MODULE", Code::kUnavailable,
     "no PKCS#11 token can be asked: pkcs11_module or pkcs11_uri under [vault] in strongroom.toml is missing or wrong, or the "
     "module does not load; vaultd's log has the reason"},
    {Refusal::kTokenMissing, "TOKEN_MISSING", Code::kUnavailable,
     "the PKCS#11 token that pkcs11_uri names is not there, or it fails: plug it in or start its service; vaultd's log has what "
     "it answered"},
    {Refusal::kPinWrong, "PIN_WRONG", Code::kDecryptFailed,
     "the PKCS#11 token does not take the PIN, and may lock after some wrong ones: look it up before the next try with 'keytool "
     "unseal --with pkcs11'; its security officer unlocks a locked one"},
    {Refusal::kTokenKeyMissing, "TOKEN_KEY_MISSING", Code::kNotFound,
     "the PKCS#11 token does not have the one key that pkcs11_uri names, of AES with 256 bits, to encrypt and decrypt with; "
     "'keytool kek add-protector pkcs11' generates one where there is none"},
    {Refusal::kTokenKeyExposed, "TOKEN_KEY_EXPOSED", Code::kRefused,
     "nothing was done: the key on the PKCS#11 token can be read out of it (CKA_EXTRACTABLE, or not CKA_SENSITIVE); name another "
     "one in pkcs11_uri"},
    {Refusal::kNodePhraseWrong, "NODE_PHRASE_WRONG", Code::kPermissionDenied,
     "nothing was done: this check phrase is not of the node's key in the database; have 'keytool node phrase' read out at the node, "
     "and if that is what was typed, somebody has changed the database"},
    {Refusal::kNodeKeyTampered, "NODE_KEY_TAMPERED", Code::kCorrupt,
     "nothing was done: the key under which KEKs travel to a node is missing, or was changed outside vaultd, or its node was removed "
     "before; find out who did, then 'keytool node confirm' it again, or remove it"},
    {Refusal::kNodeKekTampered, "NODE_KEK_TAMPERED", Code::kCorrupt,
     "nothing was taken up: a KEK on its way to this node was changed outside vaultd; find out who did, then have it sent again by "
     "'keytool node confirm' on another node"},
    {Refusal::kTokenSilent, "TOKEN_SILENT", Code::kUnavailable,
     "nothing was done: the PKCS#11 token did not answer within pkcs11_timeout_ms, or vaultd was sealed or stopped while it was "
     "asked; look after its reader or service, then ask again, or use another protector meanwhile; where this comes at once "
     "although the token is well, start vaultd anew"},
    {Refusal::kNodeRemoved, "NODE_REMOVED", Code::kRefused,
     "nothing was done: this node was removed from the vault; ask another one, stop the vaultd of this one, and take its login to the "
     "vault database away"},
    {Refusal::kKekRetired, "KEK_RETIRED", Code::kRefused,
     "key withheld: its row is under a KEK version that is in use no more, so it was copied back from before a rotation, which no node "
     "opens; restore that backup as a whole ('keytool restore'), or revoke the key and onboard a new one"},
    {Refusal::kTrailSound, "TRAIL_SOUND", Code::kRefused,
     "nothing was done: the trail is what its anchor says, and keeps its name"},
    {Refusal::kSigningKeyRotating, "SIGNING_KEY_ROTATING", Code::kRefused,
     "nothing was done: the trail's signing key is being changed already; see 'keytool status', and vaultd's log where that does not end"},
    {Refusal::kKeyNoticed, "KEY_REFUSED_BY_PROVIDER", Code::kRefused,
     "key withheld: its provider refuses it, so it was SUSPENDED; 'keytool resume' tries it again, 'keytool rotate' puts a new one in its "
     "place"},
    {Refusal::kNoProbeOrdered, "NO_PROBE_ORDERED", Code::kRefused,
     "nothing was done: vaultd did not ask this worker to probe that key, or too long ago"},
    {Refusal::kKeyNotProbed, "KEY_NOT_PROBED", Code::kRefused,
     "nothing was done: a key that was SUSPENDED because its provider refused it goes on once the provider takes it; 'keytool resume' asks "
     "it first"},
    {Refusal::kCallUnknown, "CALL_UNKNOWN", Code::kPermissionDenied,
     "nothing was done: vaultd does not know that it gave this user that key for such a call lately, or the call was reported before"},
    {Refusal::kProbeEarly, "PROBE_EARLY", Code::kRefused,
     "key withheld: the probe that this worker was told to make is not due yet; wait as long as it was told"},
    {Refusal::kKeyNotRotated, "KEY_NOT_ROTATED", Code::kRefused,
     "nothing was done: only a key that a rotation put aside (ROTATED) is brought back; 'keytool show' says what state this one is in, "
     "'keytool rotate' takes another key"},
    {Refusal::kRollbackLate, "ROLLBACK_TOO_LATE", Code::kRefused,
     "nothing was done: the rotated key's grace is over, and nothing brings it back; 'keytool rotate' takes another key"},
    {Refusal::kRollbackUnclear, "ROLLBACK_UNCLEAR", Code::kRefused,
     "nothing was done: no record of this key's rotation is in the trail, or what took its place is in use no more; point its profiles "
     "where they belong with 'keytool profile set', or 'keytool rotate' the key that they use"},
    {Refusal::kCustomerUnknown, "CUSTOMER_UNKNOWN", Code::kNotFound,
     "nothing was done: no key, profile or open ticket is of such a customer; 'keytool profile list' and 'keytool list' show whose there are"},
    {Refusal::kCustomerServes, "CUSTOMER_SERVES_OTHERS", Code::kRefused,
     "nothing was done: other customers' profiles use a key of this one; point them elsewhere with 'keytool profile set', or terminate them, "
     "first ('keytool show KEY_REF' names them)"},
    {Refusal::kKeyUnused, "KEY_UNUSED", Code::kRefused,
     "nothing was done: no profile uses this key, which was stopped for good, so a new version of it would be used by nobody; 'keytool list' "
     "shows what has its place, 'keytool onboard' takes a key for a customer who comes back"},
    {Refusal::kTicketUnknown, "TICKET_UNKNOWN", Code::kNotFound,
     "nothing was done: there is no such ticket, or it ended long ago; 'keytool invite list' shows what there is"},
    {Refusal::kTicketUsed, "TICKET_USED", Code::kRefused,
     "nothing was done: a key was accepted with this ticket already, and each brings one; for another key make a ticket with 'keytool "
     "invite'"},
    {Refusal::kTicketCancelled, "TICKET_CANCELLED", Code::kRefused,
     "nothing was done: this ticket was cancelled; for a key make a new one with 'keytool invite'"},
    {Refusal::kTicketExpired, "TICKET_EXPIRED", Code::kRefused,
     "nothing was done: this ticket has expired; make a new one with 'keytool invite', and have the key sealed to that"},
    {Refusal::kTicketTampered, "TICKET_TAMPERED", Code::kCorrupt,
     "nothing was done: the ticket's row was changed outside vaultd, or put back as it was before; find out who did, 'keytool invite "
     "cancel' it and make a new one"},
    {Refusal::kTicketOfOthers, "TICKET_OF_OTHERS", Code::kRefused,
     "nothing was done: this key was sealed to another customer's ticket; 'keytool invite list' shows whose"},
    {Refusal::kTicketsFull, "TICKETS_FULL", Code::kResourceExhausted,
     "nothing was done: 10,000 tickets are open; 'keytool invite cancel' those that nobody waits for"},
    {Refusal::kOtherVault, "OTHER_VAULT", Code::kRefused,
     "nothing was done: this key was sealed to another vault's ticket; hand it to that one"},
    {Refusal::kSealedKeyMalformed, "SEALED_KEY_MALFORMED", Code::kInvalidArgument,
     "nothing was done: this is no whole file of a sealed key: it was cut or changed on its way, or is another file; ask the customer to "
     "send it again, as an attachment"},
    {Refusal::kSealedKeyUnopened, "SEALED_KEY_UNOPENED", Code::kDecryptFailed,
     "nothing was done: the sealed key does not open with its ticket: one of the two was altered or swapped on its way; have the customer "
     "compare the ticket's check phrase, and seal the key again"},
    {Refusal::kShareMissing, "SHARE_MISSING", Code::kRefused,
     "nothing was done: this key's account has a limit, and a profile without a share would take as much of it as it likes; give each its share "
     "with --rpm N and --tpm N ('keytool show KEY_REF' says what is left, and names the profiles without one)"},
    {Refusal::kSharesOverLimit, "SHARES_OVER_LIMIT", Code::kRefused,
     "nothing was done: the shares of the key's profiles would add up to more than its account takes; 'keytool show KEY_REF' says what is left, "
     "'keytool profile set PROFILE_REF --rpm N --tpm N' makes a share smaller, and 'keytool limit KEY_REF' sets what the account takes"},
    {Refusal::kShareTampered, "SHARE_TAMPERED", Code::kCorrupt,
     "nothing was done: a profile that uses this key was changed outside vaultd, so that nobody knows what was given away; 'keytool profile list' "
     "says which is not intact: find out who did, then set it again in full with 'keytool profile set', or terminate it"},
    {Refusal::kKeyNotHosted, "KEY_NOT_HOSTED", Code::kRefused,
     "nothing was done: only a key of the house that other customers' profiles use ('keytool onboard HOUSE --mode hosted') has an account to share out"},
    {Refusal::kProfileOverQuota, "PROFILE_OVER_QUOTA", Code::kRefused,
     "monthly quota spent: the profile comes back by itself on the first of next month (UTC), or at once with 'keytool profile set PROFILE_REF --quota N'"},
    {Refusal::kQuotaNotSpent, "QUOTA_NOT_SPENT", Code::kRefused,
     "nothing was done: by the vault's clock and the profile's quota, this month's tokens are not spent"},
    {Refusal::kNotServed, "NOT_SERVED", Code::kPermissionDenied,
     "nothing was done: this user was given no key for that customer this month, and has nothing to say about it"},
    {Refusal::kKeyLeaked, "KEY_LEAKED", Code::kRefused,
     "nothing was done: this very key is COMPROMISED in this vault, somebody else has it: its owner revokes it at the provider and makes another one"},
});

constexpr bool InOrder() {
  for (std::size_t i = 1; i < kTable.size(); ++i) {
    if (kTable[i - 1].refusal >= kTable[i].refusal) return false;
  }
  return true;
}
static_assert(InOrder(), "the table must be in the order of its numbers, each once");

constexpr auto kNumbers = [] {
  std::array<Refusal, kTable.size()> numbers{};
  std::ranges::transform(kTable, numbers.begin(), &Row::refusal);
  return numbers;
}();

const Row& RowOf(std::uint16_t number) {
  const auto row = std::ranges::lower_bound(kTable, Refusal{number}, {}, &Row::refusal);
  if (row != kTable.end() && row->refusal == Refusal{number}) return *row;
  return *std::ranges::lower_bound(kTable, Refusal::kInternal, {}, &Row::refusal);
}

}  // namespace

Error RefusalError(Refusal refusal) {
  const Row& row = RowOf(static_cast<std::uint16_t>(refusal));
  return Error(row.code, row.text).WithRefusal(static_cast<std::uint16_t>(row.refusal));
}

std::span<const Refusal> AllRefusals() { return kNumbers; }

std::string_view RefusalName(Refusal refusal) { return RowOf(static_cast<std::uint16_t>(refusal)).name; }

Refusal RefusalOf(const Error& error) { return RowOf(error.refusal()).refusal; }

Bytes EncodeRefusal(const Error& error) {
  return base::ByteWriter().U16(static_cast<std::uint16_t>(RefusalOf(error))).Take();
}

Error DecodeRefusal(ByteView body) {
  base::ByteReader reader(body);
  const std::uint16_t number = reader.U16();
  const bool whole = reader.Finish().has_value();
  return RefusalError(RowOf(whole ? number : std::uint16_t{0}).refusal);
}

}  // namespace strongroom::vault
