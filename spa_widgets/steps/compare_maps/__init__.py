"""One map against another, after bringing it there."""
