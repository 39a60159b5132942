"""Projects, jobs, the store of results and the runner; no widget library is imported here."""
