"""From picked positions to normalised particle images."""
