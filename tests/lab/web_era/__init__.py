"""A learner's own era: many instances over HTTP, as small as can be, without care or trust.

It joins by its package name: `eras up tests.lab.web_era`, `pytest --era tests.lab.web_era`.
"""

SCHEMES = {"portable": "http", "real": "http"}
