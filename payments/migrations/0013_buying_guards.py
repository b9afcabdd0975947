"""What the database holds of payments, whoever writes to them.

* What was promised at the checkout (who pays, what for, how much, for how many credits) never changes.
* A status goes only where it may: whatever is unpaid may still be paid, what is paid never becomes unpaid.
* What was booked (entry, time, amount) is written once. Nothing is deleted.
* The body of a webhook's event is what came, for good; a refund's amount is what was set aside.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION payments_payment_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unpaid CONSTANT text[] := ARRAY['created', 'initialized', 'pending', 'failed', 'abandoned', 'expired'];
    was_paid boolean := OLD.status <> ALL (unpaid);
    is_paid boolean := NEW.status <> ALL (unpaid);
BEGIN
    IF (NEW.public_id, NEW.reference, NEW.checkout_key, NEW.member_id, NEW.kind, NEW.item, NEW.title,
        NEW.credits, NEW.price, NEW.currency, NEW.domain, NEW.created_at) IS DISTINCT FROM
       (OLD.public_id, OLD.reference, OLD.checkout_key, OLD.member_id, OLD.kind, OLD.item, OLD.title,
        OLD.credits, OLD.price, OLD.currency, OLD.domain, OLD.created_at) THEN
        RAISE EXCEPTION 'payment %: what was promised at the checkout does not change', OLD.reference
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_payment_is_frozen';
    END IF;
    IF was_paid AND NOT is_paid THEN
        RAISE EXCEPTION 'payment %: paid is paid, it can''t become %', OLD.reference, NEW.status
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_payment_stays_paid';
    END IF;
    IF is_paid AND NOT was_paid AND NEW.status <> 'succeeded' THEN
        RAISE EXCEPTION 'payment %: what is paid has succeeded first', OLD.reference
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_payment_succeeds_first';
    END IF;
    IF NEW.status IN ('created', 'initialized') AND OLD.status <> NEW.status
        AND NOT (OLD.status = 'created' AND NEW.status = 'initialized') THEN
        RAISE EXCEPTION 'payment %: a checkout does not begin again', OLD.reference
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_payment_goes_on';
    END IF;
    IF was_paid AND (NEW.entry_id, NEW.settled_at, NEW.paid_amount, NEW.paystack_id) IS DISTINCT FROM
       (OLD.entry_id, OLD.settled_at, OLD.paid_amount, OLD.paystack_id) THEN
        RAISE EXCEPTION 'payment %: what was booked does not change', OLD.reference
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_payment_is_booked';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_payment_guard BEFORE UPDATE ON payments_payment
    FOR EACH ROW EXECUTE FUNCTION payments_payment_guard();

CREATE FUNCTION payments_buying_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: what happened with money stays', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER payments_payment_stays BEFORE DELETE OR TRUNCATE ON payments_payment
    FOR EACH STATEMENT EXECUTE FUNCTION payments_buying_stays();
CREATE TRIGGER payments_refund_stays BEFORE DELETE OR TRUNCATE ON payments_refund
    FOR EACH STATEMENT EXECUTE FUNCTION payments_buying_stays();
CREATE TRIGGER payments_dispute_stays BEFORE DELETE OR TRUNCATE ON payments_dispute
    FOR EACH STATEMENT EXECUTE FUNCTION payments_buying_stays();
CREATE TRIGGER payments_event_is_what_came
    BEFORE UPDATE OF id, digest, body, first_at ON payments_webhookevent
    FOR EACH STATEMENT EXECUTE FUNCTION payments_buying_stays();
CREATE TRIGGER payments_refund_is_fixed
    BEFORE UPDATE OF id, public_id, idem_key, payment_id, credits, amount ON payments_refund
    FOR EACH ROW WHEN (
        (OLD.id, OLD.public_id, OLD.idem_key, OLD.payment_id, OLD.credits, OLD.amount) IS DISTINCT FROM
        (NEW.id, NEW.public_id, NEW.idem_key, NEW.payment_id, NEW.credits, NEW.amount))
    EXECUTE FUNCTION payments_buying_stays();
"""
BACK = """
DROP TRIGGER payments_refund_is_fixed ON payments_refund;
DROP TRIGGER payments_event_is_what_came ON payments_webhookevent;
DROP TRIGGER payments_dispute_stays ON payments_dispute;
DROP TRIGGER payments_refund_stays ON payments_refund;
DROP TRIGGER payments_payment_stays ON payments_payment;
DROP TRIGGER payments_payment_guard ON payments_payment;
DROP FUNCTION payments_buying_stays();
DROP FUNCTION payments_payment_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0012_buying")]
    operations = [migrations.RunSQL(FORWARD, BACK)]
