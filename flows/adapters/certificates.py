"""Whether a connection failed because a certificate does not hold: by its type, in no language."""

import ssl


def is_untrusted(error: BaseException) -> bool:
    """Whether a certificate that was looked at is what an error comes from."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return False
