"""The callback in Lightning's Trainer."""

import logging
import warnings

import pytest
import timm
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

import vitviz
from vitviz.errors import ArgumentError
from vitviz.viz.callbacks import AttentionCallback, FolderWriter

lightning = pytest.importorskip("pytorch_lightning")
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)


class Module(lightning.LightningModule):
    def __init__(self, **options):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = timm.create_model("test_vit", num_classes=3, img_size=32, patch_size=8, **options)

    def training_step(self, batch, _):
        pixels, labels = batch
        return F.cross_entropy(self.backbone(pixels), labels)

    def validation_step(self, batch, _):
        self.training_step(batch, _)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), 1e-3)


def data():
    random = torch.Generator().manual_seed(1)
    images, labels = torch.randn(16, 3, 32, 32, generator=random), torch.randint(3, (16,), generator=random)
    return DataLoader(TensorDataset(images, labels), batch_size=4)


def fit(module, callbacks, folder, ckpt_path=None, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=callbacks,
            default_root_dir=folder,
            **{"max_epochs": 2, **options},
        )
        torch.manual_seed(2)
        trainer.fit(module, data(), data(), ckpt_path=ckpt_path)
    return trainer


IMAGE = {"noise": torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(0))}


def test_it_records_every_epoch_and_changes_nothing(tmp_path):
    alone, observed = Module(drop_rate=0.1), Module(drop_rate=0.1)
    fit(alone, [], tmp_path)
    callback = AttentionCallback(IMAGE, [FolderWriter(tmp_path / "run", checkpoints=True)])
    fit(observed, [callback], tmp_path)
    assert vitviz.load_run(tmp_path / "run").steps == ("epoch-00001", "epoch-00002")
    for one, other in zip(alone.state_dict().values(), observed.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_steps_are_those_of_the_optimiser(tmp_path):
    numbers = []

    class Writer:
        def write(self, record):
            numbers.append(record.number)

    fit(Module(), [AttentionCallback(IMAGE, [Writer()], every_n_steps=2)], tmp_path, accumulate_grad_batches=2)
    assert numbers == [2, 4]  # 2 epochs of 4 batches


def test_a_checkpoint_of_lightning_is_continued(tmp_path):
    callback = AttentionCallback(IMAGE, [FolderWriter(tmp_path / "run")])
    trainer = fit(Module(), [callback], tmp_path, max_epochs=1)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    again = AttentionCallback(IMAGE, [FolderWriter(tmp_path / "run")])
    fit(Module(), [again], tmp_path, tmp_path / "last.ckpt", max_epochs=2)
    assert again.last.number == 2
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"heads.csv", "epoch-00001", "epoch-00002"}


def test_a_trainer_can_have_several(tmp_path):
    callbacks = [AttentionCallback(IMAGE, every_n_epochs=n) for n in (1, 2)]
    fit(Module(), [*callbacks], tmp_path, max_epochs=1).save_checkpoint(tmp_path / "last.ckpt")
    assert [one.last is None for one in callbacks] == [False, True]


def test_other_processes_write_nothing(tmp_path):
    class Trainer:
        is_global_zero = False
        current_epoch, global_step = 0, 1

    callback = AttentionCallback(IMAGE)
    callback.on_fit_start(Trainer, Module())
    callback.on_train_epoch_end(Trainer, Module())
    assert callback.last is None


def test_a_module_without_a_vit_is_refused_before_the_training(tmp_path):
    module = Module()
    module.backbone = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 3))
    with pytest.raises(ArgumentError, match="Module"):
        fit(module, [AttentionCallback(IMAGE)], tmp_path)
