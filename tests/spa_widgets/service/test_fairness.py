"""Who is next: judged by shares of simulated time, by hand-made lines and by laws."""

from __future__ import annotations

import numpy as np
import pytest

from spa_widgets.service.fairness import FairQueue, History, Waiting
from spa_widgets.service.lines import waits


def simulate(jobs: dict[str, list[float]], seconds: float) -> dict[str, float]:
    """Give one worker to users with endless lists of jobs; return the seconds that each got."""
    fair, now, number = FairQueue(), 0.0, 0
    used = dict.fromkeys(jobs, 0.0)
    rng = np.random.default_rng(3)
    while now < seconds:
        waiting = []
        for user, kinds in jobs.items():
            for kind in kinds:
                number += 1
                waiting.append(Waiting(number, (user,), kind))
        job = fair.order(waiting)[0]
        fair.started(job)
        took = job.expected_s * rng.uniform(0.5, 2)
        fair.ended(job, took, True)
        used[job.users[0]] += took
        now += took
    return used


def test_users_get_equal_seconds_whatever_they_ask_for() -> None:
    used = simulate({"many": [30.0] * 50, "few": [30.0], "long": [200.0]}, 40_000)
    assert min(used.values()) > 0.9 * max(used.values()), used


@pytest.mark.parametrize(
    "jobs",
    [
        {"clicks": [5.0], "refines": [600.0]},
        {"clicks": [5.0], "works": [30.0]},
        {"clicks": [5.0] * 20, "works": [30.0], "refines": [600.0] * 3, "both": [100.0, 3.0]},
    ],
)
def test_short_jobs_go_first_and_take_no_more_than_their_share(jobs: dict[str, list[float]]) -> None:
    used = simulate(jobs, 25_000)
    fair = sum(used.values()) / len(used)
    assert all(0.9 * fair < seconds < 1.1 * fair for seconds in used.values()), used


def test_a_long_job_waits_for_a_limited_time_however_many_ask_for_short_ones() -> None:
    fair = FairQueue(patience_s=30)
    clicks = [Waiting(number, (f"user{number}",), 5.0) for number in range(2, 80)]
    order = [job.number for job in fair.order([Waiting(1, ("patient",), 500.0), *clicks])]
    assert order.index(1) == 6, "30 s of short jobs"


def test_short_jobs_go_first() -> None:
    fair = FairQueue(patience_s=30)
    order = fair.order([Waiting(1, ("a",), 500.0), *(Waiting(n, ("b",), 10.0) for n in range(2, 9))])
    assert [job.number for job in order] == [2, 3, 4, 1, 5, 6, 7, 8]


def test_equal_requests_are_paid_by_all_who_asked() -> None:
    fair = FairQueue()
    fair.order([Waiting(1, ("a", "b"), 60.0), Waiting(2, ("c",), 60.0)])
    fair.ended(Waiting(1, ("a", "b"), 60.0), 60.0, False)
    assert fair.balances == {"a": -30.0, "b": -30.0, "c": 0.0}
    waiting = [Waiting(3, ("a",), 60.0), Waiting(4, ("c",), 60.0)]
    assert [job.number for job in fair.order(waiting)] == [4, 3]


def test_idle_time_earns_nothing_and_old_debts_are_forgiven() -> None:
    fair = FairQueue()
    for _ in range(100):
        fair.order([Waiting(1, ("busy",), 100.0)])
        fair.ended(Waiting(1, ("busy",), 100.0), 100.0, False)
    both = [Waiting(1, ("busy",), 100.0), Waiting(2, ("new",), 100.0)]
    fair.order(both)
    assert fair.balances["new"] == fair.balances["busy"], "nobody had to wait, so nobody is in debt"


def test_what_runs_counts_already() -> None:
    fair = FairQueue()
    running = [(Waiting(1, ("a",), 300.0), 200.0)]
    order = fair.order([Waiting(2, ("a",), 30.0), Waiting(3, ("b",), 30.0)], running)
    assert [job.number for job in order] == [3, 2]


def test_every_job_is_in_the_order_once() -> None:
    rng = np.random.default_rng(0)
    jobs = [Waiting(n, (f"u{rng.integers(5)}", f"v{rng.integers(3)}"), float(rng.exponential(30))) for n in range(200)]
    order = FairQueue().order(jobs)
    assert sorted(job.number for job in order) == list(range(200))


def test_a_debt_shrinks_while_others_work() -> None:
    fair = FairQueue()
    fair.order([Waiting(1, ("away",), 300.0), Waiting(2, ("here",), 300.0)])
    fair.ended(Waiting(1, ("away",), 300.0), 300.0, False)
    for number in range(3, 6):
        fair.order([Waiting(number, ("here",), 100.0)])
        fair.ended(Waiting(number, ("here",), 100.0), 100.0, False)
    fair.order([Waiting(6, ("away",), 30.0), Waiting(7, ("here",), 30.0)])
    assert fair.balances["away"] == fair.balances["here"], "both have had 300 s"


def test_each_waits_for_the_first_slot_that_suits_it() -> None:
    long = [(1, "CPU", 113.0), (2, "CPU", 100.0), (3, "QUICK", 2.0)]
    on_cards = [(4, "GPU", 50.0), (5, "GPU1", 50.0), (6, "GPU", 50.0)]
    found = waits([*long, *on_cards], {"CPU": 7.0, "GPU0": 20.0}, gpus=2)
    assert found == {1: (1, 7.0), 2: (2, 120.0), 3: (3, 0.0), 4: (4, 0.0), 5: (5, 50.0), 6: (6, 20.0)}


def test_history_is_the_median_of_the_last_ones() -> None:
    history = History()
    assert history.expected_s("x", quick=True) < history.expected_s("x", quick=False)
    for seconds in [1000.0] + [10.0] * 5:
        history.note("x", seconds)
    assert history.expected_s("x", quick=False) == pytest.approx(10.0)
