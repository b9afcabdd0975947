"""What was said of a called-off draw stays said: the row stays, and its proof, once it is there, never changes."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER draws_calledoff_kept BEFORE DELETE OR TRUNCATE ON draws_calledoff
    FOR EACH STATEMENT EXECUTE FUNCTION draws_refuse_change('records of draws called off are never deleted');
CREATE FUNCTION draws_calledoff_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'why draw % was called off, and what it would have drawn, never changes', OLD.draw_id
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER draws_calledoff_update BEFORE UPDATE ON draws_calledoff FOR EACH ROW
    WHEN (OLD.proof IS NOT NULL
          OR (OLD.id, OLD.draw_id, OLD.reason, OLD.called_off_at, OLD.asked_by_id, OLD.agreed_by_id)
              IS DISTINCT FROM
              (NEW.id, NEW.draw_id, NEW.reason, NEW.called_off_at, NEW.asked_by_id, NEW.agreed_by_id))
    EXECUTE FUNCTION draws_calledoff_refuse_change();
"""
BACK = """
DROP TRIGGER draws_calledoff_kept ON draws_calledoff;
DROP TRIGGER draws_calledoff_update ON draws_calledoff;
DROP FUNCTION draws_calledoff_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("draws", "0010_called_off")]
    operations = [migrations.RunSQL(FORWARD, BACK)]
