"""An act that moves nothing of its own is done without a ledger entry; every other only by that of its own key."""

from django.db import migrations

CONDITION = "NEW.state = 'done' AND (NEW.result_id IS NOT NULL OR NEW.amounts <> '{}'::jsonb) AND NOT EXISTS ("
BEFORE = "NEW.state = 'done' AND NOT EXISTS ("


def _function(condition: str) -> str:
    return f"""
CREATE OR REPLACE FUNCTION payments_approval_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
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
    IF {condition}
        SELECT FROM payments_ledgerentry WHERE id = NEW.result_id AND idem_key = NEW.idem_key) THEN
        RAISE EXCEPTION 'approval % is done only by the ledger entry of its own key', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0010_approval_without_amounts")]
    operations = [migrations.RunSQL(_function(CONDITION), _function(BEFORE))]
