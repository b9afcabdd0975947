"""What no code may change about a file of entrants and the report of its import, held by the database itself.

A report is written once; of a refused line its content, a person's address, may be erased. What was received stays what it
is, an upload that is done stays done, and a file that was deleted has no other put in its place.
"""

from django.db import migrations

REPORTS = """
CREATE TRIGGER draws_entryimport_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON draws_entryimport
    FOR EACH STATEMENT EXECUTE FUNCTION draws_refuse_change('the report of an import is written once');
CREATE TRIGGER draws_importrejection_kept BEFORE DELETE OR TRUNCATE ON draws_importrejection
    FOR EACH STATEMENT EXECUTE FUNCTION draws_refuse_change('the report of an import is written once');
CREATE FUNCTION draws_importrejection_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'refused line % stays as it is; its content may be erased', OLD.id
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER draws_importrejection_update BEFORE UPDATE ON draws_importrejection FOR EACH ROW
    WHEN ((OLD.id, OLD.entry_import_id, OLD.line, OLD.reason)
              IS DISTINCT FROM (NEW.id, NEW.entry_import_id, NEW.line, NEW.reason)
          OR (OLD.content <> NEW.content AND NEW.content <> ''))
    EXECUTE FUNCTION draws_importrejection_refuse_change();
"""
REPORTS_BACK = """
DROP TRIGGER draws_importrejection_update ON draws_importrejection;
DROP FUNCTION draws_importrejection_refuse_change();
DROP TRIGGER draws_importrejection_kept ON draws_importrejection;
DROP TRIGGER draws_entryimport_append_only ON draws_entryimport;
"""

UPLOADS = """
CREATE TRIGGER draws_entryupload_kept BEFORE DELETE OR TRUNCATE ON draws_entryupload
    FOR EACH STATEMENT EXECUTE FUNCTION draws_refuse_change('what was received is never deleted');
CREATE FUNCTION draws_entryupload_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'upload % keeps what was received, and stays done once it is', OLD.id
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER draws_entryupload_update BEFORE UPDATE ON draws_entryupload FOR EACH ROW
    WHEN ((OLD.id, OLD.public_id, OLD.draw_id, OLD.file_name, OLD.file_sha256, OLD.size, OLD.by_id, OLD.created_at)
              IS DISTINCT FROM
              (NEW.id, NEW.public_id, NEW.draw_id, NEW.file_name, NEW.file_sha256, NEW.size, NEW.by_id, NEW.created_at)
          OR (OLD.stored_as <> NEW.stored_as AND NEW.stored_as <> '')
          OR (OLD.state = 'done' AND (OLD.state, OLD.report_id, OLD.ended_at)
              IS DISTINCT FROM (NEW.state, NEW.report_id, NEW.ended_at)))
    EXECUTE FUNCTION draws_entryupload_refuse_change();
"""
UPLOADS_BACK = """
DROP TRIGGER draws_entryupload_update ON draws_entryupload;
DROP FUNCTION draws_entryupload_refuse_change();
DROP TRIGGER draws_entryupload_kept ON draws_entryupload;
"""


class Migration(migrations.Migration):
    dependencies = [("draws", "0007_uploads")]
    operations = [
        migrations.RunSQL(REPORTS, REPORTS_BACK),
        migrations.RunSQL(UPLOADS, UPLOADS_BACK),
    ]
