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
# # もしも？ 五つの実験
#
# このノートブックはチュートリアルの続きです。どの実験も、実際の解析でうっかり起こる失敗を、正解の分かっているデータでわざと起こします。**まず予想を書き、セルを実行し、比べてください。** 答えは各実験の下に折りたたんであります。チュートリアルの結果は何も変わりません。実験は専用のワークスペースのジョブになります。

# %%
from spa_widgets import FSCPlot, Session
from spa_widgets.tutorial import tutorial_data
from spa_widgets.tutorial.experiments import as_table, bare_ice, truth_table, tutorial_results

data = tutorial_data()
session = Session(data.project, title="Innexin-6 tutorial")
known = tutorial_results(session, data)
work = session.workspace("experiments")

# %% [markdown]
# ## 1 · しきい値はどこに置くか
#
# テンプレートピッカーは、すべての候補をスコアとともに残しています。しきい値が低ければ全部見つかりますが余計なものも増え、高ければ少ししか見つかりませんが確かです。NCC はいくつにしますか。0.2、0.3、0.45 のどれでしょう。自動のしきい値はどこにあるでしょう。

# %%
thresholds = [0.2, 0.25, 0.3, 0.35, 0.45]
kept = {value: work.inspect_picks(known.candidates, min_ncc=value) for value in thresholds}
kept["automatic"] = work.inspect_picks(known.candidates)
for job in kept.values():
    job.wait()
truth_table(data, "picks", kept)

# %% [markdown]
# <details><summary>答え</summary>
#
# 再現率 (recall) は下がり、適合率 (precision) は上がります。両者は 0.3 の少し上で等しくなります。自動のしきい値は正解を見たことがないのにその近くにあります。*逆の*コントラストのピークから、ノイズがどれだけの頻度でそのスコアに達するかを見積もるからです。迷ったら低めにしてください。余計なものは 2D 分類で除けますが、拾わなかった粒子は戻りません。
# </details>

# %% [markdown]
# ## 2 · 顕微鏡の定数を間違える
#
# 多くの顕微鏡の Cs は 2.7 mm ですが、この顕微鏡は 1.6 mm です。よくある値を入れたとしましょう。CTF の当てはめは警告するでしょうか。デフォーカスはどれだけずれるでしょうか。

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
# <details><summary>答え</summary>
#
# 何も警告されません。当てはめの分解能も信頼度も前と同じです。5 Å では、デフォーカスを少し増やすことが Cs を減らすのと同じ働きをするので、当てはめは少しずれたデフォーカスで間違いを埋め合わせます。両者が分かれるのは高分解能だけです。そのため Cs の間違いは、マップが期待ほど良くならないときまで気づかれません。装置の仕様書で確かめ、決して推測しないでください。
# </details>

# %% [markdown]
# ## 3 · ありもしない対称性
#
# このチャネルは 8 回対称です。対称性を課さないとき、また 7 回対称を課したとき、*分解能*の値はどうなるでしょうか。どちらも途中で止めます (3.465 Å/px で 3 回の反復)。

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
# <details><summary>答え</summary>
#
# 7 回対称のマップは、対称性なしのマップより*良い*分解能を示しますが、でたらめです。対称性を課すと両半分が同じように平均されます。FSC が尋ねるのは両半分が一致するかどうかだけで、正しいかどうかではありません。見破る手がかりは、対称性なしで作ったモデルと、それを回したものとの一致です。8 回対称では約 0.75、7 回対称ではゼロです。対称性を課す前に、クラス平均と C1 のマップを見てください。C4 も試しましょう。なぜ間違いではなく、少し悪いだけなのでしょう。
# </details>

# %% [markdown]
# ## 4 · 氷しかない
#
# 各写真から、物体のない場所を 20 個ずつ切り出します。それをチュートリアルの初期モデルに対して精密化します。参照のローパスは 30 Å と 8 Å の二通りです。どんな分解能が出るでしょうか。チャネルは現れるでしょうか。

# %%
places = work.manual_picks(known.ctf, picks=bare_ice(data, each=20))
ice = work.extract(known.ctf, places, box_px=data.box_px, crop_px=64)
start_at = {"30 Å": 30, "8 Å": 8}
noise = {name: work.refine(ice, known.initial, symmetry="C8", initial_low_pass_A=d, **short) for name, d in start_at.items()}
for job in noise.values():
    job.wait()
as_table(noise, {"resolution_A": "resolution, Å"})

# %% [markdown]
# <details><summary>答え</summary>
#
# ノイズの画像を参照に合わせて平均すると、参照が現れます。「ノイズからアインシュタイン」です (Henderson, PNAS 110, 18037, 2013)。両半分は 20 Å より粗い成分を共有するので、何もなくてもその程度の値が出ます。細かい構造のある参照から始めれば、それが戻ってきて、より高い「分解能」になります。だから精密化は 30 Å かそれより粗い参照から始め、両半分を分けておき、モデルを課さない 2D 分類で先に粒子を見分けるのです。
# </details>

# %% [markdown]
# ## 5 · きつすぎるマスク
#
# きついマスクはノイズを除き、FSC は上がります。しかしマスクには縁があり、両半分で同じです。しきい値を上げ、縁を硬くしてください。どの曲線が上がり、どの曲線が異常を知らせるでしょうか。

# %%
plot = FSCPlot(known.refined)
plot

# %%
sensible = plot.resolutions
plot.set_mask(threshold=0.5, dilation_A=0, soft_edge_A=1)
too_tight = plot.resolutions
sensible, too_tight

# %% [markdown]
# <details><summary>答え</summary>
#
# きついマスクの内側の曲線が上がります。マスクの縁が両半分で同じだからです。補正後の曲線は、位相を乱数化してその分を測り、差し引きます。二つの曲線が離れたら、マスクはきつすぎます。数ピクセルの柔らかい縁を持つマスクで、補正後の値を報告してください。
# </details>

# %% [markdown]
# ## 自分で試す
#
# スイープはパラメーターの格子を計算し、並べて表示します。すでにあるジョブは計算し直しません。

# %%
work.sweep("inspect_picks", known.candidates, min_ncc=[0.25, 0.3, 0.35])
