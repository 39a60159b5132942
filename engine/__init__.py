"""The science of single-particle analysis: arrays in, arrays out.

Nothing here touches a file or a screen; conventions are in ``CONVENTIONS.md`` at the top of the repository.
"""
