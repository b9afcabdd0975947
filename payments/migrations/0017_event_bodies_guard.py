"""The body of a webhook's event is what came, until it is emptied; never another text.

It may be emptied once the event is finished and nobody needs it any more: no review item of it or of its payment is
open, and no dispute of its payment. Nothing else may change in the same statement, and an empty one stays empty. What
a repeat is known by (`digest`) never changes, and no event is deleted.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION payments_event_body_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanted bytea := NEW.body;
BEGIN
    NEW.body := OLD.body;  -- everything but the body has to be as it was
    IF octet_length(wanted) > 0 OR NEW IS DISTINCT FROM OLD
        OR OLD.state NOT IN ('done', 'ignored', 'bad') OR OLD.try_after IS NOT NULL THEN
        RAISE EXCEPTION 'event %: its body is what came; only that of a finished event may be emptied', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_event_is_what_came';
    END IF;
    IF EXISTS (
        SELECT FROM payments_reviewitem item WHERE item.event_id = OLD.id AND item.resolved_at IS NULL
    ) OR EXISTS (
        SELECT FROM payments_payment payment
        WHERE (payment.id = OLD.payment_id OR (OLD.reference <> '' AND payment.reference = OLD.reference)) AND (
            EXISTS (
                SELECT FROM payments_reviewitem item
                WHERE item.payment_id = payment.id AND item.resolved_at IS NULL
            ) OR EXISTS (
                SELECT FROM payments_dispute dispute
                WHERE dispute.payment_id = payment.id AND dispute.state = 'open'
            )
        )
    ) THEN
        RAISE EXCEPTION 'event %: somebody still looks into it, its body stays', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_event_is_needed';
    END IF;
    NEW.body := wanted;
    RETURN NEW;
END $$;
DROP TRIGGER payments_event_is_what_came ON payments_webhookevent;
CREATE TRIGGER payments_event_is_what_came
    BEFORE UPDATE OF id, digest, first_at ON payments_webhookevent
    FOR EACH STATEMENT EXECUTE FUNCTION payments_buying_stays();
CREATE TRIGGER payments_event_body_guard
    BEFORE UPDATE OF body ON payments_webhookevent
    FOR EACH ROW EXECUTE FUNCTION payments_event_body_guard();
CREATE TRIGGER payments_event_stays BEFORE DELETE OR TRUNCATE ON payments_webhookevent
    FOR EACH STATEMENT EXECUTE FUNCTION payments_buying_stays();
"""
BACK = """
DROP TRIGGER payments_event_stays ON payments_webhookevent;
DROP TRIGGER payments_event_body_guard ON payments_webhookevent;
DROP TRIGGER payments_event_is_what_came ON payments_webhookevent;
CREATE TRIGGER payments_event_is_what_came
    BEFORE UPDATE OF id, digest, body, first_at ON payments_webhookevent
    FOR EACH STATEMENT EXECUTE FUNCTION payments_buying_stays();
DROP FUNCTION payments_event_body_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0016_figures_indexes")]
    operations = [migrations.RunSQL(FORWARD, BACK)]
