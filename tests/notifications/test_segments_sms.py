"""How many parts a text message takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.segments_sms import _BASIC, _EXTENDED, GSM, UCS2, segments_of

BASIC, EXTENDED = _BASIC, _EXTENDED
gsm_texts = st.text(alphabet=BASIC + EXTENDED, max_size=700)


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count"),
    [
        ("", GSM, 0, 1),
        ("a" * 160, GSM, 160, 1),
        ("a" * 161, GSM, 161, 2),
        ("a" * 306, GSM, 306, 2),
        ("a" * 307, GSM, 307, 3),
        ("€" * 80, GSM, 160, 1),
        ("€" * 81, GSM, 162, 2),
        ("a" * 152 + "€" + "a" * 152, GSM, 306, 3),  # the escape would be torn apart: both move on
        ("KSh 1,000 £ ¥ Ä ö ñ ü à @ _ Δ\n", GSM, 30, 1),
        ("`", UCS2, 1, 1),
        ("ç", UCS2, 1, 1),  # only its capital is in the alphabet
        ("“quoted”", UCS2, 8, 1),
        ("\t", UCS2, 1, 1),
        ("ঢ" * 70, UCS2, 70, 1),
        ("ঢ" * 71, UCS2, 71, 2),
        ("ঢ" * 134, UCS2, 134, 2),
        ("ঢ" * 135, UCS2, 135, 3),
        ("🎉" * 35, UCS2, 70, 1),
        ("🎉" * 36, UCS2, 72, 2),
        ("🎉" * 67, UCS2, 134, 3),  # 33 whole ones a part
        ("a" * 69 + "🎉", UCS2, 71, 2),
    ],
)
def test_texts_of_known_length(text, encoding, units, count):
    segments = segments_of(text)
    assert (segments.encoding, segments.units, segments.count) == (encoding, units, count)


def test_the_alphabet_has_its_127_and_ten_characters():
    assert (len(BASIC), len(set(BASIC)), len(set(EXTENDED))) == (127, 127, 10)
    assert not set(BASIC) & set(EXTENDED)


@given(gsm_texts)
def test_what_is_in_the_alphabet_takes_septets(text):
    segments = segments_of(text)
    assert segments.encoding == GSM
    assert segments.units == len(text) + sum(text.count(character) for character in EXTENDED)
    least = 1 if segments.units <= 160 else -(-segments.units // 153)
    assert least <= segments.count <= least + segments.count // 153 + 1


@given(st.text(max_size=400))
def test_parts_hold_what_they_may_and_nothing_is_torn(text):
    segments = segments_of(text)
    if segments.encoding == UCS2:
        assert segments.units == len(text.encode("utf-16-le", "surrogatepass")) // 2
    room = {GSM: 153, UCS2: 67}[segments.encoding]
    assert segments.units <= (segments.count * room if segments.count > 1 else room * 160 // 153 + 1)


@given(gsm_texts, st.sampled_from(BASIC))
def test_a_longer_text_never_takes_fewer_parts(text, more):
    assert segments_of(text + more).count >= segments_of(text).count
