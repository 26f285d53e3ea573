-- +goose Up

-- A program of level 3 can live with this.
INSERT INTO schema_levels (migration, oldest_program) VALUES (13, 3);

-- What was credited, refunded and kept as fees on each day: sums of the journal,
-- so that a report does not read all of it. Derived: it may be emptied, both
-- tables together, and is filled anew.
CREATE TABLE turnover (
    zone     TEXT COLLATE "C" NOT NULL, -- whose days these are
    day      TEXT COLLATE "C" NOT NULL, -- 2026-11-29
    provider TEXT COLLATE "C" NOT NULL,
    project  TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    credits  BIGINT NOT NULL, -- transactions that credited a contract
    credited BIGINT NOT NULL,
    refunded BIGINT NOT NULL,
    fees     BIGINT NOT NULL,
    PRIMARY KEY (zone, day, provider, project, currency)
);

-- Up to which place of the journal the sums of a zone count.
CREATE TABLE turnover_through (
    zone TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL
);
