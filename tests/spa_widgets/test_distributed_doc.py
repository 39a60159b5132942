"""docs/distributed.md shows what its script computes."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks import cluster_model

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "distributed.md"


def test_the_model_in_the_document_is_the_scripts() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert cluster_model.iterations_table() in text
    assert cluster_model.scaling_table() in text


def test_one_gpu_neither_sends_nor_adds_and_more_are_faster() -> None:
    alone, many = cluster_model.Cluster(1), cluster_model.Cluster(64)
    for radius_px, searches_all in cluster_model.ITERATIONS:
        parts = cluster_model.iteration_s(alone, cluster_model.PARTICLES, radius_px, searches_all)
        assert parts["add"] == parts["send"] == 0
        shared = cluster_model.iteration_s(many, cluster_model.PARTICLES, radius_px, searches_all)
        assert sum(parts.values()) / 64 < sum(shared.values()) < sum(parts.values())
    assert cluster_model.chunks(cluster_model.PARTICLES) == 128
    assert cluster_model.chunks(2048) == 2
