"""Jobs, their schedules and results in the admin, with unfold's fields instead of bare ones without borders or labels."""

from typing import Any

from django.contrib import admin
from django_celery_beat.admin import (
    ClockedScheduleAdmin,
    PeriodicTaskAdmin,
    PeriodicTaskForm,
    TaskSelectWidget,
)
from django_celery_beat.admin import PeriodicTaskInline as UnstyledInline
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from django_celery_results.admin import GroupResultAdmin, TaskResultAdmin
from django_celery_results.models import GroupResult, TaskResult
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

admin.site.unregister(
    [
        ClockedSchedule,
        CrontabSchedule,
        IntervalSchedule,
        PeriodicTask,
        SolarSchedule,
        GroupResult,
        TaskResult,
    ]
)


class JobSelect(UnfoldAdminSelectWidget, TaskSelectWidget):
    """The tasks that Celery knows, in unfold's box."""


class JobForm(PeriodicTaskForm):
    """A job. The two fields that the package declares itself get unfold's widgets here, the others in the admin."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Who may only look at a job has neither.
        if "regtask" in self.fields:
            self.fields["regtask"].widget = JobSelect()
        if "task" in self.fields:
            self.fields["task"].widget = UnfoldAdminTextInputWidget()


@admin.register(PeriodicTask)
class JobAdmin(PeriodicTaskAdmin, ModelAdmin):
    """Jobs of `config/schedule.py`, and those that staff have added."""

    form = JobForm


class JobInline(UnstyledInline, TabularInline):
    """The jobs that run on a schedule."""


@admin.register(IntervalSchedule, CrontabSchedule, SolarSchedule)
class ScheduleAdmin(ModelAdmin):
    """When jobs run."""

    inlines = (JobInline,)


@admin.register(ClockedSchedule)
class OnceAdmin(ClockedScheduleAdmin, ModelAdmin):
    """Moments at which a job runs once."""

    inlines = (JobInline,)


@admin.register(TaskResult)
class ResultAdmin(TaskResultAdmin, ModelAdmin):
    """What became of long jobs: imports and exports."""


@admin.register(GroupResult)
class GroupAdmin(GroupResultAdmin, ModelAdmin):
    """What became of jobs that were started together."""
