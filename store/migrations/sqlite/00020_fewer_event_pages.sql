-- +goose Up

-- A program of level 1 can live with this: it writes the deliveries of its
-- notifications itself.
INSERT INTO schema_levels (migration, oldest_program) VALUES (20, 1);

-- What a callback writes when somebody is notified is its notification alone. The
-- deliveries are inserted later, many at once. Notifications are found by time
-- through their ids, and nothing looks for those of a payment.
DROP INDEX events_at;
DROP INDEX events_payment;

-- The endpoints that get it, with blanks between; '': its deliveries are there.
ALTER TABLE events ADD COLUMN receivers TEXT NOT NULL DEFAULT '';

-- One row: up to which place notifications have their deliveries.
CREATE TABLE event_progress (
    spread INTEGER NOT NULL
) STRICT;
INSERT INTO event_progress (spread) SELECT coalesce(max(id), 0) FROM events;
