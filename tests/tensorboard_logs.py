"""Event files, written by tensorboardX and from its own protobuf classes, for tests."""

import struct
import warnings

import numpy as np
import pytest
from tensorboardX import SummaryWriter
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.proto.tensor_pb2 import TensorProto
from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto

import runcube as rc
from runcube.core import DEFAULT_LIMITS
from runcube.readers.tensorboard import scalars

START = 1_700_000_000.0


def masked(data):
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def record(data):
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(length)) + data + struct.pack("<I", masked(data))


def one_by_one(data, path):
    """Return what an event file holds, each of its records decoded alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scalars, "_FEW", len(data) + 1)
        return scalars.read_events(data, path, DEFAULT_LIMITS)


def write_events(path, events, begin=START):
    """Write events behind the one with the version; return where each of them begins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first = Event(wall_time=begin, file_version="brain.Event:2")
    pieces = [record(e.SerializeToString()) for e in (first, *events)]
    path.write_bytes(b"".join(pieces))
    return np.cumsum([0, *map(len, pieces)])[1:-1].tolist()


def scalar(tag, value, step, wall=None):
    wall = START + step if wall is None else wall
    return event(step, Summary.Value(tag=tag, simple_value=value), wall=wall)


def event(step, *values, wall=START):
    return Event(wall_time=wall, step=step, summary=Summary(value=values))


def tensor(tag, plugin="scalars", shape=(), **fields):
    dims = [TensorShapeProto.Dim(size=size) for size in shape]
    value = Summary.Value(
        tag=tag, tensor=TensorProto(tensor_shape=TensorShapeProto(dim=dims), **fields)
    )
    if plugin:
        value.metadata.plugin_data.plugin_name = plugin
    return value


def keras(tag, value, step, wall=None):
    """A scalar as TensorFlow 2 writes it."""
    wall = START + step if wall is None else wall
    return event(step, tensor(tag, dtype=1, float_val=[value]), wall=wall)


def hparams_event(tag, wall=START, **parts):
    data = HParamsPluginData(**parts)
    value = Summary.Value(tag=f"_hparams_/{tag}")
    value.metadata.plugin_data.plugin_name = "hparams"
    value.metadata.plugin_data.content = data.SerializeToString()
    return event(0, value, wall=wall)


def session_start(hparams, wall=START, start=0.0):
    data = HParamsPluginData()
    data.session_start_info.start_time_secs = start
    for key, value in hparams.items():
        own = data.session_start_info.hparams[key]
        if isinstance(value, bool):
            own.bool_value = value
        elif isinstance(value, str):
            own.string_value = value
        else:
            own.number_value = value
    return hparams_event("session_start_info", wall, session_start_info=data.session_start_info)


def session_end(status, wall=START, end=0.0):
    info = {"status": status, "end_time_secs": end}
    return hparams_event("session_end_info", wall, session_end_info=info)


def experiment():
    return hparams_event("experiment", experiment={"name": "a"})


def written(folder, curves, **arguments):
    """Write scalars with tensorboardX: tag to {step: value}."""
    with SummaryWriter(str(folder), **arguments) as writer:
        for tag, points in curves.items():
            for step, value in points.items():
                writer.add_scalar(tag, value, step)


def load(path, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(path, **arguments)


def curve(ds, split, metric, **run):
    """Logged values of one curve by step."""
    one = ds.sel(split=split, metric=metric, **run)
    one = one.squeeze([dim for dim in one.curve.dims if dim != "step"])
    found = zip(one.step.values.tolist(), one.curve.values, one.logged.values, strict=True)
    return {step: float(value) for step, value, logged in found if logged}


def as_logged(points):
    """Values as an event file has them: float32, and as float64 again."""
    return {step: float(np.float32(value)) for step, value in points.items()}


def kinds(ds):
    return sorted(rc.problems(ds).kind)
