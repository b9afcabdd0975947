"""Jobs in the admin: a Super Admin sees them in fields like all others and switches one off."""

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from tests.world import client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def job():
    every, _ = IntervalSchedule.objects.get_or_create(every=5, period="seconds")
    return PeriodicTask.objects.create(name="a job", task="draws.tasks.check", interval=every)


def test_a_job_is_switched_off_on_its_page(job):
    client, page = client_of("super"), f"/admin/django_celery_beat/periodictask/{job.pk}/change/"
    form = client.get(page).context["adminform"].form
    data = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    given = {name: value for name, value in data.items() if value not in (None, False)}
    given["interval"] = job.interval_id
    answer = client.post(page, given | {"enabled": ""})
    assert answer.status_code == 302
    job.refresh_from_db()
    assert (job.enabled, job.task, job.interval_id) == (False, "draws.tasks.check", given["interval"])


def test_its_fields_have_the_admins_borders(job):
    text = client_of("super").get(f"/admin/django_celery_beat/periodictask/{job.pk}/change/").content.decode()
    for name in ("name", "task", "regtask", "interval", "start_time_0"):
        tag = next(part for part in text.split("<") if f'name="{name}"' in part)
        assert "rounded-default" in tag, name


def test_a_schedule_names_the_jobs_that_run_on_it(job):
    answer = client_of("super").get(f"/admin/django_celery_beat/intervalschedule/{job.interval_id}/change/")
    assert "a job" in answer.content.decode()
