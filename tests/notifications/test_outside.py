"""Which numbers are on the open net."""

import socket

import pytest

from notifications.channels.outside import AddressError, checked, number_of


@pytest.mark.parametrize(
    ("number", "is_outside"),
    [
        ("8.8.8.8", True),
        ("10.0.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("2606:4700::1111", True),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("fec0::1", False),
        ("feff::1", False),
        ("::10.0.0.1", False),
        ("::8.8.8.8", False),
        ("::ffff:8.8.8.8", True),
        ("::ffff:10.0.0.1", False),
        ("::ffff:0:10.0.0.1", False),
        ("64:ff9b::8.8.8.8", True),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::127.0.0.1", False),
        ("64:ff9b::169.254.169.254", False),
        ("64:ff9b:1::8.8.8.8", False),
        ("64:ff9b:1::10.0.0.1", False),
        ("2002:808:808::1", True),
        ("2002:a00:1::1", False),
        ("2001:0:a00:1::1", False),
        ("2001:db8::1", False),
    ],
)
def test_only_numbers_on_the_open_net_are_asked(monkeypatch, number, is_outside):
    family = socket.AF_INET6 if ":" in number else socket.AF_INET
    found = [(family, 1, 6, "", (number, 443))]
    monkeypatch.setattr("notifications.channels.outside.socket.getaddrinfo", lambda *args, **more: found)
    parts = checked("https://name.example.org/", inside=False)
    if is_outside:
        assert number_of(parts, inside=False) == number
    else:
        with pytest.raises(AddressError, match="private"):
            number_of(parts, inside=False)


@pytest.mark.parametrize("host", ["x" * 64 + ".example.org", "a..b"])
def test_a_host_that_can_be_no_name_is_no_address(host):
    parts = checked(f"https://{host}/", inside=False)
    with pytest.raises(AddressError, match="no address"):
        number_of(parts, inside=False)
