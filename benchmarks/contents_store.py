"""The embedded contents store beside the disk, the file system and RocksDB.

Ingest: packets of 16 kB with 400 bytes of attributes, 64 to a commit, each commit on disk before the next;
beside it `pwritev` and `fdatasync` of the same payloads, and RocksDB with synced batches of the payload and
two index keys for each packet. Scan: every payload as bytes, beside reading a file in pieces of that size; of
young segments, of old ones that the process reads for the first time (each round opens the store anew), and
of old ones that it has read, all in memory. What is read for the first time is checked, so that also stands
beside reading the file and checking each piece.
Live: 200 streams that one recorder takes in one thread, as an ingest job does, and 200 of four recorders,
each beside the same threads with a file, a lock and `fdatasync`. Look-ups: by exact and by near time, by id,
the key element before a time or an id, the n-th, as the stream grows. Streaming: how much memory a writer has
of its own while far more goes through a bounded store. ``--only`` takes one of these parts.

RocksDB writes its memory tables of 64 MB out in the background, so an ingest of few of them would leave most
of that out: each round is 600 MB at least.

    python -m benchmarks.contents_store [--quick] [--only ingest|live|scan|reopening|look-ups|streaming]
        [--groups 1500] [--rounds 3] [--elements 10000000] [--megabytes 10000]
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

from rocksdict import Options, Rdict, WriteBatch, WriteOptions
from xxhash import xxh3_64_intdigest

from benchmarks.contents_live import live, without_collections
from benchmarks.contents_rig import GROUP, PAYLOAD, PAYLOAD_BYTES, TICKS, opened, packet
from benchmarks.harness import Figure, Report, median, percentile, run, scratch, take_turns
from jobengine.clock import SystemClock, to_us
from jobengine.contents.embedded import EmbeddedContents
from jobengine.contents.look_up import LookUp
from jobengine.model.element import StoredElement
from jobengine.ports.contents import Capacity, PutElement

LOOK_UP_MS = 1.0


def measure(report: Report, given: argparse.Namespace) -> None:
    """All of it or one part, each in a folder of its own."""
    quick = given.quick
    groups, rounds = (600, 3) if quick else (given.groups, given.rounds)
    sizes = [10_000, 300_000] if quick else [10_000, given.elements // 10, given.elements]
    parts: dict[str, Callable[[Path], None]] = {
        "ingest": lambda folder: ingest(report, folder, groups, rounds),
        "live": lambda folder: live(report, folder, 4 if quick else 20),
        "scan": lambda folder: scans(report, folder, 200 if quick else 1000),
        "reopening": lambda folder: reopening(report, folder, 3000 if quick else 30_000),
        "look-ups": lambda folder: look_ups(report, folder, sizes),
        "streaming": lambda folder: streaming(report, folder, 1000 if quick else given.megabytes),
    }
    if given.only and given.only not in parts:
        raise SystemExit(f"--only is one of {', '.join(parts)}, not {given.only!r}")
    for name, part in parts.items():
        if given.only in ("", name):
            with scratch() as folder:
                part(folder)


def ingest(report: Report, folder: Path, groups: int, rounds: int) -> None:
    """Bytes a second, CPU of one packet, and what memory grows by."""
    writes = [[packet(group * GROUP + n, group % 4) for n in range(GROUP)] for group in range(groups)]
    gc.freeze()  # what was made ready beforehand is no part of the work
    cpu_us: list[float] = []
    plain_cpu_us: list[float] = []
    grown: list[float] = []
    cases = {
        "ours": partial(ours, folder, writes, cpu_us, grown),
        "plain": partial(plain, folder, groups, plain_cpu_us),
        "rocksdb": partial(rocksdb, folder, writes),
    }
    taken = {name: median(values) for name, values in take_turns(cases, rounds).items()}
    gc.unfreeze()
    rate, disk, rocks = taken["ours"], taken["plain"], taken["rocksdb"]
    report.add(Figure("durable ingest", "MB/s", rate, disk, "write + fdatasync", ">= 0.5", rate >= disk / 2))
    report.add(Figure("durable ingest", "MB/s", rate, rocks, "RocksDB", ">= 3", rate >= rocks * 3))
    cpu = median(cpu_us)
    least = median(plain_cpu_us)
    report.add(Figure("CPU of a durable packet", "us", cpu, least, "write + fdatasync", "<= 15", cpu <= 15))
    amount = f"{groups * GROUP * PAYLOAD_BYTES / 1e6:,.0f} MB"
    report.add(
        Figure(f"memory grown by {amount}", "MB", median(grown), target="<= 32", met=median(grown) <= 32)
    )


def ours(
    folder: Path, writes: Sequence[Sequence[PutElement]], cpu_us: list[float], grown: list[float]
) -> float:
    """MB/s of commits in one thread."""
    with opened(folder / "ours") as store:
        for group in writes[:8]:
            store.commit([packet(1, 99) for _ in group])
        before, cpu, start = anonymous_mb(), time.process_time(), time.perf_counter()
        for group in writes:
            store.commit(group)
        took = time.perf_counter() - start
        cpu_us.append((time.process_time() - cpu) / len(writes) / GROUP * 1e6)
        grown.append(anonymous_mb() - before)
    shutil.rmtree(folder / "ours")
    return len(writes) * GROUP * PAYLOAD_BYTES / took / 1e6


def plain(folder: Path, groups: int, cpu_us: list[float]) -> float:
    """MB/s of the same payloads in the same groups, without anything else."""
    path = folder / "plain"
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    buffers, offset = [PAYLOAD] * GROUP, 0
    cpu, start = time.process_time(), time.perf_counter()
    for _ in range(groups):
        offset += os.pwritev(file, buffers, offset)
        os.fdatasync(file)
    took = time.perf_counter() - start
    cpu_us.append((time.process_time() - cpu) / groups / GROUP * 1e6)
    os.close(file)
    path.unlink()
    return offset / took / 1e6


def rocksdb(folder: Path, writes: Sequence[Sequence[PutElement]]) -> float:
    """MB/s of the same in RocksDB, found by place, time and id."""
    path = folder / "rocksdb"
    synced = WriteOptions()
    synced.sync = True
    database = Rdict(str(path), Options(raw_mode=True))
    database.set_write_options(synced)
    sequence = 0
    start = time.perf_counter()
    for group in writes:
        batch = WriteBatch(raw_mode=True)
        for write in group:
            element, place = write.element, sequence.to_bytes(8, "big")
            stream = write.stream.to_bytes(8, "big")
            batch.put(b"r" + stream + place, element.attributes + PAYLOAD)
            batch.put(b"t" + stream + (element.pts or 0).to_bytes(8, "big") + place, b"")
            batch.put(b"i" + stream + element.element_id, place)
            sequence += 1
        database.write(batch)
    took = time.perf_counter() - start
    database.close()
    shutil.rmtree(path)
    return len(writes) * GROUP * PAYLOAD_BYTES / took / 1e6


def scans(report: Report, folder: Path, groups: int) -> None:
    """Every payload of a stream in order, as bytes."""
    path, store_folder = folder / "plain", folder / "store"
    count = groups * GROUP
    path.write_bytes(PAYLOAD * count)
    with opened(store_folder) as store:
        for group in range(groups):
            store.commit([packet(group * GROUP + n) for n in range(GROUP)])
    cases: dict[str, Callable[[], float]] = {
        "young": partial(scan_anew, store_folder, count, 1000, is_known=True),
        "file": partial(read_file, path, count, len),
        "file, checked": partial(read_file, path, count, xxh3_64_intdigest),
        "old, read and checked": partial(scan_anew, store_folder, count, 0, is_known=False),
        "old, checked before": partial(scan_anew, store_folder, count, 0, is_known=True),
    }
    cases["young"](), cases["file"]()
    taken = {case: median(values) for case, values in take_turns(cases, 5).items()}
    file, checked_file = taken.pop("file"), taken.pop("file, checked")
    for name, rate in taken.items():
        report.add(Figure(f"scan, {name}", "MB/s", rate, file, "reading a file", ">= 0.5", rate >= file / 2))
    first = "old, read and checked"
    report.add(Figure(f"scan, {first}", "MB/s", taken[first], checked_file, "reading and checking a file"))


def scan_anew(folder: Path, count: int, hot_segments: int, is_known: bool) -> float:
    """MB/s of a store that was just opened, and scanned once before if that is so."""
    with opened(folder, hot_segments=hot_segments) as store:
        if is_known:
            scan(store, count)
        return scan(store, count)


def scan(store: EmbeddedContents, count: int) -> float:
    """MB/s."""
    start = time.perf_counter()
    at = total = 0
    while at < count:
        found = [entry for entry in store.scan(0, at, 256) if isinstance(entry, StoredElement)]
        for planes in store.payloads(found):
            total += len(bytes(planes[0])) if planes else 0
        at = found[-1].sequence + 1
    took = time.perf_counter() - start
    if total != count * PAYLOAD_BYTES:
        raise RuntimeError(f"{total} bytes were read of {count * PAYLOAD_BYTES}")
    return total / took / 1e6


def read_file(path: Path, count: int, use: Callable[[bytes], int]) -> float:
    """MB/s in pieces of a payload's size, each used for something."""
    file = os.open(path, os.O_RDONLY)
    start = time.perf_counter()
    for n in range(count):
        use(os.pread(file, PAYLOAD_BYTES, n * PAYLOAD_BYTES))
    took = time.perf_counter() - start
    os.close(file)
    return count * PAYLOAD_BYTES / took / 1e6


def look_ups(report: Report, folder: Path, sizes: Sequence[int]) -> None:
    """The slowest kind at each size."""
    ids: list[bytes] = []
    with opened(folder / "look-ups") as store, without_collections():
        count = 0
        for size in sizes:
            while count < size:
                writes = [packet(count + n, payload=None) for n in range(min(2000, size - count))]
                ids += [write.element.element_id for write in writes[::97]]
                store.commit(writes)
                count += len(writes)
            taken = {name: taken_ms(look_up) for name, look_up in kinds(store, size, ids).items()}
            name = max(taken, key=lambda kind: percentile(taken[kind], 99))
            p99 = percentile(taken[name], 99)
            what = f"look-ups of {size:,}, the slowest kind ({name}): p"
            report.add(Figure(what + "50", "ms", median(taken[name])))
            report.add(Figure(what + "99", "ms", p99, target=f"< {LOOK_UP_MS:g}", met=p99 < LOOK_UP_MS))


def kinds(store: EmbeddedContents, size: int, ids: Sequence[bytes]) -> dict[str, Callable[[], object]]:
    """One of each kind of look-up, at another place each time."""
    chance, look_up = random.Random(1), LookUp(store)
    return {
        "near time": lambda: look_up.nearest(0, Fraction(2 * chance.randrange(size * TICKS) + 1, 2)),
        "exact time": lambda: store.range(0, (pts := chance.randrange(size) * TICKS), pts),
        "key before": lambda: store.key_by_pts(0, chance.randrange(size * TICKS)),
        "id": lambda: store.by_id(0, chance.choice(ids)),
        "key before id": lambda: store.key_by_id(0, chance.choice(ids)),
        "n-th": lambda: store.nth(0, chance.randrange(size), 1),
    }


def taken_ms(look_up: Callable[[], object], times: int = 3000) -> list[float]:
    """How long each of many took."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        if not look_up():
            raise RuntimeError("nothing was found")
        taken.append((time.perf_counter() - start) * 1e3)
    return taken


def reopening(report: Report, folder: Path, packets: int) -> None:
    """Opening after the writer was killed in the middle of it."""
    store_folder, told = folder / "killed", folder / "told"
    with told.open("wb") as file:
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.contents_writer", str(store_folder), "0"], stdout=file
        )
    while told.read_bytes().count(b"\n") * 5 < packets:
        if writer.poll() is not None:
            raise RuntimeError("the writer ended by itself")
        time.sleep(0.05)
    writer.kill()
    writer.wait()
    start = time.perf_counter()
    store = EmbeddedContents(store_folder, SystemClock())
    took_ms = (time.perf_counter() - start) * 1e3
    cut, elements = store.opening.cut_bytes, store.facts(0).count
    store.close()
    what = f"opened after kill -9 ({elements:,} elements, {cut:,} bytes cut)"
    report.add(Figure(what, "ms", took_ms, target="< 100", met=took_ms < 100))


def streaming(report: Report, folder: Path, megabytes: int) -> None:
    """What the writer of a store that holds a tenth of what comes has of its own, behind that tenth."""
    capacity = Capacity(payload_bytes=megabytes * 100_000)
    groups = megabytes * 1_000_000 // (GROUP * PAYLOAD_BYTES)
    settled = most = 0.0
    with opened(folder / "streaming", segment_bytes=32 << 20) as store:
        for group in range(groups):
            store.commit([packet(group * GROUP + n) for n in range(GROUP)])
            if group % GROUP == 0:
                while not store.expire(to_us(SystemClock().now()), capacity).did_nothing:
                    continue
            if group == groups // 5:
                settled = anonymous_mb()
            most = max(most, anonymous_mb())
    what = f"memory while {megabytes:,} MB stream through, growth behind the first fifth"
    grown = most - settled
    report.add(Figure(what, "MB", grown, settled, "MB then", "<= 32", grown <= 32))


def anonymous_mb() -> float:
    """Memory of this process that is no file's."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system doesn't tell RssAnon")


if __name__ == "__main__":
    run(
        "Contents store",
        measure,
        ("--only", ""),
        ("--groups", 1500),
        ("--rounds", 3),
        ("--elements", 10_000_000),
        ("--megabytes", 10_000),
    )
