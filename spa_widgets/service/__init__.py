"""The engine service of a machine: one process that computes for all its users and fills the class store."""
