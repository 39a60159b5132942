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
# # What if? Five experiments
#
# This notebook goes on where the tutorial ends. Each experiment does on purpose what goes wrong in practice by accident, on
# data of which the truth is known. **Write down what you expect, run the cell, compare**; the answers are folded below each
# experiment. Nothing of the tutorial is changed: experiments are jobs of a workspace of their own.

# %%
from spa_widgets import FSCPlot, Session
from spa_widgets.tutorial import tutorial_data
from spa_widgets.tutorial.experiments import as_table, bare_ice, truth_table, tutorial_results

data = tutorial_data()
session = Session(data.project, title="Innexin-6 tutorial")
known = tutorial_results(session, data)
work = session.workspace("experiments")

# %% [markdown]
# ## 1 · Where should the threshold be?
#
# The template picker kept all its candidates with their scores. A low threshold finds everything, and much else; a high one
# finds little, but is right. Which NCC would you take: 0.2, 0.3 or 0.45? Where is the automatic threshold?

# %%
thresholds = [0.2, 0.25, 0.3, 0.35, 0.45]
kept = {value: work.inspect_picks(known.candidates, min_ncc=value) for value in thresholds}
kept["automatic"] = work.inspect_picks(known.candidates)
for job in kept.values():
    job.wait()
truth_table(data, "picks", kept)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Recall falls and precision rises; they meet a little above 0.3. The automatic threshold is near that place, though it has never
# seen the truth: it tells how often noise reaches a score from the peaks of the *opposite* contrast. When in doubt take a lower
# threshold: what is too much leaves in the 2D classification, what was not picked never comes back.
# </details>

# %% [markdown]
# ## 2 · The wrong constant of the microscope
#
# Many microscopes have Cs 2.7 mm, this one has 1.6 mm. Suppose that you take the usual value. Will the CTF fit complain? Will
# the defocus be wrong, and by how much?

# %%
usual = work.import_micrographs(
    data.pattern,
    pixel_size_A=data.pixel_size_A,
    voltage_kv=data.voltage_kv,
    cs_mm=2.7,
    amplitude_contrast=data.amplitude_contrast,
    dose_e_per_A2=data.dose_e_per_A2,
)
wrong_ctf = work.estimate_ctf(usual)
wrong_ctf.wait()
figures = {"median_fit_resolution_A": "fit resolution, Å", "lowest_confidence": "least confidence", "unsure": "unsure"}
both = {"Cs 1.6 mm": known.ctf, "Cs 2.7 mm": wrong_ctf}
as_table(both, figures)

# %%
truth_table(data, "ctf", both)

# %% [markdown]
# <details><summary>Answer</summary>
#
# Nothing complains: resolution and confidence of the fit are as good as before. At 5 Å a little more defocus does what less Cs
# does, so the fit makes up for the mistake with a defocus that is a little more wrong. Only at high resolution do the two part.
# So a wrong Cs goes unnoticed until a map does not get as good as it should. Look it up in the data sheet; never guess it.
# </details>

# %% [markdown]
# ## 3 · A symmetry that is not there
#
# The channel has eight-fold symmetry. What happens to the *resolution* if none is imposed, and if a seven-fold one is? Both
# runs are cut short (three iterations at 3.465 Å/px).

# %%
short = dict(mask_diameter_A=160, max_iterations=3)
turned = {name: work.refine(known.selected, known.initial, symmetry=name, **short) for name in ("C1", "C7")}
for job in turned.values():
    job.wait()
as_table(
    {"C8 (tutorial)": known.refined, **turned},
    {"resolution_A": "resolution, Å", "symmetry_score": "agreement of the initial model with the symmetry"},
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The seven-fold map claims a *better* resolution than the map without symmetry, and is nonsense. Imposing a symmetry averages
# both halves in the same way, and the FSC asks only whether the halves agree, not whether they are right. What gives it away is
# the agreement of the model made without symmetry with its own turned copy: about 0.75 for eight-fold, none for seven-fold.
# Look at class averages and at a map in C1 before you impose a symmetry. Try C4: why is it not wrong, only worse?
# </details>

# %% [markdown]
# ## 4 · Nothing but ice
#
# Twenty boxes of each micrograph hold no object. They are extracted and refined against the tutorial's initial model, low-passed
# once to 30 Å and once to 8 Å. What resolution will be claimed? Will the channel appear?

# %%
places = work.manual_picks(known.ctf, picks=bare_ice(data, each=20))
ice = work.extract(known.ctf, places, box_px=data.box_px, crop_px=64)
start_at = {"30 Å": 30, "8 Å": 8}
noise = {name: work.refine(ice, known.initial, symmetry="C8", initial_low_pass_A=d, **short) for name, d in start_at.items()}
for job in noise.values():
    job.wait()
as_table(noise, {"resolution_A": "resolution, Å"})

# %% [markdown]
# <details><summary>Answer</summary>
#
# Images of noise, aligned to a reference, average to that reference: "Einstein from noise" (Henderson, PNAS 110, 18037, 2013).
# The halves share detail coarser than 20 Å, so about that is claimed for nothing; a reference that starts with finer detail
# brings it back, and a finer "resolution" with it. That is why a refinement starts at 30 Å or coarser, why the halves are kept
# apart, and why particles should be recognised in 2D first, where no model is imposed.
# </details>

# %% [markdown]
# ## 5 · A mask that is too tight
#
# A tight mask takes noise away, and the FSC rises. A mask also has an edge, equal for both halves. Raise the threshold and make
# the edge hard: which curve rises, and which one tells you that something is wrong?

# %%
plot = FSCPlot(known.refined)
plot

# %%
sensible = plot.resolutions
plot.set_mask(threshold=0.5, dilation_A=0, soft_edge_A=1)
too_tight = plot.resolutions
sensible, too_tight

# %% [markdown]
# <details><summary>Answer</summary>
#
# The curve inside the tight mask rises: the mask's own edge is the same in both halves. The corrected curve measures that with
# randomised phases and takes it off; where the two part, the mask is too tight. Report the corrected one, inside a mask with
# a soft edge of several pixels.
# </details>

# %% [markdown]
# ## Your own
#
# A sweep runs a grid of parameters and shows it side by side; jobs that exist are not computed again.

# %%
work.sweep("inspect_picks", known.candidates, min_ncc=[0.25, 0.3, 0.35])
