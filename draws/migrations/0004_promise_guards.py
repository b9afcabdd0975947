"""What no code may do to a draw's promise, held by the database itself.

Who may enter, whose winners are skipped and who made the draw never change once it is published. Collected
randomness and the list of changes only grow; an announced text is confirmed or rejected once, and a confirmed one
stays. While the payouts of a draw are stopped, none of its awards becomes paid.
"""

from django.db import migrations

DRAWS = """
CREATE FUNCTION draws_draw_refuse_promise_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'draw % is published: who may enter it and whose winners it skips never change', OLD.id
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER draws_draw_promises BEFORE UPDATE ON draws_draw FOR EACH ROW
    WHEN (OLD.published_at IS NOT NULL
          AND (OLD.audience, OLD.audience_group_id, OLD.min_age, OLD.countries, OLD.excludes, OLD.owner, OLD.randomness)
              IS DISTINCT FROM
              (NEW.audience, NEW.audience_group_id, NEW.min_age, NEW.countries, NEW.excludes, NEW.owner, NEW.randomness))
    EXECUTE FUNCTION draws_draw_refuse_promise_change();
"""
DRAWS_BACK = """
DROP TRIGGER draws_draw_promises ON draws_draw;
DROP FUNCTION draws_draw_refuse_promise_change();
"""

VALUES = """
CREATE TRIGGER draws_drandround_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON draws_drandround
    FOR EACH STATEMENT EXECUTE FUNCTION draws_refuse_change('rounds are only added');
CREATE TRIGGER draws_drawchange_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON draws_drawchange
    FOR EACH STATEMENT EXECUTE FUNCTION draws_refuse_change('changes of a draw are only added');
CREATE TRIGGER draws_announcedtext_kept BEFORE DELETE OR TRUNCATE ON draws_announcedtext
    FOR EACH STATEMENT EXECUTE FUNCTION draws_refuse_change('announced texts are never deleted');
CREATE FUNCTION draws_announcedtext_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'announced text % is confirmed or rejected once, and never changed', OLD.id
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER draws_announcedtext_update BEFORE UPDATE ON draws_announcedtext FOR EACH ROW
    WHEN (OLD.confirmed_at IS NOT NULL OR OLD.rejected_at IS NOT NULL
          OR (OLD.id, OLD.draw_id, OLD.position, OLD.text, OLD.entered_by_id, OLD.entered_at) IS DISTINCT FROM
             (NEW.id, NEW.draw_id, NEW.position, NEW.text, NEW.entered_by_id, NEW.entered_at))
    EXECUTE FUNCTION draws_announcedtext_refuse_change();
"""
VALUES_BACK = """
DROP TRIGGER draws_drandround_append_only ON draws_drandround;
DROP TRIGGER draws_drawchange_append_only ON draws_drawchange;
DROP TRIGGER draws_announcedtext_kept ON draws_announcedtext;
DROP TRIGGER draws_announcedtext_update ON draws_announcedtext;
DROP FUNCTION draws_announcedtext_refuse_change();
"""

# `about` is `draws.draw:` and the draw's public id; awards of contests and competitions have another.
PAYOUTS = """
CREATE FUNCTION draws_award_refuse_stopped() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM draws_draw
               WHERE public_id = substr(NEW.about, length('draws.draw:') + 1)::uuid
               AND payouts_stopped_at IS NOT NULL) THEN
        RAISE EXCEPTION 'payouts of % are stopped', NEW.about USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER draws_award_stopped BEFORE UPDATE ON draws_award FOR EACH ROW
    WHEN (OLD.state <> 'paid' AND NEW.state = 'paid' AND NEW.about LIKE 'draws.draw:%')
    EXECUTE FUNCTION draws_award_refuse_stopped();
CREATE TRIGGER draws_award_stopped_insert BEFORE INSERT ON draws_award FOR EACH ROW
    WHEN (NEW.state = 'paid' AND NEW.about LIKE 'draws.draw:%')
    EXECUTE FUNCTION draws_award_refuse_stopped();
"""
PAYOUTS_BACK = """
DROP TRIGGER draws_award_stopped ON draws_award;
DROP TRIGGER draws_award_stopped_insert ON draws_award;
DROP FUNCTION draws_award_refuse_stopped();
"""


class Migration(migrations.Migration):
    dependencies = [("draws", "0003_promises")]
    operations = [
        migrations.RunSQL(DRAWS, DRAWS_BACK),
        migrations.RunSQL(VALUES, VALUES_BACK),
        migrations.RunSQL(PAYOUTS, PAYOUTS_BACK),
    ]
