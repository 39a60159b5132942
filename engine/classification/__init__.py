"""2D classification by online expectation–maximisation, and the choice of good classes."""
