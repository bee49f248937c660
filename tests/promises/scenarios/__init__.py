"""The scenarios behind the rows: each puts one shop into one kind of trouble.

A scenario returns when the promise was kept, and raises what `tests.promises.failures` names when
it was not. It waits for what can be observed, never for time to pass. Each is written for every
era: where there is one instance only, that one gets into the trouble of "one of several".
"""
