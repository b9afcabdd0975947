"""What was moved without a second person stays counted: rows are neither changed nor removed."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION payments_alonemove_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was moved without a second person stays counted: % is refused', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER payments_alonemove_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payments_alonemove
    FOR EACH STATEMENT EXECUTE FUNCTION payments_alonemove_refuse_change();
"""
BACK = """
DROP TRIGGER payments_alonemove_append_only ON payments_alonemove;
DROP FUNCTION payments_alonemove_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0008_alone_move")]
    operations = [migrations.RunSQL(FORWARD, BACK)]
