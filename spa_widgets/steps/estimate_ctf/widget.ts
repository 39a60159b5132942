/** CTFInspector: the view. Limits are tried here while they are dragged; the kernel is told when they rest. */
import type { RenderProps } from "@anywidget/types";
import { slider } from "../../viewers/kit/controls.ts";
import { h, human } from "../../viewers/kit/dom.ts";
import { Frame } from "../../viewers/kit/frame.ts";
import { historyButtons } from "../../viewers/kit/history.ts";
import { FACTS, type Fact, judge, LIMIT_NAMES, type Limits, type Reason, type Row } from "./choice.ts";
import { SpectrumView } from "./curves.ts";
import { LandscapeView } from "./landscape.ts";
import { ScatterView } from "./scatter.ts";
import { MicrographTable } from "./table.ts";

const LOOSEST_A = 30; // the slider's end: no limit

const STYLE = `
.spa-ctf { display: grid; grid-template-columns: 296px minmax(0, 1fr); }
.spa-ctf > div { padding: 10px 12px; min-width: 0; }
.spa-ctf-right { border-left: 1px solid var(--spa-line); display: flex; flex-direction: column; gap: 8px; }
.spa-spectrum { position: relative; width: 100%; max-width: 272px; aspect-ratio: 1; margin: auto; background: #000; border-radius: 5px; overflow: hidden; }
.spa-spectrum > * { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
.spa-spectrum > img { image-rendering: auto; }
.spa-legend { display: flex; gap: 4px 16px; padding-left: 28px; font-size: 12px; flex-wrap: wrap; }
.spa-fit { display: flex; flex-wrap: wrap; gap: 8px 14px; }
.spa-fit > .spa-plot { flex: 2 1 300px; height: 236px; }
.spa-landscape-box { flex: 1 1 190px; max-width: 300px; font-size: 12px; }
.spa-landscape { width: 100%; height: auto; max-height: 190px; cursor: grab; touch-action: none; border-radius: 5px; }
.spa-landscape:focus-visible { outline: 2px solid var(--spa-ring); }
.spa-set { display: flex; flex-wrap: wrap; gap: 10px 14px; }
.spa-set > .spa-lines { flex: 3 1 400px; overflow: auto; max-height: 286px; border: 1px solid var(--spa-line); border-radius: 6px; position: relative; }
.spa-scatter-box { flex: 2 1 270px; display: flex; flex-direction: column; min-width: 0; }
.spa-axes { display: flex; flex-wrap: wrap; gap: 4px 12px; }
.spa-scatter { height: 214px; cursor: crosshair; touch-action: none; }
.spa-scatter .spa-dot { stroke: var(--spa-good); stroke-width: 9; stroke-linecap: round; fill: none; }
.spa-scatter .spa-cross { stroke: var(--spa-warn); stroke-width: 2; fill: none; }
.spa-scatter .spa-lit { stroke: color-mix(in srgb, var(--spa-accent) 45%, transparent); stroke-width: 17; stroke-linecap: round; fill: none; }
.spa-scatter .spa-here { fill: none; stroke: var(--spa-ink); stroke-width: 2.5; }
.spa-scatter .spa-frame { fill: color-mix(in srgb, var(--spa-accent) 12%, transparent); stroke: var(--spa-accent); stroke-dasharray: 4 3; }
.spa-brushed { display: flex; flex-wrap: wrap; gap: 5px 8px; align-items: center; min-height: 30px; font-size: 12px; }
.spa-ctf-facts { padding: 8px 2px; }
.spa-ctf-facts > div { display: flex; justify-content: space-between; gap: 10px; }
.spa-ctf-facts b { overflow-wrap: anywhere; text-align: right; }
.spa button.spa-plain { border: 0; background: none; padding: 0; min-height: 20px; font-weight: inherit; white-space: inherit; text-align: inherit; }
.spa button.spa-mark { color: var(--spa-good); font-weight: 700; text-decoration: none; min-width: 20px; text-align: center; }
.spa-off button.spa-mark { color: var(--spa-warn); }
.spa-lines td { padding: 1px 4px; font-size: 12.5px; }
.spa-lines th { padding: 3px 4px; font-size: 11.5px; word-break: keep-all; }
.spa-row-name { display: flex; gap: 4px; align-items: baseline; max-width: 140px; }
.spa-row-name > .spa-end { overflow: hidden; text-overflow: ellipsis; direction: rtl; }
th[aria-sort=ascending]::after { content: " ▲"; font-size: 9px; }
th[aria-sort=descending]::after { content: " ▼"; font-size: 9px; }
@container (max-width: 700px) {
  .spa-ctf { grid-template-columns: minmax(0, 1fr); }
  .spa-ctf-right { border-left: 0; border-top: 1px solid var(--spa-line); }
  .spa-ctf-left { display: grid; grid-template-columns: 220px minmax(0, 1fr); gap: 0 16px; align-items: start; }
}`;

class CtfView {
  private limits = {} as Limits;
  private reasons: Reason[][] = [];
  private spectrum: SpectrumView;
  private landscape: LandscapeView;
  private scatter: ScatterView;
  private table: MicrographTable;
  private facts = h("div", { class: "spa-num spa-ctf-facts" });
  private toggleButton = h("button", { onclick: () => this.toggle(this.current()) });
  private total = h("span", { class: "spa-num", role: "status" });
  private submitButton = h("button", { class: "spa-primary", onclick: () => this.submit() });

  constructor(private frame: Frame) {
    const { link } = frame;
    this.spectrum = new SpectrumView(frame);
    this.landscape = new LandscapeView(frame);
    this.table = new MicrographTable(frame, (index) => this.go(index), (index) => this.toggle(index));
    this.scatter = new ScatterView(frame, {
      preview: (limits) => { Object.assign(this.limits, limits); this.mark(); },
      limit: (limits) => this.limit(limits),
      decide: (indices, good) => frame.guard(link.ask("decide", { indices, good })),
      go: (index) => this.go(index),
    });
    this.build();
    link.watch(["rows"], () => { this.table.setRows(this.rows()); this.scatter.setRows(this.rows()); });
    link.watch(["rows", "accepted_by_hand", "rejected_by_hand", ...LIMIT_NAMES], () => {
      for (const name of LIMIT_NAMES) this.limits[name] = link.get(name) ?? null;
      this.mark();
    });
    link.watch(["current"], () => { this.mark(); this.table.reveal(this.current()); this.load(); });
    this.keys();
  }

  private build(): void {
    const { t, link, root } = this.frame;
    const worst = slider({
      label: t("worst_resolution_A"), unit: "Å", min: 2, max: LOOSEST_A, step: 0.1, value: link.get("worst_resolution_A") ?? LOOSEST_A, help: t("worst_resolution"),
      input: (value) => { this.limits.worst_resolution_A = value >= LOOSEST_A ? null : value; this.mark(); },
      change: (value) => this.limit({ worst_resolution_A: value >= LOOSEST_A ? null : value }),
    });
    link.watch(["worst_resolution_A"], () => worst.set(link.get("worst_resolution_A") ?? LOOSEST_A));
    const reset = h("button", { title: t("reset_choice"), onclick: () => this.frame.guard(link.ask("clear")) }, t("reset"));
    const bar = h("div", { class: "spa-bar" }, h("span", { class: "spa-title" }, t("ctf_inspector")), worst.element, ...historyButtons(this.frame), reset, h("span", { class: "spa-grow" }), this.frame.ends());
    const left = h("div", { class: "spa-ctf-left" }, h("div", {}, this.spectrum.picture, h("div", { class: "spa-dim", style: "font-size: 11.5px; text-align: center; margin-top: 4px" }, t("spectrum"))), h("div", {}, this.facts, this.toggleButton));
    const right = h("div", { class: "spa-ctf-right" }, this.spectrum.legend, h("div", { class: "spa-fit" }, this.spectrum.chart, this.landscape.element),
      h("div", { class: "spa-set" }, h("div", { class: "spa-lines" }, this.table.element), this.scatter.element));
    this.submitButton.textContent = t("submit_micrographs");
    this.submitButton.style.display = link.get("can_submit") ? "" : "none";
    root.append(h("style", { textContent: STYLE }), bar, h("div", { class: "spa-ctf" }, left, right), h("div", { class: "spa-bar spa-foot" }, this.total, h("span", { class: "spa-grow" }), this.submitButton));
  }

  private keys(): void {
    const { t } = this.frame;
    this.frame.addKeys([
      { keys: ["n", "ArrowDown", "PageDown"], label: t("key_next"), act: () => this.step(1) },
      { keys: ["p", "ArrowUp", "PageUp"], label: t("key_next"), act: () => this.step(-1) },
      { keys: ["r", " "], label: t("key_reject"), act: () => this.toggle(this.current()) },
      { keys: ["Escape"], label: t("key_forget_brush"), act: () => this.scatter.clear() },
      { keys: [t("drag")], label: t("key_brush") },
    ]);
  }

  private rows(): Row[] {
    return this.frame.link.get<Row[]>("rows") ?? [];
  }

  private current(): number {
    return this.frame.link.get<number>("current");
  }

  private go(index: number): void {
    this.frame.link.set("current", index);
  }

  private step(by: number): void {
    const next = this.table.order[this.table.order.indexOf(this.current()) + by];
    if (next !== undefined) this.go(next);
  }

  private toggle(index: number): void {
    this.frame.guard(this.frame.link.ask("toggle", { index }));
  }

  private limit(limits: Partial<Limits>): void {
    Object.assign(this.limits, limits);
    this.mark();
    this.frame.guard(this.frame.link.ask("limit", limits));
  }

  private submit(): void {
    const { link, t } = this.frame;
    this.frame.guard(link.ask<{ job: string; count: number }>("submit").then(({ content }) => this.frame.say(t("submitted_micrographs", content))));
  }

  private load(): void {
    const [index, row] = [this.current(), this.rows()[this.current()]];
    if (!row) return;
    this.frame.guard(this.spectrum.show(index, row.resolution_A));
    this.frame.guard(this.landscape.show(index, row.defocus_A));
  }

  private mark(): void {
    const { t, link } = this.frame;
    const [rows, current] = [this.rows(), this.current()];
    this.reasons = judge(rows, this.limits, link.get<number[]>("accepted_by_hand") ?? [], link.get<number[]>("rejected_by_hand") ?? []);
    this.table.update(this.reasons, current);
    this.scatter.update(this.reasons, this.limits, current);
    const kept = this.reasons.filter((against) => !against.length).length;
    this.total.textContent = [t("accepted", { kept, all: rows.length }), ...this.why()].join(" · ");
    this.submitButton.disabled = kept === 0;
    const row = rows[current];
    if (!row) return;
    const good = !this.reasons[current].length;
    this.toggleButton.textContent = t(good ? "reject" : "accept");
    const line = (key: string, value: number, unit: string, digits?: number): HTMLElement => h("div", {}, h("span", { class: "spa-dim" }, t(key)), h("b", {}, Number.isFinite(value) ? `${digits === undefined ? human(value) : value.toFixed(digits)}${unit}` : "–"));
    this.facts.replaceChildren(h("div", {}, h("b", { style: "text-align: left" }, row.name), h("b", { style: `color: var(--spa-${good ? "good" : "warn"})` }, good ? "✓" : "✗")),
      line("defocus", (row.defocus_A ?? Number.NaN) / 1e4, " µm", 3), line("astigmatism", row.astigmatism_A ?? Number.NaN, " Å"), line("angle", row.angle_deg ?? Number.NaN, "°"),
      line("fit_resolution", row.resolution_A ?? Number.NaN, " Å"), ...(["confidence", "score", "ice"] as const).filter((fact) => row[fact] !== null).map((fact) => line(fact, row[fact] as number, "")));
  }

  /** How many are rejected for what. */
  private why(): string[] {
    const { t } = this.frame;
    const counts = new Map<Reason, number>();
    for (const reason of this.reasons.flat()) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    return [...counts].map(([reason, count]) => t("rejected_for", { count, reason: t(reason in FACTS ? FACTS[reason as Fact].key : reason) }));
  }
}

export default {
  render({ model, el }: RenderProps<any>) {
    const frame = new Frame(model, el, "ctf_inspector");
    frame.whenReady(() => new CtfView(frame));
    return frame.close;
  },
};
