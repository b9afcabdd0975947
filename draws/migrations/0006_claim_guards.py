"""What no code may change about a claim, held by the database itself.

An award that ended stays ended, and what its money was returned by stays the same. A voucher keeps its code and
what it is worth, is used once, and not after it was voided. Ranks drawn later are append-only, like the report
they continue.
"""

from django.db import migrations

AWARDS = """
DROP TRIGGER draws_award_update ON draws_award;
CREATE TRIGGER draws_award_update BEFORE UPDATE ON draws_award FOR EACH ROW
    WHEN ((OLD.id, OLD.public_id, OLD.key, OLD.source, OLD.about, OLD.pool, OLD.kind, OLD.unit, OLD.amount,
              OLD.created_at)
              IS DISTINCT FROM
              (NEW.id, NEW.public_id, NEW.key, NEW.source, NEW.about, NEW.pool, NEW.kind, NEW.unit, NEW.amount,
              NEW.created_at)
          OR (OLD.identity IS DISTINCT FROM NEW.identity AND NEW.identity IS NOT NULL)
          OR (OLD.member_id IS NOT NULL AND OLD.member_id IS DISTINCT FROM NEW.member_id)
          OR (OLD.payout_id IS NOT NULL AND OLD.payout_id IS DISTINCT FROM NEW.payout_id)
          OR (OLD.reversal_id IS NOT NULL AND OLD.reversal_id IS DISTINCT FROM NEW.reversal_id)
          OR (OLD.state = 'paid' AND NEW.state NOT IN ('paid', 'reversed'))
          OR (OLD.state IN ('expired', 'reversed') AND NEW.state <> OLD.state)
          OR NEW.claim_version < OLD.claim_version)
    EXECUTE FUNCTION draws_award_refuse_change();
"""
AWARDS_BACK = """
DROP TRIGGER draws_award_update ON draws_award;
CREATE TRIGGER draws_award_update BEFORE UPDATE ON draws_award FOR EACH ROW
    WHEN ((OLD.id, OLD.public_id, OLD.key, OLD.about, OLD.pool, OLD.kind, OLD.unit, OLD.amount, OLD.created_at)
              IS DISTINCT FROM
              (NEW.id, NEW.public_id, NEW.key, NEW.about, NEW.pool, NEW.kind, NEW.unit, NEW.amount, NEW.created_at)
          OR (OLD.identity IS DISTINCT FROM NEW.identity AND NEW.identity IS NOT NULL)
          OR (OLD.member_id IS NOT NULL AND OLD.member_id IS DISTINCT FROM NEW.member_id)
          OR (OLD.payout_id IS NOT NULL AND OLD.payout_id IS DISTINCT FROM NEW.payout_id)
          OR (OLD.state = 'paid' AND NEW.state NOT IN ('paid', 'reversed')))
    EXECUTE FUNCTION draws_award_refuse_change();
"""

VOUCHERS = """
CREATE TRIGGER draws_voucher_kept BEFORE DELETE OR TRUNCATE ON draws_voucher
    FOR EACH STATEMENT EXECUTE FUNCTION draws_refuse_change('vouchers are never deleted');
CREATE FUNCTION draws_voucher_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'voucher % keeps what it is, and is used or voided once', OLD.id
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER draws_voucher_update BEFORE UPDATE ON draws_voucher FOR EACH ROW
    WHEN ((OLD.award_id, OLD.code, OLD.value, OLD.terms, OLD.issued_at)
              IS DISTINCT FROM (NEW.award_id, NEW.code, NEW.value, NEW.terms, NEW.issued_at)
          OR (OLD.redeemed_at IS NOT NULL AND (OLD.redeemed_at, OLD.redeemed_by_id, OLD.redeemed_note)
              IS DISTINCT FROM (NEW.redeemed_at, NEW.redeemed_by_id, NEW.redeemed_note))
          OR (OLD.voided_at IS NOT NULL AND OLD.voided_at IS DISTINCT FROM NEW.voided_at))
    EXECUTE FUNCTION draws_voucher_refuse_change();
"""
VOUCHERS_BACK = """
DROP TRIGGER draws_voucher_kept ON draws_voucher;
DROP TRIGGER draws_voucher_update ON draws_voucher;
DROP FUNCTION draws_voucher_refuse_change();
"""

RANKS = """
CREATE TRIGGER draws_extrarank_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON draws_extrarank
    FOR EACH STATEMENT EXECUTE FUNCTION draws_refuse_change('ranks drawn are drawn for ever');
"""
RANKS_BACK = "DROP TRIGGER draws_extrarank_append_only ON draws_extrarank;"


class Migration(migrations.Migration):
    dependencies = [("draws", "0005_claims_and_vacancies")]
    operations = [
        migrations.RunSQL(AWARDS, AWARDS_BACK),
        migrations.RunSQL(VOUCHERS, VOUCHERS_BACK),
        migrations.RunSQL(RANKS, RANKS_BACK),
    ]
