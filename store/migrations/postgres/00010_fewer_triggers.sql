-- +goose Up

-- Migration 10 changes triggers of SQLite alone: PostgreSQL looks at the
-- condition of a trigger before it calls anything.

-- A program of level 3 can live with this.
INSERT INTO schema_levels (migration, oldest_program) VALUES (10, 3);
