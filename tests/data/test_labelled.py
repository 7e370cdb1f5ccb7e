"""Few labels: balanced, seeded, hidden from the model where they are not among them."""

from __future__ import annotations

import pytest
import torch

from elbowroom.data import load
from elbowroom.data.conform import load_like, reload
from elbowroom.data.labelled import keep_labels
from elbowroom.data.tiny import tiny
from elbowroom.errors import UserError


def test_as_many_labels_of_each_class_are_seen() -> None:
    digits = load("digits")
    splits = keep_labels(digits, 25, share=0.0)
    train = splits.train.columns
    assert len(splits.train) == len(digits.train)
    assert int(train["label.mask"].sum()) == 25
    seen = torch.bincount(train["label"][train["label.mask"]], minlength=10)
    assert set(seen.tolist()) == {2, 3}
    torch.testing.assert_close(train["label"], digits.train.columns["label"])
    for part in (splits.validation, splits.test):
        assert not part.columns["label.mask"].any()


def test_labelled_rows_are_copied_up_to_their_share() -> None:
    digits = load("digits")
    splits = keep_labels(digits, 20, share=0.25)
    mask = splits.train.columns["label.mask"]
    assert mask.float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert splits.spec.n_train == len(splits.train) == len(mask)
    rows = splits.train.columns["x"].flatten(1)[mask]
    assert len(rows.unique(dim=0)) <= 20
    batch = splits.train.batch(torch.arange(4))
    assert batch["label.mask"].dtype == torch.bool


def test_the_choice_is_seeded_and_part_of_the_data() -> None:
    digits = load("digits")
    first, same, other = (keep_labels(digits, 20, seed=seed) for seed in (0, 0, 1))
    assert first.spec.fingerprint == same.spec.fingerprint
    assert len({s.spec.fingerprint for s in (digits, first, other)}) == 3


def test_load_hides_labels_and_reads_them_again_alike() -> None:
    splits = load("digits", labelled=30)
    assert splits.spec.options["labelled"] == 30
    assert "30 training rows show their label" in splits.spec.description
    assert reload(splits.spec).spec.fingerprint == splits.spec.fingerprint


def test_labels_of_other_data_are_hidden_too() -> None:
    rows = load_like("digits", load("digits", labelled=30).spec)
    assert not rows.columns["label.mask"].any()
    assert "label.mask" not in load_like("digits", load("digits").spec).columns


def test_what_cannot_be_had_is_refused() -> None:
    with pytest.raises(UserError, match="no label"):
        keep_labels(tiny("table"), 10)
    with pytest.raises(UserError, match="each of the 10 classes"):
        keep_labels(load("digits"), 5)
    with pytest.raises(UserError, match="class 0 has"):
        keep_labels(tiny("pictures"), 47)
    with pytest.raises(UserError, match="share"):
        keep_labels(tiny("pictures"), 4, share=1.0)
