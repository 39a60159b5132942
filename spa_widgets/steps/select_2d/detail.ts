/** One class: its average larger, the correlation between its halves, and its particles page by page. */
import { slider } from "../../viewers/kit/controls.ts";
import { h, human, s } from "../../viewers/kit/dom.ts";
import type { Frame } from "../../viewers/kit/frame.ts";
import { bytes, floats } from "../../viewers/kit/link.ts";
import { Plot } from "../../viewers/kit/plot.ts";
import type { Atlas } from "./atlas.ts";
import type { ClassRow } from "./rows.ts";

const [AVERAGE_PX, THRESHOLD, COARSE_A] = [112, 0.143, 20];

export class ClassDetail {
  readonly element: HTMLElement;
  private title = h("b");
  private average = h("i", { class: "spa-average", "aria-hidden": "true" });
  private facts = h("div", { class: "spa-num spa-class-facts" });
  private plot: Plot;
  private noFrc = h("div", { class: "spa-dim" });
  private picture = h("img", { alt: "" });
  private place = h("span", { class: "spa-num", role: "status" });
  private back: HTMLButtonElement;
  private on: HTMLButtonElement;
  private curve: { frequency: Float32Array; frc: Float32Array } | null = null;
  private number = 0;
  private page = 0;
  private pages = 1;
  private aligned = true;
  private low_pass_A = COARSE_A;
  private asked = 0;

  constructor(private frame: Frame, private atlas: Atlas, close: () => void) {
    const { t } = frame;
    this.plot = new Plot({ label: t("frc_label"), xLabel: t("frequency"), left: 30, xTicks: (value) => (value > 0 ? `1/${human(1 / value, 2)}` : "0") });
    this.plot.onDraw((layer) => this.paint(layer));
    this.plot.element.classList.add("spa-frc");
    this.back = h("button", { class: "spa-icon", "aria-label": t("page_back"), title: t("page_back"), onclick: () => this.turn(-1) }, "←");
    this.on = h("button", { class: "spa-icon", "aria-label": t("page_on"), title: t("page_on"), onclick: () => this.turn(1) }, "→");
    const box = h("input", { type: "checkbox", checked: true, onchange: () => { this.aligned = box.checked; this.loadMembers(); } });
    const low = slider({ label: t("low_pass"), unit: "Å", min: 0, max: 60, step: 1, value: COARSE_A, change: (value) => { this.low_pass_A = value; this.loadMembers(); }, input: () => {} });
    this.element = h("aside", { class: "spa-detail", "aria-label": t("class_detail") },
      h("div", { class: "spa-detail-head" }, this.title, h("span", { class: "spa-grow" }), h("button", { class: "spa-icon", "aria-label": t("close"), title: t("close"), onclick: close }, "×")),
      h("div", { class: "spa-detail-top" }, this.average, this.facts), h("b", {}, t("frc_label")), this.plot.element, this.noFrc,
      h("div", { class: "spa-detail-head" }, h("b", {}, t("class_particles")), h("span", { class: "spa-grow" }), this.back, this.place, this.on),
      this.picture, h("div", { class: "spa-members-bar" }, h("label", { class: "spa-slider", title: t("aligned_help") }, box, t("aligned")), low.element));
    frame.onClose(() => { this.plot.destroy(); URL.revokeObjectURL(this.picture.src); });
  }

  show(row: ClassRow, contrast: number): void {
    const { t } = this.frame;
    this.title.textContent = t("class_title", { number: row.number });
    this.atlas.paint(this.average, row.number, AVERAGE_PX, contrast);
    const line = (key: string, text: string): HTMLElement => h("div", {}, h("span", { class: "spa-dim" }, t(key)), h("b", {}, text));
    this.facts.replaceChildren(line("particles", row.count === null ? "–" : row.count.toLocaleString("en-US")), line("resolution", row.resolution_A === null ? "–" : `${human(row.resolution_A)} Å`), line("effective_classes", row.effective_classes === null ? "–" : row.effective_classes.toFixed(2)));
    if (row.number === this.number) return;
    this.number = row.number;
    this.page = 0;
    this.frame.guard(this.loadFrc());
    this.loadMembers();
  }

  /** Forget the class, so that it is asked for again when it is shown next. */
  forget(): void {
    this.number = 0;
  }

  private async loadFrc(): Promise<void> {
    const { number } = this;
    const { content, buffers } = await this.frame.link.ask<{ found: boolean }>("frc", { number });
    if (number !== this.number) return;
    this.curve = content.found ? { frequency: floats(buffers[0]), frc: floats(buffers[1]) } : null;
    this.plot.element.style.display = content.found ? "" : "none";
    this.noFrc.textContent = content.found ? "" : this.frame.t("frc_none");
    if (this.curve) this.plot.setRange(0, this.curve.frequency[this.curve.frequency.length - 1], Math.min(-0.05, ...this.curve.frc), 1.04);
    this.plot.draw();
  }

  private paint(layer: SVGElement): void {
    if (!this.curve) return;
    const { frequency, frc } = this.curve;
    const last = frequency[frequency.length - 1];
    layer.append(s("line", { x1: this.plot.x(0), x2: this.plot.x(last), y1: this.plot.y(THRESHOLD), y2: this.plot.y(THRESHOLD), stroke: "#d55e00", "stroke-dasharray": "4 4" }), s("text", { x: this.plot.x(last), y: this.plot.y(THRESHOLD) - 4, "text-anchor": "end" }, String(THRESHOLD)),
      s("path", { d: this.plot.curve(frequency, frc), fill: "none", stroke: "#0b6fb8", "stroke-width": 1.8 }));
  }

  private turn(by: number): void {
    this.page = Math.min(Math.max(this.page + by, 0), this.pages - 1);
    this.loadMembers();
  }

  private loadMembers(): void {
    this.frame.guard(this.fetchMembers());
  }

  private async fetchMembers(): Promise<void> {
    const { t, link } = this.frame;
    const turn = ++this.asked;
    const { number, page } = this;
    const { content, buffers } = await link.ask<{ found: boolean; count: number; pages: number; mime: string }>("members", { number, page, align: this.aligned, low_pass_A: this.low_pass_A })
      .catch((error: Error) => { this.place.textContent = ""; this.picture.style.display = "none"; throw error; });
    if (turn !== this.asked) return;
    this.picture.style.display = content.found ? "" : "none";
    this.pages = content.found ? content.pages : 1;
    this.place.textContent = content.found ? `${page + 1} / ${content.pages}` : t("none");
    [this.back.disabled, this.on.disabled] = [page === 0, page >= this.pages - 1];
    if (!content.found) return;
    URL.revokeObjectURL(this.picture.src);
    this.picture.src = URL.createObjectURL(new Blob([bytes(buffers[0])], { type: content.mime }));
    this.picture.alt = t("members_alt", { number, page: page + 1, pages: content.pages });
    this.picture.dataset.shown = `${number}-${page}-${this.aligned}`;
  }
}
