/** ClassGallery: the view. One atlas picture is sent; each tile shows its part of it. */
import type { RenderProps } from "@anywidget/types";
import { slider } from "../../viewers/kit/controls.ts";
import { h, human } from "../../viewers/kit/dom.ts";
import { Frame } from "../../viewers/kit/frame.ts";
import { bytes } from "../../viewers/kit/link.ts";

export interface ClassRow { number: number; count: number | null; resolution_A: number | null; effective_classes: number | null }
type Sort = "count" | "resolution" | "effective_classes" | "number";

/** The classes in the order asked for: many particles, fine resolution, few effective classes first; unknown values last. */
export function sorted(rows: ClassRow[], by: Sort): ClassRow[] {
  const last = Number.POSITIVE_INFINITY;
  const key = { count: (row: ClassRow) => -(row.count ?? -last), resolution: (row: ClassRow) => row.resolution_A ?? last, effective_classes: (row: ClassRow) => row.effective_classes ?? last, number: (row: ClassRow) => row.number }[by];
  return [...rows].sort((a, b) => key(a) - key(b) || a.number - b.number);
}

const STYLE = `
.spa-atlas { display: flex; flex-wrap: wrap; gap: 8px; padding: 12px; overflow: auto; max-height: 620px; align-content: flex-start; }
.spa-class { border: 3px solid transparent; border-radius: 7px; padding: 0; cursor: pointer; position: relative; background: var(--spa-bg2); overflow: hidden; user-select: none; }
.spa-class:hover { border-color: color-mix(in srgb, var(--spa-accent) 45%, transparent); }
.spa-class[aria-selected="true"] { border-color: var(--spa-accent); }
.spa-class[aria-selected="true"]::after { content: "✓"; position: absolute; right: 4px; top: 4px; width: 20px; height: 20px; line-height: 20px; text-align: center; border-radius: 50%; background: var(--spa-accent); color: var(--spa-accent-ink); font-weight: 700; font-size: 12px; }
.spa-class i { display: block; background-color: #222; background-repeat: no-repeat; }
.spa-class span { display: flex; justify-content: space-between; gap: 6px; font-size: 11.5px; padding: 2px 5px 0; font-variant-numeric: tabular-nums; white-space: nowrap; }
.spa-class span + span { padding: 0 5px 3px; color: var(--spa-ink2); }`;

class GalleryView {
  private atlas: { url: string; columns: number; rows: number } | null = null;
  private grid = h("div", { class: "spa-atlas", role: "listbox", "aria-multiselectable": "true" });
  private tiles = new Map<number, HTMLElement>();
  private order: ClassRow[] = [];
  private anchor = -1;
  private contrast = 1;

  constructor(private frame: Frame) {
    const { t, link } = frame;
    this.grid.setAttribute("aria-label", t("class_gallery"));
    frame.root.append(h("style", { textContent: STYLE }), this.controls(), this.grid, h("div", { class: "spa-dim", style: "font-size: 11.5px; padding: 0 14px 8px" }, t("class_legend")), this.footer());
    frame.onClose(() => this.atlas && URL.revokeObjectURL(this.atlas.url));
    link.watch(["classes", "sort"], () => this.build());
    link.watch(["size_px"], () => this.paint());
    link.watch(["selected"], () => this.mark());
    frame.guard(this.load());
    link.on("atlas", () => frame.guard(this.load()));
    this.keys();
  }

  private async load(): Promise<void> {
    const { content, buffers } = await this.frame.link.ask<{ columns: number; rows: number; mime: string }>("atlas");
    if (this.atlas) URL.revokeObjectURL(this.atlas.url);
    this.atlas = { url: URL.createObjectURL(new Blob([bytes(buffers[0])], { type: content.mime })), columns: content.columns, rows: content.rows };
    this.paint();
    this.frame.root.dataset.shown = "atlas";
  }

  private controls(): HTMLElement {
    const { t, link } = this.frame;
    const sort = h("select", { "aria-label": t("sort_by"), onchange: () => link.set("sort", sort.value) },
      ...[["count", "particles"], ["resolution", "resolution"], ["effective_classes", "effective_classes"], ["number", "number"]].map(([value, key]) => h("option", { value }, t(key))));
    const size = slider({ label: t("size"), unit: "px", min: 48, max: 240, step: 4, value: link.get("size_px"), input: (value) => link.set("size_px", value) });
    const contrast = slider({ label: t("contrast"), min: 0.5, max: 3, step: 0.05, value: 1, input: (value) => { this.contrast = value; this.paint(); } });
    link.watch(["sort", "size_px"], () => { sort.value = link.get("sort"); size.set(link.get("size_px")); });
    return h("div", { class: "spa-bar" }, h("span", { class: "spa-title" }, t("class_gallery")), h("label", { class: "spa-slider" }, t("sort_by"), sort), size.element, contrast.element,
      h("span", { class: "spa-grow" }), this.frame.codeButton(), this.frame.helpButton());
  }

  private footer(): HTMLElement {
    const { t, link } = this.frame;
    const text = h("span", { class: "spa-num", role: "status" });
    const submit = h("button", { class: "spa-primary", onclick: () => this.submit() }, t("submit_classes"));
    link.watch(["classes", "selected", "can_submit"], () => {
      const chosen = new Set(link.get<number[]>("selected"));
      const rows = link.get<ClassRow[]>("classes");
      const sum = (some: ClassRow[]): number => some.reduce((total, row) => total + (row.count ?? 0), 0);
      const [particles, total] = [sum(rows.filter((row) => chosen.has(row.number))), sum(rows)];
      text.textContent = t("selected_classes", { classes: chosen.size, all: rows.length, particles: particles.toLocaleString("en-US"), total: total.toLocaleString("en-US"), percent: total ? ((100 * particles) / total).toFixed(1) : "0" });
      submit.disabled = chosen.size === 0;
      submit.style.display = link.get("can_submit") ? "" : "none";
    });
    const button = (key: string, act: () => void): HTMLButtonElement => h("button", { onclick: act }, t(key));
    const automatic = h("button", { title: t("select_automatic_title"), onclick: () => this.frame.guard(link.ask("propose")) }, t("select_automatic"));
    link.watch(["can_propose"], () => { automatic.style.display = link.get("can_propose") ? "" : "none"; });
    return h("div", { class: "spa-bar spa-foot" }, automatic, button("select_all", () => this.all()), button("select_none", () => this.select([])), button("select_invert", () => this.invert()), text, h("span", { class: "spa-grow" }), submit);
  }

  private keys(): void {
    const { t } = this.frame;
    this.frame.addKeys([
      { keys: [t("click"), " "], label: t("key_select"), act: () => this.toggleFocused() },
      { keys: ["Shift+" + t("click")], label: t("key_range") },
      { keys: ["ArrowLeft", "ArrowUp"], label: t("key_move"), act: () => this.moveFocus(-1) },
      { keys: ["ArrowRight", "ArrowDown"], label: t("key_move"), act: () => this.moveFocus(1) },
      { keys: ["a"], label: t("select_all"), act: () => this.all() },
      { keys: ["x", "Escape"], label: t("select_none"), act: () => this.select([]) },
      { keys: ["i"], label: t("select_invert"), act: () => this.invert() },
    ]);
  }

  private build(): void {
    this.order = sorted(this.frame.link.get<ClassRow[]>("classes"), this.frame.link.get<Sort>("sort"));
    this.tiles.clear();
    this.grid.replaceChildren(...this.order.map((row, place) => {
      const tile = h("div", { class: "spa-class", role: "option", tabIndex: place ? -1 : 0, "data-class": row.number, "aria-label": this.describe(row), onclick: (event: MouseEvent) => this.click(place, event) },
        h("i"), h("span", {}, h("b", {}, row.number), h("small", {}, row.count === null ? "–" : `n = ${row.count.toLocaleString("en-US")}`)),
        h("span", { title: `${this.frame.t("resolution")}, ${this.frame.t("effective_classes")}` }, h("small", {}, row.resolution_A === null ? "–" : `${human(row.resolution_A)} Å`), h("small", {}, row.effective_classes === null ? "" : `×${row.effective_classes.toFixed(1)}`)));
      this.tiles.set(row.number, tile);
      return tile;
    }));
    this.paint();
    this.mark();
  }

  private describe(row: ClassRow): string {
    const known = (value: number | null): string => (value === null ? this.frame.t("none") : human(value));
    return this.frame.t("class_label", { number: row.number, count: known(row.count), resolution: known(row.resolution_A), eca: known(row.effective_classes) });
  }

  private paint(): void {
    const size = this.frame.link.get<number>("size_px");
    for (const [number, tile] of this.tiles) {
      const picture = tile.firstElementChild as HTMLElement;
      picture.style.width = picture.style.height = `${size}px`;
      if (!this.atlas) continue;
      const [column, row] = [(number - 1) % this.atlas.columns, Math.floor((number - 1) / this.atlas.columns)];
      picture.style.backgroundImage = `url(${this.atlas.url})`;
      picture.style.backgroundSize = `${this.atlas.columns * size}px ${this.atlas.rows * size}px`;
      picture.style.backgroundPosition = `${-column * size}px ${-row * size}px`;
      picture.style.filter = this.contrast === 1 ? "" : `contrast(${this.contrast})`;
    }
  }

  private mark(): void {
    const chosen = new Set(this.frame.link.get<number[]>("selected"));
    for (const [number, tile] of this.tiles) tile.setAttribute("aria-selected", String(chosen.has(number)));
  }

  private click(place: number, event: MouseEvent): void {
    this.focus(place);
    const chosen = new Set(this.frame.link.get<number[]>("selected"));
    const number = this.order[place].number;
    if (event.shiftKey && this.anchor >= 0) {
      for (let index = Math.min(place, this.anchor); index <= Math.max(place, this.anchor); index++) chosen.add(this.order[index].number);
    } else if (!chosen.delete(number)) chosen.add(number);
    this.anchor = place;
    this.select([...chosen]);
  }

  private select(numbers: number[]): void {
    this.frame.link.expect("selected", [...numbers].sort((a, b) => a - b)); // so that quick keys build on each other
    this.frame.guard(this.frame.link.ask("select", { numbers }));
  }

  private all(): void {
    this.select(this.order.map((row) => row.number));
  }

  private invert(): void {
    const chosen = new Set(this.frame.link.get<number[]>("selected"));
    this.select(this.order.map((row) => row.number).filter((number) => !chosen.has(number)));
  }

  private focused(): number {
    return this.order.findIndex((row) => this.tiles.get(row.number) === (this.grid.getRootNode() as Document).activeElement);
  }

  private focus(place: number): void {
    this.order.forEach((row, index) => { this.tiles.get(row.number)!.tabIndex = index === place ? 0 : -1; });
    this.tiles.get(this.order[place].number)?.focus({ preventScroll: false });
  }

  private moveFocus(by: number): void {
    if (this.order.length) this.focus(Math.min(Math.max(this.focused() + by, 0), this.order.length - 1));
  }

  private toggleFocused(): void {
    const place = this.focused();
    if (place >= 0) this.click(place, new MouseEvent("click"));
  }

  private submit(): void {
    this.frame.guard(this.frame.link.ask<{ job: string }>("submit").then(({ content }) => this.frame.say(this.frame.t("submitted", content))));
  }
}

export default {
  render({ model, el }: RenderProps<any>) {
    const frame = new Frame(model, el, "class_gallery");
    frame.whenReady(() => new GalleryView(frame));
    return frame.close;
  },
};
