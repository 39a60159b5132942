/** ManualPicker: the view. All picks live in Python; each gesture is a question, each change comes back as an event. */
import type { RenderProps } from "@anywidget/types";
import { Mark } from "../../viewers/kit/canvas.ts";
import { progressBar } from "../../viewers/kit/controls.ts";
import { h } from "../../viewers/kit/dom.ts";
import { Frame } from "../../viewers/kit/frame.ts";
import { floats } from "../../viewers/kit/link.ts";
import { Workbench } from "../../viewers/kit/workbench.ts";

type Points = Float32Array<ArrayBuffer>; // x, y after each other
const NONE: Points = new Float32Array(0);

/** Index of the point nearest to (x, y) and nearer than `reach`; -1 if there is none. */
export function nearest(points: Float32Array, x: number, y: number, reach: number): number {
  let [best, least] = [-1, reach ** 2];
  for (let index = 0; index < points.length / 2; index++) {
    const distance = (points[2 * index] - x) ** 2 + (points[2 * index + 1] - y) ** 2;
    if (distance < least) [best, least] = [index, distance];
  }
  return best;
}

class PickerView {
  private picks: Points = NONE;
  private suggested: Points = NONE;
  private hovered = -1;
  private pointer: [number, number] | null = null;
  private dragging: { index: number; x: number; y: number } | null = null;
  private cross: [number, number] | null = null;
  private bench: Workbench;
  private acceptButton = h("button", { style: "display: none", onclick: () => this.acceptAll() });

  constructor(private frame: Frame) {
    const { link } = frame;
    this.bench = new Workbench(frame, { title: "manual_picker", shown: () => this.drawMarks(), gestures: { hit: this.hit, click: this.click, dragMark: this.drag, hover: this.hover } });
    frame.root.append(this.bench.bar, h("div", { class: "spa-body", style: "height: 560px" }, this.bench.list.element, this.bench.canvas.element), this.footer());
    link.on("picks", ({ index }) => index === link.get("current") && this.fetchPicks());
    link.watch(["current"], () => { this.cross = null; this.fetchPicks(); });
    this.keys();
  }

  private footer(): HTMLElement {
    const { t, link } = this.frame;
    const bar = progressBar(t("goal_label"));
    const button = (key: string, text: string, act: () => void, extra = ""): HTMLButtonElement => h("button", { onclick: act, class: extra, title: t(key), "aria-label": t(key) }, text);
    const submit = h("button", { class: "spa-primary", onclick: () => this.submit() }, t("submit_picks"));
    link.watch(["counts", "goal", "can_submit", "read_only"], () => {
      const count = (link.get<number[]>("counts") ?? []).reduce((sum, each) => sum + each, 0);
      const goal = link.get<number>("goal");
      bar.set(count / goal, t("goal", { count, goal }), count >= goal ? "done" : "");
      submit.style.display = link.get("can_submit") ? "" : "none";
      submit.disabled = count === 0 || link.get("read_only");
    });
    return h("div", { class: "spa-bar spa-foot" },
      button("previous", "←", () => this.bench.step(-1), "spa-icon"), button("next", "→", () => this.bench.step(1), "spa-icon"),
      button("undo", "↶", () => this.edit("undo"), "spa-icon"), button("redo", "↷", () => this.edit("redo"), "spa-icon"),
      bar.element, h("span", { class: "spa-grow" }), this.acceptButton, submit);
  }

  private keys(): void {
    const { t } = this.frame;
    const { canvas } = this.bench;
    const pan = (dx: number, dy: number) => () => (this.cross ? this.moveCross(-dx / 5, -dy / 5) : canvas.panBy(dx, dy));
    this.frame.addKeys([
      { keys: [t("left_click"), t("tap")], label: t("key_pick") },
      { keys: [t("right_click"), t("long_press"), "Delete"], label: t("key_remove"), act: () => this.removeHovered() },
      { keys: [t("drag")], label: t("key_drag") },
      { keys: ["Ctrl+z"], label: t("undo"), act: () => this.edit("undo") },
      { keys: ["Ctrl+y", "Ctrl+Shift+z"], label: t("redo"), act: () => this.edit("redo") },
      { keys: ["a"], label: t("key_accept"), act: () => this.acceptAll() },
      { keys: ["c", " "], label: t("key_crosshair"), act: (event) => this.crossKey(event) },
      { keys: ["Enter"], label: t("key_crosshair"), act: () => this.cross && this.add(...this.cross) },
      { keys: ["ArrowLeft"], label: t("key_pan"), act: pan(60, 0) },
      { keys: ["ArrowRight"], label: t("key_pan"), act: pan(-60, 0) },
      { keys: ["ArrowUp"], label: t("key_pan"), act: pan(0, 60) },
      { keys: ["ArrowDown"], label: t("key_pan"), act: pan(0, -60) },
    ]);
    this.bench.addKeys();
  }

  private edit(action: string, args: Record<string, unknown> = {}): void {
    this.frame.guard(this.frame.link.ask("edit", { action, ...args }));
  }

  private add(x: number, y: number): void {
    const { info } = this.bench.picture;
    if (!info || x < 0 || y < 0 || x >= info.width || y >= info.height) return;
    this.picks = new Float32Array([...this.picks, x, y]); // seen at once; the kernel's answer follows
    this.drawMarks();
    this.edit("add", { name: this.frame.link.get("current"), x, y });
  }

  private removeAt(index: number): void {
    const [x, y] = [this.picks[2 * index], this.picks[2 * index + 1]];
    this.picks = this.picks.filter((_, place) => place >> 1 !== index);
    this.hovered = this.underPointer();
    this.drawMarks();
    this.edit("remove", { name: this.frame.link.get("current"), x, y });
  }

  private removeHovered(): void {
    const index = this.cross ? this.hit(...this.cross) : this.underPointer();
    if (index >= 0) this.removeAt(index);
  }

  private submit(): void {
    const { link, t } = this.frame;
    this.frame.guard(link.ask<{ job: string; count: number }>("submit").then(({ content }) => this.frame.say(t("submitted_count", content))));
  }

  private acceptAll(): void {
    if (this.suggested.length) this.edit("accept", { name: this.frame.link.get("current") });
  }

  private hit = (x: number, y: number): number => nearest(this.picks, x, y, this.reach());

  /** The pick under the pointer now: the picks may have changed since it moved. */
  private underPointer(): number {
    return this.pointer ? this.hit(...this.pointer) : -1;
  }

  /** How far from its middle a circle can be clicked. */
  private reach(): number {
    return Math.max(this.bench.radius_px() * 0.6, 9 / this.bench.canvas.zoom);
  }

  private click = (x: number, y: number, button: number, event: PointerEvent): void => {
    this.frame.root.focus({ preventScroll: true });
    const index = this.hit(x, y);
    const near = nearest(this.suggested, x, y, this.reach());
    if (button === 2 || (button === 0 && (event.ctrlKey || event.altKey))) {
      if (index >= 0) this.removeAt(index);
      else if (near >= 0) this.edit("dismiss", { name: this.frame.link.get("current"), x: this.suggested[2 * near], y: this.suggested[2 * near + 1] });
    } else if (button === 0 && index < 0) this.add(...(near >= 0 ? [this.suggested[2 * near], this.suggested[2 * near + 1]] as const : [x, y] as const));
  };

  private drag = (index: number, x: number, y: number, done: boolean): void => {
    this.dragging = { index, x, y };
    this.pointer = [x, y];
    if (done) {
      this.picks[2 * index] = x;
      this.picks[2 * index + 1] = y;
      this.dragging = null;
      this.edit("move", { name: this.frame.link.get("current"), pick: index, x, y });
    }
    this.drawMarks();
  };

  private hover = (x: number, y: number, index: number): void => {
    this.pointer = [x, y];
    this.bench.hint.textContent = `x ${Math.round(x)}  y ${Math.round(y)}`;
    if (index === this.hovered) return;
    this.hovered = index;
    this.drawMarks();
  };

  private crossKey(event: KeyboardEvent): void {
    if (event.key === " " && this.cross) return this.add(...this.cross);
    this.cross = this.cross ? null : [...this.bench.canvas.centre];
    this.drawMarks();
  }

  private moveCross(dx_css: number, dy_css: number): void {
    const [x, y] = this.cross!;
    this.cross = [x + dx_css / this.bench.canvas.zoom, y + dy_css / this.bench.canvas.zoom];
    this.bench.hint.textContent = `x ${Math.round(this.cross[0])}  y ${Math.round(this.cross[1])}`;
    this.drawMarks();
  }

  private fetchPicks(): void {
    const index = this.frame.link.get<number>("current");
    this.frame.guard(this.frame.link.ask("picks", { index }).then(({ buffers }) => {
      if (index !== this.frame.link.get("current")) return;
      [this.picks, this.suggested] = [floats(buffers[0]), floats(buffers[1])];
      this.hovered = this.underPointer();
      this.frame.root.dataset.suggested = String(this.suggested.length / 2);
      this.acceptButton.style.display = this.suggested.length ? "" : "none";
      this.acceptButton.textContent = this.frame.t("accept_all", { count: this.suggested.length / 2 });
      this.drawMarks();
    }));
  }

  private drawMarks(): void {
    const count = this.picks.length / 2;
    const marks: number[] = [];
    for (let at = 0; at < this.suggested.length; at += 2) marks.push(this.suggested[at], this.suggested[at + 1], Mark.Suggested);
    for (let index = 0; index < count; index++) {
      const moved = this.dragging?.index === index ? this.dragging : null;
      marks.push(moved?.x ?? this.picks[2 * index], moved?.y ?? this.picks[2 * index + 1], index === this.hovered ? Mark.Chosen : Mark.Plain);
    }
    if (this.cross) marks.push(...this.cross, Mark.Chosen);
    this.bench.setMarks(new Float32Array(marks));
    this.bench.describe(this.frame.t("picks_here", { count, suggested: this.suggested.length / 2 }));
  }
}

export default {
  render({ model, el }: RenderProps<any>) {
    const frame = new Frame(model, el, "manual_picker");
    frame.whenReady(() => new PickerView(frame));
    return frame.close;
  },
};
