"""Era 6: a mesh. The sidecars of era 5 are told what to do from one place, all at once."""
