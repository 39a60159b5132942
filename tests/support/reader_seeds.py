"""Small good files of each kind that the readers know."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import tarfile
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import tifffile

from spa_widgets.io.bundle import BundleWriter, Manifest
from spa_widgets.io.cs_file import write_dataset
from spa_widgets.io.mrc_write import write_mrc
from tests.support.eer import encoded, write_eer

PDB = b"""CRYST1   50.000   50.000   50.000  90.00  90.00  90.00 P 1           1
ATOM      1  CA  ALA A   1       1.000   2.000   3.000  1.00 20.00           C
ATOM      2  N  AGLY A   2       4.000   5.000   6.000  0.50 30.00           N
HETATM    3  O   HOH A   3       7.000   8.000   9.000  1.00 40.00           O
END
"""
CIF = b"""data_x
loop_
_atom_site.group_PDB
_atom_site.id
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_seq_id
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.occupancy
_atom_site.B_iso_or_equiv
ATOM 1 C CA ALA A 1 1.0 2.0 3.0 1.0 20.0
"""
STAR_31 = b"""# version 30001
data_optics

loop_
_rlnOpticsGroup #1
_rlnOpticsGroupName #2
_rlnVoltage #3
_rlnSphericalAberration #4
_rlnAmplitudeContrast #5
_rlnImagePixelSize #6
_rlnMicrographPixelSize #7
1 one 300 2.7 0.1 1.5 1.5

data_particles

loop_
_rlnImageName #1
_rlnMicrographName #2
_rlnCoordinateX #3
_rlnCoordinateY #4
_rlnOpticsGroup #5
_rlnDefocusU #6
_rlnDefocusV #7
_rlnDefocusAngle #8
_rlnAngleRot #9
_rlnAngleTilt #10
_rlnAnglePsi #11
_rlnOriginXAngst #12
_rlnOriginYAngst #13
_rlnRandomSubset #14
000001@a.mrcs m.mrc 10 20 1 10000 11000 30 1 2 3 0 0 1
000002@a.mrcs m.mrc 30 40 1 10000 11000 30 1 2 3 0 0 2
"""
STAR_30 = b"""data_

loop_
_rlnVoltage #1
_rlnDefocusU #2
_rlnDefocusV #3
_rlnDefocusAngle #4
_rlnSphericalAberration #5
_rlnDetectorPixelSize #6
_rlnMagnification #7
_rlnAmplitudeContrast #8
_rlnImageName #9
_rlnOriginX #10
300 10000 11000 30 2.7 5 50000 0.1 1@a.mrcs 3
"""
STAR_MICROGRAPHS = b"""data_optics
loop_
_rlnOpticsGroup
_rlnVoltage
_rlnSphericalAberration
_rlnAmplitudeContrast
_rlnMicrographPixelSize
1 300 2.7 0.1 1.5
data_micrographs
loop_
_rlnMicrographName
_rlnOpticsGroup
"a b.mrc" 1
"""
STAR_LISTED = b"data_coordinate_files\nloop_\n_rlnMicrographName\n_rlnMicrographCoordinates\nm.mrc p.star\n"
STAR_PAIRS = b"data_job\n_rlnJobTypeLabel relion.import\n_text\n;several\nlines\n;\n"


def _mrcs() -> list[bytes]:
    rng = np.random.default_rng(5)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("a.mrc", "a.mrcs"):
            file = Path(folder) / name
            images = rng.normal(0, 1, (3, 8, 8)).astype(np.float32)
            for array in (images, images.astype(np.int8), images.astype(np.float16), images.astype(np.uint16)):
                write_mrc(file, array, 1.5, is_stack=name.endswith("s"))
                found.append(file.read_bytes())
    return found


def _datasets() -> list[bytes]:
    particles = {
        "uid": np.arange(3, dtype=np.uint64),
        "blob/path": np.array([b"a.mrcs"] * 3),
        "blob/idx": np.arange(3, dtype=np.uint32),
        "blob/shape": np.full((3, 2), 8, np.uint32),
        "blob/psize_A": np.full(3, 1.5, np.float32),
        "blob/sign": np.ones(3, np.float32),
        "ctf/accel_kv": np.full(3, 300, np.float32),
        "ctf/cs_mm": np.full(3, 2.7, np.float32),
        "ctf/amp_contrast": np.full(3, 0.1, np.float32),
        "ctf/df1_A": np.full(3, 1e4, np.float32),
        "ctf/df2_A": np.full(3, 1e4, np.float32),
        "ctf/df_angle_rad": np.zeros(3, np.float32),
        "ctf/exp_group_id": np.zeros(3, np.uint32),
        "alignments3D/pose": np.ones((3, 3), np.float32),
        "alignments3D/shift": np.ones((3, 2), np.float32),
        "alignments3D/psize_A": np.full(3, 1.5, np.float32),
        "location/micrograph_path": np.array([b"m.mrc"] * 3),
        "location/center_x_frac": np.full(3, 0.5, np.float32),
        "location/center_y_frac": np.full(3, 0.5, np.float32),
        "location/micrograph_shape": np.full((3, 2), 100, np.uint32),
    }
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(Path(folder) / "a.cs", particles)
        return [(Path(folder) / "a.cs").read_bytes()]


def _arrays() -> list[bytes]:
    found = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, names=np.array(["a", "b"]), pictures=np.zeros((2, 4, 4), np.uint8), one=np.array(1.5))
        found.append(buffer.getvalue())
    return found


def _archives() -> list[bytes]:
    found = []
    for style in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=style) as tar:
            for name in ("a.mrc", f"{'long' * 24}/{'long' * 20}.star"):
                member = tarfile.TarInfo(name)
                member.size = 5
                tar.addfile(member, io.BytesIO(b"hello"))
        found.append(buffer.getvalue())
    return [*found, gzip.compress(found[0])]


def _tiffs() -> list[bytes]:
    frames = np.random.default_rng(6).integers(0, 9, (3, 16, 24))
    found = []
    for dtype, compression in ((np.uint8, "zlib"), (np.uint8, "lzw"), (np.uint16, None), (np.float32, None)):
        for big in (False, True):
            buffer = io.BytesIO()
            tifffile.imwrite(
                buffer, frames.astype(dtype), compression=compression, photometric="minisblack", bigtiff=big
            )
            found.append(buffer.getvalue())
    return found


def _eers() -> list[bytes]:
    rng = np.random.default_rng(7)
    found = []
    for bits, sub_bits in ((7, None), (8, None), (9, (2, 2))):
        chosen = [np.flatnonzero(rng.random((16, 24)) < 0.1) for _ in range(4)]
        frames = [encoded(places, rng.integers(0, 16, len(places)), 384, bits) for places in chosen]
        with tempfile.TemporaryDirectory() as folder:
            write_eer(Path(folder) / "a.eer", frames, (16, 24), bits, sub_bits)
            found.append((Path(folder) / "a.eer").read_bytes())
    return found


def _bundles() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.spa"
        with BundleWriter(path) as writer:
            writer.add_bytes("history/decisions.jsonl", b"{}\n")
            writer.add_bytes("history/J1.jsonl", b'{"kind": "started"}\n')
            writer.finish(
                Manifest(kind="spa-bundle", format=1, title="Test", created=0.0, members=dict(writer.members))
            )
        return [path.read_bytes()]


_CSV = [b"x,y\n10,20\n30.5,40\n", b"filename,x,y,diameter\nm.mrc,1,2,3\n", b"10 20\n30 40\n"]
_CURVES = [b"resolution_A,corrected\n10,1\n5,0.5\n3,0\n"]
_MANIFEST = {"data_set": "a", "archive": {"name": "a.tar", "bytes": 3, "sha256": "00"}, "files": {"a/b.mrc": 5}}
_MADE: dict[str, Callable[[], list[bytes]]] = {
    ".mrc": _mrcs,
    ".mrcs": _mrcs,
    ".mrc.gz": _mrcs,
    ".map.gz": lambda: [gzip.compress(content) for content in _mrcs()],
    ".mrc.bz2": lambda: [bz2.compress(content) for content in _mrcs()] + _mrcs(),
    ".star": lambda: [STAR_31, STAR_30, STAR_MICROGRAPHS, STAR_LISTED, STAR_PAIRS],
    ".cs": _datasets,
    ".box": lambda: [b"10 20 64 64 -3\n30 40 64 64 -3\n"],
    ".csv": lambda: _CSV + _CURVES,
    ".pdb": lambda: [PDB],
    ".cif": lambda: [CIF],
    ".npz": _arrays,
    ".tar": _archives,
    ".tif": _tiffs,
    ".tif.gz": _tiffs,
    ".tif.bz2": lambda: [bz2.compress(_tiffs()[0])],
    ".eer": _eers,
    ".gain": _tiffs,
    ".spa": _bundles,
    "": lambda: [json.dumps(_MANIFEST).encode()],
}


@cache
def seeds(suffix: str) -> list[bytes]:
    """Give small good files whose names end like this."""
    return _MADE[suffix]()
