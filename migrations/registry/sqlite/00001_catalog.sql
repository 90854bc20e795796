-- +goose Up

-- Every table begins with the network, named by its trust domain: several live
-- in one database and share nothing. Times are Unix seconds.

-- To which registry identity the network's log belongs, for ever.
CREATE TABLE claim (
    network  TEXT NOT NULL PRIMARY KEY CHECK (length(network) > 0),
    registry TEXT NOT NULL CHECK (length(registry) > 0),
    nid      BLOB NOT NULL CHECK (length(nid) = 32)
) STRICT, WITHOUT ROWID;

-- What the heads signed. The primary key decides between two processes that
-- make the same version. The newest row always stays, old ones are pruned.
CREATE TABLE version (
    network TEXT    NOT NULL CHECK (length(network) > 0),
    version INTEGER NOT NULL CHECK (version > 0),
    made    INTEGER NOT NULL CHECK (made > 0),
    leaf    BLOB    NOT NULL CHECK (length(leaf) > 0),
    changes BLOB    NOT NULL CHECK (length(changes) > 0),
    PRIMARY KEY (network, version)
) STRICT;

-- The hashes of the log by their place (RFC 6962, tlog.StoredHashIndex), kept
-- for ever.
CREATE TABLE log_hash (
    network  TEXT    NOT NULL CHECK (length(network) > 0),
    position INTEGER NOT NULL CHECK (position >= 0),
    hash     BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (network, position)
) STRICT, WITHOUT ROWID;

-- Certificates of signers and their issuers, under SHA-256 of the DER. used_at
-- is later than one day before accepted_at of every object that needs the row.
CREATE TABLE certificate (
    network    TEXT    NOT NULL CHECK (length(network) > 0),
    thumbprint BLOB    NOT NULL CHECK (length(thumbprint) = 32),
    der        BLOB    NOT NULL CHECK (length(der) BETWEEN 1 AND 16384),
    used_at    INTEGER NOT NULL,
    PRIMARY KEY (network, thumbprint)
) STRICT;
CREATE INDEX certificate_by_use ON certificate (network, used_at);

-- Signed statements under their record id. Who stores one again makes
-- accepted_at later, so that no other process prunes it at that moment.
CREATE TABLE object (
    network     TEXT    NOT NULL CHECK (length(network) > 0),
    rid         BLOB    NOT NULL CHECK (length(rid) = 32),
    node        TEXT    NOT NULL CHECK (length(node) > 0),
    token       BLOB    NOT NULL CHECK (length(token) BETWEEN 1 AND 8192),
    leaf        BLOB    NOT NULL CHECK (length(leaf) = 32),   -- thumbprint
    issuer      BLOB    NOT NULL CHECK (length(issuer) = 32), -- thumbprint
    accepted_at INTEGER NOT NULL,
    PRIMARY KEY (network, rid)
) STRICT;
CREATE INDEX object_by_age ON object (network, accepted_at);

-- What is known of a node. state, hidden (what an operator's tombstone hides)
-- and evidence (of an equivocation) name objects of that node, or nothing.
CREATE TABLE node (
    network      TEXT    NOT NULL CHECK (length(network) > 0),
    node         TEXT    NOT NULL CHECK (length(node) > 0),
    state        BLOB    NOT NULL CHECK (length(state) = 32),
    hidden       BLOB    CHECK (length(hidden) = 32),
    evidence     BLOB    CHECK (length(evidence) = 32),
    greatest_iat INTEGER NOT NULL CHECK (greatest_iat >= 0),
    applied      INTEGER NOT NULL CHECK (applied >= 0), -- version
    listed       INTEGER NOT NULL CHECK (listed IN (0, 1)),
    status       INTEGER NOT NULL CHECK (status BETWEEN 0 AND 3), -- 0 unless listed
    since        INTEGER NOT NULL CHECK (since >= 0),             -- 0 unless listed
    PRIMARY KEY (network, node)
) STRICT, WITHOUT ROWID;

-- The greatest heartbeat token of the record of a node.
CREATE TABLE beat (
    network TEXT    NOT NULL CHECK (length(network) > 0),
    node    TEXT    NOT NULL CHECK (length(node) > 0),
    rid     BLOB    NOT NULL CHECK (length(rid) = 32),
    k       INTEGER NOT NULL CHECK (k > 0),
    token   BLOB    NOT NULL CHECK (length(token) = 32),
    PRIMARY KEY (network, node)
) STRICT, WITHOUT ROWID;
