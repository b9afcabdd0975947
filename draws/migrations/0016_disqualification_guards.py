"""A disqualification is written once, before its draw is drawn, and stays as it is: the database holds it."""

from django.db import migrations

GUARDS = """
CREATE TRIGGER draws_entrydisqualification_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON draws_entrydisqualification
    FOR EACH STATEMENT EXECUTE FUNCTION draws_refuse_change('a disqualification is written once');
CREATE FUNCTION draws_entrydisqualification_refuse_late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM draws_draw WHERE id = NEW.draw_id FOR SHARE;
    IF NOT EXISTS (SELECT 1 FROM draws_draw draw JOIN draws_entry entry ON entry.draw_id = draw.id
                   WHERE draw.id = NEW.draw_id AND entry.id = NEW.entry_id
                   AND draw.frozen_at IS NOT NULL AND draw.executed_at IS NULL) THEN
        RAISE EXCEPTION 'entry % is in no frozen draw that waits to be drawn', NEW.entry_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER draws_entrydisqualification_insert BEFORE INSERT ON draws_entrydisqualification
    FOR EACH ROW EXECUTE FUNCTION draws_entrydisqualification_refuse_late();
"""
BACK = """
DROP TRIGGER draws_entrydisqualification_insert ON draws_entrydisqualification;
DROP FUNCTION draws_entrydisqualification_refuse_late();
DROP TRIGGER draws_entrydisqualification_append_only ON draws_entrydisqualification;
"""


class Migration(migrations.Migration):
    dependencies = [("draws", "0015_disqualifications")]
    operations = [migrations.RunSQL(GUARDS, BACK)]
