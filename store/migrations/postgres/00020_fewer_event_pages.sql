-- +goose Up

-- A program of level 3 can live with this: it writes the deliveries of its
-- notifications itself.
INSERT INTO schema_levels (migration, oldest_program) VALUES (20, 3);

-- What a callback writes when somebody is notified is its notification alone. The
-- deliveries are inserted later, many at once. Notifications are found by time
-- through their ids, and nothing looks for those of a payment. None of this reads
-- or writes the table: its lock is held for a moment.
-- Another schema may have indexes of these names.
-- +goose StatementBegin
DO $$
DECLARE
    found REGCLASS;
BEGIN
    FOR found IN SELECT i.indexrelid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = CAST('events' AS REGCLASS) AND c.relname IN ('events_at', 'events_payment')
    LOOP
        EXECUTE 'DROP INDEX ' || CAST(found AS TEXT);
    END LOOP;
END
$$;
-- +goose StatementEnd

-- The endpoints that get it, with blanks between; '': its deliveries are there.
ALTER TABLE events ADD COLUMN receivers TEXT COLLATE "C" NOT NULL DEFAULT '';

-- One row: up to which place notifications have their deliveries.
CREATE TABLE event_progress (
    spread BIGINT NOT NULL
) WITH (fillfactor = 50);
INSERT INTO event_progress (spread) SELECT coalesce(max(id), 0) FROM events;
