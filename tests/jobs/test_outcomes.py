"""Jobs that end with an answer whatever happens to them."""

import pytest

from pspgui.jobs.messages import JobCancelled, Step, Turn
from pspgui.jobs.outcomes import never_failing


def ending(end):
    """A job of one step that returns, or raises, `end`."""

    def job(turn):
        yield Step("At work")
        if isinstance(end, Exception):
            raise end
        return end

    return never_failing(job, lambda error: ("failed", error))(Turn(lambda step: None, bool))


def run(steps):
    assert next(steps) == Step("At work")
    with pytest.raises(StopIteration) as stopped:
        next(steps)
    return stopped.value.value


def test_what_it_returns_is_passed_on():
    assert run(ending(7)) == 7


def test_a_failure_becomes_its_outcome():
    error = ValueError("no")
    assert run(ending(error)) == ("failed", error)


def test_a_job_that_was_cancelled_stays_so():
    steps = ending(JobCancelled())
    next(steps)
    with pytest.raises(JobCancelled):
        next(steps)
