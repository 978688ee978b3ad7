"""Links that an answer holds: where they may lead, and what of them is said. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

_TOKEN = re.compile(r"(?i)(access[_-]?token|api[_-]?key|token)=")
SHORTEST = 8
"""Letters of a credential below which any link may hold it by chance."""

_PORTS = {"http": 80, "https": 443}


def origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    """Scheme, host and port, with the scheme's own port filled in.

    Raises:
        ValueError: when the port is none.
    """
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)


def ours(
    link: str, page: str, base_url: str, secrets: Collection[str] = ()
) -> SplitResult | None:
    """A link as a URL of the configured origin; None where it leads elsewhere.

    Servers behind a proxy call themselves http for https, leave their port out, or
    have another name for themselves: path and query are theirs, the origin is ours. A
    link to another name is one to this list only if it has the very path of the page.
    What looks like a credential is left out, for the header holds it.

    Args:
        link: as it was sent, whole or relative.
        page: the path below `base_url` of the page that held it.
        base_url: the configured one.
        secrets: texts that no link may hold.
    """
    if not link.isprintable() or " " in link or "\\" in link:
        return None
    try:
        base, url = urlsplit(base_url), urlsplit(urljoin(base_url + page, link))
        is_known = _is_host_of(base, url) or url.path == base.path + page
        is_ours = link != "" and is_known and _is_plain(url, base)
    except ValueError:
        is_ours = False
    if not is_ours:
        return None
    path = ";".join(part for part in url.path.split(";") if not _is_token(part))
    kept = (part for part in re.split("[&;]", url.query) if not _is_token(part))
    query = "&".join(part for part in kept if not _holds(part, secrets))
    if _holds(path, secrets) or _TOKEN.search(_plain(path)):
        return None
    return SplitResult(base.scheme, base.netloc, path, query, "")


def _is_host_of(base: SplitResult, url: SplitResult) -> bool:
    """Whether a host is ours, in any spelling."""
    return (url.hostname or "").rstrip(".") == (base.hostname or "").rstrip(".")


def _is_plain(url: SplitResult, base: SplitResult) -> bool:
    """Whether a link has no user, a host, and our port or that of its scheme."""
    scheme, host, port = origin(url)
    is_usual = scheme in _PORTS and port in {_PORTS[scheme], origin(base)[2]}
    return is_usual and bool((host or "").strip(".")) and "@" not in url.netloc


def _is_token(part: str) -> bool:
    return bool(_TOKEN.match(_plain(part)))


def _holds(text: str, secrets: Collection[str]) -> bool:
    plain = _plain(text)
    return any(
        len(secret) >= SHORTEST and (secret in text or secret in plain)
        for secret in secrets
    )


def _plain(text: str) -> str:
    """A text without percent-encoding, however often it was encoded."""
    while (plain := unquote(text)) != text:
        text = plain
    return text
