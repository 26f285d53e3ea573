-- +goose Up

-- A program of before can live with this.
INSERT INTO schema_levels (migration, oldest_program) VALUES (15, 1);

-- A statement of a customer's contracts has the money that was assigned to them
-- from payments of others. No callback makes an assignment.
CREATE INDEX transactions_assignments ON transactions (seq, payment_id) WHERE kind = 'assignment';
