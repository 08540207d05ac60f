"""Streams that nobody tuned for: what each holds is known, and what a policy makes of it is told.

`streams` lists them, `made` and `published` make them, `ours` plays the project's policy on one.
"""
