"""The history of consent is append-only in the database itself; an erasure may take away whose line it was, and its
evidence, and nothing else."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION notifications_guard_consent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.person_key = 'erased:' || OLD.id AND NEW.evidence = '{}'::jsonb
            AND (NEW.id, NEW.at, NEW.what, NEW.kind, NEW.about, NEW.channel, NEW.source)
                = (OLD.id, OLD.at, OLD.what, OLD.kind, OLD.about, OLD.channel, OLD.source)
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the history of consent is append-only: % is refused', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER notifications_consentevent_append_only BEFORE UPDATE OR DELETE ON notifications_consentevent
    FOR EACH ROW EXECUTE FUNCTION notifications_guard_consent();
CREATE TRIGGER notifications_consentevent_no_truncate BEFORE TRUNCATE ON notifications_consentevent
    FOR EACH STATEMENT EXECUTE FUNCTION notifications_guard_consent();
"""
BACKWARD = """
DROP TRIGGER notifications_consentevent_append_only ON notifications_consentevent;
DROP TRIGGER notifications_consentevent_no_truncate ON notifications_consentevent;
DROP FUNCTION notifications_guard_consent();
"""


class Migration(migrations.Migration):
    dependencies = [("notifications", "0002_consent")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
