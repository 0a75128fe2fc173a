"""Whether a connection failed because a certificate does not hold: by its type, in no language."""

import ssl

# What OpenSSL says of a certificate whose time has not come, or is over.
_OUT_OF_TIME = (9, 10)


def is_untrusted(error: BaseException) -> bool:
    """Whether a certificate that was looked at is what an error comes from."""
    return _verification(error) is not None


def is_out_of_time(error: BaseException) -> bool:
    """Whether it is the time of a certificate that does not hold, by the clock of this machine."""
    found = _verification(error)
    return found is not None and found.verify_code in _OUT_OF_TIME


def _verification(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """What was found of a certificate, among the causes of an error."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return None
