"""Who opens a mail or a link in it: a person, or a machine that looks first. Pure rules.

What says it itself is believed: proxies of mail services that fetch pictures beforehand, scanners that follow every link before the
person sees it, and programs. What says nothing betrays itself by its haste (`is_hasty`) or by a link that no person sees.
"""

import datetime as dt
import re
from collections.abc import Iterable

HASTE = dt.timedelta(seconds=2)
"""A person has not read the mail yet, or is not at the second link."""
SCAN = dt.timedelta(seconds=10)
"""As long a scanner takes to go through a mail: what looked like a person's click beside its clicks was one of them."""
# Apple Mail's privacy proxy sends this and nothing more.
_APPLE_PROXY = "Mozilla/5.0"
_MACHINES = re.compile(
    r"googleimageproxy|yahoomailproxy|ggpht|safelinks|safe links|"
    r"bingpreview|skypeuripreview|proofpoint|mimecast|barracuda|symantec|messagelabs|trendmicro|sophos|forcepoint|"
    r"fireeye|cloudmark|ironport|zscaler|vade ?secure|urldefense|spamassassin|"
    r"headless|phantomjs|puppeteer|playwright|selenium|webdriver|"
    r"\bcurl/|\bwget/|python|\bgo-http|\bjava/|okhttp|libwww|aiohttp|httpx|axios|node-fetch|\bruby\b|perl|"
    r"bot\b|bot/|crawler|spider|slurp|preview|scanner|monitor|facebookexternalhit|whatsapp|telegram|slack",
    re.IGNORECASE,
)


def is_machine(*, user_agent: str, method: str = "GET") -> bool:
    """Whether this request says itself that no person made it."""
    agent = user_agent.strip()
    return method != "GET" or agent in ("", _APPLE_PROXY) or _MACHINES.search(agent) is not None


def is_hasty(at: dt.datetime, *, handed_at: dt.datetime | None, others: Iterable[dt.datetime]) -> bool:
    """Whether a click comes sooner after the mail, or beside clicks on its other links, than a person's can."""
    if handed_at is not None and at - handed_at < HASTE:
        return True
    return any(abs(at - other) < HASTE for other in others)
