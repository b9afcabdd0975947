#!/usr/bin/env python
"""Command line of the site: `python manage.py help` lists the commands."""

import os
import sys

from django.core.management import execute_from_command_line

from config import embedded


def main() -> None:
    """Start the embedded servers where none are given, then hand over to Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    embedded.ensure()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
