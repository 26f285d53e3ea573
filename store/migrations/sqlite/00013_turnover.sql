-- +goose Up

-- A program of level 1 can live with this.
INSERT INTO schema_levels (migration, oldest_program) VALUES (13, 1);

-- What was credited, refunded and kept as fees on each day: sums of the journal,
-- so that a report does not read all of it. Derived: it may be emptied, both
-- tables together, and is filled anew.
CREATE TABLE turnover (
    zone     TEXT    NOT NULL, -- whose days these are
    day      TEXT    NOT NULL, -- 2026-11-29
    provider TEXT    NOT NULL,
    project  TEXT    NOT NULL,
    currency TEXT    NOT NULL,
    credits  INTEGER NOT NULL, -- transactions that credited a contract
    credited INTEGER NOT NULL,
    refunded INTEGER NOT NULL,
    fees     INTEGER NOT NULL,
    PRIMARY KEY (zone, day, provider, project, currency)
) STRICT, WITHOUT ROWID;

-- Up to which place of the journal the sums of a zone count.
CREATE TABLE turnover_through (
    zone TEXT    NOT NULL PRIMARY KEY,
    seq  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
