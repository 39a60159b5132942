"""The convention guard: what looks wrong in data, said before it spoils hours of computing.

Each function returns sentences that tell what was seen, why it matters and what to do; none stops a job, and what
cannot be read is left to the step that reads it.
"""
