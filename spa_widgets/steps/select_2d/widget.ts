/** ClassGallery: the view. */
import type { RenderProps } from "@anywidget/types";
import { slider } from "../../viewers/kit/controls.ts";
import { h, human } from "../../viewers/kit/dom.ts";
import { Frame } from "../../viewers/kit/frame.ts";
import { historyButtons } from "../../viewers/kit/history.ts";
import { Atlas } from "./atlas.ts";
import { ClassDetail } from "./detail.ts";
import { FilterBar, FILTERS } from "./filters.ts";
import { type ClassRow, passes, type Sort, sorted } from "./rows.ts";
import STYLE from "./gallery.css";

class GalleryView {
  private atlas: Atlas;
  private detail: ClassDetail;
  private grid = h("div", { class: "spa-atlas", role: "listbox", "aria-multiselectable": "true" });
  private filterBar: FilterBar;
  private tiles = new Map<number, HTMLElement>();
  private order: ClassRow[] = [];
  private anchor = -1;
  private contrast = 1;

  constructor(private frame: Frame) {
    const { t, link, root } = frame;
    this.atlas = new Atlas(frame);
    this.detail = new ClassDetail(frame, this.atlas, () => this.open(0));
    this.filterBar = new FilterBar(frame, () => this.build());
    this.grid.setAttribute("aria-label", t("class_gallery"));
    root.append(h("style", { textContent: STYLE }), this.controls(), this.filterBar.element, this.liveBar(), h("div", { class: "spa-gallery" }, this.grid, this.detail.element),
      h("div", { class: "spa-dim", style: "font-size: 11.5px; padding: 0 14px 8px" }, t("class_legend")), this.footer());
    link.watch(["classes", "sort", ...FILTERS], () => { this.filterBar.read(); this.build(); });
    link.watch(["size_px"], () => this.paint());
    link.watch(["selected", "live"], () => this.mark());
    link.watch(["detail", "classes", "live"], () => this.showDetail());
    link.on("atlas", () => frame.guard(this.load()));
    frame.guard(this.load());
    this.keys();
  }

  private async load(): Promise<void> {
    await this.atlas.load();
    this.paint();
    this.frame.root.dataset.shown = this.frame.link.get("live") ? "live" : "atlas";
  }

  private controls(): HTMLElement {
    const { t, link } = this.frame;
    const sort = h("select", { "aria-label": t("sort_by"), onchange: () => link.set("sort", sort.value) },
      ...[["count", "particles"], ["resolution", "resolution"], ["effective_classes", "effective_classes"], ["number", "number"]].map(([value, key]) => h("option", { value }, t(key))));
    const size = slider({ label: t("size"), unit: "px", min: 48, max: 240, step: 4, value: link.get("size_px"), input: (value) => link.set("size_px", value) });
    const contrast = slider({ label: t("contrast"), min: 0.5, max: 3, step: 0.05, value: 1, input: (value) => { this.contrast = value; this.paint(); } });
    for (const each of [size, contrast]) each.element.classList.add("spa-bare"); // their effect is seen, their number says nothing
    link.watch(["sort", "size_px"], () => { sort.value = link.get("sort"); size.set(link.get("size_px")); });
    return h("div", { class: "spa-bar" }, h("span", { class: "spa-title" }, t("class_gallery")), h("label", { class: "spa-slider" }, t("sort_by"), sort), size.element, contrast.element,
      h("span", { class: "spa-grow" }), this.frame.ends());
  }

  private liveBar(): HTMLElement {
    const { t, link } = this.frame;
    const text = h("span", { class: "spa-num" });
    const bar = h("div", { class: "spa-live", role: "status" }, h("i", { "aria-hidden": "true" }), text);
    link.watch(["live", "stopped"], () => {
      const [live, stopped] = [link.get<string>("live"), link.get<string>("stopped")];
      bar.style.display = live ? "" : "none";
      bar.classList.toggle("spa-stopped", Boolean(stopped));
      text.textContent = stopped || (live ? t("live_classes", { text: live }) : "");
    });
    return bar;
  }

  private footer(): HTMLElement {
    const { t, link } = this.frame;
    const text = h("span", { class: "spa-num", role: "status" });
    const submit = h("button", { class: "spa-primary", onclick: () => this.submit() }, t("submit_classes"));
    const button = (key: string, act: () => void): HTMLButtonElement => h("button", { onclick: act }, t(key));
    const automatic = h("button", { title: t("select_automatic_title"), onclick: () => this.frame.guard(link.ask("propose")) }, t("select_automatic"));
    const choosing = [button("select_all", () => this.all()), button("select_none", () => this.select([])), button("select_invert", () => this.invert())];
    const none = h("span", { class: "spa-dim", role: "status" });
    link.watch(["selected", "no_proposal"], () => { none.textContent = link.get("no_proposal") && !link.get<number[]>("selected").length ? t("no_proposal") : ""; });
    link.watch(["classes", "selected", "can_submit", "live"], () => {
      const chosen = new Set(link.get<number[]>("selected"));
      const rows = link.get<ClassRow[]>("classes");
      const sum = (some: ClassRow[]): number => some.reduce((total, row) => total + (row.count ?? 0), 0);
      const [particles, total] = [sum(rows.filter((row) => chosen.has(row.number))), sum(rows)];
      text.textContent = t("selected_classes", { classes: chosen.size, all: rows.length, particles: particles.toLocaleString("en-US"), total: total.toLocaleString("en-US"), percent: total ? ((100 * particles) / total).toFixed(1) : "0" });
      const live = Boolean(link.get("live"));
      submit.disabled = chosen.size === 0 || live;
      submit.style.display = link.get("can_submit") ? "" : "none";
      for (const each of choosing) each.disabled = live;
    });
    link.watch(["can_propose"], () => { automatic.style.display = link.get("can_propose") ? "" : "none"; });
    return h("div", { class: "spa-bar spa-foot" }, automatic, ...choosing, ...historyButtons(this.frame), text, none, h("span", { class: "spa-grow" }), submit);
  }

  private keys(): void {
    const { t } = this.frame;
    this.frame.addKeys([
      { keys: [t("click"), " "], label: t("key_select"), act: () => this.toggleFocused() },
      { keys: ["Shift+" + t("click")], label: t("key_range") },
      { keys: ["ArrowLeft"], label: t("key_move"), act: () => this.moveFocus(-1) },
      { keys: ["ArrowRight"], label: t("key_move"), act: () => this.moveFocus(1) },
      { keys: ["ArrowUp"], label: t("key_move"), act: () => this.moveFocus(-this.inRow()) },
      { keys: ["ArrowDown"], label: t("key_move"), act: () => this.moveFocus(this.inRow()) },
      { keys: ["Enter", "d"], label: t("class_detail"), act: () => this.detailOfFocused() },
      { keys: ["Escape"], label: t("key_close_detail"), act: () => this.open(0) },
      { keys: ["a"], label: t("select_all"), act: () => this.all() },
      { keys: ["x"], label: t("select_none"), act: () => this.select([]) },
      { keys: ["i"], label: t("select_invert"), act: () => this.invert() },
    ]);
  }

  private build(): void {
    const { link } = this.frame;
    const focused = this.order[this.focused()]?.number;
    const rows = sorted(link.get<ClassRow[]>("classes"), link.get<Sort>("sort"));
    this.order = rows.filter((row) => passes(row, this.filterBar.filters));
    this.filterBar.tell(rows.length - this.order.length);
    this.tiles.clear();
    this.grid.replaceChildren(...this.order.map((row, place) => this.tile(row, place)));
    this.anchor = -1;
    this.paint();
    this.mark();
    const again = this.order.findIndex((row) => row.number === focused);
    if (again >= 0) this.focus(again);
  }

  private tile(row: ClassRow, place: number): HTMLElement {
    const { t } = this.frame;
    const info = h("em", { class: "spa-info", "aria-hidden": "true", title: t("class_detail"), onclick: (event: Event) => { event.stopPropagation(); this.open(row.number); } }, "i");
    const tile = h("div", { class: "spa-class", role: "option", tabIndex: place ? -1 : 0, "data-class": row.number, "aria-label": this.describe(row), onclick: (event: MouseEvent) => this.click(place, event) },
      h("i"), info, h("span", {}, h("b", {}, row.number), h("small", {}, row.count === null ? "–" : `n = ${row.count.toLocaleString("en-US")}`)),
      h("span", { title: `${t("resolution")}, ${t("effective_classes")}` }, h("small", {}, row.resolution_A === null ? "–" : `${human(row.resolution_A)} Å`), h("small", {}, row.effective_classes === null || !row.count ? "" : `×${row.effective_classes.toFixed(1)}`)));
    this.tiles.set(row.number, tile);
    return tile;
  }

  private describe(row: ClassRow): string {
    const known = (value: number | null): string => (value === null ? this.frame.t("none") : human(value));
    return this.frame.t("class_label", { number: row.number, count: known(row.count), resolution: known(row.resolution_A), eca: known(row.effective_classes) });
  }

  private paint(): void {
    const size = this.frame.link.get<number>("size_px");
    for (const [number, tile] of this.tiles) this.atlas.paint(tile.firstElementChild as HTMLElement, number, size, this.contrast);
    this.showDetail();
  }

  private mark(): void {
    const chosen = new Set(this.frame.link.get<number[]>("selected"));
    for (const [number, tile] of this.tiles) tile.setAttribute("aria-selected", String(chosen.has(number)));
    this.grid.setAttribute("aria-disabled", String(Boolean(this.frame.link.get("live"))));
  }

  private showDetail(): void {
    const { link } = this.frame;
    const number = link.get("live") ? 0 : link.get<number>("detail");
    const row = link.get<ClassRow[]>("classes").find((each) => each.number === number);
    this.detail.element.style.display = row ? "" : "none";
    if (row) this.detail.show(row, this.contrast);
    else this.detail.forget();
    for (const [each, tile] of this.tiles) tile.classList.toggle("spa-shown", each === number);
  }

  private open(number: number): void {
    this.frame.link.set("detail", number);
  }

  private detailOfFocused(): void {
    const row = this.order[this.focused()];
    if (row) this.open(this.frame.link.get<number>("detail") === row.number ? 0 : row.number);
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
    const { link } = this.frame;
    const settle = link.get("live") ? () => {} : link.expect("selected", [...numbers].sort((a, b) => a - b)); // so that quick keys build on each other
    this.frame.guard(link.ask("select", { numbers }).finally(settle));
  }

  private all(): void {
    this.select([...new Set([...this.frame.link.get<number[]>("selected"), ...this.order.map((row) => row.number)])]);
  }

  /** What is shown is turned round; what filters hide stays as it is. */
  private invert(): void {
    const chosen = new Set(this.frame.link.get<number[]>("selected"));
    for (const { number } of this.order) if (!chosen.delete(number)) chosen.add(number);
    this.select([...chosen]);
  }

  private focused(): number {
    const active = (this.grid.getRootNode() as Document).activeElement;
    return this.order.findIndex((row) => this.tiles.get(row.number) === active);
  }

  private focus(place: number): void {
    this.order.forEach((row, index) => { this.tiles.get(row.number)!.tabIndex = index === place ? 0 : -1; });
    this.tiles.get(this.order[place].number)?.focus({ preventScroll: false });
  }

  /** Tiles in a row of the screen. */
  private inRow(): number {
    const tiles = this.order.map((row) => this.tiles.get(row.number)!.offsetTop);
    const next = tiles.findIndex((top) => top > tiles[0]);
    return next < 0 ? tiles.length : next;
  }

  private moveFocus(by: number): void {
    if (!this.order.length) return;
    const from = this.focused();
    const to = from < 0 ? 0 : from + by;
    if (to >= 0 && to < this.order.length) this.focus(to);
  }

  private toggleFocused(): void {
    const place = this.focused();
    if (place >= 0) this.click(place, new MouseEvent("click"));
  }

  private submit(): void {
    this.frame.guard(this.frame.link.ask<{ job: string; classes: number; particles: number }>("submit").then(({ content }) => this.frame.say(this.frame.t("submitted_classes", { ...content, particles: content.particles.toLocaleString("en-US") }))));
  }
}

export default {
  render({ model, el }: RenderProps<any>) {
    const frame = new Frame(model, el, "class_gallery");
    frame.whenReady(() => new GalleryView(frame));
    return frame.close;
  },
};
