"""What makes a fence of a function.

Every failure must be a SuperFencesException: with any other the fence would quietly become plain
text, and even a strict build would pass.
"""

import functools
from collections.abc import Callable
from typing import Any

from pymdownx.superfences import SuperFencesException

from lab.docs import DocsError
from lab.docs.options import Asked, read


def fence(
    *keys: str,
) -> Callable[[Callable[[Asked, Any], str]], Callable[..., str]]:
    """Make a fence of a function from what was asked (with these keys) to HTML."""

    def make(show: Callable[[Asked, Any], str]) -> Callable[..., str]:
        @functools.wraps(show)
        def made(
            source: str, language: str, css_class: str, options: object, md: Any, **_: object
        ) -> str:
            try:
                return show(read(source, keys), md)
            except DocsError as error:
                raise SuperFencesException(f"{language}: {error}") from error
            except Exception as error:  # see above: anything else would vanish silently
                raise SuperFencesException(f"{language} failed: {error!r}") from error

        return made

    return make
