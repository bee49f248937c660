"""Later releases of this library: of each, the files that it changes, and nothing else.

`lab.release.install` makes the whole release of one, in a folder that comes first on a service's
PYTHONPATH. Two services of one shop can so run two releases: as they do in every shop, on the days
between an upgrade's first service and its last.
"""
