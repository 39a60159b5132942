"""The five FSC curves of two half maps."""
