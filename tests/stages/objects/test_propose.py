"""``propose`` as a stage: streamed, resumed, sharded, spread over processes; imports; scores."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from tests.messages import Heard
from tests.proposals.scenes import scene
from tests.store.records import read
from wsstool.data.geometry import rle
from wsstool.errors import (
    BadInputError,
    BelowThresholdError,
    CannotWriteError,
    MissingInputError,
    SomeFailedError,
    UsageError,
)
from wsstool.stages.objects.propose import propose
from wsstool.stages.scoring.evaluate import evaluate
from wsstool.stages.streams.cat import cat
from wsstool.stages.streams.check import check
from wsstool.stages.streams.info import info
from wsstool.stages.streams.merge import merge
from wsstool.store import shard_indices

N = 3


@pytest.fixture
def data(tmp_path) -> Path:
    """Three pictures with the boxes and masks of the things in them."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for i in range(N):
        image, masks = scene((60 + i, 80), i)
        Image.fromarray(image).save(folder / "images" / f"{i:03d}.png")
        images.append({"id": i + 7, "file_name": f"{i:03d}.png", "width": 80, "height": 60 + i})
        for mask in masks:
            y, x = np.nonzero(mask)
            box = [int(v) for v in (x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1)]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i + 7,
                    "category_id": 1,
                    "bbox": box,
                    "segmentation": rle.encode(mask),
                }
            )
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    (folder / "boxes.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def results(data, tmp_path) -> Path:
    """The true masks as another program's results: numbers for images, the best last."""
    entries = json.loads((data / "boxes.json").read_text())["annotations"]
    found = [
        {"image_id": e["image_id"], "segmentation": e["segmentation"], "score": e["id"] / 100}
        for e in entries
    ]
    path = tmp_path / "results.json"
    path.write_text(json.dumps(found))
    return path


class TestStage:
    def test_writes_a_whole_file_of_known_size(self, data, tmp_path):
        out = tmp_path / "p.h5"
        found = propose(data, output=out, max_proposals=500, workers=0)
        header, records, tail = read(out)
        assert found["images"] == N and not found["failed"] and (tail["status"] == 1).all()
        assert header.attributes["max_proposals"] == 500 and header.payload == "proposal"
        assert [r.data.size for r in records] == [(60 + i) * 80 + 1500 for i in range(N)]
        assert found["proposals"] == sum(len(r.proposals) for r in records)
        for record in records:
            assert np.unique(record.proposals.superpixels).tolist() == list(
                range(record.proposals.n_superpixels)
            )
        check([out], full=True)
        assert info(out)["max_proposals"] == 500
        heard = Heard()
        propose(data, output=out, max_proposals=500, workers=0, messages=heard)
        assert "up to date" in heard.said[0]

    def test_processes_shards_and_a_second_start_change_nothing(self, data, tmp_path, monkeypatch):
        from wsstool import parallel

        whole, spread = tmp_path / "whole.h5", tmp_path / "spread.h5"
        propose(data, output=whole, workers=0)
        monkeypatch.setattr(parallel, "_WORTH_IT", 1)
        propose(data, output=spread, workers=2)
        assert whole.read_bytes() == spread.read_bytes()
        shards = [i for i in range(3) if shard_indices(read(whole)[0].images, f"{i}/3")]
        parts = [tmp_path / f"{i}.h5" for i in shards]
        for i, part in zip(shards, parts, strict=True):
            propose(data, output=part, shard=f"{i}/3", workers=0)
        merge(parts, output=tmp_path / "merged.h5", partial=len(parts) < 3)
        for one, other in zip(read(whole)[1], read(tmp_path / "merged.h5")[1], strict=True):
            assert one.name == other.name
            np.testing.assert_array_equal(one.data, other.data)
        cat(whole, output=tmp_path / "packed.h5", compress="gzip")
        np.testing.assert_array_equal(read(tmp_path / "packed.h5")[1][2].data, read(whole)[1][2].data)

    def test_goes_on_after_an_error(self, data, tmp_path, monkeypatch):
        from wsstool.stages.objects import propose as module

        whole, cut = tmp_path / "whole.h5", tmp_path / "cut.h5"
        propose(data, output=whole, workers=0)
        real = module.proposal_record

        def stop(proposals, rows):
            if proposals.superpixels.shape[0] == 62:
                raise InterruptedError
            return real(proposals, rows)

        monkeypatch.setattr(module, "proposal_record", stop)
        with pytest.raises(InterruptedError):
            propose(data, output=cut, workers=0)
        monkeypatch.undo()
        heard = Heard()
        propose(data, output=cut, workers=0, messages=heard)
        assert "resuming at record 3" in heard.said[0]
        assert cut.read_bytes() == whole.read_bytes()

    def test_an_unreadable_image_fails_alone(self, data, tmp_path):
        (data / "boxes.json").unlink()
        whole = (data / "images/001.png").read_bytes()
        (data / "images/001.png").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(SomeFailedError, match=r"images/001\.png"):
            propose(data, output=tmp_path / "p.h5", workers=0)
        _, records, tail = read(tmp_path / "p.h5")
        assert tail["status"].tolist() == [1, 2, 1] and records[1].failed and not records[0].failed

    def test_limits(self, data, tmp_path):
        heard = Heard()
        propose(data, output=tmp_path / "p.h5", max_proposals=3, workers=0, messages=heard)
        assert all(len(r.proposals.nodes) <= 3 for r in read(tmp_path / "p.h5")[1])
        assert "because of --max-proposals 3" in heard.warned[0]
        for options in ({"max_proposals": 0}, {"max_proposals": 65535}, {"min_area": -1}, {"max_area": 0.0}):
            with pytest.raises(UsageError):
                propose(data, output=tmp_path / "q.h5", **options)
        with pytest.raises(UsageError, match="has no option"):
            propose(data, output=tmp_path / "q.h5", settings=["colour=1"])


class TestImport:
    def test_masks_come_back_exactly_best_first(self, data, results, tmp_path):
        out = tmp_path / "p.h5"
        propose(data, output=out, import_=results)
        header, records, _ = read(out)
        assert header.params["method"] is None
        for i, record in enumerate(records):
            _, masks = scene((60 + i, 80), i)
            found = record.proposals
            assert len(found) == 3
            for row, mask in zip(found.members(), masks[::-1], strict=True):
                np.testing.assert_array_equal(row[found.superpixels], mask)
        rows = evaluate([out])["rows"]
        assert all(row["abo"] == 1 for row in rows if row["number"])

    def test_each_image_is_made_once(self, data, results, tmp_path, monkeypatch):
        from wsstool.stages.objects import propose as module

        seen, real = [], module._imported
        monkeypatch.setattr(module, "_imported", lambda item, **more: seen.append(1) or real(item, **more))
        propose(data, output=tmp_path / "p.h5", import_=results)
        assert len(seen) == N

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
    def test_no_space_for_what_waits(self, data, results, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Path("/dev/full").open("wb"))  # noqa: SIM115
        with pytest.raises(CannotWriteError, match="TMPDIR"):
            propose(data, output=tmp_path / "p.h5", import_=results)
        assert not (tmp_path / "p.h5").exists()

    def test_sam_and_names_and_polygons(self, data, tmp_path):
        folder = tmp_path / "sam"
        folder.mkdir()
        _, masks = scene((60, 80), 0)
        own = [{"segmentation": rle.encode(masks[0]), "predicted_iou": 0.9, "stability_score": 0.1}]
        (folder / "000.json").write_text(json.dumps(own))
        packed = rle.encode(scene((61, 80), 1)[1][1])
        packed["counts"] = rle.pack(packed["counts"])
        set_ = {"image": {"file_name": "001.jpg"}, "annotations": [{"segmentation": packed}]}
        (folder / "whatever.json").write_text(json.dumps(set_))
        polygon = {"file_name": "images/002.png", "segmentation": [[1, 2, 5, 2, 5, 9, 1, 9]], "score": 1}
        (folder / "polygons.json").write_text(json.dumps([polygon]))
        propose(data, output=tmp_path / "p.h5", import_=folder)
        found = [r.proposals for r in read(tmp_path / "p.h5")[1]]
        assert [len(one) for one in found] == [1, 1, 1]
        expected = [masks[0], scene((61, 80), 1)[1][1], np.zeros((62, 80), bool)]
        expected[2][2:9, 1:5] = True
        for one, mask in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.members()[0][one.superpixels], mask)

    @pytest.mark.parametrize("version", ["5", "7.3"])
    def test_mcg(self, data, tmp_path, version):
        folder = tmp_path / "mcg"
        folder.mkdir()
        labels = np.arange(60 * 80).reshape(60, 80) // 1600 + 1  # numbered from 1, as MATLAB does
        lists = [[1.0, 3.0], [2.0]]
        for i in range(N):
            map_ = np.pad(labels, ((0, i), (0, 0)), "edge").astype(np.uint16)
            write_mat(folder / f"{i:03d}.mat", map_, lists, np.array([0.2, 0.8]), version)
        propose(data, output=tmp_path / "p.h5", import_=folder)
        for record in read(tmp_path / "p.h5")[1]:
            assert [np.flatnonzero(row).tolist() for row in record.proposals.members()] == [[1], [0, 2]]
            assert record.proposals.superpixels[59, 0] == 2 and record.proposals.superpixels[0, 79] == 0

    def test_an_image_without_proposals_is_told(self, data, results, tmp_path):
        found = [one for one in json.loads(results.read_text()) if one["image_id"] != 8]
        results.write_text(json.dumps(found))
        heard = Heard()
        propose(data, output=tmp_path / "p.h5", import_=results, messages=heard)
        assert any("no proposals for 1 images, such as images/001.png" in text for text in heard.warned)
        assert len(read(tmp_path / "p.h5")[1][1].proposals) == 0

    def test_a_mask_that_cannot_be_read_fails_its_image(self, data, results, tmp_path):
        whole = json.loads(results.read_text())
        for wrong, why in (
            ({"size": [60, 80], "counts": [5]}, "do not fill"),
            ({"size": [6, 8], "counts": [48]}, "8 x 6"),
            ("x", "neither"),
        ):
            results.write_text(json.dumps([{**whole[0], "segmentation": wrong}, *whole[1:]]))
            heard = Heard()
            with pytest.raises(SomeFailedError, match="000"):
                propose(data, output=tmp_path / "p.h5", import_=results, force=True, messages=heard)
            assert any(why in text and "mask 0 of" in text for text in heard.warned)

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            ('[{"image_id": 99, "segmentation": []}]', "image '99', which is not in the data folder"),
            ('[{"file_name": "x/y.jpg", "segmentation": []}]', "not in the data folder"),
            ('[{"image_id": 7}]', "'segmentation' is missing"),
            ('[{"image_id": 7, "segmentation": [], "score": "high"}]', "not a COCO results file"),
            ("{}", "'annotations' is missing"),
            ("3", "no list"),
            ("[", "not JSON"),
        ],
    )
    def test_files_that_say_something_else_are_refused(self, data, tmp_path, content, why):
        path = tmp_path / "wrong.json"
        path.write_text(content)
        with pytest.raises(BadInputError, match=why):
            propose(data, output=tmp_path / "p.h5", import_=path)
        assert not (tmp_path / "p.h5").exists()

    @pytest.mark.parametrize("version", ["5", "7.3"])
    def test_mat_files_that_say_something_else(self, data, tmp_path, version):
        path = tmp_path / "000.mat"
        good, lists = np.ones((60, 80), np.uint16), [[1.0]]
        for map_, sets, scores, why in (
            (good[:9], lists, [1.0], "80 x 9"),
            (good, [[4.0]], [1.0], "not in its map"),
            (good, lists, [1.0, 2.0], "2 scores for 1"),
        ):
            write_mat(path, map_, sets, np.array(scores), version)
            heard = Heard()
            with pytest.raises(SomeFailedError):
                propose(data, output=tmp_path / "p.h5", import_=path, force=True, messages=heard)
            assert any(why in text for text in heard.warned), heard.warned
        path.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
        with pytest.raises(SomeFailedError):
            propose(data, output=tmp_path / "p.h5", import_=path, force=True)

    def test_missing_files(self, data, tmp_path):
        with pytest.raises(MissingInputError):
            propose(data, output=tmp_path / "p.h5", import_=tmp_path / "no.json")
        with pytest.raises(MissingInputError):
            propose(data, output=tmp_path / "p.h5", import_=data / "images")
        with pytest.raises(UsageError, match="json"):
            propose(data, output=tmp_path / "p.h5", import_=data / "images/000.png")


class TestScores:
    def test_says_what_was_annotated(self, data, tmp_path):
        out = tmp_path / "p.h5"
        propose(data, output=out, workers=0)
        found = evaluate([out], output=tmp_path / "scores.json")
        assert found["images"] == N and "9 objects of 1 class in 3 images" in found["annotated"]
        best = {(r["of"], r["objects"], r["best"]): r for r in found["rows"]}
        assert best["masks", "all", None]["abo"] > 0.9 and best["boxes", "all", None]["recall_50"] == 1
        assert best["masks", "all", 10]["abo"] <= best["masks", "all", 100]["abo"]
        assert json.loads((tmp_path / "scores.json").read_text())["rows"] == found["rows"]
        assert evaluate([out], truth=data / "boxes.json")["rows"] == found["rows"]
        names = tmp_path / "names.txt"
        names.write_text("001\n")
        assert evaluate([out], split=str(names))["images"] == 1

    def test_can_gate(self, data, results, tmp_path):
        out = tmp_path / "p.h5"
        propose(data, output=out, max_proposals=1, workers=0)
        evaluate([out], fail_under="abo=0")
        with pytest.raises(BelowThresholdError, match="recall-85 of masks"):
            evaluate([out], fail_under="recall-85=0.99")
        with pytest.raises(UsageError, match="of proposals there are"):
            evaluate([out], fail_under="boundary-iou=.1")
        with pytest.raises(UsageError, match="--sweep does not apply to proposals"):
            evaluate([out], sweep=True)

    def test_without_truth_or_with_that_of_another_size(self, data, tmp_path):
        out = tmp_path / "p.h5"
        propose(data, output=out, workers=0)
        truth = (data / "boxes.json").read_text()
        (data / "boxes.json").unlink()
        with pytest.raises(MissingInputError):
            evaluate([out])
        (data / "boxes.json").write_text(truth)
        Image.new("RGB", (8, 8)).save(data / "images/000.png")
        with pytest.raises(BadInputError):
            evaluate([out])


def write_mat(path: Path, map_: np.ndarray, lists: list, scores: np.ndarray, version: str) -> None:
    """A file as MCG's authors publish them."""
    if version == "5":
        cells = np.empty((len(lists), 1), object)
        for i, one in enumerate(lists):
            cells[i, 0] = np.array([one])
        savemat(path, {"superpixels": map_, "labels": cells, "scores": scores[:, None]})
        return
    with h5py.File(path, "w", userblock_size=512) as file:
        file["superpixels"], file["scores"] = map_.T, scores[None]
        cells = file.create_dataset("labels", (1, len(lists)), h5py.ref_dtype)
        for i, one in enumerate(lists):
            file[f"#refs#/{i}"] = np.array(one)[:, None]
            cells[0, i] = file[f"#refs#/{i}"].ref
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    with open(path, "r+b") as raw:
        raw.write(header)
