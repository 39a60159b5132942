"""Clusters of other machines: how one is named and reached, what its workers get, and jobs spread over them."""
