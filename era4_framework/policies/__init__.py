"""Policies: what the framework decides, as state machines without any I/O.

None of them sleeps, locks, logs, or reads a clock. `now` is an argument, in seconds of whatever
clock the shell keeps to; randomness is a `random.Random` given at construction. So a test plays an
hour of faults in a millisecond, and the same objects serve threads (era 4: one lock around each,
never held across a call) and coroutines (eras 5 and 6: no lock at all). `now` may come late, as
threads overtake each other between reading the clock and taking the lock: time that goes back is
time that stands still.
"""
