/** All micrographs by two facts: draggable limits, a brush, a click on one. Dots are accepted, crosses rejected. */
import { h, human, s } from "../../viewers/kit/dom.ts";
import type { Frame } from "../../viewers/kit/frame.ts";
import { Plot } from "../../viewers/kit/plot.ts";
import { FACTS, type Fact, LIMIT_NAMES, LIMITS, type LimitName, type Limits, type Reason, type Row, known, limitsOf, shown } from "./choice.ts";

interface Actions {
  preview: (limits: Partial<Limits>) => void;
  limit: (limits: Partial<Limits>) => void;
  decide: (indices: number[], good: boolean) => void;
  go: (index: number) => void;
}

const CLICK_PX = 4; // a shorter way is no brush
const REACH_PX = 16;

/** The micrographs in a frame, in the units that are shown. */
export function inside(rows: Row[], x: Fact, [x0, x1]: [number, number], y: Fact, [y0, y1]: [number, number]): number[] {
  return rows.flatMap((row, index) => { const [a, b] = [shown(row, x), shown(row, y)]; return a >= x0 && a <= x1 && b >= y0 && b <= y1 ? [index] : []; });
}

export class ScatterView {
  readonly element: HTMLElement;
  private plot: Plot;
  private rows: Row[] = [];
  private reasons: Reason[][] = [];
  private limits = {} as Limits;
  private current = -1;
  private x: Fact = "defocus_A";
  private y: Fact = "resolution_A";
  private span: [number, number, number, number] = [0, 1, 0, 1];
  private frame_: { x: [number, number]; y: [number, number] } | null = null;
  private brushed: number[] = [];
  private choices: Record<"x" | "y", HTMLSelectElement>;
  private tools = h("div", { class: "spa-brushed", role: "status" });

  constructor(private frame: Frame, private actions: Actions) {
    const { t } = frame;
    this.plot = new Plot({ label: t("scatter_label"), left: 46, bottom: 24 });
    this.plot.onDraw((layer) => this.paint(layer));
    this.plot.element.classList.add("spa-scatter");
    this.plot.element.addEventListener("pointerdown", this.brush);
    const choice = (name: "x" | "y"): HTMLSelectElement => {
      const select = h("select", { "aria-label": `${t("scatter_label")} ${name}`, onchange: () => { this[name] = select.value as Fact; this.clear(); this.rescale(); } });
      return select;
    };
    this.choices = { x: choice("x"), y: choice("y") };
    const labelled = (name: "x" | "y"): HTMLElement => h("label", { class: "spa-slider spa-dim" }, name, this.choices[name]);
    this.element = h("div", { class: "spa-scatter-box" }, h("div", { class: "spa-axes" }, labelled("y"), labelled("x")), this.plot.element, this.tools);
    frame.onClose(() => this.plot.destroy());
    this.describe();
  }

  setRows(rows: Row[]): void {
    this.rows = rows;
    for (const name of ["x", "y"] as const) {
      this.choices[name].replaceChildren(...known(rows).map((fact) => h("option", { value: fact }, `${this.frame.t(FACTS[fact].key)}${FACTS[fact].unit ? ` (${FACTS[fact].unit})` : ""}`)));
      this.choices[name].value = this[name];
    }
    this.rescale();
  }

  update(reasons: Reason[][], limits: Limits, current: number): void {
    [this.reasons, this.limits, this.current] = [reasons, limits, current];
    this.plot.draw();
  }

  private rescale(): void {
    const ends = (fact: Fact): [number, number] => {
      const values = this.rows.map((row) => shown(row, fact)).filter(Number.isFinite);
      if (!values.length) return [0, 1];
      const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
      const margin = (high - low || Math.abs(high) || 1) * 0.08;
      return [low - margin, high + margin];
    };
    this.span = [...ends(this.x), ...ends(this.y)];
    this.plot.setRange(...this.span);
    this.plot.draw();
  }

  private paint(layer: SVGElement): void {
    const { plot } = this;
    const paths = { good: "", bad: "", brushed: "" };
    const lit = new Set(this.brushed);
    this.rows.forEach((row, index) => {
      const [a, b] = [shown(row, this.x), shown(row, this.y)];
      if (!Number.isFinite(a) || !Number.isFinite(b)) return;
      const [x, y] = [plot.x(a).toFixed(1), plot.y(b).toFixed(1)];
      if (this.reasons[index]?.length) paths.bad += `M${x},${y}m-4,-4l8,8m-8,0l8,-8`;
      else paths.good += `M${x},${y}h0`;
      if (lit.has(index)) paths.brushed += `M${x},${y}h0`;
    });
    layer.append(
      s("path", { d: paths.brushed, class: "spa-lit" }),
      s("path", { d: paths.good, class: "spa-dot" }),
      s("path", { d: paths.bad, class: "spa-cross" }));
    const row = this.rows[this.current];
    const [a, b] = row ? [shown(row, this.x), shown(row, this.y)] : [Number.NaN, Number.NaN];
    if (Number.isFinite(a) && Number.isFinite(b)) layer.append(s("circle", { cx: plot.x(a), cy: plot.y(b), r: 8, class: "spa-here" }, s("title", {}, row.name)));
    if (this.frame_) {
      const { x, y } = this.frame_;
      layer.append(s("rect", { x: plot.x(x[0]), y: plot.y(y[1]), width: Math.max(plot.x(x[1]) - plot.x(x[0]), 0), height: Math.max(plot.y(y[0]) - plot.y(y[1]), 0), class: "spa-frame" }));
    }
    for (const name of LIMIT_NAMES) this.paintLimit(layer, name);
  }

  private paintLimit(layer: SVGElement, name: LimitName): void {
    const { fact, least } = LIMITS[name];
    if (fact !== this.x && fact !== this.y) return;
    const axis = fact === this.x ? "x" : "y";
    const [low, high] = axis === "x" ? this.span.slice(0, 2) : this.span.slice(2);
    const { scale } = FACTS[fact];
    const open = least ? low : high;
    const limit = this.limits[name];
    const value = limit === null || limit === undefined ? open : limit * scale;
    const label = `${this.frame.t(name)} ${limit === null || limit === undefined ? this.frame.t("none") : human(value)}`;
    this.plot.limit(layer, axis, value, name, label, (next, done) => {
      const wanted = { [name]: Math.abs(next - open) < (high - low) / 400 ? null : Number((next / scale).toPrecision(4)) };
      (done ? this.actions.limit : this.actions.preview)(wanted);
    }, least ? 0.3 : 0.7);
  }

  private brush = (event: PointerEvent): void => {
    if (event.button !== 0 || event.defaultPrevented) return; // a limit's line takes its own
    event.preventDefault();
    const [from, x, y] = [this.plot.at(event), event.clientX, event.clientY];
    const far = (next: PointerEvent): boolean => Math.hypot(next.clientX - x, next.clientY - y) > CLICK_PX;
    const move = (next: PointerEvent): void => {
      if (!far(next)) return;
      const to = this.plot.at(next);
      this.frame_ = { x: [Math.min(from[0], to[0]), Math.max(from[0], to[0])], y: [Math.min(from[1], to[1]), Math.max(from[1], to[1])] };
      this.brushed = inside(this.rows, this.x, this.frame_.x, this.y, this.frame_.y);
      this.plot.draw();
    };
    const up = (next: PointerEvent): void => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", up);
      window.removeEventListener("pointercancel", up);
      if (far(next)) return this.describe();
      this.clear();
      this.pick(from);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up);
    window.addEventListener("pointercancel", up);
  };

  /** Go to the micrograph nearest to a place. */
  private pick([a, b]: [number, number]): void {
    const away = (row: Row): number => Math.hypot(this.plot.x(shown(row, this.x)) - this.plot.x(a), this.plot.y(shown(row, this.y)) - this.plot.y(b));
    let [best, least] = [-1, REACH_PX];
    this.rows.forEach((row, index) => { const distance = away(row); if (distance < least) [best, least] = [index, distance]; });
    if (best >= 0) this.actions.go(best);
  }

  /** Forget the brush. */
  clear(): void {
    this.frame_ = null;
    this.brushed = [];
    this.describe();
    this.plot.draw();
  }

  private describe(): void {
    const { t } = this.frame;
    if (!this.frame_) return this.tools.replaceChildren(h("span", { class: "spa-dim" }, t("brush_hint")));
    const button = (key: string, act: () => void): HTMLElement => h("button", { onclick: () => { act(); this.clear(); }, "data-brush": key }, t(key));
    const { x, y } = this.frame_;
    const some = this.brushed;
    this.tools.replaceChildren(h("span", { class: "spa-num" }, t("brushed", { count: some.length })),
      ...(some.length ? [button("reject", () => this.actions.decide(some, false)), button("accept", () => this.actions.decide(some, true)), button("frame_limits", () => this.actions.limit(limitsOf(this.x, x, this.y, y)))] : []));
  }
}
