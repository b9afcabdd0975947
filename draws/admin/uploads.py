"""Files of entrants in the admin: how far each is, what became of it, and a button that tries again."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from accounts.models import User
from draws import services
from draws.admin.records import ImportedAdmin, long_value
from draws.models import EntryUpload
from draws.models.uploads import MOST_ATTEMPTS
from draws.topics import import_token
from notifications.live import number_at

TONES = {"waiting": "info", "done": "success", "refused": "warning", "failed": "danger"}
_WORKER_IS_LATE_S = 60


def progress_of(upload: EntryUpload) -> dict[str, Any]:
    """What a page that waits shows of an upload: whether it has ended, how far the bar is, and a sentence."""
    is_running = upload.state == EntryUpload.State.WAITING and upload.is_being_imported()
    if not is_running:
        upload.refresh_from_db(fields=["state", "report", "why", "stored_as"])  # it may have ended just now
    if upload.state != EntryUpload.State.WAITING:
        return {"is_over": True, "percent": 100, "text": str(upload.get_state_display())}
    shown = upload.progress
    percent = min(shown.bytes_read * 100 // upload.size, 100)
    if is_running:
        if shown.bytes_read < upload.size:
            text = _("%(lines)s lines read.")
        else:
            text = _("All %(lines)s lines are read. Now the people are entered, in one step.")
    else:
        percent = 0
        if shown.attempts:
            text = _(
                "Attempt %(attempts)d of %(most)d broke off, and nobody was entered. It starts anew by itself."
            )
        elif (timezone.now() - upload.created_at).total_seconds() > _WORKER_IS_LATE_S:
            text = _("No worker has begun with it yet. It stays in the line, and starts when one is free.")
        else:
            text = _("The file is received. A worker begins in a few seconds.")
    words = {"lines": f"{shown.lines:,}", "attempts": shown.attempts, "most": MOST_ATTEMPTS}
    return {"is_over": False, "percent": percent, "text": text % words}


@admin.register(EntryUpload)
class EntryUploadAdmin(ImportedAdmin):
    """Uploaded files; the page of one shows a bar while it is imported, and leads on to the report."""

    list_display = ("file_name", "draw", "state_shown", "by", "created_at", "ended_at")
    list_select_related = ("draw", "by")
    list_filter = (("draw", AutocompleteSelectFilter), "state")
    search_fields = ("file_name", "draw__title", "=file_sha256")
    ordering = ("-pk",)
    fields = ("draw", "file_name", "size_shown", "hash_shown", "by", "created_at", "ended_at")
    change_form_outer_before_template = "admin/draws/entryupload/progress.html"

    @display(description=gettext_lazy("state"), ordering="state", label=TONES)
    def state_shown(self, obj: EntryUpload) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @display(description=gettext_lazy("hash of the file"))
    def hash_shown(self, obj: EntryUpload) -> str:
        return long_value(obj.file_sha256)

    @display(description=gettext_lazy("bytes"))
    def size_shown(self, obj: EntryUpload) -> str:
        return f"{obj.size:,}"

    def get_urls(self) -> list[Any]:
        retry = self.admin_site.admin_view(self.retry)
        own = [
            # Asked by a script: whoever may not see it gets no page to sign in on, but a 404.
            path("<int:upload_id>/progress/", self.progress, name="draws_entryupload_progress"),
            path("<int:upload_id>/retry/", retry, name="draws_entryupload_retry"),
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """On to the report, where there is one."""
        if object_id.isdigit() and self.has_view_permission(request):
            upload = EntryUpload.objects.filter(pk=object_id).only("report").first()
            if upload is not None and upload.report_id is not None:
                return HttpResponseRedirect(
                    reverse("admin:draws_entryimport_change", args=[upload.report_id])
                )
        return super().change_view(request, object_id, form_url, extra_context)  # type: ignore[no-any-return]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        upload: EntryUpload = kwargs["obj"]
        context["upload"] = upload
        context["progress"] = progress_of(upload)
        context["tone"] = TONES[upload.state]
        context["may_retry"] = upload.can_be_tried_again and request.user.has_perm("draws.import_entries")
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[no-any-return]

    def progress(self, request: HttpRequest, upload_id: int) -> JsonResponse:
        """How far it is, for the page that shows it."""
        if not self.admin_site.has_permission(request) or not self.has_view_permission(request):
            raise Http404
        upload = get_object_or_404(EntryUpload.objects.select_related("progress"), pk=upload_id)
        now = timezone.now()
        listening = {"token": import_token(upload.pk, now=now), "last": str(number_at(now))}
        response = JsonResponse(progress_of(upload) | listening)
        response["Cache-Control"] = "no-store"
        return response

    def retry(self, request: HttpRequest, upload_id: int) -> HttpResponse:
        """Let it wait again."""
        user = request.user
        if not isinstance(user, User) or not user.has_perm("draws.import_entries"):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        upload = get_object_or_404(EntryUpload, pk=upload_id)
        try:
            services.retry_upload(upload=upload, by=user, now=timezone.now())
        except services.DrawError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("The file waits to be imported again."))
        return HttpResponseRedirect(reverse("admin:draws_entryupload_change", args=[upload.pk]))
