"""The delimiter around passages: one that none of them contains.

Knows texts and digests; knows nothing of templates.
"""

import hashlib
import itertools
import json
from collections.abc import Iterable


def fence(passages: Iterable[str], question: str) -> str:
    """16 hex digits that occur in no passage and not in the question, in either case of letters.

    Derived from the passages, not drawn: the same passages give the same fence, so that a request is the same byte for byte when
    it is repeated, cached or replayed, and a server's prefix cache holds across questions. A text that was written to contain
    its own fence only moves it on.

    `passages` is every text that will stand between fences, titles and headings included where a template shows them.
    """
    texts = list(passages)
    content = json.dumps(texts).encode()
    searched = "\n".join([*texts, question]).casefold()
    candidates = (hashlib.sha256(b"%d:%s" % (counter, content)).hexdigest()[:16] for counter in itertools.count())
    return next(candidate for candidate in candidates if candidate not in searched)
