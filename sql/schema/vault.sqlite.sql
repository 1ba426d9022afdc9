-- The vault database on SQLite: vaultd alone writes it, auditlog opens it read-only.
-- Times are microseconds since 1970 UTC. KEY_VAULT's and AI_PROFILE's columns are INTERFACES §2.

CREATE TABLE SCHEMA_VERSION (SCHEMA_NAME TEXT PRIMARY KEY, VERSION INTEGER NOT NULL);

-- One row: who this vault is, and the number that moves whenever a key, profile or rate changes.
CREATE TABLE VAULT (
  VAULT_ID TEXT PRIMARY KEY,                    -- 32 hexadecimal digits, random
  EPOCH INTEGER NOT NULL,
  CREATED_AT INTEGER NOT NULL,
  TRAIL_PUBLIC_KEY BLOB NOT NULL                      -- Ed25519, 32 bytes: of the key that signs checkpoints
);

CREATE TABLE KEK (
  KEK_VERSION INTEGER PRIMARY KEY,
  CHECK_VALUE BLOB NOT NULL,                    -- HKDF(KEK, "kcv"), 32 bytes
  STATUS TEXT NOT NULL,                         -- PREPARED, ACTIVE (one), RETIRING, RETIRED, DESTROYED
  CREATED_AT INTEGER NOT NULL,
  CHANGED_AT INTEGER NOT NULL                   -- when STATUS last changed
);

-- The vault's own random keys (profile MACs, fingerprints), each wrapped by a KEK.
CREATE TABLE VAULT_SECRET (
  SECRET_NAME TEXT PRIMARY KEY,
  KEK_VERSION INTEGER NOT NULL REFERENCES KEK(KEK_VERSION),
  NONCE BLOB NOT NULL,
  WRAPPED BLOB NOT NULL
);

-- Recovery keys: the public halves of those that custodians' shares make. The highest SET_NUMBER is in force.
CREATE TABLE RECOVERY_SET (
  SET_NUMBER INTEGER PRIMARY KEY,
  SET_ID TEXT NOT NULL,                         -- of the public key, as shares print it
  PUBLIC_KEY BLOB NOT NULL,                     -- X25519, 32 bytes
  THRESHOLD INTEGER NOT NULL,
  DIGESTS BLOB NOT NULL,                        -- SHA-256 of each share, 32 bytes each, by index
  CUSTODIANS TEXT NOT NULL,                     -- a line each, by index; empty where nobody was named
  CREATED_AT INTEGER NOT NULL,
  VAULT_MAC BLOB NOT NULL
);

-- KEKs sealed to the recovery key in force.
CREATE TABLE KEK_RECOVERY (
  SET_NUMBER INTEGER NOT NULL REFERENCES RECOVERY_SET(SET_NUMBER),
  KEK_VERSION INTEGER NOT NULL REFERENCES KEK(KEK_VERSION),
  SEALED BLOB NOT NULL,
  VAULT_MAC BLOB NOT NULL,
  PRIMARY KEY (SET_NUMBER, KEK_VERSION)
);

-- The vaultds that serve this vault, each from a home of its own.
CREATE TABLE NODE (
  NODE_ID TEXT PRIMARY KEY,                     -- 16 hexadecimal digits, random: HOME/node
  HOST TEXT NOT NULL,
  STATUS TEXT NOT NULL,                         -- JOINING, MEMBER, REMOVED
  BOOT TEXT NOT NULL,                           -- the vaultd that holds the lease; empty: none does
  RENEWALS INTEGER NOT NULL,                    -- of the lease, so far
  ACKNOWLEDGED_EPOCH INTEGER NOT NULL,
  SEEN_AT INTEGER NOT NULL,                     -- the node's clock at its last renewal, for people
  VERIFIER_KEY TEXT NOT NULL DEFAULT ''         -- what its log's checkpoints are signed with, under which name; empty: not yet known
);

-- Which KEK versions a node holds, in its file and in memory.
CREATE TABLE NODE_KEK (
  NODE_ID TEXT NOT NULL REFERENCES NODE(NODE_ID),
  KEK_VERSION INTEGER NOT NULL REFERENCES KEK(KEK_VERSION),
  PRIMARY KEY (NODE_ID, KEK_VERSION)
);

-- The X25519 key that KEKs travel to a node under (vault/node_keks.h). It counts with VAULT_MAC only; both MACs are empty until
-- the node is confirmed.
CREATE TABLE NODE_KEY (
  NODE_ID TEXT PRIMARY KEY REFERENCES NODE(NODE_ID),
  PUBLIC_KEY BLOB NOT NULL,
  VAULT_MAC BLOB NOT NULL,
  JOIN_MAC BLOB NOT NULL                         -- tells the node that whoever confirmed it knew its check phrase
);

-- KEK versions on their way to a node, sealed to its key; gone once it holds them.
CREATE TABLE KEK_FOR_NODE (
  NODE_ID TEXT NOT NULL REFERENCES NODE(NODE_ID),
  KEK_VERSION INTEGER NOT NULL REFERENCES KEK(KEK_VERSION),
  SEALED BLOB NOT NULL,
  VAULT_MAC BLOB NOT NULL,
  PRIMARY KEY (NODE_ID, KEK_VERSION)
);

CREATE TABLE KEY_VAULT (
  KEY_REF TEXT PRIMARY KEY,
  CUSTOMER TEXT NOT NULL,
  PROVIDER TEXT NOT NULL,
  KEY_VERSION INTEGER NOT NULL,
  ENCRYPTED_DEK BLOB NOT NULL,
  ENCRYPTED_KEY BLOB NOT NULL,
  NONCE_DEK BLOB NOT NULL,
  NONCE_KEY BLOB NOT NULL,
  KEK_VERSION INTEGER NOT NULL REFERENCES KEK(KEK_VERSION),
  STATUS TEXT NOT NULL,
  CREATED_AT INTEGER NOT NULL,
  LAST_USED_AT INTEGER,
  REVOKED_AT INTEGER,
  LABEL TEXT NOT NULL,
  ORIGIN TEXT NOT NULL,
  HOSTED TEXT NOT NULL,                         -- Y or N
  ROW_VERSION INTEGER NOT NULL,
  GRACE_UNTIL INTEGER,
  STATE_CHANGED_AT INTEGER NOT NULL,
  FINGERPRINT TEXT NOT NULL,
  LIMIT_RPM INTEGER,                             -- what its account at the provider takes a minute, shared out among its profiles; null: no limit
  LIMIT_TPM INTEGER
);
CREATE INDEX KEY_VAULT_CUSTOMER ON KEY_VAULT (CUSTOMER, STATUS);
CREATE INDEX KEY_VAULT_KEK ON KEY_VAULT (KEK_VERSION, KEY_REF);
CREATE INDEX KEY_VAULT_FINGERPRINT ON KEY_VAULT (FINGERPRINT);
CREATE INDEX KEY_VAULT_GRACE ON KEY_VAULT (GRACE_UNTIL) WHERE STATUS = 'ROTATED';

-- Keys that were SUSPENDED because their provider refused them (vault/notice.h). A row counts with VAULT_MAC only.
CREATE TABLE KEY_NOTICE (
  KEY_REF TEXT PRIMARY KEY REFERENCES KEY_VAULT(KEY_REF),
  ROW_VERSION INTEGER NOT NULL,                 -- of the suspension
  HTTP_STATUS INTEGER NOT NULL,                 -- what the provider answered to the probe
  NOTICED_AT INTEGER NOT NULL,
  VAULT_MAC BLOB NOT NULL
);

-- Tickets by which customers hand keys in (vault/SEALED.md). Nothing of an OPEN one is believed before its private key has opened.
CREATE TABLE KEY_TICKET (
  TICKET_ID TEXT PRIMARY KEY,                   -- 16 hexadecimal digits, random
  CUSTOMER TEXT NOT NULL,
  PROVIDER TEXT NOT NULL,
  ENDPOINT TEXT NOT NULL,                       -- empty: the provider's own
  ORIGIN TEXT NOT NULL,
  ROTATES TEXT NOT NULL,                        -- the KEY_REF that the key is to replace; empty: none
  PUBLIC_KEY BLOB NOT NULL,                    -- X25519, 32 bytes
  CREATED_AT INTEGER NOT NULL,
  EXPIRES_AT INTEGER NOT NULL,
  STATUS TEXT NOT NULL,                         -- OPEN, USED, CANCELLED, EXPIRED
  CHANGED_AT INTEGER NOT NULL,                  -- when STATUS last changed
  KEY_REF TEXT NOT NULL,                        -- the key that it brought; empty: none yet
  KEK_VERSION INTEGER NOT NULL REFERENCES KEK(KEK_VERSION),
  NONCE BLOB NOT NULL,
  PRIVATE_KEY BLOB NOT NULL                    -- under the KEK; empty where it is not OPEN
);
CREATE INDEX KEY_TICKET_OPEN ON KEY_TICKET (EXPIRES_AT) WHERE STATUS = 'OPEN';

CREATE TABLE AI_PROFILE (
  PROFILE_REF TEXT PRIMARY KEY,
  CUSTOMER TEXT NOT NULL,
  PROFILE_NAME TEXT NOT NULL,
  MODE TEXT NOT NULL,                           -- B BYOK, H hosted
  PROVIDER TEXT NOT NULL,
  MODEL TEXT NOT NULL,
  ENDPOINT TEXT NOT NULL,
  KEY_REF TEXT,
  DEFAULT_MAX_TOKENS INTEGER NOT NULL DEFAULT 1024,
  DEFAULT_TEMP INTEGER,                         -- tenths: 7 is 0.7
  SYSTEM_PROMPT TEXT,
  RATE_LIMIT_RPM INTEGER,
  RATE_LIMIT_TPM INTEGER,
  MONTHLY_QUOTA_TOKENS INTEGER,
  MODELS_ALLOWED TEXT,                          -- comma-separated; null: only MODEL
  API_VERSION TEXT,
  VAULT_MAC BLOB NOT NULL,
  STATUS TEXT NOT NULL,                         -- ACTIVE SUSPENDED OVER_QUOTA TERMINATED
  NOTES TEXT,
  CREATED_AT INTEGER NOT NULL,
  UPDATED_AT INTEGER NOT NULL,
  OVER_QUOTA_UNTIL INTEGER,                      -- when an OVER_QUOTA one comes back by itself; null: it is not
  UNIQUE (CUSTOMER, PROFILE_NAME)
);
CREATE INDEX AI_PROFILE_KEY ON AI_PROFILE (KEY_REF);
CREATE INDEX AI_PROFILE_OVER_QUOTA ON AI_PROFILE (OVER_QUOTA_UNTIL) WHERE STATUS = 'OVER_QUOTA';

CREATE TABLE RATE_CARD (
  MODEL TEXT NOT NULL,
  PROVIDER TEXT NOT NULL,
  INPUT_USD_PER_MTOK INTEGER NOT NULL,          -- millionths of a dollar per million tokens
  OUTPUT_USD_PER_MTOK INTEGER NOT NULL,
  EFFECTIVE_FROM INTEGER NOT NULL,
  PRIMARY KEY (MODEL, PROVIDER, EFFECTIVE_FROM)
);

-- Acts that need two people: proposed by one admin, approved by another (vault/approval.h). A row counts with its MAC only.
CREATE TABLE APPROVAL (
  APPROVAL_ID TEXT PRIMARY KEY,
  OPERATION INTEGER NOT NULL,
  ACT_DIGEST BLOB NOT NULL,
  ACT TEXT NOT NULL,
  REASON TEXT NOT NULL,
  AUTHOR_UID INTEGER NOT NULL,
  AUTHOR TEXT NOT NULL,
  PROPOSED_AT INTEGER NOT NULL,
  EXPIRES_AT INTEGER NOT NULL,
  STATUS TEXT NOT NULL,                         -- PROPOSED, APPROVED, DENIED, PERFORMED, EXPIRED
  DECIDER_UID INTEGER,
  DECIDER TEXT,
  DECIDED_AT INTEGER,
  APPROVAL_MAC BLOB NOT NULL
);

-- Whether two people are demanded: at most one row, with its MAC. The file of stops has the last word too.
CREATE TABLE TWO_PEOPLE (
  STATE TEXT PRIMARY KEY,                       -- ON, OFF
  CHANGED_AT INTEGER NOT NULL,
  SWITCH_MAC BLOB NOT NULL
);

-- The trail. RECORD holds the exact bytes that are hashed; the other columns only help to find them.
CREATE TABLE AUDIT_LOG (
  SEQ INTEGER PRIMARY KEY,
  RECORD BLOB NOT NULL,
  AT INTEGER NOT NULL,
  ACTION TEXT NOT NULL,
  OUTCOME TEXT NOT NULL,
  ACTOR TEXT NOT NULL,
  CUSTOMER TEXT,
  KEY_REF TEXT,
  REQUEST_ID TEXT
);
-- Requests have no index: their ids are random, so each insert would touch a page of its own. At 1,000,000 records, in groups of 64, that
-- took the trail from 18,000 to 7,200 records/s.
CREATE INDEX AUDIT_LOG_KEY ON AUDIT_LOG (KEY_REF, AT) WHERE KEY_REF IS NOT NULL;
CREATE INDEX AUDIT_LOG_CUSTOMER ON AUDIT_LOG (CUSTOMER, AT) WHERE CUSTOMER IS NOT NULL;
CREATE INDEX AUDIT_LOG_NOT_OK ON AUDIT_LOG (OUTCOME, AT) WHERE OUTCOME <> 'ok';
CREATE INDEX AUDIT_LOG_ACTS ON AUDIT_LOG (AT) WHERE ACTION <> 'resolve';

-- The trail's Merkle tree (audit/tree.h): full tiles of 256 hashes, and the size and root behind the last record (one row).
CREATE TABLE AUDIT_TILE (
  TILE_LEVEL INTEGER NOT NULL,
  TILE_INDEX INTEGER NOT NULL,
  HASHES BLOB NOT NULL,                         -- 8,192 bytes
  PRIMARY KEY (TILE_LEVEL, TILE_INDEX)
);
CREATE TABLE AUDIT_HEAD (
  TREE_SIZE INTEGER NOT NULL,
  ROOT BLOB NOT NULL                            -- 32 bytes
);
