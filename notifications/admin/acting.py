"""The page on which staff do one thing to one row, with a form that says what it takes."""

from typing import Any

from django import forms
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse


def acting_page(
    admin: "ModelAdmin[Any]",
    request: HttpRequest,
    form: forms.Form,
    *,
    title: str,
    intro: str,
    press: str,
    is_danger: bool = False,
) -> HttpResponse:
    """What the action is, its form and its button; *Back* leads to the list of `admin`."""
    opts = admin.opts
    context = {
        **admin.admin_site.each_context(request),
        "opts": opts,
        "title": title,
        "intro": intro,
        "press": press,
        "form": form,
        "is_danger": is_danger,
        "back": reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist"),
    }
    return TemplateResponse(request, "admin/draws/award/act.html", context)
