-- +goose Up

-- A program of level 1 can live with this.
INSERT INTO schema_levels (migration, oldest_program) VALUES (11, 1);

-- When the merchant's billing last answered for a customer, with
-- accounts.source: http.
CREATE TABLE account_confirmations (
    customer_id  TEXT    NOT NULL PRIMARY KEY,
    confirmed_at INTEGER NOT NULL -- 0: it said that it does not know the customer
) STRICT, WITHOUT ROWID;
