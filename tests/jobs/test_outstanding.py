"""What has no answer yet: exactly one for each request, and cancelling comes first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pspgui.jobs.messages import Cancelled, Done, Progress, Request, Step
from pspgui.jobs.outstanding import Outstanding


def request(ticket, kind):
    return Request(ticket, kind, lambda turn: iter(()), revisions=("rev", ticket))


def test_cancelling_answers_all_of_a_kind_and_shuts_out_what_comes_late():
    waiting = Outstanding()
    for ticket, kind in ((1, "predict"), (2, "open"), (3, "predict")):
        waiting.add(request(ticket, kind))

    assert waiting.cancel("predict") == (
        Cancelled(1, "predict", ("rev", 1)), Cancelled(3, "predict", ("rev", 3)),
    )  # fmt: skip
    assert waiting.cancel("predict") == ()
    late = [Progress(1, "predict", None, Step("on")), Done(1, "predict", None, "late")]
    assert not any(waiting.admits(reply) for reply in late)
    assert waiting.admits(Progress(2, "open", None, Step("on")))
    assert waiting.admits(Done(2, "open", None, "image"))
    assert not waiting.admits(Done(2, "open", None, "again"))


@given(st.lists(st.sampled_from(["ask", "cancel", "done"]), max_size=40))
def test_every_request_gets_exactly_one_answer(moves):
    waiting, answers, asked, sent = Outstanding(), [], 0, 0
    for move in [*moves, "cancel"]:
        if move == "ask":
            asked += 1
            waiting.add(request(asked, "predict"))
        elif move == "cancel":
            answers += [a.ticket for a in waiting.cancel("predict")]
        elif sent < asked:  # the worker answers in order, cancelled or not
            sent += 1
            if waiting.admits(Done(sent, "predict", None, None)):
                answers.append(sent)
    assert sorted(answers) == list(range(1, asked + 1))
