"""Where each acceptance case of the Content Beam API is tried: A to G, by number.

Cases that were given no number of their own are tried with their neighbours. A case that is not in `CASES`,
or a test that is not there any more, fails.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BEAMS = "unit/rest/beams"
REFERENCES = "unit/model/test_media_reference.py"
RELATIONS = "contract/contents/test_relations.py"
CONVERSIONS = "acceptance/test_conversions.py"


def cases(letter: str, numbers: str, where: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The same place for several cases."""
    return {f"{letter}{number}": where for number in numbers.split()}


CASES: dict[str, tuple[str, ...]] = {
    # A: references. READ and REFUSED of the file hold the texts of the cases.
    **cases(
        "A",
        "1 2 4 5 7 8 10 11 13 14 16 17 19 20 22 23 25 26 28 29 31",
        (REFERENCES, "test_a_reference_is_read"),
    ),
    **cases("A", "32 34 35 37 38 40", (REFERENCES, "test_what_is_no_reference_is_refused_with_the_place")),
    # B: lists, contents and streams.
    "B1": (f"{BEAMS}/test_contents.py", "test_b1_an_empty_store_has_no_names"),
    "B2": (f"{BEAMS}/test_contents.py", "test_b2_a_content_is_listed"),
    **cases("B", "4 5 7 8", (f"{BEAMS}/test_contents.py", "test_b4_to_b8_pages_of_names")),
    "B10": (f"{BEAMS}/test_contents.py", "test_b10_an_unknown_content_is_not_found"),
    "B11": (f"{BEAMS}/test_contents.py", "test_b11_what_was_sent_is_answered_and_stored"),
    "B13": (f"{BEAMS}/test_contents.py", "test_b13_a_content_without_name_gets_one"),
    "B14": (f"{BEAMS}/test_contents.py", "test_b14_what_is_no_format_is_refused_and_nothing_stored"),
    "B16": (f"{BEAMS}/test_contents.py", "test_b16_names_have_any_characters"),
    **cases("B", "17 20", (f"{BEAMS}/test_contents.py", "test_b17_and_b20_a_stream_has_several_names")),
    "B19": (f"{BEAMS}/test_contents.py", "test_b19_other_names_are_no_stream"),
    "B22": (f"{BEAMS}/test_contents.py", "test_b22_a_format_is_replaced_at_the_revision_expected"),
    "B23": (f"{BEAMS}/test_contents.py", "test_b23_what_an_address_cannot_do_is_told_with_what_it_can"),
    # C: elements by reference. The parameters of the first test are the references of the cases.
    **cases(
        "C",
        "4 5 7 8 10 11 13 14 16 17 19 20 22 23 25 26 28 29 31 32 34",
        (f"{BEAMS}/test_reading.py", "test_a_reference_is_answered"),
    ),
    **cases("C", "1 2", (f"{BEAMS}/test_reading.py", "test_c1_and_c2_an_element_by_its_pts")),
    "C35": (f"{BEAMS}/test_reading.py", "test_a_malformed_reference_is_told_with_its_place"),
    **cases("C", "37 38", (f"{BEAMS}/test_reading.py", "test_c37_and_c38_one_element_by_kind_and_pts")),
    "C40": (f"{BEAMS}/test_reading.py", "test_c40_a_packet_and_a_frame_on_one_stream"),
    "C41": (f"{BEAMS}/test_reading.py", "test_c41_an_empty_stream_has_no_ends"),
    "C43": (f"{BEAMS}/test_reading.py", "test_c43_the_ends_redirect"),
    "C44": (f"{BEAMS}/test_reading.py", "test_c44_the_latest_is_of_its_own_stream"),
    # D: payloads.
    **cases("D", "1 2", (f"{BEAMS}/test_payloads.py", "test_d1_and_d2_a_packet_is_read")),
    "D4": (f"{BEAMS}/test_payloads.py", "test_d4_what_is_not_there_is_not_found"),
    "D5": (f"{BEAMS}/test_payloads.py", "test_d5_all_planes_of_a_frame"),
    "D7": (f"{BEAMS}/test_payloads.py", "test_d7_one_plane_of_a_frame"),
    "D8": (f"{BEAMS}/test_payloads.py", "test_d8_other_frames_and_planes_are_not_found"),
    "D10": (f"{BEAMS}/test_payloads.py", "test_d10_without_one_plane_there_is_no_frame"),
    "D11": (f"{BEAMS}/test_payloads.py", "test_d11_head_tells_what_get_would"),
    "D13": (f"{BEAMS}/test_payloads.py", "test_d13_a_payload_is_stored_then_replaced"),
    "D14": (f"{BEAMS}/test_payloads.py", "test_d14_a_payload_has_several_addresses"),
    **cases(
        "D",
        "16 17 19",
        (f"{BEAMS}/test_payloads.py", "test_d16_to_d19_a_wrong_packet_payload_changes_nothing"),
    ),
    **cases("D", "20 22", (f"{BEAMS}/test_payloads.py", "test_d20_and_d22_planes_are_stored")),
    **cases(
        "D",
        "23 25 26",
        (f"{BEAMS}/test_payloads.py", "test_d23_to_d26_a_wrong_frame_payload_changes_nothing"),
    ),
    "D28": (f"{BEAMS}/test_payloads.py", "test_d28_a_payload_may_come_in_chunks"),
    # E: elements put.
    **cases("E", "1 2", (f"{BEAMS}/test_writing.py", "test_e1_and_e2_a_packet_is_stored_then_replaced")),
    "E4": (f"{BEAMS}/test_writing.py", "test_e4_what_does_not_fit_its_address_is_refused"),
    "E5": (f"{BEAMS}/test_writing.py", "test_e5_other_bodies_are_refused"),
    "E7": (f"{BEAMS}/test_writing.py", "test_e7_a_frame_has_several_addresses"),
    "E8": (f"{BEAMS}/test_writing.py", "test_e8_pts_may_be_negative"),
    "E10": (f"{BEAMS}/test_writing.py", "test_e10_an_element_needs_its_stream"),
    "E11": (f"{BEAMS}/test_writing.py", "test_e11_a_new_description_keeps_the_payload"),
    # F: what the store and the relations promise. A one-shot blob (F7) is a file for a moment here.
    "F1": ("contract/contents/test_writing.py", "test_an_element_comes_back_as_it_was_given"),
    "F2": ("contract/contents/test_writing.py", "test_replacing_keeps_place_id_and_payload"),
    "F4": ("contract/contents/test_retention.py", "test_dropped_payloads_leave_their_elements"),
    "F5": (f"{BEAMS}/test_contents.py", "test_b11_what_was_sent_is_answered_and_stored"),
    "F7": ("unit/worker/test_convert_keeping.py", "test_what_nobody_fetched_goes_when_the_next_result_comes"),
    "F8": ("unit/model/test_beam_documents.py", "test_what_was_sent_of_an_element_comes_back"),
    "F10": (RELATIONS, "test_four_refusals_can_be_told_apart"),
    "F11": (RELATIONS, "test_either_side_gives_the_other_and_a_known_pair_is_said_to_be_known"),
    "F13": (RELATIONS, "test_a_ring_ends_at_any_depth_and_depth_one_is_the_pairs"),
    "F14": (RELATIONS, "test_a_pair_is_deleted_once_and_longer_ways_stay"),
    "F16": (RELATIONS, "test_the_target_knows_its_source_and_the_source_has_none"),
    "F17": (RELATIONS, "test_a_map_can_be_given_later_and_stays_as_it_was_given"),
    **cases("F", "19 20", (RELATIONS, "test_sources_are_told_nearest_first_as_deep_as_asked")),
    "F22": (RELATIONS, "test_channels_can_be_picked_and_put_side_by_side"),
    "F23": (RELATIONS, "test_a_wrong_map_is_refused_and_nothing_is_noted"),
    "F25": (RELATIONS, "test_targets_share_a_transformation_and_the_source_knows_it"),
    "F26": (RELATIONS, "test_one_target_deletes_the_whole"),
    "F28": (RELATIONS, "test_a_recipe_is_kept_as_it_was_given"),
    "F29": (RELATIONS, "test_only_the_exact_list_of_targets_deletes"),
    "F31": (RELATIONS, "test_no_circle_of_any_length_of_any_kind"),
    "F32": (
        RELATIONS,
        "test_what_is_made_already_is_not_made_twice",
        "test_sources_may_repeat_and_keep_their_order",
    ),
    # G: rules, settings, connections.
    "G1": (CONVERSIONS, "test_an_object_is_answered_as_json"),
    "G2": (CONVERSIONS, "test_status_type_and_headers_are_the_recipes"),
    "G4": (CONVERSIONS, "test_who_has_nothing_to_say_leaves_it_to_the_service"),
    "G5": (CONVERSIONS, "test_a_failure_is_told_and_may_have_its_own_status"),
    "G7": ("unit/rest/test_rules.py", "test_a_rule_for_reads_is_not_for_writes"),
    "G8": (
        "acceptance/test_fallback.py",
        "test_the_four_steps_of_the_documented_flow",
        "test_what_nobody_has_stays_missing",
    ),
    "G10": (
        "integration/contents/test_redis_connections.py",
        "test_g10_a_profile_is_a_file_of_settings",
    ),
    "G11": (
        "integration/contents/test_redis_connections.py",
        "test_g11_the_environment_overrides_port_and_password",
    ),
    "G12": (
        "integration/contents/test_redis_connections.py",
        "test_g12_a_flag_overrides_the_environment_and_an_unreadable_profile_is_refused",
    ),
    "G13": ("unit/rest/test_rules.py", "test_null_removes_a_shipped_rule_and_others_are_kept"),
    "G14": (
        "integration/contents/test_redis_connections.py",
        "test_g14_the_eleventh_caller_waits_until_a_connection_is_given_back",
    ),
}
NUMBERS = {
    "A": "1 2 4 5 7 8 10 11 13 14 16 17 19 20 22 23 25 26 28 29 31 32 34 35 37 38 40",
    "B": "1 2 4 5 7 8 10 11 13 14 16 17 19 20 22 23",
    "C": "1 2 4 5 7 8 10 11 13 14 16 17 19 20 22 23 25 26 28 29 31 32 34 35 37 38 40 41 43 44",
    "D": "1 2 4 5 7 8 10 11 13 14 16 17 19 20 22 23 25 26 28",
    "E": "1 2 4 5 7 8 10 11",
    "F": "1 2 4 5 7 8 10 11 13 14 16 17 19 20 22 23 25 26 28 29 31 32",
    "G": "1 2 4 5 7 8 10 11 13 14",
}
"""The cases that were given, by letter."""


@cache
def names_in(path: str) -> set[str]:
    """The names of the tests in a file."""
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_case_that_was_given_is_tried() -> None:
    given = {f"{letter}{number}" for letter, numbers in NUMBERS.items() for number in numbers.split()}

    assert given - CASES.keys() == set()


@pytest.mark.parametrize("case", CASES)
def test_the_test_of_a_case_is_there(case: str) -> None:
    path, *names = CASES[case]

    assert names
    assert set(names) <= names_in(path)
