"""What no code may change once a draw is frozen, held by the database itself.

Entries: a frozen draw's entries never change, none is added, none is taken away; identity, name, salt and
member may be erased, and nothing else be put in their place. The check of an insert takes the draw row FOR
SHARE, so a freeze (FOR UPDATE) waits for inserts under way: an entry is in the file or refused, also when its
transaction is held open over the cutoff.
Draws: what the manifest says never changes, there is one manifest for ever, a published draw is no draft
again, and a drawn draw stays drawn. Reports and dispositions are append-only; a winner keeps the slot, an award
keeps what it is worth.
"""

from django.db import migrations

ENTRIES = """
CREATE FUNCTION draws_entry_refuse_frozen_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM draws_draw WHERE id IN (SELECT DISTINCT draw_id FROM fresh) ORDER BY id FOR SHARE;
    IF EXISTS (SELECT 1 FROM draws_draw WHERE id IN (SELECT DISTINCT draw_id FROM fresh)
               AND (frozen_at IS NOT NULL OR status <> 'active')) THEN
        RAISE EXCEPTION 'the draw takes no entries: it is frozen or not active'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER draws_entry_insert AFTER INSERT ON draws_entry REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION draws_entry_refuse_frozen_insert();

CREATE FUNCTION draws_entry_refuse_frozen_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM draws_draw WHERE id IN (OLD.draw_id, NEW.draw_id) ORDER BY id FOR SHARE;
    IF EXISTS (SELECT 1 FROM draws_draw WHERE id IN (OLD.draw_id, NEW.draw_id) AND frozen_at IS NOT NULL) THEN
        RAISE EXCEPTION 'entry % belongs to a frozen draw: who it is may be erased, nothing else changes', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER draws_entry_update BEFORE UPDATE ON draws_entry FOR EACH ROW
    WHEN ((OLD.id, OLD.draw_id, OLD.pid, OLD.weight, OLD.source, OLD.entered_at)
              IS DISTINCT FROM (NEW.id, NEW.draw_id, NEW.pid, NEW.weight, NEW.source, NEW.entered_at)
          OR (OLD.identity IS DISTINCT FROM NEW.identity AND NEW.identity IS NOT NULL)
          OR (OLD.salt IS DISTINCT FROM NEW.salt AND NEW.salt IS NOT NULL)
          OR (OLD.member_id IS DISTINCT FROM NEW.member_id AND NEW.member_id IS NOT NULL)
          OR (OLD.name <> NEW.name AND NEW.name <> ''))
    EXECUTE FUNCTION draws_entry_refuse_frozen_change();

CREATE FUNCTION draws_entry_refuse_frozen_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM draws_draw WHERE id IN (SELECT DISTINCT draw_id FROM gone) ORDER BY id FOR SHARE;
    IF EXISTS (SELECT 1 FROM draws_draw WHERE id IN (SELECT DISTINCT draw_id FROM gone)
               AND frozen_at IS NOT NULL) THEN
        RAISE EXCEPTION 'entries of a frozen draw are never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER draws_entry_delete AFTER DELETE ON draws_entry REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION draws_entry_refuse_frozen_delete();

CREATE FUNCTION draws_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0]
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER draws_entry_truncate BEFORE TRUNCATE ON draws_entry
    FOR EACH STATEMENT EXECUTE FUNCTION draws_refuse_change('entries are never truncated');
"""
ENTRIES_BACK = """
DROP TRIGGER draws_entry_insert ON draws_entry;
DROP TRIGGER draws_entry_update ON draws_entry;
DROP TRIGGER draws_entry_delete ON draws_entry;
DROP TRIGGER draws_entry_truncate ON draws_entry;
DROP FUNCTION draws_entry_refuse_frozen_insert();
DROP FUNCTION draws_entry_refuse_frozen_change();
DROP FUNCTION draws_entry_refuse_frozen_delete();
DROP FUNCTION draws_refuse_change();
"""

DRAWS = """
CREATE FUNCTION draws_draw_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.published_at IS NULL AND NEW.status NOT IN ('draft', 'cancelled') THEN
        RAISE EXCEPTION 'draw % was not published', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.published_at IS NOT NULL AND NEW.status = 'draft' THEN
        RAISE EXCEPTION 'draw % is published and no draft again', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.published_at IS NOT NULL AND (
        OLD.id, OLD.public_id, OLD.scope, OLD.sources, OLD.secret_encrypted = '', OLD.published_at)
        IS DISTINCT FROM (
        NEW.id, NEW.public_id, NEW.scope, NEW.sources, NEW.secret_encrypted = '', NEW.published_at) THEN
        RAISE EXCEPTION 'the commitment of published draw % never changes', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.frozen_at IS NOT NULL AND (
        OLD.title, OLD.rules, OLD.currency, OLD.alternates, OLD.opens_at, OLD.closes_at, OLD.draw_at,
        OLD.min_wait_s, OLD.frozen_at)
        IS DISTINCT FROM (
        NEW.title, NEW.rules, NEW.currency, NEW.alternates, NEW.opens_at, NEW.closes_at, NEW.draw_at,
        NEW.min_wait_s, NEW.frozen_at) THEN
        RAISE EXCEPTION 'draw % is frozen: what its manifest says never changes', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.manifest IS NOT NULL AND (OLD.manifest, OLD.manifest_sha256, OLD.entries_count)
        IS DISTINCT FROM (NEW.manifest, NEW.manifest_sha256, NEW.entries_count) THEN
        RAISE EXCEPTION 'draw % has its manifest: there is one, ever', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status IN ('completed', 'cancelled', 'void') AND
        (OLD.status, OLD.executed_at) IS DISTINCT FROM (NEW.status, NEW.executed_at) THEN
        RAISE EXCEPTION 'draw % is % and stays so', OLD.id, OLD.status USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER draws_draw_update BEFORE UPDATE ON draws_draw
    FOR EACH ROW EXECUTE FUNCTION draws_draw_refuse_change();

CREATE FUNCTION draws_draw_refuse_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'draw % is published and never deleted', OLD.id USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER draws_draw_delete BEFORE DELETE ON draws_draw FOR EACH ROW
    WHEN (OLD.published_at IS NOT NULL) EXECUTE FUNCTION draws_draw_refuse_delete();

CREATE FUNCTION draws_prize_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    draws bigint[] := CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.draw_id] WHEN 'DELETE' THEN ARRAY[OLD.draw_id]
                      ELSE ARRAY[OLD.draw_id, NEW.draw_id] END;
BEGIN
    -- The lock makes a freeze wait for a change under way, as with entries.
    PERFORM 1 FROM draws_draw WHERE id = ANY (draws) ORDER BY id FOR SHARE;
    IF EXISTS (SELECT 1 FROM draws_draw WHERE id = ANY (draws) AND frozen_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the prizes of a frozen draw never change' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER draws_prize_change BEFORE INSERT OR UPDATE OR DELETE ON draws_prize
    FOR EACH ROW EXECUTE FUNCTION draws_prize_refuse_change();
CREATE TRIGGER draws_prize_truncate BEFORE TRUNCATE ON draws_prize
    FOR EACH STATEMENT EXECUTE FUNCTION draws_refuse_change('prizes are never truncated');
"""
DRAWS_BACK = """
DROP TRIGGER draws_prize_truncate ON draws_prize;
DROP TRIGGER draws_draw_update ON draws_draw;
DROP TRIGGER draws_draw_delete ON draws_draw;
DROP TRIGGER draws_prize_change ON draws_prize;
DROP FUNCTION draws_draw_refuse_change();
DROP FUNCTION draws_draw_refuse_delete();
DROP FUNCTION draws_prize_refuse_change();
"""

RECORDS = """
CREATE TRIGGER draws_report_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON draws_drawreport
    FOR EACH STATEMENT EXECUTE FUNCTION draws_refuse_change('a report is written once');
CREATE TRIGGER draws_disposition_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON draws_disposition
    FOR EACH STATEMENT EXECUTE FUNCTION draws_refuse_change('dispositions are only added');
CREATE TRIGGER draws_winner_kept BEFORE DELETE OR TRUNCATE ON draws_winner
    FOR EACH STATEMENT EXECUTE FUNCTION draws_refuse_change('winners are never deleted');
CREATE FUNCTION draws_winner_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'winner % keeps slot, rank, entry, prize and award; only its state may change', OLD.id
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER draws_winner_update BEFORE UPDATE ON draws_winner FOR EACH ROW
    WHEN ((OLD.draw_id, OLD.slot, OLD.rank, OLD.entry_id, OLD.prize_id, OLD.award_id, OLD.ticket)
          IS DISTINCT FROM (NEW.draw_id, NEW.slot, NEW.rank, NEW.entry_id, NEW.prize_id, NEW.award_id, NEW.ticket))
    EXECUTE FUNCTION draws_winner_refuse_change();

CREATE TRIGGER draws_award_kept BEFORE DELETE OR TRUNCATE ON draws_award
    FOR EACH STATEMENT EXECUTE FUNCTION draws_refuse_change('awards are never deleted');
CREATE FUNCTION draws_award_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'award % keeps what it is for, whose and worth how much', OLD.id
        USING ERRCODE = 'restrict_violation';
END $$;
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
RECORDS_BACK = """
DROP TRIGGER draws_award_kept ON draws_award;
DROP TRIGGER draws_award_update ON draws_award;
DROP FUNCTION draws_award_refuse_change();
DROP TRIGGER draws_report_append_only ON draws_drawreport;
DROP TRIGGER draws_disposition_append_only ON draws_disposition;
DROP TRIGGER draws_winner_kept ON draws_winner;
DROP TRIGGER draws_winner_update ON draws_winner;
DROP FUNCTION draws_winner_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("draws", "0001_initial")]
    operations = [
        migrations.RunSQL(ENTRIES, ENTRIES_BACK),
        migrations.RunSQL(DRAWS, DRAWS_BACK),
        migrations.RunSQL(RECORDS, RECORDS_BACK),
    ]
