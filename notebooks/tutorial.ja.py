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
# # 顕微鏡像から密度マップまで
#
# このノートブックは、イネキシン 6（脂質ナノディスク中の、8 個の同じサブユニットからなるチャネル。EMPIAR-10291、Burendei *et al.*, Science Advances
# 6, eaax3157, 2020）を題材にした単粒子解析のチュートリアルです。2021 年の PDBj ワークショップのジョブ J1 から J15 までを順にたどり、どの段階も
# 手元の計算機で動きます。GPU は不要で、あれば使われます。
#
# ダウンロードをしない場合は、イネキシンに似たチャネルの**付属の合成データ**を使います。正解がわかっているので、各段階で正解からどれだけ離れているかを
# 確かめられます。長さはワークショップと同じ（ボックス 222 Å、マスク 160 Å）で、ピクセル数はピクセルサイズから決まります。
#
# セルを上から順に実行してください。各段階は*ジョブ*で、すぐに始まり、このノートブックの外で動き、結果はディスクに残り、同じものを再び求めれば
# すぐに得られます。人が決めること（ピック、しきい値、クラス）はすべてコードとして書かれているので、人がいなくても最後まで動きます。判断を
# 変えて、その先を実行し直すこともできます。見出しの J1 から J15 はワークショップの番号で、あなたのジョブの番号は実行順に付きます。

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
# ## プロジェクトとワークスペース
#
# プロジェクトは一つのフォルダです。もう一度開くと、前回のままです。

# %%
data = tutorial_data()
session = Session(data.project, title="Innexin-6 tutorial")
session.workspace("tutorial")
panel = JobPanel(session)
panel

# %% [markdown]
# ## データ
#
# 付属データは 2.464 Å/px、1024 × 1024 px の顕微鏡像 12 枚です。ナノディスク中のチャネル、空のナノディスク、氷の汚れ、氷の構造による雑音と
# 電子線量（35 e/Å²）による雑音が含まれます。実際の顕微鏡像を使う場合は何も作りません：`spa tutorial --micrographs 'data/*.mrc' …` でこの
# ノートブックをそのまま実行できます。

# %%
source = data.prepare(session)
source

# %% [markdown]
# ## J1 · 顕微鏡像の読み込み
#
# 顕微鏡の定数はファイルからはわかりません。この日本電子の顕微鏡の球面収差 Cs は 1.6 mm です（2.7 mm の機種も多くあります）。

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
# ## J2 · CTF の推定
#
# 顕微鏡のコントラスト伝達関数（CTF）は、細かい構造ほど何度もコントラストを反転させます。パワースペクトルに見える輪の位置からデフォーカスが
# わかります。各顕微鏡像について、平均デフォーカス、非点収差、局所的なデフォーカスの滑らかな面を求めます。

# %%
ctf = session.estimate_ctf(micrographs)
ctf.wait()
CTFInspector(session, ctf)

# %%
data.check("ctf", ctf)

# %% [markdown]
# ## J3 · 手動ピック
#
# 最初の 4 枚から、それぞれ 25 個ほど選びます。選ぶのは内部に模様のある丸い像です。細く暗い棒（横から見た空のナノディスク）や氷の塊は
# 選びません。左クリックで選び、右クリックで取り消し、`?` でキー操作の一覧が出ます。人がいなくても動くように、
# 付属データに対するピックがここに書いてあります（既知の位置に、手で選んだ程度のばらつきを加えたもの）。ウィジェットはこのピックから始まり、
# 変更は自動で保存されます。
# `picker.code()` で、あなた自身のピックを同じ形の表として書き出せます。

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
# ## J4 · 選んだ粒子の 2D 分類
#
# 似た画像どうしを平均します。粒子 100 個、クラス 10 個は少なめですが、テンプレートを作るには十分です。

# %%
first_classes = session.classify_2d(picked, classes=10, mask_diameter_A=160)
first_classes.wait()
first_gallery = ClassGallery(session, first_classes, propose=True)
first_gallery

# %% [markdown]
# ## J8 · テンプレートの選択
#
# よい平均像では、粒子が中央にあり、上または横から見た形と内部の構造が見えます。ギャラリーは自動の提案(平均に使わなかった画像も
# 説明できる細部をもつクラス)が選ばれた状態で始まります。クリックでクラスを外したり加えたりでき、コードでは
# `first_gallery.select([1, 4, 7])` と書けます。次のセルは、いま選ばれているクラスを使います。

# %%
templates = first_gallery.submit()
templates.wait()
templates.figures

# %% [markdown]
# ## J9 · テンプレートによるピック
#
# テンプレートを、すべての顕微鏡像のすべての位置、すべての角度で比べます。

# %%
candidates = session.pick_templates(ctf, templates, diameter_A=160)
candidates.wait()
candidates.figures

# %% [markdown]
# ## J10 · ピックの確認
#
# ピックは二つの数で表されます。NCC（正規化相互相関）はテンプレートにどれだけ似ているか、パワーはコントラストがどれだけ強いかです。氷の汚れは
# パワーが強く、雑音はどちらも小さくなります。しきい値を動かして、円の変化を見てください。

# %%
inspector = PickInspector(session, candidates)
inspector

# %%
good_picks = inspector.submit()
good_picks.wait()
data.check("picks", good_picks)

# %% [markdown]
# ## J11 · 粒子の切り出し
#
# 222 Å の箱を切り出し、タンパク質が白くなるようにコントラストを反転し、最後の分解能評価に使う二つの半分組をここで一度だけ決めます。分類のために、
# 64 px（3.465 Å/px）までフーリエ空間で切り詰めます。

# %%
particles = session.extract(ctf, good_picks, box_px=data.box_px, crop_px=64)
particles.wait()
particles.figures

# %% [markdown]
# ## J12 · 2D 分類

# %%
classes = session.classify_2d(particles, classes=data.class_count(particles), mask_diameter_A=160)
classes.wait()
gallery = ClassGallery(session, classes, propose=True)
gallery

# %% [markdown]
# ## J13 · 2D クラスの選択
#
# ここでも自動の提案に枠が付いています。横や上から見た像は粒子です。細い棒は横から見た空のナノディスク、模様のない円盤は上から見た
# 空のナノディスク、ぼやけた像は雑音です。納得できるまでクリックして選び、先へ進んでください。

# %%
selected = gallery.submit()
selected.wait()
data.check("classes", selected, particles)

# %% [markdown]
# ## J14 · 初期モデル（ab-initio）
#
# 何もないところから最初の密度マップを作ります。対称性は仮定しません（C1）。ランダムな出発点から、無作為に選んだ少数の画像で
# マップを少しずつ直していきます（確率的な期待値最大化法）。

# %%
initial = session.initial_model(selected, symmetry="C1", mask_diameter_A=160)
initial.wait()
VolumeViewer(initial)

# %% [markdown]
# クラス平均には 8 回対称の像が見えます。密度マップにもその軸があるでしょうか。C1 での出発は行き詰まることがあり、そのとき密度マップに軸は
# ありません。その場合は、対称性を課して作り直します。（1 が完全。粒子の少ないよい密度マップで 0.5 から 0.8 です。）

# %%
axis_score = data.symmetry_score(initial, "C8")
if axis_score < 0.3:
    initial = session.initial_model(selected, symmetry="C8", mask_diameter_A=160)
    initial.wait()
axis_score

# %% [markdown]
# ## J15 · 精密化（homogeneous refinement）
#
# 選んだ粒子をもとの細かさで切り出し直し、対称性 C8 で、独立な二つの半分に分けて精密化します。

# %%
full_size = session.extract(ctf, selected, box_px=data.box_px)
refined = session.refine(full_size, initial, symmetry="C8", mask_diameter_A=160)
refined.wait()
refined.figures

# %% [markdown]
# 5 本の FSC 曲線：マスクなし、球形、ゆるいマスク、きついマスク、きついマスクをマスク自身の相関で補正したもの。補正した曲線が 0.143 を下回る
# ところが分解能です。

# %%
FSCPlot(refined)

# %% [markdown]
# マップです。鋭敏化（シャープニング）したマップは、チェックを入れると表示されます。鋭敏化は、顕微鏡や平均化で弱まった細部を強めますが、
# 雑音も強めます。ドラッグで回転し、等高レベルを動かし、断面も見てください。

# %%
VolumeViewer(refined.output("map"), refined.output("map_sharp"), visible=[True, False])

# %% [markdown]
# ## 正解からどれだけ離れているか
#
# 合成データでは、得られた密度マップを、画像のもとになった密度マップと比べられます。投影像からは左右の手がわからないので、鏡像も同じだけ正しい
# 答えです。物差しとして、同じ粒子を正しい向きから再構成したものと比べます。

# %%
data.check("map", refined, full_size)

# %% [markdown]
# ## すべての履歴
#
# すべてのジョブとその入力です。`first_classes.clone(classes=6)` とすると、パラメータを一つ変えて同じジョブを繰り返します。

# %%
session.tree()

# %%
data.report(session)

# %% [markdown]
# ここまでの結果を人に渡すには、`session.export("tutorial.spa")`（またはジョブパネルの「書き出し」）で、すべてを 1 つのファイルにします。
# 受け取った人は `Session.open_bundle("tutorial.spa")` で続きから始められます。
