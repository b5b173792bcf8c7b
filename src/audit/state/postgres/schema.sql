-- The tables of a state, in a schema of their own. Times of runs are seconds since 1970. Keys are in the order of their bytes, whatever the database's language.

CREATE TABLE layersift.version (
    version integer NOT NULL
);

CREATE TABLE layersift.run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan text NOT NULL,
    started bigint NOT NULL,
    completed bigint,
    previous bigint
);
CREATE UNIQUE INDEX run_open ON layersift.run (plan) WHERE completed IS NULL;

-- stage: 0 listing, 1 repository, 2 tag, 3 layer, 4 image. state: 0 waiting, 1 ready, 2 taken, 3 finished, 4 failed.
-- waits: layers in "prerequisites" (a JSON array) that are not finished. token: another one for each time it was taken. lost: leases that ran out.
CREATE TABLE layersift.work (
    run bigint NOT NULL,
    stage smallint NOT NULL,
    key text COLLATE "C" NOT NULL,
    payload bytea NOT NULL,
    size bigint NOT NULL,
    prerequisites text NOT NULL,
    waits integer NOT NULL,
    state smallint NOT NULL,
    token bigint NOT NULL DEFAULT 0,
    lost bigint NOT NULL DEFAULT 0,
    worker text,
    until timestamptz,
    fetched bigint NOT NULL DEFAULT 0,
    failure text,
    PRIMARY KEY (run, stage, key)
);
-- What is to be done, in the order in which it is taken; what is finished is not in it, so that it stays small.
CREATE INDEX work_open ON layersift.work (run, state, stage DESC, size DESC, key) WHERE state < 3;
CREATE INDEX work_failed ON layersift.work (run, stage, key) WHERE state = 4;
CREATE INDEX work_progress ON layersift.work (run, stage, state) INCLUDE (fetched);

-- Which work waits for which layer that is not finished.
CREATE TABLE layersift.wait (
    run bigint NOT NULL,
    layer text COLLATE "C" NOT NULL,
    stage smallint NOT NULL,
    key text COLLATE "C" NOT NULL,
    PRIMARY KEY (run, layer, stage, key)
);

CREATE TABLE layersift.fact (
    run bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (run, key)
);

-- used: the newest run there was when it was put or read last.
CREATE TABLE layersift.result (
    name text COLLATE "C" PRIMARY KEY,
    bytes bytea NOT NULL,
    used bigint NOT NULL
);

CREATE TABLE layersift.secret (
    name text COLLATE "C" PRIMARY KEY,
    bytes bytea NOT NULL
);
