"""What the acts on payments and review items share: a page that asks, and what is said when it was done."""

from typing import Any, TypeVar

from django import forms
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin

Row = TypeVar("Row", bound=Model)


def found(model: type[Row], object_id: str) -> Row:
    """The row that the address of an act names. Raises Http404."""
    row = model._default_manager.filter(pk=object_id).first() if str(object_id).isdigit() else None
    if row is None:
        raise Http404
    return row


class ActsWithPayments(ModelAdmin):
    """Acts for those who may manage payments."""

    # By method, like the acts of draws: unfold's check would look a named permission up in the database.
    def has_manage_payments_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("payments.manage_payments"))

    def ask(self, request: HttpRequest, form: forms.Form, **words: Any) -> HttpResponse:
        """The page of one act: `title`, `lede`, `button`, `back`, `thing`, `notes`."""
        context = {**self.admin_site.each_context(request), "opts": self.opts, "form": form, **words}
        return TemplateResponse(request, "admin/payments/act/ask.html", context)
