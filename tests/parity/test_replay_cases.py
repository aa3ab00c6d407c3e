"""Which test holds which acceptance case of Savant Replay: P pacing, U unit, E end to end, G beyond it.

A case stands beside the tests that hold it, or beside a sentence why it means nothing here.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORK = "unit/worker/restream"
PACING, RUNNING, STOPS = (
    f"{WORK}/test_pacing.py",
    f"{WORK}/test_running.py",
    f"{WORK}/test_stop_conditions.py",
)
EXAMPLES, RESUMING, LOOK_UP = (
    f"{WORK}/test_replay_examples.py",
    f"{WORK}/test_resuming.py",
    f"{WORK}/test_look_up.py",
)
READER = f"{WORK}/test_reader.py"
DIALECT, DIALECT_LIVE = "unit/rest/test_replay.py", "acceptance/test_replay_dialect.py"
READERS, WRITERS = "integration/sockets/test_readers.py", "integration/sockets/test_writers.py"
PEERS, INGEST = "integration/sockets/test_savant_peers.py", "integration/sockets/test_ingest.py"
RETENTION, WRITING = "contract/contents/test_retention.py", "contract/contents/test_writing.py"
ADMISSION, LIVE = "unit/engine/test_admission.py", "acceptance/test_restreaming.py"
URLS, SPEC = "unit/model/test_socket_url.py", "unit/model/test_restream.py"

EVEN = f"{PACING}::test_reference_numbers_of_even_streams"
UNEVEN = f"{PACING}::test_reference_numbers_of_uneven_streams"
WHOLE = f"{RUNNING}::test_g16_reference_numbers_hold_through_the_whole_worker"
WHOLE_UNEVEN = f"{EXAMPLES}::test_g16_uneven_streams_keep_the_reference_numbers"
SENDS = f"{PEERS}::test_a_stock_reader_takes_what_we_send"
FETCHED = f"{DIALECT}::test_a_keyframe_is_fetched_with_metadata_and_payload"
NOT_THERE = f"{DIALECT}::test_a_keyframe_that_is_not_there_is_told_apart_from_a_wrong_question"
REFUSED = f"{DIALECT}::test_what_can_not_be_is_refused_with_its_place"
REPLACED = f"{DIALECT}::test_a_stop_condition_is_replaced_and_the_old_one_stays_in_the_history"
JOB = f"{DIALECT}::test_a_job_of_replay_is_a_restream_job"
TWENTY = f"{DIALECT_LIVE}::test_a_job_sends_twenty_frames_and_an_end"

HELD: dict[str, tuple[str, ...]] = {
    "P1": (EVEN, WHOLE),
    "P2": (EVEN, WHOLE),
    "P3": (EVEN, WHOLE),
    "P4": (EVEN, WHOLE_UNEVEN),
    "P5": (EVEN, WHOLE),
    "P6": (UNEVEN, WHOLE_UNEVEN),
    "P7": (UNEVEN, WHOLE_UNEVEN),
    "P8": (UNEVEN, WHOLE_UNEVEN),
    "P9": (f"{PACING}::test_p9_a_slow_sink_sets_the_pace",),
    "U1": (f"{STOPS}::test_u1_last_frame_ends_with_the_first_element_at_or_behind_it",),
    "U2": (f"{STOPS}::test_u2_frame_count_sends_exactly_so_many",),
    "U3": (f"{STOPS}::test_u3_key_frame_count_ends_with_the_key_element_itself",),
    "U4": (f"{STOPS}::test_u4_ts_delta_is_strict_and_counts_from_the_first_element",),
    "U5": (f"{STOPS}::test_u5_real_time_ends_at_its_time_also_while_nothing_comes",),
    "U6": (REPLACED,),
    "U7": (JOB, REFUSED),
    "U8": (JOB, TWENTY),
    "U9": (f"{RUNNING}::test_u9_an_anchor_is_waited_for",),
    "U10": (f"{WRITERS}::test_equal_sinks_share_a_socket_until_it_was_unused_for_long",),
    "U13": (f"{WRITING}::test_an_element_comes_back_as_it_was_given",),
    "U14": ("acceptance/test_contents_killed.py::test_what_was_acknowledged_outlives_kill_9_of_two_writers",),
    "U15": (f"{LOOK_UP}::test_u15_blocks_count_key_elements_of_this_stream",),
    "U16": (f"{LOOK_UP}::test_u16_g3_seconds_begin_at_or_before_the_moment_asked_for",),
    "U17": (f"{DIALECT}::test_keyframes_are_found_by_time",),
    "U18": (f"{LOOK_UP}::test_u18_a_stream_with_ends_in_it",),
    "U19": (f"{READER}::test_u19_nothing_new_is_told_without_looking_again",),
    "U20": (NOT_THERE,),
    "U21": (NOT_THERE,),
    "U22": (FETCHED,),
    "U23": (FETCHED,),
    "U24": (f"{RUNNING}::test_u24_a_stream_without_news_fails_the_job_with_its_reason",),
    "U25": (f"{RUNNING}::test_u25_elements_that_come_in_time_are_sent_as_they_come",),
    "U26": (f"{RUNNING}::test_u26_u30_g20_labels_are_rewritten_also_those_of_the_last_end",),
    "U27": (f"{RUNNING}::test_u27_g1_intermediary_ends_are_left_out_and_the_rest_goes_on",),
    "U28": (f"{EXAMPLES}::test_u28_only_a_fall_is_a_discrepancy",),
    "U29": (f"{RUNNING}::test_u29_a_timestamp_that_falls_back_fails_the_job_if_it_is_to",),
    "U30": (f"{RUNNING}::test_u26_u30_g20_labels_are_rewritten_also_those_of_the_last_end", TWENTY),
    "U31": (f"{RUNNING}::test_u31_a_sink_that_stops_reading_fails_the_job_in_time",),
    "U32": (f"{RUNNING}::test_u32_elements_and_their_times_are_untouched",),
    "U33": (EVEN, WHOLE),
    "U34": (f"{RUNNING}::test_u34_ends_of_stream_make_no_pause",),
    "U35": (EVEN, WHOLE),
    "U36": (EVEN, WHOLE),
    "U37": (f"{LIVE}::test_g19_jobs_share_a_process_and_one_that_fails_touches_no_other",),
    "U38": (f"{RUNNING}::test_u38_attributes_are_added_to_every_element",),
    "U39": (JOB,),
    "U40": (f"{READER}::test_u40_elements_that_are_gone_are_one_gap",),
    "U41": (f"{SPEC}::test_a_whole_specification_is_accepted_and_what_is_missing_is_named",),
    "U42": (f"{INGEST}::test_messages_are_passed_on_as_they_came",),
    "U43": (SENDS, f"{WRITERS}::test_a_dealer_delivers_in_order_and_waits_for_the_answer_to_an_end"),
    "U44": (SENDS, f"{WRITERS}::test_a_request_waits_for_every_answer"),
    "U45": (SENDS, f"{WRITERS}::test_a_publisher_is_ready_when_somebody_has_subscribed"),
    "U46": (f"{WRITERS}::test_nothing_is_taken_beyond_the_bound_while_no_peer_is_there",),
    "U48": (f"{READERS}::test_topics_are_filtered",),
    "U49": (f"{READERS}::test_the_newest_of_two_writers_on_one_topic_wins",),
    "U50": (
        f"{URLS}::test_a_writer_is_read",
        f"{URLS}::test_a_reader_takes_no_source_and_no_writer_type",
        f"{URLS}::test_a_wrong_writer_is_refused_with_a_sentence",
    ),
    "U51": ("integration/sockets/test_savant_fuzz.py::test_another_version_is_told_from_ours",),
    "U52": (f"{READERS}::test_another_version_blocks_its_topic_for_a_while_and_is_answered",),
    "U53": (
        "unit/test_ids.py::test_u53_ten_thousand_pairs_rise_strictly",
        "unit/test_ids.py::test_u53_an_id_of_another_moment_stands_before_or_behind",
    ),
    "U54": (f"{READERS}::test_sequences_count_from_1_and_anew_after_an_end", SENDS),
    "E1": (TWENTY,),
    "E2": (f"{STOPS}::test_e2_e3_the_end_of_stream_follows_the_last_element_if_it_is_wanted",),
    "E3": (f"{STOPS}::test_e2_e3_the_end_of_stream_follows_the_last_element_if_it_is_wanted",),
    "E4": (f"{EXAMPLES}::test_every_gap_is_kept",),
    "E5": (f"{EXAMPLES}::test_every_gap_is_kept",),
    "E6": (f"{RUNNING}::test_e6_metadata_only_leaves_the_payload_out",),
    "E7": (f"{RUNNING}::test_e6_metadata_only_leaves_the_payload_out",),
    "E8": (f"{DIALECT}::test_jobs_are_listed_with_their_configuration_and_stop_condition",),
    "E9": (f"{EXAMPLES}::test_e9_the_first_element_is_the_anchor",),
    "E10": (f"{EXAMPLES}::test_e10_five_blocks_are_six_key_elements_up_to_the_anchor",),
    "E11": (f"{EXAMPLES}::test_e11_the_hint_of_an_attribute_arrives",),
    "E12": (f"{EXAMPLES}::test_e12_the_last_but_one_is_before_the_bound",),
    "E13": (f"{EXAMPLES}::test_e13_so_many_key_elements_or_as_many_as_there_are",),
    "E14": (f"{EXAMPLES}::test_e14_real_time_ends_the_job_though_its_pauses_are_long",),
    "G1": (f"{RUNNING}::test_u27_g1_intermediary_ends_are_left_out_and_the_rest_goes_on",),
    "G2": (f"{RUNNING}::test_g2_what_is_no_media_is_passed_over",),
    "G3": (f"{LOOK_UP}::test_u16_g3_seconds_begin_at_or_before_the_moment_asked_for",),
    "G4": (REFUSED,),
    "G5": (REFUSED,),
    "G6": (f"{RUNNING}::test_g6_an_anchor_that_is_there_is_found_without_waiting",),
    "G7": (
        f"{STOPS}::test_g7_a_cancelled_job_says_goodbye_if_it_is_to",
        f"{DIALECT_LIVE}::test_a_running_job_is_cancelled",
    ),
    "G8": (f"{DIALECT}::test_an_unknown_job_is_404_everywhere",),
    "G9": (
        f"{STOPS}::test_g9_a_condition_is_replaced_by_any_other_while_the_job_runs",
        f"{STOPS}::test_g9_last_frame_replaces_another_condition_while_the_job_runs",
        REPLACED,
    ),
    "G10": (
        f"{STOPS}::test_g10_now_stops_a_job_that_waits_for_data",
        f"{DIALECT_LIVE}::test_a_job_that_waits_for_data_is_stopped_by_a_condition",
    ),
    "G11": (f"{RUNNING}::test_g11_the_end_of_a_recording_is_told_and_is_no_failure",),
    "G12": (
        "contract/contents/test_restreaming.py::"
        "test_g12_jobs_that_follow_a_recording_lose_nothing_at_its_live_edge",
    ),
    "G13": (f"{RUNNING}::test_g13_a_job_over_an_expired_head_begins_at_the_first_that_is_left",),
    "G14": (f"{RUNNING}::test_g14_an_attribute_that_is_there_goes_by_the_policy",),
    "G15": (f"{RUNNING}::test_g15_a_stall_of_the_sink_is_made_good",),
    "G16": (EVEN, UNEVEN, WHOLE, WHOLE_UNEVEN),
    "G17": (
        f"{LIVE}::test_g17_a_killed_worker_and_a_killed_service_lose_no_element",
        f"{RESUMING}::test_g17_a_successor_goes_on_with_the_next_element",
    ),
    "G18": (
        f"{ADMISSION}::test_g18_a_second_job_for_the_same_stream_and_sink_waits_and_says_for_whom",
        f"{ADMISSION}::test_g18_or_is_refused_with_its_reason",
        f"{ADMISSION}::test_g18_or_takes_over_when_the_former_has_finished",
    ),
    "G19": (f"{LIVE}::test_g19_jobs_share_a_process_and_one_that_fails_touches_no_other",),
    "G20": (f"{RUNNING}::test_u26_u30_g20_labels_are_rewritten_also_those_of_the_last_end",),
}
MEANINGLESS = {
    "U11": "there is no configuration file of sockets: an ingest is a job",
    "U12": "there is no RocksDB",
    "U47": "a reader never waits: the loop that it shares with others does",
}
NUMBERS = {"P": 9, "U": 54, "E": 14, "G": 20}


def test_every_case_is_held_or_means_nothing_here() -> None:
    cases = {f"{letter}{number}" for letter, last in NUMBERS.items() for number in range(1, last + 1)}
    assert HELD.keys() | MEANINGLESS.keys() == cases
    assert not HELD.keys() & MEANINGLESS.keys()


@pytest.mark.parametrize("place", sorted({place for places in HELD.values() for place in places}))
def test_a_test_that_holds_a_case_is_there(place: str) -> None:
    path, _, name = place.partition("::")
    module = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}
