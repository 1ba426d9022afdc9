-- The vault database on PostgreSQL: vaultd alone writes it, auditlog opens it read-only.
-- Table and column names are folded to lower case. Times are microseconds since 1970 UTC. KEY_VAULT's and AI_PROFILE's columns are INTERFACES §2.

CREATE TABLE SCHEMA_VERSION (SCHEMA_NAME TEXT PRIMARY KEY, VERSION BIGINT NOT NULL);

-- One row: who this vault is, and the number that moves whenever a key, profile or rate changes.
CREATE TABLE VAULT (
  VAULT_ID TEXT PRIMARY KEY,                    -- 32 hexadecimal digits, random
  EPOCH BIGINT NOT NULL,
  CREATED_AT BIGINT NOT NULL,
  TRAIL_PUBLIC_KEY BYTEA NOT NULL                     -- Ed25519, 32 bytes: of the key that signs checkpoints
);

CREATE TABLE KEK (
  KEK_VERSION BIGINT PRIMARY KEY,
  CHECK_VALUE BYTEA NOT NULL,                    -- HKDF(KEK, "kcv"), 32 bytes
  STATUS TEXT NOT NULL,                         -- PREPARED, ACTIVE (one), RETIRING, RETIRED, DESTROYED
  CREATED_AT BIGINT NOT NULL,
  CHANGED_AT BIGINT NOT NULL                   -- when STATUS last changed
);

-- The vault's own random keys (profile MACs, fingerprints), each wrapped by a KEK.
CREATE TABLE VAULT_SECRET (
  SECRET_NAME TEXT PRIMARY KEY,
  KEK_VERSION BIGINT NOT NULL REFERENCES KEK(KEK_VERSION),
  NONCE BYTEA NOT NULL,
  WRAPPED BYTEA NOT NULL
);

-- Recovery keys: the public halves of those that custodians' shares make. The highest SET_NUMBER is in force.
CREATE TABLE RECOVERY_SET (
  SET_NUMBER BIGINT PRIMARY KEY,
  SET_ID TEXT NOT NULL,                         -- of the public key, as shares print it
  PUBLIC_KEY BYTEA NOT NULL,                     -- X25519, 32 bytes
  THRESHOLD BIGINT NOT NULL,
  DIGESTS BYTEA NOT NULL,                        -- SHA-256 of each share, 32 bytes each, by index
  CUSTODIANS TEXT NOT NULL,                     -- a line each, by index; empty where nobody was named
  CREATED_AT BIGINT NOT NULL,
  VAULT_MAC BYTEA NOT NULL
);

-- KEKs sealed to the recovery key in force.
CREATE TABLE KEK_RECOVERY (
  SET_NUMBER BIGINT NOT NULL REFERENCES RECOVERY_SET(SET_NUMBER),
  KEK_VERSION BIGINT NOT NULL REFERENCES KEK(KEK_VERSION),
  SEALED BYTEA NOT NULL,
  VAULT_MAC BYTEA NOT NULL,
  PRIMARY KEY (SET_NUMBER, KEK_VERSION)
);

-- The vaultds that serve this vault, each from a home of its own.
CREATE TABLE NODE (
  NODE_ID TEXT PRIMARY KEY,                     -- 16 hexadecimal digits, random: HOME/node
  HOST TEXT NOT NULL,
  STATUS TEXT NOT NULL,                         -- JOINING, MEMBER, REMOVED
  BOOT TEXT NOT NULL,                           -- the vaultd that holds the lease; empty: none does
  RENEWALS BIGINT NOT NULL,                    -- of the lease, so far
  ACKNOWLEDGED_EPOCH BIGINT NOT NULL,
  SEEN_AT BIGINT NOT NULL,                     -- the node's clock at its last renewal, for people
  VERIFIER_KEY TEXT NOT NULL DEFAULT ''         -- what its log's checkpoints are signed with, under which name; empty: not yet known
);

-- Which KEK versions a node holds, in its file and in memory.
CREATE TABLE NODE_KEK (
  NODE_ID TEXT NOT NULL REFERENCES NODE(NODE_ID),
  KEK_VERSION BIGINT NOT NULL REFERENCES KEK(KEK_VERSION),
  PRIMARY KEY (NODE_ID, KEK_VERSION)
);

-- The X25519 key that KEKs travel to a node under (vault/node_keks.h). It counts with VAULT_MAC only; both MACs are empty until
-- the node is confirmed.
CREATE TABLE NODE_KEY (
  NODE_ID TEXT PRIMARY KEY REFERENCES NODE(NODE_ID),
  PUBLIC_KEY BYTEA NOT NULL,
  VAULT_MAC BYTEA NOT NULL,
  JOIN_MAC BYTEA NOT NULL                         -- tells the node that whoever confirmed it knew its check phrase
);

-- KEK versions on their way to a node, sealed to its key; gone once it holds them.
CREATE TABLE KEK_FOR_NODE (
  NODE_ID TEXT NOT NULL REFERENCES NODE(NODE_ID),
  KEK_VERSION BIGINT NOT NULL REFERENCES KEK(KEK_VERSION),
  SEALED BYTEA NOT NULL,
  VAULT_MAC BYTEA NOT NULL,
  PRIMARY KEY (NODE_ID, KEK_VERSION)
);

CREATE TABLE KEY_VAULT (
  KEY_REF TEXT PRIMARY KEY,
  CUSTOMER TEXT NOT NULL,
  PROVIDER TEXT NOT NULL,
  KEY_VERSION BIGINT NOT NULL,
  ENCRYPTED_DEK BYTEA NOT NULL,
  ENCRYPTED_KEY BYTEA NOT NULL,
  NONCE_DEK BYTEA NOT NULL,
  NONCE_KEY BYTEA NOT NULL,
  KEK_VERSION BIGINT NOT NULL REFERENCES KEK(KEK_VERSION),
  STATUS TEXT NOT NULL,
  CREATED_AT BIGINT NOT NULL,
  LAST_USED_AT BIGINT,
  REVOKED_AT BIGINT,
  LABEL TEXT NOT NULL,
  ORIGIN TEXT NOT NULL,
  HOSTED TEXT NOT NULL,                         -- Y or N
  ROW_VERSION BIGINT NOT NULL,
  GRACE_UNTIL BIGINT,
  STATE_CHANGED_AT BIGINT NOT NULL,
  FINGERPRINT TEXT NOT NULL,
  LIMIT_RPM BIGINT,                             -- what its account at the provider takes a minute, shared out among its profiles; null: no limit
  LIMIT_TPM BIGINT
);
CREATE INDEX KEY_VAULT_CUSTOMER ON KEY_VAULT (CUSTOMER, STATUS);
CREATE INDEX KEY_VAULT_KEK ON KEY_VAULT (KEK_VERSION, KEY_REF);
CREATE INDEX KEY_VAULT_CHANGED ON KEY_VAULT (STATE_CHANGED_AT);
CREATE INDEX KEY_VAULT_FINGERPRINT ON KEY_VAULT (FINGERPRINT);
CREATE INDEX KEY_VAULT_GRACE ON KEY_VAULT (GRACE_UNTIL) WHERE STATUS = 'ROTATED';

-- Keys that were SUSPENDED because their provider refused them (vault/notice.h). A row counts with VAULT_MAC only.
CREATE TABLE KEY_NOTICE (
  KEY_REF TEXT PRIMARY KEY REFERENCES KEY_VAULT(KEY_REF),
  ROW_VERSION BIGINT NOT NULL,                  -- of the suspension
  HTTP_STATUS BIGINT NOT NULL,                  -- what the provider answered to the probe
  NOTICED_AT BIGINT NOT NULL,
  VAULT_MAC BYTEA NOT NULL
);

-- Tickets by which customers hand keys in (vault/SEALED.md). Nothing of an OPEN one is believed before its private key has opened.
CREATE TABLE KEY_TICKET (
  TICKET_ID TEXT PRIMARY KEY,                   -- 16 hexadecimal digits, random
  CUSTOMER TEXT NOT NULL,
  PROVIDER TEXT NOT NULL,
  ENDPOINT TEXT NOT NULL,                       -- empty: the provider's own
  ORIGIN TEXT NOT NULL,
  ROTATES TEXT NOT NULL,                        -- the KEY_REF that the key is to replace; empty: none
  PUBLIC_KEY BYTEA NOT NULL,                    -- X25519, 32 bytes
  CREATED_AT BIGINT NOT NULL,
  EXPIRES_AT BIGINT NOT NULL,
  STATUS TEXT NOT NULL,                         -- OPEN, USED, CANCELLED, EXPIRED
  CHANGED_AT BIGINT NOT NULL,                  -- when STATUS last changed
  KEY_REF TEXT NOT NULL,                        -- the key that it brought; empty: none yet
  KEK_VERSION BIGINT NOT NULL REFERENCES KEK(KEK_VERSION),
  NONCE BYTEA NOT NULL,
  PRIVATE_KEY BYTEA NOT NULL                    -- under the KEK; empty where it is not OPEN
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
  DEFAULT_MAX_TOKENS BIGINT NOT NULL DEFAULT 1024,
  DEFAULT_TEMP BIGINT,                         -- tenths: 7 is 0.7
  SYSTEM_PROMPT TEXT,
  RATE_LIMIT_RPM BIGINT,
  RATE_LIMIT_TPM BIGINT,
  MONTHLY_QUOTA_TOKENS BIGINT,
  MODELS_ALLOWED TEXT,                          -- comma-separated; null: only MODEL
  API_VERSION TEXT,
  VAULT_MAC BYTEA NOT NULL,
  STATUS TEXT NOT NULL,                         -- ACTIVE SUSPENDED OVER_QUOTA TERMINATED
  NOTES TEXT,
  CREATED_AT BIGINT NOT NULL,
  UPDATED_AT BIGINT NOT NULL,
  OVER_QUOTA_UNTIL BIGINT,                      -- when an OVER_QUOTA one comes back by itself; null: it is not
  UNIQUE (CUSTOMER, PROFILE_NAME)
);
CREATE INDEX AI_PROFILE_KEY ON AI_PROFILE (KEY_REF);
CREATE INDEX AI_PROFILE_OVER_QUOTA ON AI_PROFILE (OVER_QUOTA_UNTIL) WHERE STATUS = 'OVER_QUOTA';

CREATE TABLE RATE_CARD (
  MODEL TEXT NOT NULL,
  PROVIDER TEXT NOT NULL,
  INPUT_USD_PER_MTOK BIGINT NOT NULL,          -- millionths of a dollar per million tokens
  OUTPUT_USD_PER_MTOK BIGINT NOT NULL,
  EFFECTIVE_FROM BIGINT NOT NULL,
  PRIMARY KEY (MODEL, PROVIDER, EFFECTIVE_FROM)
);

-- Acts that need two people: proposed by one admin, approved by another (vault/approval.h). A row counts with its MAC only.
CREATE TABLE APPROVAL (
  APPROVAL_ID TEXT PRIMARY KEY,
  OPERATION BIGINT NOT NULL,
  ACT_DIGEST BYTEA NOT NULL,
  ACT TEXT NOT NULL,
  REASON TEXT NOT NULL,
  AUTHOR_UID BIGINT NOT NULL,
  AUTHOR TEXT NOT NULL,
  PROPOSED_AT BIGINT NOT NULL,
  EXPIRES_AT BIGINT NOT NULL,
  STATUS TEXT NOT NULL,                         -- PROPOSED, APPROVED, DENIED, PERFORMED, EXPIRED
  DECIDER_UID BIGINT,
  DECIDER TEXT,
  DECIDED_AT BIGINT,
  APPROVAL_MAC BYTEA NOT NULL
);

-- Whether two people are demanded: at most one row, with its MAC. The file of stops has the last word too.
CREATE TABLE TWO_PEOPLE (
  STATE TEXT PRIMARY KEY,                       -- ON, OFF
  CHANGED_AT BIGINT NOT NULL,
  SWITCH_MAC BYTEA NOT NULL
);

-- The trail: one log a node. RECORD holds the exact bytes that are hashed; the other columns only help to find them.
CREATE TABLE AUDIT_TRAIL (
  NODE_ID TEXT NOT NULL DEFAULT current_setting('strongroom.node'),
  SEQ BIGINT NOT NULL,
  RECORD BYTEA NOT NULL,
  AT BIGINT NOT NULL,
  ACTION TEXT NOT NULL,
  OUTCOME TEXT NOT NULL,
  ACTOR TEXT NOT NULL,
  CUSTOMER TEXT,
  KEY_REF TEXT,
  REQUEST_ID TEXT,
  PRIMARY KEY (NODE_ID, SEQ)
);
CREATE INDEX AUDIT_TRAIL_KEY ON AUDIT_TRAIL (KEY_REF, AT) WHERE KEY_REF IS NOT NULL;
CREATE INDEX AUDIT_TRAIL_CUSTOMER ON AUDIT_TRAIL (CUSTOMER, AT) WHERE CUSTOMER IS NOT NULL;
CREATE INDEX AUDIT_TRAIL_NOT_OK ON AUDIT_TRAIL (OUTCOME, AT) WHERE OUTCOME <> 'ok';
CREATE INDEX AUDIT_TRAIL_ACTS ON AUDIT_TRAIL (AT) WHERE ACTION <> 'resolve';

-- The log of the node that the connection has said it is about (SET strongroom.node), with SQLite's name and columns.
CREATE VIEW AUDIT_LOG AS
  SELECT SEQ, RECORD, AT, ACTION, OUTCOME, ACTOR, CUSTOMER, KEY_REF, REQUEST_ID
  FROM AUDIT_TRAIL WHERE NODE_ID = current_setting('strongroom.node');

-- Each log's Merkle tree (audit/tree.h): full tiles of 256 hashes, and the size and root behind the last record.
CREATE TABLE TRAIL_TILE (
  NODE_ID TEXT NOT NULL DEFAULT current_setting('strongroom.node'),
  TILE_LEVEL BIGINT NOT NULL,
  TILE_INDEX BIGINT NOT NULL,
  HASHES BYTEA NOT NULL,                        -- 8,192 bytes
  PRIMARY KEY (NODE_ID, TILE_LEVEL, TILE_INDEX)
);
CREATE TABLE TRAIL_HEAD (
  NODE_ID TEXT PRIMARY KEY DEFAULT current_setting('strongroom.node'),
  TREE_SIZE BIGINT NOT NULL,
  ROOT BYTEA NOT NULL                           -- 32 bytes
);
CREATE VIEW AUDIT_TILE AS
  SELECT TILE_LEVEL, TILE_INDEX, HASHES FROM TRAIL_TILE WHERE NODE_ID = current_setting('strongroom.node');
CREATE VIEW AUDIT_HEAD AS
  SELECT TREE_SIZE, ROOT FROM TRAIL_HEAD WHERE NODE_ID = current_setting('strongroom.node');
