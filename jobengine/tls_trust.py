"""Whom HTTP clients trust where they use TLS, and that they read nothing for it where they do not.

To read the usual authorities takes longer than most commands, and keeps all jobs of a process waiting.
"""

from __future__ import annotations

import ssl


def authorities_for(url: str, may_lead_to_tls: bool) -> ssl.SSLContext | bool:
    """What httpx is to ``verify`` certificates by: the usual authorities; nobody if ``url`` is without TLS.

    ``may_lead_to_tls``: whether the client follows redirects of a server that may have some to ``https``.
    """
    if url.startswith("http://") and not may_lead_to_tls:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return True
