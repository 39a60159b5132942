# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From micrographs to a map
#
# This notebook is the single-particle tutorial on innexin-6, a channel of eight equal subunits in a lipid nanodisc
# (EMPIAR-10291; Burendei *et al.*, Science Advances 6, eaax3157, 2020). It follows the jobs J1 to J15 of the PDBj workshop of
# 2021, and every step runs where you are: no GPU is needed, and one is used when there is one.
#
# Without a download it works on an **embedded synthetic data set** of an innexin-like channel, for which the truth is known: at
# each step you see how far you are from it. Lengths are those of the workshop (a box of 222 Å, a mask of 160 Å); pixels follow
# from the pixel size.
#
# Run the cells in order. Each step is a *job*: it starts at once, runs outside this notebook, is kept on disk, and is there
# immediately when you ask for it again. Everything that a person decides (picks, thresholds, classes) stands in the notebook as
# code, so it runs from top to bottom without anyone; change a decision and run on. The numbers J1 to J15 in the headings are the
# workshop's; your own jobs are counted as you ask for them.

# %%
from spa_widgets import (
    ClassGallery,
    CTFInspector,
    FSCPlot,
    JobPanel,
    ManualPicker,
    PickInspector,
    Session,
    VolumeViewer,
)
from spa_widgets.tutorial import tutorial_data

# %% [markdown]
# ## A project and a workspace
#
# A project is a folder. Opened again, it is as you left it.

# %%
data = tutorial_data()
session = Session(data.project, title="Innexin-6 tutorial")
session.workspace("tutorial")
panel = JobPanel(session)
panel

# %% [markdown]
# ## The data
#
# The embedded set: 12 micrographs of 1024 × 1024 px at 2.464 Å/px, with channels in nanodiscs, empty nanodiscs, ice contamination,
# noise of the ice and of the electron dose (35 e/Å²). For real micrographs nothing is simulated:
# `spa tutorial --micrographs 'data/*.mrc' …` runs this notebook on them.

# %%
source = data.prepare(session)
source

# %% [markdown]
# ## J1 · Import micrographs
#
# The microscope's constants cannot be guessed from the files: this JEOL microscope has Cs 1.6 mm, where many have 2.7 mm.

# %%
micrographs = session.import_micrographs(
    data.pattern,
    pixel_size_A=data.pixel_size_A,
    voltage_kv=data.voltage_kv,
    cs_mm=data.cs_mm,
    amplitude_contrast=data.amplitude_contrast,
    dose_e_per_A2=data.dose_e_per_A2,
)
micrographs.wait()

# %% [markdown]
# ## J2 · CTF estimation
#
# The microscope's contrast transfer function (CTF) turns contrast over again and again with finer detail; its rings in the power
# spectrum tell the defocus. Each micrograph gets its mean defocus, astigmatism, and a smooth surface of local defocus.

# %%
ctf = session.estimate_ctf(micrographs)
ctf.wait()
CTFInspector(session, ctf)

# %%
data.check("ctf", ctf)

# %% [markdown]
# ## J3 · Manual picking
#
# About 25 particles on each of the first four micrographs: round spots with a pattern inside. Leave the thin dark bars, which are
# empty nanodiscs seen edge-on, and blobs of ice. Left click picks, right click removes, `?` shows the keys. So that the
# notebook runs without you, it brings picks of the embedded set along (the known places, with the scatter of a hand); the widget
# starts from them, and what you change is kept. `picker.code()` gives your own picks as such a table.

# %%
picks_by_hand = {
    "micrograph_0001.mrc": [
        (596, 96), (779, 118), (516, 178), (601, 181), (52, 293), (185, 319), (326, 295), (637, 343), (684, 257),
        (175, 446), (746, 389), (855, 396), (187, 529), (290, 530), (589, 473), (753, 492), (151, 733), (522, 713),
        (627, 722), (690, 691), (899, 706), (391, 753), (564, 770), (729, 777), (856, 815), (933, 840), (774, 912),
    ],
    "micrograph_0002.mrc": [
        (416, 127), (590, 133), (748, 155), (912, 211), (99, 263), (578, 298), (66, 392), (325, 374), (506, 445),
        (662, 449), (749, 409), (85, 480), (226, 494), (286, 452), (322, 522), (574, 509), (109, 569), (266, 616),
        (400, 577), (741, 610), (831, 558), (801, 749), (437, 848), (536, 909), (778, 949), (923, 931), (341, 970),
    ],
    "micrograph_0003.mrc": [
        (113, 111), (318, 129), (343, 55), (434, 133), (588, 109), (394, 201), (590, 199), (390, 331), (862, 271),
        (559, 374), (804, 394), (553, 550), (680, 492), (812, 476), (932, 533), (544, 631), (871, 640), (594, 696),
        (809, 741), (285, 822), (366, 841), (558, 798), (696, 799), (966, 836), (68, 943), (160, 935), (759, 869),
    ],
    "micrograph_0004.mrc": [
        (247, 74), (821, 52), (919, 128), (345, 199), (836, 205), (966, 215), (325, 339), (326, 261), (408, 339),
        (964, 332), (766, 364), (77, 522), (523, 517), (809, 522), (48, 633), (323, 601), (436, 551), (553, 603),
        (828, 612), (323, 685), (640, 734), (396, 824), (144, 939), (395, 925), (768, 908), (901, 947), (959, 905),
    ],
}

# %%
picks = data.decided_picks(picks_by_hand, session, ctf)
picker = ManualPicker(session, ctf, start=picks, goal=100)
picker

# %%
manual = picker.submit()
picked = session.extract(ctf, manual, box_px=data.box_px, crop_px=64)
picked.wait()
picked.figures

# %% [markdown]
# ## J4 · 2D classification of the picks
#
# Images that look alike are averaged. One hundred particles and ten classes are few, but enough for templates.

# %%
first_classes = session.classify_2d(picked, classes=10, mask_diameter_A=160)
first_classes.wait()
first_gallery = ClassGallery(session, first_classes, propose=True)
first_gallery

# %% [markdown]
# ## J8 · Select templates
#
# Good averages show a particle in the middle, round or side-on, with detail inside. The gallery starts from an automatic
# proposal: the classes whose detail explains images left out of their average. A click takes a class out or in, and
# `first_gallery.select([1, 4, 7])` does it in code; the next cell takes what is marked.

# %%
templates = first_gallery.submit()
templates.wait()
templates.figures

# %% [markdown]
# ## J9 · Template picking
#
# The templates are compared with every place of every micrograph, at every angle.

# %%
candidates = session.pick_templates(ctf, templates, diameter_A=160)
candidates.wait()
candidates.figures

# %% [markdown]
# ## J10 · Inspect the picks
#
# Two numbers describe a pick: NCC, how well it looks like a template, and power, how much contrast it has. Ice has much power;
# noise has little of both. Drag the thresholds and watch the circles.

# %%
inspector = PickInspector(session, candidates)
inspector

# %%
good_picks = inspector.submit()
good_picks.wait()
data.check("picks", good_picks)

# %% [markdown]
# ## J11 · Extract particles
#
# Boxes of 222 Å are cut out, contrast is turned so that protein is white, and the half sets of the final resolution estimate
# are drawn, once and for all. For classification the boxes are Fourier-cropped to 64 px (3.465 Å/px).

# %%
particles = session.extract(ctf, good_picks, box_px=data.box_px, crop_px=64)
particles.wait()
particles.figures

# %% [markdown]
# ## J12 · 2D classification

# %%
classes = session.classify_2d(particles, classes=data.class_count(particles), mask_diameter_A=160)
classes.wait()
gallery = ClassGallery(session, classes, propose=True)
gallery

# %% [markdown]
# ## J13 · Select 2D classes
#
# The proposal is marked with a frame again. Side views and top views are particles; a thin bar is an empty nanodisc seen
# edge-on, a disc without a pattern is one seen from above, and a blur is noise. Click until you agree, then go on.

# %%
selected = gallery.submit()
selected.wait()
data.check("classes", selected, particles)

# %% [markdown]
# ## J14 · Ab-initio reconstruction
#
# A first map from nothing, without symmetry (C1): from a random start, small random batches of the images mend the map
# step by step (stochastic expectation–maximisation).

# %%
initial = session.initial_model(selected, symmetry="C1", mask_diameter_A=160)
initial.wait()
VolumeViewer(initial)

# %% [markdown]
# The class averages show eight-fold views; does the map have the axis? A start in C1 can get stuck: then its map has none, and the
# model is made again with the symmetry imposed. (1 is perfect; clean maps of few particles reach 0.5 to 0.8.)

# %%
axis_score = data.symmetry_score(initial, "C8")
if axis_score < 0.3:
    initial = session.initial_model(selected, symmetry="C8", mask_diameter_A=160)
    initial.wait()
axis_score

# %% [markdown]
# ## J15 · Homogeneous refinement
#
# The selected particles are cut out again with all their detail, and refined in two independent halves with symmetry C8.

# %%
full_size = session.extract(ctf, selected, box_px=data.box_px)
refined = session.refine(full_size, initial, symmetry="C8", mask_diameter_A=160)
refined.wait()
refined.figures

# %% [markdown]
# The five FSC curves: no mask, spherical, loose, tight, and tight corrected for the mask's own correlation. The resolution is where
# the corrected curve falls below 0.143.

# %%
FSCPlot(refined)

# %% [markdown]
# The map, and the sharpened map behind a tick: sharpening lifts the fine detail that the envelopes of microscope and averaging
# have damped, and the noise with it. Drag to turn, move the contour level, look at the slices.

# %%
VolumeViewer(refined.output("map"), refined.output("map_sharp"), visible=[True, False])

# %% [markdown]
# ## How far from the truth?
#
# On synthetic data the map can be compared with the one the images were made from. Projections do not tell the hand, so the
# mirror image is as good. The yardstick is a reconstruction of the same particles from their true poses.

# %%
data.check("map", refined, full_size)

# %% [markdown]
# ## The whole history
#
# Every job with its inputs; `first_classes.clone(classes=6)` repeats a job with one parameter changed.

# %%
session.tree()

# %%
data.report(session)

# %% [markdown]
# To hand on where you are, `session.export("tutorial.spa")` (or Export in the job panel) writes all of this into one archive; others
# go on from it with `Session.open_bundle("tutorial.spa")`.
