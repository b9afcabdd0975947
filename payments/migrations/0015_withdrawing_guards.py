"""What the database holds of withdrawals, whoever writes to them.

* Who takes out how much, to where and under which reference never changes; only the number and the name of an account
  may be emptied, once it is finished.
* What is finished stays so; a payment that Paystack reverses is the exception.
* None is deleted.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION payments_withdrawal_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    finished CONSTANT text[] := ARRAY['paid', 'failed', 'rejected', 'cancelled'];
BEGIN
    IF (NEW.id, NEW.public_id, NEW.idem_key, NEW.reference, NEW.member_id, NEW.unit, NEW.amount, NEW.destination,
        NEW.recipient_type, NEW.bank_code, NEW.bank_name, NEW.requested_at) IS DISTINCT FROM
       (OLD.id, OLD.public_id, OLD.idem_key, OLD.reference, OLD.member_id, OLD.unit, OLD.amount, OLD.destination,
        OLD.recipient_type, OLD.bank_code, OLD.bank_name, OLD.requested_at)
       OR ((NEW.account_number, NEW.account_name) IS DISTINCT FROM (OLD.account_number, OLD.account_name)
           AND NOT (NEW.account_number = '' AND NEW.account_name = '' AND NEW.state = ANY (finished))) THEN
        RAISE EXCEPTION 'withdrawal %: what was asked for does not change', OLD.reference
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_withdrawal_is_frozen';
    END IF;
    IF OLD.state = ANY (finished) AND NEW.state <> OLD.state
        AND NOT (OLD.state = 'paid' AND NEW.state = 'failed') THEN
        RAISE EXCEPTION 'withdrawal %: % is the end of it', OLD.reference, OLD.state
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_withdrawal_is_finished';
    END IF;
    IF NEW.state = 'requested' AND OLD.state <> 'requested' THEN
        RAISE EXCEPTION 'withdrawal %: it does not begin again', OLD.reference
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_withdrawal_goes_on';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_withdrawal_guard BEFORE UPDATE ON payments_withdrawal
    FOR EACH ROW EXECUTE FUNCTION payments_withdrawal_guard();
CREATE TRIGGER payments_withdrawal_stays BEFORE DELETE OR TRUNCATE ON payments_withdrawal
    FOR EACH STATEMENT EXECUTE FUNCTION payments_buying_stays();
"""
BACK = """
DROP TRIGGER payments_withdrawal_stays ON payments_withdrawal;
DROP TRIGGER payments_withdrawal_guard ON payments_withdrawal;
DROP FUNCTION payments_withdrawal_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0014_withdrawing")]
    operations = [migrations.RunSQL(FORWARD, BACK)]
