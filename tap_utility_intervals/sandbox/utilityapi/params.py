"""Reading UtilityAPI's request parameters, and refusing bad ones.

See utilityapi.md#error-body.
"""

from __future__ import annotations

import hmac
import json
import re
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from tap_utility_intervals.sandbox.wire import Refusal, Request, answer

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = "https://utilityapi.com/docs/api"


def refuse(status: int, error: str, description: str) -> Refusal:
    """A refusal with UtilityAPI's Error body."""
    body = {"error": error, "error_description": description, "url": DOCS}
    return Refusal(answer(body, status))


def missing() -> Refusal:
    """There is no such object, or it may not be seen; these are not told apart."""
    return refuse(404, "not_found", "It does not exist or you may not see it.")


def gone(status: int, description: str) -> Refusal:
    """Something named does not exist, refused with the status that the world sets."""
    if status == HTTPStatus.NOT_FOUND:
        return missing()
    return refuse(status, "invalid_param", description)


def authorized(request: Request, token: str) -> None:
    """Accept the token as Bearer header or as `access_token`.

    See utilityapi.md#authentication.
    """
    header = request.headers.get("authorization", "")
    given = header[7:] if header.startswith("Bearer ") else request.get("access_token")
    if not hmac.compare_digest((given or "").encode(), token.encode()):
        raise refuse(401, "unauthorized", "Invalid or missing access_token.")


def flag(request: Request, name: str) -> bool | None:
    """A boolean parameter."""
    text = request.get(name)
    if text is None:
        return None
    if text.lower() not in ("true", "false"):
        raise refuse(400, "invalid_param", f"{name} must be true or false.")
    return text.lower() == "true"


def integer(request: Request, name: str, default: int) -> int:
    """A whole number above 0."""
    text = request.get(name)
    if text is None:
        return default
    if not text.isdigit() or int(text) < 1:
        raise refuse(400, "invalid_param", f"{name} must be a positive integer.")
    return int(text)


def order(request: Request) -> str:
    """The order of bills or Interval objects; newest first unless asked otherwise."""
    text = request.get("order") or "latest_first"
    if text not in ("latest_first", "earliest_first"):
        raise refuse(
            400, "invalid_param", "order must be latest_first, earliest_first."
        )
    return text


def span(request: Request, zone: str) -> tuple[int | None, int | None]:
    """`start` and `end`; a short date is midnight where the meter is.

    See utilityapi.md#time-filters.
    """
    return _moment(request, "start", zone), _moment(request, "end", zone)


def next_url(request: Request, after: str) -> str:
    """The URL of the next page, with the other filters as they were.

    See utilityapi.md#lists.
    """
    query = {name: list(values) for name, values in request.whole_query.items()}
    query.pop("access_token", None)
    query["after"] = [after]
    return f"{request.origin}{quote(request.path)}?{urlencode(query, doseq=True)}"


def next_member(request: Request, after: str | None, form: str) -> str:
    """The member `next` with a comma behind it, spelled as the world says.

    Documented is a complete URL, and null at the end (utilityapi.md#lists); `missing`
    leaves out that null. The other spellings are what other servers do.
    """
    if after is None:
        return "" if form == "missing" else '"next":null,'
    url = next_url(request, after)
    path = url.removeprefix(request.origin)
    spelled = {
        "scheme": f"https{url.removeprefix('http')}",
        "host": url.replace("127.0.0.1", "LOCALHOST", 1),
        "path": path,
        "query": path[path.index("?") :],
    }
    return f'"next":{json.dumps(spelled.get(form, url))},'


def filters(request: Request) -> tuple[object, ...]:
    """What makes one list different from another: all but the page."""
    return tuple(
        (name, tuple(values))
        for name, values in sorted(request.query.items())
        if name not in ("after", "limit", "access_token")
    )


def _moment(request: Request, name: str, zone: str) -> int | None:
    text = request.get(name)
    if text is None:
        return None
    short = re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is not None
    read: Callable[[str], datetime] = datetime.fromisoformat
    try:
        moment = read(re.sub("[Zz]$", "+00:00", text))
    except ValueError as error:
        description = f"{name} must be an ISO 8601 date or time."
        raise refuse(400, "invalid_param", description) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone) if short else timezone.utc)
    return int(moment.timestamp())
