"""Tables of the draw engine. Triggers hold what no code may change (`draws/migrations/0002_guards.py`, `0004`)."""

from draws.models.awards import Award, PrizeAddress, Voucher
from draws.models.called_off import CalledOff
from draws.models.draw import Draw, DrawReport, Prize
from draws.models.entries import Entry, EntryDisqualification, EntryImport, ImportRejection
from draws.models.promises import AnnouncedText, DrandRound, DrawChange
from draws.models.uploads import EntryUpload, UploadProgress
from draws.models.winners import Disposition, ExtraRank, Winner

__all__ = [
    "AnnouncedText",
    "Award",
    "CalledOff",
    "Disposition",
    "DrandRound",
    "Draw",
    "DrawChange",
    "DrawReport",
    "Entry",
    "EntryDisqualification",
    "EntryImport",
    "EntryUpload",
    "ExtraRank",
    "ImportRejection",
    "Prize",
    "PrizeAddress",
    "UploadProgress",
    "Voucher",
    "Winner",
]
