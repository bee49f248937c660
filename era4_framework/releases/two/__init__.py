"""Release 2: headers get names of our own.

* The identity travels as `X-Service-Token`, as proxies have plans of their own for
  `Authorization`. Servers accept the old header too, until the next release.
* The deadline travels as `Request-Timeout-Ms`, as RFC 6648 deprecates `X-`. Nobody remembered to
  accept the old header here, and no test of one release alone can find that out.

| client | server | identity                   | deadline       |
|--------|--------|----------------------------|----------------|
| 1      | 1      | kept                       | kept           |
| 1      | 2      | kept                       | lost, silently |
| 2      | 1      | unknown: every call is 401 | never asked    |
| 2      | 2      | kept                       | kept           |
"""
