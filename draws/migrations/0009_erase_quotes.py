"""Why a line was refused may quote whose it was: that may be erased, like the line itself; nothing else may change."""

from django.db import migrations

FORWARD = """
DROP TRIGGER draws_importrejection_update ON draws_importrejection;
CREATE TRIGGER draws_importrejection_update BEFORE UPDATE ON draws_importrejection FOR EACH ROW
    WHEN ((OLD.id, OLD.entry_import_id, OLD.line) IS DISTINCT FROM (NEW.id, NEW.entry_import_id, NEW.line)
          OR (OLD.content <> NEW.content AND NEW.content <> '')
          OR (OLD.reason <> NEW.reason AND NEW.reason <> ''))
    EXECUTE FUNCTION draws_importrejection_refuse_change();
"""
BACKWARD = """
DROP TRIGGER draws_importrejection_update ON draws_importrejection;
CREATE TRIGGER draws_importrejection_update BEFORE UPDATE ON draws_importrejection FOR EACH ROW
    WHEN ((OLD.id, OLD.entry_import_id, OLD.line, OLD.reason)
              IS DISTINCT FROM (NEW.id, NEW.entry_import_id, NEW.line, NEW.reason)
          OR (OLD.content <> NEW.content AND NEW.content <> ''))
    EXECUTE FUNCTION draws_importrejection_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("draws", "0008_upload_guards")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
