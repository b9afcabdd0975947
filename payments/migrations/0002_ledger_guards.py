"""What the database itself holds of the ledger, whoever writes to it.

* The legs of an entry come in one statement, numbered from 1, and sum to zero in each unit.
* An account's postings run on from its version without a gap, each with the balance it leaves behind, and
  never below the floor; the account's own balance and version move in the same trigger and nowhere else.
* Accounts are born empty; nothing is changed, deleted or truncated afterwards.

The posting trigger needs no lock of its own: its UPDATE waits for whoever else moves the account and then
finds the version gone on, so that of two writers that reckoned from the same version one is refused.
"""

from django.db import migrations

FORWARD = """
ALTER TABLE payments_posting
    ADD CONSTRAINT payments_posting_entry_fk FOREIGN KEY (entry_id) REFERENCES payments_ledgerentry (id),
    ADD CONSTRAINT payments_posting_account_fk FOREIGN KEY (account_id, unit)
        REFERENCES payments_account (id, unit);

CREATE FUNCTION payments_posting_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
    expected bigint;
    without_version boolean;
    moved bigint;
BEGIN
    SELECT entry_id, unit, sum(amount) AS total INTO wrong
    FROM inserted GROUP BY entry_id, unit HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % does not balance: its % sum to %', wrong.entry_id, wrong.unit, wrong.total
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_posting_balanced';
    END IF;

    -- Legs that arrive in one statement are 1…n; a later leg would have to repeat a position, which is unique.
    SELECT entry_id INTO wrong
    FROM inserted GROUP BY entry_id HAVING min(position) <> 1 OR max(position) <> count(*) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the legs of entry % are not inserted together, numbered from 1', wrong.entry_id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_posting_all_at_once';
    END IF;

    SELECT count(DISTINCT account_id) FILTER (WHERE version IS NOT NULL), bool_or(version IS NULL)
    INTO expected, without_version FROM inserted;

    -- What an account held before each of its postings is the same for all of them, if they run on rightly.
    WITH line AS (
        SELECT account_id, amount, balance_after,
            version - row_number() OVER past AS version_before,
            balance_after - sum(amount) OVER past AS balance_before
        FROM inserted WHERE version IS NOT NULL
        WINDOW past AS (PARTITION BY account_id ORDER BY version, id ROWS UNBOUNDED PRECEDING)
    ), move AS (
        SELECT account_id, count(*) AS postings, sum(amount) AS total, min(balance_after) AS lowest,
            min(version_before) AS version_before, max(version_before) AS same_version,
            min(balance_before) AS balance_before, max(balance_before) AS same_balance
        FROM line GROUP BY account_id
    )
    UPDATE payments_account AS account
    SET balance = account.balance + move.total, version = account.version + move.postings
    FROM move
    WHERE account.id = move.account_id AND account.is_materialised
        AND account.version = move.version_before AND account.version = move.same_version
        AND account.balance = move.balance_before AND account.balance = move.same_balance
        AND (account.floor IS NULL OR move.lowest >= account.floor);
    GET DIAGNOSTICS moved = ROW_COUNT;

    IF moved <> expected THEN
        SELECT account.code, account.unit, posting.balance_after - posting.amount AS held, -posting.amount AS needed
        INTO wrong
        FROM inserted AS posting JOIN payments_account AS account ON account.id = posting.account_id
        WHERE account.is_materialised AND posting.balance_after < account.floor
        ORDER BY posting.id LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'account % holds % and % are needed', wrong.code, wrong.held, wrong.needed
                USING ERRCODE = 'check_violation', TABLE = 'payments_account', CONSTRAINT = 'payments_account_floor',
                    DETAIL = json_build_object('account', wrong.code, 'balance', wrong.held, 'needed', wrong.needed)::text;
        END IF;
        RAISE EXCEPTION 'postings do not run on from the version and the balance of their account'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_posting_runs_on';
    END IF;

    IF without_version THEN
        SELECT account.code INTO wrong
        FROM inserted AS posting JOIN payments_account AS account ON account.id = posting.account_id
        WHERE posting.version IS NULL AND account.is_materialised LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'account % keeps a balance: its postings need a version', wrong.code
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_posting_runs_on';
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER payments_posting_inserted AFTER INSERT ON payments_posting
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION payments_posting_inserted();

CREATE FUNCTION payments_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER payments_posting_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payments_posting
    FOR EACH STATEMENT EXECUTE FUNCTION payments_refuse_change();
CREATE TRIGGER payments_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payments_ledgerentry
    FOR EACH STATEMENT EXECUTE FUNCTION payments_refuse_change();
CREATE TRIGGER payments_account_stays BEFORE DELETE OR TRUNCATE ON payments_account
    FOR EACH STATEMENT EXECUTE FUNCTION payments_refuse_change();
-- Depth 0 is a statement of a client: only the posting trigger moves a balance, and even it nothing else.
CREATE TRIGGER payments_account_moves_by_posting BEFORE UPDATE ON payments_account
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION payments_refuse_change();
CREATE TRIGGER payments_account_is_fixed
    BEFORE UPDATE OF id, code, unit, owner_id, floor, is_materialised ON payments_account
    FOR EACH STATEMENT EXECUTE FUNCTION payments_refuse_change();

CREATE FUNCTION payments_refuse_born_rich() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'account % must begin empty', NEW.code USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER payments_account_begins_empty BEFORE INSERT ON payments_account
    FOR EACH ROW WHEN (NEW.balance <> 0 OR NEW.version <> 0) EXECUTE FUNCTION payments_refuse_born_rich();
"""
BACKWARD = """
DROP TRIGGER payments_account_begins_empty ON payments_account;
DROP TRIGGER payments_account_is_fixed ON payments_account;
DROP TRIGGER payments_account_moves_by_posting ON payments_account;
DROP TRIGGER payments_account_stays ON payments_account;
DROP TRIGGER payments_entry_append_only ON payments_ledgerentry;
DROP TRIGGER payments_posting_append_only ON payments_posting;
DROP TRIGGER payments_posting_inserted ON payments_posting;
DROP FUNCTION payments_refuse_born_rich();
DROP FUNCTION payments_refuse_change();
DROP FUNCTION payments_posting_inserted();
ALTER TABLE payments_posting
    DROP CONSTRAINT payments_posting_account_fk,
    DROP CONSTRAINT payments_posting_entry_fk;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
