/** JobPanel and JobView: the view. */
import type { RenderProps } from "@anywidget/types";
import { progressBar, type Bar } from "../kit/controls.ts";
import { h, s } from "../kit/dom.ts";
import { Frame } from "../kit/frame.ts";
import { bytes } from "../kit/link.ts";
import { duration, INK, SIGN, type Row } from "./row.ts";

interface Details { name: string; code: string; error: string; warnings: string[]; figures: [string, string][]; pictures: { name: string; file: string; caption: string; time: number }[] }

/** A column for each job of the tree: one further right than its furthest parent. */
export function columns(rows: Pick<Row, "name" | "parents">[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const row of rows) found.set(row.name, Math.max(-1, ...row.parents.map((parent) => found.get(parent) ?? -1)) + 1);
  return found;
}

class JobsView {
  private body = h("div", { style: "max-height: 460px; overflow: auto", role: "list" });
  private known = new Map<string, { element: HTMLElement; state: HTMLElement; bar: Bar; note: HTMLElement; cancel: HTMLElement; status: string }>();
  private detail = h("div", { style: "border-top: 1px solid var(--spa-line); padding: 10px 14px; display: none" });
  private pictures = new Map<string, { time: number; image: HTMLImageElement }>();
  private shownDetail = "";

  constructor(private frame: Frame) {
    const { t, link } = frame;
    const single = link.get<boolean>("single");
    if (!single) {
      const mode = h("select", { "aria-label": t("job_panel"), onchange: () => link.set("show", mode.value) }, h("option", { value: "list" }, t("list")), h("option", { value: "tree" }, t("tree")));
      link.watch(["show"], () => { mode.value = link.get("show"); });
      frame.root.append(h("div", { class: "spa-bar" }, h("span", { class: "spa-title" }, t("job_panel")), mode, h("span", { class: "spa-grow" }), frame.codeButton(), frame.helpButton()));
    }
    frame.root.append(this.body, this.detail);
    link.watch(["jobs", "show", "newest_first"], () => this.update());
    link.watch(["selected", "details"], () => this.paintDetails());
    frame.addKeys([
      { keys: ["ArrowDown"], label: t("key_move"), act: () => this.step(1) },
      { keys: ["ArrowUp"], label: t("key_move"), act: () => this.step(-1) },
    ]);
  }

  private rows(): Row[] {
    const rows = this.frame.link.get<Row[]>("jobs") ?? [];
    return this.frame.link.get("newest_first") ? [...rows].reverse() : rows;
  }

  private step(by: number): void {
    const rows = this.rows();
    const place = rows.findIndex((row) => row.name === this.frame.link.get("selected")) + by;
    if (rows[place]) this.frame.link.set("selected", rows[place].name);
  }

  private update(): void {
    const rows = this.rows();
    if (!rows.length) return this.body.replaceChildren(h("div", { class: "spa-wait" }, this.frame.t("no_jobs")));
    if (this.frame.link.get("show") === "tree") return this.body.replaceChildren(this.tree(this.frame.link.get<Row[]>("jobs")));
    const elements = rows.map((row) => this.row(row));
    if (elements.length !== this.body.childElementCount || elements.some((element, place) => this.body.children[place] !== element)) this.body.replaceChildren(...elements);
    this.markSelected();
  }

  private row(row: Row): HTMLElement {
    const { t, link } = this.frame;
    let known = this.known.get(row.name);
    if (!known) {
      const bar = progressBar(`${row.name} ${row.title}`);
      const state = h("span", { style: "font-weight: 600; white-space: nowrap" });
      const note = h("span", { class: "spa-dim", style: "overflow: hidden; text-overflow: ellipsis; white-space: nowrap" });
      const cancel = h("button", { onclick: (event: Event) => { event.stopPropagation(); this.frame.guard(link.ask("cancel", { name: row.name })); } }, t("cancel"));
      const from = row.parents.length ? t("from", { names: row.parents.join(", ") }) : "";
      const element = h("div", { class: "spa-row spa-job", role: "listitem", tabIndex: 0, "data-job": row.name, style: "grid-template-columns: 42px minmax(120px, 220px) 96px minmax(90px, 200px) minmax(0, 1fr) auto; align-items: center; min-height: 36px; border-bottom: 1px solid color-mix(in srgb, var(--spa-line) 50%, transparent)",
        onclick: () => this.frame.guard(link.ask("select", { name: row.name })), onkeydown: (event: KeyboardEvent) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.frame.guard(link.ask("select", { name: row.name })); } } },
        h("b", {}, row.name), h("span", { class: "spa-name", title: from }, row.title), state, bar.element, note, cancel);
      known = { element, state, bar, note, cancel, status: "" };
      this.known.set(row.name, known);
    }
    known.state.textContent = `${SIGN[row.status] ?? ""} ${t(row.status)}`;
    known.state.style.color = INK[row.status] ?? "";
    known.element.dataset.status = row.status;
    const ended = ["finished", "failed", "cancelled"].includes(row.status);
    const time = ended ? (row.seconds === null ? (row.status === "finished" ? t("reused") : "") : duration(row.seconds)) : row.status === "running" ? `${Math.round(100 * row.progress)} %${row.eta_s === null ? "" : ` · ${t("left", { time: duration(row.eta_s) })}`}` : "";
    (known.bar.element.firstElementChild as HTMLElement).style.display = ended ? "none" : ""; // a full bar says nothing that the sign does not
    known.bar.set(row.progress, time, row.status === "finished" ? "done" : row.status === "failed" ? "failed" : "");
    const note = row.error || row.message || (row.parents.length ? t("from", { names: row.parents.join(", ") }) : "");
    known.note.textContent = note;
    known.note.title = note;
    known.cancel.style.display = ended ? "none" : "";
    if (known.status && known.status !== row.status) this.frame.root.querySelector("[role=status]")!.textContent = `${row.name} ${t(row.status)}`;
    known.status = row.status;
    return known.element;
  }

  private markSelected(): void {
    const selected = this.frame.link.get<string>("selected");
    for (const [name, { element }] of this.known) element.setAttribute("aria-selected", String(name === selected && !this.frame.link.get("single")));
  }

  private tree(rows: Row[]): SVGElement {
    const place = columns(rows);
    const used: number[] = [];
    const at = new Map<string, [number, number]>();
    for (const row of rows) {
      const column = place.get(row.name)!;
      const line = Math.max(used[column] ?? 0, ...row.parents.map((parent) => (at.get(parent)?.[1] ?? 0)));
      at.set(row.name, [column, line]);
      used[column] = line + 1;
    }
    const [width, height] = [172, 58];
    const all = [...at.values()];
    const size = [Math.max(...all.map(([column]) => column)) + 1, Math.max(...all.map(([, line]) => line)) + 1];
    const svg = s("svg", { width: size[0] * width + 20, height: size[1] * height + 20, role: "img", "aria-label": this.frame.t("tree"), style: "display: block" });
    const point = (name: string): [number, number] => { const [column, line] = at.get(name)!; return [10 + column * width, 10 + line * height]; };
    for (const row of rows) {
      const [x, y] = point(row.name);
      for (const parent of row.parents) {
        if (!at.has(parent)) continue;
        const [px, py] = point(parent);
        const [x0, y0, y1] = [px + width - 26, py + 21, y + 21];
        svg.append(s("path", { d: `M${x0},${y0}C${x0 + 22},${y0} ${x - 22},${y1} ${x},${y1}`, fill: "none", stroke: "var(--spa-ink2)", "stroke-width": 1.4, opacity: 0.6 }));
      }
    }
    const selected = this.frame.link.get<string>("selected");
    for (const row of rows) {
      const [x, y] = point(row.name);
      const box = s("g", { transform: `translate(${x},${y})`, style: "cursor: pointer", tabindex: 0, role: "button", "aria-label": `${row.name} ${row.title} ${this.frame.t(row.status)}`, onclick: () => this.frame.guard(this.frame.link.ask("select", { name: row.name })) },
        s("rect", { width: width - 26, height: 42, rx: 7, fill: "var(--spa-bg)", stroke: INK[row.status] ?? "var(--spa-line)", "stroke-width": row.name === selected ? 3 : 1.5 }),
        s("text", { x: 10, y: 17, "font-weight": 600, "font-size": 12, fill: INK[row.status] }, `${SIGN[row.status] ?? ""} ${row.name}`),
        s("text", { x: 10, y: 33, "font-size": 11.5, fill: "var(--spa-ink)" }, row.title.length > 22 ? `${row.title.slice(0, 21)}…` : row.title));
      svg.append(box);
    }
    return svg;
  }

  private paintDetails(): void {
    const { t, link } = this.frame;
    const details = link.get<Details>("details");
    const selected = link.get<string>("selected");
    this.markSelected();
    if (link.get("show") === "tree") this.update();
    const open = Boolean(selected && details?.name === selected);
    this.detail.style.display = open ? "" : "none";
    if (!open) return;
    if (this.shownDetail !== selected) { this.pictures.clear(); this.shownDetail = selected; }
    const figures = details.figures.map(([name, value]) => h("tr", {}, h("td", {}, name), h("td", {}, value)));
    const images = details.pictures.map((picture) => {
      let kept = this.pictures.get(picture.name);
      if (!kept) {
        kept = { time: 0, image: h("img", { style: "max-width: 100%; max-height: 280px; border-radius: 5px; image-rendering: auto" }) };
        this.pictures.set(picture.name, kept);
      }
      kept.image.alt = picture.caption || picture.name;
      if (kept.time !== picture.time) {
        kept.time = picture.time;
        const { image } = kept;
        this.frame.guard(link.ask<{ mime: string }>("picture", { name: selected, file: picture.file }).then(({ content, buffers }) => {
          const old = image.src;
          image.src = URL.createObjectURL(new Blob([bytes(buffers[0])], { type: content.mime }));
          if (old) URL.revokeObjectURL(old);
        }));
      }
      return h("figure", { style: "margin: 0; flex: 0 1 420px" }, kept.image, h("figcaption", { class: "spa-dim", style: "font-size: 11.5px" }, picture.caption || picture.name));
    });
    this.detail.replaceChildren(
      h("div", { style: "display: flex; flex-wrap: wrap; gap: 18px; align-items: flex-start" }, ...images, figures.length ? h("div", { style: "flex: 1 1 240px; max-width: 420px; max-height: 280px; overflow: auto" }, h("b", {}, t("figures")), h("table", { class: "spa-table" }, h("tbody", {}, ...figures))) : null),
      ...details.warnings.map((text) => h("div", { style: "color: var(--spa-warn)" }, `⚠ ${text}`)),
      details.error ? h("div", { style: "color: var(--spa-warn); font-weight: 600" }, details.error) : "",
      h("div", { class: "spa-code", style: "margin-top: 8px; white-space: pre-wrap" }, details.code));
  }
}

export default {
  render({ model, el }: RenderProps<any>) {
    const frame = new Frame(model, el, "job_panel");
    frame.whenReady(() => new JobsView(frame));
    return frame.close;
  },
};
