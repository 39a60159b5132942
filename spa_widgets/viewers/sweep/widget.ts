/** SweepView: the view. */
import type { RenderProps } from "@anywidget/types";
import { progressBar, type Bar } from "../kit/controls.ts";
import { h } from "../kit/dom.ts";
import { Frame } from "../kit/frame.ts";
import { bytes } from "../kit/link.ts";
import { duration, type FigureRow, INK, SIGN, wordsOf } from "../jobs/row.ts";
import { type Axis, type Figure, type Point, SweepChart, type SweepRow } from "./chart.ts";

interface Cell { element: HTMLElement; head: HTMLElement; image: HTMLImageElement; bar: Bar; value: HTMLElement; note: HTMLElement; picture: number }

class SweepPage {
  private body = h("div", { class: "spa-sweep" });
  private detail = h("div", { class: "spa-detail" });
  private cells: Cell[] = [];
  private figure = h("select");
  private way = h("select");
  private mode = h("select");
  private cancel = h("button");
  private summary = h("span", { class: "spa-dim", role: "status" });
  private chart?: SweepChart;
  private urls = new Map<string, { picture: number; url: string }>();
  private shownDetail = "";

  constructor(private frame: Frame) {
    const { t, link } = frame;
    const title = frame.language === "ja" ? link.get<string>("title_ja") : link.get<string>("title");
    this.mode.append(...["grid", "table", "plot"].map((name) => h("option", { value: name }, t(`sweep_${name}`))));
    this.mode.setAttribute("aria-label", t("show"));
    this.mode.addEventListener("change", () => link.set("show", this.mode.value));
    this.figure.setAttribute("aria-label", t("compare_by"));
    this.way.setAttribute("aria-label", t("better"));
    const compare = (): void => frame.guard(link.ask("compare", { figure: this.figure.value, largest: this.way.value === "" ? null : this.way.value === "more" }));
    this.figure.addEventListener("change", () => { this.way.value = ""; compare(); });
    this.way.addEventListener("change", compare);
    this.cancel.textContent = t("cancel_rest");
    this.cancel.addEventListener("click", () => frame.guard(link.ask("cancel")));
    frame.root.append(
      h("div", { class: "spa-bar" }, h("span", { class: "spa-title" }, `${t("sweep")}: ${title}`), this.mode,
        h("label", { class: "spa-slider" }, h("span", {}, t("compare_by")), this.figure), this.way, this.summary, h("span", { class: "spa-grow" }), this.cancel, frame.ends()),
      this.body, this.detail);
    link.watch(["show", "points"], () => this.build());
    link.watch(["jobs", "figure", "figures", "best", "largest"], () => this.update());
    link.watch(["selected"], () => this.paintDetail());
    const columns = (): number => (this.axes.length > 1 ? this.axes[this.axes.length - 1].values.length : 1);
    frame.addKeys([
      { keys: ["ArrowRight"], label: t("key_job"), act: () => this.step(1) },
      { keys: ["ArrowLeft"], label: t("key_job"), act: () => this.step(-1) },
      { keys: ["ArrowDown"], label: t("key_job"), act: () => this.step(columns()) },
      { keys: ["ArrowUp"], label: t("key_job"), act: () => this.step(-columns()) },
      { keys: ["b"], label: t("key_best"), act: () => link.get("best") && this.focus(this.points.findIndex((point) => point.job === link.get("best"))) },
    ]);
    frame.onClose(() => { this.chart?.destroy(); for (const { url } of this.urls.values()) URL.revokeObjectURL(url); });
  }

  private get axes(): Axis[] { return this.frame.link.get<Axis[]>("axes"); }
  private get points(): Point[] { return this.frame.link.get<Point[]>("points"); }
  private get rows(): Record<string, SweepRow> { return this.frame.link.get<Record<string, SweepRow>>("jobs") ?? {}; }
  private words(figure: Figure): string {
    const words = wordsOf(figure, this.frame.language);
    return figure.unit ? `${words} (${figure.unit})` : words;
  }

  private label(axis: Axis): string { return this.frame.language === "ja" ? axis.label_ja : axis.label; }

  private step(by: number): void {
    const at = this.cells.findIndex(({ element }) => element === document.activeElement);
    this.focus(at < 0 ? 0 : at + by);
  }

  private focus(place: number): void {
    this.cells[place]?.element.focus();
    this.cells[place]?.element.scrollIntoView({ block: "nearest" });
  }

  private build(): void {
    const show = this.frame.link.get<string>("show");
    this.mode.value = show;
    this.chart?.destroy();
    this.chart = undefined;
    this.cells = [];
    this.body.dataset.show = show;
    this.body.style.gridTemplateColumns = "";
    if (show === "grid") this.buildGrid();
    if (show === "plot") {
      this.chart = new SweepChart(this.frame, this.axes, this.points, (axis) => this.label(axis));
      this.body.replaceChildren(this.chart.element);
    }
    this.update();
  }

  private named(axis: Axis, value: string): HTMLElement {
    return h("span", { title: axis.name }, h("span", { class: "spa-dim" }, `${this.label(axis)} `), h("b", {}, value), axis.unit && value !== "–" ? ` ${axis.unit}` : "");
  }

  private buildGrid(): void {
    const { axes, points } = this;
    const last = axes[axes.length - 1];
    this.cells = points.map((point) => this.cell(point));
    if (axes.length < 2) {
      points.forEach((point, place) => this.cells[place].element.prepend(this.named(last, point.values[0])));
      this.body.style.gridTemplateColumns = "repeat(auto-fill, minmax(190px, 1fr))";
      this.body.replaceChildren(...this.cells.map((cell) => cell.element));
      return;
    }
    const columns = last.values.length;
    this.body.style.gridTemplateColumns = `minmax(90px, auto) repeat(${columns}, minmax(150px, 1fr))`;
    const children: HTMLElement[] = [h("span"), ...last.values.map((value) => h("div", { class: "spa-sweep-head" }, this.named(last, value)))];
    this.cells.forEach((cell, place) => {
      if (place % columns === 0) children.push(h("div", { class: "spa-sweep-side" }, ...axes.slice(0, -1).map((axis, index) => h("div", {}, this.named(axis, points[place].values[index])))));
      children.push(cell.element);
    });
    this.body.replaceChildren(...children);
  }

  private cell(point: Point): Cell {
    const select = (): void => this.frame.guard(this.frame.link.ask("select", { name: point.job }));
    const head = h("div", { class: "spa-sweep-state" });
    const image = h("img", { class: "spa-sweep-picture", style: "display: none" });
    const bar = progressBar(point.job);
    const value = h("div", { class: "spa-sweep-value" });
    const note = h("div", { class: "spa-dim spa-sweep-note" });
    const element = h("div", { class: "spa-tile", tabIndex: 0, role: "button", "data-job": point.job, onclick: select,
      onkeydown: (event: KeyboardEvent) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); event.stopPropagation(); select(); } } },
      image, value, bar.element, head, note);
    return { element, head, image, bar, value, note, picture: 0 };
  }

  private update(): void {
    const { t, link } = this.frame;
    const figures = link.get<Figure[]>("figures") ?? [];
    const chosen = link.get<string>("figure");
    const keys = figures.map((each) => each.name).join();
    if (this.figure.dataset.keys !== keys) {
      this.figure.dataset.keys = keys;
      this.figure.replaceChildren(...figures.map((each) => h("option", { value: each.name }, this.words(each))));
    }
    this.figure.value = chosen;
    const figure = figures.find((each) => each.name === chosen);
    const usual = figure?.sign ? t(figure.sign > 0 ? "more_is_better" : "less_is_better") : t("no_way");
    this.way.replaceChildren(h("option", { value: "" }, usual), ...(figure?.sign === 1 ? [] : [h("option", { value: "more" }, t("more_is_better"))]), ...(figure?.sign === -1 ? [] : [h("option", { value: "less" }, t("less_is_better"))]));
    const largest = link.get<boolean | null>("largest");
    this.way.value = largest === null ? "" : largest ? "more" : "less";
    if (this.way.selectedIndex < 0) this.way.value = "";
    const rows = Object.values(this.rows);
    const done = rows.filter((row) => ["finished", "failed", "cancelled"].includes(row.status)).length;
    const text = t("sweep_done", { done, count: rows.length });
    if (this.summary.textContent !== text) this.summary.textContent = text;
    this.cancel.style.display = done === rows.length ? "none" : "";
    this.points.forEach((point, place) => this.cells[place] && this.paint(this.cells[place], point, figure));
    if (link.get("show") === "table") this.paintTable(figure);
    this.chart?.draw(this.rows);
    if (this.shownDetail) this.paintDetail();
  }

  private paint(cell: Cell, point: Point, figure: Figure | undefined): void {
    const row = this.rows[point.job];
    if (!row) return;
    const { t, link } = this.frame;
    const isBest = link.get("best") === point.job;
    const value = figure && row.texts[figure.name] !== undefined ? `${row.texts[figure.name]} ${figure.unit}`.trim() : "";
    cell.value.textContent = isBest ? `★ ${value}` : value;
    cell.element.classList.toggle("spa-best", isBest);
    cell.element.dataset.status = row.status;
    cell.head.replaceChildren(h("b", {}, row.name), " ", h("span", { style: `color: ${INK[row.status]}` }, `${SIGN[row.status] ?? ""} ${t(row.status)}`));
    const running = row.status === "running";
    cell.bar.element.style.display = running ? "" : "none";
    cell.bar.set(row.progress, row.eta_s === null ? `${Math.round(100 * row.progress)} %` : t("left", { time: duration(row.eta_s) }));
    cell.note.textContent = row.error || row.message;
    cell.note.title = cell.note.textContent ?? "";
    cell.element.setAttribute("aria-label", `${row.name} ${this.axes.map((axis, index) => `${this.label(axis)} ${point.values[index]} ${axis.unit}`).join(", ")}: ${figure ? `${figure.words} ${value}` : ""} ${t(row.status)}${isBest ? `, ${t("best")}` : ""}`);
    if (row.picture && cell.picture !== row.picture) {
      cell.picture = row.picture;
      this.frame.guard(this.picture(point.job, row.picture).then((url) => { cell.image.src = url; cell.image.alt = ""; cell.image.style.display = ""; }));
    }
  }

  private async picture(job: string, picture: number): Promise<string> {
    const kept = this.urls.get(job);
    if (kept?.picture === picture) return kept.url;
    const { content, buffers } = await this.frame.link.ask<{ mime: string }>("picture", { name: job });
    const url = URL.createObjectURL(new Blob([bytes(buffers[0])], { type: content.mime }));
    this.urls.set(job, { picture, url });
    if (kept) setTimeout(() => URL.revokeObjectURL(kept.url), 5000); // another tile may still be loading it
    return url;
  }

  private paintTable(figure: Figure | undefined): void {
    const { t, link } = this.frame;
    const best = link.get<string>("best");
    const way = figure && (link.get<boolean | null>("largest") ?? figure.sign >= 0) ? -1 : 1;
    const value = (point: Point): number => this.rows[point.job]?.figures[figure?.name ?? ""] ?? Number.NaN;
    const sorted = [...this.points].sort((a, b) => { const [x, y] = [value(a), value(b)]; return Number.isNaN(x) ? 1 : Number.isNaN(y) ? -1 : way * (x - y); });
    const shown = (link.get<Figure[]>("figures") ?? []).slice(0, 8);
    const head = h("tr", {}, h("th", {}, t("job")), ...this.axes.map((axis) => h("th", { title: axis.name }, axis.unit ? `${this.label(axis)} (${axis.unit})` : this.label(axis))),
      ...shown.map((each) => h("th", { title: each.name, "aria-sort": each.name === figure?.name ? (way > 0 ? "ascending" : "descending") : null, onclick: () => this.frame.guard(link.ask("compare", { figure: each.name, largest: null })) }, this.words(each))));
    const lines = sorted.map((point) => h("tr", { "aria-selected": String(link.get("selected") === point.job), "data-job": point.job, style: "cursor: pointer", onclick: () => this.frame.guard(link.ask("select", { name: point.job })) },
      h("td", {}, `${point.job === best ? "★ " : ""}${point.job} ${SIGN[this.rows[point.job]?.status] ?? ""}`), ...point.values.map((text) => h("td", {}, text)), ...shown.map((each) => h("td", {}, this.rows[point.job]?.texts[each.name] ?? ""))));
    this.body.replaceChildren(h("div", { style: "overflow: auto; max-height: 420px" }, h("table", { class: "spa-table spa-wrapped" }, h("thead", {}, head), h("tbody", {}, ...lines))));
  }

  private paintDetail(): void {
    const { link, t } = this.frame;
    const name = link.get<string>("selected");
    this.shownDetail = name;
    for (const { element } of this.cells) element.setAttribute("aria-pressed", String(element.dataset.job === name));
    this.detail.style.display = name ? "" : "none";
    if (!name) return;
    this.frame.guard(link.ask<{ code: string; figures: FigureRow[] }>("details", { name }).then(async ({ content }) => {
      const row = this.rows[name];
      const image = row?.picture ? h("img", { src: await this.picture(name, row.picture), alt: t("picture_of", { job: name }) }) : null;
      if (link.get("selected") !== name) return;
      this.detail.replaceChildren(
        h("div", { style: "display: flex; flex-wrap: wrap; gap: 14px; align-items: flex-start" }, image,
          h("table", { class: "spa-table", style: "flex: 1 1 240px; max-width: 420px" }, h("tbody", {}, ...content.figures.map((each) => h("tr", {}, h("td", {}, wordsOf(each, this.frame.language)), h("td", {}, each.text)))))),
        row?.error ? h("div", { class: "spa-problem" }, row.error) : "",
        h("div", { class: "spa-code", style: "white-space: pre-wrap; margin-top: 8px" }, content.code));
    }));
  }
}

export default {
  render({ model, el }: RenderProps<any>) {
    const frame = new Frame(model, el, "sweep");
    frame.whenReady(() => new SweepPage(frame));
    return frame.close;
  },
};
