"""From nothing to a model on 200 pictures: the documented commands, one line a step, as a user types them.

Each script runs at least once in a process of its own: train.xe, which is killed there, in test_training.py.
"""

import json
from pathlib import Path
from statistics import fmean

import pytest
from safetensors.torch import load_file
from support.commands import run, run_process
from support.shapes import make_shapes


def rows_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def losses_of(folder: Path) -> list[float]:
    return [row["loss"] for row in rows_of(folder) if "loss" in row]


def scored_rows_of(folder: Path) -> list[dict]:
    return [row for row in rows_of(folder) if "score" in row]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return make_shapes(tmp_path_factory.mktemp("data") / "shapes", photos=200)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """24 photos to train on, for what takes long a photo."""
    return make_shapes(tmp_path_factory.mktemp("data") / "few", photos=40)


@pytest.fixture(scope="module")
def trained(shapes, tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    run(
        f"python -m train.distill --photos {shapes}/Images --held-out {shapes}/Flickr_8k.devImages.txt "
        f"{shapes}/Flickr_8k.testImages.txt --out {runs}/backbone --backbone test_resnet --steps 30 --batch-size 16 --sizes 64"
    )
    run(
        f"python -m train.xe --data {shapes} --backbone {runs}/backbone --out {runs}/softmax --hidden 64 --attention-size 32 "
        "--epochs 18 --batch-size 12 --captions 2 --learning-rate 5e-3 --ema 0.9 --crops 1"
    )
    return runs


def test_the_student_comes_closer_to_its_teacher(trained):
    losses = losses_of(trained / "backbone")
    assert len(losses) == 30
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    assert "score" in (trained / "backbone" / "log.jsonl").read_text().splitlines()[-1]


def test_distillation_goes_on_from_an_earlier_run_and_frozen_stages_stay(shapes, trained, tmp_path):
    run_process(
        f"python -m train.distill --photos {shapes}/Images --init {trained}/backbone --freeze 2 --out {tmp_path} "
        "--steps 2 --on-device --batch-size 8 4 --sizes 64 96"
    )
    before = load_file(trained / "backbone" / "backbone.safetensors")
    after = load_file(tmp_path / "backbone.safetensors")
    changed = {name.split(".")[1] for name, value in before.items() if value.ndim == 4 and not value.equal(after[name])}
    assert changed == {"layer3", "layer4"}
    first, second = losses_of(trained / "backbone"), losses_of(tmp_path)
    assert second[0] < 0.5 * (first[0] + first[-1])  # the projections were kept


def test_stages_that_learned_apart_go_on_together(shapes, tmp_path):
    for options in (
        f"--backbone resnet26d --blockwise --out {tmp_path}/apart",
        f"--init {tmp_path}/apart --out {tmp_path}/whole",
    ):
        run(f"python -m train.distill --photos {shapes}/Images --steps 3 --batch-size 4 --sizes 64 {options}")
    first, last = losses_of(tmp_path / "apart")[0], losses_of(tmp_path / "whole")[-1]
    assert 0 < last < first
    apart, whole = (load_file(tmp_path / folder / "heads.safetensors") for folder in ("apart", "whole"))
    name = "classifier.weight"
    assert 0 < (apart[name] - whole[name]).abs().max() < apart[name].abs().max()


def test_the_model_holds_the_distilled_backbone(trained):
    backbone = load_file(trained / "backbone" / "backbone.safetensors")
    model = load_file(trained / "softmax" / "model" / "model.safetensors")
    assert all((model[f"encoder.{name}"].float() - value).abs().max() < 1e-2 for name, value in backbone.items())


def test_dev_score_rises(trained):
    scores = [row["score"] for row in scored_rows_of(trained / "softmax")]
    assert len(scores) == 18
    assert max(scores[-5:]) > max(100, 2 * scores[0])


def test_a_decoder_on_the_teachers_grid_is_scored_and_not_kept(shapes, tmp_path):
    run(
        f"python -m train.xe --data {shapes} --teacher --out {tmp_path} --no-mirror --hidden 64 --attention-size 32 --epochs 4 "
        "--batch-size 12 --captions 2 --learning-rate 5e-3 --ema 0.9"
    )
    rows = rows_of(tmp_path)
    assert len(scored_rows_of(tmp_path)) == 4
    assert rows[-2]["loss"] < 0.7 * rows[0]["loss"]
    assert not list(tmp_path.rglob("model.safetensors"))


@pytest.mark.parametrize(("start", "crops"), [(run_process, ""), (run, "--on-device --sizes 32 64")])
def test_backbone_and_decoder_train_on_together(few, trained, tmp_path, start, crops, capsys):
    printed = start(
        f"python -m train.finetune --data {few} --init {trained}/softmax/model --out {tmp_path} --epochs 3 "
        f"--batch-size 4 --captions 2 --learning-rate 2e-3 --ema 0.9 --freeze 2 --validate-every 1 {crops}"
    )
    assert f"The model is in {tmp_path}/model" in printed
    if start is run:
        assert "fitting the projection: 100%" in capsys.readouterr().err
    rows = rows_of(tmp_path)
    assert {"loss", "captions", "anchor"} <= rows[0].keys()
    assert len(scored_rows_of(tmp_path)) == 3
    before, after = (load_file(folder / "model" / "model.safetensors") for folder in (trained / "softmax", tmp_path))
    changed = {
        name.split(".")[2] for name, value in before.items() if "network" in name and not value.equal(after[name])
    }
    assert changed == {"layer3", "layer4"}
    assert len(run(f"python -m capmodel {few}/Images/0000.jpg --model {tmp_path}/model").split()) > 3


def test_self_critical_training_goes_on_from_the_model(shapes, trained, tmp_path):
    printed = run_process(
        f"python -m train.scst --data {shapes} --model {trained}/softmax/model --out {tmp_path} --epochs 2 "
        "--batch-size 12 --samples 3 --longest 12 --learning-rate 1e-4 --dropout 0 --cell-dropout 0 --select beam"
    )
    assert "STANDARD_wInit+Cider-D[n4,s6.0]+average[nspi3]+1.0.2" in printed
    rows = rows_of(tmp_path)
    assert {"reward", "baseline", "reward_seconds"} <= rows[0].keys()
    scored = scored_rows_of(tmp_path)
    assert all(row["score"] == row["beam"] and row["greedy"] > 0 for row in scored)
    best = max(row["beam"] for row in scored)
    assert best > 0.9 * float(printed.partition(", beam ")[2].partition(",")[0])  # there is little to gain
    photo = shapes / "Images" / "0000.jpg"
    assert run(f"python -m capmodel {photo} --model {tmp_path}/model").strip()


@pytest.mark.usefixtures("java")
def test_evaluation_reports_every_metric_and_its_circumstances(shapes, trained):
    command = f"-m train.evaluate --data {shapes} --split test --model {trained}/softmax/model --json"
    report = json.loads(run(f"python {command}"))
    for metric in ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L"):
        assert 0 < report[metric] <= 100
    assert report["CIDEr"] > 100  # it learned the shapes: "A red circle on the left."
    assert (report["split"], report["photos"], report["beam"]) == ("test", 40, 5)
    assert report["versions"]["pycocoevalcap"]
    assert json.loads(run_process(f"torchrun --nproc-per-node 2 {command}")) == report


def test_the_command_line_uses_the_model(shapes, trained):
    photo = shapes / "Images" / "0000.jpg"
    printed = json.loads(run(f"python -m capmodel {photo} --model {trained}/softmax/model --json"))
    assert {word["word"] for word in printed["words"]} & {"circle", "square", "triangle"}


def test_several_data_sets_at_once(shapes, few, trained, tmp_path):
    """As many photos from the small one as from the large one; the best weights are those for both."""
    names, data = {shapes.name, few.name}, f"--data {shapes} {few} --weights 1 1"
    run(
        f"python -m train.xe {data} --backbone {trained}/backbone --out {tmp_path}/xe --hidden 64 --attention-size 32 "
        "--epochs 8 --batch-size 12 --captions 2 --learning-rate 5e-3 --ema 0.9 --no-mirror"
    )
    run(
        f"python -m train.finetune {data} --init {tmp_path}/xe/model --out {tmp_path}/finetune --epochs 1 --anchor 0 "
        "--batch-size 24 --captions 2 --freeze 3 --validate-every 1"
    )
    run(
        f"python -m train.scst {data} --model {tmp_path}/finetune/model --out {tmp_path}/scst --epochs 1 --batch-size 24 "
        "--samples 2 --longest 12 --no-mirror --gender-penalty 0.5"
    )
    for script, steps, validations in (("xe", 96, 8), ("finetune", 6, 1), ("scst", 6, 2)):
        assert len(losses_of(tmp_path / script)) == steps  # an epoch is as many photos as both sets have
        scored = scored_rows_of(tmp_path / script)
        assert len(scored) == validations
        assert all(scored[-1][name] > 0 for name in names)
        for row in scored:
            assert row["score"] == pytest.approx(fmean(row[name] for name in names))
    first, *_, last = scored_rows_of(tmp_path / "xe")
    assert all(last[name] > first[name] for name in names)
    photo = few / "Images" / "0000.jpg"
    assert run(f"python -m capmodel {photo} --model {tmp_path}/scst/model").strip()
