"""What around the tap may be wrong: proxies, certificates, the base URL.

Of the environment names are told alone, for a proxy's address may hold a password.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import urllib3
from requests import exceptions

CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

ADDRESSES = (
    exceptions.InvalidURL,  # as is InvalidProxyURL
    exceptions.InvalidSchema,
    exceptions.MissingSchema,
    urllib3.exceptions.LocationValueError,
    urllib3.exceptions.ProxySchemeUnknown,
    UnicodeError,
)
_REFUSED = re.compile(r"Tunnel connection failed: 4")
_NO_CERTIFICATES = re.compile(r"X509|NO_CERTIFICATE|PEM lib|No such file")


class Where(Protocol):
    """What is needed of an endpoint."""

    @property
    def base_url(self) -> str:
        """The configured address."""

    @property
    def setting(self) -> str:
        """The setting that holds the base URL."""


@dataclass(frozen=True)
class Wrong:
    """What is wrong, and which variable or setting to look at."""

    problem: str
    hint: str
    may_pass: bool = False


def what_is_wrong(failure: Exception, where: Where) -> Wrong | None:
    """What a failure says of the machine's own set-up; None if it says nothing."""
    texts = " ".join(map(str, _causes(failure)))
    return _proxy(failure, texts, where) or _certificates(failure, texts, where)


def _proxy(failure: Exception, texts: str, where: Where) -> Wrong | None:
    proxy = proxy_variable(where)
    if proxy is None:
        is_odd = isinstance(failure, ADDRESSES)
        advice = f"check the setting {where.setting}"
        return Wrong("has no such address", advice) if is_odd else None
    advice = f"check the variable {proxy}"
    if "SOCKS" in texts and isinstance(failure, exceptions.InvalidSchema):
        problem = "cannot be asked through a SOCKS proxy without the package PySocks"
        return Wrong(problem, f"install requests[socks], or {advice}")
    problem = "could not be reached through the proxy"
    if isinstance(failure, ADDRESSES) or _REFUSED.search(texts):
        return Wrong(problem, advice)
    is_proxy = isinstance(failure, exceptions.ProxyError)
    return Wrong(problem, advice, may_pass=True) if is_proxy else None


def _certificates(failure: Exception, texts: str, where: Where) -> Wrong | None:
    bundle = ca_variable()
    if bundle and (type(failure) is OSError or _NO_CERTIFICATES.search(texts)):
        problem = f"cannot be asked: {bundle} names no file of certificates"
        return Wrong(problem, f"check the variable {bundle}")
    if "CERTIFICATE_VERIFY_FAILED" in texts:
        named = f"the variable {bundle}" if bundle else f"the setting {where.setting}"
        return Wrong("shows a certificate that is not trusted", f"check {named}")
    return None


def ca_bundle() -> str | None:
    """The file of certificates that the environment names."""
    name = ca_variable()
    return os.environ[name] if name else None


def ca_variable() -> str | None:
    """The variable that names a file of certificates."""
    return next((name for name in CA_BUNDLES if os.environ.get(name)), None)


def proxy_variable(where: Where) -> str | None:
    """The variable that names the proxy for an endpoint; None without one."""
    scheme = urlsplit(where.base_url).scheme
    names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY")
    return next((name for name in names if os.environ.get(name)), None)


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """An error and those that it wraps."""
    yield failure
    wrapped = [getattr(failure, "reason", None), failure.__cause__, *failure.args]
    for inner in wrapped:
        if isinstance(inner, BaseException) and inner is not failure:
            yield from _causes(inner)
