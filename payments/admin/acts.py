"""What the acts on payments and review items share: a page that asks, and what is said when it was done."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin


class ActsWithPayments(ModelAdmin):
    """Acts for those who may manage payments."""

    # By method, like the acts of draws: unfold's check would look a named permission up in the database.
    def has_manage_payments_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("payments.manage_payments"))

    def ask(self, request: HttpRequest, form: forms.Form, **words: Any) -> HttpResponse:
        """The page of one act: `title`, `lede`, `button`, `back`, `thing`, `notes`."""
        context = {**self.admin_site.each_context(request), "opts": self.opts, "form": form, **words}
        return TemplateResponse(request, "admin/payments/act/ask.html", context)
