/** Sliders that hide classes by their number of particles, resolution and effective classes. */
import { slider } from "../../viewers/kit/controls.ts";
import { h } from "../../viewers/kit/dom.ts";
import type { Frame } from "../../viewers/kit/frame.ts";
import { type ClassRow, type Filters, largest } from "./rows.ts";

export const FILTERS = ["min_count", "worst_resolution_A", "most_effective_classes"] as const;

export class FilterBar {
  readonly element = h("div", { class: "spa-bar spa-filters" });
  readonly filters: Filters = { min_count: 0, worst_resolution_A: null, most_effective_classes: null };
  private hidden = h("span", { class: "spa-dim spa-num", role: "status" });

  constructor(private frame: Frame, private moved: () => void) {
    frame.link.watch(["classes"], () => this.build());
  }

  /** Take what the kernel has. */
  read(): void {
    for (const name of FILTERS) this.set(name, this.frame.link.get(name) ?? (name === "min_count" ? 0 : null));
  }

  /** Say how many classes are hidden. */
  tell(hidden: number): void {
    this.hidden.textContent = hidden ? this.frame.t("filter_hidden", { count: hidden }) : "";
  }

  private set(name: (typeof FILTERS)[number], value: number | null): void {
    (this.filters[name] as number | null) = value;
  }

  /** Sliders over what the classes have; at its end a slider filters nothing. */
  private build(): void {
    const { t, link } = this.frame;
    const rows = link.get<ClassRow[]>("classes");
    const made = ([["min_count", "count", "filter_count", ""], ["worst_resolution_A", "resolution_A", "filter_resolution", "Å"], ["most_effective_classes", "effective_classes", "filter_effective", ""]] as const).map(([name, fact, key, unit]) => {
      const end = largest(rows, fact);
      if (!end) return null;
      const least = name === "min_count";
      const wanted = (value: number): number | null => (least ? value : value >= end ? null : value);
      const made = slider({
        label: t(key), unit, min: 0, max: end, step: least ? 1 : 0.1, value: link.get(name) ?? (least ? 0 : end),
        input: (value) => { this.set(name, wanted(value)); this.moved(); },
        change: (value) => link.set(name, wanted(value)),
      });
      made.element.dataset.filter = name;
      return made.element;
    });
    this.element.replaceChildren(h("span", { class: "spa-dim" }, t("filter")), ...made.filter((each) => each !== null), this.hidden);
  }
}
