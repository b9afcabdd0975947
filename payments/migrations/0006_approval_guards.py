"""What the database holds of approvals: what was asked stays as it was asked, and a decision stays decided.

That two people are needed is a CHECK on the table. Here: a request is born waiting; its content never changes;
its state moves along the one way there is; it is done only by the ledger entry that carries its own key.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION payments_approval_refuse_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an approval begins as a request that waits, not as %', NEW.state
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER payments_approval_begins_waiting BEFORE INSERT ON payments_approval
    FOR EACH ROW WHEN (NEW.state <> 'requested') EXECUTE FUNCTION payments_approval_refuse_insert();

CREATE FUNCTION payments_approval_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.public_id, NEW.idem_key, NEW.kind, NEW.amounts, NEW.params, NEW.about, NEW.reason,
        NEW.digest, NEW.requested_by_id, NEW.requested_at, NEW.expires_at)
       IS DISTINCT FROM
       (OLD.id, OLD.public_id, OLD.idem_key, OLD.kind, OLD.amounts, OLD.params, OLD.about, OLD.reason,
        OLD.digest, OLD.requested_by_id, OLD.requested_at, OLD.expires_at) THEN
        RAISE EXCEPTION 'what approval % asks for never changes', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT (OLD.state = 'requested' AND NEW.state IN ('approved', 'rejected', 'withdrawn', 'expired')
            OR OLD.state = 'approved' AND NEW.state = 'done') THEN
        RAISE EXCEPTION 'approval % is %: it does not become %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'approved' AND (NEW.decided_by_id, NEW.decided_at, NEW.note)
       IS DISTINCT FROM (OLD.decided_by_id, OLD.decided_at, OLD.note) THEN
        RAISE EXCEPTION 'approval % is decided: by whom, when and why stays', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'done' AND NOT EXISTS (
        SELECT FROM payments_ledgerentry WHERE id = NEW.result_id AND idem_key = NEW.idem_key) THEN
        RAISE EXCEPTION 'approval % is done only by the ledger entry of its own key', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_approval_moves_on BEFORE UPDATE ON payments_approval
    FOR EACH ROW EXECUTE FUNCTION payments_approval_refuse_change();

CREATE FUNCTION payments_approval_refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'approvals are kept: % is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER payments_approval_stays BEFORE DELETE OR TRUNCATE ON payments_approval
    FOR EACH STATEMENT EXECUTE FUNCTION payments_approval_refuse_removal();
"""
BACKWARD = """
DROP TRIGGER payments_approval_stays ON payments_approval;
DROP TRIGGER payments_approval_moves_on ON payments_approval;
DROP TRIGGER payments_approval_begins_waiting ON payments_approval;
DROP FUNCTION payments_approval_refuse_removal();
DROP FUNCTION payments_approval_refuse_change();
DROP FUNCTION payments_approval_refuse_insert();
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0005_approval")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
