"""The mailbox and the scheduler, on one thread: order, superseding, cancelling, failing."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from pspgui.jobs.mailbox import Mailbox
from pspgui.jobs.messages import (
    Cancelled,
    Done,
    Failed,
    JobCancelled,
    Progress,
    Request,
    Step,
)
from pspgui.jobs.scheduler import Scheduler


def counting(steps, diary, name):
    """A job of some steps that writes down when it ran and returns its name."""

    def job(turn):
        for step in range(steps):
            diary.append((name, step))
            yield Step(name, step / steps)
        return name

    return job


class Bench:
    """A mailbox, its scheduler and the replies."""

    def __init__(self):
        self.mailbox, self.replies, self.diary = Mailbox(), [], []
        self.scheduler = Scheduler(self.mailbox, self.replies.append)
        self.ticket = 0

    def put(self, kind, steps=2, urgency=0, job=None):
        self.ticket += 1
        job = job or counting(steps, self.diary, f"{kind}{self.ticket}")
        self.mailbox.put(Request(self.ticket, kind, job, urgency, ("rev", self.ticket)))
        return self.ticket

    def ends(self):
        return [(type(r), r.ticket) for r in self.replies if not isinstance(r, Progress)]


def test_a_job_reports_every_yield_and_its_result():
    bench = Bench()
    ticket = bench.put("predict", 2)
    bench.scheduler.run_until_idle()

    assert [r.step.fraction for r in bench.replies[:2]] == [0, 0.5]
    assert bench.replies[2] == Done(ticket, "predict", ("rev", ticket), "predict1")


def test_the_latest_of_a_kind_wins_waiting_and_running():
    bench = Bench()
    first = bench.put("predict")
    second = bench.put("predict")
    bench.scheduler.step()
    assert bench.diary == [("predict2", 0)]
    third = bench.put("predict")
    bench.scheduler.run_until_idle()

    assert bench.ends() == [(Cancelled, first), (Cancelled, second), (Done, third)]


def test_something_more_urgent_takes_its_turn_at_the_next_yield():
    bench = Bench()
    slow = bench.put("predict", 3, urgency=1)
    bench.scheduler.step()
    quick = bench.put("look", 1, urgency=9)
    equal = bench.put("map", 1, urgency=1)
    bench.scheduler.run_until_idle()

    assert bench.ends() == [(Done, quick), (Done, slow), (Done, equal)]
    assert bench.diary.index(("look2", 0)) == 1


def test_cancel_ends_a_running_job_at_its_yield_and_runs_its_cleanup():
    bench = Bench()
    cleaned = []

    def job(turn):
        try:
            yield Step("one")
            raise AssertionError("went on after being cancelled")
        finally:
            cleaned.append(turn.cancelled())

    ticket = bench.put("predict", job=job)
    bench.scheduler.step()
    bench.mailbox.cancel("predict")
    bench.scheduler.run_until_idle()

    assert bench.ends() == [(Cancelled, ticket)] and cleaned == [True]


def test_errors_become_failed_and_the_next_job_runs():
    bench = Bench()
    trouble = ValueError("no such weights")

    def bad(turn):
        yield Step("trying")
        raise trouble

    def at_once(turn):
        raise trouble

    def stops(turn):
        yield Step("trying")
        raise JobCancelled

    tickets = [bench.put("a", job=bad), bench.put("b", job=at_once), bench.put("c", job=stops)]
    good = bench.put("d")
    bench.scheduler.run_until_idle()

    assert bench.ends() == [
        (Failed, tickets[0]), (Failed, tickets[1]), (Cancelled, tickets[2]), (Done, good),
    ]  # fmt: skip
    assert next(r for r in bench.replies if isinstance(r, Failed)).error is trouble


def test_a_turn_reports_between_yields():
    bench = Bench()

    def job(turn):
        turn.report(0.25, "inside a callback")
        turn.check()
        yield Step("end")

    bench.put("predict", job=job)
    bench.scheduler.run_until_idle()

    assert bench.replies[0].step == Step("inside a callback", 0.25)


def test_closing_answers_everything_and_ends_the_thread():
    bench = Bench()
    begun = threading.Event()

    def endless(turn):
        while True:
            begun.set()
            yield Step("again")

    first = bench.put("predict", job=endless)
    thread = threading.Thread(target=bench.scheduler.serve)
    thread.start()
    assert begun.wait(60)
    second = bench.put("other")
    bench.mailbox.close()
    thread.join(60)

    assert not thread.is_alive()
    assert sorted(t for _, t in bench.ends()) == [first, second]
    bench.put("late")
    assert bench.mailbox.take() is None


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 3), st.integers(0, 4)),
        max_size=25,
    )
)
def test_every_request_is_answered_exactly_once_and_the_last_of_a_kind_is_done(plan):
    bench = Bench()
    last = {}
    for kind, steps, urgency, turns in plan:
        last[kind] = bench.put(kind, steps, urgency)
        for _ in range(turns):
            bench.scheduler.step()
    bench.scheduler.run_until_idle()

    ends = bench.ends()
    assert sorted(t for _, t in ends) == list(range(1, len(plan) + 1))
    done = {t for kind, t in ends if kind is Done}
    assert set(last.values()) <= done
