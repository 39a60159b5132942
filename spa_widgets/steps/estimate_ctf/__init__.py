"""CTF estimation: defocus, astigmatism and local defocus of every micrograph."""
