"""Callbacks for training loops: the attention of fixed images and the statistics of all heads, every few epochs.

    callback = vitviz.callbacks.AttentionCallback(["cat.jpg"], [vitviz.callbacks.FolderWriter("runs/first")])
    for epoch in range(1, 101):
        train_one_epoch(model)
        callback.on_epoch_end(model, epoch)

In Lightning, `Trainer(callbacks=[callback])`. The model that is being trained is not changed.
"""

from .attention_callback import AttentionCallback
from .folder_writer import FolderWriter
from .record import TrainingRecord
from .writers import LogWriter, TensorBoardWriter, Writer

__all__ = ["AttentionCallback", "FolderWriter", "LogWriter", "TensorBoardWriter", "TrainingRecord", "Writer"]
