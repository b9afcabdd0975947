"""Draws in the admin. Importing this package registers its pages."""

from draws.admin.awards import AwardAdmin, PrizeAddressAdmin, VoucherAdmin
from draws.admin.draw import DrawAdmin
from draws.admin.records import (
    DrawReportAdmin,
    EntryAdmin,
    EntryImportAdmin,
    ImportRejectionAdmin,
    WinnerAdmin,
)
from draws.admin.uploads import EntryUploadAdmin

__all__ = [
    "AwardAdmin",
    "DrawAdmin",
    "DrawReportAdmin",
    "EntryAdmin",
    "EntryImportAdmin",
    "EntryUploadAdmin",
    "ImportRejectionAdmin",
    "PrizeAddressAdmin",
    "VoucherAdmin",
    "WinnerAdmin",
]
