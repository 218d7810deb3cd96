"""Writes checkpoints with PyTorch, for `examples.rs`.

    python make.py

state.zip, state.legacy: the state dict of a model, and what else a training keeps, in both layouts.
model.zip: a whole model. odd.zip: what is in few checkpoints.
"""

import collections
import pathlib

import torch

HERE = pathlib.Path(__file__).resolve().parent


def numbers(*shape, dtype=torch.float32):
    return torch.arange(torch.Size(shape).numel()).reshape(shape).to(dtype)


def model():
    layers = [("conv", torch.nn.Conv2d(1, 2, 3)), ("norm", torch.nn.BatchNorm2d(2))]
    made = torch.nn.Sequential(collections.OrderedDict(layers))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(numbers(*parameter.shape))
    return made


def training():
    made = model()
    optimizer = torch.optim.SGD(made.parameters(), lr=0.1, momentum=0.9)
    made(numbers(2, 1, 3, 3)).sum().backward()
    optimizer.step()
    return {"model": made.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}


def odd():
    tied = numbers(2, 2, dtype=torch.bfloat16)
    return {
        "float8": numbers(2, dtype=torch.float8_e4m3fn),
        "tied": [tied, tied.T],
        "slice": numbers(3, 4)[1:, ::2],
        "parameter": torch.nn.Parameter(numbers(2)),
        "storage": numbers(3).untyped_storage(),
        "sparse": torch.eye(2).to_sparse(),
        "empty": torch.zeros(0, 3, dtype=torch.complex64),
        "device": torch.device("cpu"),
    }


def main():
    torch.save(training(), HERE / "state.zip")
    torch.save(training(), HERE / "state.legacy", _use_new_zipfile_serialization=False)
    torch.save(model(), HERE / "model.zip")
    torch.save(odd(), HERE / "odd.zip")


main()
