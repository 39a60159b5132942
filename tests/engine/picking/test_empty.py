import numpy as np

from engine.picking.empty import empty_places


def test_empty_places_keep_away_from_objects_and_edges():
    rng = np.random.default_rng(3)
    taken = rng.uniform(0, 400, (12, 2))
    found = empty_places(taken, (300, 400), 50.0, 20.0, 30, rng)
    assert len(found) == 30
    assert np.linalg.norm(found[:, None] - taken, axis=-1).min() >= 50.0
    assert (found >= 20).all() and (found[:, 0] <= 380).all() and (found[:, 1] <= 280).all()


def test_a_full_micrograph_has_no_empty_place():
    grid = np.stack(np.meshgrid(np.arange(0, 101, 10), np.arange(0, 101, 10)), -1).reshape(-1, 2)
    assert len(empty_places(grid, (100, 100), 20.0, 10.0, 5, np.random.default_rng(0))) == 0
    assert empty_places(grid, (100, 100), 20.0, 60.0, 5, np.random.default_rng(0)).shape == (0, 2)
