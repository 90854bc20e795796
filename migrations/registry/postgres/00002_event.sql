-- +goose Up

-- What operators may ask about: how the statuses of nodes have changed, and
-- why. No head signs it, and nothing is decided by it. Of each node, and of the
-- network, only the newest events stay.
CREATE TABLE event (
    network    TEXT COLLATE "C" NOT NULL CHECK (length(network) > 0),
    id         BIGINT           NOT NULL CHECK (id > 0),
    node       TEXT COLLATE "C" NOT NULL,                    -- '' for the network
    made       BIGINT           NOT NULL CHECK (made > 0),   -- as of its version
    old_status BIGINT           NOT NULL CHECK (old_status BETWEEN 0 AND 3), -- 0: not listed
    new_status BIGINT           NOT NULL CHECK (new_status BETWEEN 0 AND 3),
    reason     TEXT COLLATE "C" NOT NULL CHECK (length(reason) BETWEEN 1 AND 64),
    evidence   BYTEA            NOT NULL CHECK (length(evidence) <= 512), -- text, in part from strangers
    disputed   BOOLEAN          NOT NULL,
    PRIMARY KEY (network, id)
);
CREATE INDEX event_by_node ON event (network, node, id);
