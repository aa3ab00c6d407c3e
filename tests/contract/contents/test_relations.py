"""How contents belong together: what is noted, what is refused, what is left when one is deleted."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from jobengine.contents.catalogue import Catalogue
from jobengine.contents.relations import Relations
from jobengine.contents.relations.making import Making
from jobengine.contents.relations.transformations import Transformation
from jobengine.errors import ConflictError, MalformedError, NotFoundError, RevisionMismatch
from jobengine.ports.contents import ContentStore
from jobengine.testing import ManualClock

VIDEO = {"codecpar": {"codec_type": "video"}}
STEREO = {"codecpar": {"codec_type": "audio", "channels": 2}}
EIGHT = {"codecpar": {"codec_type": "audio", "channels": 8}}
STREAMS = (VIDEO, EIGHT, STEREO, STEREO)
NAMES = "ABCDEFGHI"


@pytest.fixture
def relations(store: ContentStore) -> Relations:
    """Relations of contents that are called A to I."""
    catalogue = Catalogue(store, ManualClock())
    for name in NAMES:
        catalogue.create(name, {}, STREAMS)
    return Relations(store, catalogue)


def make(sources: str, targets: str, recipe: Any = "") -> Transformation:
    return Transformation(tuple(sources), tuple(targets), recipe)


class TestEquivalents:
    """F10 to F14."""

    def test_four_refusals_can_be_told_apart(self, relations: Relations) -> None:
        told = []
        for pair in (("A", "A"), ("A", "x"), ("x", "A"), ("x", "y")):
            with pytest.raises((MalformedError, NotFoundError)) as refused:
                relations.equivalents.create(*pair)
            told.append(refused.value.detail)

        assert "itself" in told[0]
        assert "'x' and 'y'" in told[3]
        assert relations.equivalents.query("A") == []

    def test_either_side_gives_the_other_and_a_known_pair_is_said_to_be_known(
        self, relations: Relations
    ) -> None:
        assert relations.equivalents.create("A", "B")
        assert not relations.equivalents.create("B", "A")

        assert relations.equivalents.query("A") == ["B"]
        assert relations.equivalents.query("B") == ["A"]

    def test_a_ring_ends_at_any_depth_and_depth_one_is_the_pairs(self, relations: Relations) -> None:
        for pair in ("AB", "BC", "CA", "CD", "DE"):
            relations.equivalents.create(*pair)

        assert relations.equivalents.query("A", depth=1) == ["B", "C"]
        assert relations.equivalents.query("A", depth=2) == ["B", "C", "D"]
        assert relations.equivalents.query("A", depth=10) == ["B", "C", "D", "E"]

    def test_a_pair_is_deleted_once_and_longer_ways_stay(self, relations: Relations) -> None:
        for pair in ("AB", "BC", "AC"):
            relations.equivalents.create(*pair)

        assert relations.equivalents.delete("C", "A")
        assert not relations.equivalents.delete("A", "C")
        assert relations.equivalents.query("A", depth=9) == ["B", "C"]


class TestRenditions:
    """F16 to F23."""

    def test_the_target_knows_its_source_and_the_source_has_none(self, relations: Relations) -> None:
        assert relations.renditions.create("A", "B")

        assert relations.renditions.sources("B") == ["A"]
        assert relations.renditions.sources("A") == []

    def test_a_map_can_be_given_later_and_stays_as_it_was_given(self, relations: Relations) -> None:
        relations.renditions.create("A", "B")

        assert not relations.renditions.create("A", "B", {"video": "video", "1": 1}, Making.JUST_IN_CASE)
        noted = relations.renditions.of("B")
        assert noted is not None
        assert noted.stream_map == {"video": "video", "1": 1}
        assert noted.making is Making.JUST_IN_CASE

    def test_sources_are_told_nearest_first_as_deep_as_asked(self, relations: Relations) -> None:
        relations.renditions.create("A", "B")
        relations.renditions.create("B", "C")

        assert relations.renditions.sources("C", depth=10) == ["B", "A"]
        assert relations.renditions.sources("C", depth=1) == ["B"]
        assert relations.renditions.targets("A") == ["B"]

    def test_channels_can_be_picked_and_put_side_by_side(self, relations: Relations) -> None:
        given = {"stream_1": "audio[3]", "2": ["audio[7]", "audio_1"]}

        relations.renditions.create("A", "B", given)

        noted = relations.renditions.of("B")
        assert noted is not None
        assert noted.stream_map == given

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({"video": "video", "stream_0": "video"}, "mapped by another name"),
            ({"audio": "audio[8]"}, "has 8 channels from 0"),
            ({"audio": "video[0]"}, "is not sound"),
            ({"audio": ["audio", "video"]}, "is not sound"),
            ({"audio": "audio[x]"}, "does not name a stream"),
            ({"audio": []}, "names 0 streams"),
            ({"audio": True}, "does not name a stream"),
            ({"audio_7": "audio"}, "has no stream 'audio_7'"),
            ({"audio": "audio_7[0]"}, "has no stream 'audio_7'"),
        ],
    )
    def test_a_wrong_map_is_refused_and_nothing_is_noted(
        self, relations: Relations, given: dict[str, Any], told: str
    ) -> None:
        with pytest.raises(MalformedError, match="stream_map/") as refused:
            relations.renditions.create("A", "B", given)

        assert told in refused.value.detail
        assert relations.renditions.sources("B") == []

    def test_a_new_source_leaves_nothing_at_the_old_one(self, relations: Relations) -> None:
        relations.renditions.create("A", "B")

        assert relations.renditions.create("C", "B")

        assert relations.renditions.targets("A") == []
        assert relations.renditions.targets("C") == ["B"]

    def test_the_wrong_source_deletes_nothing(self, relations: Relations) -> None:
        relations.renditions.create("A", "B", {"video": "video"})

        assert not relations.renditions.delete("C", "B")
        assert relations.renditions.delete("A", "B")
        assert not relations.renditions.delete("A", "B")
        assert relations.renditions.of("B") is None
        assert relations.renditions.targets("A") == []

    def test_no_circle_of_any_length(self, relations: Relations) -> None:
        for pair in ("AB", "BC", "CD"):
            relations.renditions.create(*pair)

        with pytest.raises(ConflictError, match="circle: 'A' makes 'B' makes 'C' makes 'D'"):
            relations.renditions.create("D", "A")
        with pytest.raises(MalformedError):
            relations.renditions.create("A", "A")


class TestTransformations:
    """F25 to F32."""

    def test_targets_share_a_transformation_and_the_source_knows_it(self, relations: Relations) -> None:
        relations.transformations.create(make("A", "BC"))

        for target in "BC":
            assert relations.transformations.of(target) == make("A", "BC")
        assert [t.targets for t in relations.transformations.downstream("A")] == [("B", "C")]
        assert relations.transformations.upstream("A") == []

    def test_one_target_deletes_the_whole(self, relations: Relations) -> None:
        relations.transformations.create(make("A", "BC"))

        assert relations.transformations.delete_of("B")
        assert not relations.transformations.delete_of("B")
        assert relations.transformations.of("C") is None
        assert relations.transformations.downstream("A") == []

    @pytest.mark.parametrize("recipe", ["[0:v]scale=1280:720", {"filter": "overlay", "at": [1, 2]}])
    def test_a_recipe_is_kept_as_it_was_given(self, relations: Relations, recipe: Any) -> None:
        relations.transformations.create(make("A", "E", recipe))

        noted = relations.transformations.of("E")
        assert noted is not None
        assert noted.recipe == recipe

    def test_it_may_be_bounded_in_time(self, relations: Relations) -> None:
        relations.transformations.create(Transformation(("A",), ("B",), "", 2_000_000, 5_000_000))

        noted = relations.transformations.of("B")
        assert noted is not None
        assert (noted.start_time_us, noted.duration_us) == (2_000_000, 5_000_000)

    def test_only_the_exact_list_of_targets_deletes(self, relations: Relations) -> None:
        relations.transformations.create(make("AB", "CD"))

        assert not relations.transformations.delete(["C"])
        assert not relations.transformations.delete(["C", "E"])
        assert not relations.transformations.delete(["C", "D", "E"])
        assert relations.transformations.delete(["D", "C"])

    def test_no_circle_of_any_length_of_any_kind(self, relations: Relations) -> None:
        relations.transformations.create(make("A", "D"))
        relations.renditions.create("D", "E")
        relations.transformations.create(make("E", "F"))

        for source in "DEF":
            with pytest.raises(ConflictError, match="circle"):
                relations.transformations.create(make(source, "A"))
        with pytest.raises(ConflictError, match="circle"):
            relations.renditions.create("F", "A")

    def test_what_is_made_already_is_not_made_twice(self, relations: Relations) -> None:
        relations.transformations.create(make("A", "B"))
        relations.renditions.create("A", "C")

        for target in "BC":
            with pytest.raises(ConflictError, match="already"):
                relations.transformations.create(make("D", target))
        with pytest.raises(ConflictError, match="target of a transformation"):
            relations.renditions.create("D", "B")

    def test_sources_may_repeat_and_keep_their_order(self, relations: Relations) -> None:
        relations.transformations.create(make("BAA", "C"))

        noted = relations.transformations.of("C")
        assert noted is not None
        assert noted.sources == ("B", "A", "A")

    @pytest.mark.parametrize(("sources", "targets"), [("A", "BB"), ("AB", "BC"), ("", "B"), ("A", "")])
    def test_ends_that_make_no_sense_are_refused(
        self, relations: Relations, sources: str, targets: str
    ) -> None:
        with pytest.raises(MalformedError):
            relations.transformations.create(make(sources, targets))

    def test_both_directions_can_be_followed(self, relations: Relations) -> None:
        chain = [make("A", "B"), make("B", "CD"), make("D", "E")]
        for one in chain:
            relations.transformations.create(one)

        assert relations.transformations.downstream("A", depth=2) == chain[:2]
        assert relations.transformations.upstream("E", depth=9) == chain[::-1]


def test_a_deleted_content_leaves_no_relation(relations: Relations) -> None:
    relations.equivalents.create("A", "B")
    relations.equivalents.create("C", "B")
    relations.renditions.create("A", "B")
    relations.renditions.create("B", "D")
    relations.transformations.create(make("AB", "EF"))

    relations.delete_content("B")

    assert relations.equivalents.query("A", depth=9) == []
    assert relations.renditions.targets("A") == []
    assert relations.renditions.sources("D") == []
    assert relations.transformations.of("E") is None
    assert relations.transformations.downstream("A") == []


def test_a_content_that_has_changed_is_not_deleted(relations: Relations) -> None:
    relations.equivalents.create("A", "B")

    with pytest.raises(RevisionMismatch):
        relations.delete_content("A", expected_revision=7)

    assert relations.equivalents.query("B") == ["A"]


def test_of_racing_changes_that_would_close_a_circle_one_is_refused(relations: Relations) -> None:
    pairs = [NAMES[i] + NAMES[(i + 1) % len(NAMES)] for i in range(len(NAMES))]
    begin = threading.Barrier(len(pairs))
    refused: list[str] = []

    def create(pair: str) -> None:
        begin.wait()
        try:
            relations.renditions.create(*pair)
        except ConflictError:
            refused.append(pair)

    threads = [threading.Thread(target=create, args=(pair,)) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 1
