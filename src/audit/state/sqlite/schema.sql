-- Times of runs are seconds since 1970; those of leases, which processes on one machine compare, milliseconds.

CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    plan TEXT NOT NULL,
    started INTEGER NOT NULL,
    completed INTEGER,
    previous INTEGER
) STRICT;
CREATE UNIQUE INDEX run_open ON run (plan) WHERE completed IS NULL;

-- stage: 0 listing, 1 repository, 2 tag, 3 layer, 4 image. state: 0 waiting, 1 ready, 2 taken, 3 finished, 4 failed.
-- waits: layers in "prerequisites" (a JSON array) that are not finished. token: another one for each time it was taken. lost: leases that ran out.
CREATE TABLE work (
    run INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    key TEXT NOT NULL,
    payload BLOB NOT NULL,
    size INTEGER NOT NULL,
    prerequisites TEXT NOT NULL,
    waits INTEGER NOT NULL,
    state INTEGER NOT NULL,
    token INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    worker TEXT,
    until INTEGER,
    fetched INTEGER NOT NULL DEFAULT 0,
    failure TEXT,
    PRIMARY KEY (run, stage, key)
) STRICT;
-- What is to be done, in the order in which it is taken; what is finished is not in it, so that it stays small.
CREATE INDEX work_open ON work (run, state, stage DESC, size DESC, key) WHERE state < 3;
CREATE INDEX work_failed ON work (run, stage, key) WHERE state = 4;
CREATE INDEX work_progress ON work (run, stage, state, fetched);

-- Which work waits for which layer that is not finished.
CREATE TABLE wait (
    run INTEGER NOT NULL,
    layer TEXT NOT NULL,
    stage INTEGER NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (run, layer, stage, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE fact (
    run INTEGER NOT NULL,
    key TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (run, key)
) STRICT;

-- used: the newest run there was when it was put or read last.
CREATE TABLE result (
    name TEXT PRIMARY KEY NOT NULL,
    bytes BLOB NOT NULL,
    used INTEGER NOT NULL
) STRICT;

CREATE TABLE secret (
    name TEXT PRIMARY KEY NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
