"""Where did the code go? Every line of every era belongs to one concern, on one floor.

`table.toml` says which, by file, by definition and by name; `attribution` applies it to a file,
`count` adds up, `show` draws the table, `learned` counts what the author of a service must know.
Nothing is counted by hand, and a test fails for a line that the table does not know.
"""
