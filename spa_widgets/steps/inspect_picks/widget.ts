/** PickInspector: the view. The scores are sent once; moving a threshold needs no network, the kernel hears of it when it rests. */
import type { RenderProps } from "@anywidget/types";
import { Mark } from "../../viewers/kit/canvas.ts";
import { h } from "../../viewers/kit/dom.ts";
import { Frame } from "../../viewers/kit/frame.ts";
import { bytes, floats } from "../../viewers/kit/link.ts";
import { Workbench } from "../../viewers/kit/workbench.ts";
import { ScorePlot } from "./plot.ts";
import { BOUNDS, byMicrograph, type Bound, type Count, countKept, emptyScores, type Limits, outside, type Scores } from "./scores.ts";

const FEWEST_REJECTED = 25; // at least so many of the best rejected picks are shown on a micrograph

class InspectorView {
  private scores: Scores = emptyScores();
  private groups: number[][] = [];
  private count: Count = { kept: new Uint8Array(0), total: 0, counts: new Int32Array(0), hits: 0 };
  private limits = Object.fromEntries(BOUNDS.map((name) => [name, null])) as Limits;
  private bench: Workbench;
  private plot: ScorePlot;
  private total = h("span", { class: "spa-num", role: "status" });
  private fields = {} as Record<Bound, HTMLInputElement>;
  private pending = false;

  constructor(private frame: Frame) {
    const { t, link } = frame;
    this.bench = new Workbench(frame, { title: "pick_inspector", shown: () => this.marks(), countText: (index) => this.countText(index) });
    this.plot = new ScorePlot(t, (name, value, done) => this.set(name, value, done));
    const side = h("div", { class: "spa-side" }, this.plot.element, this.numbers());
    frame.root.append(this.bench.bar, h("div", { class: "spa-body spa-three", style: "height: 560px" }, this.bench.list.element, this.bench.canvas.element, side), this.footer());
    frame.onClose(() => this.plot.destroy());
    link.watch(["current", "show_rejected"], () => this.marks());
    link.watch([...BOUNDS], () => { for (const name of BOUNDS) this.limits[name] = link.get(name); this.refresh(); });
    link.on("scores", () => frame.guard(this.load()));
    frame.guard(this.load());
    this.keys();
  }

  private async load(): Promise<void> {
    const { content, buffers } = await this.frame.link.ask<{ truth_count: number }>("scores");
    const [ncc, power, x, y] = buffers.slice(0, 4).map(floats);
    const [micrograph, truth] = buffers.slice(4, 6).map((buffer) => new Int32Array(bytes(buffer).buffer));
    this.scores = { ncc, power, x, y, micrograph, truth, truthCount: content.truth_count };
    this.groups = byMicrograph(micrograph, this.frame.link.get<unknown[]>("micrographs").length);
    this.plot.show(this.scores);
    this.refresh();
    this.frame.root.dataset.scores = String(x.length);
  }

  private countText(index: number): string {
    const all = this.groups[index]?.length;
    return all === undefined ? String(this.frame.link.get<number[]>("counts")?.[index] ?? 0) : `${this.count.counts[index] ?? 0} / ${all}`;
  }

  private numbers(): HTMLElement {
    const { t, link } = this.frame;
    const rows = BOUNDS.map((name) => {
      const field = h("input", { type: "number", step: name.endsWith("ncc") ? 0.01 : 0.1, placeholder: "–", "aria-label": t(name), onchange: () => this.set(name, field.value === "" ? null : Number(field.value), true) });
      this.fields[name] = field;
      return h("label", {}, t(name), field);
    });
    const box = h("input", { type: "checkbox", onchange: () => link.set("calibrate_to_defocus", box.checked) });
    const calibrate = h("label", { class: "spa-check", title: t("calibrate_help") }, box, t("calibrate"));
    link.watch(["calibrate_to_defocus", "has_defocus"], () => {
      box.checked = link.get("calibrate_to_defocus");
      calibrate.style.display = link.get("has_defocus") ? "" : "none";
      this.plot.name(t(box.checked ? "ncc_calibrated" : "ncc"));
    });
    const reset = h("button", { onclick: () => BOUNDS.forEach((name) => this.set(name, null, true)) }, t("reset"));
    return h("div", {}, h("div", { class: "spa-fields" }, ...rows), h("div", { class: "spa-fields" }, calibrate, reset));
  }

  private footer(): HTMLElement {
    const { t, link } = this.frame;
    const box = h("input", { type: "checkbox", onchange: () => link.set("show_rejected", box.checked) });
    link.watch(["show_rejected"], () => { box.checked = link.get("show_rejected"); });
    const submit = h("button", { class: "spa-primary", onclick: () => this.frame.guard(link.ask<{ job: string }>("submit").then(({ content }) => this.frame.say(t("submitted", content)))) }, t("submit_inspect"));
    link.watch(["can_submit"], () => { submit.style.display = link.get("can_submit") ? "" : "none"; });
    return h("div", { class: "spa-bar spa-foot" }, h("label", { class: "spa-slider" }, box, t("show_rejected")), this.total, h("span", { class: "spa-grow" }), submit);
  }

  private keys(): void {
    const { t, link } = this.frame;
    this.frame.addKeys([
      { keys: [t("drag"), "←", "→"], label: t("key_threshold") },
      { keys: ["r"], label: t("key_rejected"), act: () => link.set("show_rejected", !link.get("show_rejected")) },
    ]);
    this.bench.addKeys();
  }

  private set(name: Bound, value: number | null, done: boolean): void {
    this.limits[name] = value === null ? null : Number(value.toPrecision(4));
    if (done) this.frame.link.set(name, this.limits[name]);
    this.refresh();
  }

  /** Once a frame, however often a threshold moves. */
  private refresh(): void {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.redraw(); });
  }

  private redraw(): void {
    const begun = performance.now();
    const { t } = this.frame;
    const all = this.scores.x.length;
    this.count = countKept(this.scores, this.limits, this.groups.length);
    const { total, hits } = this.count;
    const percent = (part: number, whole: number): string => (whole ? ((100 * part) / whole).toFixed(1) : "–");
    this.total.textContent = t("kept_all", { kept: total.toLocaleString("en-US"), all: all.toLocaleString("en-US"), percent: percent(total, all) })
      + (this.scores.truthCount ? ` · ${t("against_truth", { precision: percent(hits, total), recall: percent(hits, this.scores.truthCount) })}` : "");
    for (const name of BOUNDS) {
      const field = this.fields[name];
      if (document.activeElement !== field) field.value = this.limits[name] === null ? "" : String(this.limits[name]);
    }
    this.plot.limit(this.limits);
    this.bench.list.refresh();
    this.marks();
    this.frame.root.dataset.redrawMs = (performance.now() - begun).toFixed(1);
  }

  private marks(): void {
    const { link, t } = this.frame;
    const { x, y, truth } = this.scores;
    const here = this.groups[link.get<number>("current")] ?? [];
    const triples: number[] = [];
    const rejected: [number, number][] = [];
    let kept = 0;
    for (const index of here) {
      if (!this.count.kept[index]) rejected.push([outside(this.scores, index, this.limits, this.plot.range), index]);
      else {
        kept++;
        triples.push(x[index], y[index], truth.length && truth[index] < 0 ? Mark.Chosen : Mark.Plain);
      }
    }
    // a picker keeps ten candidates for each particle: only those that a small change of a threshold would bring in help
    if (link.get("show_rejected")) {
      rejected.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      triples.push(...rejected.slice(0, Math.max(FEWEST_REJECTED, kept)).flatMap(([, index]) => [x[index], y[index], Mark.Rejected]));
    }
    this.bench.setMarks(new Float32Array(triples));
    const text = t("kept_here", { kept, all: here.length });
    this.bench.describe(text);
    this.bench.hint.textContent = text + (truth.length ? ` · ${t("false_are_yellow")}` : "");
  }
}

export default {
  render({ model, el }: RenderProps<any>) {
    const frame = new Frame(model, el, "pick_inspector");
    frame.whenReady(() => new InspectorView(frame));
    return frame.close;
  },
};
