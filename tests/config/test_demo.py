"""The demo data: made by the services that people use, and showing what they do."""

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.models import User
from audit.models import Record
from audit.services import seal_new_records, verify_audit
from config import demo
from draws import analytics
from draws import services as draws
from draws.models import Award, Draw, Winner
from draws.verifier import verify_draw
from payments.approvals import waiting, waiting_for
from payments.checking import check_ledger
from payments.models import Approval
from tests import databases
from tests.draws.proofs import assert_proof_holds

NOW = timezone.now()
