"""What a sink does not take in time ends the job, or is counted and left out."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from jobengine.clock import to_text
from jobengine.messaging.worker_messages import Resume
from tests.unit.worker.restream.scene import Scene
from tests.unit.worker.restream.sinks import Died

SKIPPING: dict[str, Any] = {"pacing": {"mode": "absolute"}, "onUndelivered": "skip"}


def test_what_a_sink_does_not_take_is_a_dead_letter_if_it_is_to_be(scene: Scene) -> None:
    scene.camera.add_every(40, 20)
    scene.sink.confirms = False
    scene.link.at(500, partial(setattr, scene.sink, "confirms", True))
    scene.restream(**SKIPPING, maxDeliveryMs=300)
    state, info = scene.end
    lost = scene.sink.given_up
    assert (state, info["result"]["deadLetters"], info["result"]["elements"]) == ("Finished", lost, 20)
    assert scene.sequences == list(range(lost, 20))
    assert 0 < lost < 20
    assert {beat.counters["deadLetters"] for beat in scene.beats} >= {0, lost}


def test_the_ledger_passes_over_dead_letters(scene: Scene) -> None:
    scene.camera.add_every(40, 20)
    scene.sink.confirms = False
    scene.link.at(400, partial(setattr, scene.sink, "confirms", True))
    scene.sink.dies_after = 5
    with pytest.raises(Died):
        scene.restream(**SKIPPING, maxDeliveryMs=100)
    scene.sink.dies_after = None
    scene.restream(
        resume=Resume(0, to_text(scene.clock.now()), ()), state="Running", **SKIPPING, maxDeliveryMs=100
    )
    assert scene.sink.given_up > 0
    assert scene.sequences == list(range(scene.sink.given_up, 20))


def test_the_end_of_a_job_tells_how_much_did_not_arrive(scene: Scene) -> None:
    scene.camera.add_every(40, 20)
    scene.sink.confirms = False
    scene.restream(pacing={"mode": "absolute"}, maxDeliveryMs=300)
    state, info = scene.end
    assert (state, info["code"]) == ("Error", "delivery")
    assert info["cause"].endswith("8 are not delivered")


def test_progress_tells_of_an_open_circuit(scene: Scene) -> None:
    scene.camera.add_every(40, 50)
    scene.link.at(600, partial(setattr, scene.sink, "has_open_circuit", True))
    scene.restream(pacing={"mode": "absolute"})
    assert [beat.counters["circuit"] for beat in scene.beats][:3] == ["closed", "closed", "open"]
