-- +goose Up

-- Every certificate issued. A row is written before the signature, without
-- sha256 and der, and completed after it: no certificate can exist unknown.
CREATE TABLE certificates (
    network        TEXT   NOT NULL,
    issuer         BLOB   NOT NULL, -- SHA-256 of the issuer's SubjectPublicKeyInfo
    serial         TEXT   NOT NULL, -- lower-case hexadecimal
    issuer_name    TEXT   NOT NULL, -- node, registry
    usage          TEXT   NOT NULL, -- tls, signing, ca-server
    service        TEXT   NOT NULL, -- empty for ca-server
    node           TEXT   NOT NULL,
    not_before     BIGINT NOT NULL,
    not_after      BIGINT NOT NULL,
    spki           BLOB   NOT NULL, -- SHA-256 of the holder's SubjectPublicKeyInfo
    issued_at      BIGINT NOT NULL,
    sha256         BLOB,
    der            BLOB,
    renewed_at     BIGINT,
    revoked_at     BIGINT,
    revoked_reason TEXT,
    PRIMARY KEY (network, issuer, serial)
);
CREATE INDEX certificates_by_node ON certificates (network, service, node);
CREATE INDEX certificates_by_spki ON certificates (network, spki);

-- Ids of join tokens that were used, kept for a year after the token is over.
CREATE TABLE used_tokens (
    network    TEXT   NOT NULL,
    jti        TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (network, jti)
);
CREATE INDEX used_tokens_by_end ON used_tokens (expires_at);

-- Where the registries of a network are reached. One address is one registry's.
CREATE TABLE registries (
    network TEXT NOT NULL,
    url     TEXT NOT NULL,
    node    TEXT NOT NULL,
    PRIMARY KEY (network, url)
);

-- The newest head of each registry that was verified.
CREATE TABLE marks (
    network TEXT   NOT NULL,
    node    TEXT   NOT NULL,
    version BIGINT NOT NULL,
    root    BLOB   NOT NULL,
    log     BLOB   NOT NULL,
    made    BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    crls    TEXT   NOT NULL, -- hash of the CRLs it serves, base64url
    bundle  TEXT   NOT NULL, -- hash of the bundle it serves, base64url
    PRIMARY KEY (network, node)
);
