/** The list of maps and other layers, and the settings of the chosen map. */
import { slider, type Slider } from "../kit/controls.ts";
import { h, human, throttle } from "../kit/dom.ts";
import type { Frame } from "../kit/frame.ts";
import { Histogram } from "./histogram.ts";
import type { Row, Thing, Volume } from "./maps.ts";

export interface PanelActions {
  choose(id: string): void;
  send(id: string, changes: Record<string, unknown>): void;
  level(value: number, done: boolean): void;
  colourBy(id: string, other: string | null): void;
  download(id: string): void;
}

export class Panel {
  readonly element: HTMLElement;
  readonly histogram: Histogram;
  /** What belongs beside the slices. */
  readonly below = h("div", { style: "padding: 8px 12px; display: grid; gap: 6px; align-content: start" });
  private list = h("div", { style: "padding: 6px 0", role: "list" });
  private settings = h("div", { style: "padding: 4px 14px; display: grid; gap: 6px" });
  private legend = h("div", { style: "padding: 0 14px 8px" });
  private sigma = h("span", { class: "spa-dim spa-num" });
  private level: Slider | null = null;
  private opacity: Slider | null = null;
  private black: Slider | null = null;
  private white: Slider | null = null;
  private style = h("select");
  private by = h("select");
  private chosen = "";

  constructor(private frame: Frame, private actions: PanelActions) {
    this.list.setAttribute("aria-label", frame.t("volume_viewer"));
    this.histogram = new Histogram(frame, (level, done) => actions.level(level, done));
    this.element = h("div", { class: "spa-side", style: "border-left: 1px solid var(--spa-line)" }, this.list, this.settings, this.histogram.element, this.legend);
  }

  /** Build the settings of a map; called once its values are there. */
  choose(row: Row, volume: Volume): void {
    const { t } = this.frame;
    this.chosen = row.id;
    const fine = (volume.high - volume.low) / 1000;
    const range = { min: volume.low, max: volume.high, step: fine };
    this.level = slider({ label: t("level"), ...range, value: row.level, input: (value) => this.actions.level(value, false), change: (value) => this.actions.level(value, true) });
    const sent = (what: string): ((value: number) => void) => throttle((value: number) => this.actions.send(row.id, { [what]: value }), 80);
    this.opacity = slider({ label: t("opacity"), min: 0, max: 1, step: 0.05, value: row.opacity, input: sent("opacity") });
    const contrast = throttle(() => {
      const [low, high] = [this.black!.get(), this.white!.get()];
      if (low < high) this.actions.send(row.id, { contrast: [low, high] });
    }, 100);
    this.black = slider({ label: t("black"), ...range, value: row.contrast[0], input: contrast });
    this.white = slider({ label: t("white"), ...range, value: row.contrast[1], input: contrast });
    this.style = h("select", { "aria-label": t("draw_as"), onchange: () => this.actions.send(row.id, { style: this.style.value }) }, h("option", { value: "surface" }, t("surface")), h("option", { value: "mesh" }, t("mesh")));
    this.by = h("select", { "aria-label": t("colour_by"), style: "max-width: 170px", onchange: () => this.actions.colourBy(row.id, this.by.value || null) });
    this.settings.replaceChildren(h("div", {}, this.level.element, this.sigma), this.opacity.element,
      h("label", { class: "spa-slider" }, t("draw_as"), this.style), h("label", { class: "spa-slider" }, t("colour_by"), this.by));
    this.below.replaceChildren(h("span", { class: "spa-dim" }, t("slices_contrast")), this.black.element, this.white.element,
      h("p", { style: "margin: 6px 0 0" }, h("button", { onclick: () => this.actions.download(row.id) }, t("download_mrc"))));
  }

  /** Show what the kernel says. */
  sync(rows: Row[], things: Thing[], level: number | null): void {
    this.paintList(rows, things);
    const row = rows.find((each) => each.id === this.chosen);
    if (!row || level === null) return;
    this.level?.set(Number(level.toPrecision(3)));
    this.sigma.textContent = ` ${((level - row.mean) / (row.std || 1)).toFixed(1)} σ`;
    this.opacity?.set(row.opacity);
    this.black?.set(Number(row.contrast[0].toPrecision(3)));
    this.white?.set(Number(row.contrast[1].toPrecision(3)));
    this.style.value = row.style;
    this.by.replaceChildren(h("option", { value: "" }, this.frame.t("own_colour")), ...rows.filter((each) => each.id !== row.id).map((each) => h("option", { value: each.name }, each.name)));
    this.by.value = row.colour_by?.by ?? "";
    this.paintLegend(row);
  }

  private paintLegend(row: Row): void {
    const by = row.colour_by;
    this.legend.replaceChildren(...(by ? [
      h("div", { class: "spa-dim" }, `${this.frame.t("colour_by")} ${by.by}`),
      h("div", { style: `height: 12px; border-radius: 3px; background: linear-gradient(to right, ${by.stops.join(", ")})` }),
      h("div", { class: "spa-num", style: "display: flex; justify-content: space-between" }, h("span", {}, human(by.range[0])), h("span", {}, human(by.range[1]))),
    ] : []));
  }

  private paintList(rows: Row[], things: Thing[]): void {
    const { t } = this.frame;
    const key = JSON.stringify([rows.map(({ id, name, visible, colour }) => [id, name, visible, colour]), things, this.chosen]);
    if (this.list.dataset.key === key) return;
    this.list.dataset.key = key;
    const eyeOf = (each: Row | Thing): HTMLElement => h("input", { type: "checkbox", checked: each.visible, "aria-label": `${t("show")} ${each.name}`, onclick: (event: Event) => event.stopPropagation(), onchange: (event: Event) => this.actions.send(each.id, { visible: (event.target as HTMLInputElement).checked }) });
    const maps = rows.map((row) => {
      const ink = h("input", { type: "color", value: row.colour, "aria-label": `${t("colour")} ${row.name}`, style: "width: 26px; height: 22px; padding: 0; border: 0; background: none", oninput: throttle(() => this.actions.send(row.id, { colour: ink.value }), 80) });
      const choose = (): void => this.actions.choose(row.id);
      return h("div", { class: "spa-row", role: "listitem", tabIndex: 0, style: "display: flex; align-items: center", "aria-current": String(row.id === this.chosen), onclick: choose, onkeydown: (event: KeyboardEvent) => event.target === event.currentTarget && event.key === "Enter" && choose() }, eyeOf(row), ink, h("span", { class: "spa-name", title: row.name }, row.name));
    });
    const others = things.map((each) => h("div", { class: "spa-row", role: "listitem", style: "display: flex; align-items: center" }, eyeOf(each), h("span", { class: "spa-name", title: each.name }, each.name),
      h("span", { class: "spa-dim" }, each.kind === "other" && this.frame.link.get("renderer") === "browser" ? t("napari_only") : "")));
    this.list.replaceChildren(...maps, ...others);
  }
}
