"""Every ordered outcome is as likely as successive sampling says; and what is biased is found out."""

import hmac
from array import array
from hashlib import sha256
from itertools import accumulate, islice

import pytest

from draws import selection
from draws.selection import draw_ranks
from tests.draws.fairness import chi_square_p, ordered_odds, p_of

WEIGHTS = (1, 2, 3, 5, 7, 11)  # 29 tickets: the least likely outcome is still expected six times
RANKS = 3
DRAWS = 20_000
ODDS = ordered_odds(WEIGHTS, RANKS)


def outcomes(weights=WEIGHTS, seeds=b"fair"):
    """The ordered outcomes of draws whose seeds are fixed: the same in every run, so nothing here flickers."""
    firsts = array("Q", accumulate(weights, initial=0))
    total = firsts.pop()
    for number in range(DRAWS):
        ranks = draw_ranks(seed=sha256(b"%b %d" % (seeds, number)).digest(), firsts=firsts, total=total)
        yield tuple(rank.index for rank in islice(ranks, RANKS))


unbiased = selection.uniform_below


def by_remainder(*, seed, rank, bound):
    """The usual mistake: the same leading bits, but `% n` where the definition takes another hash."""
    digest = hmac.digest(seed, b"vwd1/draw\0" + rank.to_bytes(4, "big") + bytes(4), "sha256")
    return (int.from_bytes(digest[:8], "big") >> 64 - (bound - 1).bit_length()) % bound, 1


def without_the_last_ticket(*, seed, rank, bound):
    """Off by one."""
    return unbiased(seed=seed, rank=rank, bound=max(1, bound - 1))


def by_the_first_hash(*, seed, rank, bound):
    """Every rank by the hash of rank 0: each rank alone looks right, the ranks depend on each other."""
    return unbiased(seed=seed, rank=0, bound=bound)


@pytest.mark.parametrize("ranks_by_scan", [0, selection.SCAN_RANKS], ids=["tree", "scan"])
def test_outcomes_come_as_often_as_successive_sampling_says(monkeypatch, ranks_by_scan):
    monkeypatch.setattr(selection, "SCAN_RANKS", ranks_by_scan)
    assert 0.001 < p_of(outcomes(), ODDS) < 0.999


@pytest.mark.parametrize("biased", [by_remainder, without_the_last_ticket, by_the_first_hash])
def test_a_biased_drawing_is_found_out(monkeypatch, biased):
    monkeypatch.setattr(selection, "uniform_below", biased)
    assert p_of(outcomes(), ODDS) < 1e-6


def test_weights_that_are_not_counted_are_found_out():
    assert p_of(outcomes(weights=(1,) * len(WEIGHTS)), ODDS) < 1e-6


def test_what_is_too_even_is_found_out():
    as_expected = (outcome for outcome, odds in ODDS.items() for _ in range(round(DRAWS * odds)))
    assert p_of(as_expected, ODDS) > 0.999


def test_odds_are_exact_and_complete():
    assert sum(ODDS.values()) == 1
    assert len(ODDS) == 6 * 5 * 4
    assert ordered_odds([1, 2], 2) == {
        (0, 1): ordered_odds([1, 2], 1)[0,],
        (1, 0): ordered_odds([1, 2], 1)[1,],
    }


@pytest.mark.parametrize(
    ("statistic", "degrees", "p"),
    [  # quantiles out of printed tables
        (3.841459, 1, 0.05),
        (0.002, 1, 0.964329),
        (18.307038, 10, 0.05),
        (49.728232, 23, 0.001),
        (7.529236, 23, 0.999),
        (149.449253, 100, 0.001),
        (124.342113, 100, 0.05),
    ],
)
def test_p_values_are_those_of_the_tables(statistic, degrees, p):
    assert chi_square_p(statistic, degrees) == pytest.approx(p, rel=1e-4)


def test_nothing_strays_by_nothing_at_all():
    assert chi_square_p(0, 5) == 1
