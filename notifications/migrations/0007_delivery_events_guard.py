"""Events of deliveries are append-only in the database itself; an erasure may empty their text, and nothing else."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION notifications_guard_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.text = ''
            AND (NEW.id, NEW.provider, NEW.event_id, NEW.delivery_id, NEW.what, NEW.at, NEW.received_at, NEW.code, NEW.target)
                = (OLD.id, OLD.provider, OLD.event_id, OLD.delivery_id, OLD.what, OLD.at, OLD.received_at, OLD.code, OLD.target)
            AND NEW.by_machine IS NOT DISTINCT FROM OLD.by_machine
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'events of deliveries are append-only: % is refused', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER notifications_deliveryevent_append_only BEFORE UPDATE OR DELETE ON notifications_deliveryevent
    FOR EACH ROW EXECUTE FUNCTION notifications_guard_events();
CREATE TRIGGER notifications_deliveryevent_no_truncate BEFORE TRUNCATE ON notifications_deliveryevent
    FOR EACH STATEMENT EXECUTE FUNCTION notifications_guard_events();
"""
BACKWARD = """
DROP TRIGGER notifications_deliveryevent_append_only ON notifications_deliveryevent;
DROP TRIGGER notifications_deliveryevent_no_truncate ON notifications_deliveryevent;
DROP FUNCTION notifications_guard_events();
"""


class Migration(migrations.Migration):
    dependencies = [("notifications", "0006_roads")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
