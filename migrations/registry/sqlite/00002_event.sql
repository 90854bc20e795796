-- +goose Up

-- What operators may ask about: how the statuses of nodes have changed, and
-- why. No head signs it, and nothing is decided by it. Of each node, and of the
-- network, only the newest events stay.
CREATE TABLE event (
    network    TEXT    NOT NULL CHECK (length(network) > 0),
    id         INTEGER NOT NULL CHECK (id > 0),
    node       TEXT    NOT NULL,                    -- '' for the network
    made       INTEGER NOT NULL CHECK (made > 0),   -- as of its version
    old_status INTEGER NOT NULL CHECK (old_status BETWEEN 0 AND 3), -- 0: not listed
    new_status INTEGER NOT NULL CHECK (new_status BETWEEN 0 AND 3),
    reason     TEXT    NOT NULL CHECK (length(reason) BETWEEN 1 AND 64),
    evidence   BLOB    NOT NULL CHECK (length(evidence) <= 512), -- text, in part from strangers
    disputed   INTEGER NOT NULL CHECK (disputed IN (0, 1)),
    PRIMARY KEY (network, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_by_node ON event (network, node, id);
