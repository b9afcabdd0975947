"""Whose address it is, behind proxies that are ours and behind such as say so."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from audit.client import address_of, networks
from audit.context import origin
from audit.middleware import AuditContextMiddleware

PROXIES = networks(["10.0.0.0/8", " 127.0.0.1", "fd00::/8", ""])


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "6.6.6.6", "203.0.113.7"),  # no proxy of ours: what it says counts for nothing
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.7, 10.2.3.4", "203.0.113.7"),
        ("10.0.0.1", "10.9.9.9", "10.9.9.9"),  # somebody within our own network
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, nonsense, 10.1.1.1", "10.1.1.1"),
        ("10.0.0.1", ", ,", "10.0.0.1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "", "fe80::1"),
        ("", "203.0.113.7", None),
        ("unix:", "", None),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy_of_ours(peer, forwarded_for, expected):
    assert address_of(peer=peer, forwarded_for=forwarded_for, trusted=PROXIES) == expected


def test_without_proxies_only_the_peer_counts():
    assert address_of(peer="10.0.0.1", forwarded_for="203.0.113.7", trusted=[]) == "10.0.0.1"


def test_a_network_that_is_none_is_named():
    with pytest.raises(ValueError, match=r"10\.0\.0\.256"):
        networks(["10.0.0.256"])


def test_the_trail_remembers_the_client_and_not_the_proxy(settings):
    settings.TRUSTED_PROXIES = networks(["127.0.0.1"])
    seen = []

    def view(request):
        seen.append(origin.get().address)
        return HttpResponse()

    request = RequestFactory(headers={"X-Forwarded-For": "203.0.113.7"}).get("/")
    AuditContextMiddleware(view)(request)
    assert seen == ["203.0.113.7"]
